//! The operators of ONNX as layers, one file for each family.

mod activation;
mod arithmetic;
mod conv;
mod joining;
mod linear;
mod normalization;
mod padding;
mod pooling;
mod reduction;
mod reshaping;
mod resizing;
mod windows;

use crate::call::Call;
use crate::refusal::{Refusal, Result};
use crate::value::Value;

/// Lowers a node: the values that it gives.
type Operator = fn(&mut Call<'_>) -> Result<Vec<Value>>;

/// The operators of a family, by their names.
type Family = &'static [(&'static str, Operator)];

const FAMILIES: [Family; 11] = [
    activation::OPERATORS,
    arithmetic::OPERATORS,
    conv::OPERATORS,
    joining::OPERATORS,
    linear::OPERATORS,
    normalization::OPERATORS,
    padding::OPERATORS,
    pooling::OPERATORS,
    reduction::OPERATORS,
    reshaping::OPERATORS,
    resizing::OPERATORS,
];

/// The names of the operators that can depend on the image, in alphabetical order.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = FAMILIES.iter().copied().flatten().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names
}

/// Lowers a node.
pub fn lower(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let op = call.node.op.as_str();
    let found = FAMILIES.iter().copied().flatten().find(|(name, _)| *name == op);
    match found {
        Some((_, operator)) => operator(call),
        None => Err(unknown(op)),
    }
}

fn unknown(op: &str) -> Refusal {
    const QUANTIZED: [&str; 4] =
        ["QuantizeLinear", "DequantizeLinear", "ConvInteger", "MatMulInteger"];
    let is_quantized =
        QUANTIZED.contains(&op) || op.starts_with("QLinear") || op.starts_with("Dynamic");
    if is_quantized {
        return Refusal::new(
            "the model is quantised to whole numbers, which have no gradients",
            "give the model as it was before quantisation, in single precision",
        );
    }
    match op {
        "Loop" | "Scan" => Refusal::new(
            "the graph repeats a part while it runs",
            "export for a fixed image size with torch.onnx.export(.., dynamo=True), or run onnxsim",
        ),
        _ => Refusal::new(
            "this operator cannot be read",
            format!("these can: {}; or what is computed without the image", names().join(", ")),
        ),
    }
}

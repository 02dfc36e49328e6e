//! The operators of ONNX as layers, one file for each family.

mod activation;
mod arithmetic;
mod attention;
mod conv;
mod joining;
mod linear;
mod merged;
mod normalization;
mod padding;
mod pooling;
mod reduction;
mod repeating;
mod reshaping;
mod resizing;
mod windows;

use crate::call::Call;
use crate::layout::Layout;
use crate::refusal::{Refusal, Result};
use crate::value::{Computed, Value};

/// Lowers a node: the values that it gives.
type Operator = fn(&mut Call<'_>) -> Result<Vec<Value>>;

/// The operators of a family, by their names.
type Family = &'static [(&'static str, Operator)];

const FAMILIES: [Family; 13] = [
    activation::OPERATORS,
    arithmetic::OPERATORS,
    attention::OPERATORS,
    conv::OPERATORS,
    joining::OPERATORS,
    linear::OPERATORS,
    normalization::OPERATORS,
    padding::OPERATORS,
    pooling::OPERATORS,
    reduction::OPERATORS,
    repeating::OPERATORS,
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
    let mut operators = FAMILIES.iter().copied().flatten();
    let Some(&(_, operator)) = operators.find(|(name, _)| *name == op) else {
        return Err(unknown(op));
    };
    // These see the shapes of the file themselves.
    const OF_SHAPES: [&str; 5] = ["Flatten", "Gather", "Reshape", "Squeeze", "Unsqueeze"];
    if merged::applies(call) && !OF_SHAPES.contains(&op) {
        return merged::lower(call, operator);
    }
    // Which branch is taken follows from a constant.
    if op != "If" && call.all_constant() {
        return of_constants(call);
    }
    operator(call)
}

/// Lowers a node of constants that is not computed while reading: its first input becomes a value of the network.
fn of_constants(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let array = call.required_constant(0)?;
    if array.dims.first() != Some(&1) || array.dims.len() < 2 {
        return Err(Refusal::new(
            format!("it is not computed while reading, for constants {:?}", array.dims),
            "fold it: onnxsim, or torch.onnx.export with do_constant_folding=True",
        ));
    }
    let layout = match array.dims.len() {
        4 => Layout::channels_last(4),
        rank => Layout::plain(rank),
    };
    let id = call.known(Some(0), &array, &layout, 0)?;
    let mut node = call.node.clone();
    let name = format!("{}\u{0}", node.inputs[0]);
    node.inputs[0].clone_from(&name);
    let value = Computed::new(array.dims, layout, id);
    call.lowered.values.insert(name.clone(), value.into());
    let outputs = lower(&mut Call { node: &node, opset: call.opset, lowered: &mut *call.lowered });
    call.lowered.values.remove(&name);
    outputs
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

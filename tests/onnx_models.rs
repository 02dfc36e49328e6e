//! The operator cases of the `onnx` package as files: how many are read and agree, which are wrong, and which cannot be
//! read, by reason. A wrong one fails the test.
//!
//! The cases are not kept here: `benches/peers/onnx_cases/dump.py` writes them to `target/onnx_cases`, or wherever
//! `NN_ONNX_CASES` says. Without them the test says so and passes. The first dimension of a case's first input is taken
//! for the batch, so cases that work along it are among those that cannot be read.

use nn_core::layers::OutputKind;
use nn_core::model::safetensors::TensorFile;
use nn_core::{Tape, Tensor};
use nn_onnx::ReadOptions;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[derive(Deserialize)]
struct Cases {
    onnx: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    op: String,
    rtol: f64,
    atol: f64,
    inputs: Vec<Option<Array>>,
    outputs: Vec<Option<Array>>,
}

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    tensor: Option<String>,
}

fn folder() -> PathBuf {
    let usual = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/onnx_cases");
    std::env::var_os("NN_ONNX_CASES").map_or_else(usual, PathBuf::from)
}

/// The dimensions in the order that `axes` gives.
fn arranged(tensor: Tensor, axes: &[usize]) -> Tensor {
    let tape = Tape::inference(Default::default());
    let arranged = tape.permute(&tape.constant(tensor), axes).unwrap();
    arranged.value().clone()
}

/// The output of a case, in ONNX's order; or why it cannot be read.
fn computed(file: &std::path::Path, x: Tensor) -> Result<Tensor, String> {
    let options = ReadOptions { output_kind: Some(OutputKind::Linear), ..Default::default() };
    let imported = nn_onnx::read_with(file, &options).map_err(|error| error.to_string())?;
    let x = arranged(x, &imported.report.input_axes);
    let y = imported.model.predict(x).map_err(|error| error.to_string())?;
    let axes = &imported.report.output_axes;
    let mut inverse = vec![0; axes.len()];
    axes.iter().enumerate().for_each(|(i, &axis)| inverse[axis] = i);
    Ok(arranged(y, &inverse))
}

/// Why a file is refused, without names and numbers.
fn reason(error: &str) -> String {
    let (_, problem) = error.split_once(".onnx: ").unwrap_or(("", error));
    let (_, problem) = problem.split_once(": ").unwrap_or(("", problem));
    let problem = problem.split(';').next().unwrap_or(problem);
    problem.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect()
}

/// Where the output is not what is expected.
fn difference(case: &Case, ours: &Tensor, expected: &Tensor) -> Option<String> {
    // A list of numbers is one but for dimensions of 1.
    let long =
        |tensor: &Tensor| tensor.dims().iter().copied().filter(|&dim| dim != 1).collect::<Vec<_>>();
    if long(ours) != long(expected) {
        return Some(format!("has the shape {}, not {}", ours.shape(), expected.shape()));
    }
    let largest = expected
        .as_slice()
        .iter()
        .filter(|v| v.is_finite())
        .fold(0.0f32, |max, v| max.max(v.abs()));
    let rounding = 1e-6 * f64::from(largest);
    let pairs = ours
        .as_slice()
        .iter()
        .zip(expected.as_slice())
        .map(|(&a, &b)| (f64::from(a), f64::from(b)));
    let differs = |&(a, b): &(f64, f64)| {
        let near = (a - b).abs() <= rounding + case.atol + case.rtol * b.abs();
        !(near || a == b || a.is_nan() && b.is_nan())
    };
    pairs.clone().find(differs).map(|(a, b)| format!("has {a} instead of {b}"))
}

#[test]
fn operators_of_onnx_as_files() {
    let folder = folder();
    let Ok(text) = std::fs::read_to_string(folder.join("cases.json")) else {
        println!("no cases in {}: nothing is compared", folder.display());
        return;
    };
    let cases: Cases = serde_json::from_str(&text).unwrap();
    let mut file = TensorFile::open(&folder.join("cases.safetensors")).unwrap();
    let claimed: BTreeSet<_> = nn_onnx::operators().into_iter().collect();
    let (mut passed, mut wrong) = (BTreeMap::<String, usize>::new(), Vec::new());
    let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut of_claimed = 0;
    for case in &cases.cases {
        of_claimed += usize::from(claimed.contains(case.op.as_str()));
        let mut tensor = |array: &Option<Array>| {
            let name = array.as_ref()?.tensor.as_ref()?;
            let tensor: Tensor = file.read(name).unwrap();
            // A number has no dimension.
            (!array.as_ref()?.shape.is_empty()).then_some(tensor)
        };
        let (Some(x), Some(expected)) = (tensor(&case.inputs[0]), tensor(&case.outputs[0])) else {
            missing
                .entry("the first input or output has no dimension, or no real numbers".into())
                .or_default()
                .push(case.name.clone());
            continue;
        };
        match computed(&folder.join("models").join(format!("{}.onnx", case.name)), x) {
            Ok(y) => match difference(case, &y, &expected) {
                None => *passed.entry(case.op.clone()).or_default() += 1,
                Some(problem) => wrong.push(format!("{}: {problem}", case.name)),
            },
            Err(error) => missing.entry(reason(&error)).or_default().push(case.name.clone()),
        }
    }
    let total: usize = passed.values().sum();
    println!(
        "onnx {}: {} cases, {of_claimed} of operators that are read; {total} pass, {} are wrong, {} cannot be read",
        cases.onnx,
        cases.cases.len(),
        wrong.len(),
        missing.values().map(Vec::len).sum::<usize>()
    );
    println!("passed: {passed:?}");
    for (reason, names) in &missing {
        println!("{:4} {reason}: {}", names.len(), names.join(", "));
    }
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
}

//! The operator cases of the `onnx` package, run through the tape: how many pass, which are wrong, and
//! which cannot be expressed, by reason. A wrong one fails the test.
//!
//! The cases are not kept here: `benches/peers/onnx_cases/dump.py` writes them to `target/onnx_cases`,
//! or wherever `NN_ONNX_CASES` says. Without them the test says so and passes.

#[path = "onnx_cases/array_ops.rs"]
mod array_ops;
#[path = "onnx_cases/call.rs"]
mod call;
#[path = "onnx_cases/image_ops.rs"]
mod image_ops;

use call::{Array, Call, Case, Outcome, Stop, Value};
use nn_core::model::safetensors::TensorFile;
use nn_core::{Tape, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Cases {
    onnx: String,
    cases: Vec<Case>,
}

fn folder() -> PathBuf {
    std::env::var_os("NN_ONNX_CASES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/onnx_cases"),
        PathBuf::from,
    )
}

/// Runs a case: its outputs, in the operator's order.
fn run(call: &Call<'_>) -> Outcome {
    match image_ops::run(call) {
        Some(outcome) => outcome,
        None => array_ops::run(call),
    }
}

/// Says where an output differs from what the case expects: by more than the case allows, and by more
/// than rounding. A sum of large numbers that should be 0 is not 0 in f32, so rounding is 1e-7 of the
/// output's largest magnitude.
fn compare(
    case: &Case,
    value: &Value,
    expected: &Array,
    file: &mut TensorFile,
) -> Result<(), String> {
    let (ours, dims): (Vec<f64>, &[usize]) = match value {
        Value::Floats(var) => {
            (var.value().as_slice().iter().map(|&v| v.into()).collect(), var.dims())
        }
        Value::Integers(values, shape) => (values.iter().map(|&v| v as f64).collect(), shape),
    };
    if dims != expected.shape {
        return Err(format!("has the shape {dims:?}, not {:?}", expected.shape));
    }
    let expected: Vec<f64> = match (&expected.tensor, &expected.integers) {
        (Some(name), _) => {
            let tensor: Tensor<f32> = file.read(name).unwrap();
            tensor.as_slice().iter().map(|&v| v.into()).collect()
        }
        (None, Some(integers)) => integers.iter().map(|&v| v as f64).collect(),
        (None, None) => panic!("{}: an output without numbers", case.name),
    };
    let finite = expected.iter().map(|v| v.abs()).filter(|v| v.is_finite());
    let rounding = 1e-7 * finite.fold(0.0, f64::max);
    for (i, (&ours, &expected)) in ours.iter().zip(&expected).enumerate() {
        let near = (ours - expected).abs() <= rounding + case.atol + case.rtol * expected.abs();
        if !(near || ours == expected || ours.is_nan() && expected.is_nan()) {
            return Err(format!("has {ours} instead of {expected} at {i}"));
        }
    }
    Ok(())
}

#[test]
fn operators_of_onnx() {
    let folder = folder();
    let Ok(text) = std::fs::read_to_string(folder.join("cases.json")) else {
        println!("no cases in {}: nothing is compared", folder.display());
        return;
    };
    let cases: Cases = serde_json::from_str(&text).unwrap();
    let mut file = TensorFile::open(&folder.join("cases.safetensors")).unwrap();
    let (mut passed, mut wrong) = (0, Vec::new());
    let mut missing: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for case in &cases.cases {
        let tape = Tape::inference(Default::default());
        let call = Call::new(case, &tape, &mut file);
        match run(&call) {
            Ok(outputs) => {
                assert!(outputs.len() >= case.outputs.len(), "{}: too few outputs", case.name);
                let problem =
                    outputs.iter().zip(case.outputs.iter()).find_map(|(value, expected)| {
                        compare(case, value, expected.as_ref()?, &mut file).err()
                    });
                match problem {
                    None => passed += 1,
                    Some(problem) => wrong.push(format!("{}: {problem}", case.name)),
                }
            }
            Err(Stop::Inexpressible(reason)) => missing.entry(reason).or_default().push(&case.name),
            Err(Stop::Refused(error)) => {
                missing.entry(format!("refused: {error}")).or_default().push(&case.name);
            }
        }
    }
    let inexpressible: usize = missing.values().map(Vec::len).sum();
    println!(
        "onnx {}: {} cases, {passed} pass, {} are wrong, {inexpressible} cannot be expressed",
        cases.onnx,
        cases.cases.len(),
        wrong.len()
    );
    for (reason, names) in &missing {
        println!("{:4} {reason}: {}", names.len(), names.join(", "));
    }
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
}

//! Which output counts, and what is no output of a classifier.

use super::{ints, model, node, outcome, refused, value, with, with_int};
use crate::{ReadOptions, read_bytes};
use nn_core::layers::OutputKind;
use prost::Message;

#[test]
fn an_output_that_is_not_what_was_asked_for() {
    let end = |op: &str| {
        model(
            vec![
                node("GlobalAveragePool", &["x"], "a"),
                node("Flatten", &["a"], "f"),
                node(op, &["f"], "y"),
            ],
            vec![],
        )
    };
    let read = |op: &str, kind: OutputKind| {
        let options = ReadOptions { output_kind: Some(kind), ..Default::default() };
        read_bytes(end(op).encode_to_vec(), &options).map_err(|error| error.to_string())
    };
    let error = read("Sigmoid", OutputKind::Softmax).unwrap_err();
    assert!(error.contains("its output is a sigmoid, not a softmax as asked"), "{error}");
    let error = read("Softmax", OutputKind::Sigmoid).unwrap_err();
    assert!(error.contains("its output is a softmax, not a sigmoid as asked"), "{error}");
    let kept = read("Sigmoid", OutputKind::Linear).unwrap();
    assert!(!kept.report.activation_taken_off);
    assert!(read("Sigmoid", OutputKind::Sigmoid).unwrap().report.activation_taken_off);
    assert_eq!(read("Relu", OutputKind::Sigmoid).unwrap().model.output_kind(), OutputKind::Sigmoid);
}

/// What leads to another output is not looked at.
#[test]
fn only_the_output_that_counts_is_read() {
    let nodes =
        vec![node("Relu", &["x"], "y"), node("Det", &["x"], "d"), node("Add", &["d", "gone"], "z")];
    let mut several = model(nodes, vec![]);
    several.graph.as_mut().unwrap().output.push(value("z", &[]));
    let read = outcome(&several).unwrap();
    assert_eq!((read.report.output.as_str(), read.report.nodes), ("y", 1));
    assert_eq!(read.report.other_outputs, ["z"]);
    let other = ReadOptions { output: Some("z".into()), ..Default::default() };
    let error = read_bytes(several.encode_to_vec(), &other).unwrap_err().to_string();
    assert!(error.contains("nothing computes its input \"gone\""), "{error}");
}

#[test]
fn outputs_that_are_none() {
    let constant = model(vec![node("Shape", &["x"], "y")], vec![]);
    refused(&constant, &["output \"y\"", "does not depend on the image"]);
    let turned = with(node("Transpose", &["x"], "y"), "perm", &[1, 0, 2, 3]);
    refused(&model(vec![turned], vec![]), &["output \"y\"", "first dimension is not the batch"]);
    let squeeze = with_int(node("Gather", &["x", "i"], "y"), "axis", 0);
    refused(&model(vec![squeeze], vec![ints("i", &[0])]), &["picks samples of the batch"]);
}

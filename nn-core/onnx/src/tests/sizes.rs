//! What a small file may make large while it is read.

use super::{ints, model, node, refused, tensor, with, with_int};
use crate::proto::NodeProto;

/// This many nodes in a row from the value `v` to `y`.
fn in_a_row(count: usize, node: impl Fn(&str, &str) -> NodeProto) -> Vec<NodeProto> {
    let name = |i: usize| match i {
        0 => "v".to_owned(),
        i if i == count => "y".into(),
        i => format!("v{i}"),
    };
    (0..count).map(|i| node(&name(i), &name(i + 1))).collect()
}

#[test]
fn scales_of_many_normalizations() {
    // One number that each repeats for 2^23.
    let mut nodes = vec![
        node("Flatten", &["x"], "flat"),
        with(node("Unsqueeze", &["flat"], "column"), "axes", &[2]),
        node("Expand", &["column", "e"], "v"),
    ];
    nodes.extend(in_a_row(40, |from, to| {
        with_int(node("LayerNormalization", &[from, "s"], to), "axis", 1)
    }));
    let constants = vec![tensor("s", &[1], &[1.0]), ints("e", &[1, 32, 1 << 18])];
    refused(
        &model(nodes, constants),
        &["the LayerNormalization", "more than may be computed while reading"],
    );
}

#[test]
fn a_weight_that_many_nodes_take() {
    let mut nodes = vec![
        node("ConstantOfShape", &["s"], "w"),
        node("Flatten", &["x"], "flat"),
        node("Gemm", &["flat", "first"], "v"),
    ];
    // 2^22 numbers, 256 times.
    nodes.extend(in_a_row(256, |from, to| with_int(node("Gemm", &[from, "w"], to), "transB", 1)));
    let first = tensor("first", &[32, 1 << 11], &vec![0.5; 1 << 16]);
    refused(
        &model(nodes, vec![ints("s", &[1 << 11, 1 << 11]), first]),
        &["all its weights so far have more than 1073741824 numbers"],
    );
}

#[test]
fn masks_that_combine() {
    // A column and a row of 2^16 each.
    let nodes = vec![node("Where", &["column", "row", "x"], "w"), node("Relu", &["w"], "y")];
    let long = vec![1.0; 1 << 16];
    let constants = vec![
        tensor("column", &[1, 1, 1 << 16, 1], &long),
        tensor("row", &[1, 1, 1, 1 << 16], &long),
    ];
    refused(&model(nodes, constants), &["the Where", "larger than"]);
}

#[test]
fn values_that_are_repeated_often() {
    // Each repeats the mean of what the one before it repeated: 2^20 indices.
    let mut nodes = vec![with(node("ReduceMean", &["x"], "m"), "axes", &[1, 3])];
    for i in 0..5 {
        let (from, to) = (format!("w{i}"), if i == 4 { "y".into() } else { format!("m{i}") });
        let mean = if i == 0 { "m".into() } else { format!("m{}", i - 1) };
        nodes.push(node("Expand", &[&mean, "e"], &from));
        nodes.push(with(node("ReduceMean", &[&from], &to), "axes", &[3]));
    }
    refused(
        &model(nodes, vec![ints("e", &[1, 1, 4, 1 << 20])]),
        &["the Expand", "more than may be computed while reading"],
    );
}

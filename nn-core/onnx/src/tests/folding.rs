//! What is computed while reading: the right values, and refusals of what cannot be.

use super::{ints, model, node, outcome, refused, tensor, with, with_int};
use crate::proto::{ModelProto, NodeProto, TensorProto};

/// A model that adds the constant `c`, which `nodes` compute, to the image.
fn adds(mut nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> ModelProto {
    nodes.push(node("Add", &["x", "c"], "y"));
    model(nodes, constants)
}

/// The numbers that are added, as they lie in memory: `[height, width, channels]`.
fn added(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<f32> {
    let model = outcome(&adds(nodes, constants)).unwrap().model;
    model.parameters()[0].value.as_slice().to_vec()
}

#[test]
fn axes_that_are_named_twice() {
    let numbers = || tensor("n", &[2, 4, 4], &[1.0; 32]);
    let sum = with(node("ReduceSum", &["n"], "c"), "axes", &[0, 0]);
    refused(&adds(vec![sum], vec![numbers()]), &["the ReduceSum", "axis 0 of 3 is named twice"]);
    let slice = node("Slice", &["n", "s", "e", "a"], "c");
    let picks = vec![numbers(), ints("s", &[1, 1]), ints("e", &[4, 4]), ints("a", &[1, -2])];
    refused(&adds(vec![slice], picks), &["the Slice", "axis -2 of 3 is named twice"]);
    let transpose = |perm: &[i64]| {
        adds(vec![with(node("Transpose", &["n"], "c"), "perm", perm)], vec![numbers()])
    };
    refused(&transpose(&[0, 1, 1]), &["the Transpose", "is named twice"]);
    refused(&transpose(&[1, 0]), &["does not name all 3 dimensions"]);
}

#[test]
fn tiles() {
    let tile = |repeats: &[i64]| {
        let constants = vec![tensor("n", &[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]), ints("r", repeats)];
        (vec![node("Tile", &["n", "r"], "c")], constants)
    };
    let (nodes, constants) = tile(&[1, 2, 2]);
    let row = |a: f32, b: f32| [a, b, a, b];
    let expected = [row(1.0, 2.0), row(3.0, 4.0), row(1.0, 2.0), row(3.0, 4.0)].concat();
    assert_eq!(added(nodes, constants), expected);
    for (repeats, says) in
        [(&[2, 2][..], "not one for each of [1, 2, 2]"), (&[1, 2, -2], "negative dimension")]
    {
        let (nodes, constants) = tile(repeats);
        refused(&adds(nodes, constants), &["the Tile", says]);
    }
    let (nodes, constants) = tile(&[1, 1 << 40, 1 << 40]);
    refused(&adds(nodes, constants), &["the Tile", "larger than"]);
}

#[test]
fn a_large_result_of_no_numbers() {
    // Nothing to add up, a thousand million times.
    let nodes = || vec![node("ConstantOfShape", &["s"], "empty")];
    let constants = || vec![ints("s", &[1 << 30, 0])];
    let sum = with(node("ReduceSum", &["empty"], "c"), "axes", &[1]);
    refused(
        &adds([nodes(), vec![sum]].concat(), constants()),
        &["the ReduceSum", "more than may be computed while reading"],
    );
    // Picking from nothing takes no time.
    let picks = [
        vec![node("Slice", &["empty", "i", "i", "i"], "c")],
        vec![with_int(node("Gather", &["empty", "i"], "c"), "axis", 0)],
    ];
    for pick in picks {
        let constants = [constants(), vec![ints("i", &[0])]].concat();
        let start = std::time::Instant::now();
        assert!(outcome(&adds([nodes(), pick].concat(), constants)).is_err());
        assert!(start.elapsed().as_secs() < 2);
    }
}

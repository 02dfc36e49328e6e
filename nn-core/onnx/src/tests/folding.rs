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

/// PyTorch standardises weights by a batch normalisation of them.
#[test]
fn weights_that_are_standardised() {
    let numbers = [1.0, 3.0, 10.0, 30.0];
    let standardised = || {
        let node = node("BatchNormalization", &["n", "s", "b", "m", "v"], "t");
        let one = |name: &str, value: f32| tensor(name, &[2], &[value, 2.0 * value]);
        let constants = vec![
            tensor("n", &[1, 2, 2, 1], &numbers),
            one("s", 1.0),
            one("b", 0.5),
            one("m", 1.0),
            one("v", 4.0),
            ints("r", &[1, 1, 2, 4]),
        ];
        (node, constants)
    };
    let values = |node: NodeProto, constants: Vec<TensorProto>| {
        let all = added(vec![node, super::node("Tile", &["t", "r"], "c")], constants);
        // The first pixels of two rows, both channels of each.
        [all[0], all[1], all[8], all[9]]
    };
    let near = |values: [f32; 4], expected: [f32; 4]| {
        let is_near = |(value, expected): (&f32, &f32)| (value - expected).abs() < 1e-4;
        assert!(values.iter().zip(&expected).all(is_near), "{values:?}, not {expected:?}");
    };
    // Mean 2 and variance 1; mean 20 and variance 100.
    let (node, constants) = standardised();
    near(values(with_int(node, "training_mode", 1), constants), [-0.5, -1.0, 1.5, 3.0]);
    // Means 1 and 2, variances 4 and 8, scales 1 and 2, biases 0.5 and 1.
    let (node, constants) = standardised();
    let root = 8f32.sqrt();
    near(values(node, constants), [0.5, 8.0 / root * 2.0 + 1.0, 1.5, 28.0 / root * 2.0 + 1.0]);
    let (node, mut constants) = standardised();
    constants[1] = tensor("s", &[3], &[1.0; 3]);
    let nodes = vec![node, super::node("Tile", &["t", "r"], "c")];
    refused(&adds(nodes, constants), &["the BatchNormalization", "3 numbers for 2 channels"]);
}

#[test]
fn running_sums_and_what_is_put_elsewhere() {
    let sums = |attributes: &[&str]| {
        let sum = node("CumSum", &["n", "a"], "c");
        let sum = attributes.iter().fold(sum, |sum, name| with_int(sum, name, 1));
        let constants = vec![tensor("n", &[1, 1, 4], &[1.0, 2.0, 3.0, 4.0]), ints("a", &[-1])];
        added(vec![sum], constants)
    };
    assert_eq!(sums(&[]), [1.0, 3.0, 6.0, 10.0]);
    assert_eq!(sums(&["exclusive"]), [0.0, 1.0, 3.0, 6.0]);
    assert_eq!(sums(&["reverse"]), [10.0, 9.0, 7.0, 4.0]);
    assert_eq!(sums(&["exclusive", "reverse"]), [9.0, 7.0, 4.0, 0.0]);
    let scattered = |places: &[i64], updates: &[f32]| {
        let places = ints("p", places);
        let places = TensorProto { dims: vec![places.dims[0] / 3, 3], ..places };
        let constants = vec![
            tensor("n", &[1, 4, 1], &[1.0, 2.0, 3.0, 4.0]),
            places,
            tensor("u", &[updates.len() as i64], updates),
        ];
        adds(vec![node("ScatterND", &["n", "p", "u"], "c")], constants)
    };
    let model = outcome(&scattered(&[0, 1, -1, 0, 0, 0], &[7.0, 8.0])).unwrap().model;
    assert_eq!(model.parameters()[0].value.as_slice(), [8.0, 7.0, 3.0, 4.0]);
    refused(&scattered(&[0, 4, 0], &[7.0]), &["the ScatterND", "4 is not among the 4"]);
    refused(&scattered(&[0, 1, 0], &[7.0, 8.0]), &["not one for each of its indices"]);
}

#[test]
fn many_rows_of_nothing_take_neither_time_nor_memory() {
    let sums = |of: &str| {
        let inner = with(node("ReduceSum", &[of], "rows"), "axes", &[0]);
        vec![inner, node("ReduceSum", &["rows"], "c")]
    };
    let normalization = node("BatchNormalization", &["empty", "one", "one", "one", "one"], "many");
    let normalization = with_int(normalization, "training_mode", 1);
    let concat = with_int(node("Concat", &["empty"; 50], "many"), "axis", 1);
    for (dims, nodes) in [
        (&[1 << 30, 0][..], sums("empty")),
        (&[1 << 30, 0], [vec![concat], sums("many")].concat()),
        (&[1 << 30, 1, 0], [vec![normalization], sums("many")].concat()),
    ] {
        let empty = vec![node("ConstantOfShape", &["s"], "empty")];
        let constants = vec![ints("s", dims), tensor("one", &[1], &[1.0])];
        outcome(&adds([empty, nodes].concat(), constants)).unwrap();
    }
}

#[test]
fn places_that_are_named_again_and_again() {
    let many = |value: &str| node("ConstantOfShape", &["s"], value);
    let nodes = |places: &[i64]| {
        let flat = node("Reshape", &["zeros", "p"], "places");
        let constants = vec![ints("s", places), ints("p", &[-1, 1]), ints("n", &[7])];
        let updates = node("Cast", &["zeros"], "updates");
        let scatter = node("ScatterND", &["n", "places", "updates"], "c");
        adds(vec![many("zeros"), flat, with_int(updates, "to", 7), scatter], constants)
    };
    outcome(&nodes(&[5])).unwrap();
    refused(&nodes(&[1 << 21]), &["may be computed while reading"]);
}

#[test]
fn bounds_and_axes_that_are_not_one_number() {
    let numbers =
        || vec![tensor("n", &[3], &[1.0; 3]), tensor("two", &[2], &[0.0; 2]), ints("a", &[0, 0])];
    let clip = node("Clip", &["n", "two"], "c");
    refused(&adds(vec![clip], numbers()), &["the Clip", "its min is an array [2]"]);
    let sums = node("CumSum", &["n", "a"], "c");
    refused(&adds(vec![sums], numbers()), &["the CumSum", "its axis is an array [2]"]);
}

#[test]
fn names_with_nul() {
    let named = node("Neg", &["n\0"], "c");
    let numbers = vec![tensor("n\0", &[3], &[1.0; 3])];
    refused(&adds(vec![named], numbers), &["the Neg", "NUL"]);
}

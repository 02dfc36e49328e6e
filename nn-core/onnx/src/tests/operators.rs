//! Operators whose weights, attributes or shapes do not fit are refused; what they do where no exporter shows it.

use super::{conv, ints, model, node, outcome, refused, tensor, value, with, with_int};
use crate::proto::{AttributeProto, ModelProto, TensorProto};

#[test]
fn a_bias_that_does_not_fit() {
    let fits = conv(tensor("w", &[3, 2, 1, 1], &[0.5; 6]), tensor("b", &[3], &[0.0; 3]));
    assert!(outcome(&fits).is_ok());
    let wrong = conv(tensor("w", &[3, 2, 1, 1], &[0.5; 6]), tensor("b", &[2], &[0.0; 2]));
    refused(
        &wrong,
        &[
            "node \"the Conv\" (Conv, opset 17)",
            "bias has 2 numbers for 3 channels",
            "export again",
            "166797",
        ],
    );
    let gemm = model(
        vec![node("Flatten", &["x"], "flat"), node("Gemm", &["flat", "w", "b"], "y")],
        vec![tensor("w", &[32, 3], &[0.0; 96]), tensor("b", &[2], &[0.0; 2])],
    );
    refused(&gemm, &["the Gemm", "bias [2] has 2 numbers for 3 units", "export again"]);
}

#[test]
fn weights_that_do_not_fit() {
    let bias = || tensor("b", &[3], &[0.0; 3]);
    refused(
        &conv(tensor("w", &[3, 4, 1, 1], &[0.5; 12]), bias()),
        &["takes 4 channels, but its input has 2"],
    );
    refused(&conv(tensor("w", &[3, 2], &[0.5; 6]), bias()), &["not that of a 2-D convolution"]);
    refused(&conv(tensor("w", &[3, 2, 9, 9], &[0.5; 486]), bias()), &["the Conv"]);
    refused(
        &conv(tensor("w", &[3, 2, 1, 1], &[0.5; 5]), bias()),
        &["tensor \"w\"", "needs 6 numbers, but it has 5"],
    );
    refused(&conv(tensor("w", &[3, -2, 1, 1], &[]), bias()), &["negative dimension"]);
    let huge = tensor("w", &[1 << 30, 1 << 30, 3, 3], &[]);
    refused(&conv(huge, bias()), &["larger than"]);
    refused(&conv(TensorProto { data_type: 8, ..tensor("w", &[1], &[0.0]) }, bias()), &["texts"]);
}

#[test]
fn what_mixes_the_batch() {
    let reshape =
        |shape: &[i64]| model(vec![node("Reshape", &["x", "s"], "y")], vec![ints("s", shape)]);
    refused(&reshape(&[2, 16]), &["output \"y\"", "first dimension is not the batch"]);
    let mean = with(node("ReduceMean", &["x"], "y"), "axes", &[0]);
    refused(&model(vec![mean], vec![]), &["reduces over the batch"]);
    let concat = with_int(node("Concat", &["x", "x"], "y"), "axis", 0);
    refused(&model(vec![concat], vec![]), &["joins along the batch"]);
    let transpose = with(node("Transpose", &["x"], "t"), "perm", &[1, 0, 2, 3]);
    refused(
        &model(vec![transpose, node("Relu", &["t"], "y")], vec![]),
        &["first dimension of its input is not the batch"],
    );
}

#[test]
fn attributes_that_make_no_sense() {
    let pool = |window: &[i64]| {
        model(vec![with(node("MaxPool", &["x"], "y"), "kernel_shape", window)], vec![])
    };
    assert!(outcome(&pool(&[2, 2])).is_ok());
    for window in [&[2][..], &[0, 1], &[-1, 2], &[2, 2, 2]] {
        refused(&pool(window), &["the MaxPool", "kernel_shape"]);
    }
    refused(&model(vec![node("MaxPool", &["x"], "y")], vec![]), &["kernel_shape is missing"]);
    let strange = with_int(node("MaxPool", &["x"], "y"), "kernel_shape", 2);
    refused(
        &model(vec![strange], vec![]),
        &["attribute kernel_shape must be a list of whole numbers, but is 2"],
    );
    let pads =
        with(with(node("MaxPool", &["x"], "y"), "kernel_shape", &[2, 2]), "pads", &[-1, 0, 0, 0]);
    refused(&model(vec![pads], vec![]), &["attribute pads"]);
    let far =
        with(with(node("MaxPool", &["x"], "y"), "kernel_shape", &[2, 2]), "pads", &[i64::MAX; 4]);
    assert!(outcome(&model(vec![far], vec![])).is_err());
    let group = with_int(node("Conv", &["x", "w"], "y"), "group", 0);
    refused(
        &model(vec![group], vec![tensor("w", &[1, 2, 1, 1], &[0.0; 2])]),
        &["attribute group is 0"],
    );
    let axis = with_int(node("Softmax", &["x"], "y"), "axis", 7);
    refused(&model(vec![axis], vec![]), &["7 is not among the 4 dimensions"]);
    let perm = with(node("Transpose", &["x"], "y"), "perm", &[0, 1, 1, 2]);
    refused(&model(vec![perm], vec![]), &["axis 1 of 4 is named twice"]);
    let perm = with(node("Transpose", &["x"], "y"), "perm", &[0, 2, 1]);
    refused(&model(vec![perm], vec![]), &["perm [0, 2, 1] does not name all 4 dimensions"]);
    for (op, name, axes) in [
        ("ReduceMean", "axes", &[2, -2][..]),
        ("Squeeze", "axes", &[1, 1]),
        ("Unsqueeze", "axes", &[1, 1]),
    ] {
        refused(
            &model(vec![with(node(op, &["x"], "y"), name, axes)], vec![]),
            &[op, "is named twice"],
        );
    }
    let slice = vec![ints("s", &[1, 1]), ints("e", &[2, 2]), ints("a", &[2, 2])];
    refused(
        &model(vec![node("Slice", &["x", "s", "e", "a"], "y")], slice),
        &["the Slice", "is named twice"],
    );
    let pads = vec![ints("p", &[1; 4]), tensor("v", &[], &[0.0]), ints("a", &[2, 2])];
    refused(
        &model(vec![node("Pad", &["x", "p", "v", "a"], "y")], pads),
        &["the Pad", "is named twice"],
    );
}

#[test]
fn resizing_that_keeps_the_ratio() {
    let resize = |policy: &str| {
        let mut resize = node("Resize", &["x", "", "", "s"], "y");
        for (name, text) in [
            ("keep_aspect_ratio_policy", policy),
            ("coordinate_transformation_mode", "asymmetric"),
            ("nearest_mode", "floor"),
        ] {
            let s = bytes::Bytes::copy_from_slice(text.as_bytes());
            resize.attribute.push(AttributeProto {
                name: name.into(),
                s,
                r#type: 3,
                ..Default::default()
            });
        }
        model(vec![resize], vec![ints("s", &[1, 2, 8, 12])])
    };
    assert_eq!(outcome(&resize("stretch")).unwrap().model.output_shape().dims(), [8, 12, 2]);
    refused(&resize("not_larger"), &["the Resize", "keep_aspect_ratio_policy is \"not_larger\""]);
    refused(&resize("not_smaller"), &["keep_aspect_ratio_policy", "only stretch"]);
}

/// Without axes, and told to reduce nothing, what comes before and after the sum is computed all the same.
#[test]
fn reductions_of_nothing() {
    for (op, expected) in [
        ("ReduceL2", 2.0),
        ("ReduceSumSquare", 4.0),
        ("ReduceLogSum", 2f32.ln()),
        ("ReduceSum", -2.0),
        ("ReduceL1", 2.0),
    ] {
        let reduce = with_int(node(op, &["x"], "y"), "noop_with_empty_axes", 1);
        let model = outcome(&model(vec![reduce], vec![])).unwrap().model;
        let x = if op == "ReduceLogSum" { 2.0 } else { -2.0 };
        let y = model.predict(nn_core::Tensor::full([1, 4, 4, 2], x)).unwrap();
        assert_eq!(y.dims(), [1, 4, 4, 2], "{op}");
        assert!(y.as_slice().iter().all(|&y| (y - expected).abs() < 1e-6), "{op}: {y:?}");
    }
}

#[test]
fn a_value_that_is_repeated() {
    let mean = with_int(with(node("ReduceMean", &["x"], "m"), "axes", &[3]), "keepdims", 1);
    let repeated = |shape: &[i64]| {
        model(vec![mean.clone(), node("Expand", &["m", "s"], "y")], vec![ints("s", shape)])
    };
    let shape = |model: &ModelProto| outcome(model).unwrap().model.output_shape().dims().to_vec();
    assert_eq!(shape(&repeated(&[1, 2, 4, 5])), [4, 5, 2]);
    assert_eq!(shape(&repeated(&[4, 1])), [4, 1, 2]);
    refused(&repeated(&[3, 2, 4, 5]), &["other numbers for each sample of the batch"]);
    refused(&repeated(&[1, 2, 3, 5]), &["to [1, 2, 3, 5], but only dimensions of 1"]);
    refused(&repeated(&[-1, 5]), &["negative dimension"]);
    refused(&repeated(&[1 << 23]), &["more than may be computed while reading"]);
    refused(&repeated(&[1 << 40]), &["larger than"]);
    // Nothing that could be trained.
    let model = outcome(&repeated(&[1, 2, 4, 5])).unwrap().model;
    assert!(model.parameters().is_empty());
    let x = nn_core::Tensor::from_fn([1, 4, 4, 2], |i| (i % 8 / 2) as f32);
    let y = model.predict(x).unwrap();
    assert_eq!(y.as_slice(), [1.5; 40]);
}

/// What has more dimensions than a value that has the batch merged would give the result another dimension.
#[test]
fn what_does_not_combine_with_merged_values() {
    let merged = || node("Reshape", &["x", "s"], "m");
    let shape = || ints("s", &[2, 16]);
    let back = |of: &str| node("Reshape", &[of, "t"], "y");
    let add = |dims: &[i64]| {
        let nodes = vec![merged(), node("Add", &["m", "c"], "z"), back("z")];
        model(nodes, vec![shape(), ints("t", &[1, 32]), tensor("c", dims, &[0.5; 16])])
    };
    for dims in [&[16][..], &[1, 16]] {
        assert!(outcome(&add(dims)).is_ok(), "{dims:?}");
    }
    let not_the_batch = ["the Add", "the first dimension of its input is not the batch"];
    refused(&add(&[1, 1, 16]), &not_the_batch);
    let image = vec![merged(), node("Add", &["m", "x"], "y")];
    refused(&model(image, vec![shape()]), &not_the_batch);
    let pool = vec![merged(), node("GlobalAveragePool", &["m"], "y")];
    refused(&model(pool, vec![shape()]), &["the GlobalAveragePool", "is not the batch"]);
    let nothing = vec![node("Reshape", &["x", "s"], "y")];
    refused(&model(nothing, vec![ints("s", &[])]), &["the Reshape"]);
}

/// In a file for one image, what is merged belongs to it. In a file for any batch it may be of several.
#[test]
fn work_along_what_is_merged_with_the_batch() {
    let softmax = |first: i64| {
        let softmax = with_int(node("Softmax", &["m"], "z"), "axis", 0);
        let nodes =
            vec![node("Reshape", &["x", "s"], "m"), softmax, node("Reshape", &["z", "t"], "y")];
        let mut model = model(nodes, vec![ints("s", &[-1, 16]), ints("t", &[-1, 32])]);
        model.graph.as_mut().unwrap().input = vec![value("x", &[first, 2, 4, 4])];
        model
    };
    assert!(outcome(&softmax(1)).is_ok());
    refused(&softmax(0), &["the Softmax", "merged with the batch"]);
}

//! Files that are damaged, hostile, or beyond what is read: each refused with what is wrong, where, and what to do.

mod folding;
mod sizes;
mod training;

use crate::proto::*;
use crate::{ReadOptions, read_bytes};
use nn_core::layers::OutputKind;
use prost::Message;

const FLOAT: i32 = 1;

fn tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: FLOAT,
        float_data: values.to_vec(),
        ..Default::default()
    }
}

fn ints(name: &str, values: &[i64]) -> TensorProto {
    let (dims, int64_data) = (vec![values.len() as i64], values.to_vec());
    TensorProto { name: name.into(), dims, data_type: 7, int64_data, ..Default::default() }
}

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        name: format!("the {op}"),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

fn with(mut node: NodeProto, name: &str, values: &[i64]) -> NodeProto {
    let ints = values.to_vec();
    node.attribute.push(AttributeProto {
        name: name.into(),
        ints,
        r#type: 7,
        ..Default::default()
    });
    node
}

fn with_int(mut node: NodeProto, name: &str, i: i64) -> NodeProto {
    node.attribute.push(AttributeProto { name: name.into(), i, r#type: 2, ..Default::default() });
    node
}

fn value(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = |&dim: &i64| Dimension { dim_value: (dim != 0).then_some(dim), ..Default::default() };
    let shape = Some(ShapeProto { dim: dims.iter().map(dim).collect() });
    let tensor_type = Some(TensorType { elem_type: FLOAT, shape });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type }) }
}

/// A model for images `[1, 2, 4, 4]` called `x`, whose output is `y`.
fn model(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let graph = GraphProto {
        node: nodes,
        initializer,
        input: vec![value("x", &[1, 2, 4, 4])],
        output: vec![value("y", &[])],
        ..Default::default()
    };
    ModelProto {
        graph: Some(Box::new(graph)),
        opset_import: vec![OperatorSetId { domain: String::new(), version: 17 }],
        ..Default::default()
    }
}

fn outcome(model: &ModelProto) -> Result<crate::Imported, String> {
    read_bytes(model.encode_to_vec(), &ReadOptions::default()).map_err(|error| error.to_string())
}

/// Checks that a model is refused, with these words.
fn refused(model: &ModelProto, words: &[&str]) {
    let error = outcome(model).map(drop).unwrap_err();
    for word in words {
        assert!(error.contains(word), "without {word:?}: {error}");
    }
}

fn conv(weight: TensorProto, bias: TensorProto) -> ModelProto {
    model(vec![node("Conv", &["x", "w", "b"], "y")], vec![weight, bias])
}

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
fn graphs_that_do_not_hold_together() {
    let relu = |input: &str, output: &str| node("Relu", &[input], output);
    let circle = model(vec![relu("b", "a"), relu("a", "b"), relu("b", "y")], vec![]);
    refused(&circle, &["the Relu", "depends on its own value", "no circle"]);
    refused(&model(vec![relu("y", "y")], vec![]), &["depends on its own value"]);
    refused(
        &model(vec![relu("nothing", "y")], vec![]),
        &["nothing computes its input \"nothing\""],
    );
    refused(&model(vec![relu("x", "z")], vec![]), &["nothing computes the graph's output \"y\""]);
    refused(&model(vec![relu("x", "y"), relu("x", "y")], vec![]), &["\"y\" is defined twice"]);
    refused(&model(vec![relu("x", "x")], vec![]), &["\"x\" is defined twice"]);
    let twice = vec![tensor("w", &[1], &[0.0]), tensor("w", &[1], &[0.0])];
    refused(&model(vec![relu("x", "y")], twice), &["\"w\" is defined twice"]);
    refused(&model(vec![node("Add", &["x", ""], "y")], vec![]), &["input 1 is missing"]);
    refused(&model(vec![node("Relu", &["x"], "")], vec![]), &["it gives no value"]);
    // In whatever order nodes stand, what is needed is computed.
    let reversed =
        model(vec![relu("b", "y"), relu("a", "b"), relu("x", "a"), relu("y", "unused")], vec![]);
    let read = outcome(&reversed).unwrap();
    assert_eq!((read.report.nodes, read.model.layers().count()), (3, 3));
}

#[test]
fn what_is_no_onnx_file() {
    let read =
        |bytes: &[u8]| read_bytes(bytes.to_vec(), &ReadOptions::default()).unwrap_err().to_string();
    assert!(read(b"").contains("no version of ONNX's operators"));
    assert!(read(b"PK\x03\x04 a pickle").contains("no ONNX file, or damaged"));
    let whole =
        conv(tensor("w", &[3, 2, 1, 1], &[0.5; 6]), tensor("b", &[3], &[0.0; 3])).encode_to_vec();
    for len in 0..whole.len() {
        // A cut through the last field of an optional part may still be a message.
        let _ = read_bytes(whole[..len].to_vec(), &ReadOptions::default());
    }
    assert!(read(&whole[..whole.len() / 2]).contains("damaged"));
    let mut other = model(vec![node("Relu", &["x"], "y")], vec![]);
    other.opset_import[0].version = 99;
    refused(&other, &["opset 99", "7 to 26", "version_converter"]);
    other.graph = None;
    other.opset_import[0].version = 17;
    refused(&other, &["no graph"]);
}

#[test]
fn what_cannot_be_read() {
    let quantized =
        model(vec![node("QuantizeLinear", &["x", "s"], "y")], vec![tensor("s", &[], &[0.1])]);
    refused(&quantized, &["quantised", "before quantisation"]);
    refused(&model(vec![node("QLinearConv", &["x"], "y")], vec![]), &["quantised"]);
    refused(&model(vec![node("Loop", &["x"], "y")], vec![]), &["repeats a part", "onnxsim"]);
    refused(
        &model(vec![node("Det", &["x"], "y")], vec![]),
        &["the Det", "cannot be read", "AveragePool"],
    );
    let mut foreign = node("Relu", &["x"], "y");
    foreign.domain = "my.domain".into();
    refused(&model(vec![foreign.clone()], vec![]), &["domain \"my.domain\""]);
    let mut calls = model(vec![foreign], vec![]);
    calls.functions = vec![FunctionProto { name: "Relu".into(), domain: "my.domain".into() }];
    refused(&calls, &["function of the file", "inline_local_functions"]);
    let trained =
        with_int(node("BatchNormalization", &["x", "s", "s", "s", "s"], "y"), "training_mode", 1);
    refused(
        &model(vec![trained], vec![tensor("s", &[2], &[1.0; 2])]),
        &["training_mode", "model.eval()"],
    );
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
fn sizes_that_a_small_file_asks_for() {
    let shape = vec![ints("s", &[1 << 20, 1 << 20])];
    refused(
        &model(vec![node("ConstantOfShape", &["s"], "c"), node("Add", &["x", "c"], "y")], shape),
        &["larger than"],
    );
    // Each is possible, all together are not.
    let mut nodes: Vec<_> = (0..40)
        .map(|i| {
            let mut node = node("ConstantOfShape", &["s"], &format!("c{i}"));
            node.name = String::new();
            node
        })
        .collect();
    let names: Vec<_> = (0..40).map(|i| format!("c{i}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    nodes.push(with_int(node("Concat", &names, "all"), "axis", 0));
    nodes.push(node("Add", &["x", "all"], "y"));
    refused(
        &model(nodes, vec![ints("s", &[1 << 23])]),
        &["more than may be computed while reading"],
    );
    let pad = model(
        vec![node("Pad", &["x", "p"], "y")],
        vec![ints("p", &[0, 0, 0, 0, 0, 0, 1 << 40, 1 << 40])],
    );
    assert!(outcome(&pad).is_err());
    let mut large = model(vec![node("Relu", &["x"], "y")], vec![]);
    if let Some(graph) = &mut large.graph {
        graph.input = vec![value("x", &[1, 3, 1 << 30, 1 << 30])];
    }
    refused(&large, &["input \"x\"", "above 65536"]);
    // Each dimension is possible, their product is not.
    for dims in [&[1 << 16; 4][..], &[1, 1 << 16, 1 << 16], &[1 << 16; 6]] {
        if let Some(graph) = &mut large.graph {
            graph.input = vec![value("x", dims)];
        }
        refused(&large, &["input \"x\"", "larger than"]);
    }
}

#[test]
fn weights_outside_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("models");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(folder.path().join("secret"), [0; 24]).unwrap();
    std::fs::write(inside.join("weights"), [0; 24]).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
    let entry = |key: &str, value: &str| Entry { key: key.into(), value: value.into() };
    let file = inside.join("model.onnx");
    let read = |entries: Vec<Entry>| {
        let mut weight = tensor("w", &[3, 2, 1, 1], &[]);
        (weight.data_location, weight.external_data) = (1, entries);
        let model = conv(weight, tensor("b", &[3], &[0.0; 3]));
        std::fs::write(&file, model.encode_to_vec()).unwrap();
        crate::read(&file).map_err(|error| error.to_string())
    };
    assert!(read(vec![entry("location", "weights")]).is_ok());
    assert!(
        read(vec![entry("location", "./weights"), entry("offset", "0"), entry("length", "24")])
            .is_ok()
    );
    let absolute = folder.path().join("secret");
    for location in ["../secret", absolute.to_str().unwrap(), "link", "", ".", "a/../../secret"] {
        let error = read(vec![entry("location", location)]).unwrap_err();
        assert!(error.contains("no file in the model's folder"), "{location}: {error}");
    }
    for (key, value, part) in [
        ("offset", "8", "24 are to be read from 8 on"),
        ("offset", "18446744073709551615", "are to be read"),
        ("offset", "-1", "no number"),
        ("length", "20", "which gives 20"),
    ] {
        let error = read(vec![entry("location", "weights"), entry(key, value)]).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    assert!(read(vec![entry("location", "gone")]).unwrap_err().contains("cannot be opened"));
}

#[test]
fn inputs() {
    let relu = || model(vec![node("Relu", &["x"], "y")], vec![]);
    let with_input = |inputs: Vec<ValueInfoProto>| {
        let mut model = relu();
        if let Some(graph) = &mut model.graph {
            graph.input = inputs;
        }
        model
    };
    refused(&with_input(vec![]), &["nothing computes its input \"x\""]);
    let unused = outcome(&with_input(vec![value("z", &[1]), value("x", &[1, 3, 4, 4])])).unwrap();
    assert_eq!((unused.report.input.as_str(), unused.report.input_axes), ("x", vec![0, 2, 3, 1]));
    let mut both = with_input(vec![value("x", &[1, 3, 4, 4]), value("z", &[1])]);
    if let Some(graph) = &mut both.graph {
        graph.node = vec![node("Add", &["x", "z"], "y")];
    }
    refused(&both, &["2 inputs", "x, z"]);
    refused(&with_input(vec![value("x", &[1, 3, 0, 0])]), &["images of any size", "224x224"]);
    refused(&with_input(vec![value("x", &[0, 0])]), &["not fixed"]);
    let shape = |model: &ModelProto| outcome(model).unwrap().model.input_shape().dims().to_vec();
    assert_eq!(shape(&with_input(vec![value("x", &[0, 3, 4, 5])])), [4, 5, 3]);
    assert_eq!(shape(&with_input(vec![value("x", &[0, 6, 5, 3])])), [6, 5, 3]);
    assert_eq!(shape(&with_input(vec![value("x", &[8, 7])])), [7]);
    let other = ReadOptions { input_size: Some((9, 9)), ..Default::default() };
    let error = read_bytes(relu().encode_to_vec(), &other).unwrap_err().to_string();
    assert!(error.contains("images of 4x4, not of 9x9"), "{error}");
    // A weight that old files list among the inputs, too.
    let mut listed = conv(tensor("w", &[3, 2, 1, 1], &[0.5; 6]), tensor("b", &[3], &[0.0; 3]));
    if let Some(graph) = &mut listed.graph {
        graph.input.push(value("w", &[3, 2, 1, 1]));
    }
    assert!(outcome(&listed).is_ok());
    let output = ReadOptions { output: Some("z".into()), ..Default::default() };
    let error = read_bytes(relu().encode_to_vec(), &output).unwrap_err().to_string();
    assert!(error.contains("outputs are [\"y\"], without z"), "{error}");
}

/// Names that our files keep for themselves, or that a file gives twice.
#[test]
fn names_are_given_once() {
    let named = |name: &str, input: &str, output: &str| NodeProto {
        name: name.into(),
        ..node("Relu", &[input], output)
    };
    let twice = model(
        vec![named("input", "x", "a"), named("act", "a", "b"), named("act", "b", "y")],
        vec![],
    );
    let model = outcome(&twice).unwrap().model;
    assert_eq!(
        model.layers().map(|(name, _)| name).collect::<Vec<_>>(),
        ["input_2", "act", "act_2"]
    );
}

#[test]
fn a_weight_that_two_layers_share() {
    let nodes = vec![
        node("Conv", &["x", "w"], "a"),
        node("Identity", &["w"], "w2"),
        node("Conv", &["a", "w2"], "y"),
    ];
    let shared = model(nodes, vec![tensor("w", &[2, 2, 1, 1], &[0.5, 0.25, 1.0, -1.0])]);
    let model = outcome(&shared).unwrap().model;
    assert_eq!(model.parameters().len(), 2);
    assert_eq!(model.parameters()[0].value, model.parameters()[1].value);
}

/// An `If` whose branches give what they call `z`.
fn choice(condition: &str, output: &str, branches: [Vec<NodeProto>; 2]) -> NodeProto {
    let mut choice = node("If", &[condition], output);
    for (name, nodes) in ["then_branch", "else_branch"].into_iter().zip(branches) {
        let graph = GraphProto { node: nodes, output: vec![value("z", &[])], ..Default::default() };
        choice.attribute.push(AttributeProto {
            name: name.into(),
            g: Some(Box::new(graph)),
            r#type: 5,
            ..Default::default()
        });
    }
    choice
}

#[test]
fn a_branch_that_is_taken() {
    let with_condition = |condition: &str, truth: i64| {
        // The first does not fit, and is no fault unless it is taken.
        let first = vec![with(node("Squeeze", &["x"], "z"), "axes", &[1])];
        let choice = choice(condition, "c", [first, vec![node("Relu", &["x"], "z")]]);
        model(vec![choice, node("Sigmoid", &["c"], "y")], vec![ints("t", &[truth])])
    };
    let taken = outcome(&with_condition("t", 0)).unwrap().model;
    assert_eq!(taken.layers().map(|(_, kind)| kind).collect::<Vec<_>>(), ["Activation"]);
    refused(&with_condition("t", 1), &["the Squeeze", "is not 1 and cannot be squeezed"]);
    refused(&with_condition("x", 0), &["the If", "depends on the image"]);
}

/// What is inside takes values of the branch around it, whose names are not its own.
#[test]
fn a_branch_within_a_branch() {
    let inner = |op: &str| vec![node(op, &["a"], "z")];
    let outer = |op: &str, inner: NodeProto| vec![node(op, &["x"], "a"), inner];
    let branches = [
        outer("Relu", choice("t", "z", [inner("Sigmoid"), inner("Tanh")])),
        outer("Sqrt", choice("t", "z", [inner("Erf"), inner("Abs")])),
    ];
    let nodes = vec![choice("u", "c", branches), node("Exp", &["c"], "y")];
    let read = |outer: i64, inner: i64| {
        let truths = vec![ints("u", &[outer]), ints("t", &[inner])];
        let model = outcome(&model(nodes.clone(), truths)).unwrap().model;
        let x = nn_core::Tensor::full([1, 4, 4, 2], 0.25);
        model.predict(x).unwrap().as_slice()[0]
    };
    let tanh = 0.25f32.tanh();
    for (outer, inner, expected) in [(1, 0, tanh), (0, 1, 0.520_499_9), (0, 0, 0.5)] {
        let difference = read(outer, inner) - expected.exp();
        assert!(difference.abs() < 1e-6, "{outer} {inner}: {difference}");
    }
}

#[test]
fn names_of_branches_stay_short() {
    // Each branch within the last, each with many names, behind a long one.
    let long = "v".repeat(1 << 16);
    let mut inside = vec![node("Relu", &["x"], "z")];
    for _ in 0..12 {
        let mut around: Vec<_> = (0..100).map(|i| node("Relu", &["x"], &format!("{i}"))).collect();
        around.push(choice("t", &long, [inside, vec![node("Relu", &["x"], "z")]]));
        around.push(node("Identity", &[&long], "z"));
        inside = around;
    }
    let nodes =
        vec![choice("t", "c", [inside, vec![node("Relu", &["x"], "z")]]), node("Exp", &["c"], "y")];
    let mut proto = model(nodes, vec![ints("t", &[1])]);
    let bytes = proto.encoded_len();
    let graph = proto.graph.as_mut().unwrap();
    crate::branches::hoist(graph);
    assert!(graph.encoded_len() < 2 * bytes, "{} of {bytes}", graph.encoded_len());
    assert!(outcome(&proto).is_ok());
}

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

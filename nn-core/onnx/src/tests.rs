//! Files that are damaged, hostile, or beyond what is read: each refused with what is wrong, where, and what to do.

mod branches;
mod folding;
mod operators;
mod outputs;
mod sizes;
mod training;

use crate::proto::*;
use crate::{ReadOptions, read_bytes};
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

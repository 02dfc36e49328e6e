//! What of a file is trained: the weights of layers that learn, and initialisers that a node combines with a value,
//! but for masks.

use super::{ints, model, node, outcome, tensor, with, with_int};
use crate::proto::{AttributeProto, NodeProto, TensorProto};
use nn_core::model::{load, save};

/// For each parameter, whether it is trained; checked to be the same in our own file.
fn trained(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<bool> {
    let model = outcome(&model(nodes, constants)).unwrap().model;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    save(&file, &model, None).unwrap();
    let again = load(&file, None).unwrap().model;
    let trained = |model: &nn_core::model::Model| -> Vec<bool> {
        model.parameters().iter().map(|parameter| parameter.is_trained()).collect()
    };
    assert_eq!(trained(&again), trained(&model));
    trained(&model)
}

/// A node that is a constant.
fn constant(tensor: TensorProto) -> NodeProto {
    let mut node = node("Constant", &[], &tensor.name.clone());
    let t = Some(Box::new(tensor));
    let attribute = AttributeProto { name: "value".into(), t, r#type: 4, ..Default::default() };
    node.attribute.push(attribute);
    node
}

fn rising(name: &str, dims: &[i64]) -> TensorProto {
    let len = dims.iter().product::<i64>() as usize;
    let values: Vec<_> = (0..len).map(|i| 0.25 * i as f32 - 0.6).collect();
    tensor(name, dims, &values)
}

#[test]
fn initialisers_that_are_combined_with_a_value() {
    for op in ["Add", "Sub", "Mul", "Div", "Max"] {
        for dims in [&[2, 1, 1][..], &[1, 2, 4, 4], &[4, 1]] {
            let combined = || node(op, &["x", "c"], "y");
            let weight = rising("c", dims);
            assert_eq!(trained(vec![combined()], vec![weight.clone()]), [true], "{op} {dims:?}");
            assert_eq!(trained(vec![constant(weight), combined()], vec![]), [false], "{op}");
        }
    }
    // A class token, and zeros in its place.
    let joined = || with_int(node("Concat", &["x", "c"], "y"), "axis", 1);
    assert_eq!(trained(vec![joined()], vec![rising("c", &[1, 3, 4, 4])]), [true]);
    let zeros = constant(tensor("c", &[1, 1, 4, 4], &[0.0; 16]));
    assert_eq!(trained(vec![zeros, joined()], vec![]), [false]);
}

#[test]
fn masks_are_not_trained() {
    let add = || vec![node("Add", &["x", "c"], "y")];
    let values: Vec<_> = (0..16).map(|i| if i % 4 > i / 4 { -100.0 } else { 0.0 }).collect();
    assert_eq!(trained(add(), vec![tensor("c", &[1, 1, 4, 4], &values)]), [false]);
    // Position embeddings before training are all the same.
    assert_eq!(trained(add(), vec![tensor("c", &[1, 1, 4, 4], &[0.0; 16])]), [true]);
    let choice = node("Where", &["m", "x", "c"], "y");
    let mask = TensorProto { data_type: 9, int32_data: vec![1, 0, 0, 1], ..tensor("m", &[4], &[]) };
    assert_eq!(trained(vec![choice], vec![mask, rising("c", &[4])]), [false, false]);
    let cast = with_int(node("Cast", &["i"], "c"), "to", 1);
    assert_eq!(trained([vec![cast], add()].concat(), vec![ints("i", &[5, 7, 2, 3])]), [false]);
}

#[test]
fn what_is_computed_with_weights_is_one() {
    let add = |nodes: Vec<NodeProto>| [nodes, vec![node("Add", &["x", "c"], "y")]].concat();
    let weight = || rising("w", &[4, 1, 2]);
    let turned = vec![with(node("Transpose", &["w"], "c"), "perm", &[2, 1, 0])];
    assert_eq!(trained(add(turned), vec![weight()]), [true]);
    // A table of positions, of which entries are picked.
    let picked = vec![
        with_int(node("Gather", &["w", "i"], "g"), "axis", 0),
        with(node("Unsqueeze", &["g"], "c"), "axes", &[0]),
    ];
    let table = || rising("w", &[9, 4]);
    assert_eq!(trained(add(picked), vec![table(), ints("i", &[3, 0, 8, 1])]), [true]);
    let scaled = vec![constant(tensor("k", &[], &[2.0])), node("Mul", &["w", "k"], "c")];
    assert_eq!(trained(add(scaled), vec![rising("w", &[1, 4])]), [true]);
    // What follows from shapes is none, and how two compare.
    let from_shape = vec![node("Shape", &["x"], "s"), with_int(node("Cast", &["s"], "c"), "to", 1)];
    assert_eq!(trained(add(from_shape), vec![]), [false]);
    let compared =
        vec![node("Less", &["w", "k"], "l"), with_int(node("Cast", &["l"], "c"), "to", 1)];
    assert_eq!(
        trained(add(compared), vec![rising("w", &[1, 4]), tensor("k", &[], &[0.0])]),
        [false]
    );
}

/// Wherever their weights come from.
#[test]
fn layers_that_learn() {
    let conv = |nodes: Vec<NodeProto>| {
        [nodes, vec![node("Conv", &["x", "w"], "a"), node("Add", &["a", "b"], "y")]].concat()
    };
    let (weight, bias) = (rising("w", &[3, 2, 1, 1]), rising("b", &[3, 1, 1]));
    let nodes = vec![constant(weight.clone()), constant(bias.clone())];
    assert_eq!(trained(conv(nodes), vec![]), [true, true]);
    assert_eq!(trained(conv(vec![]), vec![weight, bias]), [true, true]);
    let normalization = node("BatchNormalization", &["x", "s", "s", "s", "s"], "y");
    let scale = constant(tensor("s", &[2], &[1.0, 2.0]));
    assert_eq!(trained(vec![scale, normalization], vec![]), [true, true, false, false]);
    // One slope for all channels stays one.
    for (slope, numbers) in [(tensor("p", &[1], &[0.25]), 1), (rising("p", &[2, 1, 1]), 2)] {
        let model = model(vec![node("PRelu", &["x", "p"], "y")], vec![slope.clone()]);
        assert_eq!(outcome(&model).unwrap().model.parameter_count(), numbers);
        assert_eq!(trained(vec![node("PRelu", &["x", "p"], "y")], vec![slope]), [true]);
    }
}

#[test]
fn one_slope_for_all_channels() {
    let prelu = node("PRelu", &["x", "p"], "y");
    let model = outcome(&model(vec![prelu], vec![tensor("p", &[1], &[0.25])])).unwrap().model;
    let x = nn_core::Tensor::from_fn([1, 4, 4, 2], |i| i as f32 - 8.0);
    let y = model.predict(x.clone()).unwrap();
    let expected = x.as_slice().iter().map(|&x| if x < 0.0 { 0.25 * x } else { x });
    assert!(y.as_slice().iter().copied().eq(expected), "{y:?}");
}

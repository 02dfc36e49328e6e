//! Branches of `If`: the one that is taken is read.

use super::{ints, model, node, outcome, refused, value, with};
use crate::proto::{AttributeProto, GraphProto, NodeProto};
use prost::Message;

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

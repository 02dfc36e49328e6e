//! Transfer learning: other classifiers, parts of networks, frozen layers.

use crate::autograd::Tape;
use crate::layers::{
    Activation, Add, BatchNormalization, Conv2D, Dense, Dropout, Flatten, GlobalAveragePool2D,
    OutputKind,
};
use crate::model::{GraphBuilder, Model, Pass, Sequential, networks};
use crate::rng::Rng;
use crate::tensor::Tensor;

/// Two branches, dropout before the classifier, and an output beside the main one.
fn branched() -> Model {
    let mut graph = GraphBuilder::new([6, 6, 3]);
    let stem = graph.named("stem", Conv2D::new(4, 3), graph.input());
    let left = graph.named("left", Conv2D::new(4, 1), stem);
    let sum = graph.named("sum", Add::new(), [stem, left]);
    let norm = graph.named("norm", BatchNormalization::new(), sum);
    let pool = graph.named("pool", GlobalAveragePool2D::new(), norm);
    let dropout = graph.named("dropout", Dropout::new(0.5), pool);
    let side = graph.named("side", Dense::new(7), pool);
    let logits = graph.named("logits", Dense::new(5).activation(Activation::Sigmoid), dropout);
    graph.also_output(side);
    graph.build(logits, 3).unwrap()
}

fn value<'a>(model: &'a Model, name: &str) -> &'a [f32] {
    model.get(name).unwrap().value.as_slice()
}

#[test]
fn the_classifier_is_replaced_and_nothing_else() {
    let trained = branched();
    assert_eq!((trained.classifier(), trained.features()), (Some("logits"), Some("pool")));
    let model = trained.clone().with_classes(3, 9).unwrap();
    assert_eq!(model.output_shape().dims(), [3]);
    assert_eq!((model.output_kind(), model.outputs().count()), (OutputKind::Softmax, 1));
    assert!(model.layers().all(|(name, _)| name != "side"));
    for kept in ["stem.weight", "left.bias", "norm.running_mean"] {
        assert_eq!(value(&model, kept), value(&trained, kept));
    }
    assert_eq!(model.get("logits.weight").unwrap().value.dims(), [3, 4]);
    let again = trained.clone().with_classes(3, 9).unwrap();
    assert_eq!(value(&again, "logits.weight"), value(&model, "logits.weight"));
    assert_ne!(
        value(&trained.with_classes(3, 10).unwrap(), "logits.weight"),
        value(&model, "logits.weight")
    );
    // It is stored and read as any other.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    crate::model::save(&path, &model, None).unwrap();
    let read = crate::model::load(&path, None).unwrap().model;
    let x = Tensor::from_fn([2, 6, 6, 3], |i| (i as f32).sin());
    assert_eq!(read.predict(x.clone()).unwrap(), model.predict(x).unwrap());
}

#[test]
fn a_classifier_may_be_a_convolution_before_the_pooling() {
    let trained: Model = Sequential::builder([8, 8, 3])
        .layer(Conv2D::new(6, 3))
        .layer(Conv2D::new(10, 1).activation(Activation::Relu))
        .layer(GlobalAveragePool2D::new())
        .build(1)
        .unwrap();
    assert_eq!((trained.classifier(), trained.features()), (Some("conv2"), Some("conv1")));
    let model = trained.with_classes(2, 1).unwrap();
    assert_eq!(model.get("conv2.weight").unwrap().value.dims(), [2, 6, 1, 1]);
    assert_eq!(model.output_shape().dims(), [2]);
    let (front, head) = model.clone().split_at("conv1").unwrap();
    let x = Tensor::from_fn([2, 8, 8, 3], |i| (i as f32).cos());
    let whole = model.predict(x.clone()).unwrap();
    assert_eq!(head.predict(front.predict(x).unwrap()).unwrap(), whole);
}

#[test]
fn what_cannot_be_replaced_or_divided_is_said() {
    let without: Model = Sequential::builder([4, 4, 2]).layer(Flatten::new()).build(1).unwrap();
    assert!(without.with_classes(2, 1).unwrap_err().to_string().contains("Dense or Conv2D"));
    let normed: Model = Sequential::builder([4])
        .layer(Dense::new(3))
        .layer(BatchNormalization::new())
        .build(1)
        .unwrap();
    assert!(normed.with_classes(2, 1).unwrap_err().to_string().contains("bn1"));
    let message = branched().with_classes(1, 1).unwrap_err().to_string();
    assert!(message.contains("2 or more"), "{message}");
    for layer in ["left", "logits", "side"] {
        let message = branched().split_at(layer).unwrap_err().to_string();
        assert!(message.contains("stem, sum, norm, pool, dropout"), "{layer}: {message}");
    }
    assert!(branched().split_at("nowhere").is_err());
}

#[test]
fn parts_give_what_the_whole_gives() {
    for (name, at) in [("resnet18", "layer2.0.relu_2"), ("efficientnet_lite0", "pool1")] {
        let (graph, output) = networks::graph::<f32>(name, [32, 32, 3], 10).unwrap();
        let model = graph.build(output, 5).unwrap();
        let at = match model.layers().any(|(layer, _)| layer == at) {
            true => at.to_owned(),
            false => model.features().unwrap().to_owned(),
        };
        let (front, head) = model.clone().split_at(&at).unwrap();
        assert_eq!(front.parameter_count() + head.parameter_count(), model.parameter_count());
        let x = Tensor::from_fn([2, 32, 32, 3], |i| (i as f32 * 0.1).sin());
        let whole = model.predict(x.clone()).unwrap();
        assert_eq!(head.predict(front.predict(x).unwrap()).unwrap(), whole, "{name} at {at}");
    }
}

#[test]
fn frozen_statistics_stay_and_are_used_in_training() {
    let mut model = branched();
    let x = Tensor::from_fn([4, 6, 6, 3], |i| (i as f32).sin());
    let run = |model: &Model| {
        let (tape, mut rng) = (Tape::new(), Rng::new(1, 0));
        let pass = Pass::training(&mut rng).watch(&["pool"]);
        let pass = model.forward(&tape, tape.constant(x.clone()), pass).unwrap();
        (pass.watched[0].1.value().as_slice().to_vec(), pass.state.is_empty())
    };
    let (trained, _) = run(&model);
    assert_eq!(model.freeze_statistics(), 1);
    let (frozen, no_state) = run(&model);
    assert!(no_state && trained != frozen);
    let tape = Tape::new();
    let pass = Pass::inference().watch(&["pool"]);
    let inferred = model.forward(&tape, tape.constant(x.clone()), pass).unwrap();
    assert_eq!(frozen, inferred.watched[0].1.value().as_slice());
    model.set_trainable_through("sum", false).unwrap();
    let trained = |name: &str| model.get(name).unwrap().is_trained();
    assert!(!trained("stem.weight") && !trained("left.bias") && !trained("norm.weight"));
    assert!(trained("logits.weight") && trained("side.weight"));
}

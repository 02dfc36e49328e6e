//! Graphs that are no chains: branches, several outputs, state, layers of other crates.

use super::*;
use crate::autograd::{Tape, Var};
use crate::init::Initializer;
use crate::kernels::Padding;
use crate::{Shape, Tensor};
use serde::{Deserialize, Serialize};

fn same(filters: usize) -> Conv2D {
    Conv2D::new(filters, 3).padding(Padding::Same)
}

/// A stem, two residual blocks of which the second halves the image, and a classifier; the feature map
/// is an output, too.
fn residual() -> Model {
    let mut graph = GraphBuilder::new([12, 12, 3]).name("residual");
    let stem = graph.named("stem", same(4).activation(Activation::Relu), graph.input());
    let first = graph.within("block1", |graph| {
        let y = graph.layer(same(4), stem);
        let sum = graph.layer(Add::new(), [stem, y]);
        graph.layer(Activation::Relu, sum)
    });
    let second = graph.within("block2", |graph| {
        let y = graph.layer(same(6).stride(2).activation(Activation::Relu), first);
        let y = graph.layer(same(6), y);
        let short = graph.named("short", Conv2D::new(6, 1).stride(2), first);
        let sum = graph.layer(Add::new(), [y, short]);
        graph.layer(Activation::Relu, sum)
    });
    let pooled = graph.layer(GlobalAveragePool2D::new(), second);
    let logits = graph.layer(Dense::new(3).activation(Activation::Softmax), pooled);
    graph.also_output(second);
    graph.build(logits, 27).unwrap()
}

#[test]
fn nodes_have_names_inputs_and_shapes() {
    let model = residual();
    let names: Vec<_> = model.layers().map(|(name, _)| name).collect();
    assert_eq!(
        names[..5],
        ["stem", "block1.conv1", "block1.add1", "block1.activation1", "block2.conv1"]
    );
    assert_eq!(model.layer_inputs("stem").unwrap(), ["input"]);
    assert_eq!(model.layer_inputs("block2.add1").unwrap(), ["block2.conv2", "block2.short"]);
    assert_eq!(model.outputs().collect::<Vec<_>>(), ["dense1", "block2.activation1"]);
    assert_eq!(model.output_kind(), OutputKind::Softmax);
    assert_eq!(model.layer_output_shape("block2.add1").unwrap().dims(), [6, 6, 6]);
    assert_eq!(model.last_feature_map(), Some("block2.activation1"));
    assert!(model.get("block2.short.weight").is_some());
}

#[test]
fn a_graph_computes_what_its_layers_do() {
    let model = residual().cast::<f64>().unwrap();
    let tape = Tape::<f64>::new();
    let x = tape.constant(images::<f64>(2, 12));
    let get = |name: &str| tape.constant(Arc::clone(&model.get(name).unwrap().value));
    let conv = |name: &str, x: &Var<f64>, options| {
        let (w, b) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
        tape.conv2d(x, &w, Some(&b), options).unwrap()
    };
    let options = crate::kernels::Conv2dOptions::new();
    let (same, half) = (options.padding(Padding::Same), options.stride(2));
    let stem = tape.relu(conv("stem", &x, same));
    let y = conv("block1.conv1", &stem, same);
    let first = tape.relu(tape.add(&stem, &y).unwrap());
    let y = tape.relu(conv("block2.conv1", &first, same.stride(2)));
    let y = conv("block2.conv2", &y, same);
    let short = conv("block2.short", &first, half);
    let second = tape.relu(tape.add(&y, &short).unwrap());
    let pooled = tape.global_average_pool2d(&second).unwrap();
    let (w, b) = (get("dense1.weight"), get("dense1.bias"));
    let logits = tape.linear(&pooled, &w, Some(&b)).unwrap();

    let pass = model.forward(&tape, x, Pass::inference()).unwrap();
    for (found, expected) in [(&pass.output, &logits), (&pass.also[0], &second)] {
        assert_eq!(found.shape(), expected.shape());
        for (a, b) in found.value().as_slice().iter().zip(expected.value().as_slice()) {
            assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{a} {b}");
        }
    }
}

#[test]
fn gradients_reach_every_branch() {
    let model = residual().cast::<f64>().unwrap();
    let value = |model: &Model<f64>| {
        let tape = Tape::inference(Default::default());
        let y = model.infer(&tape, images::<f64>(2, 12).map(|v| v / 255.0)).unwrap();
        tape.sum(&tape.mul(&y, &y).unwrap()).value().item().unwrap()
    };
    let mut tape = Tape::new();
    let x = tape.constant(images::<f64>(2, 12).map(|v| v / 255.0));
    let pass = model.forward(&tape, x, Pass::inference()).unwrap();
    let loss = tape.sum(&tape.mul(&pass.output, &pass.output).unwrap());
    tape.backward(&loss).unwrap();
    for (parameter, var) in model.parameters().iter().zip(&pass.parameters) {
        let gradient = tape.grad(var).unwrap().as_slice()[0];
        let moved = |by: f64| {
            let mut moved = model.clone();
            let mut value = (*parameter.value).clone();
            value.as_mut_slice()[0] += by;
            moved.set(&parameter.name, value).unwrap();
            moved
        };
        let difference = (value(&moved(1e-5)) - value(&moved(-1e-5))) / 2e-5;
        assert!(
            (gradient - difference).abs() < 1e-6 * (1.0 + gradient.abs()),
            "{}",
            parameter.name
        );
    }
}

#[test]
fn a_graph_is_stored_and_read() {
    let model = residual();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(&path, &model, None).unwrap();
    let read = load(&path, None).unwrap().model;
    assert_eq!(read.architecture().unwrap(), model.architecture().unwrap());
    assert_eq!(read.outputs().collect::<Vec<_>>(), model.outputs().collect::<Vec<_>>());
    let x = images::<f32>(2, 12);
    assert_eq!(read.predict(x.clone()).unwrap(), model.predict(x).unwrap());

    let text = serde_json::to_string(&model.architecture().unwrap()).unwrap();
    assert!(text.contains(r#""inputs":["block2.conv2","block2.short"]"#), "{text}");
    assert_eq!(text.matches("inputs").count(), 3, "only where it is not the layer before: {text}");
    for (from, to, advice) in [
        ("\"inputs\":[\"stem\",", "\"inputs\":[\"stern\",", "stern"),
        ("\"inputs\":[\"stem\",", "\"inputs\":[\"dense1\",", "before it"),
        ("\"outputs\":[\"dense1\"", "\"outputs\":[\"dense9\"", "dense9"),
        ("\"kind\":\"Add\"", "\"kind\":\"Adder\"", "Adder"),
    ] {
        let damaged = text.replace(from, to);
        assert_ne!(damaged, text);
        let read: Architecture = serde_json::from_str(&damaged).unwrap();
        let message = read.graph::<f32>(&LayerKinds::built_in()).unwrap_err().to_string();
        assert!(message.contains(advice), "{message}");
    }
}

#[test]
fn mistakes_in_a_graph_are_named() {
    let mut graph: GraphBuilder = GraphBuilder::new([8, 8, 3]);
    let a = graph.layer(Conv2D::new(4, 3), graph.input());
    let b = graph.named("wide", Conv2D::new(5, 3), graph.input());
    let sum = graph.layer(Add::new(), [a, b]);
    let message = graph.clone().build(sum, 1).unwrap_err().to_string();
    for part in ["add1 (Add)", "[6, 6, 4] and [6, 6, 5]"] {
        assert!(message.contains(part), "{message}");
    }
    let message = graph.clone().build(a, 1).unwrap_err().to_string();
    assert!(message.contains("add1 (Add)") && message.contains("leads to an output"), "{message}");
    let mut other: GraphBuilder = GraphBuilder::new([8, 8, 3]);
    let message = other.clone().build(sum, 1).unwrap_err().to_string();
    assert!(message.contains("another graph"), "{message}");
    // Its number is one that the other graph has, too.
    let message = other.clone().build(graph.input(), 1).unwrap_err().to_string();
    assert!(message.contains("another graph"), "{message}");
    let mut one = graph.clone();
    let mut two = graph.clone();
    let tanh = one.layer(Activation::Tanh, b);
    two.layer(Activation::Relu, b);
    let message = two.clone().build(tanh, 1).unwrap_err().to_string();
    assert!(message.contains("another graph"), "a node that only the other clone has: {message}");
    let taken = other.layer(Conv2D::new(4, 3), graph.input());
    let message = other.build(taken, 1).unwrap_err().to_string();
    assert!(message.contains("conv1 (Conv2D)") && message.contains("another graph"), "{message}");

    let mut graph: GraphBuilder = GraphBuilder::new([4]);
    let one = graph.layer(Dense::new(2), graph.input());
    let alone = graph.layer(Add::new(), one);
    assert!(graph.build(alone, 1).unwrap_err().to_string().contains("two inputs"));
    let mut graph: GraphBuilder = GraphBuilder::new([4]);
    let both = [graph.input(), graph.input()];
    let dense = graph.layer(Dense::new(2), both);
    assert!(graph.build(dense, 1).unwrap_err().to_string().contains("one input"));
    let mut graph: GraphBuilder = GraphBuilder::new([4]);
    let input = graph.named("input", Dense::new(4), graph.input());
    let sum = graph.layer(Add::new(), [graph.input(), input]);
    assert!(graph.build(sum, 1).unwrap_err().to_string().contains("input is the model's input"));
}

#[test]
fn a_softmax_that_others_take_stays() {
    let mut graph: GraphBuilder = GraphBuilder::new([4]);
    let dense = graph.layer(Dense::new(3), graph.input());
    let softmax = graph.layer(Activation::Softmax, dense);
    let mut taken = graph.clone();
    taken.also_output(softmax);
    let model = taken.build(softmax, 1).unwrap();
    assert_eq!((model.output_kind(), model.layers().count()), (OutputKind::Softmax, 2));
    assert_eq!(model.outputs().collect::<Vec<_>>(), ["dense1", "activation1"]);
    let model = graph.build(softmax, 1).unwrap();
    assert_eq!((model.output_kind(), model.layers().count()), (OutputKind::Softmax, 1));
}

#[test]
fn every_layer_with_an_activation_gives_it_to_the_output() {
    let build = |activation: Activation| {
        let graph = Sequential::<f32>::builder([4, 4, 2]);
        let conv = graph.clone().layer(Conv2D::new(1, 1).activation(activation));
        let depthwise = graph.clone().layer(DepthwiseConv2D::new(1).activation(activation));
        let transposed = graph.layer(Conv2DTranspose::new(1, 2).activation(activation));
        [conv, depthwise, transposed].map(|builder| builder.build(1).unwrap())
    };
    let logits = build(Activation::Linear);
    for (model, logits) in build(Activation::Sigmoid).iter().zip(&logits) {
        assert_eq!(model.output_kind(), OutputKind::Sigmoid);
        let layers = |model: &Sequential| model.architecture().unwrap().layers;
        assert_eq!(layers(model), layers(logits));
    }
}

#[test]
fn probabilities_that_are_no_logits_are_refused() {
    let conv = || Conv2D::new(3, 1).activation(Activation::Softmax);
    let pooled = || {
        let builder = Sequential::<f32>::builder([4, 4, 2]).layer(conv());
        builder.layer(GlobalAveragePool2D::new())
    };
    let error = pooled().build(1).unwrap_err().to_string();
    assert!(error.contains("GlobalAveragePool2D, which comes after a softmax"), "{error}");
    assert!(pooled().output(OutputKind::Linear).build(1).is_ok());
    let mut graph: GraphBuilder = GraphBuilder::new([4]);
    let dense = graph.layer(Dense::new(3).activation(Activation::Softmax), graph.input());
    graph.also_output(dense);
    let error = graph.clone().build(dense, 1).unwrap_err().to_string();
    assert!(error.contains("a layer of its own"), "{error}");
    assert!(graph.output_kind(OutputKind::Linear).build(dense, 1).is_ok());
}

#[test]
fn values_die_after_their_last_use() {
    let mut builder = Sequential::builder([64, 64, 8]);
    for _ in 0..20 {
        builder = builder.layer(same(8)).layer(Activation::Tanh);
    }
    let model = builder.build(1).unwrap();
    let pool = crate::tensor::BufferPool::new();
    let tape = Tape::inference(pool.clone());
    drop(model.infer(&tape, Tensor::full([1, 64, 64, 8], 0.1)).unwrap());
    // Each buffer returns to the pool: forty would lie there if values lived to the end of the pass.
    let map = 64 * 64 * 8 * size_of::<f32>();
    assert!(pool.bytes() < 10 * map, "{} of {map}", pool.bytes());
}

/// The running mean of what passes through, in training.
#[derive(Debug, Serialize, Deserialize)]
struct RunningMean {
    momentum: f64,
}

impl LayerSpec for RunningMean {
    fn kind(&self) -> &'static str {
        "RunningMean"
    }
    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(single(self.kind(), inputs)?.clone())
    }
    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        Ok(vec![ParameterSpec::state("mean", single(self.kind(), inputs)?, Initializer::Zeros)])
    }
}

impl<T: Kernels> Layer<T> for RunningMean {
    fn forward(&self, cx: &mut Forward<'_, T>, x: Vec<Var<T>>, own: &[Var<T>]) -> Result<Var<T>> {
        let x = single(self.kind(), x)?;
        if cx.training {
            let (old, new) = (own[0].value(), cx.tape.mean_axis(&x, 0, false)?);
            let momentum = T::from_f64(self.momentum);
            let mixed = Tensor::from_fn(old.shape(), |i| {
                let (old, new) = (old.as_slice()[i], new.value().as_slice()[i]);
                old + (new - old) * momentum
            });
            cx.update_state(&own[0], mixed)?;
        }
        cx.tape.sub(&x, &own[0])
    }
}

#[test]
fn state_changes_by_training_only_and_is_stored() {
    let mut model = Sequential::builder([2])
        .layer(RunningMean { momentum: 0.5 })
        .layer(Dense::new(2))
        .build(1)
        .unwrap();
    let mean = |model: &Model| model.get("runningmean1.mean").unwrap().value.as_slice().to_vec();
    let x = Tensor::from_vec([2, 2], vec![1., 10., 3., 30.]).unwrap();
    assert!(!model.parameters()[0].trainable);

    let tape = Tape::new();
    let pass = model.forward(&tape, tape.constant(x.clone()), Pass::inference()).unwrap();
    assert!(pass.state.is_empty());
    let mut rng = Rng::new(1, 0);
    let pass = model.forward(&tape, tape.constant(x), Pass::training(&mut rng)).unwrap();
    assert_eq!(mean(&model), [0.0, 0.0], "a pass alone changes nothing");
    model.update_state(pass.state.clone()).unwrap();
    assert_eq!(mean(&model), [1.0, 10.0]);
    assert!(residual().update_state(pass.state).is_err());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(&path, &model, None).unwrap();
    let message = load(&path, None).unwrap_err().to_string();
    assert!(message.contains("RunningMean") && message.contains("LayerKinds"), "{message}");
    let kinds = LayerKinds::built_in().with::<RunningMean>("RunningMean");
    let read = load_with(&path, None, &kinds).unwrap().model;
    assert_eq!(mean(&read), [1.0, 10.0]);
}

#[test]
fn branches_that_meet_see_what_any_of_them_sees() {
    let mut graph: GraphBuilder = GraphBuilder::new([16, 16, 2]);
    let near = graph.layer(Conv2D::new(2, 1), graph.input());
    let far = graph.layer(same(2), graph.input());
    let far = graph.layer(same(2), far);
    let sum = graph.layer(Add::new(), [near, far]);
    let weights = graph.layer(GlobalAveragePool2D::new(), sum);
    let weighted = graph.layer(Multiply::new(), [sum, weights]);
    let model = graph.build(weighted, 1).unwrap();
    for layer in ["add1", "multiply1"] {
        let field = model.receptive_field(layer).unwrap();
        assert_eq!(
            (field.vertical.size, field.vertical.step, field.vertical.first),
            (5.0, 1.0, 0.0)
        );
    }
    assert!(model.receptive_field("pool1").is_err());
}

#[test]
fn a_graphs_summary_has_connections_and_sizes() {
    let mut graph = GraphBuilder::<f32>::new([4, 4, 2]);
    let a = graph.layer(Conv2D::new(3, 3).padding(Padding::Same), graph.input());
    let b = graph.layer(Conv2D::new(3, 1), a);
    let sum = graph.layer(Add::new(), [a, b]);
    let model = graph.build(sum, 0).unwrap();
    let summary = model.summary();
    assert!(!summary.is_chain());
    assert_eq!(summary.layers[2].connected_to, ["conv1", "conv2"]);
    assert_eq!(summary.layers[0].connected_to, ["input"]);
    // 16 pixels: 3 * 2 * 9 and 3 * 3 products each.
    assert_eq!((summary.layers[0].multiply_adds, summary.multiply_adds), (864, 864 + 144));
    // 2 channels at the input, 3 after each layer; `conv1` and `conv2` live until the sum is made.
    assert_eq!((summary.activations, summary.widest_cut), (16 * 11, 16 * 9));
    let text = summary.to_string();
    assert!(text.contains("┃ Connected to"), "{text}");
    assert!(text.contains("│ conv1, conv2"), "{text}");
}

#[test]
fn the_last_feature_map_lies_on_the_way_to_the_main_output() {
    let mut graph = GraphBuilder::new([12, 12, 3]);
    let map = graph.named("map", same(4), graph.input());
    let same_map = graph.layer(StochasticDepth::new(0.1), map);
    let pooled = graph.layer(AdaptiveAveragePool2D::new((2, 2)), same_map);
    let flat = graph.layer(Flatten::new(), pooled);
    let logits = graph.layer(Dense::new(3), flat);
    let side = graph.named("side", same(2), map);
    graph.also_output(side);
    let model: Model = graph.build(logits, 1).unwrap();
    assert_eq!(model.last_feature_map(), Some("map"));
    let flat: Model =
        Sequential::builder([4, 4, 1]).layer(Flatten::new()).layer(Dense::new(2)).build(1).unwrap();
    assert_eq!(flat.last_feature_map(), None);
}

/// Two parameters of one name.
#[derive(Debug)]
struct Twins;

impl LayerSpec for Twins {
    fn kind(&self) -> &'static str {
        "Twins"
    }
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(single(self.kind(), inputs)?.clone())
    }
    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let shape = single(self.kind(), inputs)?;
        let offset = || ParameterSpec::state("offset", shape, Initializer::Zeros);
        Ok(vec![offset(), offset()])
    }
}

impl<T: Kernels> Layer<T> for Twins {
    fn forward(&self, cx: &mut Forward<'_, T>, x: Vec<Var<T>>, own: &[Var<T>]) -> Result<Var<T>> {
        cx.tape.sub(&single(self.kind(), x)?, &own[0])
    }
}

#[test]
fn each_parameter_has_a_name_of_its_own() {
    let built = Sequential::<f32>::builder([2]).layer(Twins).build(1);
    let message = built.unwrap_err().to_string();
    assert!(message.contains("twins1.offset twice"), "{message}");
}

#[test]
fn broken_statistics_are_told_where_they_are_folded() {
    let mut model: Model = Sequential::builder([6, 6, 2])
        .layer(same(3))
        .layer(BatchNormalization::new())
        .layer(GlobalAveragePool2D::new())
        .build(1)
        .unwrap();
    let x = || Tensor::full([1, 6, 6, 2], 1.0);
    model.predict(x()).unwrap();
    let mut parameters = model.parameters_mut().iter_mut();
    let variance = parameters.find(|parameter| parameter.name.ends_with("running_var"));
    Arc::make_mut(&mut variance.unwrap().value).as_mut_slice()[1] = -1.0;
    let message = model.predict(x()).unwrap_err().to_string();
    assert!(message.contains("variance 1 plus epsilon"), "{message}");
}

#[test]
fn an_add_of_unequal_ranks_is_the_same_before_a_relu() {
    let mut graph = GraphBuilder::new([3, 4, 2]);
    let map = graph.layer(same(2), graph.input());
    let mean = graph.layer(GlobalAveragePool2D::new(), map);
    let sum = graph.named("sum", Add::new(), [map, mean]);
    let relu = graph.layer(Activation::Relu, sum);
    let model: Model = graph.build(relu, 3).unwrap();
    // The width, and others: a batch of as many images once took the wrong image's mean.
    for batch in [4, 1, 3] {
        let x = Tensor::from_fn([batch, 3, 4, 2], |i| (i * 37 % 23) as f32 - 11.0);
        let together = model.predict(x.clone()).unwrap();
        for image in 0..batch {
            let alone = Tensor::from_vec([1, 3, 4, 2], x.row(image).to_vec()).unwrap();
            let alone = model.predict(alone).unwrap();
            assert_eq!(together.row(image), alone.as_slice(), "image {image} of {batch}");
        }
    }
}

//! What may be said of a file: class names, preprocessing, outputs, where the weights lie; and what is refused.

use crate::again::{read_again, samples, stirred};
use crate::runtime::Checked;
use nn_core::data::ResizeMode;
use nn_core::layers::*;
use nn_core::model::{GraphBuilder, Model, Preprocessing, Sequential};
use nn_core::{Kernels, Result, Shape, Tensor, Var};
use nn_onnx::{Export, Imported};
use std::path::Path;

fn bare() -> Model {
    let chain = Sequential::builder([9, 8, 3])
        .layer(Conv2D::new(4, 3).activation(Activation::Relu))
        .layer(GlobalAveragePool2D::new())
        .layer(Dense::new(2).activation(Activation::Softmax));
    stirred(chain.build(27).unwrap())
}

fn read(export: Export<'_>) -> Imported {
    nn_onnx::read_bytes(export.to_bytes().unwrap(), &Default::default()).unwrap()
}

fn pixels(model: &Model) -> Tensor {
    Tensor::from_fn(model.input_shape().batched(2), |i| (i * 37 % 256) as f32)
}

fn presets() -> impl Iterator<Item = (&'static str, Preprocessing)> {
    Preprocessing::presets().map(|(name, _)| (name, Preprocessing::preset(name).unwrap()))
}

fn assert_close(a: &Tensor, b: &Tensor, what: &str) {
    let apart = a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) <= 1e-6, "{what}: {a:?} and {b:?}");
}

#[test]
fn a_file_tells_what_it_is() {
    let model = bare();
    let names = ["husky", "wolf \"Canis lupus\" \u{1f43a}"];
    let imported = read(Export::new(&model).class_names(names));
    assert_eq!(imported.class_names, Some(names.map(String::from).to_vec()));
    assert_eq!((imported.preprocessing, imported.resize), (None, None));
    let report = &imported.report;
    assert_eq!(
        (report.opset, report.input.as_str(), report.output.as_str()),
        (17, "input", "logits")
    );
    assert!(report.producer.starts_with("nn "), "{}", report.producer);
    assert_eq!(report.metadata["nn.output"], "logits");
    assert_eq!(report.metadata["nn.output_kind"], "softmax");
    assert_eq!(report.input_axes, [0, 2, 3, 1]);
    let one = Sequential::builder([3]).layer(Dense::new(1).activation(Activation::Sigmoid));
    let one = one.build(27).unwrap();
    assert_eq!(read(Export::new(&one).class_names(["no", "yes"])).class_names.unwrap().len(), 2);
}

#[test]
fn preprocessing_travels_as_metadata() {
    let model = bare();
    for (name, preprocessing) in presets() {
        let export = Export::new(&model).preprocessing(&preprocessing).resize(ResizeMode::Crop);
        let imported = read(export);
        assert_eq!(imported.preprocessing, Some(preprocessing), "{name}");
        assert_eq!(imported.resize, Some(ResizeMode::Crop.into()));
        assert_eq!(imported.report.metadata["nn.image_size"], "9x8");
        assert!(imported.model.front().next().is_none());
    }
}

#[test]
fn preprocessing_is_nodes_of_the_graph_if_asked() {
    let model = bare();
    let checked = Checked::new();
    for (name, preprocessing) in presets() {
        let settings = |export: Export<'_>| {
            read(export.preprocessing(&preprocessing).preprocessing_in_graph())
        };
        let imported = settings(Export::new(&model));
        assert_eq!(imported.preprocessing, Some(Preprocessing::preset("none").unwrap()), "{name}");
        let whole = preprocessing.in_front_of(model.clone()).unwrap();
        let front = |model: &Model| model.front().count();
        assert_eq!(front(&imported.model), front(&whole), "{name}");
        let x = pixels(&model);
        let outputs = [&imported.model, &whole].map(|model| model.predict(x.clone()).unwrap());
        assert_eq!(outputs[0], outputs[1], "{name}");
        if let Some(checked) = &checked {
            checked.add_as(name, &model, &whole, |export| {
                export.preprocessing(&preprocessing).preprocessing_in_graph()
            });
        }
    }
    if let Some(checked) = checked {
        checked.run();
    }
}

#[test]
fn a_front_is_preprocessing_if_asked() {
    for (name, preprocessing) in presets() {
        let whole = preprocessing.in_front_of(bare()).unwrap();
        let imported = read(Export::new(&whole).front_as_preprocessing());
        assert_eq!(imported.model.front().count(), 0, "{name}");
        let found = imported.preprocessing.unwrap();
        assert_eq!(found.bgr, preprocessing.bgr);
        let again = found.in_front_of(imported.model).unwrap();
        let x = pixels(&whole);
        assert_close(&again.predict(x.clone()).unwrap(), &whole.predict(x).unwrap(), name);
    }
    let swapped = Sequential::builder([9, 8, 3])
        .layer(Gather::new(2, [1, 0, 2]))
        .layer(Flatten::new())
        .layer(Dense::new(2))
        .build(27)
        .unwrap();
    let refused = Export::new(&swapped).front_as_preprocessing().to_bytes().unwrap_err();
    assert!(refused.to_string().contains("[1, 0, 2]"), "{refused}");
}

#[test]
fn probabilities_are_logits_again() {
    let model = bare();
    let imported = read(Export::new(&model).probabilities());
    assert_eq!(imported.report.output, "probabilities");
    assert_eq!(imported.report.metadata["nn.output"], "probabilities");
    assert!(imported.report.activation_taken_off);
    let x = samples(&model);
    assert_eq!(imported.model.predict(x.clone()).unwrap(), model.predict(x).unwrap());
    let linear = Sequential::builder([3]).layer(Dense::new(2)).output(OutputKind::Linear);
    let linear = linear.build(27).unwrap();
    assert_eq!(read(Export::new(&linear).probabilities()).report.output, "output");
}

#[test]
fn weights_lie_beside_the_file_if_asked() {
    let model = crate::networks::network("resnet10");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.onnx");
    Export::new(&model).weights_beside().write(&path).unwrap();
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    let data = folder.path().join("network.onnx.data");
    assert!(size(&path) < 64 << 10 && size(&data) > 4 * 4_000_000, "{}", size(&data));
    let imported = nn_onnx::read(&path).unwrap();
    let x = samples(&model);
    assert_eq!(imported.model.predict(x.clone()).unwrap(), model.predict(x).unwrap());
    // No drafts are left, and the same model gives the same bytes.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    let before = [&path, &data].map(|path| std::fs::read(path).unwrap());
    Export::new(&model).weights_beside().write(&path).unwrap();
    assert!(before == [&path, &data].map(|path| std::fs::read(path).unwrap()));
    if let Some(checked) = Checked::new() {
        checked.add_as("beside", &model, &model, |export| export.weights_beside());
        checked.run();
    }
}

#[test]
fn several_outputs_keep_their_names() {
    let mut graph = GraphBuilder::new([6, 5, 3]).output_kind(OutputKind::Softmax);
    let x = graph.input();
    let map = graph.named("map", Conv2D::new(4, 3).activation(Activation::Relu), x);
    let mean = graph.named("mean", GlobalAveragePool2D::new(), map);
    let end = graph.named("fc", Dense::new(3), mean);
    [map, end, mean, map].into_iter().for_each(|node| graph.also_output(node));
    let model = graph.build(end, 27).unwrap();
    let imported = read_again(&model).unwrap().imported;
    assert_eq!(imported.report.output, "logits");
    let others = &imported.report.other_outputs;
    assert_eq!(others[..3], ["map", "fc", "mean"]);
    assert!(others[3].starts_with("map_"), "{others:?}");
    if let Some(checked) = Checked::new() {
        checked.add("several", &model, 0);
        checked.run();
    }
}

/// Sizes by which nobody could tell which dimension the channels are.
#[test]
fn the_file_says_which_dimension_the_channels_are() {
    for input in [[4, 3, 8], [3, 3, 3], [8, 1, 2], [8, 4, 1], [1, 1, 1], [3, 224, 3]] {
        let chain = Sequential::builder(input).channels_last().layer(Conv2D::new(2, 1));
        let model = stirred(chain.layer(Flatten::new()).layer(Dense::new(2)).build(27).unwrap());
        assert!(read_again(&model).unwrap_or_else(|e| panic!("{input:?}: {e}")).same_bits);
    }
}

/// A layer of another crate.
#[derive(Debug)]
struct Twice;

impl LayerSpec for Twice {
    fn kind(&self) -> &'static str {
        "Twice"
    }
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(single("Twice", inputs)?.clone())
    }
}

impl<T: Kernels> Layer<T> for Twice {
    fn forward(&self, cx: &mut Forward<'_, T>, x: Vec<Var<T>>, _: &[Var<T>]) -> Result<Var<T>> {
        cx.tape.add(&x[0], &x[0])
    }
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, "what was there").unwrap();
    let refused = |export: Export<'_>, parts: &[&str]| {
        let message = export.write(&path).unwrap_err().to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        assert_eq!(std::fs::read(&path).unwrap(), b"what was there");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    };
    let chain = Sequential::builder([3]).layer(Dense::new(2)).named("own", Twice);
    let other = chain.build(27).unwrap();
    refused(Export::new(&other), &["own", "Twice", "another crate", "Conv2D"]);
    let model = bare();
    refused(Export::new(&model).class_names(["one"]), &["class names", "2", "received 1"]);
    refused(Export::new(&model).preprocessing_in_graph(), &["preprocessing", "none"]);
    let tf = Preprocessing::preset("tf").unwrap();
    refused(Export::new(&model).preprocessing(&tf).front_as_preprocessing(), &["both"]);
    let two = Preprocessing { mean: vec![0.0; 2], ..tf };
    refused(Export::new(&model).preprocessing(&two), &["3 channels"]);
}

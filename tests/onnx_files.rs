//! Small networks as exporters write them (`tests/fixtures/onnx/make.py`): outputs and gradients against PyTorch, what
//! became of each file, and that a model from a file can be stored in ours.

#[path = "onnx/arrays.rs"]
mod arrays;

use arrays::{Arrays, channels_first, largest_difference};
use nn_core::layers::OutputKind;
use nn_core::model::{self, Model, Pass};
use nn_core::{Tape, Tensor};
use nn_onnx::{Imported, ReadOptions};
use std::path::PathBuf;

const TOLERANCE: f64 = 1e-5;

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/onnx").join(file)
}

fn read(name: &str) -> Imported {
    let options = ReadOptions { input_size: Some((16, 16)), ..Default::default() };
    nn_onnx::read_with(&path(&format!("{name}.onnx")), &options).unwrap_or_else(|e| panic!("{e}"))
}

fn kinds(model: &Model) -> Vec<&str> {
    model.layers().map(|(_, kind)| kind).collect()
}

/// Output, and gradient of the input, where PyTorch made the file.
fn compare(name: &str) -> Imported {
    let expected = Arrays::read(&path(&format!("{name}.npz")));
    let imported = read(name);
    let model = &imported.model;
    let mut tape = Tape::<f32>::new();
    let x = tape.leaf(expected.image("x"));
    let pass = model.forward(&tape, x.clone(), Pass::inference().frozen()).unwrap();
    let output = match model.output_kind() {
        OutputKind::Softmax if imported.report.activation_taken_off => {
            model.probabilities(&tape, pass.output.clone()).unwrap()
        }
        _ => pass.output.clone(),
    };
    let difference = largest_difference(output.value().as_slice(), expected.values("output"));
    assert!(difference < TOLERANCE, "{name}: the output differs by {difference:e}");
    tape.backward_from(
        &pass.output,
        Tensor::from_fn([2, 5], |i| f32::from(u8::from(i == 0 || i == 6))),
    )
    .unwrap();
    let dx = channels_first(tape.grad(&x).unwrap());
    let difference = largest_difference(&dx, expected.values("dx"));
    assert!(difference < TOLERANCE, "{name}: dx differs by {difference:e}");
    stored_and_read(name, model, expected.image("x"));
    imported
}

/// Our own file of a model gives the same bits.
fn stored_and_read(name: &str, model: &Model, x: Tensor) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    model::save(&file, model, None).unwrap();
    let again = model::load(&file, None).unwrap().model;
    assert_eq!(again.predict(x.clone()).unwrap(), model.predict(x).unwrap(), "{name}");
}

#[test]
fn a_layer_normalization_and_a_gelu_that_are_written_out() {
    let imported = compare("layer_norm_written_out");
    let kinds = kinds(&imported.model);
    assert_eq!(kinds.iter().filter(|kind| **kind == "LayerNormalization").count(), 2, "{kinds:?}");
    assert!(!kinds.contains(&"Reduce") && !kinds.contains(&"Function"), "{kinds:?}");
    assert_eq!(imported.report.transposes, 0);
}

#[test]
fn a_shuffle_with_its_normalizations() {
    let imported = compare("batch_norm_unfolded");
    let kinds = kinds(&imported.model);
    assert_eq!(kinds.iter().filter(|kind| **kind == "BatchNormalization").count(), 5, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "ChannelShuffle").count(), 2, "{kinds:?}");
    assert_eq!((imported.report.opset, imported.report.transposes), (9, 0));
}

#[test]
fn weights_beside_the_model() {
    let imported = compare("shuffle_external");
    assert_eq!(imported.report.transposes, 0);
    // Without their file.
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("model.onnx");
    std::fs::copy(path("shuffle_external.onnx"), &alone).unwrap();
    let error = nn_onnx::read(&alone).unwrap_err().to_string();
    assert!(
        error.contains("shuffle_external.onnx.data") && error.contains("copy the file"),
        "{error}"
    );
}

#[test]
fn a_softmax_at_the_end_and_any_image_size() {
    let imported = compare("softmax_any_size");
    assert_eq!(imported.model.output_kind(), OutputKind::Softmax);
    assert!(imported.report.activation_taken_off);
    let kinds = kinds(&imported.model);
    assert!(!kinds.contains(&"Function"), "{kinds:?}");
    let file = path("softmax_any_size.onnx");
    let error = nn_onnx::read(&file).unwrap_err().to_string();
    assert!(error.contains("images of any size") && error.contains("224x224"), "{error}");
    let other = ReadOptions { input_size: Some((12, 20)), ..Default::default() };
    assert_eq!(nn_onnx::read_with(&file, &other).unwrap().input_size(), Some((12, 20)));
    let linear = ReadOptions { output_kind: Some(OutputKind::Linear), ..other };
    let kept = nn_onnx::read_with(&file, &linear).unwrap();
    assert!(!kept.report.activation_taken_off);
}

#[test]
fn group_normalization_of_both_exporters() {
    for name in ["group_norm", "group_norm_dynamo"] {
        let imported = compare(name);
        let kinds = kinds(&imported.model);
        assert!(kinds.contains(&"GroupNormalization"), "{kinds:?}");
        assert_eq!(imported.report.transposes, 0, "{name}: {kinds:?}");
    }
}

#[test]
fn padding_in_all_modes_and_resizing() {
    compare("padding_and_resizing");
}

#[test]
fn attention_of_both_exporters() {
    for name in ["attention", "attention_dynamo"] {
        let imported = compare(name);
        println!("{name}: {} transposes", imported.report.transposes);
    }
}

/// Merged with the batch, as exporters for any batch write it, and as one node.
#[test]
fn attention_in_heads() {
    for name in ["attention_in_heads", "attention_one_node"] {
        let imported = compare(name);
        let kinds = kinds(&imported.model);
        assert_eq!(kinds.iter().filter(|kind| **kind == "MatMul").count(), 2, "{name}: {kinds:?}");
    }
}

/// Their first dimension is the batch times the windows; each of the two samples has its own.
#[test]
fn attention_in_windows() {
    for name in ["windows", "windows_one"] {
        let imported = compare(name);
        let kinds = kinds(&imported.model);
        assert!(kinds.contains(&"LayerNormalization"), "{name}: {kinds:?}");
    }
}

/// A convolution of one dimension, weights that are standardised, padding that cuts, positions that are computed.
#[test]
fn rows_and_weights_that_are_computed() {
    let imported = compare("rows");
    assert_eq!(kinds(&imported.model).iter().filter(|kind| **kind == "Conv2D").count(), 3);
}

#[test]
fn a_local_response_normalization_before_a_flatten() {
    let imported = compare("local_response");
    assert!(kinds(&imported.model).contains(&"Flatten"));
    assert_eq!(imported.report.transposes, 0);
}

#[test]
fn half_precision_is_widened() {
    compare("half_precision");
}

#[test]
fn an_input_with_its_channels_last() {
    let expected = Arrays::read(&path("channels_last.npz"));
    let imported = read_as_it_is("channels_last");
    assert_eq!(imported.report.transposes, 0);
    assert_eq!(imported.model.input_shape().dims(), [17, 18, 3]);
    let x = Tensor::from_vec(expected.shape("x"), expected.values("x").to_vec()).unwrap();
    let output = imported.model.predict(x).unwrap();
    let difference = largest_difference(output.as_slice(), expected.values("output"));
    assert!(difference < TOLERANCE, "{difference:e}");
}

fn read_as_it_is(name: &str) -> Imported {
    nn_onnx::read(&path(&format!("{name}.onnx"))).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn layers_are_found_by_the_names_of_the_file() {
    let imported = read("batch_norm_unfolded");
    let conv = imported.layer("/0/Conv").unwrap();
    assert_eq!(conv, "/0/Conv");
    assert_eq!(imported.layer("/0/Conv_output_0"), Some(conv));
    assert_eq!(imported.layer("no such"), None);
    let x = Tensor::zeros([3, 16, 16, 3]);
    assert_eq!(imported.model.predict(x).unwrap().dims(), [3, 5]);
}

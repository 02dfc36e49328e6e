//! `model.safetensors`. A model that can be read can be run, and is written and read again with the
//! same content.
//!
//! If the first byte is `{`, the input is a header, a line end, and numbers that are repeated:
//! length and size are made to fit, which mutation alone rarely achieves.

use super::files::{folder, tensor_file};
use nn_core::model::safetensors::TensorFile;
use nn_core::model::{ModelFile, load, save};
use nn_core::{Tape, Tensor};
use serde_json::Value;
use std::path::Path;

/// The maximum number of values in a sample, or between layers of a network that is run.
const MOST_NUMBERS: usize = 1 << 12;

pub fn run(data: &[u8]) {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    let made = made_to_fit(data);
    std::fs::write(&path, made.as_deref().unwrap_or(data)).expect("it can be written");
    if let Ok(mut file) = TensorFile::open(&path) {
        for name in file.names() {
            let shape = file.shape(&name).expect("it has this name").to_vec();
            if let Ok(tensor) = file.read::<f32>(&name) {
                assert_eq!(tensor.dims(), shape);
            }
            let _ = file.read::<f64>(&name);
        }
    }
    for image_size in [None, Some(22)] {
        if let Ok(model) = load(&path, image_size) {
            check(&model, &folder.path().join("again.safetensors"));
        }
    }
}

fn check(ModelFile { model, classes, .. }: &ModelFile, again: &Path) {
    save(again, model, classes.as_deref()).expect("what was read can be written");
    let back = load(again, None).expect("what was written can be read");
    assert_eq!(back.classes, *classes);
    for (a, b) in model.parameters().iter().zip(back.model.parameters()) {
        assert_eq!((&a.name, &a.value), (&b.name, &b.value));
    }
    let shapes = model.layers().filter_map(|(name, _)| model.layer_output_shape(name).ok());
    let small = |len: Option<usize>| len.is_some_and(|len| len <= MOST_NUMBERS);
    if shapes.chain([model.input_shape()]).all(|shape| small(shape.checked_len())) {
        let x = Tensor::full(model.input_shape().batched(2), 1.0);
        let y = model.infer(&Tape::inference(Default::default()), x).expect("it was checked");
        assert_eq!(y.dims()[1..], *model.output_shape().dims());
    }
}

/// A header that describes all the numbers which follow, if `data` is to become such a file.
fn made_to_fit(data: &[u8]) -> Option<Vec<u8>> {
    let text = data.strip_prefix(b"{")?;
    let end = text.iter().position(|&byte| byte == b'\n')?;
    let (header, numbers) = (&data[..=end], &text[end + 1..]);
    let described: Value = serde_json::from_slice(header).ok()?;
    let ends = described
        .as_object()?
        .values()
        .filter_map(|info| info.get("data_offsets")?.get(1)?.as_u64());
    Some(tensor_file(header, numbers, ends.max().unwrap_or(0)))
}

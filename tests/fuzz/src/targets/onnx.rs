//! ONNX files. A model that can be read can be run, whatever the batch, and is written to our own file and read again
//! with the same content.

use super::files::folder;
use nn_core::Tensor;
use nn_core::model::{Model, load, save};
use nn_onnx::{ReadOptions, read_bytes};

/// The maximum number of values in a sample, or between layers of a network that is run.
const MOST_NUMBERS: usize = 1 << 12;

pub fn run(data: &[u8]) {
    for input_size in [None, Some((16, 16))] {
        let options = ReadOptions { input_size, ..Default::default() };
        if let Ok(imported) = read_bytes(data.to_vec(), &options) {
            for layer in imported.layers.values() {
                imported.model.layer_output_shape(layer).expect("it is a layer of the model");
            }
            check(&imported.model);
        }
    }
}

fn check(model: &Model) {
    let shapes = model.layers().filter_map(|(name, _)| model.layer_output_shape(name).ok());
    let small = |len: Option<usize>| len.is_some_and(|len| len <= MOST_NUMBERS);
    let parameters = model.parameter_count() <= MOST_NUMBERS * MOST_NUMBERS;
    if parameters && shapes.chain([model.input_shape()]).all(|shape| small(shape.checked_len())) {
        let x = Tensor::full(model.input_shape().batched(3), 0.5);
        // A variance may be negative, which only running it tells.
        if let Ok(y) = model.predict(x) {
            assert_eq!(y.dims()[1..], *model.output_shape().dims());
        }
    }
    let folder = folder();
    let file = folder.path().join("model.safetensors");
    // Numbers that are none cannot be stored.
    if save(&file, model, None).is_ok() {
        let back = load(&file, None).expect("what was written can be read").model;
        assert_eq!(
            back.architecture().expect("it was read"),
            model.architecture().expect("it was written")
        );
    }
}

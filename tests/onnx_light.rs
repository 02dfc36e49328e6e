//! The light models of the `onnx` package: classifiers whose weights are constants of a shape, with expected outputs.
//!
//! They are not kept here: `benches/peers/onnx_cases/dump.py` copies them to `target/onnx_cases/light`, or below
//! wherever `NN_ONNX_CASES` says. Without them the test says so and passes.

use nn_core::{Tape, Tensor};
use nn_onnx::Imported;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    let usual = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/onnx_cases");
    std::env::var_os("NN_ONNX_CASES").map_or_else(usual, PathBuf::from).join("light")
}

/// The thousand numbers at the end of a tensor's message.
fn expected(file: &Path) -> Vec<f32> {
    let bytes = std::fs::read(file).unwrap();
    let (numbers, _) = bytes[bytes.len() - 4000..].as_chunks::<4>();
    numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[test]
fn light_models_of_onnx() {
    let Ok(listing) = std::fs::read_dir(folder()) else {
        println!("no models in {}: nothing is compared", folder().display());
        return;
    };
    let mut files: Vec<_> = listing.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "onnx"));
    files.sort();
    assert_eq!(files.len(), 9);
    for file in files {
        let start = std::time::Instant::now();
        let Imported { model, report, .. } =
            nn_onnx::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let opened = start.elapsed();
        // Numbers that count up to 1, channels first.
        let &[height, width, channels] = model.input_shape().dims() else { panic!("no image") };
        let len = height * width * channels;
        let x = Tensor::from_fn([1, height, width, channels], |i| {
            let (pixel, channel) = (i / channels, i % channels);
            (channel * height * width + pixel) as f32 / len as f32
        });
        // Some end in a softmax, which was taken off, some in logits.
        let tape = Tape::inference(Default::default());
        let logits = model.infer(&tape, x).unwrap();
        let y = match report.activation_taken_off {
            true => model.probabilities(&tape, logits).unwrap(),
            false => logits,
        };
        let y = y.value();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let expected = expected(&file.with_file_name(format!("{name}_output_0.pb")));
        assert_eq!(y.len(), expected.len());
        let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        let difference =
            y.as_slice().iter().zip(&expected).fold(0.0f32, |max, (a, b)| max.max((a - b).abs()));
        println!(
            "{name}: {:e}, {} transposes, opened in {opened:?}",
            difference / largest,
            report.transposes
        );
        assert!(difference <= 1e-4 * largest, "{name}: {difference} of {largest}");
    }
}

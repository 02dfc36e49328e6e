//! Networks by name with weights of torchvision and timm, beside PyTorch: logits, and the gradient of the pixels.
//!
//! `fixtures/torch/make_state_dicts.py` writes the files to `target/torch_state_dicts`. Without them the test says
//! so and passes. PyTorch computed in f64. Ours must agree, of each tensor's largest magnitude, within 1e-6 in f64
//! (the numbers are stored in f32) and in f32 within 1e-4; there not the gradient, as rounding decides on which side of
//! a ReLU's bend a number lies.

use super::fixture::{Tensors, compare};
use nn_core::model::{Pass, StateDict};
use nn_core::{Tape, Tensor};
use std::path::Path;

/// The error that is allowed, in f32 and in f64.
const TOLERANCES: [f64; 2] = [1e-4, 1e-6];

/// Images' height and width.
const SIZE: usize = 81;

/// The classes whose logits are differentiated, image by image.
const CLASSES: [usize; 2] = [3, 7];

/// The largest errors in f32 and f64, relative to each tensor's largest magnitude.
fn check(folder: &Path, file: &str) -> Result<[f64; 2], String> {
    let told = |e: nn_core::Error| e.to_string();
    let network = file.split('.').next().unwrap_or_default();
    let mut weights = StateDict::open(folder.join(format!("{file}.safetensors"))).map_err(told)?;
    let fitting = weights.networks();
    // Names do not tell TensorFlow's padding.
    let alone = ["resnet", "mobilenet"].iter().any(|known| network.starts_with(known))
        || file == "efficientnet_b0.torchvision";
    if !fitting.contains(&network) || (fitting.len() == 1) != alone {
        return Err(format!("it seems to be {fitting:?}"));
    }
    let asked = if alone { None } else { Some(network) };
    let model = weights.model(asked, Some(SIZE)).map_err(told)?;
    assert_eq!((model.name(), model.classes()), (network, 10));
    let mut numbers = Tensors::open(folder, &format!("{file}.check"));
    let tape = Tape::inference(Default::default());
    let logits = model.infer(&tape, numbers.input("x")).map_err(told)?;
    let single = compare(logits.value(), &numbers.input("logits"), TOLERANCES[0])?;
    let model = model.cast::<f64>().map_err(told)?;
    let mut tape = Tape::<f64>::new();
    let x = tape.leaf(numbers.input("x").cast());
    let pass = model.forward(&tape, x.clone(), Pass::inference().frozen()).map_err(told)?;
    let mut score = Tensor::zeros(pass.output.shape().clone());
    for (image, class) in CLASSES.into_iter().enumerate() {
        score.as_mut_slice()[image * model.classes() + class] = 1.0;
    }
    tape.backward_from(&pass.output, score).map_err(told)?;
    let mut double: f64 = 0.0;
    for (what, ours) in [("logits", pass.output.value()), ("dx", tape.grad(&x).unwrap())] {
        let error = compare(ours, &numbers.input(what), TOLERANCES[1]);
        double = double.max(error.map_err(|e| format!("{what} {e}"))?);
    }
    Ok([single, double])
}

#[test]
fn weights_of_torchvision_and_timm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/torch_state_dicts");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("no weights in {}: nothing is compared", folder.display());
        return;
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let files = names.filter_map(|name| {
        let file = name.strip_suffix(".safetensors")?;
        (!file.ends_with(".check")).then(|| file.to_owned())
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        match check(&folder, file) {
            Ok([f32, f64]) => println!("{file}: within {f32:.1e} in f32, {f64:.1e} in f64"),
            Err(problem) => wrong.push(format!("{file}: {problem}")),
        }
    }
    assert!(!files.is_empty() && wrong.is_empty(), "{}:\n{}", folder.display(), wrong.join("\n"));
}

//! Nine tiny networks of torchvision and timm, built layer by layer with their weights, beside PyTorch:
//! logits, the gradient of the input, the last feature map, its gradient, and Grad-CAM.
//!
//! They are not kept here: `fixtures/torch/make_models.py` writes them to `target/torch_models`, or wherever
//! `NN_TORCH_MODELS` says. Without them the test says so and passes. PyTorch computed in f32; ours must
//! agree within 1e-4 of each tensor's largest magnitude, in f32 and in f64.

use super::fixture::{Tensors, compare, describe};
use super::graph::{Node, build};
use nn_core::explain::{Cam, GradCam, Target};
use nn_core::model::Pass;
use nn_core::{Kernels, Tape, Tensor};
use serde::Deserialize;
use std::path::{Path, PathBuf};

const TOLERANCE: f64 = 1e-4;

/// The classes whose logits are differentiated, image by image.
const CLASSES: [usize; 2] = [3, 7];

#[derive(Deserialize)]
struct Network {
    classes: usize,
    /// The node whose output is the last feature map.
    feature: String,
    nodes: Vec<Node>,
}

fn folder() -> PathBuf {
    std::env::var_os("NN_TORCH_MODELS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/torch_models"),
        PathBuf::from,
    )
}

/// The largest error, relative to each tensor's largest magnitude.
fn check<T: Kernels>(folder: &Path, name: &str) -> Result<f64, String> {
    let network: Network = describe(folder, name);
    let mut tensors = Tensors::open(folder, name);
    let images: Tensor<T> = tensors.input("x").cast();
    let model = build(&images.dims()[1..], &network.nodes, |name| {
        tensors.input(&format!("state/{name}")).cast()
    });
    assert_eq!(model.classes(), network.classes);
    assert_eq!(model.parameters().len(), tensors.names("state/").len(), "{name}");
    let mut tape = Tape::<T>::new();
    let x = tape.leaf(images.clone());
    let watch = [network.feature.as_str()];
    let pass = Pass::inference().frozen().watch(&watch);
    let pass = model.forward(&tape, x.clone(), pass).map_err(|e| e.to_string())?;
    let mut score = Tensor::zeros(pass.output.shape().clone());
    for (image, class) in CLASSES.into_iter().enumerate() {
        score.as_mut_slice()[image * network.classes + class] = T::one();
    }
    tape.backward_from(&pass.output, score).map_err(|e| e.to_string())?;
    let (_, feature) = &pass.watched[0];
    let maps = Cam::new(GradCam)
        .layer(network.feature.as_str())
        .pass(&model, &images)
        .and_then(|mut cam| cam.explain(&CLASSES.map(Target::Class)))
        .map_err(|e| e.to_string())?;
    let maps: Vec<T> = maps.iter().flat_map(|map| map.map.as_slice().iter().copied()).collect();
    let maps = Tensor::from_vec(&feature.dims()[..3], maps).map_err(|e| e.to_string())?;
    let mut worst: f64 = 0.0;
    for (what, ours) in [
        ("logits", pass.output.value()),
        ("dx", tape.grad(&x).unwrap()),
        ("feature", feature.value()),
        ("dfeature", tape.grad(feature).unwrap()),
        ("cam", &maps),
    ] {
        let error = compare(ours, &tensors.input(what), TOLERANCE);
        worst = worst.max(error.map_err(|e| format!("{what} in {} {e}", T::NAME))?);
    }
    Ok(worst)
}

#[test]
fn models_of_torchvision_and_timm() {
    let folder = folder();
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("no networks in {}: nothing is compared", folder.display());
        return;
    };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let described = files.filter(|path| path.extension().is_some_and(|e| e == "json"));
    let mut names: Vec<_> =
        described.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    let mut wrong = Vec::new();
    for name in &names {
        match check::<f32>(&folder, name).and_then(|e| Ok((e, check::<f64>(&folder, name)?))) {
            Ok((f32, f64)) => println!("{name}: within {f32:.1e} in f32, {f64:.1e} in f64"),
            Err(problem) => wrong.push(format!("{name}: {problem}")),
        }
    }
    assert!(!names.is_empty() && wrong.is_empty(), "{}:\n{}", folder.display(), wrong.join("\n"));
}

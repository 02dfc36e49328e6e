//! Parity with Keras: the same numbers from the same weights and images.
//!
//! The fixtures under `fixtures/keras/` contain the results of Keras, in f32 and in f64, for a small
//! network with odd sizes and for the reference network; the scripts beside them describe how they were
//! made. The results must agree within these tolerances, relative to each tensor's largest magnitude: loss,
//! probabilities and every gradient 1e-5 (f32) and 1e-9 (f64); parameters after five Adam steps 1e-4 and
//! 1e-8; raw Grad-CAM maps 1e-5 and 1e-9, stretched and normalised ones 1e-4 and 1e-9.

#[path = "fixtures/keras/formula.rs"]
mod formula;

use formula::{Digest, Spec, judge, near, numbers, read};
use nn_core::explain::{Alignment, Cam, Explainer, GradCam, Target};
use nn_core::layers::{Activation, Conv2D, Dense, Flatten, MaxPool2D, OutputKind, Rescaling};
use nn_core::loss::Loss;
use nn_core::model::{Pass, Sequential, SequentialBuilder};
use nn_core::optim::{Gradients, OptimizerConfig};
use nn_core::rng::Rng;
use nn_core::{Kernels, Tape, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    network: Network,
    parameters: BTreeMap<String, Spec>,
    labels: Vec<usize>,
    images: Spec,
    adam: AdamRun,
    float32: Results,
    float64: Results,
}

#[derive(Deserialize)]
struct Network {
    input: [usize; 3],
    conv: Vec<usize>,
    dense: Vec<usize>,
}

#[derive(Deserialize)]
struct AdamRun {
    steps: usize,
    learning_rate: f64,
    images: Spec,
}

#[derive(Deserialize)]
struct Results {
    loss: f64,
    logits: Vec<Vec<f64>>,
    probabilities: Vec<Vec<f64>>,
    gradients: BTreeMap<String, Digest>,
    adam_losses: Vec<f64>,
    after_adam: BTreeMap<String, Digest>,
}

/// The tolerances of a precision.
struct Tolerance {
    gradients: f64,
    adam: f64,
}

const F32: Tolerance = Tolerance { gradients: 1e-5, adam: 1e-4 };
const F64: Tolerance = Tolerance { gradients: 1e-9, adam: 1e-8 };

/// The network described, with the formula's parameters.
fn build<T: Kernels>(fixture: &Fixture) -> Sequential<T> {
    let mut builder =
        SequentialBuilder::new(fixture.network.input).layer(Rescaling::new(1.0 / 255.0));
    for &filters in &fixture.network.conv {
        builder = builder
            .layer(Conv2D::new(filters, 3).activation(Activation::Relu))
            .layer(MaxPool2D::new(2));
    }
    builder = builder.layer(Flatten::new());
    let (last, hidden) = fixture.network.dense.split_last().unwrap();
    for &units in hidden {
        builder = builder.layer(Dense::new(units).activation(Activation::Relu));
    }
    let mut model =
        builder.layer(Dense::new(*last).activation(Activation::Softmax)).build(1).unwrap();
    assert_eq!(model.output_kind(), OutputKind::Softmax);
    assert_eq!(model.parameters().len(), fixture.parameters.len());
    for (name, spec) in &fixture.parameters {
        model.set(name, spec.tensor()).unwrap();
    }
    model
}

/// Forward and backward of one batch. With `watched` layers, their convolution and pooling run as
/// two ops; without, as one.
fn step<T: Kernels>(
    model: &Sequential<T>,
    images: &Tensor<T>,
    labels: &[usize],
    watched: &[&str],
) -> (f64, Tensor<T>, Gradients<T>) {
    let mut tape = Tape::new();
    let mut rng = Rng::new(0, 0);
    let x = tape.constant(images.clone());
    let pass = model.forward(&tape, x, Pass::training(&mut rng).watch(watched)).unwrap();
    let loss = Loss::CategoricalCrossentropy.apply(&tape, &pass.output, labels).unwrap();
    tape.backward(&loss).unwrap();
    let gradients = Gradients::take(&mut tape, &pass.parameters);
    (loss.value().item().unwrap().as_f64(), pass.output.value().clone(), gradients)
}

fn loss_probabilities_gradients<T: Kernels>(
    fixture: &Fixture,
    keras: &Results,
    tolerance: &Tolerance,
) {
    let model = build::<T>(fixture);
    let images = fixture.images.tensor();
    let tolerance = tolerance.gradients;
    near(
        "probabilities",
        &numbers(&model.predict(images.clone()).unwrap()),
        &keras.probabilities.concat(),
        tolerance,
    );
    let convolutions: Vec<&str> =
        model.layers().filter(|(_, kind)| *kind == "Conv2D").map(|(name, _)| name).collect();
    for watched in [&[][..], &convolutions] {
        println!("with {watched:?} watched");
        let (loss, logits, gradients) = step(&model, &images, &fixture.labels, watched);
        near("loss", &[loss], &[keras.loss], tolerance);
        near("logits", &numbers(&logits), &keras.logits.concat(), tolerance);
        for (i, parameter) in model.parameters().iter().enumerate() {
            let error =
                keras.gradients[&parameter.name].error(gradients.get(i).unwrap(), tolerance);
            judge(&format!("gradient of {}", parameter.name), error);
        }
    }
}

fn five_adam_steps<T: Kernels>(fixture: &Fixture, keras: &Results, tolerance: &Tolerance) {
    let mut model = build::<T>(fixture);
    let images = fixture.adam.images.tensor();
    let mut optimizer = OptimizerConfig::adam().build().unwrap();
    let mut losses = Vec::new();
    for _ in 0..fixture.adam.steps {
        let (loss, _, gradients) = step(&model, &images, &fixture.labels, &[]);
        losses.push(loss);
        optimizer.step(model.parameters_mut(), &gradients, fixture.adam.learning_rate).unwrap();
    }
    near("losses", &losses, &keras.adam_losses, tolerance.adam);
    for parameter in model.parameters() {
        let error = keras.after_adam[&parameter.name].error(&parameter.value, tolerance.adam);
        judge(&format!("{} after Adam", parameter.name), error);
    }
}

#[test]
fn small_network() {
    let fixture: Fixture = read("small.json");
    loss_probabilities_gradients::<f32>(&fixture, &fixture.float32, &F32);
    loss_probabilities_gradients::<f64>(&fixture, &fixture.float64, &F64);
    five_adam_steps::<f32>(&fixture, &fixture.float32, &F32);
    five_adam_steps::<f64>(&fixture, &fixture.float64, &F64);
}

#[test]
fn flagship_in_f32() {
    let fixture: Fixture = read("flagship.json");
    loss_probabilities_gradients::<f32>(&fixture, &fixture.float32, &F32);
    five_adam_steps::<f32>(&fixture, &fixture.float32, &F32);
}

#[test]
fn flagship_in_f64() {
    let fixture: Fixture = read("flagship.json");
    loss_probabilities_gradients::<f64>(&fixture, &fixture.float64, &F64);
    five_adam_steps::<f64>(&fixture, &fixture.float64, &F64);
}

/// The digest of a large tensor is small, so it must detect a single wrong entry.
#[test]
fn digests_notice_one_wrong_entry() {
    let fixture: Fixture = read("flagship.json");
    let model = build::<f64>(&fixture);
    let (_, _, gradients) = step(&model, &fixture.images.tensor(), &fixture.labels, &[]);
    let i = model.parameters().iter().position(|p| p.name == "dense1.weight").unwrap();
    let mut gradient = gradients.get(i).unwrap().clone();
    let digest = &fixture.float64.gradients["dense1.weight"];
    let magnitude = numbers(&gradient).iter().fold(0.0f64, |m, v| m.max(v.abs()));
    gradient.as_mut_slice()[5_000_001] += 1e-6 * magnitude;
    assert!(digest.error(&gradient, F64.gradients) > 1.0);
}

#[derive(Deserialize)]
struct GradcamFixture {
    images: Spec,
    layer: String,
    maps: Vec<GradcamMaps>,
}

#[derive(Deserialize)]
struct GradcamMaps {
    image: usize,
    class: usize,
    /// After ReLU, neither stretched nor normalised.
    raw: Map,
    /// Stretched to the image's size, then normalised.
    stretched: Map,
}

#[derive(Deserialize)]
struct Map {
    shape: [usize; 2],
    max: f64,
    sum: f64,
    /// The value in `values` that stands for `max`.
    unit: f64,
    /// Which rows are kept: the first, and every n-th.
    every: usize,
    values: Vec<f64>,
}

impl Map {
    /// The largest error relative to the map's largest value; 0 for a map that is zero throughout,
    /// as it must be.
    fn error<T: Kernels>(&self, map: &Tensor<T>) -> f64 {
        assert_eq!(map.dims(), self.shape);
        assert!(map.is_finite());
        let all = numbers(map);
        if self.max == 0.0 {
            assert!(all.iter().all(|&v| v == 0.0), "not zero throughout");
            return 0.0;
        }
        let kept = all.chunks(self.shape[1]).step_by(self.every).flatten();
        let expected = self.values.iter().map(|v| v / self.unit * self.max);
        assert_eq!(kept.clone().count(), self.values.len());
        let pixels = kept.zip(expected).map(|(a, b)| (a - b).abs());
        // What the fixture rounds away is not ours. The sum reaches the rows that are not kept:
        // independent errors add up to the root of their number.
        let pixels = pixels.fold(0.0, f64::max) - 0.5 / self.unit * self.max;
        let max = (all.iter().copied().fold(0.0, f64::max) - self.max).abs();
        let sum = (all.iter().sum::<f64>() - self.sum).abs() / (all.len() as f64).sqrt();
        pixels.max(max).max(sum) / self.max
    }
}

/// All images of a fixture go through together, once for each class.
fn gradcam<T: Kernels>(name: &str, raw_tolerance: f64, stretched_tolerance: f64) {
    let keras: GradcamFixture = read(&format!("gradcam_{name}.json"));
    let model = build::<T>(&read(&format!("{name}.json")));
    let images = keras.images.tensor::<T>();
    let explainer = Cam::new(GradCam).layer(&keras.layer);
    let (mut raw, mut stretched, mut flat) = (0.0f64, 0.0f64, 0);
    for class in 0..model.classes() {
        let targets = vec![Target::Class(class); images.dims()[0]];
        let found = explainer.explain(&model, &images, &targets).unwrap();
        let expected: Vec<_> = keras.maps.iter().filter(|maps| maps.class == class).collect();
        assert_eq!(expected.len(), found.len());
        for maps in expected {
            let ours = &found[maps.image];
            assert_eq!(ours.class, class);
            raw = raw.max(maps.raw.error(&ours.map));
            stretched = stretched
                .max(maps.stretched.error(&ours.clone().aligned(Alignment::Corners).normalized()));
            flat += usize::from(maps.raw.max == 0.0);
        }
    }
    println!(
        "Grad-CAM of {name} in {}: {} maps, {flat} of them zero; largest error, relative to the \
         map's largest value: raw {raw:.1e}, stretched {stretched:.1e}",
        T::NAME,
        keras.maps.len(),
    );
    judge("raw maps", raw / raw_tolerance);
    judge("stretched maps", stretched / stretched_tolerance);
}

#[test]
fn gradcam_of_the_small_network() {
    gradcam::<f32>("small", 1e-5, 1e-4);
    gradcam::<f64>("small", 1e-9, 1e-9);
}

#[test]
fn gradcam_of_the_flagship() {
    gradcam::<f32>("flagship", 1e-5, 1e-4);
    gradcam::<f64>("flagship", 1e-9, 1e-9);
}

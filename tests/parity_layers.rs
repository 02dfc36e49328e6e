//! Parity with Keras, layer by layer and loss by loss: strides, asymmetric padding, windows that
//! overlap or leave gaps, activations, extreme logits. Whole networks are in `parity.rs`.

#[path = "fixtures/keras/formula.rs"]
mod formula;

use formula::{Digest, Spec, judge, near, numbers, read};
use nn_core::Kernels;
use nn_core::layers::Padding;
use nn_core::layers::{
    Activation, AveragePool2D, Conv2D, Dense, Forward, GlobalAveragePool2D, Layer, MaxPool2D,
};
use nn_core::loss::Loss;
use nn_core::rng::Rng;
use nn_core::{Shape, Tape, Tensor};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct LayerFixture {
    cases: Vec<LayerCase>,
}

#[derive(Deserialize)]
struct LayerCase {
    #[serde(flatten)]
    layer: Description,
    input: Spec,
    weight: Option<Spec>,
    bias: Option<Spec>,
    /// The gradients are those of the sum of the output times these weights.
    factors: Spec,
    output: Digest,
    gradients: LayerGradients,
}

#[derive(Deserialize)]
struct LayerGradients {
    input: Digest,
    weight: Option<Digest>,
    bias: Option<Digest>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Description {
    Conv {
        filters: usize,
        kernel: (usize, usize),
        stride: (usize, usize),
        padding: Padding,
        activation: Activation,
    },
    MaxPool {
        window: (usize, usize),
        stride: (usize, usize),
    },
    AveragePool {
        window: (usize, usize),
        stride: (usize, usize),
    },
    GlobalAveragePool,
    Dense {
        units: usize,
        activation: Activation,
    },
}

impl Description {
    fn layer<T: Kernels>(&self) -> Arc<dyn Layer<T>> {
        match *self {
            Self::Conv { filters, kernel, stride, padding, activation } => Arc::new(
                Conv2D::new(filters, kernel).stride(stride).padding(padding).activation(activation),
            ),
            Self::MaxPool { window, stride } => Arc::new(MaxPool2D::new(window).stride(stride)),
            Self::AveragePool { window, stride } => {
                Arc::new(AveragePool2D::new(window).stride(stride))
            }
            Self::GlobalAveragePool => Arc::new(GlobalAveragePool2D::new()),
            Self::Dense { units, activation } => Arc::new(Dense::new(units).activation(activation)),
        }
    }
}

fn one_layer<T: Kernels>(case: &LayerCase, tolerance: f64) {
    let what = format!("{:?} in {}", case.layer, T::NAME);
    let layer = case.layer.layer::<T>();
    let mut tape = Tape::<T>::new();
    let x = tape.leaf(case.input.tensor());
    let parameters: Vec<_> = [&case.weight, &case.bias]
        .into_iter()
        .flatten()
        .map(|spec| tape.leaf(spec.tensor()))
        .collect();

    let input = [Shape::from(&x.dims()[1..])];
    let asked = layer.parameters(&input).unwrap();
    let shapes: Vec<_> = asked.iter().map(|spec| &spec.shape).collect();
    assert_eq!(shapes, parameters.iter().map(|p| p.shape()).collect::<Vec<_>>(), "{what}");

    let mut rng = Rng::new(0, 0);
    let mut cx = Forward::new(&tape, true, &mut rng);
    let y = layer.forward(&mut cx, vec![x.clone()], &parameters).unwrap();
    assert_eq!(layer.output_shape(&input).unwrap().dims(), &y.dims()[1..], "{what}");
    judge(&format!("output of {what}"), case.output.error(y.value(), tolerance));

    tape.backward_from(&y, case.factors.tensor()).unwrap();
    let gradients = &case.gradients;
    let digests = [Some(&gradients.input), gradients.weight.as_ref(), gradients.bias.as_ref()];
    for ((name, digest), var) in ["input", "weight", "bias"]
        .iter()
        .zip(digests.into_iter().flatten())
        .zip(std::iter::once(&x).chain(&parameters))
    {
        let error = digest.error(tape.grad(var).unwrap(), tolerance);
        judge(&format!("gradient of the {name} of {what}"), error);
    }
}

#[test]
fn layers() {
    let fixture: LayerFixture = read("layers.json");
    assert!(!fixture.cases.is_empty());
    for case in &fixture.cases {
        // There is no f32 fixture: Keras in f64 is the better reference for both.
        one_layer::<f32>(case, F32);
        one_layer::<f64>(case, F64);
    }
}

/// The tolerance, relative to a tensor's largest magnitude.
const F32: f64 = 1e-5;
const F64: f64 = 1e-9;

#[derive(Deserialize)]
struct LossFixture {
    cases: Vec<LossCase>,
}

#[derive(Deserialize)]
struct LossCase {
    loss: Loss,
    case: String,
    predictions: Vec<Vec<f64>>,
    targets: Vec<Vec<f64>>,
    float32: LossResult,
    float64: LossResult,
}

#[derive(Deserialize)]
struct LossResult {
    value: f64,
    gradient: Vec<Vec<f64>>,
}

fn matrix<T: Kernels>(rows: &[Vec<f64>]) -> Tensor<T> {
    let values = rows.concat().into_iter().map(T::from_f64).collect();
    Tensor::from_vec([rows.len(), rows[0].len()], values).unwrap()
}

fn one_loss<T: Kernels>(case: &LossCase, keras: &LossResult, tolerance: f64) {
    let mut tape = Tape::<T>::new();
    let predictions = tape.leaf(matrix(&case.predictions));
    let loss = case.loss.apply(&tape, &predictions, &matrix(&case.targets)).unwrap();
    tape.backward(&loss).unwrap();
    let what = format!("{} {} in {}", case.loss.name(), case.case, T::NAME);
    near(&what, &[loss.value().item().unwrap().as_f64()], &[keras.value], tolerance);
    let gradient = numbers(tape.grad(&predictions).unwrap());
    near(&format!("gradient of {what}"), &gradient, &keras.gradient.concat(), tolerance);
}

#[test]
fn losses() {
    let fixture: LossFixture = read("losses.json");
    assert!(!fixture.cases.is_empty());
    for case in &fixture.cases {
        one_loss::<f32>(case, &case.float32, F32);
        one_loss::<f64>(case, &case.float64, F64);
    }
}

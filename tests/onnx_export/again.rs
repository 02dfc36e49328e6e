//! A model beside the one that is read from its file.

use nn_core::layers::Parameter;
use nn_core::model::{Model, NamedLayer, Pass};
use nn_core::rng::Rng;
use nn_core::{Tape, Tensor};
use nn_onnx::{Export, Imported, ReadOptions};
use std::collections::BTreeMap;

/// Outputs and gradients agree to this share of the largest number.
const TOLERANCE: f64 = 1e-6;

/// The model with other biases, factors and statistics than at first, so that none is 0 or 1: a wrong one would show.
pub fn stirred(mut model: Model) -> Model {
    let mut rng = Rng::new(27, 1);
    let drawn = |parameter: &Parameter| parameter.value.shape().rank() > 1 && !is_zero(parameter);
    for parameter in model.parameters_mut().iter_mut().filter(|parameter| !drawn(parameter)) {
        let is_positive = parameter.name.ends_with("running_var");
        let mut stir = |v: f32| {
            let v = v + rng.uniform_in(-0.2, 0.2) as f32;
            if is_positive { v.abs() + 0.1 } else { v }
        };
        let values = parameter.value.as_slice().iter().map(|&v| stir(v)).collect();
        parameter.value = Tensor::from_vec(parameter.value.dims(), values).unwrap().into();
    }
    model
}

fn is_zero(parameter: &Parameter) -> bool {
    parameter.value.as_slice().iter().all(|&v| v == 0.0)
}

/// Two samples for a model, of pixels from 0 to 255 if it brings them into its range itself.
pub fn samples(model: &Model) -> Tensor {
    let mut rng = Rng::new(3, 4);
    let pixels = model.front().count() > 0;
    Tensor::from_fn(model.input_shape().batched(2), |_| match pixels {
        true => (rng.uniform() * 256.0).floor() as f32,
        false => (rng.uniform() * 3.0 - 1.2) as f32,
    })
}

/// The output, and the gradient of the input for a fixed one of the output.
fn computed(model: &Model, x: Tensor) -> [Vec<f32>; 2] {
    let mut tape = Tape::<f32>::new();
    let x = tape.leaf(x);
    let pass = model.forward(&tape, x.clone(), Pass::inference().frozen()).unwrap();
    let factor = |i: usize| 0.25 + (i % 7) as f32 * 0.125;
    let gradient = Tensor::from_fn(pass.output.shape(), factor);
    tape.backward_from(&pass.output, gradient).unwrap();
    let of = |tensor: &Tensor| tensor.as_slice().to_vec();
    [of(pass.output.value()), tape.grad(&x).map(of).unwrap_or_default()]
}

fn difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1e-3f64, |largest, v| largest.max(f64::from(v.abs())));
    let apart = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()));
    assert!(a.iter().all(|v| v.is_finite()));
    apart.fold(0.0, f64::max) / largest
}

/// Shape, numbers, and whether it is state or trained.
type Content<'a> = (&'a [usize], &'a [f32], [bool; 2]);

/// The content of each parameter.
fn parameters(model: &Model) -> BTreeMap<&str, Content<'_>> {
    let of = |parameter: &Parameter| [parameter.state, parameter.is_trained()];
    let all = model.parameters().iter();
    all.map(|p| (p.name.as_str(), (p.value.dims(), p.value.as_slice(), of(p)))).collect()
}

/// What is read from the model's file.
pub struct Again {
    pub imported: Imported,
    /// Whether output and gradient have the same bits.
    pub same_bits: bool,
    /// Whether it has the same layers, as files have them.
    pub same_layers: bool,
}

/// What is read from the model's file, or in what it differs from the model: in shapes, parameters, output or gradient.
pub fn read_again(model: &Model) -> Result<Again, String> {
    let bytes = Export::new(model).to_bytes().map_err(|error| error.to_string())?;
    let same = |is_same: bool, what: String| if is_same { Ok(()) } else { Err(what) };
    same(Export::new(model).to_bytes().is_ok_and(|again| again == bytes), "other bytes".into())?;
    let imported = nn_onnx::read_bytes(bytes, &ReadOptions::default());
    let imported = imported.map_err(|error| error.to_string())?;
    let read = &imported.model;
    same(read.input_shape() == model.input_shape(), format!("input {}", read.input_shape()))?;
    same(read.output_kind() == model.output_kind(), format!("{:?}", read.output_kind()))?;
    let (ours, theirs) = (parameters(model), parameters(read));
    same(theirs.keys().eq(ours.keys()), format!("{:?} from {:?}", theirs.keys(), ours.keys()))?;
    for (name, values) in &ours {
        same(theirs[name] == *values, format!("{name} differs"))?;
    }
    let x = samples(model);
    let (ours, theirs) = (computed(model, x.clone()), computed(read, x));
    for (what, (ours, theirs)) in ["output", "dx"].iter().zip(ours.iter().zip(&theirs)) {
        let apart = difference(theirs, ours);
        same(apart <= TOLERANCE, format!("{what} differs by {apart:e}"))?;
    }
    let same_bits = ours == theirs;
    let same_layers = layers_of_file(read) == layers_of_file(model);
    Ok(Again { imported, same_bits, same_layers })
}

/// The names and kinds of the layers of a model as its file has them: what does nothing at inference is not there, an
/// activation stands behind its layer, a depthwise convolution is one of groups, and the mean of a whole image always the
/// same layer. Reshapes are ONNX's own matter.
fn layers_of_file(model: &Model) -> BTreeMap<String, String> {
    let mut layers = BTreeMap::new();
    for NamedLayer { name, layer, .. } in model.architecture().unwrap().layers {
        let kind = match layer.kind() {
            "Dropout" | "StochasticDepth" | "Reshape" => continue,
            "DepthwiseConv2D" => "Conv2D",
            "AdaptiveAveragePool2D" => "GlobalAveragePool2D",
            kind => kind,
        };
        let activation = layer.settings().find(|(setting, _)| *setting == "activation");
        if let Some(activation) = activation.and_then(|(_, value)| value.as_str())
            && activation != "linear"
        {
            layers.insert(format!("{name}/{activation}"), "Activation".to_owned());
        }
        layers.insert(name, kind.to_owned());
    }
    layers
}

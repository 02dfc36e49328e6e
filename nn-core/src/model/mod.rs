//! Models: sequences of layers with their parameters, and their files.
//!
//! A [`Sequential`] is built once, with every shape inferred and checked; after that only its
//! parameters can change. Parameters are named `LAYER.PART` (`conv1.weight`) and have a fixed order.
//!
//! ```
//! use nn_core::layers::{Activation, Conv2D, Dense, Flatten, MaxPool2D, Rescaling};
//! use nn_core::model::Sequential;
//!
//! let model: Sequential = Sequential::builder([32, 32, 3])
//!     .layer(Rescaling::new(1.0 / 255.0))
//!     .layer(Conv2D::new(8, 3).activation(Activation::Relu))
//!     .layer(MaxPool2D::new(2))
//!     .layer(Flatten::new())
//!     .layer(Dense::new(2).activation(Activation::Softmax))
//!     .build(27)?;
//! assert_eq!(model.get("conv1.weight").unwrap().value.dims(), [8, 3, 3, 3]);
//! assert_eq!(model.parameter_count(), 224 + 3602);
//! println!("{}", model.summary());
//! # Ok::<(), nn_core::Error>(())
//! ```

mod architecture;
mod builder;
mod file;
mod forward;
mod predictor;
mod receptive_field;
mod reference;
pub mod safetensors;
mod summary;

pub use architecture::{Architecture, NamedLayer};
pub use builder::SequentialBuilder;
pub use file::{ModelFile, load, save, save_with};
pub use forward::{Output, Pass};
pub use predictor::Predictor;
pub use receptive_field::{ReceptiveAxis, ReceptiveField};
pub use reference::ReferenceCnn;
#[doc(hidden)]
pub use summary::thousands;
pub use summary::{Summary, SummaryRow};

use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{Layer, LayerConfig, OutputKind, Parameter};
use crate::rng::{Rng, stream};
use crate::tensor::{Shape, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// A sequence of layers, with their parameters.
///
/// Clones share the parameters' memory until one of them changes it.
#[derive(Debug, Clone)]
pub struct Sequential<T: Kernels = f32> {
    name: String,
    input: Shape,
    stages: Vec<Stage<T>>,
    parameters: Vec<Parameter<T>>,
    output: OutputKind,
}

/// One layer of a model.
#[derive(Debug, Clone)]
struct Stage<T: Kernels> {
    name: String,
    layer: Arc<dyn Layer<T>>,
    /// The layer's configuration, if it is a built-in one.
    config: Option<LayerConfig>,
    /// Shape of its output, without the batch dimension.
    output: Shape,
    /// The range of its parameters among the model's.
    parameters: Range<usize>,
}

impl<T: Kernels> Stage<T> {
    /// Its name in errors: `conv3 (Conv2D)`.
    fn label(&self) -> String {
        label(&self.name, self.layer.kind())
    }
}

fn label(name: &str, kind: &str) -> String {
    format!("{name} ({kind})")
}

impl Sequential {
    /// Starts a network in `f32` for inputs of this shape, without the batch dimension:
    /// `[height, width, channels]` for images. For `f64` use [`SequentialBuilder::new`].
    pub fn builder(input: impl Into<Shape>) -> SequentialBuilder {
        SequentialBuilder::new(input)
    }
}

impl<T: Kernels> Sequential<T> {
    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape of an input, without the batch dimension.
    pub fn input_shape(&self) -> &Shape {
        &self.input
    }

    /// The shape of the output, without the batch dimension.
    pub fn output_shape(&self) -> &Shape {
        self.stages.last().map_or(&self.input, |stage| &stage.output)
    }

    /// The number of outputs, one per class in a classifier.
    pub fn classes(&self) -> usize {
        self.output_shape().len()
    }

    /// The output kind.
    pub fn output_kind(&self) -> OutputKind {
        self.output
    }

    /// The layers' names and kinds, in order.
    pub fn layers(&self) -> impl DoubleEndedIterator<Item = (&str, &'static str)> {
        self.stages.iter().map(|stage| (stage.name.as_str(), stage.layer.kind()))
    }

    /// The name of the last convolution, Grad-CAM's default layer.
    pub fn last_convolution(&self) -> Option<&str> {
        let is_convolution =
            |stage: &&Stage<T>| matches!(stage.config, Some(LayerConfig::Conv2D(_)));
        self.stages.iter().rev().find(is_convolution).map(|stage| stage.name.as_str())
    }

    /// The shape of a layer's output, without the batch dimension.
    ///
    /// # Errors
    /// If there is no layer of that name.
    pub fn layer_output_shape(&self, layer: &str) -> Result<&Shape> {
        Ok(&self.stages[self.stage_index(layer)?].output)
    }

    fn stage_index(&self, layer: &str) -> Result<usize> {
        self.stages.iter().position(|stage| stage.name == layer).ok_or_else(|| {
            let names: Vec<_> = self.layers().map(|(name, _)| name).collect();
            Error::setting("the layer", format!("one of {}", names.join(", ")), layer, "choose one")
        })
    }

    /// The parameters, in order.
    pub fn parameters(&self) -> &[Parameter<T>] {
        &self.parameters
    }

    /// The parameters, for an optimiser. Their shapes and order must not change.
    pub fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut self.parameters
    }

    /// The parameters of one layer, in order; empty for a layer without parameters.
    ///
    /// # Errors
    /// If there is no layer of that name.
    pub fn layer_parameters(&self, layer: &str) -> Result<&[Parameter<T>]> {
        Ok(&self.parameters[self.stages[self.stage_index(layer)?].parameters.clone()])
    }

    /// The parameter of this name: `conv1.weight`.
    pub fn get(&self, name: &str) -> Option<&Parameter<T>> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Replaces the value of a parameter.
    ///
    /// # Errors
    /// If there is no such parameter, or its shape is different.
    pub fn set(&mut self, name: &str, value: impl Into<Arc<Tensor<T>>>) -> Result<()> {
        let value = value.into();
        let Some(parameter) = self.parameters.iter_mut().find(|p| p.name == name) else {
            let names: Vec<_> = self.parameters.iter().map(|p| p.name.as_str()).collect();
            return Err(Error::setting(
                "the parameter",
                format!("one of {}", names.join(", ")),
                name,
                "choose one",
            ));
        };
        if parameter.value.shape() != value.shape() {
            return Err(Error::shape(
                name,
                format!("a tensor of shape {}", parameter.value.shape()),
                value.shape(),
                "a parameter's shape is fixed when the model is built",
            ));
        }
        parameter.value = value;
        Ok(())
    }

    /// Draws a layer's parameters anew from its initialisers and `seed`. They are independent of those
    /// that [`build`](SequentialBuilder::build) drew from the same seed: a trained weight is still
    /// correlated with its initial value.
    ///
    /// # Errors
    /// If there is no layer of that name.
    pub fn reinitialize(&mut self, layer: &str, seed: u64) -> Result<()> {
        let at = self.stage_index(layer)?;
        let input = at.checked_sub(1).map_or(&self.input, |before| &self.stages[before].output);
        let specs = self.stages[at].layer.parameters(input)?;
        for (i, spec) in self.stages[at].parameters.clone().zip(specs) {
            let mut rng = Rng::new(seed, stream::RANDOMIZE + i as u64);
            let value = spec.initializer.tensor(&spec.shape, spec.fans, &mut rng);
            self.parameters[i].value = Arc::new(value);
        }
        Ok(())
    }

    /// The number of elements of all parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(|parameter| parameter.value.len()).sum()
    }

    /// The same model in another precision, for example `f64` for gradient checks.
    ///
    /// # Errors
    /// If a layer is not a built-in one: it exists in one precision only.
    pub fn cast<U: Kernels>(&self) -> Result<Sequential<U>> {
        let stage = |stage: &Stage<T>| {
            let Some(config) = stage.config.clone() else {
                return Err(architecture::not_built_in(&stage.label()));
            };
            Ok(Stage {
                name: stage.name.clone(),
                layer: config.clone().into_layer(),
                config: Some(config),
                output: stage.output.clone(),
                parameters: stage.parameters.clone(),
            })
        };
        let parameter = |parameter: &Parameter<T>| Parameter {
            name: parameter.name.clone(),
            value: Arc::new(parameter.value.cast()),
            trainable: parameter.trainable,
        };
        Ok(Sequential {
            name: self.name.clone(),
            input: self.input.clone(),
            stages: self.stages.iter().map(stage).collect::<Result<_>>()?,
            parameters: self.parameters.iter().map(parameter).collect(),
            output: self.output,
        })
    }
}

#[cfg(test)]
mod tests;

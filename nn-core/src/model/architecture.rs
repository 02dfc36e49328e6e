//! The architecture of a network as data.

use super::{Sequential, SequentialBuilder};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{LayerConfig, OutputKind};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// A network without its parameters, as saved in a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The model's name.
    pub name: String,
    /// The shape of an input, without the batch dimension.
    pub input: Vec<usize>,
    /// The layers, in order.
    pub layers: Vec<NamedLayer>,
    /// The output kind.
    pub output: OutputKind,
}

/// A layer and its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedLayer {
    /// The layer's name within the model.
    pub name: String,
    /// The layer.
    pub layer: LayerConfig,
}

impl Architecture {
    /// A builder with these layers.
    pub fn builder<T: Kernels>(self) -> SequentialBuilder<T> {
        let mut builder =
            SequentialBuilder::new(self.input).name(self.name).output_as_built(self.output);
        for NamedLayer { name, layer } in self.layers {
            builder = builder.shared_layer(Some(name), layer.into_layer());
        }
        builder
    }
}

impl<T: Kernels> Sequential<T> {
    /// The network's architecture.
    ///
    /// # Errors
    /// If a layer is not a built-in one.
    pub fn architecture(&self) -> Result<Architecture> {
        let layer = |stage: &super::Stage<T>| match &stage.config {
            Some(layer) => Ok(NamedLayer { name: stage.name.clone(), layer: layer.clone() }),
            None => Err(not_built_in(&stage.label())),
        };
        Ok(Architecture {
            name: self.name.clone(),
            input: Shape::dims(&self.input).to_vec(),
            layers: self.stages.iter().map(layer).collect::<Result<_>>()?,
            output: self.output,
        })
    }
}

/// The error for a layer that is not built in and cannot be saved.
pub(super) fn not_built_in(layer: &str) -> Error {
    Error::setting(
        "a layer to be stored or cast",
        "one of the built-in kinds",
        layer,
        "rebuild the model in code and copy its parameters with `set`",
    )
}

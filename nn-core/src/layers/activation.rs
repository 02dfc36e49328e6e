//! Activation functions: as part of a layer, as a layer, and as the output kind of a network.

use super::{Forward, Layer, LayerConfig, LayerSpec, single};
use crate::autograd::{Tape, Var};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An activation function, as part of a layer or as a layer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Activation {
    /// The identity.
    #[default]
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `exp(x) / sum exp(x)` over the last dimension.
    Softmax,
}

impl Activation {
    /// Applies it to `x`, in place if `x` is not shared.
    ///
    /// # Errors
    /// For softmax, if `x` has no dimension.
    pub fn apply<T: Kernels>(self, tape: &Tape<T>, x: Var<T>) -> Result<Var<T>> {
        match self {
            Self::Linear => Ok(x),
            Self::Relu => Ok(tape.relu(x)),
            Self::Sigmoid => Ok(tape.sigmoid(x)),
            Self::Tanh => Ok(tape.tanh(x)),
            Self::Softmax => tape.softmax(x),
        }
    }
}

impl LayerSpec for Activation {
    fn kind(&self) -> &'static str {
        "Activation"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), &BTreeMap::from([("function", self)]))
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(single("Activation", inputs)?.clone())
    }
}

impl<T: Kernels> Layer<T> for Activation {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        self.apply(cx.tape, single("Activation", inputs)?)
    }
}

/// The meaning of a network's outputs.
///
/// A network computes logits, because losses computed from logits are numerically stable and Grad-CAM
/// needs logits. The output kind defines the step from logits to predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OutputKind {
    /// Logits of classes of which exactly one is right: softmax turns them into probabilities.
    Softmax,
    /// Logits of independent binary classifications: the sigmoid turns each into a probability.
    Sigmoid,
    /// Plain numbers, for regression for example.
    #[default]
    Linear,
}

impl OutputKind {
    /// The activation that turns logits into predictions.
    pub fn activation(self) -> Activation {
        match self {
            Self::Softmax => Activation::Softmax,
            Self::Sigmoid => Activation::Sigmoid,
            Self::Linear => Activation::Linear,
        }
    }

    /// The output kind whose predictions are computed by this activation, if any.
    pub(crate) fn of_activation(activation: Activation) -> Option<Self> {
        match activation {
            Activation::Softmax => Some(Self::Softmax),
            Activation::Sigmoid => Some(Self::Sigmoid),
            _ => None,
        }
    }

    /// Predictions from logits.
    ///
    /// # Errors
    /// Those of [`Activation::apply`].
    pub fn apply<T: Kernels>(self, tape: &Tape<T>, logits: Var<T>) -> Result<Var<T>> {
        self.activation().apply(tape, logits)
    }
}

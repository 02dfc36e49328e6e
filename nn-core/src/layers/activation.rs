//! Activation functions, as part of a layer, as a layer, and at a network's end.

use super::{Forward, Layer, LayerSpec};
use crate::autograd::{Tape, Var};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// A function applied to a layer's output; also a layer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Activation {
    /// None.
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
    /// Applies it to `x`, in place where nobody else needs `x`.
    ///
    /// # Errors
    /// If `x` has no last dimension to take a softmax over.
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

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        Ok(input.clone())
    }
}

impl<T: Kernels> Layer<T> for Activation {
    fn forward(&self, cx: &mut Forward<'_, T>, x: Var<T>, _: &[Var<T>]) -> Result<Var<T>> {
        self.apply(cx.tape, x)
    }
}

/// What a network's last numbers mean.
///
/// A network computes logits, for losses are exact and stable when they start there and Grad-CAM
/// asks for them; this is the step from there to what people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OutputKind {
    /// Logits of classes of which exactly one is right: softmax makes them probabilities.
    Softmax,
    /// Logits of independent yes-or-no questions: the sigmoid makes each a probability.
    Sigmoid,
    /// Plain numbers, as in regression.
    #[default]
    Linear,
}

impl OutputKind {
    /// The function that leads from logits to predictions.
    pub fn activation(self) -> Activation {
        match self {
            Self::Softmax => Activation::Softmax,
            Self::Sigmoid => Activation::Sigmoid,
            Self::Linear => Activation::Linear,
        }
    }

    /// The output whose predictions end in this activation, if there is one.
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
    /// As of [`Activation::apply`].
    pub fn apply<T: Kernels>(self, tape: &Tape<T>, logits: Var<T>) -> Result<Var<T>> {
        self.activation().apply(tape, logits)
    }
}

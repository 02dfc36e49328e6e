//! Activation functions: as part of a layer, as a layer, and as the output kind of a network.

use super::{Forward, Layer, LayerConfig, LayerSpec, single};
use crate::autograd::{Gelu, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::activation::Activation as Elementwise;
use crate::kernels::functions::Function;
use crate::tensor::Shape;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// An activation function, as part of a layer or as a layer of its own.
///
/// ```
/// use nn_core::layers::Activation;
/// let stored = |activation| serde_json::to_string(&activation).unwrap();
/// assert_eq!(stored(Activation::HardSwish), r#""hard_swish""#);
/// assert_eq!(stored(Activation::LeakyRelu { slope: 0.1 }), r#"{"leaky_relu":{"slope":0.1}}"#);
/// // The name alone means the usual settings.
/// let read: Activation = serde_json::from_str(r#""leaky_relu""#).unwrap();
/// assert_eq!(read, Activation::LeakyRelu { slope: 0.01 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "lowercase")]
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
    /// `x` above 0, `slope * x` elsewhere. PyTorch's slope is 0.01, Keras' 0.3.
    #[serde(rename = "leaky_relu")]
    LeakyRelu {
        /// The slope below 0.
        slope: f64,
    },
    /// `x` above 0, `alpha * (exp(x) - 1)` elsewhere. The usual alpha is 1.
    Elu {
        /// Minus the value far below 0.
        alpha: f64,
    },
    /// `x Phi(x)`, where `Phi` is the distribution function of the standard normal distribution.
    Gelu,
    /// The approximation of [`Activation::Gelu`] by `tanh`.
    #[serde(rename = "gelu_tanh")]
    GeluTanh,
    /// `x * sigmoid(x)`, also called Swish.
    Silu,
    /// `x * clamp(x + 3, 0, 6) / 6`.
    #[serde(rename = "hard_swish")]
    HardSwish,
    /// `clamp(alpha * x + beta, 0, 1)`: [`Activation::HARD_SIGMOID`] is the usual one.
    #[serde(rename = "hard_sigmoid")]
    HardSigmoid {
        /// The slope.
        alpha: f64,
        /// The value at 0.
        beta: f64,
    },
    /// `clamp(x, 0, 6)`.
    Relu6,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x * tanh(softplus(x))`.
    Mish,
}

impl Activation {
    /// The hard sigmoid of MobileNetV3, PyTorch and Keras 3: `clamp(x / 6 + 0.5, 0, 1)`. ONNX's default is
    /// `alpha` 0.2.
    pub const HARD_SIGMOID: Self = Self::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 };

    /// Applies it to `x`, in place if `x` is not shared.
    ///
    /// # Errors
    /// For softmax, if `x` has no dimension; if a setting is not finite.
    pub fn apply<T: Kernels>(self, tape: &Tape<T>, x: Var<T>) -> Result<Var<T>> {
        match self {
            Self::Linear => Ok(x),
            Self::Relu => Ok(tape.relu(x)),
            Self::Softmax => tape.softmax(x),
            _ => match self.function()? {
                Some(function) => Ok(tape.function(function, x)),
                None => Err(Error::Internal(format!("nothing computes {self:?}"))),
            },
        }
    }

    /// The function of one number that it is; none for the identity, ReLU and softmax, which are computed
    /// otherwise.
    ///
    /// # Errors
    /// If a setting is not finite.
    pub(crate) fn function(self) -> Result<Option<Function>> {
        self.check()?;
        Ok(Some(Function::Activation(match self {
            Self::Linear | Self::Relu | Self::Softmax => return Ok(None),
            Self::Sigmoid => Elementwise::Sigmoid,
            Self::Tanh => Elementwise::Tanh,
            Self::LeakyRelu { slope } => Elementwise::LeakyRelu { slope },
            Self::Elu { alpha } => Elementwise::Elu { alpha },
            Self::Gelu => Elementwise::Gelu(Gelu::Exact),
            Self::GeluTanh => Elementwise::Gelu(Gelu::Tanh),
            Self::Silu => Elementwise::Silu,
            Self::HardSwish => Elementwise::HardSwish,
            Self::HardSigmoid { alpha, beta } => Elementwise::HardSigmoid { alpha, beta },
            Self::Relu6 => Elementwise::Relu6,
            Self::Softplus => Elementwise::Softplus,
            Self::Mish => Elementwise::Mish,
        })))
    }

    fn check(self) -> Result<()> {
        let settings = match self {
            Self::LeakyRelu { slope } => [("slope of leaky_relu", slope); 2],
            Self::Elu { alpha } => [("alpha of elu", alpha); 2],
            Self::HardSigmoid { alpha, beta } => {
                [("alpha of hard_sigmoid", alpha), ("beta of hard_sigmoid", beta)]
            }
            _ => return Ok(()),
        };
        match settings.into_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(()),
            Some((what, value)) => {
                Err(Error::setting(format!("the {what}"), "finite", value, "0.01 to 1 is usual"))
            }
        }
    }
}

impl Serialize for Activation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Activation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// An activation as it may be written: by its name alone, or with settings.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Activation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an activation, or { name = { settings } }")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Activation, E> {
        match name {
            "leaky_relu" => Ok(Activation::LeakyRelu { slope: 0.01 }),
            "elu" => Ok(Activation::Elu { alpha: 1.0 }),
            "hard_sigmoid" => Ok(Activation::HARD_SIGMOID),
            _ => Activation::deserialize(StrDeserializer::new(name)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Activation, A::Error> {
        Activation::deserialize(MapAccessDeserializer::new(map))
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
        self.check()?;
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

    fn without_activation(&self) -> Option<(Activation, Arc<dyn Layer<T>>)> {
        Some((*self, Arc::new(Self::Linear)))
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
    /// The name, as in files: `softmax`, `sigmoid` or `linear`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
            Self::Linear => "linear",
        }
    }

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

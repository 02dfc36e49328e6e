//! Functions of one number that are no activations: powers, logarithms, bounds.

use super::{Forward, Layer, LayerConfig, LayerSpec, single};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A function of each number, as a layer.
///
/// ```
/// use nn_core::Tensor;
/// use nn_core::layers::Function;
/// use nn_core::model::Sequential;
/// let squares = Sequential::builder([3]).layer(Function::Power { exponent: 2.0 }).build(1)?;
/// let x = Tensor::from_vec([1, 3], vec![1.0, -2.0, 3.0])?;
/// assert_eq!(squares.predict(x)?.as_slice(), [1.0, 4.0, 9.0]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Function {
    /// The absolute value.
    Abs,
    /// `min(max(x, low), high)`; a bound that is left out does not bound.
    Clamp {
        /// The smallest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low: Option<f64>,
        /// The largest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high: Option<f64>,
    },
    /// The error function.
    Erf,
    /// `e^x`.
    Exp,
    /// The natural logarithm.
    Log,
    /// `x` to this power.
    Power {
        /// The exponent.
        exponent: f64,
    },
    /// The square root.
    Sqrt,
}

/// A [`Function`] as data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FunctionLayer {
    pub function: Function,
}

impl LayerSpec for Function {
    fn kind(&self) -> &'static str {
        "Function"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), &BTreeMap::from([("function", self)]))
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let settings = match *self {
            Self::Clamp { low, high } => [low, high],
            Self::Power { exponent } => [Some(exponent), None],
            _ => [None; 2],
        };
        if let Some(broken) = settings.into_iter().flatten().find(|setting| !setting.is_finite()) {
            return Err(Error::setting(
                "the settings of a Function",
                "finite",
                broken,
                "leave a bound out where there is none",
            ));
        }
        Ok(single("Function", inputs)?.clone())
    }
}

impl<T: Kernels> Layer<T> for Function {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let (tape, x) = (cx.tape, single("Function", inputs)?);
        Ok(match *self {
            Self::Abs => tape.abs(x),
            Self::Clamp { low, high } => {
                tape.clamp(x, low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY))
            }
            Self::Erf => tape.erf(x),
            Self::Exp => tape.exp(x),
            Self::Log => tape.log(x),
            Self::Power { exponent: 2.0 } => tape.square(x),
            Self::Power { exponent } => tape.powf(x, exponent),
            Self::Sqrt => tape.sqrt(x),
        })
    }
}

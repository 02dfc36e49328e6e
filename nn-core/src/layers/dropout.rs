//! Dropout (Srivastava et al., 2014).

use super::{Forward, Layer, LayerSpec};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// In training, sets each number to zero with probability `rate` and divides the others by `1 - rate`;
/// in inference, does nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// The probability of dropping, at least 0 and below 1.
    pub rate: f64,
}

impl Dropout {
    /// Drops with probability `rate`.
    pub fn new(rate: f64) -> Self {
        Self { rate }
    }
}

impl LayerSpec for Dropout {
    fn kind(&self) -> &'static str {
        "Dropout"
    }

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Error::setting(
                "Dropout's rate",
                "at least 0 and below 1",
                self.rate,
                "0.5 is usual",
            ));
        }
        Ok(input.clone())
    }
}

impl<T: Kernels> Layer<T> for Dropout {
    fn forward(&self, cx: &mut Forward<'_, T>, x: Var<T>, _: &[Var<T>]) -> Result<Var<T>> {
        if cx.training && self.rate > 0.0 { cx.tape.dropout(x, self.rate, cx.rng) } else { Ok(x) }
    }
}

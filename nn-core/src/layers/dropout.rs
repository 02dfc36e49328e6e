//! Layers that leave out at random, in training: dropout (Srivastava et al., 2014) numbers, stochastic depth
//! (Huang et al., 2016) whole samples of a branch.

use super::{Forward, Layer, LayerConfig, LayerSpec, single};
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

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        check_rate("Dropout", self.rate, "0.5 is usual")?;
        Ok(single("Dropout", inputs)?.clone())
    }
}

impl<T: Kernels> Layer<T> for Dropout {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Dropout", inputs)?;
        if cx.training && self.rate > 0.0 { cx.tape.dropout(x, self.rate, cx.rng) } else { Ok(x) }
    }
}

/// In training, sets each sample to zero with probability `rate` and divides the others by `1 - rate`; in
/// inference, does nothing. It stands at the end of a residual block's branch, before the branch is added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StochasticDepth {
    /// The probability of dropping, at least 0 and below 1.
    pub rate: f64,
}

impl StochasticDepth {
    /// Drops with probability `rate`.
    pub fn new(rate: f64) -> Self {
        Self { rate }
    }
}

impl LayerSpec for StochasticDepth {
    fn kind(&self) -> &'static str {
        "StochasticDepth"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "drop_path".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        check_rate("StochasticDepth", self.rate, "0.1 to 0.5 is usual, less in early blocks")?;
        Ok(single("StochasticDepth", inputs)?.clone())
    }
}

impl<T: Kernels> Layer<T> for StochasticDepth {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("StochasticDepth", inputs)?;
        if cx.training && self.rate > 0.0 { cx.tape.drop_path(x, self.rate, cx.rng) } else { Ok(x) }
    }
}

fn check_rate(kind: &str, rate: f64, advice: &str) -> Result<()> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::setting(format!("{kind}'s rate"), "at least 0 and below 1", rate, advice))
}

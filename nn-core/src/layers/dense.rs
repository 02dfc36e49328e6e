//! The fully connected layer.

use super::defaults::{is_yes, yes};
use super::{
    Activation, Forward, Layer, LayerConfig, LayerSpec, ParameterSpec, single, weight_and_bias,
};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `activation(weight * x + bias)`: `[in]` to `[units]`.
///
/// Parameters: `weight [units, in]`, `bias [units]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// The number of outputs.
    pub units: usize,
    /// Whether there is a bias.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub bias: bool,
    /// Activation of the output.
    #[serde(default)]
    pub activation: Activation,
    /// Initialiser of the weight; biases are initialised to zero.
    #[serde(default)]
    pub initializer: Initializer,
}

impl Dense {
    /// `units` outputs, with a bias, without activation.
    pub fn new(units: usize) -> Self {
        Self {
            units,
            bias: true,
            activation: Activation::Linear,
            initializer: Initializer::default(),
        }
    }

    /// Sets whether there is a bias.
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets the activation.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets the initialiser of the weight.
    pub fn initializer(mut self, initializer: Initializer) -> Self {
        self.initializer = initializer;
        self
    }

    fn features(inputs: &[Shape]) -> Result<usize> {
        let input = single("Dense", inputs)?;
        match *input.dims() {
            [n] => Ok(n),
            _ => Err(Error::shape(
                "Dense",
                "a flat input [features]",
                input,
                "put Flatten or GlobalAveragePool2D before it",
            )),
        }
    }
}

impl LayerSpec for Dense {
    fn kind(&self) -> &'static str {
        "Dense"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Self::features(inputs)?;
        if self.units == 0 {
            return Err(Error::setting("Dense's units", "1 or more", 0, "64 is usual"));
        }
        Ok(Shape::from([self.units]))
    }

    fn multiply_adds(&self, inputs: &[Shape]) -> Result<u64> {
        Ok(self.units as u64 * Self::features(inputs)? as u64)
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let weight = ParameterSpec::weight([self.units, Self::features(inputs)?], self.initializer);
        Ok([Some(weight), self.bias.then(|| ParameterSpec::bias(self.units))]
            .into_iter()
            .flatten()
            .collect())
    }
}

impl<T: Kernels> Layer<T> for Dense {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Dense", inputs)?;
        let (weight, bias) = weight_and_bias("Dense", self.bias, parameters)?;
        let y = cx.tape.linear(&x, weight, bias)?;
        drop(x);
        self.activation.apply(cx.tape, y)
    }

    fn without_activation(&self) -> Option<(Activation, Arc<dyn Layer<T>>)> {
        Some((self.activation, Arc::new(self.clone().activation(Activation::Linear))))
    }
}

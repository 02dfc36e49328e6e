//! Trained numbers that depend on no input.

use super::defaults::is_default;
use super::{Forward, Layer, LayerConfig, LayerSpec, ParameterSpec, channels, single};
use crate::autograd::Var;
use crate::error::Result;
use crate::init::{Fans, Initializer};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// Adds a trained number to each channel, the last dimension.
///
/// Parameter: `bias [channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bias {
    /// Whether the numbers are not trained, but stored with the model all the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fixed: bool,
}

impl Bias {
    /// The layer, with numbers that are trained.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the numbers are not trained, but stored with the model all the same.
    pub fn fixed(self, fixed: bool) -> Self {
        Self { fixed }
    }
}

impl LayerSpec for Bias {
    fn kind(&self) -> &'static str {
        "Bias"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        channels(self.kind(), input)?;
        Ok(input.clone())
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let bias = ParameterSpec::bias(channels(self.kind(), single(self.kind(), inputs)?)?);
        Ok(vec![ParameterSpec { trainable: !self.fixed, ..bias }])
    }
}

impl<T: Kernels> Layer<T> for Bias {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let bias = single("Bias's parameters", parameters)?;
        cx.tape.add(&single("Bias", inputs)?, bias)
    }
}

/// Trained numbers, the same for each sample: position embeddings, for example, to be added to what another
/// layer computes. Of the input only the number of samples counts. A mask is [fixed](Constant::fixed).
///
/// Parameter: `weight`, of the shape that is given.
///
/// ```
/// use nn_core::layers::{Add, Constant};
/// use nn_core::model::{GraphBuilder, Model};
/// let mut graph = GraphBuilder::new([4, 4, 2]);
/// let positions = graph.layer(Constant::new([4, 4, 1]), graph.input());
/// let sum = graph.layer(Add::new(), [graph.input(), positions]);
/// let model: Model = graph.build(sum, 27)?;
/// assert_eq!(model.parameter_count(), 16);
/// assert!(model.parameters()[0].is_trained());
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The shape, without the batch dimension.
    pub shape: Vec<usize>,
    /// Whether the numbers are not trained, but stored with the model all the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fixed: bool,
}

impl Constant {
    /// Numbers of this shape, at first 0, that are trained.
    pub fn new(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into(), fixed: false }
    }

    /// Whether the numbers are not trained, but stored with the model all the same: those of a mask.
    pub fn fixed(self, fixed: bool) -> Self {
        Self { fixed, ..self }
    }
}

impl LayerSpec for Constant {
    fn kind(&self) -> &'static str {
        "Constant"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        single(self.kind(), inputs)?;
        let shape = Shape::from(self.shape.clone());
        shape.ensure_possible(self.kind())?;
        Ok(shape)
    }

    fn parameters(&self, _: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let weight = ParameterSpec::weight(self.shape.clone(), Initializer::Zeros);
        Ok(vec![ParameterSpec { fans: Fans::default(), trainable: !self.fixed, ..weight }])
    }
}

impl<T: Kernels> Layer<T> for Constant {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Constant", inputs)?;
        let weight = single("Constant's parameters", parameters)?;
        let batch = x.dims().first().copied().unwrap_or(1);
        cx.tape.broadcast_to(weight, weight.shape().batched(batch))
    }
}

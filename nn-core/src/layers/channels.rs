//! Layers that join, cut out, mix and scale channels.

use super::defaults::is_default;
use super::{
    Forward, Layer, LayerConfig, LayerSpec, ParameterSpec, channels, check_groups, check_several,
    listed, single, with_channels,
};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::init::{Fans, Initializer};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// Joins its inputs along the channels, the last dimension: where branches of a DenseNet or GoogLeNet meet; or
/// along another dimension. All other dimensions are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concatenate {
    /// The dimension, not counting the batch; `None` for the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<usize>,
}

impl Concatenate {
    /// Along the channels.
    pub fn new() -> Self {
        Self { axis: None }
    }

    /// Sets the dimension.
    pub fn axis(mut self, axis: usize) -> Self {
        self.axis = Some(axis);
        self
    }

    /// The dimension for inputs of this many, without the batch.
    fn along(&self, rank: usize) -> Result<usize> {
        let axis = self.axis.unwrap_or(rank.saturating_sub(1));
        if axis < rank {
            return Ok(axis);
        }
        Err(Error::setting(
            "Concatenate's axis",
            format!("below {rank}, the number of dimensions of its inputs"),
            axis,
            "do not count the batch dimension",
        ))
    }
}

impl LayerSpec for Concatenate {
    fn kind(&self) -> &'static str {
        "Concatenate"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        check_several(self.kind(), inputs.len())?;
        let axis = self.along(inputs[0].rank())?;
        let mut joined = inputs[0].dims().to_vec();
        for input in &inputs[1..] {
            let fits = input.rank() == joined.len()
                && input
                    .dims()
                    .iter()
                    .zip(&joined)
                    .enumerate()
                    .all(|(i, (a, b))| i == axis || a == b);
            let sum = input.dims().get(axis).and_then(|&own| joined[axis].checked_add(own));
            let Some(sum) = sum.filter(|_| fits) else {
                return Err(Error::shape(
                    "Concatenate",
                    match self.axis {
                        None => "inputs of equal shapes but for the channels, their last dimension"
                            .into(),
                        Some(axis) => format!("inputs of equal shapes but for dimension {axis}"),
                    },
                    listed(inputs),
                    "give the branches the same strides and padding",
                ));
            };
            joined[axis] = sum;
        }
        Ok(Shape::from(joined))
    }
}

impl<T: Kernels> Layer<T> for Concatenate {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let rank = inputs.first().map_or(0, |x| x.shape().rank().saturating_sub(1));
        let axis = self.along(rank)? + 1;
        cx.tape.concatenate(&inputs.iter().collect::<Vec<_>>(), axis)
    }
}

/// The channels `start..end` of its input: one branch of a split, as in ShuffleNet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSlice {
    /// The first channel.
    pub start: usize,
    /// The one after the last channel.
    pub end: usize,
}

impl ChannelSlice {
    /// The channels of this range.
    pub fn new(channels: std::ops::Range<usize>) -> Self {
        Self { start: channels.start, end: channels.end }
    }
}

impl LayerSpec for ChannelSlice {
    fn kind(&self) -> &'static str {
        "ChannelSlice"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "slice".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        let channels = channels(self.kind(), input)?;
        if self.start >= self.end || self.end > channels {
            return Err(Error::setting(
                "ChannelSlice's range",
                format!("of at least one channel, within 0..{channels}"),
                format!("{}..{}", self.start, self.end),
                "count channels from 0; the end is not included",
            ));
        }
        Ok(with_channels(input, self.end - self.start))
    }
}

impl<T: Kernels> Layer<T> for ChannelSlice {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("ChannelSlice", inputs)?;
        let axis = x.shape().rank().saturating_sub(1);
        cx.tape.slice(&x, axis, self.start..self.end)
    }
}

/// Mixes groups of channels, so that grouped convolutions before and after see channels of all groups
/// (ShuffleNet, Zhang et al., 2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelShuffle {
    /// The number of groups, which divides the channels.
    pub groups: usize,
}

impl ChannelShuffle {
    /// Mixes this many groups.
    pub fn new(groups: usize) -> Self {
        Self { groups }
    }
}

impl LayerSpec for ChannelShuffle {
    fn kind(&self) -> &'static str {
        "ChannelShuffle"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "shuffle".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        check_groups(self.kind(), self.groups, channels(self.kind(), input)?)?;
        Ok(input.clone())
    }
}

impl<T: Kernels> Layer<T> for ChannelShuffle {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        cx.tape.channel_shuffle(&single("ChannelShuffle", inputs)?, self.groups)
    }
}

/// Multiplies each channel, the last dimension, by a trained factor: the layer scale of ConvNeXt (Touvron
/// et al.: Going deeper with image transformers, 2021).
///
/// Parameter: `weight [channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The factor at first.
    pub initial: f64,
    /// Whether the factors are not trained, but stored with the model all the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fixed: bool,
}

impl Scale {
    /// A factor for each channel, at first `initial`; ConvNeXt's is 1e-6.
    pub fn new(initial: f64) -> Self {
        Self { initial, fixed: false }
    }

    /// Whether the factors are not trained, but stored with the model all the same.
    pub fn fixed(self, fixed: bool) -> Self {
        Self { fixed, ..self }
    }
}

impl LayerSpec for Scale {
    fn kind(&self) -> &'static str {
        "Scale"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        channels(self.kind(), input)?;
        if !self.initial.is_finite() {
            return Err(Error::setting(
                "Scale's initial factor",
                "finite",
                self.initial,
                "1e-6 is ConvNeXt's",
            ));
        }
        Ok(input.clone())
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let channels = channels(self.kind(), single(self.kind(), inputs)?)?;
        let weight = ParameterSpec::weight([channels], Initializer::Constant(self.initial));
        Ok(vec![ParameterSpec { fans: Fans::default(), trainable: !self.fixed, ..weight }])
    }
}

impl<T: Kernels> Layer<T> for Scale {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let weight = single("Scale's parameters", parameters)?;
        cx.tape.mul(&single("Scale", inputs)?, weight)
    }
}

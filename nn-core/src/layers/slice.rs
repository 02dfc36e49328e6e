//! Layers that pick entries along one dimension of each sample.

use super::{Forward, Layer, LayerConfig, LayerSpec, Window2d, single};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// Every `step`-th entry of the range `start..end` along a dimension; a negative step goes backwards from the
/// range's last entry. The batch dimension is not counted. Of the channels, [`ChannelSlice`](super::ChannelSlice)
/// cuts out a range.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{LayerSpec, Slice};
/// let every_second_row = Slice::new(0, 0..9).step(2);
/// assert_eq!(every_second_row.output_shape(&[Shape::from([9, 8, 3])])?.dims(), [5, 8, 3]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// The dimension.
    pub axis: usize,
    /// The first entry of the range.
    pub start: usize,
    /// The one after the last entry of the range.
    pub end: usize,
    /// The distance of entries that are taken.
    #[serde(default = "every", skip_serializing_if = "is_every")]
    pub step: isize,
}

fn every() -> isize {
    1
}

fn is_every(step: &isize) -> bool {
    *step == 1
}

impl Slice {
    /// All entries of this range.
    pub fn new(axis: usize, range: std::ops::Range<usize>) -> Self {
        Self { axis, start: range.start, end: range.end, step: 1 }
    }

    /// Sets the distance of entries that are taken.
    pub fn step(mut self, step: isize) -> Self {
        self.step = step;
        self
    }
}

impl LayerSpec for Slice {
    fn kind(&self) -> &'static str {
        "Slice"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        let len = length(self.kind(), input, self.axis)?;
        if self.start >= self.end || self.end > len || self.step == 0 {
            return Err(Error::setting(
                "Slice's range and step",
                format!("a range of at least one entry within 0..{len}, and a step that is not 0"),
                format!("{}..{} and {}", self.start, self.end, self.step),
                "count entries from 0; the end is not included",
            ));
        }
        let mut dims = input.dims().to_vec();
        dims[self.axis] = (self.end - self.start).div_ceil(self.step.unsigned_abs());
        Ok(Shape::from(dims))
    }

    fn window(&self, inputs: &[Shape]) -> Result<Option<Window2d>> {
        Ok(picks_channels(inputs, self.axis).then_some(Window2d::PIXEL))
    }
}

impl<T: Kernels> Layer<T> for Slice {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Slice", inputs)?;
        cx.tape.strided_slice(&x, self.axis + 1, self.start..self.end, self.step)
    }
}

/// The entries of these indices along a dimension, in their order; one may be named several times. The batch
/// dimension is not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gather {
    /// The dimension.
    pub axis: usize,
    /// The entries, counted from 0.
    pub indices: Vec<usize>,
}

impl Gather {
    /// The entries `indices` along `axis`.
    pub fn new(axis: usize, indices: impl Into<Vec<usize>>) -> Self {
        Self { axis, indices: indices.into() }
    }
}

impl LayerSpec for Gather {
    fn kind(&self) -> &'static str {
        "Gather"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        let len = length(self.kind(), input, self.axis)?;
        if self.indices.is_empty() || self.indices.iter().any(|&index| index >= len) {
            return Err(Error::setting(
                "Gather's indices",
                format!("at least one, each below {len}"),
                format!("{:?}", self.indices),
                "count entries from 0",
            ));
        }
        let mut dims = input.dims().to_vec();
        dims[self.axis] = self.indices.len();
        Ok(Shape::from(dims))
    }

    fn window(&self, inputs: &[Shape]) -> Result<Option<Window2d>> {
        Ok(picks_channels(inputs, self.axis).then_some(Window2d::PIXEL))
    }
}

impl<T: Kernels> Layer<T> for Gather {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        cx.tape.gather(&single("Gather", inputs)?, self.axis + 1, &self.indices)
    }
}

/// The length of a dimension.
fn length(kind: &str, input: &Shape, axis: usize) -> Result<usize> {
    input.dims().get(axis).copied().ok_or_else(|| {
        Error::setting(
            format!("{kind}'s axis"),
            format!("below {}, the number of dimensions of {input}", input.rank()),
            axis,
            "do not count the batch dimension",
        )
    })
}

/// Whether a dimension is the channels of an image: then each pixel stays where it is.
fn picks_channels(inputs: &[Shape], axis: usize) -> bool {
    axis == 2 && inputs.first().is_some_and(|input| input.rank() == 3)
}

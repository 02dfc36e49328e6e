//! Layers that bring pixels into the input range of a network: `x * scale + offset`, as one op with one pass
//! over the elements, and `(x - mean) / std` of each channel.

use super::{Forward, Layer, LayerConfig, LayerSpec, channels, single};
use crate::autograd::{Backward, Op, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::{CHUNK, for_each_chunk};
use crate::tensor::{Shape, Tensor};
use serde::{Deserialize, Serialize};

/// Multiplies by `scale` and adds `offset`: brings pixels into the input range of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rescaling {
    /// The factor.
    pub scale: f64,
    /// The offset, added after the multiplication.
    #[serde(default)]
    pub offset: f64,
}

impl Rescaling {
    /// Multiplies by `scale`: `Rescaling::new(1.0 / 255.0)` maps pixels to `0..=1`.
    pub fn new(scale: f64) -> Self {
        Self { scale, offset: 0.0 }
    }

    /// Adds `offset` after the multiplication.
    pub fn offset(mut self, offset: f64) -> Self {
        self.offset = offset;
        self
    }
}

struct Rescale<T> {
    scale: T,
}

impl<T: Kernels> Op<T> for Rescale<T> {
    fn name(&self) -> &'static str {
        "rescale"
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        for_each_chunk(gradient.as_mut_slice(), CHUNK, |_, gradient| {
            gradient.iter_mut().for_each(|g| *g *= self.scale);
        });
        inputs.accumulate(0, gradient)
    }
}

impl LayerSpec for Rescaling {
    fn kind(&self) -> &'static str {
        "Rescaling"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        if !(self.scale.is_finite() && self.offset.is_finite()) {
            return Err(Error::setting(
                "Rescaling's scale and offset",
                "finite numbers",
                format!("{} and {}", self.scale, self.offset),
                "1/255 and 0 are usual for pixels",
            ));
        }
        Ok(single("Rescaling", inputs)?.clone())
    }
}

impl<T: Kernels> Layer<T> for Rescaling {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Rescaling", inputs)?;
        let (scale, offset) = (T::from_f64(self.scale), T::from_f64(self.offset));
        let mut y = Tensor::uninit(x.shape(), cx.tape.pool());
        let source = x.value().as_slice();
        for_each_chunk(y.as_mut_slice(), CHUNK, |i, y| {
            for (y, &x) in y.iter_mut().zip(&source[i * CHUNK..]) {
                *y = x * scale + offset;
            }
        });
        Ok(cx.tape.record(Rescale { scale }, &[&x], y))
    }
}

/// `(x - mean) / std`, channel by channel, as torchvision's `transforms.Normalize`: brings pixels into the
/// distribution that a trained network expects. The input's last dimension is the channels.
///
/// ```
/// use nn_core::layers::{LayerSpec, Normalization};
/// use nn_core::model::{Model, Sequential};
/// use nn_core::Tensor;
/// let model: Model = Sequential::builder([1, 1, 2])
///     .layer(Normalization::new([100.0, 50.0], [20.0, 10.0]))
///     .build(27)?;
/// assert_eq!(model.predict(Tensor::full([1, 1, 1, 2], 90.0))?.as_slice(), [-0.5, 4.0]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// What is subtracted, in units of the input: one number per channel.
    pub mean: Vec<f64>,
    /// What the difference is divided by: one number per channel.
    pub std: Vec<f64>,
}

impl Normalization {
    /// Subtracts `mean` and divides by `std`.
    pub fn new(mean: impl Into<Vec<f64>>, std: impl Into<Vec<f64>>) -> Self {
        Self { mean: mean.into(), std: std.into() }
    }
}

impl LayerSpec for Normalization {
    fn kind(&self) -> &'static str {
        "Normalization"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        let channels = channels(self.kind(), input)?;
        if [self.mean.len(), self.std.len()] != [channels; 2] {
            return Err(Error::setting(
                "Normalization's mean and std",
                format!("one number for each of the {channels} channels"),
                format!("{} and {} numbers", self.mean.len(), self.std.len()),
                "give as many as the images have channels",
            ));
        }
        let usable = |std: &f64| std.is_finite() && *std != 0.0;
        if !self.mean.iter().all(|mean| mean.is_finite()) || !self.std.iter().all(usable) {
            return Err(Error::setting(
                "Normalization's mean and std",
                "finite numbers, and no std 0",
                format!("{:?} and {:?}", self.mean, self.std),
                "255 times 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225 are usual for photographs",
            ));
        }
        Ok(input.clone())
    }
}

impl<T: Kernels> Layer<T> for Normalization {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Normalization", inputs)?;
        let constant = |number: &dyn Fn(usize) -> f64| {
            cx.tape.constant(Tensor::from_fn([self.mean.len()], |i| T::from_f64(number(i))))
        };
        let x = cx.tape.sub(&x, &constant(&|i| self.mean[i]))?;
        cx.tape.mul(&x, &constant(&|i| 1.0 / self.std[i]))
    }
}

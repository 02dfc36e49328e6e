//! The layer `x * scale + offset`, as one op with one pass over the elements.

use super::{Forward, Layer, LayerConfig, LayerSpec, single};
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

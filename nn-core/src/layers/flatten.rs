//! Flattening of images to feature vectors.

use super::{Forward, Layer, LayerConfig, LayerSpec, single};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// All numbers of a sample in one dimension. Those of an image are in the order channel, row, column,
/// although images are stored channels-last, so that dense weights are compatible with PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flatten {}

impl Flatten {
    /// The layer.
    pub fn new() -> Self {
        Self {}
    }
}

impl LayerSpec for Flatten {
    fn kind(&self) -> &'static str {
        "Flatten"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single("Flatten", inputs)?;
        let len = input.checked_len().ok_or_else(|| {
            Error::shape("Flatten", "an input that fits into memory", input, "use smaller images")
        })?;
        Ok(Shape::from([len]))
    }
}

impl<T: Kernels> Layer<T> for Flatten {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Flatten", inputs)?;
        match *x.dims() {
            [_, _] => Ok(x),
            [_, _, _, _] => cx.tape.flatten_channels_first(&x),
            _ => {
                let batch = x.dims().first().copied().unwrap_or(1);
                let features = x.dims().iter().skip(1).product();
                cx.tape.reshape(x, [batch, features])
            }
        }
    }
}

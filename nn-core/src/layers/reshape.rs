//! Layers that give numbers another shape or order, and compute nothing.

use super::{Forward, Layer, LayerConfig, LayerSpec, single};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// The same numbers in the same order with another shape, without the batch dimension.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{LayerSpec, Reshape};
/// let reshape = Reshape::new([1, 1, 16]);
/// assert_eq!(reshape.output_shape(&[Shape::from([16])])?.dims(), [1, 1, 16]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    /// The output's shape.
    pub shape: Vec<usize>,
}

impl Reshape {
    /// To this shape.
    pub fn new(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into() }
    }
}

impl LayerSpec for Reshape {
    fn kind(&self) -> &'static str {
        "Reshape"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        let output = Shape::from(self.shape.clone());
        if output.checked_len().is_none() || output.checked_len() != input.checked_len() {
            return Err(Error::shape(
                self.kind(),
                format!("an input of as many numbers as {output}"),
                input,
                "give a shape whose product is that of the input's dimensions",
            ));
        }
        Ok(output)
    }
}

impl<T: Kernels> Layer<T> for Reshape {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Reshape", inputs)?;
        let batch = x.dims().first().copied().unwrap_or(1);
        cx.tape.reshape(x, Shape::from(self.shape.clone()).batched(batch))
    }
}

/// The dimensions of each sample in another order: dimension `i` of the output is dimension `axes[i]` of the
/// input. The batch dimension is not counted.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{LayerSpec, Permute};
/// let channels_first = Permute::new([2, 0, 1]);
/// assert_eq!(channels_first.output_shape(&[Shape::from([8, 6, 3])])?.dims(), [3, 8, 6]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permute {
    /// Where each dimension of the output comes from.
    pub axes: Vec<usize>,
}

impl Permute {
    /// In this order.
    pub fn new(axes: impl Into<Vec<usize>>) -> Self {
        Self { axes: axes.into() }
    }
}

impl LayerSpec for Permute {
    fn kind(&self) -> &'static str {
        "Permute"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..input.rank()) {
            return Err(Error::setting(
                "Permute's axes",
                format!("each of the {} dimensions of {input} once, counted from 0", input.rank()),
                format!("{:?}", self.axes),
                "do not count the batch dimension",
            ));
        }
        Ok(Shape::from(self.axes.iter().map(|&axis| input.dims()[axis]).collect::<Vec<_>>()))
    }

    fn window(&self, _: &[Shape]) -> Result<Option<super::Window2d>> {
        // Height and width may have changed places.
        Ok(None)
    }
}

impl<T: Kernels> Layer<T> for Permute {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Permute", inputs)?;
        let axes: Vec<_> =
            std::iter::once(0).chain(self.axes.iter().map(|axis| axis + 1)).collect();
        cx.tape.permute(&x, &axes)
    }
}

//! Sums, means and maxima along dimensions of each sample.

use super::{Forward, Layer, LayerConfig, LayerSpec, Window2d, single};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// How several numbers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The largest; if several are, they share the gradient evenly.
    Max,
}

/// The sums, means or maxima along some dimensions, which stay with length 1. The batch dimension is not counted.
/// Over all pixels of an image, [`GlobalAveragePool2D`](super::GlobalAveragePool2D) is the usual layer.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{LayerSpec, Reduce, Reduction};
/// let mean_of_channels = Reduce::new(Reduction::Mean, [2]);
/// assert_eq!(mean_of_channels.output_shape(&[Shape::from([8, 6, 3])])?.dims(), [8, 6, 1]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reduce {
    /// How several numbers become one.
    pub reduction: Reduction,
    /// The dimensions, each once.
    pub axes: Vec<usize>,
}

impl Reduce {
    /// Along these dimensions.
    pub fn new(reduction: Reduction, axes: impl Into<Vec<usize>>) -> Self {
        Self { reduction, axes: axes.into() }
    }
}

impl LayerSpec for Reduce {
    fn kind(&self) -> &'static str {
        "Reduce"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        let mut dims = input.dims().to_vec();
        let mut seen = vec![false; dims.len()];
        for &axis in &self.axes {
            if axis >= dims.len() || std::mem::replace(&mut seen[axis], true) {
                return Err(Error::setting(
                    "Reduce's axes",
                    format!("each below {}, the dimensions of {input}, and once", dims.len()),
                    format!("{:?}", self.axes),
                    "do not count the batch dimension",
                ));
            }
            dims[axis] = 1;
        }
        Ok(Shape::from(dims))
    }

    fn window(&self, inputs: &[Shape]) -> Result<Option<Window2d>> {
        let output = self.output_shape(inputs)?;
        let same = inputs.iter().all(|input| input.dims().get(..2) == output.dims().get(..2));
        Ok(same.then_some(Window2d::PIXEL))
    }
}

impl<T: Kernels> Layer<T> for Reduce {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Reduce", inputs)?;
        let axes: Vec<_> = self.axes.iter().map(|axis| axis + 1).collect();
        match self.reduction {
            Reduction::Sum => cx.tape.sum_axes(&x, &axes, true),
            Reduction::Mean => cx.tape.mean_axes(&x, &axes, true),
            Reduction::Max => cx.tape.max_axes(&x, &axes, true),
        }
    }
}

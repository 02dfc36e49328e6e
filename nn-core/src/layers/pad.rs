//! Padding of any dimension, in all modes.

use super::{Forward, Layer, LayerConfig, LayerSpec, Window2d, single};
use crate::autograd::{PadMode, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// Adds entries before and after those of each dimension but the batch; [`PadMode`] says which. For zeros around
/// an image, [`ZeroPadding2D`](super::ZeroPadding2D) is the usual layer.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::autograd::PadMode;
/// use nn_core::layers::{LayerSpec, Pad};
/// let mirrored = Pad::new([(1, 1), (2, 2), (0, 0)], PadMode::Reflect);
/// assert_eq!(mirrored.output_shape(&[Shape::from([8, 6, 3])])?.dims(), [10, 10, 3]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// For each dimension the entries before and after.
    pub amounts: Vec<(usize, usize)>,
    /// What they are.
    pub mode: PadMode,
}

impl Pad {
    /// So many entries before and after those of each dimension.
    pub fn new(amounts: impl Into<Vec<(usize, usize)>>, mode: PadMode) -> Self {
        Self { amounts: amounts.into(), mode }
    }
}

impl LayerSpec for Pad {
    fn kind(&self) -> &'static str {
        "Pad"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single(self.kind(), inputs)?;
        let sum = |(&len, &(before, after)): (&usize, &(usize, usize))| {
            len.checked_add(before)?.checked_add(after)
        };
        let padded: Option<Vec<_>> = input.dims().iter().zip(&self.amounts).map(sum).collect();
        let padded = padded.filter(|_| self.amounts.len() == input.rank()).map(Shape::from);
        padded.filter(|padded| padded.checked_len().is_some()).ok_or_else(|| {
            Error::setting(
                "Pad's amounts",
                format!("a pair for each dimension of {input}, as large as memory allows"),
                format!("{:?}", self.amounts),
                "write (0, 0) for a dimension that stays; do not count the batch dimension",
            )
        })
    }

    fn window(&self, _: &[Shape]) -> Result<Option<Window2d>> {
        Ok(match self.amounts[..] {
            [(top, _), (left, _), _] => Some(Window2d { padding: (top, left), ..Window2d::PIXEL }),
            _ => None,
        })
    }
}

impl<T: Kernels> Layer<T> for Pad {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let amounts: Vec<_> = std::iter::once((0, 0)).chain(self.amounts.iter().copied()).collect();
        cx.tape.pad(&single("Pad", inputs)?, &amounts, self.mode)
    }
}

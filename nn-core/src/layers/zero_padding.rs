//! Zeros around an image.

use super::{Forward, Layer, LayerConfig, LayerSpec, Pair, Window2d, image_dims, single};
use crate::autograd::{PadMode, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// Adds rows and columns of zeros: `[height, width, channels]` to
/// `[top + height + bottom, left + width + right, channels]`.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{LayerSpec, ZeroPadding2D};
/// let image = [Shape::from([4, 5, 3])];
/// assert_eq!(ZeroPadding2D::new((1, 2)).output_shape(&image)?.dims(), [6, 9, 3]);
/// let below_and_right = ZeroPadding2D::sides((0, 1), (0, 1));
/// assert_eq!(below_and_right.output_shape(&image)?.dims(), [5, 6, 3]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroPadding2D {
    /// Rows above.
    #[serde(default)]
    pub top: usize,
    /// Rows below.
    #[serde(default)]
    pub bottom: usize,
    /// Columns before the first.
    #[serde(default)]
    pub left: usize,
    /// Columns after the last.
    #[serde(default)]
    pub right: usize,
}

impl ZeroPadding2D {
    /// The same number of rows above and below, and of columns left and right (one number for both).
    pub fn new(padding: impl Pair) -> Self {
        let (vertical, horizontal) = padding.pair();
        Self::sides((vertical, vertical), (horizontal, horizontal))
    }

    /// Rows `(top, bottom)` and columns `(left, right)`.
    pub fn sides((top, bottom): (usize, usize), (left, right): (usize, usize)) -> Self {
        Self { top, bottom, left, right }
    }
}

impl LayerSpec for ZeroPadding2D {
    fn kind(&self) -> &'static str {
        "ZeroPadding2D"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "pad".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let [height, width, channels] =
            image_dims("ZeroPadding2D", single("ZeroPadding2D", inputs)?)?;
        let &Self { top, bottom, left, right } = self;
        let sum = |size: usize, (before, after): (usize, usize)| {
            size.checked_add(before).and_then(|sum| sum.checked_add(after))
        };
        let size = (sum(height, (top, bottom)), sum(width, (left, right)));
        let padded = match size {
            (Some(height), Some(width)) => Some(Shape::from([height, width, channels])),
            _ => None,
        };
        padded.filter(|padded| padded.checked_len().is_some()).ok_or_else(|| {
            Error::setting(
                "ZeroPadding2D's rows and columns",
                "as many as an image in memory can have",
                format!("{top}, {bottom}, {left} and {right}"),
                "1 to 3 are usual",
            )
        })
    }

    fn window(&self, _: &[Shape]) -> Result<Option<Window2d>> {
        Ok(Some(Window2d { padding: (self.top, self.left), ..Window2d::PIXEL }))
    }
}

impl<T: Kernels> Layer<T> for ZeroPadding2D {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("ZeroPadding2D", inputs)?;
        let sides = [(0, 0), (self.top, self.bottom), (self.left, self.right), (0, 0)];
        cx.tape.pad(&x, &sides, PadMode::Constant(0.0))
    }
}

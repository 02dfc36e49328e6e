//! Padding: what is added around the input of a convolution or pooling.

use serde::{Deserialize, Serialize};

/// Padding of the input of a convolution or pooling.
///
/// ```
/// use nn_core::layers::Padding;
/// let around = Padding::Explicit { top: 1, bottom: 1, left: 2, right: 2 };
/// assert_eq!(Padding::symmetric((1, 2)), around);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Padding {
    /// No padding: `out = (in - extent) / stride + 1`, rounded down, where
    /// `extent = (kernel - 1) * dilation + 1`.
    #[default]
    Valid,
    /// Padding such that `out = ceil(in / stride)`. If an odd number of rows or columns is needed, the
    /// extra one goes to the bottom or right, as in TensorFlow and in ONNX's `SAME_UPPER`.
    Same,
    /// As [`Padding::Same`], with the extra row or column at the top or left: ONNX's `SAME_LOWER`.
    SameLower,
    /// As many rows and columns as it says, as in PyTorch:
    /// `out = (in + before + after - extent) / stride + 1`, rounded down.
    Explicit {
        /// Rows above.
        top: usize,
        /// Rows below.
        bottom: usize,
        /// Columns before the first.
        left: usize,
        /// Columns after the last.
        right: usize,
    },
}

impl Padding {
    /// The same padding on opposite sides, as PyTorch's `padding` means it: rows above and below,
    /// columns left and right. One number is used for both.
    pub fn symmetric(sides: impl super::Pair) -> Self {
        let (vertical, horizontal) = sides.pair();
        Self::Explicit { top: vertical, bottom: vertical, left: horizontal, right: horizontal }
    }

    /// Whether the size of the output follows from that of the input and the stride alone.
    pub(crate) fn keeps_size(self) -> bool {
        matches!(self, Self::Same | Self::SameLower)
    }

    /// Rows `(above, below)` and columns `(before, after)` for an input of this size, a window of this
    /// extent and a stride. All are at least 1, or the size may be 0.
    pub(crate) fn amounts(
        self,
        input: (usize, usize),
        extent: (usize, usize),
        stride: (usize, usize),
    ) -> [(usize, usize); 2] {
        let total = |input: usize, extent: usize, stride: usize| {
            let output = input.div_ceil(stride);
            // The last window begins inside the input, so only the sum can overflow.
            let needed = ((output.max(1) - 1) * stride).saturating_add(extent);
            needed.saturating_sub(input)
        };
        let each = |split: fn(usize) -> (usize, usize)| {
            [total(input.0, extent.0, stride.0), total(input.1, extent.1, stride.1)].map(split)
        };
        match self {
            Self::Valid => [(0, 0); 2],
            Self::Same => each(|total| (total / 2, total.div_ceil(2))),
            Self::SameLower => each(|total| (total.div_ceil(2), total / 2)),
            Self::Explicit { top, bottom, left, right } => [(top, bottom), (left, right)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odd_row_goes_to_the_end_or_to_the_beginning() {
        let amounts = |padding: Padding, input, extent, stride| {
            padding.amounts((input, input), (extent, extent), (stride, stride))[0]
        };
        // TensorFlow: 5 pixels, kernel 2, stride 2 -> 3 outputs, 1 zero, at the end.
        assert_eq!(amounts(Padding::Same, 5, 2, 2), (0, 1));
        assert_eq!(amounts(Padding::SameLower, 5, 2, 2), (1, 0));
        assert_eq!(amounts(Padding::Same, 6, 4, 1), (1, 2));
        assert_eq!(amounts(Padding::SameLower, 6, 4, 1), (2, 1));
        assert_eq!(amounts(Padding::Same, 7, 3, 2), (1, 1));
        assert_eq!(amounts(Padding::Same, 7, 1, 2), (0, 0));
        assert_eq!(amounts(Padding::Valid, 7, 3, 2), (0, 0));
        assert_eq!(Padding::symmetric(3).amounts((1, 1), (9, 9), (2, 2)), [(3, 3); 2]);
    }

    #[test]
    fn stored_forms() {
        let stored = |padding: Padding| serde_json::to_string(&padding).unwrap();
        assert_eq!(stored(Padding::Valid), r#""valid""#);
        assert_eq!(stored(Padding::Same), r#""same""#);
        assert_eq!(stored(Padding::SameLower), r#""same_lower""#);
        let explicit = Padding::Explicit { top: 1, bottom: 2, left: 3, right: 4 };
        let text = r#"{"explicit":{"top":1,"bottom":2,"left":3,"right":4}}"#;
        assert_eq!(stored(explicit), text);
        assert_eq!(serde_json::from_str::<Padding>(text).unwrap(), explicit);
    }
}

//! Where the dimensions of a value lie in memory.
//!
//! ONNX counts dimensions as its operators need them, `[batch, channels, height, width]`; ours lie with the channels
//! last. A [`Layout`] says which of ONNX's dimensions lies where. A transpose of ONNX then changes the layout and
//! moves nothing; numbers are moved where an operator needs another order than there is.

/// `self.0[i]` is ONNX's axis at place `i` in memory, where the batch is always first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout(Vec<usize>);

impl Layout {
    /// As ONNX counts.
    pub fn plain(rank: usize) -> Self {
        Self((0..rank).collect())
    }

    /// `[batch, channels, ..]` of ONNX with the channels last.
    pub fn channels_last(rank: usize) -> Self {
        Self::with_last(rank, 1)
    }

    /// As ONNX counts, but with one axis last.
    pub fn with_last(rank: usize, last: usize) -> Self {
        let others = (0..rank).filter(|&axis| axis != last);
        Self(others.chain((last < rank).then_some(last)).collect())
    }

    /// In this order; `None` if an axis is missing.
    pub fn new(axes: Vec<usize>) -> Option<Self> {
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        sorted.iter().copied().eq(0..axes.len()).then_some(Self(axes))
    }

    /// ONNX's axes in the order in which they lie in memory.
    pub fn axes(&self) -> &[usize] {
        &self.0
    }

    /// Where an axis of ONNX lies.
    pub fn place(&self, axis: usize) -> usize {
        self.0.iter().position(|&own| own == axis).unwrap_or(axis)
    }

    pub fn last(&self) -> Option<usize> {
        self.0.last().copied()
    }

    /// The dimensions of a sample in memory.
    pub fn sample(&self, dims: &[usize]) -> Vec<usize> {
        self.0.iter().skip(1).map(|&axis| dims[axis]).collect()
    }

    /// Without an axis, when it is 1 and taken away.
    pub fn without(&self, axis: usize) -> Self {
        let others = self.0.iter().filter(|&&own| own != axis);
        Self(others.map(|&own| own - usize::from(own > axis)).collect())
    }

    /// The layout of the same memory after ONNX's transpose by `perm`; `None` if that does not name each axis once.
    pub fn transposed(&self, perm: &[usize]) -> Option<Self> {
        let new = |axis: &usize| perm.iter().position(|old| old == axis);
        let axes = self.0.iter().map(new).collect::<Option<_>>()?;
        Self::new(axes).filter(|_| perm.len() == self.0.len())
    }

    /// The same layout but with one axis last.
    pub fn ending_in(&self, last: usize) -> Self {
        let others = self.0.iter().copied().filter(|&axis| axis != last);
        Self(others.chain([last]).collect())
    }

    /// Whether a value of these dimensions lies in memory in the same way in both: they differ at most in the
    /// places of dimensions of 1.
    pub fn is_same_memory(&self, other: &Self, dims: &[usize]) -> bool {
        let long = |layout: &Self| -> Vec<usize> {
            layout.0.iter().copied().filter(|&axis| dims[axis] != 1).collect()
        };
        long(self) == long(other)
    }

    /// How to get from this layout to another: place `i` of it is place `result[i]` of this.
    pub fn permutation_to(&self, other: &Self) -> Vec<usize> {
        other.0.iter().map(|&axis| self.place(axis)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_moves_nothing() {
        let image = Layout::channels_last(4);
        assert_eq!(image.axes(), [0, 2, 3, 1]);
        let to_last = image.transposed(&[0, 2, 3, 1]).unwrap();
        assert_eq!(to_last, Layout::plain(4));
        assert_eq!(to_last.transposed(&[0, 3, 1, 2]), Some(image.clone()));
        assert_eq!(image.sample(&[2, 3, 8, 6]), [8, 6, 3]);
        assert_eq!(image.transposed(&[1, 0, 2, 2]), None);
        assert_eq!(image.without(2).axes(), [0, 2, 1]);
        assert_eq!(image.permutation_to(&Layout::plain(4)), [0, 3, 1, 2]);
        assert!(image.is_same_memory(&Layout::plain(4), &[2, 3, 1, 1]));
        assert!(!image.is_same_memory(&Layout::plain(4), &[2, 3, 2, 1]));
    }
}

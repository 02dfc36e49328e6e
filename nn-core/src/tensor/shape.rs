//! Dimensions, outermost first.

use std::fmt;

/// The dimensions of a tensor, outermost first; no dimension at all is a scalar.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// The dimensions.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements (1 for a scalar).
    ///
    /// # Panics
    /// In builds with overflow checks, if the product does not fit; use [`Shape::checked_len`]
    /// for dimensions that come from outside.
    pub fn len(&self) -> usize {
        self.0.iter().product()
    }

    /// The number of elements, or `None` if it does not fit a `usize`.
    pub fn checked_len(&self) -> Option<usize> {
        self.0.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim))
    }

    /// Whether some dimension is 0.
    pub fn is_empty(&self) -> bool {
        self.0.contains(&0)
    }

    /// This shape with a batch dimension of `n` in front.
    pub fn batched(&self, n: usize) -> Self {
        let mut dims = Vec::with_capacity(self.rank() + 1);
        dims.push(n);
        dims.extend_from_slice(&self.0);
        Self(dims)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Self(dims.to_vec())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Self(dims)
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Self(dims.to_vec())
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

//! Tensor shapes: dimensions, outermost first.

use crate::error::{Error, Received, Result};
use std::fmt;

/// The maximum number of elements of a tensor: as many of the largest type as the address space holds.
const MOST_ELEMENTS: usize = isize::MAX as usize / size_of::<f64>();

/// The dimensions of a tensor, outermost first; a scalar has none.
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
    /// If no tensor can have this shape; use [`Shape::checked_len`] for untrusted dimensions.
    #[expect(clippy::panic, reason = "documented, as an index out of bounds is for slices")]
    pub fn len(&self) -> usize {
        self.checked_len().unwrap_or_else(|| panic!("no tensor can have the shape {self}"))
    }

    /// The number of elements, or `None` if no tensor can have this shape: the product of the non-zero
    /// dimensions exceeds the maximum number of elements. So no product of some of a tensor's
    /// dimensions overflows, even if the tensor is empty.
    pub fn checked_len(&self) -> Option<usize> {
        let sizes = self.0.iter().filter(|&&dim| dim != 0);
        let len = sizes.copied().try_fold(1usize, usize::checked_mul)?;
        (len <= MOST_ELEMENTS).then_some(if self.is_empty() { 0 } else { len })
    }

    /// Returns an error if no tensor can have this shape. For ops whose result can be larger than their
    /// inputs.
    pub(crate) fn ensure_possible(&self, at: &str) -> Result<()> {
        match self.checked_len() {
            Some(_) => Ok(()),
            None => Err(Error::shape(
                at,
                format!("a result of at most {MOST_ELEMENTS} elements"),
                self,
                "check the shapes of the inputs",
            )),
        }
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

impl From<&Shape> for Received {
    fn from(shape: &Shape) -> Self {
        shape.dims().into()
    }
}

impl From<(&Shape, &Shape)> for Received {
    fn from((a, b): (&Shape, &Shape)) -> Self {
        [a.dims(), b.dims()].into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_no_memory_holds_are_told() {
        let len = |dims: &[usize]| Shape::from(dims).checked_len();
        assert_eq!(len(&[]), Some(1));
        assert_eq!(len(&[3, 0, 4]), Some(0));
        assert_eq!(len(&[MOST_ELEMENTS, 1]), Some(MOST_ELEMENTS));
        assert_eq!(len(&[MOST_ELEMENTS + 1]), None);
        assert_eq!(len(&[1 << 40, 1 << 40]), None);
        // With a zero dimension: other ops may drop or move it.
        assert_eq!(len(&[0, 1 << 40, 1 << 40]), None);
        assert_eq!(len(&[1 << 40, 0, 1 << 19]), Some(0));
    }
}

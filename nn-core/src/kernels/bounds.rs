//! Bounds of values: ReLU and ReLU6 as part of the op before them.

use super::simd::Simd;
use crate::tensor::Element;

/// The least and the greatest value that passes, as with ReLU. NaN bounds nothing: comparisons with it are
/// false.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<T> {
    least: T,
    greatest: T,
}

impl<T: Element> Bounds<T> {
    /// None.
    pub fn none() -> Self {
        Self { least: T::nan(), greatest: T::nan() }
    }

    /// Those of ReLU, up to `greatest` if there is one.
    pub fn relu(greatest: Option<f64>) -> Self {
        Self { least: T::zero(), greatest: greatest.map_or(T::nan(), T::from_f64) }
    }

    /// Whether every value passes.
    #[inline(always)]
    pub(super) fn is_none(self) -> bool {
        self.least.is_nan() && self.greatest.is_nan()
    }

    /// `value`, or the bound it is beyond. NaN stays NaN.
    #[inline(always)]
    pub(super) fn clamp(self, value: T) -> T {
        let value = if value <= self.least { self.least } else { value };
        if value >= self.greatest { self.greatest } else { value }
    }

    /// The gradient of a value: 0 at a bound and beyond.
    #[inline(always)]
    pub(super) fn pass(self, value: T, gradient: T) -> T {
        let stopped = (value <= self.least) | (value >= self.greatest);
        if stopped { T::zero() } else { gradient }
    }
}

impl Bounds<f32> {
    /// [`Bounds::clamp`] of each number of a vector.
    #[inline(always)]
    pub(super) fn clamp_vector<V: Simd>(self, v: V) -> V {
        // SAFETY: a vector exists, so the processor has the instructions.
        let [least, greatest] = unsafe { V::splats([self.least, self.greatest]) };
        let v = V::select(v.at_most(least), least, v);
        V::select(greatest.at_most(v), greatest, v)
    }
}

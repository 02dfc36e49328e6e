//! The largest elements over dimensions, and their positions.

use super::axes::{REDUCED, Reduction};
use super::broadcast::narrow;
use super::join::require_axis;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::for_each_chunk;
use crate::tensor::{Shape, Tensor};
use std::sync::Arc;

/// The maximum; elements that tie share its gradient.
struct Max<T: Kernels> {
    reduction: Reduction,
    x: Arc<Tensor<T>>,
    y: Arc<Tensor<T>>,
}

impl<T: Kernels> Op<T> for Max<T> {
    fn name(&self) -> &'static str {
        "max_axes"
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let (pool, plan) = (inputs.pool().clone(), &self.reduction.plan);
        let mut dx = self.x.clone_in(&pool);
        plan.zip(dx.as_mut_slice(), REDUCED, self.y.as_slice(), |x, y| {
            // NaN is the largest of its row.
            if x == y || x.is_nan() { T::one() } else { T::zero() }
        });
        let is_largest = |_, largest: T| largest.as_f64();
        let ties = plan.fold(REDUCED, dx.as_slice(), &pool, 0.0, is_largest, |a, b| a + b);
        for (g, &ties) in gradient.as_mut_slice().iter_mut().zip(&*ties) {
            *g /= T::from_f64(ties);
        }
        plan.zip(dx.as_mut_slice(), REDUCED, gradient.as_slice(), |largest, g| {
            if largest == T::zero() { largest } else { g }
        });
        inputs.accumulate(0, dx)
    }
}

/// The larger number; NaN is larger than all.
fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

impl<T: Kernels> Tape<T> {
    /// The largest elements over the dimensions `axes`, which are removed, or kept with length 1 if
    /// `keep`. NaN counts as the largest number. Elements that tie share the gradient evenly.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f64>::new();
    /// let x = tape.leaf(Tensor::from_vec([2, 3], vec![1., 7., 7., 5., 4., 3.])?);
    /// let y = tape.max_axes(&x, &[1], false)?;
    /// assert_eq!(y.value().as_slice(), [7., 5.]);
    /// tape.backward(&tape.sum(&y))?;
    /// assert_eq!(tape.grad(&x).unwrap().as_slice(), [0., 0.5, 0.5, 1., 0., 0.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is no dimension of `x`, or named twice, or there is nothing to choose from.
    pub fn max_axes(&self, x: &Var<T>, axes: &[usize], keep: bool) -> Result<Var<T>> {
        let reduction = Reduction::new("max_axes", x.shape(), axes, keep)?;
        if reduction.count == 0 {
            return Err(nothing_to_choose("max_axes", x.shape()));
        }
        let (values, none) = (x.value().as_slice(), f64::NEG_INFINITY);
        let wide = |_, v: T| v.as_f64();
        let largest = reduction.plan.fold(REDUCED, values, self.pool(), none, wide, larger);
        let y = Arc::new(narrow(&reduction.output, &largest, self.pool()));
        let op = Max { reduction, x: x.share(), y: Arc::clone(&y) };
        Ok(self.record(op, &[x], y))
    }

    /// The index of the largest element along dimension `axis`, the first one of several, for each entry of
    /// the other dimensions, in row-major order. NaN counts as the largest number. No gradient flows.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let logits = tape.leaf(Tensor::from_vec([2, 3], vec![0., 2., 1., 5., 5., 4.])?);
    /// assert_eq!(tape.argmax(&logits, 1)?, [1, 0]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `x` has no such dimension, or it has length 0.
    pub fn argmax(&self, x: &Var<T>, axis: usize) -> Result<Vec<usize>> {
        let dims = x.dims();
        let len = require_axis("argmax", x.shape(), axis)?;
        if len == 0 {
            return Err(nothing_to_choose("argmax", x.shape()));
        }
        let inner: usize = dims[axis + 1..].iter().product();
        let mut places = vec![0; x.value().len() / len];
        let values = x.value().as_slice();
        for_each_chunk(&mut places, inner, |outer, places| {
            let block = &values[outer * len * inner..][..len * inner];
            for (i, place) in places.iter_mut().enumerate() {
                for at in 1..len {
                    let (v, best) = (block[at * inner + i], block[*place * inner + i]);
                    // A comparison with NaN is false.
                    if v > best || (v.is_nan() && !best.is_nan()) {
                        *place = at;
                    }
                }
            }
        });
        Ok(places)
    }
}

fn nothing_to_choose(at: &str, shape: &Shape) -> Error {
    Error::shape(
        at,
        "at least one element to choose from",
        shape,
        "check where the empty input is from",
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{refused, sample};
    use super::*;

    #[test]
    fn ties_share_the_gradient_of_a_maximum() {
        let mut tape = Tape::<f64>::new();
        let infinity = f64::INFINITY;
        let values = vec![4., 4., 4., 1., -infinity, -infinity, 2., 5., f64::NAN, 3.];
        let x = tape.leaf(Tensor::from_vec([5, 2], values).unwrap());
        let y = tape.max_axes(&x, &[1], true).unwrap();
        assert_eq!(y.value().as_slice()[..4], [4., 4., -infinity, 5.]);
        assert!(y.value().as_slice()[4].is_nan());
        tape.backward_from(&y, Tensor::from_vec([5, 1], vec![1., 2., 3., 4., 5.]).unwrap())
            .unwrap();
        assert_eq!(tape.grad(&x).unwrap().as_slice(), [0.5, 0.5, 2., 0., 1.5, 1.5, 0., 4., 5., 0.]);
    }

    #[test]
    fn the_position_of_the_maximum() {
        let tape = Tape::<f64>::new();
        let x = sample([3, 4, 5], 4);
        let at = |i: usize, j: usize, k: usize| x.as_slice()[(i * 4 + j) * 5 + k];
        let places = tape.argmax(&tape.constant(x.clone()), 1).unwrap();
        for (i, &place) in places.iter().enumerate() {
            assert!((0..4).all(|j| at(i / 5, j, i % 5) <= at(i / 5, place, i % 5)));
        }
        assert_eq!(places.len(), 15);
        let x = tape.leaf(Tensor::from_vec([5], vec![1., 3., f64::NAN, 9., f64::NAN]).unwrap());
        assert_eq!(tape.argmax(&x, 0).unwrap(), [2]);
        let x = tape.leaf(Tensor::from_vec([2, 2], vec![3., 3., 3., 4.]).unwrap());
        assert_eq!(tape.argmax(&x, 0).unwrap(), [0, 1]);
        assert!(tape.argmax(&tape.leaf(Tensor::zeros([0, 2])), 1).unwrap().is_empty());
    }

    #[test]
    fn errors_say_what_to_do() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 0]));
        refused(tape.max_axes(&x, &[0, 1], false), &["max_axes", "[2, 0]"]);
        refused(tape.argmax(&x, 1), &["argmax", "[2, 0]"]);
        refused(tape.argmax(&x, 2), &["argmax", "axis below 2"]);
    }
}

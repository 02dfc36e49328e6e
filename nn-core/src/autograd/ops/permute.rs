//! Reordering of dimensions.
//!
//! Neighbours that stay together are one dimension. Then the common cases are copies of runs (the last
//! dimension stays last, as between `[batch, time, heads, width]` and `[batch, heads, time, width]`) or
//! transpositions (channels-last to channels-first and back), and what is left reads one element at a time.

use super::shape::transpose_each;
use super::walk::Walk;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::CHUNK;
use crate::kernels::parallel::prelude::*;
use crate::tensor::{BufferPool, Tensor};

struct Permute {
    /// The dimension of the output that is the input's `i`-th.
    inverse: Vec<usize>,
}

impl<T: Kernels> Op<T> for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let dx = permuted(&gradient, &self.inverse, inputs.pool());
        inputs.accumulate(0, dx)
    }
}

/// `x` with its dimensions in the order `axes`.
fn permuted<T: Kernels>(x: &Tensor<T>, axes: &[usize], pool: &BufferPool<T>) -> Tensor<T> {
    let dims = x.dims();
    let mut y = Tensor::uninit(axes.iter().map(|&axis| dims[axis]).collect::<Vec<_>>(), pool);
    if y.is_empty() {
        return y;
    }
    let (from, to) = (x.as_slice(), y.as_mut_slice());
    let order = merged(dims, axes);
    match order[..] {
        [] | [(_, 1)] => copy(from, to),
        [(cols, 1), (rows, _)] => transpose_each(1, rows, cols, from, to),
        [(batch, _), (cols, 1), (rows, _)] if order[0].1 == rows * cols => {
            transpose_each(batch, rows, cols, from, to);
        }
        [.., (run, 1)] => read(&order[..order.len() - 1], run, from, to),
        _ => read(&order, 1, from, to),
    }
    y
}

/// The output's dimensions as `(length, step in the input)`, without those of length 1, and with those merged
/// that stand together in the input, too.
fn merged(dims: &[usize], axes: &[usize]) -> Vec<(usize, usize)> {
    let step = |axis: usize| dims[axis + 1..].iter().product::<usize>();
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(axes.len());
    for &axis in axes.iter().filter(|&&axis| dims[axis] != 1) {
        let (len, step) = (dims[axis], step(axis));
        match order.last_mut() {
            Some(outer) if outer.1 == len * step => *outer = (outer.0 * len, step),
            _ => order.push((len, step)),
        }
    }
    order
}

/// Copies runs of `run` elements from the places of `outer`, one after the other.
fn read<T: Kernels>(outer: &[(usize, usize)], run: usize, from: &[T], to: &mut [T]) {
    let runs = (CHUNK / run).max(1);
    to.par_chunks_mut(runs * run).enumerate().for_each(|(task, to)| {
        let places = Walk::new(outer.iter().copied(), task * runs);
        if run == 1 {
            to.iter_mut().zip(places).for_each(|(to, place)| *to = from[place]);
            return;
        }
        for (to, place) in to.chunks_exact_mut(run).zip(places) {
            to.copy_from_slice(&from[place..place + run]);
        }
    });
}

/// Copies all elements.
pub(super) fn copy<T: Kernels>(from: &[T], to: &mut [T]) {
    let pieces = to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK));
    pieces.for_each(|(to, from)| to.copy_from_slice(from));
}

impl<T: Kernels> Tape<T> {
    /// The dimensions of `x` in another order: dimension `i` of the result is dimension `axes[i]` of `x`.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let image = tape.leaf(Tensor::zeros([8, 32, 24, 3])); // [batch, height, width, channels]
    /// assert_eq!(tape.permute(&image, &[0, 3, 1, 2])?.dims(), [8, 3, 32, 24]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `axes` does not name each dimension of `x` once.
    pub fn permute(&self, x: &Var<T>, axes: &[usize]) -> Result<Var<T>> {
        let rank = x.dims().len();
        let mut inverse = vec![rank; rank];
        for (i, &axis) in axes.iter().enumerate() {
            if let Some(place) = inverse.get_mut(axis) {
                *place = i;
            }
        }
        if axes.len() != rank || inverse.contains(&rank) {
            return Err(Error::shape(
                "permute",
                format!("axes that name each of the dimensions 0 to {rank} (exclusive) once"),
                format!("axes {axes:?} for an input {}", x.shape()),
                "pass one axis for each dimension of the input",
            ));
        }
        let y = permuted(x.value(), axes, self.pool());
        Ok(self.record(Permute { inverse }, &[x], y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused, run, sample};
    use super::*;
    use std::slice::from_ref;

    /// Every order of `n` dimensions.
    fn orders(n: usize) -> Vec<Vec<usize>> {
        let Some(last) = n.checked_sub(1) else { return vec![vec![]] };
        let insert = |order: Vec<usize>| {
            (0..n).map(move |at| {
                let mut order = order.clone();
                order.insert(at, last);
                order
            })
        };
        orders(last).into_iter().flat_map(insert).collect()
    }

    #[test]
    fn every_order_of_up_to_five_dimensions() {
        let all: [&[usize]; 6] = [&[], &[4], &[3, 5], &[2, 17, 3], &[2, 3, 1, 5], &[2, 3, 4, 2, 3]];
        for dims in all {
            let x = sample(dims, 1);
            for axes in orders(dims.len()) {
                let y = run::<f64>(from_ref(&x), |tape, x| tape.permute(&x[0], &axes));
                let output: Vec<_> = axes.iter().map(|&axis| dims[axis]).collect();
                for (i, &v) in y[0].iter().enumerate() {
                    let (mut rest, mut index) = (i, vec![0; dims.len()]);
                    for (&axis, &len) in axes.iter().zip(&output).rev() {
                        index[axis] = rest % len;
                        rest /= len;
                    }
                    let place = dims.iter().zip(&index).fold(0, |place, (len, i)| place * len + i);
                    assert_eq!(v, x.as_slice()[place], "{dims:?} in order {axes:?}");
                }
                check(from_ref(&x), |tape, x| tape.permute(&x[0], &axes));
            }
        }
    }

    #[test]
    fn common_orders_are_few_copies() {
        assert_eq!(merged(&[8, 32, 24, 3], &[0, 3, 1, 2]), [(8, 2304), (3, 1), (768, 3)]);
        assert_eq!(merged(&[8, 3, 32, 24], &[0, 2, 3, 1]), [(8, 2304), (768, 1), (3, 768)]);
        assert_eq!(merged(&[2, 7, 4, 5], &[0, 2, 1, 3]), [(2, 140), (4, 5), (7, 20), (5, 1)]);
        assert_eq!(merged(&[2, 1, 4], &[1, 0, 2]), [(8, 1)]);
    }

    #[test]
    fn arrays_of_several_tasks() {
        for axes in [[0, 2, 1], [2, 1, 0], [1, 0, 2], [0, 1, 2]] {
            let x = sample([3, 211, 79], 2);
            let results = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| run::<f32>(from_ref(&x), |tape, x| tape.permute(&x[0], &axes)))
            };
            let one = results(1);
            assert!(one == results(2) && one == results(4));
            let back =
                Tensor::from_vec(axes.map(|axis| [3, 211, 79][axis]), one[0].clone()).unwrap();
            let mut inverse = [0; 3];
            axes.iter().enumerate().for_each(|(i, &axis)| inverse[axis] = i);
            let back = run::<f32>(&[back], |tape, x| tape.permute(&x[0], &inverse));
            assert_eq!(back[0], x.cast::<f32>().cast::<f64>().as_slice());
        }
    }

    #[test]
    fn empty_arrays_and_wrong_axes() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 0, 3]));
        assert_eq!(tape.permute(&x, &[2, 0, 1]).unwrap().dims(), [3, 2, 0]);
        for axes in [&[0, 1][..], &[0, 1, 1], &[0, 1, 3], &[0, 1, 2, 2], &[]] {
            refused(tape.permute(&x, axes), &["permute", "[2, 0, 3]", "once"]);
        }
    }
}

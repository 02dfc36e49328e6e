//! Softmax and its logarithm over the last dimension.
//!
//! Both take their input by value and overwrite it if it is not shared. They save their output, which the
//! next op usually saves as well.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::for_each_chunk;
use crate::tensor::Tensor;
use std::sync::Arc;

/// Softmax, or its logarithm.
struct Softmax<T: Kernels> {
    log: bool,
    y: Arc<Tensor<T>>,
}

impl<T: Kernels> Op<T> for Softmax<T> {
    fn name(&self) -> &'static str {
        name(self.log)
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let width = self.y.dims().last().copied().unwrap_or(1);
        for_each_chunk(gradient.as_mut_slice(), width, |i, g| {
            let y = &self.y.as_slice()[i * width..][..width];
            if self.log {
                let sum = sum(width, g.iter().copied());
                g.iter_mut().zip(y).for_each(|(g, &y)| *g -= y.exp() * sum);
            } else {
                let mean = sum(width, g.iter().zip(y).map(|(&g, &y)| g * y));
                g.iter_mut().zip(y).for_each(|(g, &y)| *g = (*g - mean) * y);
            }
        });
        inputs.accumulate(0, gradient)
    }
}

fn name(log: bool) -> &'static str {
    if log { "log_softmax" } else { "softmax" }
}

/// The largest element of a row; subtracting it before `exp` prevents overflow.
fn maximum<T: Kernels>(row: &[T]) -> T {
    row.iter().copied().fold(T::neg_infinity(), T::max)
}

/// Elements of a row from which on sums run in double precision.
const LONG: usize = 256;

/// The sum of the `width` elements of a row.
fn sum<T: Kernels>(width: usize, row: impl Iterator<Item = T>) -> T {
    if width < LONG { row.sum() } else { T::from_f64(row.map(T::as_f64).sum()) }
}

impl<T: Kernels> Tape<T> {
    /// `exp(x) / sum exp(x)` over the last dimension. For a loss, prefer
    /// [`Tape::softmax_cross_entropy`], which is fused and does not underflow.
    ///
    /// # Errors
    /// If `x` has no dimension.
    pub fn softmax(&self, x: Var<T>) -> Result<Var<T>> {
        self.softmax_rows(x, false, |row| {
            let top = maximum(row);
            row.iter_mut().for_each(|v| *v = (*v - top).exp());
            let sum = sum(row.len(), row.iter().copied());
            row.iter_mut().for_each(|v| *v /= sum);
        })
    }

    /// `ln(softmax(x))` over the last dimension, without underflow.
    ///
    /// # Errors
    /// If `x` has no dimension.
    pub fn log_softmax(&self, x: Var<T>) -> Result<Var<T>> {
        self.softmax_rows(x, true, |row| {
            let top = maximum(row);
            let log_sum = sum(row.len(), row.iter().map(|&v| (v - top).exp())).ln();
            // One after the other: added to a large `top`, `log_sum` would be rounded away.
            row.iter_mut().for_each(|v| *v = *v - top - log_sum);
        })
    }

    fn softmax_rows(&self, x: Var<T>, log: bool, f: impl Fn(&mut [T]) + Sync) -> Result<Var<T>> {
        let Some(&width) = x.dims().last() else {
            return Err(Error::shape(
                name(log),
                "an input with a last dimension to run over, [.., classes]",
                x.shape(),
                "reshape the number to [1]",
            ));
        };
        let (mut y, x) = x.take(self.pool());
        for_each_chunk(y.as_mut_slice(), width, |_, row| f(row));
        let y = Arc::new(y);
        Ok(self.record(Softmax { log, y: Arc::clone(&y) }, &[&x], y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;
    use std::slice::from_ref;

    type Rows<T> = fn(&Tape<T>, Var<T>) -> Result<Var<T>>;

    fn value<T: Kernels>(op: Rows<T>, x: &Tensor<T>) -> Vec<T> {
        let tape = Tape::new();
        let x = tape.leaf(x.clone());
        op(&tape, x).unwrap().value().as_slice().to_vec()
    }

    #[test]
    fn values_agree_with_their_definition() {
        let x = sample([3, 7], 1).map(|v| 4.0 * v);
        let sums: Vec<f64> = (0..3).map(|i| x.row(i).iter().map(|v| v.exp()).sum()).collect();
        let each = |f: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
            x.as_slice().iter().enumerate().map(|(i, &v)| f(i / 7, v)).collect()
        };
        assert_close(&[value(Tape::softmax, &x)], &[each(&|i, v| v.exp() / sums[i])], 1e-14);
        assert_close(&[value(Tape::log_softmax, &x)], &[each(&|i, v| v - sums[i].ln())], 1e-14);
    }

    #[test]
    fn gradients() {
        let dims: [&[usize]; 5] = [&[1], &[5], &[3, 7], &[2, 3, 4], &[2, LONG + 1]];
        for (seed, dims) in dims.into_iter().enumerate() {
            let x = sample(dims, seed as u64).map(|v| 3.0 * v);
            for op in [Tape::softmax, Tape::log_softmax] as [Rows<f64>; 2] {
                check(from_ref(&x), |tape, x| op(tape, x[0].clone()));
                check(from_ref(&x), |tape, x| {
                    // `x[0]` is used twice, and the values in between are overwritten in place.
                    let doubled = tape.scale(x[0].clone(), 2.0);
                    let y = op(tape, doubled)?;
                    let y = tape.mul(&y, &x[0])?;
                    op(tape, y)
                });
            }
        }
    }

    #[test]
    fn extremes_neither_overflow_nor_vanish() {
        let x = Tensor::from_vec([1, 3], vec![1000.0, 0.0, -1000.0]).unwrap();
        assert_eq!(value(Tape::softmax, &x), [1.0, 0.0, 0.0]);
        assert_eq!(value(Tape::log_softmax, &x), [0.0, -1000.0, -2000.0]);
        let nan = Tensor::from_vec([1, 3], vec![1.0, f64::NAN, 2.0]).unwrap();
        assert!(value(Tape::softmax, &nan).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn large_logits_lose_no_digit_of_the_logarithm() {
        let x = Tensor::from_vec([1, 4], vec![10000f32, 10001., 10002., 10003.]).unwrap();
        for (i, y) in value(Tape::log_softmax, &x).into_iter().enumerate() {
            let sum: f64 = (0..4).map(|j| (f64::from(j) - i as f64).exp()).sum();
            assert!((f64::from(y) + sum.ln()).abs() < 1e-6, "{y} and {}", -sum.ln());
        }
    }

    #[test]
    fn long_rows_add_up_to_one() {
        let x = Tensor::<f32>::zeros([1, 3_000_000]);
        let p = value(Tape::softmax, &x)[7];
        assert!((f64::from(p) * 3e6 - 1.0).abs() < 1e-6, "{p}");
        let log = value(Tape::log_softmax, &x)[7];
        assert!((f64::from(log) + 3e6f64.ln()).abs() < 2e-6, "{log}");
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let x = [sample([4, 9], 6).map(|v| 5.0 * v)];
        // Squared: the plain sum of a softmax has no gradient to compare.
        fn squared<T: Kernels>(op: Rows<T>, x: &[Tensor<f64>]) -> Vec<Vec<f64>> {
            run::<T>(x, |tape, x| {
                let y = op(tape, x[0].clone())?;
                tape.mul(&y, &y)
            })
        }
        assert_close(&squared::<f32>(Tape::softmax, &x), &squared::<f64>(Tape::softmax, &x), 2e-6);
        let wide = squared::<f64>(Tape::log_softmax, &x);
        assert_close(&squared::<f32>(Tape::log_softmax, &x), &wide, 2e-6);
    }

    #[test]
    fn a_dimension_is_needed() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::scalar(1.0));
        refused(tape.softmax(x.clone()), &["softmax", "[]", "reshape"]);
        refused(tape.log_softmax(x), &["log_softmax", "[]"]);
        let empty = tape.leaf(Tensor::zeros([3, 0]));
        assert!(tape.softmax(empty).unwrap().value().is_empty());
    }
}

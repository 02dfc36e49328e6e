//! Activations: ReLU, sigmoid, tanh, and softmax over the last dimension.
//!
//! All take their input by value and overwrite it if it is not shared. ReLU saves one bit per element,
//! the others save their output, which the next op usually saves as well.

use super::elementwise::{update, update_from};
use super::mask::Masked;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::for_each_chunk;
use crate::tensor::Tensor;
use std::sync::Arc;

#[derive(Clone, Copy)]
enum Function {
    Sigmoid,
    Tanh,
    Softmax,
    LogSoftmax,
}

/// A function whose derivative is computed from its value.
struct FromOutput<T: Kernels> {
    function: Function,
    y: Arc<Tensor<T>>,
}

impl<T: Kernels> Op<T> for FromOutput<T> {
    fn name(&self) -> &'static str {
        match self.function {
            Function::Sigmoid => "sigmoid",
            Function::Tanh => "tanh",
            Function::Softmax => "softmax",
            Function::LogSoftmax => "log_softmax",
        }
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let one = T::one();
        match self.function {
            Function::Sigmoid => self.zip(gradient.as_mut_slice(), |g, y| g * y * (one - y)),
            Function::Tanh => self.zip(gradient.as_mut_slice(), |g, y| g * (one - y * y)),
            Function::Softmax => self.rows(gradient.as_mut_slice(), |g, y| {
                let mean: T = g.iter().zip(y).map(|(&g, &y)| g * y).sum();
                g.iter_mut().zip(y).for_each(|(g, &y)| *g = (*g - mean) * y);
            }),
            Function::LogSoftmax => self.rows(gradient.as_mut_slice(), |g, y| {
                let sum: T = g.iter().copied().sum();
                g.iter_mut().zip(y).for_each(|(g, &y)| *g -= y.exp() * sum);
            }),
        }
        inputs.accumulate(0, gradient)
    }
}

impl<T: Kernels> FromOutput<T> {
    fn zip(&self, gradient: &mut [T], f: impl Fn(T, T) -> T + Sync) {
        update_from(gradient, self.y.as_slice(), f);
    }

    fn rows(&self, gradient: &mut [T], f: impl Fn(&mut [T], &[T]) + Sync) {
        let width = self.y.dims().last().copied().unwrap_or(1);
        for_each_chunk(gradient, width, |i, gradient| {
            f(gradient, &self.y.as_slice()[i * width..][..width]);
        });
    }
}

/// `1 / (1 + exp(-x))`, without overflow for large positive or negative `x`.
pub(super) fn sigmoid<T: Kernels>(x: T) -> T {
    let e = (-x.abs()).exp();
    let numerator = if x < T::zero() { e } else { T::one() };
    numerator / (T::one() + e)
}

/// The row's largest element; subtracting it before `exp` prevents overflow.
fn maximum<T: Kernels>(row: &[T]) -> T {
    row.iter().copied().fold(T::neg_infinity(), T::max)
}

impl<T: Kernels> Tape<T> {
    /// `max(x, 0)`. NaN stays NaN; the gradient at 0 is 0.
    pub fn relu(&self, x: Var<T>) -> Var<T> {
        let (mut y, x) = x.take(self.pool());
        let op = Masked::update("relu", y.as_mut_slice(), self.pool(), |v| {
            // False for NaN, so that NaN stays and passes its gradient on.
            let stopped = *v <= T::zero();
            *v = if stopped { T::zero() } else { *v };
            !stopped
        });
        self.record(op, &[&x], y)
    }

    /// `1 / (1 + exp(-x))`.
    pub fn sigmoid(&self, x: Var<T>) -> Var<T> {
        self.apply(Function::Sigmoid, x, |y| update(y, sigmoid))
    }

    /// The hyperbolic tangent.
    pub fn tanh(&self, x: Var<T>) -> Var<T> {
        self.apply(Function::Tanh, x, |y| update(y, T::tanh))
    }

    /// `exp(x) / sum exp(x)` over the last dimension. For a loss, prefer
    /// [`Tape::softmax_cross_entropy`], which is fused and does not underflow.
    ///
    /// # Errors
    /// If `x` has no dimension.
    pub fn softmax(&self, x: Var<T>) -> Result<Var<T>> {
        let width = last_dim("softmax", &x)?;
        Ok(self.apply(Function::Softmax, x, |y| {
            for_each_chunk(y, width, |_, row| {
                let top = maximum(row);
                row.iter_mut().for_each(|v| *v = (*v - top).exp());
                let sum: T = row.iter().copied().sum();
                row.iter_mut().for_each(|v| *v /= sum);
            });
        }))
    }

    /// `ln(softmax(x))` over the last dimension, without underflow.
    ///
    /// # Errors
    /// If `x` has no dimension.
    pub fn log_softmax(&self, x: Var<T>) -> Result<Var<T>> {
        let width = last_dim("log_softmax", &x)?;
        Ok(self.apply(Function::LogSoftmax, x, |y| {
            for_each_chunk(y, width, |_, row| {
                let top = maximum(row);
                let sum: T = row.iter().map(|&v| (v - top).exp()).sum();
                let shift = top + sum.ln();
                row.iter_mut().for_each(|v| *v -= shift);
            });
        }))
    }

    fn apply(&self, function: Function, x: Var<T>, f: impl Fn(&mut [T])) -> Var<T> {
        let (mut y, x) = x.take(self.pool());
        f(y.as_mut_slice());
        let y = Arc::new(y);
        self.record(FromOutput { function, y: Arc::clone(&y) }, &[&x], y)
    }
}

/// The length of `x`'s last dimension.
fn last_dim<T: Kernels>(at: &str, x: &Var<T>) -> Result<usize> {
    x.dims().last().copied().ok_or_else(|| {
        Error::shape(
            at,
            "an input with a last dimension to run over, [.., classes]",
            x.shape(),
            "reshape the number to [1]",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;
    use crate::kernels::parallel::CHUNK;
    use std::slice::from_ref;

    type Unary<T> = fn(&Tape<T>, Var<T>) -> Result<Var<T>>;

    fn unary_ops<T: Kernels>() -> [Unary<T>; 5] {
        [
            |tape, x| Ok(tape.relu(x)),
            |tape, x| Ok(tape.sigmoid(x)),
            |tape, x| Ok(tape.tanh(x)),
            Tape::softmax,
            Tape::log_softmax,
        ]
    }

    fn value(op: Unary<f64>, x: &Tensor<f64>) -> Vec<f64> {
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
        let expected = [
            each(&|_, v| if v > 0.0 { v } else { 0.0 }),
            each(&|_, v| 1.0 / (1.0 + (-v).exp())),
            each(&|_, v| (v.exp() - (-v).exp()) / (v.exp() + (-v).exp())),
            each(&|i, v| v.exp() / sums[i]),
            each(&|i, v| v - sums[i].ln()),
        ];
        for (op, expected) in unary_ops().into_iter().zip(expected) {
            assert_close(&[value(op, &x)], &[expected], 1e-14);
        }
    }

    #[test]
    fn gradients() {
        let dims: [&[usize]; 4] = [&[1], &[5], &[3, 7], &[2, 3, 4]];
        for (seed, dims) in dims.into_iter().enumerate() {
            let x = sample(dims, seed as u64).map(|v| 3.0 * v);
            for op in unary_ops() {
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
    fn relu_at_its_kink_and_beyond() {
        let mut tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::from_vec([5], vec![-1., -0., 0., 2., f32::NAN]).unwrap());
        let y = tape.relu(x.clone());
        assert_eq!(y.value().as_slice()[..4], [0., 0., 0., 2.]);
        assert!(y.value().as_slice()[1].is_sign_positive());
        assert!(y.value().as_slice()[4].is_nan(), "NaN must be noticed");
        tape.backward_from(&y, Tensor::full([5], 3.0)).unwrap();
        assert_eq!(tape.grad(&x).unwrap().as_slice(), [0., 0., 0., 3., 3.]);
    }

    #[test]
    fn relu_of_several_tasks_with_and_without_gradient() {
        let x = sample([2 * CHUNK + 3], 5);
        let expected = x.map(|v| v.max(0.0));
        let mut tape = Tape::new();
        let leaf = tape.leaf(x.clone());
        let y = tape.relu(leaf.clone());
        assert_eq!(y.value(), &expected);
        tape.backward_from(&y, Tensor::full(x.shape(), 1.0)).unwrap();
        assert_eq!(tape.grad(&leaf).unwrap(), &x.map(|v| f64::from(v > 0.0)));
        let constant = tape.constant(x);
        let y = tape.relu(constant);
        assert_eq!(y.value(), &expected);
        assert!(!y.requires_grad());
    }

    #[test]
    fn extremes_neither_overflow_nor_vanish() {
        let x = Tensor::from_vec([1, 3], vec![1000.0, 0.0, -1000.0]).unwrap();
        assert_eq!(value(|tape, x| Ok(tape.sigmoid(x)), &x), [1.0, 0.5, 0.0]);
        assert_eq!(value(Tape::softmax, &x), [1.0, 0.0, 0.0]);
        assert_eq!(value(Tape::log_softmax, &x), [0.0, -1000.0, -2000.0]);
        let x = Tensor::from_vec([1], vec![-700.0]).unwrap();
        assert!(
            (value(|tape, x| Ok(tape.sigmoid(x)), &x)[0] / (-700f64).exp() - 1.0).abs() < 1e-12
        );
        let nan = Tensor::from_vec([1, 3], vec![1.0, f64::NAN, 2.0]).unwrap();
        assert!(value(Tape::softmax, &nan).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let x = [sample([4, 9], 6).map(|v| 5.0 * v)];
        for (narrow, wide) in unary_ops::<f32>().into_iter().zip(unary_ops::<f64>()) {
            // Squared: the plain sum of a softmax has no gradient to compare.
            let narrow = run::<f32>(&x, |tape, x| {
                let y = narrow(tape, x[0].clone())?;
                tape.mul(&y, &y)
            });
            let wide = run::<f64>(&x, |tape, x| {
                let y = wide(tape, x[0].clone())?;
                tape.mul(&y, &y)
            });
            assert_close(&narrow, &wide, 2e-6);
        }
    }

    #[test]
    fn softmax_needs_a_dimension() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::scalar(1.0));
        refused(tape.softmax(x.clone()), &["softmax", "[]", "reshape"]);
        refused(tape.log_softmax(x), &["log_softmax", "[]"]);
        let empty = tape.leaf(Tensor::zeros([3, 0]));
        assert!(tape.softmax(empty).unwrap().value().is_empty());
    }
}

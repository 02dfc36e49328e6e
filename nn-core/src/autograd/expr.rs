//! Arithmetic with operators.
//!
//! [`Tape::expr`] begins an expression: `+`, `-`, `*`, `/` and methods build on it, with variables, numbers
//! and other expressions, and [`Expr::var`] ends it. An op that fails (of shapes that do not combine, say)
//! fails the rest of the expression with it, so that its error comes out once, at the end.
//!
//! ```
//! use nn_core::{Tape, Tensor};
//!
//! let mut tape = Tape::<f32>::new();
//! let x = tape.leaf(Tensor::from_vec([2, 2], vec![1., 2., 3., 6.])?);
//! // Each column less its mean, over its standard deviation.
//! let mean = tape.mean_axes(&x, &[0], true)?;
//! let deviation = (tape.expr(&x) - &mean).square().mean_axes(&[0], true).sqrt();
//! let y = ((tape.expr(&x) - &mean) / deviation).var()?;
//! assert_eq!(y.value().as_slice(), [-1., -1., 1., 1.]);
//!
//! let loss = (1.0 - 0.5 * tape.expr(&y)).square().sum().var()?;
//! tape.backward(&loss)?;
//!
//! let wide = tape.leaf(Tensor::zeros([3]));
//! let error = (tape.expr(&x) + &wide).exp().sum().var().unwrap_err();
//! assert!(error.to_string().starts_with("add: "));
//! # Ok::<(), nn_core::Error>(())
//! ```

use super::{Tape, Var};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::tensor::{Shape, Tensor};
use std::ops::{Add, Div, Mul, Neg, Range, Sub};

/// An expression on a tape: a variable, or the error of the first op that failed. See the
/// [module's documentation](self).
///
/// An op without a method here, one's own included, is called with [`Expr::apply`].
#[derive(Debug)]
#[must_use = "`var` ends the expression and gives its value, or its error"]
pub struct Expr<'t, T: Kernels = f32> {
    tape: &'t Tape<T>,
    value: Result<Var<T>>,
}

/// The other operand of an [`Expr`]: a variable, an expression or a number.
#[derive(Debug)]
pub struct Operand<T: Kernels = f32>(Kind<T>);

/// An op of two variables.
type Binary<T> = fn(&Tape<T>, &Var<T>, &Var<T>) -> Result<Var<T>>;

#[derive(Debug)]
enum Kind<T: Kernels> {
    Value(Result<Var<T>>),
    Number(T),
}

impl<T: Kernels> Operand<T> {
    fn var(self) -> Result<Var<T>> {
        match self.0 {
            Kind::Value(value) => value,
            Kind::Number(number) => Ok(Var { value: Tensor::scalar(number).into(), node: None }),
        }
    }
}

impl<T: Kernels> From<&Var<T>> for Operand<T> {
    fn from(var: &Var<T>) -> Self {
        Self(Kind::Value(Ok(var.clone())))
    }
}

impl<T: Kernels> From<Var<T>> for Operand<T> {
    fn from(var: Var<T>) -> Self {
        Self(Kind::Value(Ok(var)))
    }
}

impl<T: Kernels> From<Expr<'_, T>> for Operand<T> {
    fn from(expr: Expr<'_, T>) -> Self {
        Self(Kind::Value(expr.value))
    }
}

impl<T: Kernels> From<f64> for Operand<T> {
    fn from(number: f64) -> Self {
        Self(Kind::Number(T::from_f64(number)))
    }
}

impl<T: Kernels> From<f32> for Operand<T> {
    fn from(number: f32) -> Self {
        f64::from(number).into()
    }
}

impl<T: Kernels> Tape<T> {
    /// Begins an expression with `x`: see [`expr`](crate::autograd::expr).
    pub fn expr<'t>(&'t self, x: &Var<T>) -> Expr<'t, T> {
        Expr { tape: self, value: Ok(x.clone()) }
    }
}

impl<T: Kernels> Expr<'_, T> {
    /// The expression's value.
    ///
    /// # Errors
    /// That of the first op that failed.
    pub fn var(self) -> Result<Var<T>> {
        self.value
    }

    /// Any op of one variable.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.leaf(Tensor::from_vec([2], vec![0.0, 3.0])?);
    /// let y = (tape.expr(&x) * 2.0).apply(|tape, x| tape.tile(&x, &[2])).var()?;
    /// assert_eq!(y.value().as_slice(), [0.0, 6.0, 0.0, 6.0]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn apply(mut self, op: impl FnOnce(&Tape<T>, Var<T>) -> Result<Var<T>>) -> Self {
        self.value = self.value.and_then(|x| op(self.tape, x));
        self
    }

    /// Any op of two variables.
    fn apply_with(self, other: impl Into<Operand<T>>, op: Binary<T>) -> Self {
        let other = other.into().var();
        self.apply(|tape, x| op(tape, &x, &other?))
    }
}

macro_rules! operators {
    ($($operator:ident, $method:ident, $op:path, |$tape:ident, $x:ident, $number:ident| $with:expr;)*) => {$(
        impl<T: Kernels, R: Into<Operand<T>>> $operator<R> for Expr<'_, T> {
            type Output = Self;

            fn $method(self, other: R) -> Self {
                match other.into() {
                    Operand(Kind::Number($number)) => self.apply(|$tape, $x| $with),
                    other => self.apply_with(other, $op),
                }
            }
        }

        impl<'t, T: Kernels> $operator<Expr<'t, T>> for &Var<T> {
            type Output = Expr<'t, T>;

            fn $method(self, other: Expr<'t, T>) -> Expr<'t, T> {
                other.tape.expr(self).$method(other)
            }
        }

        impl<'t, T: Kernels> $operator<Expr<'t, T>> for f64 {
            type Output = Expr<'t, T>;

            fn $method(self, other: Expr<'t, T>) -> Expr<'t, T> {
                let number = Operand::from(self).var();
                Expr { tape: other.tape, value: number }.$method(other)
            }
        }
    )*};
}

operators! {
    Add, add, Tape::add, |tape, x, number| Ok(tape.add_scalar(x, number));
    Sub, sub, Tape::sub, |tape, x, number| Ok(tape.add_scalar(x, -number));
    Mul, mul, Tape::mul, |tape, x, number| Ok(tape.scale(x, number));
    Div, div, Tape::div, |tape, x, number| tape.div(&x, &tape.constant(Tensor::scalar(number)));
}

impl<T: Kernels> Neg for Expr<'_, T> {
    type Output = Self;

    fn neg(self) -> Self {
        self.apply(|tape, x| Ok(tape.neg(x)))
    }
}

macro_rules! methods {
    ($($name:ident($($arg:ident: $type:ty),*) => |$tape:ident, $x:ident| $op:expr;)*) => {
        /// Methods of the same names as the tape's, with their arguments and errors.
        impl<T: Kernels> Expr<'_, T> {$(
            #[doc = concat!("See [`Tape::", stringify!($name), "`].")]
            pub fn $name(self $(, $arg: $type)*) -> Self {
                self.apply(|$tape, $x| $op)
            }
        )*}
    };
}

methods! {
    exp() => |tape, x| Ok(tape.exp(x));
    log() => |tape, x| Ok(tape.log(x));
    sqrt() => |tape, x| Ok(tape.sqrt(x));
    abs() => |tape, x| Ok(tape.abs(x));
    square() => |tape, x| Ok(tape.square(x));
    powf(exponent: f64) => |tape, x| Ok(tape.powf(x, exponent));
    erf() => |tape, x| Ok(tape.erf(x));
    clamp(low: f64, high: f64) => |tape, x| Ok(tape.clamp(x, low, high));
    relu() => |tape, x| Ok(tape.relu(x));
    sigmoid() => |tape, x| Ok(tape.sigmoid(x));
    tanh() => |tape, x| Ok(tape.tanh(x));
    softmax() => |tape, x| tape.softmax(x);
    log_softmax() => |tape, x| tape.log_softmax(x);
    sum() => |tape, x| Ok(tape.sum(&x));
    mean() => |tape, x| tape.mean(&x);
    sum_axes(axes: &[usize], keep: bool) => |tape, x| tape.sum_axes(&x, axes, keep);
    mean_axes(axes: &[usize], keep: bool) => |tape, x| tape.mean_axes(&x, axes, keep);
    variance_axes(axes: &[usize], keep: bool, correction: usize)
        => |tape, x| tape.variance_axes(&x, axes, keep, correction);
    max_axes(axes: &[usize], keep: bool) => |tape, x| tape.max_axes(&x, axes, keep);
    reshape(shape: impl Into<Shape>) => |tape, x| tape.reshape(x, shape);
    transpose() => |tape, x| tape.transpose(&x);
    permute(axes: &[usize]) => |tape, x| tape.permute(&x, axes);
    slice(axis: usize, range: Range<usize>) => |tape, x| tape.slice(&x, axis, range);
    gather(axis: usize, indices: &[usize]) => |tape, x| tape.gather(&x, axis, indices);
    broadcast_to(shape: impl Into<Shape>) => |tape, x| tape.broadcast_to(&x, shape);
}

impl<T: Kernels> Expr<'_, T> {
    /// The matrix product with `other`. See [`Tape::matmul`].
    pub fn matmul(self, other: impl Into<Operand<T>>) -> Self {
        self.apply_with(other, Tape::matmul)
    }

    /// The smaller of both, element by element. See [`Tape::minimum`].
    pub fn minimum(self, other: impl Into<Operand<T>>) -> Self {
        self.apply_with(other, Tape::minimum)
    }

    /// The larger of both, element by element. See [`Tape::maximum`].
    pub fn maximum(self, other: impl Into<Operand<T>>) -> Self {
        self.apply_with(other, Tape::maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ops::testing::{check, sample};
    use super::*;

    fn leaves(tape: &Tape<f64>) -> [Var<f64>; 2] {
        [tape.leaf(sample([2, 3], 1)), tape.leaf(sample([3], 2))]
    }

    #[test]
    fn operators_are_the_ops() {
        let tape = Tape::<f64>::new();
        let [a, b] = leaves(&tape);
        let (x, y) = (|| tape.expr(&a), || tape.expr(&b));
        let both = |op: Binary<f64>| op(&tape, &a, &b).unwrap().value().clone();
        let all: [(_, Expr<'_, f64>, Expr<'_, f64>, Expr<'_, f64>); 4] = [
            (both(Tape::add), x() + y(), x() + &b, &a + y()),
            (both(Tape::sub), x() - y(), x() - &b, &a - y()),
            (both(Tape::mul), x() * y(), x() * &b, &a * y()),
            (both(Tape::div), x() / y(), x() / &b, &a / y()),
        ];
        for (expected, first, second, third) in all {
            for expr in [first, second, third] {
                assert_eq!(expr.var().unwrap().value(), &expected);
            }
        }
    }

    #[test]
    fn numbers_on_either_side() {
        let tape = Tape::<f64>::new();
        let [a, _] = leaves(&tape);
        let x = || tape.expr(&a);
        type Case<'t> = (Expr<'t, f64>, fn(f64) -> f64);
        let all: [Case<'_>; 10] = [
            (x() + 2.0, |v| v + 2.0),
            (x() - 2.0, |v| v - 2.0),
            (x() * 3.0, |v| v * 3.0),
            (x() / 3.0, |v| v / 3.0),
            (2.0 + x(), |v| 2.0 + v),
            (2.0 - x(), |v| 2.0 - v),
            (3.0 * x(), |v| 3.0 * v),
            (3.0 / x(), |v| 3.0 / v),
            (-x(), |v| -v),
            (x() * 0.5f32, |v| v * 0.5),
        ];
        for (expr, f) in all {
            assert_eq!(expr.var().unwrap().value(), &a.value().map(f));
        }
        let narrow = Tape::<f32>::new();
        let x = narrow.leaf(Tensor::scalar(3.0));
        let y = (1.0 - (narrow.expr(&x) * 0.5 + 0.25).square()).maximum(-9.0).var().unwrap();
        assert_eq!(y.value().item().unwrap(), 1.0 - 1.75 * 1.75);
    }

    #[test]
    fn gradients_go_through() {
        let inputs = [sample([2, 3], 3), sample([3], 4)];
        check(&inputs, |tape, x| {
            let [a, b] = [&x[0], &x[1]];
            let centred = tape.expr(a) - tape.expr(a).mean_axes(&[0], true);
            let scaled = centred / (tape.expr(b).square() + 0.5).sqrt();
            (2.0 - scaled * b + a * tape.expr(b).tanh()).exp().var()
        });
        check(&inputs, |tape, x| {
            let squares = tape.expr(&x[0]).matmul(tape.expr(&x[0]).transpose());
            let rows = tape.expr(&x[1]).reshape([1, 3]).matmul(tape.expr(&x[0]).permute(&[1, 0]));
            (-squares + rows).softmax().minimum(0.9).log().var()
        });
    }

    #[test]
    fn the_first_error_comes_out() {
        let tape = Tape::<f64>::new();
        let [a, _] = leaves(&tape);
        let wrong = || tape.expr(&a).transpose() + &a;
        for expr in [
            wrong().exp().sum(),
            wrong().matmul(&a),
            tape.expr(&a) * wrong(),
            &a / wrong(),
            2.0 - wrong(),
            wrong() + tape.expr(&a).sum_axes(&[7], false),
        ] {
            let message = expr.var().unwrap_err().to_string();
            assert!(message.starts_with("add: ") && message.contains("[3, 2]"), "{message}");
        }
    }

    #[test]
    fn values_in_between_are_overwritten() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::full([1000], 1.0));
        let y = (tape.expr(&x) * 2.0).var().unwrap();
        let place = y.value().as_slice().as_ptr();
        let expr = Expr { tape: &tape, value: Ok(y) };
        let y = (expr + 1.0).clamp(0.0, 9.0).exp().var().unwrap();
        assert_eq!(y.value().as_slice().as_ptr(), place);
    }
}

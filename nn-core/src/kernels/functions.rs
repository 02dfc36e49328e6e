//! Functions of one number, applied to every element of a slice.
//!
//! The loops are called through [`Tables::functions`](super::Tables::functions). So they are compiled
//! with this crate for each element type, independently of the build settings of the crate that calls.

use super::activation::{self, Activation};
use super::erf::erf;
use crate::tensor::Element;
use std::f64::consts::FRAC_2_SQRT_PI;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `e^x`.
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root.
    Sqrt,
    /// The absolute value.
    Abs,
    /// `x^2`.
    Square,
    /// The error function.
    Erf,
    /// `x` to a fixed power.
    Power(f64),
    /// An activation function of a network.
    Activation(Activation),
}

impl Function {
    /// The function's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Sqrt => "sqrt",
            Self::Abs => "abs",
            Self::Square => "square",
            Self::Erf => "erf",
            Self::Power(_) => "powf",
            Self::Activation(function) => function.name(),
        }
    }

    /// Whether the derivative is computed from the function's value, not from its argument.
    pub fn needs_value(self) -> bool {
        match self {
            Self::Exp | Self::Sqrt => true,
            Self::Activation(function) => function.needs_value(),
            _ => false,
        }
    }
}

/// The loops for one element type.
#[derive(Debug, Clone, Copy)]
pub struct Functions<T: Element> {
    /// Replaces every element by the function's value there.
    pub apply: fn(Function, &mut [T]),
    /// Multiplies every gradient by the derivative, from the arguments or the values: see
    /// [`Function::needs_value`]. The slices have the same length.
    pub differentiate: fn(Function, &mut [T], &[T]),
}

impl<T: Element> Functions<T> {
    /// The functions of this file.
    pub(super) const COMPILED: Self = Self { apply: apply::<T>, differentiate: differentiate::<T> };
}

fn apply<T: Element>(function: Function, data: &mut [T]) {
    let each = data.iter_mut();
    match function {
        Function::Exp => each.for_each(|v| *v = v.exp()),
        Function::Log => each.for_each(|v| *v = v.ln()),
        Function::Sqrt => each.for_each(|v| *v = v.sqrt()),
        Function::Abs => each.for_each(|v| *v = v.abs()),
        Function::Square => each.for_each(|v| *v *= *v),
        Function::Erf => each.for_each(|v| *v = T::from_f64(erf(v.as_f64()))),
        Function::Power(power) => {
            let power = T::from_f64(power);
            each.for_each(|v| *v = v.powf(power));
        }
        Function::Activation(function) => activation::forward(function, data),
    }
}

fn differentiate<T: Element>(function: Function, gradient: &mut [T], saved: &[T]) {
    let pairs = gradient.iter_mut().zip(saved);
    let two = T::from_f64(2.0);
    match function {
        Function::Exp => pairs.for_each(|(g, &y)| *g *= y),
        Function::Log => pairs.for_each(|(g, &x)| *g /= x),
        Function::Sqrt => pairs.for_each(|(g, &y)| *g /= two * y),
        Function::Abs => pairs.for_each(|(g, &x)| *g *= sign(x)),
        Function::Square => pairs.for_each(|(g, &x)| *g *= two * x),
        Function::Erf => {
            let factor = T::from_f64(FRAC_2_SQRT_PI);
            pairs.for_each(|(g, &x)| *g *= factor * (-x * x).exp());
        }
        Function::Power(0.0) => pairs.for_each(|(g, _)| *g = T::zero()),
        Function::Power(power) => {
            let (power, less) = (T::from_f64(power), T::from_f64(power - 1.0));
            pairs.for_each(|(g, &x)| *g *= power * x.powf(less));
        }
        Function::Activation(function) => activation::backward(function, gradient, saved),
    }
}

/// -1, 0 or 1; NaN for NaN.
fn sign<T: Element>(x: T) -> T {
    if x == T::zero() { x } else { x.signum() }
}

//! Functions of one number, applied to every element of a slice.
//!
//! The loops are called through [`Tables::functions`](super::Tables::functions). So they are compiled
//! with this crate for each element type, independently of the build settings of the crate that calls.

use super::activation::{self, Activation};
use super::erf::erf;
use super::exp::exp;
use super::multiversion::{Multiversion, each, each_pair, multiversion};
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
    match function {
        Function::Activation(function) => activation::forward(function, data),
        function => multiversion(Apply { function, data }),
    }
}

fn differentiate<T: Element>(function: Function, gradient: &mut [T], saved: &[T]) {
    match function {
        Function::Activation(function) => activation::backward(function, gradient, saved),
        function => multiversion(Differentiate { function, gradient, saved }),
    }
}

struct Apply<'a, T> {
    function: Function,
    data: &'a mut [T],
}

impl<T: Element> Multiversion for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let data = self.data;
        match self.function {
            Function::Exp => each!(data, v => exp(v)),
            Function::Log => each!(data, v => v.ln()),
            Function::Sqrt => each!(data, v => v.sqrt()),
            Function::Abs => each!(data, v => v.abs()),
            Function::Square => each!(data, v => v * v),
            Function::Erf => each!(data, v => T::from_f64(erf(v.as_f64()))),
            Function::Power(power) => {
                let power = T::from_f64(power);
                each!(data, v => v.powf(power));
            }
            Function::Activation(_) => unreachable!("it has loops of its own"),
        }
    }
}

struct Differentiate<'a, T> {
    function: Function,
    gradient: &'a mut [T],
    saved: &'a [T],
}

impl<T: Element> Multiversion for Differentiate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { function, gradient, saved } = self;
        let two = T::from_f64(2.0);
        match function {
            Function::Exp => each_pair!(gradient, saved, g, y => g * y),
            Function::Log => each_pair!(gradient, saved, g, x => g / x),
            Function::Sqrt => each_pair!(gradient, saved, g, y => g / (two * y)),
            Function::Abs => each_pair!(gradient, saved, g, x => g * sign(x)),
            Function::Square => each_pair!(gradient, saved, g, x => g * (two * x)),
            Function::Erf => {
                let factor = T::from_f64(FRAC_2_SQRT_PI);
                each_pair!(gradient, saved, g, x => g * (factor * exp(-x * x)));
            }
            Function::Power(0.0) => gradient.fill(T::zero()),
            Function::Power(power) => {
                let (power, less) = (T::from_f64(power), T::from_f64(power - 1.0));
                each_pair!(gradient, saved, g, x => g * (power * x.powf(less)));
            }
            Function::Activation(_) => unreachable!("it has loops of its own"),
        }
    }
}

/// -1, 0 or 1; NaN for NaN.
#[inline(always)]
fn sign<T: Element>(x: T) -> T {
    if x == T::zero() { x } else { x.signum() }
}

//! Element-wise activation functions and their derivatives, over plain slices.
//!
//! They are among the [functions](super::functions) of one number. The loops are compiled for the machine's
//! vectors, with `exp` and `tanh` that are vectorised in single precision.
//!
//! No function overflows where its value is finite. At kinks derivatives are PyTorch's.

use super::erf::erfc;
use super::exp::{exp, exp_m1, tanh};
use super::multiversion::{Multiversion, each, each_pair, multiversion};
use crate::tensor::Element;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// The two forms of GELU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Gelu {
    /// `x Phi(x)`, where `Phi` is the normal distribution function.
    #[default]
    Exact,
    /// `x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`, written with `tanh` in the paper.
    Tanh,
}

/// An activation function with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    Sigmoid,
    Tanh,
    LeakyRelu { slope: f64 },
    Elu { alpha: f64 },
    Gelu(Gelu),
    Silu,
    HardSwish,
    HardSigmoid { alpha: f64, beta: f64 },
    Relu6,
    Softplus,
    Mish,
}

impl Activation {
    /// The op's name, for errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Elu { .. } => "elu",
            Self::Gelu(_) => "gelu",
            Self::Silu => "silu",
            Self::HardSwish => "hard_swish",
            Self::HardSigmoid { .. } => "hard_sigmoid",
            Self::Relu6 => "relu6",
            Self::Softplus => "softplus",
            Self::Mish => "mish",
        }
    }

    /// Whether [`backward`] takes the function's value instead of its input: the two
    /// tell the same, and the value is usually saved by the next op anyway.
    pub fn needs_value(self) -> bool {
        match self {
            Self::Sigmoid | Self::Tanh | Self::Relu6 => true,
            Self::LeakyRelu { slope } => slope > 0.0,
            _ => false,
        }
    }
}

/// Replaces each element by the function's value.
pub(super) fn forward<T: Element>(function: Activation, x: &mut [T]) {
    multiversion(Forward { function, x });
}

/// Multiplies each gradient by the derivative at the saved number, the function's input or output according
/// to [`Activation::needs_value`].
pub(super) fn backward<T: Element>(function: Activation, gradient: &mut [T], saved: &[T]) {
    multiversion(Backward { function, gradient, saved });
}

struct Forward<'a, T> {
    function: Activation,
    x: &'a mut [T],
}

struct Backward<'a, T> {
    function: Activation,
    gradient: &'a mut [T],
    saved: &'a [T],
}

impl<T: Element> Multiversion for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { function, x } = self;
        let (zero, six) = (T::zero(), T::from_f64(6.0));
        match function {
            Activation::Sigmoid => each!(x, v => sigmoid(v)),
            Activation::Tanh => each!(x, v => tanh(v)),
            Activation::LeakyRelu { slope } => {
                let slope = T::from_f64(slope);
                each!(x, v => if v > zero { v } else { v * slope });
            }
            Activation::Elu { alpha } => {
                let alpha = T::from_f64(alpha);
                each!(x, v => if v > zero { v } else { exp_m1(v) * alpha });
            }
            Activation::Gelu(Gelu::Exact) => each!(x, v => v * normal(v).0),
            Activation::Gelu(Gelu::Tanh) => each!(x, v => v * sigmoid(gelu_argument(v).0)),
            Activation::Silu => each!(x, v => v * sigmoid(v)),
            Activation::HardSwish => {
                let (three, sixth) = (T::from_f64(3.0), T::from_f64(1.0 / 6.0));
                // The factor is exactly 0 and 1 beyond the kinks, so that nothing overflows.
                each!(x, v => v * (clamp(v + three, zero, six) * sixth));
            }
            Activation::HardSigmoid { alpha, beta } => {
                let (alpha, beta) = (T::from_f64(alpha), T::from_f64(beta));
                each!(x, v => clamp(v * alpha + beta, zero, T::one()));
            }
            Activation::Relu6 => each!(x, v => clamp(v, zero, six)),
            Activation::Softplus => each!(x, v => relu(v) + exp(-v.abs()).ln_1p()),
            Activation::Mish => each!(x, v => v * tanh_softplus(v).0),
        }
    }
}

impl<T: Element> Multiversion for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { function, gradient, saved } = self;
        let (zero, one) = (T::zero(), T::one());
        match function {
            Activation::Sigmoid => each_pair!(gradient, saved, g, y => g * y * (one - y)),
            Activation::Tanh => each_pair!(gradient, saved, g, y => g * (one - y * y)),
            Activation::LeakyRelu { slope } => {
                let slope = T::from_f64(slope);
                each_pair!(gradient, saved, g, v => if v > zero { g } else { g * slope });
            }
            Activation::Elu { alpha } => {
                let alpha = T::from_f64(alpha);
                each_pair!(gradient, saved, g, v => if v > zero { g } else { g * alpha * exp(v) });
            }
            Activation::Gelu(Gelu::Exact) => {
                each_pair!(gradient, saved, g, v => {
                    let (distribution, density) = normal(v);
                    g * (distribution + v * density)
                });
            }
            Activation::Gelu(Gelu::Tanh) => each_pair!(gradient, saved, g, v => {
                let (argument, slope) = gelu_argument(v);
                let s = sigmoid(argument);
                g * (s + v * slope * s * (one - s))
            }),
            Activation::Silu => each_pair!(gradient, saved, g, v => {
                let s = sigmoid(v);
                g * (s + v * s * (one - s))
            }),
            Activation::HardSwish => {
                let (three, half) = (T::from_f64(3.0), T::from_f64(0.5));
                let third = T::from_f64(1.0 / 3.0);
                each_pair!(gradient, saved, g, v => {
                    let inner = g * (v * third + half);
                    let inner = if v >= three { g } else { inner };
                    if v <= -three { zero } else { inner }
                });
            }
            Activation::HardSigmoid { alpha, beta } => {
                let (alpha, beta) = (T::from_f64(alpha), T::from_f64(beta));
                each_pair!(gradient, saved, g, v => {
                    let y = v * alpha + beta;
                    let stopped = (y <= zero) | (y >= one);
                    if stopped { zero } else { g * alpha }
                });
            }
            Activation::Relu6 => {
                let six = T::from_f64(6.0);
                each_pair!(gradient, saved, g, v => {
                    let stopped = (v <= zero) | (v >= six);
                    if stopped { zero } else { g }
                });
            }
            Activation::Softplus => each_pair!(gradient, saved, g, v => g * sigmoid(v)),
            Activation::Mish => each_pair!(gradient, saved, g, v => {
                let (t, rest) = tanh_softplus(v);
                g * (t + v * sigmoid(v) * rest * (one + t))
            }),
        }
    }
}

/// `v`, or the bound it is beyond. NaN stays NaN.
#[inline(always)]
fn clamp<T: Element>(v: T, low: T, high: T) -> T {
    let v = if v < low { low } else { v };
    if v > high { high } else { v }
}

/// `max(v, 0)`. NaN stays NaN.
#[inline(always)]
fn relu<T: Element>(v: T) -> T {
    if v < T::zero() { T::zero() } else { v }
}

/// `1 / (1 + exp(-x))`, without overflow for large positive or negative `x`.
#[inline(always)]
pub fn sigmoid<T: Element>(x: T) -> T {
    let e = exp(-x.abs());
    let numerator = if x < T::zero() { e } else { T::one() };
    numerator / (T::one() + e)
}

/// `u = 2 sqrt(2 / pi) (x + 0.044715 x^3)` and `du / dx`. Beyond 50, where the sigmoid of `u` is 0 or 1,
/// they are those of 50, so that the cube does not overflow.
#[inline(always)]
fn gelu_argument<T: Element>(x: T) -> (T, T) {
    const SCALE: f64 = FRAC_2_SQRT_PI * std::f64::consts::SQRT_2;
    let (scale, cubic) = (T::from_f64(SCALE), T::from_f64(0.044715 * SCALE));
    let x = clamp(x, T::from_f64(-50.0), T::from_f64(50.0));
    let square = x * x;
    (x * (scale + cubic * square), scale + T::from_f64(3.0) * cubic * square)
}

/// `t = tanh(softplus(x))` and `1 - t`, both without cancellation.
#[inline(always)]
fn tanh_softplus<T: Element>(x: T) -> (T, T) {
    let (one, two) = (T::one(), T::from_f64(2.0));
    // With e = exp(x): t = ((1 + e)^2 - 1) / ((1 + e)^2 + 1), divided by e^2 where that is large.
    let e = exp(-x.abs());
    let (above, rest) =
        if x < T::zero() { (e * (e + two), two) } else { (one + two * e, two * e * e) };
    (above / (above + rest), rest / (above + rest))
}

/// Distribution function and density of the standard normal distribution.
#[inline(always)]
fn normal<T: Element>(x: T) -> (T, T) {
    let x = x.as_f64();
    let (distribution, density) = if size_of::<T>() == size_of::<f32>() {
        normal_of_single(x)
    } else {
        (0.5 * erfc(x * -FRAC_1_SQRT_2), (x * x * -0.5).exp() * DENSITY)
    };
    (T::from_f64(distribution), T::from_f64(density))
}

/// `1 / sqrt(2 pi)`.
const DENSITY: f64 = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;

/// Coefficients of a polynomial of degree 10 in `u = (z - 2.5) / (z + 2.5)`, by interpolation at Chebyshev
/// nodes, which is `(z + 2.5) exp(z^2) erfc(z)` to 1e-8 of it for all `z` from 0 on. The substitution is that
/// of Shepherd and Laframboise (Mathematics of Computation 36, 1981).
const SCALED_ERFC: [f64; 11] = [
    1.0540318203057186,
    -0.8046519341397563,
    0.45391424971984373,
    -0.17124941820504647,
    0.028358867589944096,
    0.00838288613996067,
    -0.004803457390644443,
    -0.0004136003576351174,
    0.0006662245805040876,
    2.686380127608407e-05,
    -7.292342502813136e-05,
];

/// [`normal`] to 1e-8 of the values, without branches, so that it is vectorised.
#[inline(always)]
fn normal_of_single(x: f64) -> (f64, f64) {
    // Beyond 40 both are 0 or 1 in single precision.
    let z = clamp(x.abs(), 0.0, 40.0) * FRAC_1_SQRT_2;
    let e = exp_of_single(-z * z);
    let inverse = 1.0 / (z + 2.5);
    let u = (z - 2.5) * inverse;
    let mut scaled = 0.0;
    for i in (0..SCALED_ERFC.len()).rev() {
        scaled = scaled * u + SCALED_ERFC[i];
    }
    let tail = 0.5 * e * scaled * inverse;
    (if x < 0.0 { tail } else { 1.0 - tail }, e * DENSITY)
}

/// `exp(x)` for `x` from -1000 to 0, to 1e-10 of it, or 0 far below what single precision holds.
#[inline(always)]
fn exp_of_single(x: f64) -> f64 {
    use std::f64::consts::{LN_2, LOG2_E};
    // Adding it rounds to a whole number, which is then in the lowest bits.
    const ROUND: f64 = 1.5 * (1u64 << 52) as f64;
    let shifted = clamp(x, -700.0, 0.0) * LOG2_E + ROUND;
    let rest = x - (shifted - ROUND) * LN_2;
    let mut sum = 0.0;
    for i in (0..INVERSE_FACTORIALS.len()).rev() {
        sum = sum * rest + INVERSE_FACTORIALS[i];
    }
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    if x < -700.0 { 0.0 } else { sum * power }
}

/// `1 / n!`.
const INVERSE_FACTORIALS: [f64; 11] = {
    let mut all = [1.0; 11];
    let mut n = 1;
    while n < 11 {
        all[n] = all[n - 1] / n as f64;
        n += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_of_single_precision_is_exact_enough() {
        for i in -14_000..=14_000 {
            let x = f64::from(i) / 1000.0;
            let expected = 0.5 * erfc(x * -FRAC_1_SQRT_2);
            let (distribution, density) = normal_of_single(x);
            assert!((distribution / expected - 1.0).abs() < 1e-8, "{x}: {distribution}");
            let expected = (-0.5 * x * x).exp() * DENSITY;
            assert!((density / expected - 1.0).abs() < 1e-10, "{x}: {density}");
        }
        assert_eq!(normal_of_single(1e300), (1.0, 0.0));
        assert_eq!(normal_of_single(f64::NEG_INFINITY), (0.0, 0.0));
        assert!(normal_of_single(f64::NAN).0.is_nan());
    }
}

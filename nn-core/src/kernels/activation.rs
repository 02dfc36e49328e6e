//! Element-wise activation functions and their derivatives, over plain slices.
//!
//! They are among the [functions](super::functions) of one number. The loops are compiled for the machine's
//! vectors, with `exp` and `tanh` that are vectorised in single precision.
//!
//! No function overflows where its value is finite. At kinks derivatives are PyTorch's.

use super::erf::erfc;
use super::exp::{exp, exp_m1, exp_of_minus, exp_of_sum, tanh};
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
            Activation::Softplus => each!(x, v => relu(v) + exp_of_minus(v.abs()).ln_1p()),
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
    let e = exp_of_minus(x.abs());
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
    let e = exp_of_minus(x.abs());
    let (above, rest) =
        if x < T::zero() { (e * (e + two), two) } else { (one + two * e, two * e * e) };
    (above / (above + rest), rest / (above + rest))
}

/// Distribution function and density of the standard normal distribution.
#[inline(always)]
fn normal<T: Element>(x: T) -> (T, T) {
    let (distribution, density) = if size_of::<T>() == size_of::<f32>() {
        let (distribution, density) = normal_of_single(x.as_f64() as f32);
        (f64::from(distribution), f64::from(density))
    } else {
        let x = x.as_f64();
        (0.5 * erfc(x * -FRAC_1_SQRT_2), (x * x * -0.5).exp() * DENSITY)
    };
    (T::from_f64(distribution), T::from_f64(density))
}

/// `1 / sqrt(2 pi)`.
const DENSITY: f64 = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;

/// The number from which on the distribution function of `-x` is 0 in single precision.
const FAR: f32 = 15.0;

/// Coefficients of a polynomial in `u = (z - 2.5) / (z + 2.5)`, a fit to Chebyshev nodes, which is
/// `(z + 2.5) exp(z^2) erfc(z)` to 7e-8 of it from `z = 0` to `FAR / sqrt(2)`. The substitution is that of Shepherd
/// and Laframboise (Mathematics of Computation 36, 1981).
const SCALED_ERFC: [f32; 9] = [
    1.054_031_8,
    -0.804_651_7,
    0.453_918_8,
    -0.171_255_98,
    0.028_310_47,
    0.008_418_157,
    -0.004_624_656,
    -0.000_454_064_53,
    0.000_420_227_1,
];

/// [`normal`] to 5e-7 of the values, without branches, so that it is vectorised.
#[inline(always)]
fn normal_of_single(x: f32) -> (f32, f32) {
    let size = clamp(x.abs(), 0.0, FAR);
    // The square of the upper half of the digits is exact. The rest of `size^2` is small.
    let upper = f32::from_bits(size.to_bits() & !0xfff);
    let rest = (size - upper) * (size + upper);
    let e = exp_of_sum(upper * upper * -0.5, rest * -0.5);
    let z = size * FRAC_1_SQRT_2 as f32;
    let inverse = 1.0 / (z + 2.5);
    let u = (z - 2.5) * inverse;
    let mut scaled = 0.0;
    for i in (0..SCALED_ERFC.len()).rev() {
        scaled = scaled * u + SCALED_ERFC[i];
    }
    let tail = 0.5 * e * (scaled * inverse);
    (if x < 0.0 { tail } else { 1.0 - tail }, e * DENSITY as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_of_single_precision_is_exact_enough() {
        for i in -14_000i16..=14_000 {
            let x = f32::from(i) / 1000.0;
            let exact = f64::from(x);
            let (distribution, density) = normal_of_single(x);
            let close = |found: f32, expected: f64| {
                // Below the smallest normal number there are fewer digits.
                let error = (f64::from(found) - expected).abs();
                error < 5e-7 * expected + f64::from(f32::from_bits(2))
            };
            let expected = 0.5 * erfc(exact * -FRAC_1_SQRT_2);
            assert!(close(distribution, expected), "{x}: {distribution}, {expected}");
            let expected = (-0.5 * exact * exact).exp() * DENSITY;
            assert!(close(density, expected), "{x}: {density}, {expected}");
        }
        assert_eq!(normal_of_single(1e30), (1.0, 0.0));
        assert_eq!(normal_of_single(f32::NEG_INFINITY), (0.0, 0.0));
        assert!(normal_of_single(f32::NAN).0.is_nan());
    }
}

//! Exponential functions for loops that are compiled for the machine's vectors.
//!
//! In single precision they are polynomials without branches or calls, so that the compiler vectorises loops
//! over them; products and sums are not fused, so every instruction set gives the same bits. In double
//! precision they are the standard library's. Polynomials are those of Moshier's Cephes library (`expf`,
//! `tanhf`).

#![allow(clippy::excessive_precision)] // coefficients as published

use crate::tensor::Element;

/// What changes no number it is added to, not even -0.
const NOTHING: f32 = -0.0;

/// Which `T` is.
#[inline(always)]
fn is_single<T: Element>() -> bool {
    size_of::<T>() == size_of::<f32>()
}

/// `f(x)`. The conversions change nothing and cost nothing where `T` is `f32`.
#[inline(always)]
fn single<T: Element>(x: T, f: impl Fn(f32) -> f32) -> T {
    T::from_f64(f64::from(f(x.as_f64() as f32)))
}

/// `e^x`; in single precision within two units in the last place.
#[inline(always)]
pub(super) fn exp<T: Element>(x: T) -> T {
    if !is_single::<T>() {
        return x.exp();
    }
    single(x, |x| {
        let Reduced { fraction, low, high } = reduce(x, NOTHING);
        (1.0 + fraction) * low * high
    })
}

/// `e^-x` for a positive number or 0; in single precision within two units in the last place, and 0 where the
/// result is below the smallest normal number, from 87.34 on. So SiLU and Mish are 0 below -87.34. It takes less
/// than [`exp`].
#[inline(always)]
pub(super) fn exp_of_minus<T: Element>(x: T) -> T {
    /// The first number whose result is below the smallest normal one.
    const END: f32 = 87.33655;
    if !is_single::<T>() {
        return (-x).exp();
    }
    single(x, |x| {
        let near = if x > END { END } else { x };
        let (fraction, exponent) = reduced(-near, NOTHING);
        let power = (1.0 + fraction) * power_of_two(exponent);
        if x >= END { 0.0 } else { power }
    })
}

/// `e^(x + rest)` in single precision, for a `rest` of at most 0.1 that `x` has no digits for.
#[inline(always)]
pub(super) fn exp_of_sum(x: f32, rest: f32) -> f32 {
    let Reduced { fraction, low, high } = reduce(x, rest);
    (1.0 + fraction) * low * high
}

/// `e^x - 1`, without cancellation; in single precision within three units in the last place.
#[inline(always)]
pub(super) fn exp_m1<T: Element>(x: T) -> T {
    if !is_single::<T>() {
        return x.exp_m1();
    }
    single(x, |x| {
        let Reduced { fraction, low, high } = reduce(x, NOTHING);
        // For the smallest `x` the power is 1 and the fraction all there is.
        (fraction * low) * high + (low * high - 1.0)
    })
}

/// The hyperbolic tangent; in single precision within three units in the last place.
#[inline(always)]
pub(super) fn tanh<T: Element>(x: T) -> T {
    if !is_single::<T>() {
        return x.tanh();
    }
    single(x, |x| {
        let square = x * x;
        let sum = -5.70498872745e-3 * square + 2.06390887954e-2;
        let sum = sum * square - 5.37397155531e-2;
        let sum = sum * square + 1.33314422036e-1;
        let sum = sum * square - 3.33332819422e-1;
        let near = sum * square * x + x;
        let size = x.abs();
        let far = (1.0 - 2.0 / (exp(size + size) + 1.0)).copysign(x);
        if size < 0.625 { near } else { far }
    })
}

/// `e^(x + more) = (1 + fraction) * low * high`, where `low * high` is a power of two: its two factors also reach
/// where one alone would overflow, or lose digits below the smallest normal number.
struct Reduced {
    fraction: f32,
    low: f32,
    high: f32,
}

#[inline(always)]
fn reduce(x: f32, more: f32) -> Reduced {
    // Beyond these the result is 0 and infinity. NaN stays.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let (fraction, exponent) = reduced(x, more);
    let half = exponent >> 1;
    Reduced { fraction, low: power_of_two(half), high: power_of_two(exponent.wrapping_sub(half)) }
}

/// The fraction and the exponent of `e^(x + more) = (1 + fraction) * 2^exponent`, for an `x` from -104 to 89.
#[inline(always)]
fn reduced(x: f32, more: f32) -> (f32, i32) {
    use std::f32::consts::LOG2_E;
    // Adding it rounds to a whole number, which is then in the lowest bits.
    const ROUND: f32 = 1.5 * (1 << 23) as f32;
    let shifted = x * LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // The natural logarithm of 2 in two parts: the first product is exact.
    let rest = x - whole * 0.693359375 - whole * -2.12194440e-4 + more;
    let sum = 1.9875691500e-4 * rest + 1.3981999507e-3;
    let sum = sum * rest + 8.3334519073e-3;
    let sum = sum * rest + 4.1665795894e-2;
    let sum = sum * rest + 1.6666665459e-1;
    let sum = sum * rest + 5.0000001201e-1;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    (sum * (rest * rest) + rest, exponent)
}

/// `2^exponent`, from `2^-126` to `2^127`.
#[inline(always)]
fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits((exponent.wrapping_add(127) << 23) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error of `found` in units in the last place, over numbers from `from` to `to`.
    fn error(from: f32, to: f32, found: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        let steps = 1_000_000;
        let x = |i: i32| from + (to - from) * (i as f32 / steps as f32);
        let unit = |value: f64| {
            let value = value as f32;
            f64::from(value.abs().next_up()) - f64::from(value.abs())
        };
        let of = |x: f32| {
            let exact = exact(f64::from(x));
            (f64::from(found(x)) - exact).abs() / unit(exact)
        };
        (0..=steps).map(|i| of(x(i))).fold(0.0, f64::max)
    }

    #[test]
    fn single_precision_is_exact_enough() {
        for (from, to) in [(-87.0, 88.7), (-1.0, 1.0), (-103.9, -87.0)] {
            let found = error(from, to, exp::<f32>, f64::exp);
            assert!(found < 2.0, "exp from {from} to {to}: {found}");
        }
        for (from, to) in [(0.0, 87.336), (0.0, 1.0)] {
            let found = error(from, to, exp_of_minus::<f32>, |x| (-x).exp());
            assert!(found < 2.0, "exp_of_minus from {from} to {to}: {found}");
        }
        for (from, to) in [(-20.0, 20.0), (-1.0, 1.0), (-1e-3, 1e-3), (-1e-20, 1e-20)] {
            let found = error(from, to, exp_m1::<f32>, f64::exp_m1);
            assert!(found < 3.0, "exp_m1 from {from} to {to}: {found}");
            let found = error(from, to, tanh::<f32>, f64::tanh);
            assert!(found < 3.0, "tanh from {from} to {to}: {found}");
        }
    }

    #[test]
    fn extremes_are_those_of_the_standard_library() {
        for x in [0.0, -0.0, 88.8, 1e30, f32::MAX, f32::INFINITY, -104.0, -1e30, f32::NEG_INFINITY]
        {
            assert_eq!(exp::<f32>(x), x.exp(), "{x}");
            assert_eq!(exp_m1::<f32>(x), x.exp_m1(), "{x}");
            assert_eq!(tanh::<f32>(x), x.tanh(), "{x}");
        }
        for x in [0.0f32, 87.33, 1e30, f32::MAX, f32::INFINITY] {
            assert_eq!(exp_of_minus(x), exp(-x), "{x}");
        }
        for x in [87.4f32, 100.0] {
            assert_eq!(exp_of_minus(x), 0.0, "{x}");
        }
        assert!([exp::<f32>, exp_of_minus, exp_m1, tanh].iter().all(|f| f(f32::NAN).is_nan()));
    }
}

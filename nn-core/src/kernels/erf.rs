//! The error function and its complement, in double precision.
//!
//! The rational approximations of FreeBSD's `s_erf.c` (Sun Microsystems, 1993), which is free to copy with
//! this notice: "Developed at SunPro, a Sun Microsystems, Inc. business. Permission to use, copy, modify,
//! and distribute this software is freely granted, provided that this notice is preserved." Errors are
//! below one unit in the last place.

#![allow(clippy::excessive_precision)] // the coefficients as published

/// `erf(1)`, rounded so that the rest is exact to more digits.
const ERF_OF_ONE: f64 = 8.45062911510467529297e-01;

/// Up to here, `erf(x) = x + x P(x^2) / Q(x^2)`.
const SMALL: f64 = 0.84375;
const SMALL_P: [f64; 5] = [
    1.28379167095512558561e-01,
    -3.25042107247001499370e-01,
    -2.84817495755985104766e-02,
    -5.77027029648944159157e-03,
    -2.37630166566501626084e-05,
];
const SMALL_Q: [f64; 6] = [
    1.0,
    3.97917223959155352819e-01,
    6.50222499887672944485e-02,
    5.08130628187576562776e-03,
    1.32494738004321644526e-04,
    -3.96022827877536812320e-06,
];

/// Up to here, `erf(x) = ERF_OF_ONE + P(x - 1) / Q(x - 1)`.
const MIDDLE: f64 = 1.25;
const MIDDLE_P: [f64; 7] = [
    -2.36211856075265944077e-03,
    4.14856118683748331666e-01,
    -3.72207876035701323847e-01,
    3.18346619901161753674e-01,
    -1.10894694282396677476e-01,
    3.54783043256182359371e-02,
    -2.16637559486879084300e-03,
];
const MIDDLE_Q: [f64; 7] = [
    1.0,
    1.06420880400844228286e-01,
    5.40397917702171048937e-01,
    7.18286544141962662868e-02,
    1.26171219808761642112e-01,
    1.36370839120290507362e-02,
    1.19844998467991074170e-02,
];

/// Beyond, `erfc(x) = exp(-x^2 - 0.5625 + P(1 / x^2) / Q(1 / x^2)) / x`: up to here with these,
const LARGE: f64 = 1.0 / 0.35;
const LARGE_P: [f64; 8] = [
    -9.86494403484714822705e-03,
    -6.93858572707181764372e-01,
    -1.05586262253232909814e+01,
    -6.23753324503260060396e+01,
    -1.62396669462573470355e+02,
    -1.84605092906711035994e+02,
    -8.12874355063065934246e+01,
    -9.81432934416914548592e+00,
];
const LARGE_Q: [f64; 9] = [
    1.0,
    1.96512716674392571292e+01,
    1.37657754143519042600e+02,
    4.34565877475229228821e+02,
    6.45387271733267880336e+02,
    4.29008140027567833386e+02,
    1.08635005541779435134e+02,
    6.57024977031928170135e+00,
    -6.04244152148580987438e-02,
];

/// and beyond with these.
const HUGE_P: [f64; 7] = [
    -9.86494292470009928597e-03,
    -7.99283237680523006574e-01,
    -1.77579549177547519889e+01,
    -1.60636384855821916062e+02,
    -6.37566443368389627722e+02,
    -1.02509513161107724954e+03,
    -4.83519191608651397019e+02,
];
const HUGE_Q: [f64; 8] = [
    1.0,
    3.03380607434824582924e+01,
    3.25792512996573918826e+02,
    1.53672958608443695994e+03,
    3.19985821950859553908e+03,
    2.55305040643316442583e+03,
    4.74528541206955367215e+02,
    -2.24409524465858183362e+01,
];

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

fn ratio(p: &[f64], q: &[f64], x: f64) -> f64 {
    polynomial(p, x) / polynomial(q, x)
}

/// `erfc(x)` for `x` of at least [`SMALL`].
fn tail(x: f64) -> f64 {
    if x < MIDDLE {
        return 1.0 - ERF_OF_ONE - ratio(&MIDDLE_P, &MIDDLE_Q, x - 1.0);
    }
    let inverse = 1.0 / (x * x);
    let exponent = if x < LARGE {
        ratio(&LARGE_P, &LARGE_Q, inverse)
    } else {
        ratio(&HUGE_P, &HUGE_Q, inverse)
    };
    // Half the digits of x: its square is exact, and the rest is added to the small exponent.
    let z = f64::from_bits(x.to_bits() & !0xffff_ffff);
    (-z * z - 0.5625).exp() * ((z - x) * (z + x) + exponent).exp() / x
}

/// `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to `x`.
pub(crate) fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let size = x.abs();
    if size < SMALL {
        return x + x * ratio(&SMALL_P, &SMALL_Q, x * x);
    }
    let value = if size < 6.0 { 1.0 - tail(size) } else { 1.0 };
    value.copysign(x)
}

/// `1 - erf(x)`, without the loss of digits for large `x`.
pub(crate) fn erfc(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let size = x.abs();
    if size < SMALL {
        let rest = x * ratio(&SMALL_P, &SMALL_Q, x * x);
        return if x < 0.25 { 1.0 - (x + rest) } else { 0.5 - (x - 0.5 + rest) };
    }
    let value = if size < 28.0 { tail(size) } else { 0.0 };
    if x < 0.0 { 2.0 - value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x`, `erf(x)` and `erfc(x)`, rounded from 40 digits of mpmath.
    const VALUES: [(f64, f64, f64); 12] = [
        (1e-20, 1.1283791670955125e-20, 1.0),
        (0.001, 0.0011283787909692365, 0.9988716212090307),
        (0.1, 0.1124629160182849, 0.887537083981715),
        (0.3, 0.3286267594591274, 0.6713732405408726),
        (0.7, 0.6778011938374184, 0.32219880616258156),
        (0.9, 0.7969082124228322, 0.20309178757716786),
        (1.1, 0.8802050695740817, 0.11979493042591827),
        (1.5, 0.9661051464753108, 0.033894853524689274),
        (2.5, 0.999593047982555, 0.0004069520174449589),
        (3.5, 0.9999992569016276, 7.430983723414128e-07),
        (5.5, 0.9999999999999927, 7.357847917974398e-15),
        (12.0, 1.0, 1.3562611692059042e-64),
    ];

    #[test]
    fn values_to_the_last_digits() {
        for (x, erf_of_x, erfc_of_x) in VALUES {
            let close = |a: f64, b: f64| (a - b).abs() <= 2.0 * f64::EPSILON * b.abs();
            assert!(close(erf(x), erf_of_x), "erf({x}) = {:e}, not {erf_of_x:e}", erf(x));
            assert!(close(erfc(x), erfc_of_x), "erfc({x}) = {:e}, not {erfc_of_x:e}", erfc(x));
            assert_eq!(erf(-x), -erf(x));
            assert!(close(erfc(-x), 1.0 + erf_of_x));
        }
    }

    #[test]
    fn the_series_around_zero_gives_the_same() {
        // The Maclaurin series, whose terms do not grow for small `x`.
        let series = |x: f64| {
            let (mut power, mut sum) = (x, x);
            for n in 1..60 {
                power *= -x * x / f64::from(n);
                sum += power / f64::from(2 * n + 1);
            }
            std::f64::consts::FRAC_2_SQRT_PI * sum
        };
        for i in -1000..=1000 {
            let x = f64::from(i) / 1000.0;
            let expected = series(x);
            assert!((erf(x) - expected).abs() <= 4.0 * f64::EPSILON * expected.abs(), "{x}");
            assert!((erfc(x) - (1.0 - expected)).abs() <= 4.0 * f64::EPSILON, "{x}");
        }
    }

    #[test]
    fn the_pieces_meet() {
        for border in [0.25, SMALL, MIDDLE, LARGE, 6.0] {
            for f in [erf, erfc] {
                let (below, above) = (f(border * (1.0 - 1e-15)), f(border));
                assert!((below - above).abs() <= 1e-13 * above, "{below} and {above} at {border}");
            }
        }
    }

    #[test]
    fn extremes() {
        assert_eq!((erf(0.0), erfc(0.0)), (0.0, 1.0));
        assert!(erf(-0.0).is_sign_negative());
        assert_eq!((erf(1e300), erfc(1e300), erfc(-1e300)), (1.0, 0.0, 2.0));
        assert_eq!((erf(f64::INFINITY), erfc(f64::INFINITY)), (1.0, 0.0));
        assert!(erf(f64::NAN).is_nan() && erfc(f64::NAN).is_nan());
    }
}

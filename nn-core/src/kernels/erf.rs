//! The error function, `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to `x`.
//!
//! Around each point `c` of a grid, the Taylor series of Abramowitz and Stegun (Handbook of Mathematical
//! Functions, 1964, 7.1.19): `erf(c + h) = erf(c) + erf'(c) h sum_n (-1)^n H_n(c) h^n / (n + 1)!`, with
//! the Hermite polynomials `H_{n+1}(c) = 2 c H_n(c) - 2 n H_{n-1}(c)`. The grid's step is 1/8, so
//! `|h| <= 1/16`, and 14 terms are exact to double precision.

/// The series' number of terms.
const TERMS: usize = 14;

/// The error function, to 2 units in the last place. NaN stays NaN.
pub(crate) fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size.is_nan() {
        return x;
    }
    // Saturates for large numbers.
    let nearest = (8.0 * size).round_ties_even() as usize;
    let Some(&(value, slope)) = GRID.get(nearest) else {
        return 1f64.copysign(x);
    };
    let c = nearest as f64 / 8.0;
    let h = size - c;
    // `term` is `(-1)^n H_n(c) h^n / n!`.
    let (mut before, mut term) = (0.0, 1.0);
    let mut terms = [0.0; TERMS];
    for (n, to) in (1..).zip(&mut terms) {
        let count = f64::from(n);
        *to = term / count;
        (before, term) = (term, -2.0 * h * (c * term + h * before) / count);
    }
    // The small terms first.
    let sum: f64 = terms.iter().rev().sum();
    (value + slope * h * sum).copysign(x)
}

/// `1 - erf(x)`, without cancellation where it is small: from 2 on by the continued fraction
/// `exp(-x^2) / sqrt(pi) / (x + (1/2) / (x + (2/2) / (x + (3/2) / (x + ..))))` (Abramowitz and Stegun,
/// 7.1.14).
pub(crate) fn erfc(x: f64) -> f64 {
    // With so many, the fraction is exact to double precision.
    const LEVELS: u32 = 80;
    if x < 2.0 || x.is_nan() {
        return 1.0 - erf(x);
    }
    let fraction = (1..=LEVELS).rev().fold(x, |rest, n| x + 0.5 * f64::from(n) / rest);
    (-x * x).exp() * 0.5 * std::f64::consts::FRAC_2_SQRT_PI / fraction
}

/// `erf(c)` and its derivative `2 / sqrt(pi) exp(-c^2)` at `c = 0, 1/8, 2/8, ..`, rounded from 80 digits.
#[allow(clippy::approx_constant)] // the first derivative is 2 / sqrt(pi)
const GRID: [(f64, f64); 49] = [
    (0.0, std::f64::consts::FRAC_2_SQRT_PI),
    (0.1403162048013338, 1.1108852695966625),
    (0.27632639016823696, 1.0600141293761143),
    (0.4041169094348223, 0.9803528095459079),
    (0.5204998778130465, 0.8787825789354448),
    (0.623240882188418, 0.7634995357606049),
    (0.7111556336535151, 0.6429310691952074),
    (0.7840750610598597, 0.5247450452901482),
    (0.8427007929497149, 0.4151074974205947),
    (0.8883882317017078, 0.3182739585007693),
    (0.9229001282564583, 0.2365211224472908),
    (0.9481700727820903, 0.1703597736875156),
    (0.9661051464753108, 0.11893028922362937),
    (0.9784437332399837, 0.08047225902251116),
    (0.9866716712191824, 0.05277499593015037),
    (0.9919900576701199, 0.03354582842421607),
    (0.9953222650189527, 0.020666985354092053),
    (0.9973459706405177, 0.012340820614333696),
    (0.9985372834133188, 0.007142319022017983),
    (0.9992170617821089, 0.004006477861670219),
    (0.999593047982555, 0.0021782842303527095),
    (0.9997946242638588, 0.001147875125882675),
    (0.9998993780778803, 0.0005862772470937923),
    (0.9999521451602562, 0.00029022828286249803),
    (0.9999779095030014, 0.00013925305194674786),
    (0.9999901032653747, 6.475868323471298e-05),
    (0.9999956972205363, 2.9189025383581702e-05),
    (0.9999981847185726, 1.2751740799765088e-05),
    (0.9999992569016276, 5.399426777384783e-06),
    (0.9999997048598075, 2.2159202846331124e-06),
    (0.9999998862727434, 8.814321912318039e-07),
    (0.999999957486056, 3.398223817809154e-07),
    (0.9999999845827421, 1.2698234671866558e-07),
    (0.9999999945765992, 4.598995828846052e-08),
    (0.9999999981494259, 1.6143993719507412e-08),
    (0.9999999993875167, 5.492717228853464e-09),
    (0.9999999998033839, 1.81130589590869e-09),
    (0.9999999999387839, 5.789281366587474e-10),
    (0.9999999999815149, 1.7934357034341337e-10),
    (0.9999999999945866, 5.384870492099458e-11),
    (0.9999999999984626, 1.5670866531017336e-11),
    (0.9999999999995766, 4.4201708693385726e-12),
    (0.9999999999998869, 1.2084074716006755e-12),
    (0.9999999999999707, 3.2019610382476225e-13),
    (0.9999999999999927, 8.223316045262922e-14),
    (0.9999999999999982, 2.046945208423793e-14),
    (0.9999999999999996, 4.938485140964219e-15),
    (0.9999999999999999, 1.154807464350253e-15),
    (1.0, 2.617301239249265e-16),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complement_is_exact_where_it_is_small() {
        // From Python's `math.erfc`.
        for (x, expected) in [
            (-1.0, 1.842700792949715),
            (0.5, 0.4795001221869535),
            (1.99, 0.004888586800383003),
            (2.0, 0.004677734981047266),
            (3.5, 7.430983723414128e-7),
            (10.0, 2.088487583762545e-45),
            (26.0, 5.663192408856143e-296),
        ] {
            let found = erfc(x);
            assert!((found / expected - 1.0).abs() < 1e-13, "{found} at {x}, not {expected}");
        }
        assert_eq!((erfc(40.0), erfc(f64::NEG_INFINITY)), (0.0, 2.0));
        assert_eq!(erfc(f64::INFINITY), 0.0);
        assert!(erfc(f64::NAN).is_nan());
    }

    /// The Maclaurin series, whose terms do not grow for small `x`.
    fn series(x: f64) -> f64 {
        let (mut power, mut sum) = (x, x);
        for n in 1..60 {
            power *= -x * x / f64::from(n);
            sum += power / f64::from(2 * n + 1);
        }
        std::f64::consts::FRAC_2_SQRT_PI * sum
    }

    #[test]
    fn the_series_around_zero_gives_the_same() {
        for i in -1000..=1000 {
            let x = f64::from(i) / 1000.0;
            let expected = series(x);
            assert!((erf(x) - expected).abs() <= 4.0 * f64::EPSILON * expected.abs(), "{x}");
        }
    }

    #[test]
    fn known_values() {
        // From tables of 20 digits.
        for (x, expected) in [
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (1.9, 0.992_790_429_235_257_5),
            (2.0, 0.995_322_265_018_952_7),
            (3.0, 0.999_977_909_503_001_4),
            (3.7, 0.999_999_832_848_942_1),
            (1e-300, 1.128_379_167_095_512_6e-300),
        ] {
            assert!((erf(x) - expected).abs() <= 2.0 * f64::EPSILON * expected, "{x}: {}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
        for (x, expected) in [(0.0, 0.0), (6.07, 1.0), (1e300, 1.0), (f64::INFINITY, 1.0)] {
            assert_eq!((erf(x), erf(-x)), (expected, -expected));
        }
        assert!(erf(f64::NAN).is_nan());
        assert!(erf(-0.0).is_sign_negative());
    }

    #[test]
    fn pieces_of_the_grid_meet() {
        for i in 0..49 {
            let x = f64::from(2 * i + 1) / 16.0;
            let (below, above) = (erf(x - 1e-15), erf(x + 1e-15));
            assert!((above - below).abs() < 4e-15 && below <= above + f64::EPSILON, "{x}");
        }
    }
}

//! Tone curves between two registered pictures: brightness, contrast, gamma, clipping.
//!
//! A copy may differ in brightness and contrast, or be clipped. The levels of one picture are
//! fitted by a quadratic polynomial of those of the other, clamped to the range of the second
//! picture. Outliers, such as pixels of a watermark or of another animal, have small weights.
//!
//! Iteratively reweighted least squares: P. W. Holland and R. E. Welsch, "Robust regression using
//! iteratively reweighted least-squares", 1977.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::align::sum;
use crate::kernels::multiversion::{Multiversion, multiversion};

/// The number of iterations of reweighting.
const ROUNDS: usize = 6;
/// The scale of residuals in the second iteration, in grey levels; it decreases from there.
const FIRST_SCALE: f64 = 24.0;
/// The minimum scale.
const LAST_SCALE: f64 = 6.0;
/// The distance from the picture's darkest and brightest level within which it may be clipped.
const CUT_OFF: f32 = 3.0;
/// The residual beyond which a pixel is an outlier, in grey levels.
const FITS: f32 = 12.0;
/// The maximum number of pixels that are fitted.
const SAMPLE: usize = 1_500;
/// The minimum number of pixels for a fit.
const LEAST: usize = 64;

/// A tone curve: a map of grey levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    /// The coefficients of 1, x and x squared, where x is the level scaled from 0 to 256 to -1 to 1.
    coefficients: [f64; 3],
    /// The darkest and the brightest level of the second picture.
    range: (f64, f64),
    /// The levels of the first picture at and beyond which it may be clipped.
    cut_off: (f32, f32),
}

impl Tone {
    /// The identity map.
    const IDENTITY: Self = Self {
        coefficients: [128.0, 128.0, 0.0],
        range: (0.0, 255.0),
        cut_off: (f32::NEG_INFINITY, f32::INFINITY),
    };

    /// The tone curve from `from` to `to`, fitted to corresponding pixels; NaN in `from` marks no
    /// pixel. A linear fit suffices for most pairs; if it leaves more than a few outliers, clipping
    /// and a quadratic term are tried.
    pub fn between(from: &[f32], to: &[f32]) -> Self {
        let every = from.len().div_ceil(SAMPLE) | 1;
        let pixels = from.iter().copied().zip(to.iter().copied()).step_by(every);
        let pixels = Pixels::of(pixels.filter(|(x, _)| !x.is_nan()));
        if pixels.len() < LEAST {
            return Self::IDENTITY;
        }
        let mut best = (usize::MAX, Self::IDENTITY);
        let mut attempt = |used: &Pixels, bends: bool, range: (f64, f64), cut_off: (f32, f32)| {
            if let Some(fitted) = fitted(used, bends) {
                let tone = Self { range, cut_off, ..fitted };
                let misfits = multiversion(Misfits { pixels: &pixels, tone: &tone });
                if misfits < best.0 {
                    best = (misfits, tone);
                }
            }
            best.0
        };
        let (range, cut_off) = (Self::IDENTITY.range, Self::IDENTITY.cut_off);
        let misfits = attempt(&pixels, false, range, cut_off);
        if misfits * 100 > pixels.len() {
            attempt(&pixels, true, range, cut_off);
            let (darkest, brightest) = extremes(&pixels.from);
            let (dark, bright) = extremes(&pixels.to);
            // Clipped levels carry no information about the others.
            let within =
                |value: f32, low: f32, high: f32| value > low + CUT_OFF && value < high - CUT_OFF;
            let inner = Pixels::of(
                pixels
                    .iter()
                    .filter(|&(x, y)| within(x, darkest, brightest) && within(y, dark, bright)),
            );
            if inner.len() * 10 > pixels.len() {
                let range = (f64::from(dark), f64::from(bright));
                let cut_off = (darkest + CUT_OFF, brightest - CUT_OFF);
                attempt(&inner, false, range, cut_off);
                attempt(&inner, true, range, cut_off);
            }
        }
        best.1
    }

    /// Replaces each level by the expected one; `there` are the levels of the other picture. Where
    /// the first picture was clipped, any level of the other beyond the limit is as expected.
    pub fn expect(&self, levels: &mut [f32], there: &[f32]) {
        multiversion(Expect { tone: self, levels, there });
    }

    /// Applies the tone curve to each level.
    pub fn apply(&self, levels: &mut [f32]) {
        multiversion(Apply { tone: self, levels });
    }

    #[inline(always)]
    fn expected(&self, level: f32, there: f32) -> f32 {
        let value = self.of(level);
        let above = (level >= self.cut_off.1) & (there > value);
        let below = (level <= self.cut_off.0) & (there < value);
        if above | below { there } else { value }
    }

    #[inline(always)]
    fn of(&self, level: f32) -> f32 {
        let value = polynomial(&self.coefficients, centred(level));
        let value = if value < self.range.0 { self.range.0 } else { value };
        (if value > self.range.1 { self.range.1 } else { value }) as f32
    }
}

struct Expect<'a> {
    tone: &'a Tone,
    levels: &'a mut [f32],
    there: &'a [f32],
}

impl Multiversion for Expect<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let there = &self.there[..self.levels.len()];
        for i in 0..there.len() {
            self.levels[i] = self.tone.expected(self.levels[i], there[i]);
        }
    }
}

struct Apply<'a> {
    tone: &'a Tone,
    levels: &'a mut [f32],
}

impl Multiversion for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for level in self.levels {
            *level = self.tone.of(*level);
        }
    }
}

/// Corresponding levels of the two pictures.
struct Pixels {
    from: Vec<f32>,
    to: Vec<f32>,
}

impl Pixels {
    fn of(pixels: impl Iterator<Item = (f32, f32)>) -> Self {
        let (from, to) = pixels.unzip();
        Self { from, to }
    }

    fn len(&self) -> usize {
        self.from.len()
    }

    fn iter(&self) -> impl Iterator<Item = (f32, f32)> {
        self.from.iter().copied().zip(self.to.iter().copied())
    }
}

/// Counts the pixels that do not fit a tone curve.
struct Misfits<'a> {
    pixels: &'a Pixels,
    tone: &'a Tone,
}

impl Multiversion for Misfits<'_> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let (from, to) = (&self.pixels.from, &self.pixels.to[..self.pixels.from.len()]);
        let mut misfits = 0_u32;
        for i in 0..from.len() {
            let far = (self.tone.expected(from[i], to[i]) - to[i]).abs();
            misfits += u32::from(far > FITS);
        }
        misfits as usize
    }
}

fn extremes(values: &[f32]) -> (f32, f32) {
    values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
}

#[inline(always)]
fn centred(level: f32) -> f64 {
    (f64::from(level) - 128.0) / 128.0
}

#[inline(always)]
fn polynomial(coefficients: &[f64; 3], x: f64) -> f64 {
    coefficients[0] + x * (coefficients[1] + x * coefficients[2])
}

/// The quadratic or linear fit through these pixels, with a weak prior for the identity.
fn fitted(pixels: &Pixels, bends: bool) -> Option<Tone> {
    if pixels.len() < LEAST {
        return None;
    }
    let mut tone = Tone::IDENTITY;
    let mut scale = f64::INFINITY;
    for round in 0..ROUNDS {
        let [n, x, xx, xxx, xxxx, y, xy, xxy] =
            multiversion(Weighted { pixels, coefficients: tone.coefficients, scale });
        let pull = 1e-3 * n + 1.0;
        let slope = xx + pull;
        let bend = xxxx + if bends { 3.0 * pull } else { f64::MAX.sqrt() };
        let pulled = xy + pull * Tone::IDENTITY.coefficients[1];
        tone.coefficients = solved([[n, x, xx, y], [x, slope, xxx, pulled], [xx, xxx, bend, xxy]]);
        scale = if round == 0 { FIRST_SCALE } else { (0.6 * scale).max(LAST_SCALE) };
    }
    tone.coefficients.iter().all(|c| c.is_finite()).then_some(tone)
}

/// Weighted sums over pixels, for the normal equations: of 1, the first four powers of x, y, x y and x x y.
struct Weighted<'a> {
    pixels: &'a Pixels,
    coefficients: [f64; 3],
    /// The residual from which the weight of a pixel is small.
    scale: f64,
}

/// The number of pixels per SIMD step.
const LANES: usize = 8;

impl Multiversion for Weighted<'_> {
    type Output = [f64; 8];

    #[inline(always)]
    fn run(self) -> [f64; 8] {
        let mut sums = [[0.0; LANES]; 8];
        let (from, rest_from) = self.pixels.from.as_chunks::<LANES>();
        let (to, rest_to) = self.pixels.to.as_chunks::<LANES>();
        for (from, to) in from.iter().zip(to) {
            self.add(from, to, &[1.0; LANES], &mut sums);
        }
        let (mut from, mut to, mut counts) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        from[..rest_from.len()].copy_from_slice(rest_from);
        to[..rest_to.len()].copy_from_slice(rest_to);
        counts[..rest_from.len()].fill(1.0);
        self.add(&from, &to, &counts, &mut sums);
        sums.map(sum)
    }
}

impl Weighted<'_> {
    #[inline(always)]
    fn add(
        &self,
        from: &[f32; LANES],
        to: &[f32; LANES],
        counts: &[f64; LANES],
        sums: &mut [[f64; LANES]; 8],
    ) {
        for lane in 0..LANES {
            let (x, y) = (centred(from[lane]), f64::from(to[lane]));
            let far = (y - polynomial(&self.coefficients, x)) / self.scale;
            let near = 1.0 + far * far;
            let weight = counts[lane] / (near * near);
            let (of_x, of_y) = (weight * x, weight * y);
            let of_xx = of_x * x;
            sums[0][lane] += weight;
            sums[1][lane] += of_x;
            sums[2][lane] += of_xx;
            sums[3][lane] += of_xx * x;
            sums[4][lane] += of_xx * x * x;
            sums[5][lane] += of_y;
            sums[6][lane] += of_y * x;
            sums[7][lane] += of_y * x * x;
        }
    }
}

/// Solves three linear equations (Gauss-Jordan; the matrix is positive definite).
fn solved(mut system: [[f64; 4]; 3]) -> [f64; 3] {
    for i in 0..3 {
        let pivot = system[i];
        for (_, row) in system.iter_mut().enumerate().filter(|(j, _)| *j != i) {
            let factor = row[i] / pivot[i];
            for (value, above) in row.iter_mut().zip(pivot) {
                *value -= factor * above;
            }
        }
    }
    std::array::from_fn(|i| system[i][3] / system[i][i])
}

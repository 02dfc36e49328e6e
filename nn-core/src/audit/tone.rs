//! How the grey levels of one picture became those of another: brightness, contrast, gamma, clipping.
//!
//! A copy may be brighter, of more contrast, or cut off where it would be brighter than white. So one
//! picture's levels are fitted by a parabola of the other's, held within the range that the second
//! one has, and pixels that do not fit (a watermark's, another animal's) hardly count.
//!
//! Iteratively reweighted least squares: P. W. Holland and R. E. Welsch, "Robust regression using
//! iteratively reweighted least-squares", 1977.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::align::sum;
use crate::kernels::multiversion::{Multiversion, multiversion};

/// Rounds of reweighting.
const ROUNDS: usize = 6;
/// The scale of residuals in the second round, in grey levels; it shrinks from there.
const FIRST_SCALE: f64 = 24.0;
/// The scale at which it stays.
const LAST_SCALE: f64 = 6.0;
/// Distance from the picture's darkest and brightest level within which it may have been cut off.
const CUT_OFF: f32 = 3.0;
/// A residual beyond this does not fit, in grey levels.
const FITS: f32 = 12.0;
/// Pixels that are fitted, at most.
const SAMPLE: usize = 1_500;
/// Pixels without which nothing is fitted.
const LEAST: usize = 64;

/// A map of grey levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    /// Of 1, x and x squared, where x runs from -1 to 1 as the level does from 0 to 256.
    coefficients: [f64; 3],
    /// The darkest and the brightest level that there is.
    range: (f64, f64),
    /// The levels of the first picture at and beyond which it may have been cut off.
    cut_off: (f32, f32),
}

impl Tone {
    /// The map that leaves every level as it is.
    const IDENTITY: Self = Self {
        coefficients: [128.0, 128.0, 0.0],
        range: (0.0, 255.0),
        cut_off: (f32::NEG_INFINITY, f32::INFINITY),
    };

    /// The tone that leads from `from` to `to`, pixel by pixel; NaN in `from` is no pixel. A line will do for
    /// most; where it leaves more than a few pixels, what is cut off and what bends is looked for.
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
            // Cut-off levels say nothing about the others.
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

    /// Each level becomes what is to be expected where the other picture has `there`: where the first one was
    /// cut off, whatever lies beyond will do.
    pub fn expect(&self, levels: &mut [f32], there: &[f32]) {
        multiversion(Expect { tone: self, levels, there });
    }

    /// Each level becomes what the tone makes of it.
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

/// Levels of one picture and of the other at the same places.
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

/// How many pixels do not fit a tone.
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

/// The parabola, or the line, through these pixels, with a slight pull to leaving levels as they are.
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

/// Sums over pixels, each counted by how well a tone fits it: of 1, the first four powers of its place x, its
/// level y, x y and x x y.
struct Weighted<'a> {
    pixels: &'a Pixels,
    coefficients: [f64; 3],
    /// The residual from which on a pixel hardly counts.
    scale: f64,
}

/// Pixels that are taken together.
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

/// Solves three equations (Gauss-Jordan; the matrix is positive definite).
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

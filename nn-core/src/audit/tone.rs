//! How the grey levels of one picture became those of another: brightness, contrast, gamma, clipping.
//!
//! A copy may be brighter, of more contrast, or cut off where it would be brighter than white. So one
//! picture's levels are fitted by a parabola of the other's, held within the range that the second
//! one has, and pixels that do not fit (a watermark's, another animal's) hardly count.
//!
//! Iteratively reweighted least squares: P. W. Holland and R. E. Welsch, "Robust regression using
//! iteratively reweighted least-squares", 1977.

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
        let pixels: Vec<(f32, f32)> = pixels.filter(|(x, _)| !x.is_nan()).collect();
        if pixels.len() < LEAST {
            return Self::IDENTITY;
        }
        let mut best = (usize::MAX, Self::IDENTITY);
        let mut attempt =
            |used: &[(f32, f32)], bends: bool, range: (f64, f64), cut_off: (f32, f32)| {
                let Some(fitted) = fitted(used, bends) else { return best.0 };
                let tone = Self { range, cut_off, ..fitted };
                let fits = |(x, y): &&(f32, f32)| (tone.expected(*x, *y) - y).abs() <= FITS;
                let misfits = pixels.len() - pixels.iter().filter(fits).count();
                if misfits < best.0 {
                    best = (misfits, tone);
                }
                best.0
            };
        let (range, cut_off) = (Self::IDENTITY.range, Self::IDENTITY.cut_off);
        let misfits = attempt(&pixels, false, range, cut_off);
        if misfits * 100 > pixels.len() {
            attempt(&pixels, true, range, cut_off);
            let (darkest, brightest) = extremes(pixels.iter().map(|pixel| pixel.0));
            let (dark, bright) = extremes(pixels.iter().map(|pixel| pixel.1));
            // Cut-off levels say nothing about the others.
            let within =
                |value: f32, low: f32, high: f32| value > low + CUT_OFF && value < high - CUT_OFF;
            let inner: Vec<(f32, f32)> = pixels
                .iter()
                .copied()
                .filter(|(x, y)| within(*x, darkest, brightest) && within(*y, dark, bright))
                .collect();
            if inner.len() * 10 > pixels.len() {
                let range = (f64::from(dark), f64::from(bright));
                let cut_off = (darkest + CUT_OFF, brightest - CUT_OFF);
                attempt(&inner, false, range, cut_off);
                attempt(&inner, true, range, cut_off);
            }
        }
        best.1
    }

    /// What a level becomes where the other picture has `there`: where the first one was cut off, whatever lies
    /// beyond will do.
    #[inline]
    pub fn expected(&self, level: f32, there: f32) -> f32 {
        let value = self.of(level);
        let beyond =
            level >= self.cut_off.1 && there > value || level <= self.cut_off.0 && there < value;
        if beyond { there } else { value }
    }

    /// What a level becomes.
    #[inline]
    pub fn of(&self, level: f32) -> f32 {
        let value = polynomial(&self.coefficients, centred(level));
        value.clamp(self.range.0, self.range.1) as f32
    }
}

fn extremes(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

fn centred(level: f32) -> f64 {
    (f64::from(level) - 128.0) / 128.0
}

fn polynomial(coefficients: &[f64; 3], x: f64) -> f64 {
    coefficients[0] + x * (coefficients[1] + x * coefficients[2])
}

/// The parabola, or the line, through these pixels, with a slight pull to leaving levels as they are.
fn fitted(pixels: &[(f32, f32)], bends: bool) -> Option<Tone> {
    if pixels.len() < LEAST {
        return None;
    }
    let mut tone = Tone::IDENTITY;
    let mut scale = f64::INFINITY;
    for round in 0..ROUNDS {
        let mut system = [[0.0; 4]; 3];
        for &(from, to) in pixels {
            let (x, y) = (centred(from), f64::from(to));
            let far = (y - polynomial(&tone.coefficients, x)) / scale;
            let weight = (1.0 + far * far).powi(-2);
            let row = [1.0, x, x * x, y];
            for i in 0..3 {
                for j in i..4 {
                    system[i][j] += weight * row[i] * row[j];
                }
            }
        }
        let [[_, x, xx, _], [_, _, xxx, _], _] = system;
        (system[1][0], system[2][0], system[2][1]) = (x, xx, xxx);
        let pull = 1e-3 * system[0][0] + 1.0;
        system[1][1] += pull;
        system[1][3] += pull * Tone::IDENTITY.coefficients[1];
        system[2][2] += if bends { 3.0 * pull } else { f64::MAX.sqrt() };
        tone.coefficients = solved(system);
        scale = if round == 0 { FIRST_SCALE } else { (0.6 * scale).max(LAST_SCALE) };
    }
    tone.coefficients.iter().all(|c| c.is_finite()).then_some(tone)
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

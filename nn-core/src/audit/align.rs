//! Image registration: the affine placement at which two pictures agree best.
//!
//! Gauss-Newton on shift, scale, rotation, shear, brightness and contrast. Outliers are weighted down.
//!
//! B. D. Lucas and T. Kanade, "An iterative image registration technique", 1981.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::luma::{Bilinear, Luma};
use super::placement::Placement;
use crate::kernels::multiversion::{Multiversion, multiversion};
use std::ops::AddAssign;

/// The smallest share of either picture that the overlap must cover.
const SHARE: f32 = 0.35;

/// Sums of products over all pixels, for the normal equations: six derivatives, value, 1, target.
struct Normal<'a> {
    a: &'a Luma,
    b: &'a Luma,
    placement: Placement,
    stride: usize,
    /// Centre of `b`, and half its length: coordinates are normalised by these.
    middle: (f32, f32),
    unit: f32,
    /// Gain and offset so far, and the scale of the residuals: pixels with larger residuals (of a
    /// watermark, say) have small weights. `None` in the first step.
    tone: Option<(f32, f32, f32)>,
    outliers: Outliers,
}

/// The weight of pixels that do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outliers {
    /// Small: a picture far from its place still finds it.
    Weak,
    /// Next to none, and none at the borders. The edge of a frame, or of a tilted picture, has such large
    /// gradients that it pulls a picture away from its place in spite of small weights.
    Ignored,
}

/// The width of the borders that are left out, in pixels.
const BORDER: f32 = 3.0;

/// The number of partial sums, for SIMD.
const LANES: usize = 16;
/// The number of pixels per batch.
const BATCH: usize = 256;

/// Nine numbers per pixel of a batch.
type Numbers = [[f32; BATCH]; 9];

/// The sums over all pixels.
struct Totals {
    products: [[f64; 9]; 8],
    residuals: f64,
    count: usize,
}

impl Multiversion for Normal<'_> {
    type Output = Totals;

    #[inline(always)]
    fn run(self) -> Totals {
        let (a, b) = (self.a, self.b);
        let border = if self.outliers == Outliers::Ignored { BORDER } else { 0.0 };
        let (right, bottom) = ((a.width - 1) as f32 - border, (a.height - 1) as f32 - border);
        let (last_column, last_row) =
            ((b.width - 1) as f32 - border, (b.height - 1) as f32 - border);
        let mut totals = Totals { products: [[0.0; 9]; 8], residuals: 0.0, count: 0 };
        let (mut numbers, mut n): (Numbers, usize) = ([[0.0; BATCH]; 9], 0);
        let rows = (0..b.height).step_by(self.stride);
        for y in rows.filter(|&y| (border..=last_row).contains(&(y as f32))) {
            let q = (y as f32 - self.middle.1) / self.unit;
            for start in (0..b.width).step_by(self.stride * LANES) {
                // Coordinates first: this loop is vectorised.
                let (mut us, mut vs) = ([0.0; LANES], [0.0; LANES]);
                let mut inside = [false; LANES];
                for lane in 0..LANES {
                    let x = start + lane * self.stride;
                    let (u, v) = self.placement.apply(x as f32, y as f32);
                    let on_b = (x as f32 >= border) & (x as f32 <= last_column);
                    let across = (u >= border) & (u <= right) & on_b;
                    inside[lane] = across & (v >= border) & (v <= bottom);
                    (us[lane], vs[lane]) = (u, v);
                }
                let places = Bilinear::around(a, &us, &vs);
                for lane in (0..LANES).filter(|&lane| inside[lane]) {
                    let x = start + lane * self.stride;
                    let (value, across, down) = places.mixed_with_slopes(a, lane);
                    numbers[2][n] = across / 64.0;
                    numbers[5][n] = down / 64.0;
                    numbers[0][n] = (x as f32 - self.middle.0) / self.unit;
                    numbers[1][n] = q;
                    numbers[6][n] = value;
                    numbers[8][n] = b.pixels[y * b.width + x];
                    n += 1;
                    if n == BATCH {
                        self.add(&mut numbers, n, &mut totals);
                        n = 0;
                    }
                }
            }
        }
        self.add(&mut numbers, n, &mut totals);
        totals
    }
}

impl Normal<'_> {
    /// Adds the first `n` pixels, given by coordinates (0 and 1), gradients (2 and 5), value (6)
    /// and target (8).
    #[inline(always)]
    fn add(&self, numbers: &mut Numbers, n: usize, totals: &mut Totals) {
        let (gain, offset, spread) = self.tone.unwrap_or((1.0, 0.0, f32::INFINITY));
        let (mut weights, mut residuals) = ([0.0_f32; BATCH], [0.0_f32; LANES]);
        for start in (0..BATCH).step_by(LANES) {
            for lane in 0..LANES {
                let i = start + lane;
                let counts = if i < n { 1.0 } else { 0.0 };
                let (p, q, gx, gy) = (numbers[0][i], numbers[1][i], numbers[2][i], numbers[5][i]);
                let (value, target) = (numbers[6][i], numbers[8][i]);
                let residual = target - gain * value - offset;
                let far = residual / spread;
                residuals[lane] += counts * residual.abs();
                let weight = 1.0 / (1.0 + far * far);
                weights[i] = counts
                    * match self.outliers {
                        Outliers::Weak => weight,
                        Outliers::Ignored => weight * weight,
                    };
                numbers[0][i] = gx * p;
                numbers[1][i] = gx * q;
                numbers[3][i] = gy * p;
                numbers[4][i] = gy * q;
                numbers[6][i] = value / 64.0;
                numbers[7][i] = 1.0 / 64.0;
                numbers[8][i] = target / 64.0;
            }
        }
        for i in 0..8 {
            let mut weighted = [0.0_f32; BATCH];
            for k in 0..BATCH {
                weighted[k] = numbers[i][k] * weights[k];
            }
            for j in i..9 {
                let mut sums = [0.0_f32; LANES];
                for start in (0..BATCH).step_by(LANES) {
                    for lane in 0..LANES {
                        sums[lane] += weighted[start + lane] * numbers[j][start + lane];
                    }
                }
                totals.products[i][j] += f64::from(sum(sums));
            }
        }
        totals.residuals += f64::from(sum(residuals));
        totals.count += n;
    }
}

/// The sum of partial sums, by pairwise halving.
#[inline(always)]
pub fn sum<T: Copy + AddAssign, const N: usize>(mut sums: [T; N]) -> T {
    let mut half = N / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

/// Refines `placement` so that `b` agrees best with `a`, in a number of Gauss-Newton steps that use
/// every `stride`-th pixel along each axis. `None` if it diverges.
pub fn refine(
    a: &Luma,
    b: &Luma,
    mut placement: Placement,
    steps: usize,
    stride: usize,
    outliers: Outliers,
) -> Option<Placement> {
    if a.width.min(a.height) < 2 {
        return None;
    }
    let (middle_x, middle_y) = (b.width as f32 / 2.0, b.height as f32 / 2.0);
    let unit = middle_x.max(middle_y);
    let mut tone = None;
    let start = placement.determinant();
    for step in 0..steps {
        let middle = (middle_x, middle_y);
        let Totals { products, residuals, count } =
            multiversion(Normal { a, b, placement, stride, middle, unit, tone, outliers });
        let (area_a, area_b) = ((a.width * a.height) as f32, (b.width * b.height) as f32);
        let common = (count * stride * stride) as f32;
        if common * placement.determinant().abs() < SHARE * area_a || common < SHARE * area_b {
            return None;
        }
        let solution = solve(products)?;
        let (gain, offset) = (solution[6], solution[7]);
        if gain < 0.05 {
            return None;
        }
        tone = Some((gain, offset, (1.5 * residuals as f32 / count as f32).max(3.0)));
        let [dxx, dxy, dx, dyx, dyy, dy] = [0, 1, 2, 3, 4, 5].map(|i| solution[i] / gain);
        let (dxx, dxy, dyx, dyy) = (dxx / unit, dxy / unit, dyx / unit, dyy / unit);
        placement.xx += dxx;
        placement.xy += dxy;
        placement.x0 += dx - dxx * middle_x - dxy * middle_y;
        placement.yx += dyx;
        placement.yy += dyy;
        placement.y0 += dy - dyx * middle_x - dyy * middle_y;
        let grown = placement.determinant() / start;
        if !(0.4..2.5).contains(&grown) {
            return None;
        }
        let moved = dx.abs().max(dy.abs()) + (dxx.abs() + dxy.abs() + dyx.abs() + dyy.abs()) * unit;
        if step > 0 && moved < 0.02 {
            break;
        }
    }
    Some(placement)
}

/// Solves 8 normal equations with a symmetric matrix, of which the upper half is given (Cholesky).
fn solve(mut m: [[f64; 9]; 8]) -> Option<[f32; 8]> {
    for (i, row) in m.iter_mut().enumerate() {
        // Regularisation: a direction without gradients is left unchanged.
        row[i] += 1e-6 + 1e-6 * row[i];
    }
    for i in 0..8 {
        let pivot = m[i][i];
        if pivot.is_nan() || pivot <= 1e-12 {
            return None;
        }
        for j in i + 1..8 {
            let factor = m[i][j] / pivot;
            let pivot_row = m[i];
            for (value, above) in m[j].iter_mut().zip(pivot_row).skip(j) {
                *value -= factor * above;
            }
        }
    }
    let mut solution = [0.0_f64; 8];
    for i in (0..8).rev() {
        let known: f64 = (i + 1..8).map(|j| m[i][j] * solution[j]).sum();
        solution[i] = (m[i][8] - known) / m[i][i];
    }
    Some(solution.map(|value| value as f32)).filter(|s| s.iter().all(|v| v.is_finite()))
}

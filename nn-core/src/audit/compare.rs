//! Whether two pictures are the same one, pixel by pixel.
//!
//! A candidate's placement is refined until the pixels of both agree best (Gauss-Newton on shift,
//! scale, turn, shear, brightness and contrast), then both are compared block by block: in each, the
//! correlation of the pixels after taking out its mean. Blocks count by how much there is to see in
//! them, in *either* picture: white against white says nothing, fur against other fur says no.
//!
//! B. D. Lucas and T. Kanade, "An iterative image registration technique", 1981.

#![allow(clippy::needless_range_loop)] // hot loops count, as in `kernels/simd.rs`

use super::luma::Luma;
use super::placement::Placement;
use crate::kernels::widest::{Loops, widest};
use std::cell::OnceCell;

/// Blocks with something to see without which nothing is said.
const MIN_EVIDENCE: usize = 6;
/// Side of a block, in pixels.
const BLOCK: usize = 8;
/// Variance of what compression and resampling leave in a flat block, in squared grey levels.
const NOISE: f32 = 6.0;
/// The standard deviation from which a block has something to see.
const VISIBLE: f32 = 4.0;

/// The least share of either picture that both must have in common.
const SHARE: f32 = 0.5;

/// What a comparison found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// How `b` lies on `a`.
    pub placement: Placement,
    /// Agreement of the pixels: 1 for the same picture, about 0 for different ones.
    pub agreement: f32,
    /// The share of the picture `a` that `b` covers.
    pub share_of_a: f32,
    /// The share of the picture `b` that lies on `a`.
    pub share_of_b: f32,
    /// The number of blocks with something to see in them.
    pub evidence: usize,
    /// The share of these blocks that agree.
    pub agreeing: f32,
    /// The same for detail alone, hair and grain, which outline and shade do not make alike.
    pub detail: f32,
    /// How far the corners of `b` lie from those of `a`, at most, as a share of its longer side.
    pub off_frame: f32,
    /// How the contrast of `b` differs from that of `a`: a factor.
    pub contrast: f32,
    /// How much brighter `b` is in the mean, in grey levels.
    pub brightness: f32,
}

impl Comparison {
    /// Whether the two are the same picture.
    ///
    /// Laid on each other edge to edge, which two different photographs hardly ever agree to, half
    /// of what is to be seen must agree; something may have been written over the rest. Laid
    /// otherwise, as a part on the whole, nearly all must, and detail too: outlines alone agree
    /// between any two animals of one shape and pose.
    pub fn is_copy(&self) -> bool {
        let whole = self.share_of_a > 0.96 && self.share_of_b > 0.96 && self.off_frame < 0.02;
        let part = self.placement.anisotropy() < 1.08;
        self.evidence >= MIN_EVIDENCE
            && if whole {
                self.agreement >= 0.8 || self.agreeing >= 0.5
            } else {
                part && self.agreement >= 0.8 && self.detail >= 0.72
            }
    }
}

/// A picture at the sizes a comparison needs. Most candidates need only the coarsest.
#[derive(Debug, Clone)]
pub struct Comparable {
    picture: Luma,
    /// A quarter of the width and height.
    coarse: Luma,
    closer: OnceCell<Closer>,
}

/// What is needed once the coarse pictures agree.
#[derive(Debug, Clone)]
struct Closer {
    /// Half the width and height, blurred a little, so that sharpness does not matter.
    half: Luma,
    /// All of it, blurred likewise.
    fine: Luma,
    /// What a stronger blur takes from it: hair and grain, not outline and shade.
    detail: Luma,
}

impl Comparable {
    /// Prepares a small picture.
    pub fn new(picture: Luma) -> Self {
        let coarse = picture.half().half().blurred(0.5);
        Self { picture, coarse, closer: OnceCell::new() }
    }

    fn closer(&self) -> &Closer {
        self.closer.get_or_init(|| {
            let fine = self.picture.blurred(1.0);
            let half = fine.half().blurred(0.7);
            let mut detail = self.picture.blurred(0.7);
            let shade = self.picture.blurred(2.0);
            for (value, shade) in detail.pixels.iter_mut().zip(&shade.pixels) {
                *value += 128.0 - shade;
            }
            Closer { half, fine, detail }
        })
    }

    /// Compares `self` with `b`, which may lie on it as `placement` says. None if it does not: most
    /// candidates end here, after a look at the coarse pictures.
    pub fn compare(&self, b: &Self, placement: &Placement) -> Option<Comparison> {
        let placement = placement.halved().halved();
        let placement = COARSE.look(&self.coarse, &b.coarse, placement)?;
        let (of_a, of_b) = (self.closer(), b.closer());
        let placement = HALF.look(&of_a.half, &of_b.half, placement.doubled())?;
        let placement = refine(&of_a.fine, &of_b.fine, placement.doubled(), &FINE)?;
        let pictures = [(&of_a.fine, &of_b.fine), (&of_a.detail, &of_b.detail)];
        let [found, detail] = agreement(pictures, placement)?;
        (found.agreement >= FINE.least).then_some(Comparison { detail: detail.agreeing, ..found })
    }
}

/// What is done at one size.
struct Stage {
    /// Steps of refinement.
    steps: usize,
    /// Every how many pixels are looked at, along each axis.
    stride: usize,
    /// The agreement without which the pictures are different ones.
    least: f32,
}

const COARSE: Stage = Stage { steps: 5, stride: 1, least: 0.2 };
const HALF: Stage = Stage { steps: 4, stride: 2, least: 0.35 };
const FINE: Stage = Stage { steps: 2, stride: 3, least: 0.35 };

impl Stage {
    /// The refined placement, if the pictures agree in it.
    fn look(&self, a: &Luma, b: &Luma, placement: Placement) -> Option<Placement> {
        let placement = refine(a, b, placement, self)?;
        let [found] = agreement([(a, b)], placement)?;
        (found.agreement >= self.least).then_some(placement)
    }
}

/// Sums of products of the numbers of a row: derivatives by six parameters, value, 1, target.
struct Normal<'a> {
    a: &'a Luma,
    b: &'a Luma,
    placement: Placement,
    stride: usize,
    /// Middle of `b`, and its half length: derivatives are taken in this unit.
    middle: (f32, f32),
    unit: f32,
    /// The gain and offset so far, and the scale of residuals, beyond which a pixel (a
    /// watermark's, say) hardly counts; at first there are none.
    tone: Option<(f32, f32, f32)>,
}

/// Partial sums, each over every so many pixels.
const LANES: usize = 16;

impl Loops for Normal<'_> {
    /// The sums, the sum of absolute residuals and the number of pixels.
    type Output = ([[f64; 9]; 8], f32, usize);

    #[inline(always)]
    fn run(self) -> Self::Output {
        let (a, b) = (self.a, self.b);
        let (right, bottom) = ((a.width - 1) as f32, (a.height - 1) as f32);
        let (gain, offset, spread) = self.tone.unwrap_or((1.0, 0.0, f32::INFINITY));
        let room = b.width.next_multiple_of(LANES);
        // The nine numbers of each pixel of a row, then those times the pixel's weight.
        let (mut rows, mut weighted) = (vec![0.0_f32; 9 * room], vec![0.0_f32; room]);
        let mut weights = vec![0.0_f32; room];
        let mut sums = [[[0.0_f32; LANES]; 9]; 8];
        let (mut residuals, mut count) = (0.0_f32, 0);
        for y in (0..b.height).step_by(self.stride) {
            let q = (y as f32 - self.middle.1) / self.unit;
            let mut n = 0;
            for x in (0..b.width).step_by(self.stride) {
                let (u, v) = self.placement.apply(x as f32, y as f32);
                if !(u >= 0.0 && u <= right && v >= 0.0 && v <= bottom) {
                    continue;
                }
                // Value and slopes between four pixels.
                let (left, top) = ((u as usize).min(a.width - 2), (v as usize).min(a.height - 2));
                let (tx, ty) = (u - left as f32, v - top as f32);
                let cell = &a.pixels[top * a.width + left..][..a.width + 2];
                let (upper_step, lower_step) =
                    (cell[1] - cell[0], cell[a.width + 1] - cell[a.width]);
                let (upper, lower) = (cell[0] + upper_step * tx, cell[a.width] + lower_step * tx);
                rows[n] = (upper_step + (lower_step - upper_step) * ty) / 64.0;
                rows[room + n] = (lower - upper) / 64.0;
                rows[2 * room + n] = (x as f32 - self.middle.0) / self.unit;
                rows[6 * room + n] = upper + (lower - upper) * ty;
                rows[8 * room + n] = b.pixels[y * b.width + x];
                n += 1;
            }
            let len = n.next_multiple_of(LANES);
            for row in 0..9 {
                rows[row * room + n..row * room + len].fill(0.0);
            }
            for i in 0..n {
                let (value, target) = (rows[6 * room + i], rows[8 * room + i]);
                let residual = target - gain * value - offset;
                let far = residual / spread;
                weighted[i] = residual.abs();
                weights[i] = 1.0 / (1.0 + far * far);
            }
            weights[n..len].fill(0.0);
            for i in 0..n {
                residuals += weighted[i];
            }
            count += n;
            for i in 0..len {
                let (gx, gy, p) = (rows[i], rows[room + i], rows[2 * room + i]);
                rows[i] = gx * p;
                rows[room + i] = gx * q;
                rows[2 * room + i] = gx;
                rows[3 * room + i] = gy * p;
                rows[4 * room + i] = gy * q;
                rows[5 * room + i] = gy;
                rows[6 * room + i] /= 64.0;
                rows[7 * room + i] = 1.0 / 64.0;
                rows[8 * room + i] /= 64.0;
            }
            for i in 0..8 {
                for k in 0..len {
                    weighted[k] = rows[i * room + k] * weights[k];
                }
                for j in i..9 {
                    let (row, sums) = (&rows[j * room..][..len], &mut sums[i][j]);
                    for k in (0..len).step_by(LANES) {
                        let (one, other) = (&weighted[k..][..LANES], &row[k..][..LANES]);
                        for lane in 0..LANES {
                            sums[lane] += one[lane] * other[lane];
                        }
                    }
                }
            }
        }
        let total = |lanes: [f32; LANES]| lanes.iter().map(|&v| f64::from(v)).sum();
        (sums.map(|row| row.map(total)), residuals, count)
    }
}

/// Moves `placement` to where `b` agrees best with `a`. None if it runs away.
fn refine(a: &Luma, b: &Luma, mut placement: Placement, stage: &Stage) -> Option<Placement> {
    if a.width.min(a.height) < 2 {
        return None;
    }
    let (middle_x, middle_y) = (b.width as f32 / 2.0, b.height as f32 / 2.0);
    let unit = middle_x.max(middle_y);
    let mut tone = None;
    let start = placement.determinant();
    for step in 0..stage.steps {
        let (middle, stride) = ((middle_x, middle_y), stage.stride);
        let (normal, residuals, count) =
            widest(Normal { a, b, placement, stride, middle, unit, tone });
        let (area_a, area_b) = ((a.width * a.height) as f32, (b.width * b.height) as f32);
        let common = (count * stage.stride * stage.stride) as f32;
        if common * placement.determinant().abs() < SHARE * area_a || common < SHARE * area_b {
            return None;
        }
        let solution = solve(normal)?;
        let (gain, offset) = (solution[6], solution[7]);
        if gain < 0.05 {
            return None;
        }
        tone = Some((gain, offset, (1.5 * residuals / count as f32).max(3.0)));
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

/// Solves 8 normal equations, of whose symmetric matrix the upper half is filled (Cholesky).
fn solve(mut m: [[f64; 9]; 8]) -> Option<[f32; 8]> {
    for (i, row) in m.iter_mut().enumerate() {
        // A direction in which the picture is flat stays where it is.
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

/// Sums over a block.
#[derive(Clone, Copy, Default)]
struct Sums {
    n: f32,
    a: f32,
    b: f32,
    aa: f32,
    bb: f32,
    ab: f32,
}

impl Sums {
    fn add(&mut self, a: f32, b: f32) {
        self.n += 1.0;
        self.a += a;
        self.b += b;
        self.aa += a * a;
        self.bb += b * b;
        self.ab += a * b;
    }

    /// Variance of `a`, variance of `b`, covariance.
    fn moments(&self) -> (f32, f32, f32) {
        let (a, b) = (self.a / self.n, self.b / self.n);
        let positive = |v: f32| v.max(0.0);
        (
            positive(self.aa / self.n - a * a),
            positive(self.bb / self.n - b * b),
            self.ab / self.n - a * b,
        )
    }
}

/// Sums over the blocks of `b` where it lies on `a`, for several pictures of the same sizes each.
struct Blocks<'a, const N: usize> {
    pictures: [(&'a Luma, &'a Luma); N],
    placement: Placement,
}

impl<const N: usize> Loops for Blocks<'_, N> {
    type Output = [Vec<Sums>; N];

    #[inline(always)]
    fn run(self) -> Self::Output {
        let (a, b) = self.pictures[0];
        let (right, bottom) = ((a.width - 1) as f32, (a.height - 1) as f32);
        let columns = b.width.div_ceil(BLOCK);
        let mut blocks =
            [(); N].map(|()| vec![Sums::default(); columns * b.height.div_ceil(BLOCK)]);
        for y in 0..b.height {
            for x in 0..b.width {
                let (u, v) = self.placement.apply(x as f32, y as f32);
                // Half a pixel beyond the border is still the border's pixel.
                if !(u >= -0.5 && u <= right + 0.5 && v >= -0.5 && v <= bottom + 0.5) {
                    continue;
                }
                let (u, v) = (u.max(0.0).min(right), v.max(0.0).min(bottom));
                let (left, top) = ((u as usize).min(a.width - 2), (v as usize).min(a.height - 2));
                let (tx, ty) = (u - left as f32, v - top as f32);
                let (from, block) = (top * a.width + left, y / BLOCK * columns + x / BLOCK);
                for n in 0..N {
                    let (a, b) = self.pictures[n];
                    let cell = &a.pixels[from..][..a.width + 2];
                    let upper = cell[0] + (cell[1] - cell[0]) * tx;
                    let lower = cell[a.width] + (cell[a.width + 1] - cell[a.width]) * tx;
                    // About 128, so that sums of squares stay exact enough.
                    let (value, target) = (upper + (lower - upper) * ty, b.pixels[y * b.width + x]);
                    blocks[n][block].add(value - 128.0, target - 128.0);
                }
            }
        }
        blocks
    }
}

/// How `b` agrees with `a`, and the same for each further picture of the same sizes.
fn agreement<const N: usize>(
    pictures: [(&Luma, &Luma); N],
    placement: Placement,
) -> Option<[Comparison; N]> {
    if pictures.iter().any(|(a, _)| a.width.min(a.height) < 2) {
        return None;
    }
    let blocks = widest(Blocks { pictures, placement });
    let mut found =
        blocks.iter().zip(pictures).map(|(blocks, (a, b))| judge(a, b, placement, blocks));
    let mut next = || found.next().flatten();
    let first = next()?;
    let mut all = [first; N];
    for further in &mut all[1..] {
        *further = next()?;
    }
    Some(all)
}

fn judge(a: &Luma, b: &Luma, placement: Placement, blocks: &[Sums]) -> Option<Comparison> {
    let mut all = Sums::default();
    for s in blocks {
        all.n += s.n;
        all.a += s.a;
        all.b += s.b;
        all.aa += s.aa;
        all.bb += s.bb;
        all.ab += s.ab;
    }
    if all.n < 32.0 {
        return None;
    }
    let (var_a, var_b, _) = all.moments();
    let contrast = ((var_b + NOISE) / (var_a + NOISE)).sqrt();
    let (mut sum, mut weights, mut evidence, mut agreeing) = (0.0, 0.0, 0, 0);
    for block in blocks.iter().filter(|block| block.n >= (BLOCK * BLOCK / 4) as f32) {
        let (var_a, var_b, covariance) = block.moments();
        // In the units of b.
        let (var_a, covariance) = (var_a * contrast * contrast, covariance * contrast);
        let weight = block.n * var_a.max(var_b).sqrt();
        sum += weight * covariance / ((var_a + NOISE) * (var_b + NOISE)).sqrt();
        weights += weight;
        if var_a.max(var_b).sqrt() >= VISIBLE {
            evidence += 1;
            let c = covariance / ((var_a + NOISE) * (var_b + NOISE)).sqrt();
            agreeing += usize::from(c >= 0.7);
        }
    }
    let area = |picture: &Luma| (picture.width * picture.height) as f32;
    Some(Comparison {
        placement,
        agreement: if weights > 0.0 { sum / weights } else { 0.0 },
        share_of_a: (all.n * placement.determinant().abs() / area(a)).min(1.0),
        share_of_b: all.n / area(b),
        evidence,
        agreeing: agreeing as f32 / evidence.max(1) as f32,
        detail: 0.0,
        off_frame: off_frame(a, b, &placement),
        contrast,
        brightness: (all.b - all.a) / all.n,
    })
}

/// The largest distance of a corner of `b` from the nearest corner of `a`, as a share of its longer
/// side.
fn off_frame(a: &Luma, b: &Luma, placement: &Placement) -> f32 {
    let corners = |picture: &Luma| {
        let (right, bottom) = ((picture.width - 1) as f32, (picture.height - 1) as f32);
        [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)]
    };
    let of_a = corners(a);
    let distance = |(x, y): (f32, f32)| {
        let (x, y) = placement.apply(x, y);
        of_a.iter().map(|&(u, v)| (u - x).hypot(v - y)).fold(f32::INFINITY, f32::min)
    };
    let farthest = corners(b).into_iter().map(distance).fold(0.0, f32::max);
    farthest / a.width.max(a.height) as f32
}

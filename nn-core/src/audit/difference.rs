//! How two registered pictures differ, once their tones agree.
//!
//! A copy is the same everywhere, to a few grey levels: what compression, scaling and other tones leave
//! is a hundredth of what there is to see. Different pictures that look alike - animals of one pose,
//! digits by two hands - are the same next to nowhere. In between lie copies that something was written
//! over, and different contents on one template or before one background: those are the same in most
//! places, and not at all in others.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::align::sum;
use super::blocks::BLOCK;
use super::luma::{Bilinear, Luma, MOST_BLUR};
use super::placement::Placement;
use super::tone::Tone;
use crate::kernels::multiversion::{Multiversion, multiversion};
use std::borrow::Cow;

/// Variance of what a copy may differ by in a flat block, in squared grey levels.
const NOISE: f32 = 16.0;
/// The share of a block's variance left unexplained up to which it is the same.
const SAME: f32 = 0.05;
/// The share from which it is another.
const OTHER: f32 = 0.5;
/// The mean square by which another block differs at least.
const VISIBLE: f32 = 64.0;
/// The least part of a block that must be common to both.
const LEAST: usize = BLOCK * BLOCK / 4;
/// A pixel that differs by more is another one, in grey levels.
const FAR: f32 = 15.0;

/// What two pictures have in common, and in what they differ.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Difference {
    /// Blocks with something to see in one of the two.
    pub visible: usize,
    /// The share of these that are the same.
    pub same: f32,
    /// The share of these that are others.
    pub other: f32,
    /// Pixels that are others, as a share of all.
    pub far: f32,
    /// The same as a share of the pixels in visible blocks.
    pub far_of_visible: f32,
}

/// The blur of pictures that are compared, in pixels, squared: their own, and that of a pixel.
const BLUR: f32 = 1.1;
/// The ratio of pixels' sides from which blurs are matched.
const MATCHED: f32 = 1.05;

/// `a`, blurred as much as `b` is where it lies on it: the one of larger pixels is the more blurred.
fn matched<'a>(a: &'a Luma, placement: &Placement) -> Cow<'a, Luma> {
    let side = placement.determinant().abs().sqrt();
    more_blurred(a, side)
}

/// `b`, blurred as much as `a` is beneath it.
fn matched_to<'a>(b: &'a Luma, placement: &Placement) -> Cow<'a, Luma> {
    let side = placement.determinant().abs().sqrt();
    more_blurred(b, side.max(1e-3).recip())
}

/// A picture as blurred as one whose pixels are `side` times as large.
fn more_blurred(picture: &Luma, side: f32) -> Cow<'_, Luma> {
    if side < MATCHED {
        return Cow::Borrowed(picture);
    }
    let blur = (BLUR * (side * side - 1.0)).sqrt();
    Cow::Owned(picture.blurred(blur.min(MOST_BLUR)))
}

/// `a` as it lies on `b`, pixel by pixel; NaN beyond it. `a` has two rows and columns at least.
pub fn laid(a: &Luma, b: &Luma, placement: &Placement) -> Vec<f32> {
    // Half a pixel beyond the border is still the border's pixel.
    laid_within(a, b, placement, -0.5)
}

/// The same without what is within `margin` pixels of the border of either.
fn laid_within(a: &Luma, b: &Luma, placement: &Placement, margin: f32) -> Vec<f32> {
    multiversion(Laid { a, b, placement, margin })
}

struct Laid<'a> {
    a: &'a Luma,
    b: &'a Luma,
    placement: &'a Placement,
    margin: f32,
}

impl Multiversion for Laid<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run(self) -> Vec<f32> {
        const LANES: usize = 16;
        let (a, b) = (self.a, self.b);
        let margin = self.margin;
        let (right, bottom) = ((a.width - 1) as f32 - margin, (a.height - 1) as f32 - margin);
        let mut values = vec![f32::NAN; b.pixels.len()];
        let (last_column, last_row) = ((b.width - 1) as f32, (b.height - 1) as f32);
        for (y, row) in values.chunks_exact_mut(b.width).enumerate() {
            let is_inner = y as f32 >= margin && y as f32 <= last_row - margin;
            if !is_inner {
                continue;
            }
            for (number, some) in row.chunks_mut(LANES).enumerate() {
                let (mut us, mut vs, mut inside) = ([0.0; LANES], [0.0; LANES], [false; LANES]);
                for i in 0..LANES {
                    let x = (number * LANES + i) as f32;
                    let (u, v) = self.placement.apply(x, y as f32);
                    let is_inner = (x >= margin) & (x <= last_column - margin);
                    inside[i] =
                        is_inner & (u >= margin) & (u <= right) & (v >= margin) & (v <= bottom);
                    (us[i], vs[i]) = (u, v);
                }
                let cells = Bilinear::around(a, &us, &vs);
                let mixed = cells.mixed(a);
                for (i, value) in some.iter_mut().enumerate() {
                    *value = if inside[i] { mixed[i] } else { f32::NAN };
                }
            }
        }
        values
    }
}

/// One picture laid on another, in the other's tones.
pub struct Overlay<'a> {
    /// The levels of the first where it lies on the other; NaN beyond it.
    levels: Vec<f32>,
    on: Cow<'a, Luma>,
}

impl<'a> Overlay<'a> {
    /// `a`, laid on `b`, of which `placement` says how it lies on `a`. What lies within `margin` pixels of the
    /// border of either does not count. Both have two rows and columns at least.
    pub fn new(a: &Luma, b: &'a Luma, placement: &Placement, margin: f32) -> Self {
        let (a, on) = (matched(a, placement), matched_to(b, placement));
        let mut levels = laid_within(&a, &on, placement, margin);
        Tone::between(&levels, &on.pixels).expect(&mut levels, &on.pixels);
        Self { levels, on }
    }

    /// In what the two differ.
    pub fn difference(&self) -> Difference {
        let (mut visible, mut same, mut other) = (0, 0, 0);
        let (mut pixels, mut far) = (0.0, 0.0);
        for sums in multiversion(OfBlocks { a: &self.levels, b: &self.on }) {
            pixels += sums.n;
            far += sums.far;
            if sums.n < LEAST as f32 {
                continue;
            }
            let (variance, unexplained) = (sums.variance(), sums.squares / sums.n);
            if variance < NOISE && unexplained < VISIBLE {
                continue;
            }
            let share = unexplained / (variance + NOISE);
            visible += 1;
            same += usize::from(share < SAME);
            other += usize::from(share > OTHER && unexplained > VISIBLE);
        }
        let share = |n: usize| n as f32 / visible.max(1) as f32;
        Difference {
            visible,
            same: share(same),
            other: share(other),
            far: far / pixels.max(1.0),
            far_of_visible: far / (visible.max(1) * BLOCK * BLOCK) as f32,
        }
    }

    /// Whether what differs, as `difference` says, is replaced rather than written over: see [`Replaced`].
    pub fn is_replaced(&self, difference: &Difference) -> bool {
        difference.far >= Replaced::LEAST
            && Replaced::between(&self.levels, &self.on.pixels).is_so()
    }

    /// Which pixels are others.
    pub fn far(&self) -> Vec<bool> {
        self.levels.iter().zip(&self.on.pixels).map(|(a, b)| (b - a).abs() > FAR).collect()
    }
}

/// BlockDifference over a block, of levels around 128.
#[derive(Clone, Copy, Default)]
struct BlockDifference {
    n: f32,
    a: f32,
    aa: f32,
    b: f32,
    bb: f32,
    /// Of residuals.
    squares: f32,
    /// Pixels that are others.
    far: f32,
}

/// The sums of each block.
struct OfBlocks<'a> {
    a: &'a [f32],
    b: &'a Luma,
}

impl Multiversion for OfBlocks<'_> {
    type Output = Vec<BlockDifference>;

    #[inline(always)]
    fn run(self) -> Vec<BlockDifference> {
        let width = self.b.width;
        let across = width.div_ceil(BLOCK);
        // Column by column of each block first.
        let mut sums = vec![[[0.0_f32; BLOCK]; 7]; across * self.b.height.div_ceil(BLOCK)];
        let rows = self.a.chunks_exact(width).zip(self.b.pixels.chunks_exact(width));
        for (y, (of_a, of_b)) in rows.enumerate() {
            let sums = &mut sums[y / BLOCK * across..][..across];
            let ((of_a, rest_a), (of_b, rest_b)) =
                (of_a.as_chunks::<BLOCK>(), of_b.as_chunks::<BLOCK>());
            for ((sums, of_a), of_b) in sums.iter_mut().zip(of_a).zip(of_b) {
                add(sums, of_a, of_b);
            }
            if !rest_a.is_empty() {
                let (mut of_a, mut of_b) = ([f32::NAN; BLOCK], [0.0; BLOCK]);
                of_a[..rest_a.len()].copy_from_slice(rest_a);
                of_b[..rest_b.len()].copy_from_slice(rest_b);
                add(&mut sums[across - 1], &of_a, &of_b);
            }
        }
        let mut all = Vec::with_capacity(sums.len());
        for block in &sums {
            let [n, a, aa, b, bb, squares, far] = block.map(sum);
            all.push(BlockDifference { n, a, aa, b, bb, squares, far });
        }
        all
    }
}

/// Adds a row of a block; NaN in `a` is no pixel.
#[inline(always)]
fn add(sums: &mut [[f32; BLOCK]; 7], a: &[f32; BLOCK], b: &[f32; BLOCK]) {
    for i in 0..BLOCK {
        let counts = if a[i].is_nan() { 0.0 } else { 1.0 };
        let residual = if a[i].is_nan() { 0.0 } else { b[i] - a[i] };
        let of_a = if a[i].is_nan() { 0.0 } else { a[i] - 128.0 };
        let of_b = counts * (b[i] - 128.0);
        sums[0][i] += counts;
        sums[1][i] += of_a;
        sums[2][i] += of_a * of_a;
        sums[3][i] += of_b;
        sums[4][i] += of_b * of_b;
        sums[5][i] += residual * residual;
        sums[6][i] += if residual.abs() > FAR { 1.0 } else { 0.0 };
    }
}

impl BlockDifference {
    /// The larger of both variances.
    fn variance(&self) -> f32 {
        let of = |sum: f32, squares: f32| squares / self.n - (sum / self.n) * (sum / self.n);
        of(self.a, self.aa).max(of(self.b, self.bb)).max(0.0)
    }
}

/// The pixels that differ, by whether `b` is brighter or darker there.
///
/// What is written over a picture is of one ink or two. What takes the place of something else leaves
/// ground where there was something, and something where there was ground; so where either picture is
/// the brighter one, the other shows its ground, or neither is of one ink.
struct Replaced {
    brighter: Pixels,
    darker: Pixels,
}

#[derive(Default)]
struct Pixels {
    n: usize,
    /// Those in which the picture that would have to be written over shows its commonest level.
    on_ground: usize,
    /// BlockDifference for how well one ink explains them.
    level: f64,
    levels: f64,
    residual: f64,
    residuals: f64,
    products: f64,
}

impl Pixels {
    fn add(&mut self, level: f32, residual: f32, on_ground: bool) {
        let (level, residual) = (f64::from(level), f64::from(residual));
        self.n += 1;
        self.on_ground += usize::from(on_ground);
        self.level += level;
        self.levels += level * level;
        self.residual += residual;
        self.residuals += residual * residual;
        self.products += level * residual;
    }

    /// Squares that remain if one ink was laid over, at one opacity.
    fn unexplained(&self) -> f64 {
        let n = (self.n as f64).max(1.0);
        let variance = self.levels / n - (self.level / n).powi(2);
        let covariance = self.products / n - self.level * self.residual / (n * n);
        let around = self.residuals / n - (self.residual / n).powi(2);
        n * (around - covariance * covariance / (variance + 1.0)).max(0.0)
    }

    fn ground_share(&self) -> f64 {
        self.on_ground as f64 / self.n.max(1) as f64
    }
}

impl Replaced {
    /// The share of pixels below which nothing was replaced.
    const LEAST: f32 = 0.004;
    /// The share of squares that the weaker direction must have to count.
    const BOTH_WAYS: f64 = 0.05;
    /// The share of pixels on the ground from which a direction uncovers it.
    const GROUND: f64 = 0.2;
    /// How near the commonest level is the ground, in grey levels.
    const NEAR: f32 = 8.0;
    /// The share of squares that inks leave unexplained from which there is more than ink.
    const NO_INK: f64 = 0.3;

    fn between(expected: &[f32], b: &[f32]) -> Self {
        let (of_a, of_b) = (commonest(expected), commonest(b));
        let mut found = Self { brighter: Pixels::default(), darker: Pixels::default() };
        for (&a, &b) in expected.iter().zip(b).filter(|(a, _)| !a.is_nan()) {
            let residual = b - a;
            if residual > FAR {
                found.brighter.add(a, residual, (b - of_b).abs() < Self::NEAR);
            } else if residual < -FAR {
                found.darker.add(a, residual, (a - of_a).abs() < Self::NEAR);
            }
        }
        found
    }

    fn is_so(&self) -> bool {
        let (one, other) = (self.brighter.residuals, self.darker.residuals);
        let weaker = one.min(other) / (one + other).max(1.0);
        let ground = self.brighter.ground_share().min(self.darker.ground_share());
        let unexplained =
            (self.brighter.unexplained() + self.darker.unexplained()) / (one + other).max(1.0);
        weaker >= Self::BOTH_WAYS
            && (ground >= Self::GROUND
                || weaker >= 2.0 * Self::BOTH_WAYS && unexplained >= Self::NO_INK)
    }
}

/// The commonest level, to two.
fn commonest(values: &[f32]) -> f32 {
    let mut counts = [0_usize; 64];
    for value in values.iter().filter(|value| !value.is_nan()) {
        counts[(value.clamp(0.0, 255.0) / 4.0) as usize] += 1;
    }
    let most = (0..64).max_by_key(|&i| (counts[i], i)).unwrap_or(0);
    most as f32 * 4.0 + 2.0
}

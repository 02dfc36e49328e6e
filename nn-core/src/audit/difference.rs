//! The differences of two registered pictures after their tones are matched.
//!
//! A copy is the same everywhere up to a few grey levels: the residuals of compression, scaling and
//! tone changes are a hundredth of the contrast. Different pictures that look alike, such as
//! animals in one pose or digits of two writers, are the same almost nowhere. In between are copies
//! that were drawn over, and different contents on one template or background: they are the same in
//! most blocks, and entirely different in others.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::align::sum;
use super::blocks::BLOCK;
use super::luma::{Bilinear, Luma, MOST_BLUR};
use super::placement::Placement;
use super::tone::Tone;
use crate::kernels::multiversion::{Multiversion, multiversion};
use std::borrow::Cow;

/// The variance by which a copy may differ in a flat block, in squared grey levels.
const NOISE: f32 = 16.0;
/// The largest share of a block's variance that may be unexplained in a block that is the same.
const SAME: f32 = 0.05;
/// The smallest share in a block that is different.
const OTHER: f32 = 0.5;
/// The smallest mean square difference of a block that is different.
const VISIBLE: f32 = 64.0;
/// The minimum number of pixels of a block that both pictures must cover.
const LEAST: usize = BLOCK * BLOCK / 4;
/// The difference from which a pixel counts as different, in grey levels.
const FAR: f32 = 15.0;

/// How two pictures compare.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Difference {
    /// The number of blocks with enough contrast in one of the two.
    pub visible: usize,
    /// The share of these that are the same.
    pub same: f32,
    /// The share of these that are different.
    pub other: f32,
    /// The share of all pixels that differ.
    pub far: f32,
    /// The share of the pixels in visible blocks that differ.
    pub far_of_visible: f32,
}

/// The squared blur of the pictures that are compared, in pixels: of their preparation and of pixel
/// sampling.
const BLUR: f32 = 1.1;
/// The ratio of pixel sizes from which blurs are matched.
const MATCHED: f32 = 1.05;

/// `a`, blurred to match `b` where they overlap: the picture with the larger pixels is blurrier.
fn matched<'a>(a: &'a Luma, placement: &Placement) -> Cow<'a, Luma> {
    let side = placement.determinant().abs().sqrt();
    more_blurred(a, side)
}

/// `b`, blurred to match `a`.
fn matched_to<'a>(b: &'a Luma, placement: &Placement) -> Cow<'a, Luma> {
    let side = placement.determinant().abs().sqrt();
    more_blurred(b, side.max(1e-3).recip())
}

/// A picture blurred to match one whose pixels are `side` times as large.
fn more_blurred(picture: &Luma, side: f32) -> Cow<'_, Luma> {
    if side < MATCHED {
        return Cow::Borrowed(picture);
    }
    let blur = (BLUR * (side * side - 1.0)).sqrt();
    Cow::Owned(picture.blurred(blur.min(MOST_BLUR)))
}

/// `a` resampled to the pixels of `b`; NaN outside `a`. `a` must have at least two rows and columns.
pub fn laid(a: &Luma, b: &Luma, placement: &Placement) -> Vec<f32> {
    // Half a pixel beyond the border still belongs to the border's pixel.
    laid_within(a, b, placement, -0.5)
}

/// The same, with NaN within `margin` pixels of the border of either.
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

/// One picture resampled to another, with its tone matched.
pub struct Overlay<'a> {
    /// The levels of the first at the pixels of the other; NaN outside.
    levels: Vec<f32>,
    on: Cow<'a, Luma>,
}

impl<'a> Overlay<'a> {
    /// Resamples `a` to `b`, where `placement` places `b` on `a`. Pixels within `margin` of the
    /// border of either are ignored. Both must have at least two rows and columns.
    pub fn new(a: &Luma, b: &'a Luma, placement: &Placement, margin: f32) -> Self {
        let (a, on) = (matched(a, placement), matched_to(b, placement));
        let mut levels = laid_within(&a, &on, placement, margin);
        Tone::between(&levels, &on.pixels).expect(&mut levels, &on.pixels);
        Self { levels, on }
    }

    /// The difference of the two.
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

    /// Whether the differences that `difference` counts were replaced rather than drawn over: see
    /// [`Replaced`].
    pub fn is_replaced(&self, difference: &Difference) -> bool {
        if difference.far < Replaced::LEAST {
            return false;
        }
        let replaced = Replaced::between(&self.levels, &self.on.pixels);
        let unclear = 1.0 - difference.same - difference.other;
        let is_vague =
            difference.other >= Replaced::OTHER && difference.same < Replaced::VAGUE * unclear;
        replaced.is_so() || is_vague && replaced.is_so_in_part()
    }

    /// Whether one of two figures on plain ground has strokes that the other lacks, as an E has beside an F:
    /// nothing tells these from strokes drawn over a copy. For pictures that were both enlarged from few
    /// pixels, in which a stroke is a large part of what there is.
    pub fn strokes_differ(&self) -> bool {
        let pairs = self.levels.iter().zip(&self.on.pixels).filter(|(a, _)| !a.is_nan());
        let (of_a, of_b): (Vec<f32>, Vec<f32>) = pairs.unzip();
        let n = of_a.len();
        if n == 0 {
            return false;
        }
        let grounds = (commonest(&of_a), commonest(&of_b));
        let pairs = || of_a.iter().zip(&of_b);
        let from_ground = |(a, b): (&f32, &f32)| (a - grounds.0).abs().max((b - grounds.1).abs());
        let mut contrasts: Vec<f32> = pairs().map(from_ground).collect();
        let rank = n - 1 - (n as f32 * Strokes::INK) as usize;
        let half = 0.5 * *contrasts.select_nth_unstable_by(rank, f32::total_cmp).1;
        if half < FAR {
            return false;
        }
        let (mut ground, mut strokes, mut of_one) = (0, 0, 0);
        for pair in pairs() {
            let contrast = from_ground(pair);
            ground += usize::from(contrast < Replaced::NEAR);
            strokes += usize::from(contrast > half);
            of_one += usize::from((pair.0 - pair.1).abs() > half);
        }
        let share = |of: usize, all: usize| of as f32 / all.max(1) as f32;
        share(ground, n) > Strokes::GROUND && share(of_one, strokes) > Strokes::OF_ONE
    }

    /// Which pixels differ.
    pub fn far(&self) -> Vec<bool> {
        self.levels.iter().zip(&self.on.pixels).map(|(a, b)| (b - a).abs() > FAR).collect()
    }
}

/// Figures of strokes on plain ground.
struct Strokes;

impl Strokes {
    /// The share of the pixels with the largest contrast to the ground that is left out of the measure of the
    /// strokes' contrast. Where there is less ink, the measure is too low, and nothing is told.
    const INK: f32 = 0.02;
    /// The minimum share of ground, in both pictures.
    const GROUND: f32 = 0.4;
    /// The maximum share of the strokes' pixels that only one of two copies has. Compressed copies of digits and
    /// icons have none; an E has a tenth more than an F.
    const OF_ONE: f32 = 0.02;
}

/// Sums over a block, of levels relative to 128.
#[derive(Clone, Copy, Default)]
struct BlockDifference {
    n: f32,
    a: f32,
    aa: f32,
    b: f32,
    bb: f32,
    /// The sum of squared residuals.
    squares: f32,
    /// The number of pixels that differ.
    far: f32,
}

/// Computes the sums of each block.
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
        // First per column of each block.
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

/// Adds a row of a block; pixels with NaN in `a` are ignored.
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
    /// The larger of the two variances.
    fn variance(&self) -> f32 {
        let of = |sum: f32, squares: f32| squares / self.n - (sum / self.n) * (sum / self.n);
        of(self.a, self.aa).max(of(self.b, self.bb)).max(0.0)
    }
}

/// The pixels that differ, separately where `b` is brighter and where it is darker.
///
/// What is drawn over a picture has one or two inks. If something was replaced instead, background
/// appears where there was an object, and an object where there was background. So in both
/// directions, either the picture that would have to be drawn over shows its background, or no
/// single ink explains the differences.
struct Replaced {
    brighter: Pixels,
    darker: Pixels,
}

#[derive(Default)]
struct Pixels {
    n: usize,
    /// Those in which one picture shows its most common level: `b` where it is brighter, `a` where
    /// `b` is darker.
    on_ground: usize,
    /// Sums for the fit of one ink.
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

    /// The sum of squared residuals that one ink at one opacity does not explain.
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
    /// The share of differing pixels below which nothing counts as replaced.
    const LEAST: f32 = 0.004;
    /// The minimum share of the weaker direction in the squared residuals.
    const BOTH_WAYS: f64 = 0.05;
    /// The share of background pixels from which a direction uncovers the background.
    const GROUND: f64 = 0.2;
    /// The distance from the most common level within which a pixel is background, in grey levels.
    const NEAR: f32 = 8.0;
    /// The share of unexplained squared residuals from which inks do not explain the differences.
    const NO_INK: f64 = 0.3;
    /// The share of different blocks from which, and the ratio of same blocks to blocks that are neither up to
    /// which, small differences are spread over the picture: other lines of small letters, not one inscription.
    const OTHER: f32 = 0.03;
    const VAGUE: f32 = 1.7;
    /// In such pictures, the minimum share of the weaker direction, and of background in one direction: small
    /// letters that are replaced overlap, so that either direction shows less background.
    const OVERLAPPING: (f64, f64) = (0.2, 0.3);

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

    /// The share of the weaker direction in the squared residuals.
    fn weaker(&self) -> f64 {
        let (one, other) = (self.brighter.residuals, self.darker.residuals);
        one.min(other) / (one + other).max(1.0)
    }

    /// Whether small things were replaced that overlap, such as lines of letters.
    fn is_so_in_part(&self) -> bool {
        let ground = self.brighter.ground_share().max(self.darker.ground_share());
        self.weaker() >= Self::OVERLAPPING.0 && ground >= Self::OVERLAPPING.1
    }

    fn is_so(&self) -> bool {
        let (one, other) = (self.brighter.residuals, self.darker.residuals);
        let weaker = self.weaker();
        let ground = self.brighter.ground_share().min(self.darker.ground_share());
        let unexplained =
            (self.brighter.unexplained() + self.darker.unexplained()) / (one + other).max(1.0);
        weaker >= Self::BOTH_WAYS
            && (ground >= Self::GROUND
                || weaker >= 2.0 * Self::BOTH_WAYS && unexplained >= Self::NO_INK)
    }
}

/// The most common level, in bins of four.
fn commonest(values: &[f32]) -> f32 {
    let mut counts = [0_usize; 64];
    for value in values.iter().filter(|value| !value.is_nan()) {
        counts[(value.clamp(0.0, 255.0) / 4.0) as usize] += 1;
    }
    let most = (0..64).max_by_key(|&i| (counts[i], i)).unwrap_or(0);
    most as f32 * 4.0 + 2.0
}

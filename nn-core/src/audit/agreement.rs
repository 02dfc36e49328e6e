//! Agreement of two pictures at a placement: the correlation of their pixels, block by block.

use super::blocks::{BLOCK, BlockMoments, Blocks};
use super::comparison::{Comparison, MIN_EVIDENCE, Verdict};
use super::luma::Luma;
use super::placement::Placement;
use crate::kernels::multiversion::multiversion;

/// The minimum denominator of the share of agreeing blocks in one picture alone.
const MIN_VISIBLE: usize = 24;
/// Variance left by compression and resampling in a flat block, in squared grey levels.
const NOISE: f32 = 6.0;
/// The correlation from which a block agrees.
const ALIKE: f32 = 0.7;
/// Pixels within this distance from the border of a part are ignored: they are blurred with what lies
/// beyond.
const PART_MARGIN: f32 = 1.5;
/// The margin of pictures aligned edge to edge: half a pixel beyond the border still counts.
pub const ON_THE_BORDER: f32 = -0.5;
/// The standard deviation from which a block has enough contrast to be visible.
const VISIBLE: f32 = 4.0;
/// The largest distance of corners at a lower resolution at which edges may still become aligned.
pub const NEAR_FRAME: f32 = 0.04;

/// Sums over blocks.
#[derive(Default)]
struct Tally {
    /// Of correlations, weighted by contrast.
    sum: f32,
    weights: f32,
    /// The number of visible blocks.
    evidence: usize,
    agreeing: usize,
    /// The same for either picture.
    visible: [usize; 2],
    agreeing_of: [usize; 2],
}

impl Tally {
    /// The sums over those blocks that are evidence for one of the pictures.
    fn of(
        blocks: &[&BlockMoments],
        contrast: f32,
        tells: impl Fn(&BlockMoments) -> [bool; 2],
    ) -> Self {
        let mut tally = Self::default();
        for block in blocks {
            let tells = tells(block);
            if tells != [false; 2] {
                tally.add(block, contrast, tells);
            }
        }
        tally
    }

    /// Adds a block; `tells` says for which of the pictures it is evidence.
    fn add(&mut self, block: &BlockMoments, contrast: f32, tells: [bool; 2]) {
        let (var_a, var_b, covariance) = block.moments();
        // Scaled to the contrast of b.
        let (var_a, covariance) = (var_a * contrast * contrast, covariance * contrast);
        let deviation = var_a.max(var_b).sqrt();
        let correlation = covariance / ((var_a + NOISE) * (var_b + NOISE)).sqrt();
        let weight = block.n * deviation;
        self.sum += weight * correlation;
        self.weights += weight;
        if deviation >= VISIBLE {
            let agrees = correlation >= ALIKE;
            self.evidence += 1;
            self.agreeing += usize::from(agrees);
            for (side, variance) in [var_a, var_b].into_iter().enumerate() {
                let is_visible = tells[side] && variance.sqrt() >= VISIBLE;
                self.visible[side] += usize::from(is_visible);
                self.agreeing_of[side] += usize::from(is_visible && agrees);
            }
        }
    }

    /// The share of agreeing blocks among the visible blocks of one picture.
    fn share_of(&self, side: usize) -> f32 {
        self.agreeing_of[side] as f32 / self.visible[side].max(MIN_VISIBLE) as f32
    }
}

/// The agreement of `b` with `a`.
pub fn agreement(a: &Luma, b: &Luma, placement: Placement) -> Option<Comparison> {
    if a.width.min(a.height) < 2 {
        return None;
    }
    // Near the border of a part, pixels are blurred with what lies beyond.
    let is_framed = placement.off_frame(a.size(), b.size()) < NEAR_FRAME;
    let margin = if is_framed { ON_THE_BORDER } else { PART_MARGIN };
    let blocks = Blocks { a, b, placement, margin, margin_of_b: ON_THE_BORDER };
    judge(a, b, placement, &multiversion(blocks))
}

/// The same without pixels within `margin` of the border of either, where a part is blurred with the
/// frame around it.
pub fn inner_agreement(
    a: &Luma,
    b: &Luma,
    placement: Placement,
    margin: f32,
) -> Option<Comparison> {
    let Comparison { share_of_a, share_of_b, .. } = agreement(a, b, placement)?;
    let blocks = Blocks { a, b, placement, margin, margin_of_b: margin };
    let inner = judge(a, b, placement, &multiversion(blocks))?;
    Some(Comparison { share_of_a, share_of_b, ..inner })
}

fn judge(a: &Luma, b: &Luma, placement: Placement, blocks: &[BlockMoments]) -> Option<Comparison> {
    let mut all = BlockMoments::default();
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
    let blocks: Vec<&BlockMoments> =
        blocks.iter().filter(|block| block.n >= (BLOCK * BLOCK / 4) as f32).collect();
    let (same_at_most, other_at_least) = bounds(&blocks, contrast);
    let telling = Tally::of(&blocks, contrast, |block| block.slopes.map(|s| !s.are_one_way()));
    let is_plain = telling.evidence < MIN_EVIDENCE;
    let tally = if is_plain { Tally::of(&blocks, contrast, |_| [true; 2]) } else { telling };
    let area = |picture: &Luma| (picture.width * picture.height) as f32;
    Some(Comparison {
        placement,
        agreement: if tally.weights > 0.0 { tally.sum / tally.weights } else { 0.0 },
        share_of_a: (all.n * placement.determinant().abs() / area(a)).min(1.0),
        share_of_b: all.n / area(b),
        evidence: tally.evidence,
        is_plain,
        agreeing_of_one: tally.share_of(0).max(tally.share_of(1)),
        off_frame: placement.off_frame(a.size(), b.size()),
        contrast,
        brightness: (all.b - all.a) / all.n,
        same_at_most,
        other_at_least,
        verdict: Verdict::Different,
        is_grey: false,
        is_written_over: false,
    })
}

/// The variances from which a block may count, or certainly counts, in a close comparison.
const MAYBE_VISIBLE: f32 = 8.0;
const CLEARLY_VISIBLE: f32 = 32.0;
/// The correlation below which a block is certainly not the same.
const MAYBE_SAME: f32 = 0.85;
/// The variance from which, and the correlation below which, a block is certainly different.
const CLEARLY_OTHER: (f32, f32) = (150.0, 0.6);

/// Bounds for the result of a close comparison, from correlations, which hardly depend on the tone
/// of a picture: the maximum share of same blocks, and the minimum share of different ones.
fn bounds(blocks: &[&BlockMoments], contrast: f32) -> (f32, f32) {
    let (mut visible, mut not_same, mut others) = (0, 0, 0);
    for block in blocks {
        let (var_a, var_b, covariance) = block.moments();
        let (var_a, covariance) = (var_a * contrast * contrast, covariance * contrast);
        let variance = var_a.max(var_b);
        let correlation = covariance / (var_a * var_b).sqrt().max(1e-3);
        visible += usize::from(variance >= MAYBE_VISIBLE);
        not_same += usize::from(variance >= CLEARLY_VISIBLE && correlation < MAYBE_SAME);
        others += usize::from(variance >= CLEARLY_OTHER.0 && correlation < CLEARLY_OTHER.1);
    }
    let share = |n: usize| n as f32 / visible.max(1) as f32;
    (share(visible - not_same), share(others))
}

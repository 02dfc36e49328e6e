//! Comparison of what two pictures have beside a common template, block by block.

use super::blocks::BLOCK;
use super::compare::Comparable;
use super::difference::laid;
use super::placement::Placement;
use super::tone::Tone;

/// Variance left by compression and scaling, in squared grey levels.
const NOISE: f32 = 4.0;
/// Additional variance at edges of the template, if a picture is slightly misaligned, relative to
/// their variance.
const EDGES: f32 = 0.03;
/// The mean square over a block, after subtraction, from which the block has content.
const CONTENT: f32 = 20.0;
/// The share of the squares, summed over both pictures, that differs in a different block.
const OTHER: f32 = 0.5;
/// The mean square difference from which a single block suffices to distinguish pictures.
const STRONG: f32 = 100.0;
/// The largest share of blocks with content that may differ in a copy.
const SLACK: f32 = 0.05;
/// The minimum number of pixels of a block that both pictures must cover.
const LEAST: f32 = (BLOCK * BLOCK / 4) as f32;
/// The median of the squares, summed over both pictures, below which the content is weak: 14 grey
/// levels in each. Contents of one kind, such as grain or pulses, are alike in part, so that weak ones
/// may have no block that differs as much as [`STRONG`] asks. This and the limits below were chosen on
/// drawn parts, grain and rings of 4 to 12 grey levels, and their copies at JPEG qualities from 30 on and scales from
/// 0.4 on.
const WEAK: f32 = 400.0;
/// The number of blocks from which the differences of weak contents are known well enough.
const MANY: usize = 50;
/// The number from which they are known well enough to tell apart what differs more.
const FEW: usize = 24;
/// The number of blocks without content from which the noise of a pair is known.
const SEEN: usize = 8;
/// The share of the squares, without noise, that differs in at most one block of four of a copy, if its
/// content is weak.
const WEAK_APART: f32 = 0.06;

/// Whether `a` and `b`, which `placement` places on `a`, have different contents on `template`,
/// which is resampled to the pixels of `b`.
pub fn tells_apart(
    a: &Comparable,
    b: &Comparable,
    placement: &Placement,
    template: &[f32],
) -> bool {
    let b = b.fine();
    let content = |values: &[f32]| -> Vec<f32> {
        let hidden =
            values.iter().zip(template).map(|(v, t)| if t.is_nan() { f32::NAN } else { *v });
        let mut values: Vec<f32> = hidden.collect();
        Tone::between(&values, template).apply(&mut values);
        values.iter().zip(template).map(|(v, t)| v - t).collect()
    };
    let (of_a, of_b) = (content(&laid(a.fine(), b, placement)), content(&b.pixels));
    let across = b.width.div_ceil(BLOCK);
    let mut all = vec![ContentSums::default(); across * b.height.div_ceil(BLOCK)];
    for (i, (x, y)) in of_a.iter().zip(&of_b).enumerate().filter(|(_, (x, y))| !(*x + *y).is_nan())
    {
        let sums = &mut all[i / b.width / BLOCK * across + i % b.width / BLOCK];
        sums.n += 1.0;
        sums.either += x * x + y * y;
        sums.apart += (x - y) * (x - y);
        sums.template += template[i] - 128.0;
        sums.squares += (template[i] - 128.0) * (template[i] - 128.0);
    }
    let (blocks, empty): (Vec<Block>, Vec<Block>) =
        all.iter().filter_map(ContentSums::block).partition(Block::has_content);
    let others = blocks.iter().filter(|block| block.is_other()).count();
    blocks.iter().any(Block::is_strong)
        || others as f32 > (SLACK * blocks.len() as f32).max(1.0)
        || weak_contents_differ(&blocks, &empty)
}

/// Whether the content is weak in most blocks, and not as near as that of a copy. What compression and scaling leave is
/// seen where there is no content.
fn weak_contents_differ(blocks: &[Block], empty: &[Block]) -> bool {
    if blocks.len() < FEW {
        return false;
    }
    let median = quantile(blocks.iter().map(|block| block.either), 2);
    let is_known = empty.len() >= SEEN;
    let noise = match is_known {
        true => quantile(empty.iter().map(|block| block.apart), 2).min(NOISE),
        false => NOISE,
    };
    // Where nothing is known of the pair, edges may leave more.
    let share = |block: &Block| {
        let left = if is_known { noise } else { noise + block.edges };
        (block.apart - left).max(0.0) / block.expected()
    };
    let certain = (MANY as f32 / blocks.len() as f32).max(1.0);
    median < WEAK && quantile(blocks.iter().map(share), 3) > WEAK_APART * certain
}

/// The quantile at so many quarters of at least one value.
fn quantile(values: impl Iterator<Item = f32>, quarters: usize) -> f32 {
    let mut values: Vec<f32> = values.collect();
    let rank = values.len() * quarters / 4;
    *values.select_nth_unstable_by(rank, f32::total_cmp).1
}

/// Sums over a block.
#[derive(Clone, Default)]
struct ContentSums {
    n: f32,
    /// The squared content of both pictures: their differences from the template.
    either: f32,
    /// The squared difference of the two contents.
    apart: f32,
    template: f32,
    squares: f32,
}

impl ContentSums {
    /// The means over the block, if it is large enough.
    fn block(&self) -> Option<Block> {
        if self.n < LEAST {
            return None;
        }
        let mean = self.template / self.n;
        let edges = EDGES * (self.squares / self.n - mean * mean).max(0.0);
        Some(Block { either: self.either / self.n, apart: self.apart / self.n, edges })
    }
}

/// A block: mean squares.
struct Block {
    /// The content of both pictures.
    either: f32,
    /// The difference of the two contents.
    apart: f32,
    /// What edges of the template may leave.
    edges: f32,
}

impl Block {
    fn has_content(&self) -> bool {
        self.either > CONTENT + self.edges
    }

    /// The difference of contents that have nothing in common.
    fn expected(&self) -> f32 {
        self.either + 2.0 * (NOISE + self.edges)
    }

    /// The differing share.
    fn share(&self) -> f32 {
        self.apart / self.expected()
    }

    fn is_other(&self) -> bool {
        self.share() > OTHER
    }

    fn is_strong(&self) -> bool {
        self.is_other() && self.apart > STRONG + self.edges
    }
}

//! The result of comparing two pictures, and the conditions for copies and scenes.

use super::difference::Difference;
use super::placement::Placement;

/// The number of blocks with enough contrast below which two pictures count as different.
pub const MIN_EVIDENCE: usize = 6;
/// The minimum ratio of same blocks to blocks that are neither the same nor different.
const CLEAR: f32 = 0.55;
/// The minimum share of same blocks in copies and scenes.
const LEAST_SAME: f32 = 0.33;
/// The same where there is little structure: strokes, letters, figures on a plain background.
const SAME_IF_BARE: f32 = 0.5;
/// The number of blocks with enough contrast below which there is little structure.
const BARE: usize = 45;
/// The minimum share of same blocks where there is nothing but edges, stripes and shades.
const SAME_IF_PLAIN: f32 = 0.9;
/// The minimum share of same blocks where one picture is a part of the other.
const SAME_IN_PART: f32 = 0.66;
/// The maximum share of different blocks there.
pub const OTHER_IN_PART: f32 = 0.03;
/// The largest share of differing pixels in a part, of those in visible blocks.
const FAR_OF_VISIBLE: f32 = 0.05;

/// The result of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The placement of `b` on `a`.
    pub placement: Placement,
    /// Agreement of the pixels: 1 for the same picture, about 0 for different ones.
    pub agreement: f32,
    /// The share of the area of `a` that `b` covers.
    pub share_of_a: f32,
    /// The share of the area of `b` that lies on `a`.
    pub share_of_b: f32,
    /// The number of visible blocks, without those whose gradients have one direction only.
    pub evidence: usize,
    /// Whether there were too few such blocks, so that those with one direction were counted, too:
    /// there is nothing but edges, stripes and shades.
    pub is_plain: bool,
    /// The share of agreeing blocks among the visible blocks of one picture, for the picture for
    /// which it is higher: what is drawn over a copy is visible in that copy only.
    pub agreeing_of_one: f32,
    /// The largest distance of a corner of `b` from the nearest corner of `a`, as a share of the
    /// longer side of `a`.
    pub off_frame: f32,
    /// The contrast of `b` relative to that of `a`, as a factor.
    pub contrast: f32,
    /// The difference of mean brightness, `b` minus `a`, in grey levels.
    pub brightness: f32,
    /// An upper bound for the share of visible blocks that a close comparison finds the same.
    pub same_at_most: f32,
    /// A lower bound for the share that it finds different.
    pub other_at_least: f32,
    /// The relation of the two; different until a close comparison finds otherwise.
    pub verdict: Verdict,
    /// Whether one of two copies is grey and the other is not.
    pub is_grey: bool,
    /// Whether something was drawn over one of two copies.
    pub is_written_over: bool,
}

/// The relation of two pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Different pictures.
    Different,
    /// Different contents on the same background or template.
    Scene,
    /// The same picture.
    Copy,
}

/// The conditions for a copy or a picture of the same scene.
pub struct Asked {
    /// The minimum share of visible blocks that are the same.
    pub same: f32,
    /// The maximum share of different blocks.
    other: f32,
    /// The maximum share of differing pixels, of those in visible blocks.
    far: f32,
}

impl Asked {
    pub fn is_met_by(&self, difference: &Difference) -> bool {
        // Blocks that are neither may only come from the edges of what was drawn over.
        let unclear = 1.0 - difference.same - difference.other;
        difference.visible >= MIN_EVIDENCE
            && difference.same >= self.same.max(CLEAR * unclear)
            && difference.other <= self.other
            && difference.far_of_visible <= self.far
    }
}

impl Comparison {
    /// The conditions for this pair if `visible` blocks are visible.
    ///
    /// Of pictures aligned edge to edge, half of the visible blocks may have been drawn over. Of a part,
    /// all must be the same, since the outlines alone agree for any two animals of similar shape and pose.
    /// The same holds where there is nothing but edges, stripes and shades, which many pictures share.
    pub fn asked(&self, visible: usize) -> Asked {
        let is_bare = visible < BARE;
        match (self.is_whole(), self.is_plain) {
            (true, false) => {
                let same = if is_bare { SAME_IF_BARE } else { LEAST_SAME };
                Asked { same, other: 1.0, far: 1.0 }
            }
            (true, true) => Asked { same: SAME_IF_PLAIN, other: 0.0, far: 1.0 },
            (false, _) => Asked { same: SAME_IN_PART, other: OTHER_IN_PART, far: FAR_OF_VISIBLE },
        }
    }

    /// Whether the pictures are aligned edge to edge.
    pub fn is_whole(&self) -> bool {
        self.share_of_a > 0.96 && self.share_of_b > 0.96 && self.off_frame < 0.02
    }
}

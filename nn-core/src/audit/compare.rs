//! Comparison of two pictures: copies, of one scene, or different.
//!
//! A candidate's placement is refined until the pixels of both agree best ([`super::align`]). Then both are
//! compared block by block, by the correlation of the pixels in each block. Blocks are weighted by the
//! contrast in *either* picture: white against white is no evidence, fur against other fur is evidence
//! against a copy. Blocks whose gradients have only one direction are ignored if there are others, since
//! different pictures share the edge of a frame or a mask, or a corner left black by a rotation. Pairs that
//! pass this first stage are compared closely: by the differences that remain after their tones are matched
//! ([`super::difference`]), and by their colours ([`super::colour`]).
//!
//! Text or a mark drawn over a copy biases the refined placement, so a pair that is almost aligned
//! edge to edge is also compared exactly edge to edge.

use super::agreement::{NEAR_FRAME, ON_THE_BORDER, agreement, inner_agreement};
use super::align::{Outliers, refine};
use super::colour::{ColourMatch, Colours};
use super::comparison::{Comparison, MIN_EVIDENCE, OTHER_IN_PART, Verdict};
use super::difference::{Difference, Overlay};
use super::luma::{Luma, MOST_BLUR};
use super::placement::Placement;
use std::sync::OnceLock;

/// The agreement from which a pair is compared closely.
const AGREES: f32 = 0.65;
/// The same where one of the pictures was enlarged from few pixels.
const AGREES_IF_ENLARGED: f32 = 0.5;
/// The size of a picture's original pixels, in pixels of the small picture, from which it may lack
/// detail that the other has.
const FEW_PIXELS: f32 = 0.5;
/// The blur, in pixels, after which this lack of detail hardly matters.
const SOFT: f32 = 2.0;
/// Pixels within this distance from the border of a part are ignored: they are blurred with what
/// lies beyond.
const MARGIN: f32 = 2.5;
/// The share of same blocks from which no blurred comparison is needed.
const CLEARLY_SAME: f32 = 0.9;
/// The number of blocks with enough contrast from which there is much structure.
const MUCH: usize = 60;
/// The largest share of differing pixels at which a part may be compared blurred.
const FAR_IN_PART: f32 = 0.01;
/// The largest share of different blocks at which a picture enlarged from few pixels may be
/// compared blurred.
const OTHER_IF_ENLARGED: f32 = 0.12;
/// The largest share of pixels that may be excluded from the comparison of colours as drawn over.
const WRITTEN_OVER: f32 = 0.2;
/// The factor on the required share of same blocks that the first stage must allow: its margin is smaller.
const NEARLY: f32 = 0.7;
/// The agreement from which a part is worth a better placement.
const NEAR_A_PART: f32 = 0.5;
/// The number of steps to it, and the stride of the pixels that are used.
const REALIGNED: (usize, usize) = (6, 2);
/// The skew from which a part of a picture of few pixels is no copy.
const SKEWED: f32 = 0.06;
/// The anisotropy from which such a part is none if there is nothing but edges.
const STRETCHED: f32 = 1.1;
/// The share of differing pixels from which a copy is reported as drawn over.
const TO_BE_SEEN: f32 = 0.005;

/// A picture at the resolutions that a comparison needs. Most candidates need only the coarsest.
#[derive(Debug, Clone)]
pub struct Comparable {
    picture: Luma,
    colours: Colours,
    /// At a quarter of the width and height.
    coarse: Luma,
    closer: OnceLock<Closer>,
    /// The size of one of its original pixels, above 1 if it was enlarged, else at most 1.
    pixel: f32,
}

/// The resolutions needed once the coarse pictures agree.
#[derive(Debug, Clone)]
struct Closer {
    /// At half the width and height, slightly blurred, so that sharpness does not matter.
    half: Luma,
    /// At full size, slightly blurred.
    fine: Luma,
}

impl Comparable {
    /// Prepares the small picture of an image that was `width` pixels wide.
    pub fn new(picture: Luma, colours: Colours, width: usize) -> Self {
        let pixel = picture.width as f32 / width as f32;
        let coarse = picture.half().half().blurred(0.5);
        Self { picture, colours, coarse, pixel, closer: OnceLock::new() }
    }

    /// Whether `b`, placed on `self`, has other colours, or no colours.
    pub fn colours_differ(&self, b: &Self, placement: &Placement) -> bool {
        self.colours.differ(&b.colours, placement)
    }

    /// The picture at full size, slightly blurred.
    pub fn fine(&self) -> &Luma {
        &self.closer().fine
    }

    fn closer(&self) -> &Closer {
        self.closer.get_or_init(|| {
            let fine = self.picture.blurred(1.0);
            let half = fine.half().blurred(0.7);
            Closer { half, fine }
        })
    }

    fn soft(&self, blur: f32) -> Luma {
        let soft = self.fine().blurred(blur.min(MOST_BLUR));
        // The variances of Gaussian blurs add up.
        let rest = (blur * blur - MOST_BLUR * MOST_BLUR).max(0.0).sqrt();
        if rest > 0.0 { soft.blurred(rest.min(MOST_BLUR)) } else { soft }
    }

    /// Compares `self` with `b`, which `placement` may place on it. `None` if they do not match:
    /// most candidates are rejected at the coarse resolution.
    pub fn compare(&self, b: &Self, placement: &Placement) -> Option<Comparison> {
        let refined = self.refined(b, placement).map(|found| self.look_both_ways(b, found));
        let refined = refined.map(|found| self.realigned(b, found).unwrap_or(found));
        if refined.is_some_and(|found| found.verdict == Verdict::Copy) {
            return refined;
        }
        // What is drawn over a copy biases the placement.
        let framed = self.edge_to_edge(b, placement, refined.map(|found| found.placement));
        let framed = framed.map(|found| self.look_both_ways(b, found));
        framed.into_iter().chain(refined).max_by_key(|found| found.verdict)
    }

    /// The comparison at a better placement, if one of the two is a part of the other there: the border
    /// of a frame, or the corners of a tilted picture, bias a placement. Pictures aligned edge to edge are
    /// compared so anyway ([`Self::edge_to_edge`]), and enlarged ones lack the detail to be aligned by.
    fn realigned(&self, b: &Self, found: Comparison) -> Option<Comparison> {
        let is_near = found.agreement >= NEAR_A_PART && found.evidence >= MIN_EVIDENCE;
        let is_enlarged = self.pixel.max(b.pixel) > 1.0;
        if found.verdict != Verdict::Different || found.is_whole() || !is_near || is_enlarged {
            return None;
        }
        let (of_a, of_b) = (self.fine(), b.fine());
        let placement =
            refine(of_a, of_b, found.placement, REALIGNED.0, REALIGNED.1, Outliers::Ignored)?;
        let realigned = inner_agreement(of_a, of_b, placement, MARGIN)?;
        if realigned.is_whole() {
            return None;
        }
        let realigned = self.look_closely(b, realigned);
        (realigned.verdict > Verdict::Different).then_some(realigned)
    }

    /// `found`, with close comparisons. An enlarged picture has few pixels, and resampling it loses other
    /// detail than resampling the other one, so pictures with much structure are compared both ways:
    /// otherwise whether they are copies depends on which of the two is first.
    fn look_both_ways(&self, b: &Self, found: Comparison) -> Comparison {
        let found = self.look_closely(b, found);
        let is_enlarged = self.pixel.max(b.pixel) > 1.0 && found.evidence >= MUCH;
        if found.verdict != Verdict::Different || !is_enlarged {
            return found;
        }
        let inverted = found.placement.inverted();
        let turned = inverted.and_then(|placed| agreement(b.fine(), self.fine(), placed));
        match turned.map(|turned| b.look_closely(self, turned)) {
            Some(Comparison { verdict: Verdict::Copy, is_grey, is_written_over, .. }) => {
                Comparison { verdict: Verdict::Copy, is_grey, is_written_over, ..found }
            }
            _ => found,
        }
    }

    /// `found`, with a close comparison if the two agree.
    fn look_closely(&self, b: &Self, found: Comparison) -> Comparison {
        let pixel = self.pixel.max(b.pixel);
        let agrees = if pixel > 1.0 { AGREES_IF_ENLARGED } else { AGREES };
        let half_agrees = found.is_whole() && found.agreeing_of_one >= 0.5;
        if found.evidence < MIN_EVIDENCE || found.agreement < agrees && !half_agrees {
            return found;
        }
        // A slanted letter is the upright one sheared, and another letter; a bar is any other bar stretched.
        let are_enlarged = self.pixel.min(b.pixel) > 1.0;
        let is_stretched = found.is_plain && found.placement.anisotropy() > STRETCHED;
        let is_bent = is_stretched || found.placement.skew() > SKEWED;
        if are_enlarged && !found.is_whole() && is_bent {
            return found;
        }
        // A picture with few pixels may lack detail that the other one has, until both are blurred.
        let others =
            if found.is_whole() && pixel > 1.0 { OTHER_IF_ENLARGED } else { OTHER_IN_PART };
        let may_blur = pixel > FEW_PIXELS && found.other_at_least <= others;
        if !may_blur && found.same_at_most < NEARLY * found.asked(usize::MAX).same {
            return found;
        }
        let margin = if found.is_whole() { ON_THE_BORDER } else { MARGIN };
        let overlay = Overlay::new(self.fine(), b.fine(), &found.placement, margin);
        let mut difference = overlay.difference();
        // In a part, hardly any pixel may differ.
        let may_blur = pixel > FEW_PIXELS && (found.is_whole() || difference.far < FAR_IN_PART);
        if may_blur && difference.same < CLEARLY_SAME && difference.other <= others {
            let blur = SOFT.max(pixel);
            let (a, b) = (self.soft(blur), b.soft(blur));
            let soft = Overlay::new(&a, &b, &found.placement, margin).difference();
            if soft.same > difference.same {
                difference = Difference { same: soft.same, other: soft.other, ..difference };
            }
        }
        if !found.asked(difference.visible).is_met_by(&difference) {
            return found;
        }
        // Resampled the other way, strokes of few pixels may look different.
        let inverse = || found.placement.inverted();
        let back = || Some(Overlay::new(b.fine(), self.fine(), &inverse()?, margin));
        let strokes_differ =
            || overlay.strokes_differ() || back().is_some_and(|back| back.strokes_differ());
        if are_enlarged && strokes_differ() || overlay.is_replaced(&difference) {
            return Comparison { verdict: Verdict::Scene, ..found };
        }
        let mut far = overlay.far();
        if difference.far > WRITTEN_OVER {
            far.fill(false);
        }
        let colours = self.colours.compare(&b.colours, &found.placement, &far, b.fine().width);
        Comparison {
            verdict: if colours == ColourMatch::Different { Verdict::Scene } else { Verdict::Copy },
            is_grey: colours == ColourMatch::Grey,
            is_written_over: difference.far >= TO_BE_SEEN && difference.other > 0.0,
            ..found
        }
    }

    /// Compares at the refined placement.
    fn refined(&self, b: &Self, placement: &Placement) -> Option<Comparison> {
        let placement = placement.halved().halved();
        let placement = COARSE.look(&self.coarse, &b.coarse, placement)?;
        let (of_a, of_b) = (self.closer(), b.closer());
        let placement = HALF.look(&of_a.half, &of_b.half, placement.doubled())?;
        let placement = FINE.refined(&of_a.fine, &of_b.fine, placement.doubled())?;
        let found = agreement(&of_a.fine, &of_b.fine, placement)?;
        (found.agreement >= FINE.least).then_some(found)
    }

    /// Compares edge to edge, if the pictures are almost aligned so, and not already at the
    /// placement `looked_at`.
    fn edge_to_edge(
        &self,
        b: &Self,
        placement: &Placement,
        looked_at: Option<Placement>,
    ) -> Option<Comparison> {
        let (of_a, of_b) = (self.picture.size(), b.picture.size());
        if placement.off_frame(of_a, of_b) > ABOUT_FRAMED {
            return None;
        }
        let framed = Placement::of_frames(placement.symmetry(), of_a, of_b);
        if looked_at.is_some_and(|other| framed.distance(&other, of_b) < NO_OTHER_LOOK) {
            return None;
        }
        let (of_a, of_b) = (self.closer(), b.closer());
        let half = agreement(&of_a.half, &of_b.half, framed.halved())?;
        if half.agreeing_of_one < FRAMED_LEAST {
            return None;
        }
        agreement(&of_a.fine, &of_b.fine, framed)
    }
}

/// The distance of placements, in pixels, from which a second comparison is worthwhile.
const NO_OTHER_LOOK: f32 = 0.3;
/// The largest distance of corners, as a share of a side, at which pictures may be aligned edge to edge.
const ABOUT_FRAMED: f32 = 0.15;
/// The minimum share of agreeing blocks of one picture at half the size.
const FRAMED_LEAST: f32 = 0.3;

/// The first stage at one resolution. The thresholds are below those of all copies seen; most
/// candidates are rejected here.
struct Stage {
    /// The number of Gauss-Newton steps.
    steps: usize,
    /// The stride of the pixels that are used, along each axis.
    stride: usize,
    /// The minimum agreement.
    least: f32,
    /// The minimum agreement where one is a part of the other.
    least_of_part: f32,
    /// The minimum for the upper bound of the share of same blocks.
    maybe_same: f32,
}

const COARSE: Stage =
    Stage { steps: 5, stride: 1, least: 0.35, least_of_part: 0.5, maybe_same: 0.2 };
const HALF: Stage = Stage { steps: 4, stride: 2, least: 0.35, least_of_part: 0.7, maybe_same: 0.4 };
const FINE: Stage =
    Stage { steps: 2, stride: 3, least: 0.35, least_of_part: AGREES, maybe_same: 0.0 };

/// The largest anisotropy at a lower resolution at which one may be a part of the other.
const NEAR_SIMILAR: f32 = 1.6;
/// The same relative to the stretch from the aspect ratio of one to that of the other: a part may
/// have been stretched to a square.
const NEAR_STRETCHED: f32 = 1.2;

impl Stage {
    fn refined(&self, a: &Luma, b: &Luma, placement: Placement) -> Option<Placement> {
        refine(a, b, placement, self.steps, self.stride, Outliers::Weak)
    }

    /// The refined placement, if the pictures agree well enough for this resolution.
    fn look(&self, a: &Luma, b: &Luma, placement: Placement) -> Option<Placement> {
        let placement = self.refined(a, b, placement)?;
        let found = agreement(a, b, placement)?;
        let may_be = found.off_frame < NEAR_FRAME
            || found.agreement >= self.least_of_part
                && placement.anisotropy()
                    < NEAR_SIMILAR.max(NEAR_STRETCHED * stretch(a, b, &placement));
        let agrees = found.agreement >= self.least && found.same_at_most >= self.maybe_same;
        (agrees && may_be).then_some(placement)
    }
}

/// The stretch, as a factor from 1 on, that brings `a`, turned as `b` is, to the aspect ratio of `b`.
fn stretch(a: &Luma, b: &Luma, placement: &Placement) -> f32 {
    let aspect = |picture: &Luma| picture.width as f32 / picture.height as f32;
    let is_upright = placement.symmetry().turns.is_multiple_of(2);
    let was = if is_upright { aspect(a) } else { aspect(a).recip() };
    let by = was / aspect(b);
    by.max(by.recip())
}

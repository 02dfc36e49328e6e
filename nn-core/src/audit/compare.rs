//! What two pictures are to each other: the same, of one scene, or different.
//!
//! A candidate's placement is refined until the pixels of both agree best ([`super::align`]), then
//! both are compared block by block: in each, the correlation of the pixels after taking out its mean.
//! Blocks count by how much there is to see in them, in *either* picture: white against white says
//! nothing, fur against other fur says no. A block in which both pictures change in one direction only
//! says nothing either, if there are others: different pictures have the edge of a frame or a mask in
//! common, or a corner that a tilt left black. That is the first look. Those that pass it are looked at
//! closely: in what they differ once their tones agree ([`super::difference`]), and whether they have the
//! same colours ([`super::colour`]).
//!
//! Over a copy something may have been written, which draws the refined placement to itself: a pair that
//! lies about edge to edge is compared edge to edge as well.

use super::align::refine;
use super::blocks::{BLOCK, BlockMoments, Blocks};
use super::colour::{ColourMatch, Colours};
use super::difference::{Difference, Overlay};
use super::luma::{Luma, MOST_BLUR};
use super::placement::Placement;
use crate::kernels::multiversion::multiversion;
use std::sync::OnceLock;

/// Blocks with something to see without which nothing is said.
const MIN_EVIDENCE: usize = 6;
/// Such blocks that one of the pictures must have, for those of it alone to be counted.
const MIN_VISIBLE: usize = 24;
/// Variance of what compression and resampling leave in a flat block, in squared grey levels.
const NOISE: f32 = 6.0;
/// The agreement from which a closer look is worth it.
const AGREES: f32 = 0.65;
/// The same where one of them is of few pixels, and was enlarged.
const AGREES_IF_ENLARGED: f32 = 0.5;
/// The correlation from which a block agrees.
const ALIKE: f32 = 0.7;
/// The side of a picture's own pixels, in small ones, from which it may lack what another shows.
const FEW_PIXELS: f32 = 0.5;
/// The blur, in pixels, after which it hardly matters that one picture was once of few pixels.
const SOFT: f32 = 2.0;
/// What is next to a part's border is blurred with what lies beyond, so many pixels far.
const MARGIN: f32 = 2.5;
/// The same at a first look.
const PART_MARGIN: f32 = 1.5;
/// Half a pixel beyond the border is still the border's pixel.
const ON_THE_BORDER: f32 = -0.5;
/// The share from which none is needed.
const CLEARLY_SAME: f32 = 0.9;
/// The least ratio of blocks that are the same to those that are neither the same nor others.
const CLEAR: f32 = 0.55;
/// The share of blocks that must be the same in what shares anything.
const LEAST_SAME: f32 = 0.33;
/// The same where there is little to see: strokes, letters, figures on a plain ground.
const SAME_IF_BARE: f32 = 0.5;
/// Blocks with something to see below which there is little.
const BARE: usize = 45;
/// The same where there is hardly anything that tells a picture from others.
const SAME_IF_PLAIN: f32 = 0.9;
/// The same where one picture would be a part of the other, and the share of others up to which it is.
const SAME_IN_PART: f32 = 0.66;
const OTHER_IN_PART: f32 = 0.03;
/// The share of pixels that differ up to which a blur may show a part to be the same.
const FAR_IN_PART: f32 = 0.01;
/// The share of pixels that may differ in a part, of those where there is something to see.
const FAR_OF_VISIBLE: f32 = 0.05;
/// The share of others up to which a picture of few pixels, enlarged, may turn out to be the same.
const OTHER_IF_ENLARGED: f32 = 0.12;
/// The share of pixels that something written over may hide from a look at colours.
const WRITTEN_OVER: f32 = 0.2;
/// The part of what is asked that a first look must promise: it looks a little less far from borders.
const NEARLY: f32 = 0.7;
/// The share from which that is said.
const TO_BE_SEEN: f32 = 0.005;
/// The standard deviation from which a block has something to see.
const VISIBLE: f32 = 4.0;

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
    /// The number of blocks with something to see in them that tells a picture from others.
    pub evidence: usize,
    /// Whether there are hardly such blocks, and those were counted too in which all runs one way: there
    /// is nothing but edges, stripes and shades.
    pub is_plain: bool,
    /// The share of the blocks with something to see in one of the pictures that agree, in the
    /// picture for which it is higher: what is written over a copy is only to be seen in the other.
    pub agreeing_of_one: f32,
    /// How far the corners of `b` lie from those of `a`, at most, as a share of its longer side.
    pub off_frame: f32,
    /// How the contrast of `b` differs from that of `a`: a factor.
    pub contrast: f32,
    /// How much brighter `b` is in the mean, in grey levels.
    pub brightness: f32,
    /// The share of visible blocks that a closer look may find the same, at most.
    pub same_at_most: f32,
    /// The share that it will find to be others, at least.
    pub other_at_least: f32,
    /// What the two are to each other; different until a closer look says otherwise.
    pub verdict: Verdict,
    /// Whether one of two copies is grey and the other is not.
    pub is_grey: bool,
    /// Whether something was written over one of two copies.
    pub is_written_over: bool,
}

/// What two pictures are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Different pictures.
    Different,
    /// Different contents before one background, or on one template.
    Scene,
    /// The same picture.
    Copy,
}

/// What the same picture, or a picture of the same scene, must have in common.
struct Asked {
    /// The share of visible blocks that are the same, at least.
    same: f32,
    /// The share of others, at most.
    other: f32,
    /// Pixels that differ, as a share of those in visible blocks, at most.
    far: f32,
}

impl Asked {
    fn is_met_by(&self, difference: &Difference) -> bool {
        // What is neither the same nor another comes from edges of what was written over, no more.
        let unclear = 1.0 - difference.same - difference.other;
        difference.visible >= MIN_EVIDENCE
            && difference.same >= self.same.max(CLEAR * unclear)
            && difference.other <= self.other
            && difference.far_of_visible <= self.far
    }
}

impl Comparison {
    /// What these two must have in common, if so many blocks are visible.
    ///
    /// Laid on each other edge to edge, half of what is to be seen may have been written over. Laid
    /// otherwise, as a part on the whole, all of it must be the same: outlines alone agree between any
    /// two animals of one shape and pose. So it must where nothing is to be seen but what many pictures
    /// have in common: edges, stripes and shades.
    fn asked(&self, visible: usize) -> Asked {
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

    /// Whether the pictures lie on each other edge to edge.
    fn is_whole(&self) -> bool {
        self.share_of_a > 0.96 && self.share_of_b > 0.96 && self.off_frame < 0.02
    }
}

/// A picture at the sizes a comparison needs. Most candidates need only the coarsest.
#[derive(Debug, Clone)]
pub struct Comparable {
    picture: Luma,
    colours: Colours,
    /// A quarter of the width and height.
    coarse: Luma,
    closer: OnceLock<Closer>,
    /// The side of one of its own pixels, where it was enlarged; else less than 1.
    pixel: f32,
}

/// What is needed once the coarse pictures agree.
#[derive(Debug, Clone)]
struct Closer {
    /// Half the width and height, blurred a little, so that sharpness does not matter.
    half: Luma,
    /// All of it, blurred likewise.
    fine: Luma,
}

impl Comparable {
    /// Prepares a small picture of one that was `width` pixels wide.
    pub fn new(picture: Luma, colours: Colours, width: usize) -> Self {
        let pixel = picture.width as f32 / width as f32;
        let coarse = picture.half().half().blurred(0.5);
        Self { picture, colours, coarse, pixel, closer: OnceLock::new() }
    }

    /// Whether the colours of `b`, which lies on `self` so, are other ones, grey ones among them.
    pub fn colours_differ(&self, b: &Self, placement: &Placement) -> bool {
        self.colours.differ(&b.colours, placement)
    }

    /// The picture at the size of comparison, blurred a little.
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
        // The squares of blurs add up.
        let rest = (blur * blur - MOST_BLUR * MOST_BLUR).max(0.0).sqrt();
        if rest > 0.0 { soft.blurred(rest.min(MOST_BLUR)) } else { soft }
    }

    /// Compares `self` with `b`, which may lie on it as `placement` says. None if it does not: most
    /// candidates end here, after a look at the coarse pictures.
    pub fn compare(&self, b: &Self, placement: &Placement) -> Option<Comparison> {
        let refined = self.refined(b, placement).map(|found| self.look_closely(b, found));
        if refined.is_some_and(|found| found.verdict == Verdict::Copy) {
            return refined;
        }
        // What is written over a copy draws the placement away from the edges it has in common.
        let framed = self.edge_to_edge(b, placement, refined.map(|found| found.placement));
        let framed = framed.map(|found| self.look_closely(b, found));
        framed.into_iter().chain(refined).max_by_key(|found| found.verdict)
    }

    /// `found`, with a close look at the differences if the two are alike.
    fn look_closely(&self, b: &Self, found: Comparison) -> Comparison {
        let pixel = self.pixel.max(b.pixel);
        let agrees = if pixel > 1.0 { AGREES_IF_ENLARGED } else { AGREES };
        let half_agrees = found.is_whole() && found.agreeing_of_one >= 0.5;
        if found.evidence < MIN_EVIDENCE || found.agreement < agrees && !half_agrees {
            return found;
        }
        // A picture of few pixels may lack what the other one shows, until both are blurred.
        let others =
            if found.is_whole() && pixel > 1.0 { OTHER_IF_ENLARGED } else { OTHER_IN_PART };
        let may_blur = pixel > FEW_PIXELS && found.other_at_least <= others;
        if !may_blur && found.same_at_most < NEARLY * found.asked(usize::MAX).same {
            return found;
        }
        let margin = if found.is_whole() { ON_THE_BORDER } else { MARGIN };
        let overlay = Overlay::new(self.fine(), b.fine(), &found.placement, margin);
        let mut difference = overlay.difference();
        // Hardly a pixel of a part may be another.
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
        if overlay.is_replaced(&difference) {
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

    /// Compares where the pixels agree best.
    fn refined(&self, b: &Self, placement: &Placement) -> Option<Comparison> {
        let placement = placement.halved().halved();
        let placement = COARSE.look(&self.coarse, &b.coarse, placement)?;
        let (of_a, of_b) = (self.closer(), b.closer());
        let placement = HALF.look(&of_a.half, &of_b.half, placement.doubled())?;
        let placement = FINE.refined(&of_a.fine, &of_b.fine, placement.doubled())?;
        let found = agreement(&of_a.fine, &of_b.fine, placement)?;
        (found.agreement >= FINE.least).then_some(found)
    }

    /// Compares with the edges of both on each other, if they are to lie about so, and it is not how they were
    /// `looked_at` before.
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

/// How far apart, in pixels, placements must be for another look to be worth it.
const NO_OTHER_LOOK: f32 = 0.3;
/// How far off, as a share of a side, corners may be to be laid on each other.
const ABOUT_FRAMED: f32 = 0.15;
/// The share of blocks of one picture that must agree at half the size.
const FRAMED_LEAST: f32 = 0.3;

/// What is done at one size. What it asks for is less than any copy has shown; most candidates end here.
struct Stage {
    /// Steps of refinement.
    steps: usize,
    /// Every how many pixels are looked at, along each axis.
    stride: usize,
    /// The agreement without which the pictures are different ones.
    least: f32,
    /// The same where one would be a part of the other.
    least_of_part: f32,
    /// The share of blocks that may turn out to be the same, at least.
    maybe_same: f32,
}

const COARSE: Stage =
    Stage { steps: 5, stride: 1, least: 0.35, least_of_part: 0.5, maybe_same: 0.2 };
const HALF: Stage = Stage { steps: 4, stride: 2, least: 0.35, least_of_part: 0.7, maybe_same: 0.4 };
const FINE: Stage =
    Stage { steps: 2, stride: 3, least: 0.35, least_of_part: AGREES, maybe_same: 0.0 };

/// How far off corners may be at a smaller size for edges still to come to lie on each other.
const NEAR_FRAME: f32 = 0.04;
/// The ratio of stretches at a smaller size beyond which nothing will be a part.
const NEAR_SIMILAR: f32 = 1.6;

impl Stage {
    fn refined(&self, a: &Luma, b: &Luma, placement: Placement) -> Option<Placement> {
        refine(a, b, placement, self.steps, self.stride)
    }

    /// The refined placement, if the pictures agree in it as a copy of this size does.
    fn look(&self, a: &Luma, b: &Luma, placement: Placement) -> Option<Placement> {
        let placement = self.refined(a, b, placement)?;
        let found = agreement(a, b, placement)?;
        let may_be = found.off_frame < NEAR_FRAME
            || found.agreement >= self.least_of_part && placement.anisotropy() < NEAR_SIMILAR;
        let agrees = found.agreement >= self.least && found.same_at_most >= self.maybe_same;
        (agrees && may_be).then_some(placement)
    }
}

/// What blocks say together.
#[derive(Default)]
struct Tally {
    /// Of correlations, each times how much there is to see.
    sum: f32,
    weights: f32,
    /// Blocks with something to see.
    evidence: usize,
    agreeing: usize,
    /// The same of either picture.
    visible: [usize; 2],
    agreeing_of: [usize; 2],
}

impl Tally {
    /// Those blocks together that tell one of the pictures from others.
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

    /// Adds a block, in which that of either picture `tells` it from others.
    fn add(&mut self, block: &BlockMoments, contrast: f32, tells: [bool; 2]) {
        let (var_a, var_b, covariance) = block.moments();
        // In the units of b.
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

    /// The share of what is to be seen in one of the pictures that agrees.
    fn share_of(&self, side: usize) -> f32 {
        self.agreeing_of[side] as f32 / self.visible[side].max(MIN_VISIBLE) as f32
    }
}

/// How `b` agrees with `a`.
fn agreement(a: &Luma, b: &Luma, placement: Placement) -> Option<Comparison> {
    if a.width.min(a.height) < 2 {
        return None;
    }
    // Next to the border of a part, what lies beyond shows through the blur.
    let is_framed = placement.off_frame(a.size(), b.size()) < NEAR_FRAME;
    let margin = if is_framed { ON_THE_BORDER } else { PART_MARGIN };
    judge(a, b, placement, &multiversion(Blocks { a, b, placement, margin }))
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

/// The variance from which a block may count at a closer look, and that from which it does.
const MAYBE_VISIBLE: f32 = 8.0;
const CLEARLY_VISIBLE: f32 = 32.0;
/// The correlation below which a block will not be the same.
const MAYBE_SAME: f32 = 0.85;
/// The variance from which, and the correlation below which, it will be another.
const CLEARLY_OTHER: (f32, f32) = (150.0, 0.6);

/// What a closer look will say, told from correlations, which no tone of a whole picture changes much: the share
/// of blocks that may be the same, at most, and of those that are others, at least.
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

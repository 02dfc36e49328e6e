//! Which pairs of images may be copies, without comparing all pairs.
//!
//! Each image asks the index ([`super::code_index`]) for features like its first ones. Where two of
//! another image have met, laid alike, all features of both are held against each other: what agrees
//! in most of its 128 bits votes for the pair and says how one would have to be moved onto the other;
//! votes that say the same make a candidate. Pictures as a whole are asked for as well, which finds
//! those with too little on them for features. Each image keeps but a few candidates, so that the
//! work grows as the number of images does, not as that of pairs.

use super::code_index::CodeIndex;
use super::keypoints::Feature;
use super::patch::{Code, TILT};
use super::placement::{Placement, Posture};
use super::symmetry::{Symmetry, moved};
use crate::kernels::widest::{Loops, widest};
use rayon::prelude::*;
use std::cmp::Reverse;

/// Bits in which two features may differ and still be the same point.
const FEATURE_DISTANCE: u32 = 18;
/// Features of an image, the first ones, that are asked for in the index.
const ASKED: usize = 32;
/// Of these, those that are asked for as tilted copies, too.
const TILTED: usize = 32;
/// Bits in which two whole pictures may differ and still be compared.
const FRAME_DISTANCE: u32 = 14;
/// Bits in which they may differ once their images have met.
const VOTE_DISTANCE: u32 = 24;
/// Features of a pair that must have met in the index, for the others to be looked at.
const HITS: usize = 2;
/// Points that must say the same of a pair.
const VOTES: usize = 4;
/// The most candidates of higher number that features may give one image: those of most votes.
const FEATURES_PER_IMAGE: usize = 48;
/// The most candidates that whole pictures may give one image: the nearest.
const FRAMES_PER_IMAGE: usize = 6;
/// Placements tried for a pair, at most.
const TRIES: usize = 3;

/// What is known of an image for finding its copies.
#[derive(Debug, Clone, Default)]
pub struct Fingerprint {
    /// Width and height of the small picture.
    pub size: (f32, f32),
    /// Its features.
    pub features: Vec<Feature>,
    /// The picture as a whole, unless it is flat.
    pub frame: Option<Code>,
}

/// Two images that may be copies.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The image of the lower number.
    pub a: usize,
    /// The other.
    pub b: usize,
    /// How `b` may lie on `a`, the likeliest first.
    pub placements: Vec<Placement>,
    /// Points that say so.
    pub votes: usize,
    /// Whether the pictures as wholes say so.
    pub by_frame: bool,
}

/// The candidates among `images`, in order of their first images; of one image, the likeliest first.
pub fn candidates(images: &[&Fingerprint]) -> Vec<Candidate> {
    let mut found = by_features(images);
    found.extend(by_frames(images));
    found.sort_by_key(|candidate| (candidate.a, candidate.b));
    // Those of features come first, for the sort is stable.
    found.dedup_by(|next, kept| {
        let same = (next.a, next.b) == (kept.a, kept.b);
        if same {
            kept.placements.append(&mut next.placements);
            kept.by_frame |= next.by_frame;
        }
        same
    });
    let likeliest = |c: &Candidate| (c.a, Reverse((c.by_frame, c.votes)), c.b);
    found.sort_unstable_by_key(likeliest);
    found
}

/// Two features that met: the image of the second, how the first would have to be tilted and laid to
/// become the second, their numbers.
type Match = (u32, Way, u32, u32);

/// How a picture is tilted, and laid after that.
type Way = (Tilt, Symmetry);

/// A small turn of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tilt {
    None,
    Left,
    Right,
}

impl Tilt {
    /// The code of a feature once the picture is tilted.
    fn code(self, feature: &Feature) -> Code {
        match self {
            Self::None => feature.code,
            Self::Left => feature.tilted[0],
            Self::Right => feature.tilted[1],
        }
    }

    /// The angle, in radians, from the axis to the right to that downwards.
    fn angle(self) -> f32 {
        match self {
            Self::None => 0.0,
            Self::Left => -TILT,
            Self::Right => TILT,
        }
    }
}

fn by_features(images: &[&Fingerprint]) -> Vec<Candidate> {
    let (mut codes, mut owners, mut features) = (Vec::new(), Vec::new(), Vec::new());
    let mut starts = Vec::with_capacity(images.len());
    for (i, image) in images.iter().enumerate() {
        starts.push(codes.len());
        for feature in &image.features {
            codes.push(moved(feature.code, Symmetry::ALL[feature.poses[0] as usize]));
            owners.push(i as u32);
            features.push(feature);
        }
    }
    let index = CodeIndex::new(&codes);
    let of_image = |a: usize| -> Vec<Candidate> {
        let mut matches: Vec<Match> = Vec::new();
        let next = starts[a] + images[a].features.len();
        let asked = images[a].features.len().min(ASKED);
        let mut ask = |of_a: &Feature, i: u32, tilt: Tilt, pose: u8| {
            let pose = Symmetry::ALL[pose as usize];
            // Each two images are compared once, from the first.
            for j in index.near(moved(tilt.code(of_a), pose), FEATURE_DISTANCE, next) {
                let of_b = features[j.code as usize];
                let back = Symmetry::ALL[of_b.poses[0] as usize].inverse();
                matches.push((owners[j.code as usize], (tilt, pose.then(back)), i, j.code));
            }
        };
        for (of_a, i) in features[starts[a]..][..asked].iter().zip(starts[a] as u32..) {
            of_a.poses.into_iter().for_each(|pose| ask(of_a, i, Tilt::None, pose));
        }
        for (of_a, i) in features[starts[a]..][..asked.min(TILTED)].iter().zip(starts[a] as u32..) {
            [Tilt::Left, Tilt::Right]
                .into_iter()
                .for_each(|tilt| ask(of_a, i, tilt, of_a.poses[0]));
        }
        matches.sort_unstable();
        matches.dedup();
        let judge = |pair: &[Match]| {
            let b = pair[0].0 as usize;
            let mut proposals: Vec<(usize, Placement)> = Vec::new();
            for way in pair.chunk_by(|x, y| x.1 == y.1).filter(|way| way.len() >= HITS) {
                let pairs = alike(&images[a].features, &images[b].features, way[0].1);
                for stretch in stretches(images[a].size, images[b].size, way[0].1.1) {
                    let votes: Vec<Vote> =
                        pairs.iter().map(|pair| Vote::new(*pair, way[0].1, stretch)).collect();
                    proposals.extend(agreed(&votes, images[a].size));
                }
            }
            proposals.sort_by_key(|proposal| Reverse(proposal.0));
            proposals.truncate(TRIES);
            let votes = proposals.first()?.0;
            let placements = proposals.into_iter().map(|(_, placement)| placement).collect();
            Some(Candidate { a, b, placements, votes, by_frame: false })
        };
        let pairs = matches.chunk_by(|x, y| x.0 == y.0);
        let mut found: Vec<Candidate> = pairs.filter_map(judge).collect();
        if found.len() > FEATURES_PER_IMAGE {
            found.sort_by_key(|candidate| Reverse(candidate.votes));
            found.truncate(FEATURES_PER_IMAGE);
        }
        found
    };
    (0..images.len()).into_par_iter().flat_map_iter(of_image).collect()
}

/// How `b` may have been stretched along its sides: not at all, or from the aspect that `a`, laid so, has.
fn stretches(a: (f32, f32), b: (f32, f32), symmetry: Symmetry) -> impl Iterator<Item = (f32, f32)> {
    let aspect = |(width, height): (f32, f32)| width / height;
    let was = if symmetry.turns.is_multiple_of(2) { aspect(a) } else { aspect(a).recip() };
    let by = (was / aspect(b)).sqrt();
    let stretched = !(0.97..1.03).contains(&by);
    [Some((1.0, 1.0)), stretched.then_some((by, by.recip()))].into_iter().flatten()
}

/// All pairs of features of `a`, tilted and laid so, and of `b` that look alike.
fn alike<'a>(
    a: &'a [Feature],
    b: &'a [Feature],
    (tilt, symmetry): Way,
) -> Vec<(&'a Feature, &'a Feature)> {
    let mut pairs = Vec::new();
    for of_a in a {
        for of_b in widest(Alike { code: moved(tilt.code(of_a), symmetry), features: b }) {
            pairs.push((of_a, &b[of_b]));
        }
    }
    pairs
}

/// The features whose codes are like one.
struct Alike<'a> {
    code: Code,
    features: &'a [Feature],
}

impl Loops for Alike<'_> {
    type Output = Vec<usize>;

    #[inline(always)]
    fn run(self) -> Vec<usize> {
        let mut alike = Vec::new();
        for (i, feature) in self.features.iter().enumerate() {
            if (feature.code ^ self.code).count_ones() <= VOTE_DISTANCE {
                alike.push(i);
            }
        }
        alike
    }
}

/// Two features taken for the same point.
struct Vote<'a> {
    of_a: &'a Feature,
    /// Where the other lies on `b`, before `b` was stretched.
    of_b: (f32, f32),
    stretch: (f32, f32),
    /// How `b` lies on `a`, before it was stretched.
    placement: Placement,
    posture: Posture,
}

impl<'a> Vote<'a> {
    fn new((of_a, of_b): (&'a Feature, &Feature), way: Way, stretch: (f32, f32)) -> Self {
        let before = Feature { x: of_b.x * stretch.0, y: of_b.y * stretch.1, ..*of_b };
        let placement = Placement::of_features(of_a, &before, way.1, way.0.angle());
        let of_b = (before.x, before.y);
        Self { of_a, of_b, stretch, placement, posture: placement.posture() }
    }
}

/// The placements that several votes agree on, and how many do.
fn agreed(votes: &[Vote<'_>], (width, height): (f32, f32)) -> Vec<(usize, Placement)> {
    let tolerance = 0.06 * width.max(height);
    let mut proposals: Vec<(usize, Placement)> = Vec::new();
    for vote in votes.iter().take(64) {
        let agree: Vec<&Vote> = votes
            .iter()
            .filter(|other| {
                let (x, y) = vote.placement.apply(other.of_b.0, other.of_b.1);
                let (x, y) = (x - other.of_a.x, y - other.of_a.y);
                x * x + y * y <= tolerance * tolerance && vote.posture.is_like(&other.posture)
            })
            .collect();
        // Two descriptions of one point are one vote.
        let mut points: Vec<_> = agree.iter().map(|v| (v.of_a.x, v.of_a.y)).collect();
        points.sort_by(|p, q| p.partial_cmp(q).unwrap_or(std::cmp::Ordering::Equal));
        points.dedup();
        if points.len() < VOTES {
            continue;
        }
        let corresponding: Vec<_> = agree.iter().map(|v| (v.of_b, (v.of_a.x, v.of_a.y))).collect();
        let fitted = Placement::fit_similarity(&corresponding, vote.placement.is_mirrored())
            .filter(|fitted| fitted.is_like(&vote.placement));
        let placement = fitted.unwrap_or(vote.placement).of_stretched(vote.stretch);
        proposals.push((points.len(), placement));
    }
    proposals.sort_by_key(|proposal| Reverse(proposal.0));
    let mut kept: Vec<(usize, Placement)> = Vec::new();
    for proposal in proposals {
        if kept.len() < TRIES && !kept.iter().any(|other| other.1.is_like(&proposal.1)) {
            kept.push(proposal);
        }
    }
    kept
}

fn by_frames(images: &[&Fingerprint]) -> Vec<Candidate> {
    let with_frame = images.iter().enumerate();
    let (owners, codes): (Vec<usize>, Vec<Code>) =
        with_frame.filter_map(|(i, image)| Some((i, image.frame?))).unzip();
    let index = CodeIndex::new(&codes);
    let of_code = |i: usize| {
        let mut nearest: Vec<(u32, usize, usize)> = Vec::new();
        for (number, symmetry) in Symmetry::ALL.into_iter().enumerate() {
            for near in index.near(moved(codes[i], symmetry), FRAME_DISTANCE, 0) {
                if i != near.code as usize {
                    nearest.push((near.distance, near.code as usize, number));
                }
            }
        }
        nearest.sort_unstable();
        nearest.dedup();
        nearest.truncate(FRAMES_PER_IMAGE);
        nearest.into_iter().map(move |(_, j, symmetry)| {
            let symmetry = Symmetry::ALL[symmetry];
            if i < j { (i, j, symmetry) } else { (j, i, symmetry.inverse()) }
        })
    };
    let mut found: Vec<(usize, usize, Symmetry)> =
        (0..codes.len()).into_par_iter().flat_map_iter(of_code).collect();
    found.par_sort_unstable();
    found.dedup();
    let candidate = |(i, j, symmetry)| {
        let (a, b): (usize, usize) = (owners[i], owners[j]);
        let placement = Placement::of_frames(symmetry, images[a].size, images[b].size);
        Candidate { a, b, placements: vec![placement], votes: 0, by_frame: true }
    };
    found.into_iter().map(candidate).collect()
}

//! Candidate pairs: which images may be copies of each other, without comparing all pairs.
//!
//! Each image asks the index ([`super::descriptor_index`]) for features like its first ones. Where two of
//! another image have met, laid alike, all features of both are held against each other: what agrees
//! in most of its 128 bits votes for the pair and says how one would have to be moved onto the other;
//! votes that say the same make a candidate. Pictures as a whole are asked for as well, which finds
//! those with too little on them for features. Each image keeps but a few candidates, so that the
//! work grows as the number of images does, not as that of pairs.

use super::descriptor_index::DescriptorIndex;
use super::keypoints::{Feature, MAX_FEATURES};
use super::patch::{Descriptor, TILT, moved};
use super::placement::Placement;
use super::symmetry::Symmetry;
use crate::kernels::multiversion::{Multiversion, multiversion};
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
const VOTES: u32 = 4;
/// The most candidates of higher number that features may give one image: those of most votes.
const FEATURES_PER_IMAGE: usize = 32;
/// Images of higher number that are held against one image, feature by feature: those it met most often.
const JUDGED_PER_IMAGE: usize = 3 * FEATURES_PER_IMAGE;
/// Ways to lay one image on another that are looked at, at most: those in which features met most often.
const WAYS: usize = 6;
/// Votes whose placement is put to the others, at most.
const PROPOSERS: usize = 64;
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
    pub frame: Option<Descriptor>,
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
    pub votes: u32,
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
    /// The descriptor of a feature once the picture is tilted.
    fn descriptor(self, feature: &Feature) -> Descriptor {
        match self {
            Self::None => feature.descriptor,
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
    let (mut descriptors, mut owners, mut features) = (Vec::new(), Vec::new(), Vec::new());
    let mut starts = Vec::with_capacity(images.len());
    for (i, image) in images.iter().enumerate() {
        starts.push(descriptors.len());
        for feature in &image.features {
            descriptors.push(moved(feature.descriptor, Symmetry::ALL[feature.poses[0] as usize]));
            owners.push(i as u32);
            features.push(feature);
        }
    }
    let index = DescriptorIndex::new(&descriptors);
    let of_image = |a: usize| -> Vec<Candidate> {
        let mut matches: Vec<Match> = Vec::new();
        let next = starts[a] + images[a].features.len();
        let asked = images[a].features.len().min(ASKED);
        let mut ask = |of_a: &Feature, i: u32, tilt: Tilt, pose: u8| {
            let pose = Symmetry::ALL[pose as usize];
            // Each two images are compared once, from the first.
            for j in index.near(moved(tilt.descriptor(of_a), pose), FEATURE_DISTANCE, next) {
                let of_b = features[j.descriptor as usize];
                let back = Symmetry::ALL[of_b.poses[0] as usize].inverse();
                matches.push((
                    owners[j.descriptor as usize],
                    (tilt, pose.then(back)),
                    i,
                    j.descriptor,
                ));
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
            let mut ways: Vec<&[Match]> =
                pair.chunk_by(|x, y| x.1 == y.1).filter(|way| way.len() >= HITS).collect();
            ways.sort_by_key(|way| Reverse(way.len()));
            let mut proposals: Vec<(u32, Placement)> = Vec::new();
            for way in ways.into_iter().take(WAYS).map(|way| way[0].1) {
                let pairs = alike(&images[a].features, &images[b].features, way);
                for stretch in stretches(images[a].size, images[b].size, way.1) {
                    proposals.extend(agreed(&Votes::new(&pairs, way, stretch), images[a].size));
                }
            }
            proposals.sort_by_key(|proposal| Reverse(proposal.0));
            proposals.truncate(TRIES);
            let votes = proposals.first()?.0;
            let placements = proposals.into_iter().map(|(_, placement)| placement).collect();
            Some(Candidate { a, b, placements, votes, by_frame: false })
        };
        let hits = |pair: &[Match]| pair.chunk_by(|x, y| x.1 == y.1).map(<[Match]>::len).max();
        let pairs = matches.chunk_by(|x, y| x.0 == y.0).map(|pair| (hits(pair), pair));
        let mut pairs: Vec<_> = pairs.filter(|(hits, _)| *hits >= Some(HITS)).collect();
        if pairs.len() > JUDGED_PER_IMAGE {
            pairs.sort_by_key(|(hits, _)| Reverse(*hits));
            pairs.truncate(JUDGED_PER_IMAGE);
        }
        let mut found: Vec<Candidate> =
            pairs.into_iter().filter_map(|(_, pair)| judge(pair)).collect();
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
        for of_b in
            multiversion(Alike { descriptor: moved(tilt.descriptor(of_a), symmetry), features: b })
        {
            pairs.push((of_a, &b[of_b]));
        }
    }
    pairs
}

/// The features whose descriptors are like one.
struct Alike<'a> {
    descriptor: Descriptor,
    features: &'a [Feature],
}

impl Multiversion for Alike<'_> {
    type Output = Vec<usize>;

    #[inline(always)]
    fn run(self) -> Vec<usize> {
        let mut alike = Vec::new();
        for (i, feature) in self.features.iter().enumerate() {
            if (feature.descriptor ^ self.descriptor).count_ones() <= VOTE_DISTANCE {
                alike.push(i);
            }
        }
        alike
    }
}

/// Pairs of features that are taken for the same points of two pictures, laid in one way.
struct Votes<'a> {
    pairs: &'a [(&'a Feature, &'a Feature)],
    way: Way,
    /// How `b` was stretched.
    stretch: (f32, f32),
    /// Where each point lies on `a`, and on `b` before that was stretched.
    of_a: [Vec<f32>; 2],
    of_b: [Vec<f32>; 2],
    /// How much larger the point is on `a`.
    scales: Vec<f32>,
    /// A bit for the point of `a`: two descriptions of one point are one vote.
    points: Vec<u64>,
}

impl<'a> Votes<'a> {
    fn new(pairs: &'a [(&'a Feature, &'a Feature)], way: Way, stretch: (f32, f32)) -> Self {
        const { assert!(MAX_FEATURES <= u64::BITS as usize) };
        let mut known: Vec<(f32, f32)> = Vec::new();
        let mut point = |of_a: &Feature| {
            let place = (of_a.x, of_a.y);
            let at = known.iter().position(|other| *other == place).unwrap_or(known.len());
            if at == known.len() {
                known.push(place);
            }
            1_u64 << at
        };
        let points = pairs.iter().map(|(of_a, _)| point(of_a)).collect();
        let list = |value: fn(&Feature, &Feature) -> f32| {
            pairs.iter().map(|(of_a, of_b)| value(of_a, of_b)).collect::<Vec<f32>>()
        };
        let stretched = |mut places: Vec<f32>, by: f32| {
            places.iter_mut().for_each(|place| *place *= by);
            places
        };
        Self {
            pairs,
            way,
            stretch,
            of_a: [list(|a, _| a.x), list(|a, _| a.y)],
            of_b: [stretched(list(|_, b| b.x), stretch.0), stretched(list(|_, b| b.y), stretch.1)],
            scales: list(|a, b| a.scale / b.scale),
            points,
        }
    }

    /// How `b` lies on `a`, before it was stretched, if one of the pairs is the same point.
    fn placement(&self, number: usize) -> Placement {
        let (of_a, of_b) = self.pairs[number];
        let before = Feature { x: of_b.x * self.stretch.0, y: of_b.y * self.stretch.1, ..*of_b };
        Placement::of_features(of_a, &before, self.way.1, self.way.0.angle())
    }

    /// Whether one pair agrees with a placement that enlarges by `scale`.
    #[inline(always)]
    fn agrees(&self, number: usize, placement: &Placement, scale: f32, tolerance: f32) -> bool {
        let (x, y) = placement.apply(self.of_b[0][number], self.of_b[1][number]);
        let (x, y) = (x - self.of_a[0][number], y - self.of_a[1][number]);
        let other = self.scales[number];
        (x * x + y * y <= tolerance * tolerance)
            & (scale < LIKE_SCALE * other)
            & (other < LIKE_SCALE * scale)
    }
}

/// The ratio of scales up to which two votes say the same. All of one way say the same of turns and mirrors.
const LIKE_SCALE: f32 = 1.5;

/// The points that agree with a placement.
struct Agreeing<'a> {
    votes: &'a Votes<'a>,
    placement: Placement,
    scale: f32,
    tolerance: f32,
}

impl Multiversion for Agreeing<'_> {
    type Output = u32;

    #[inline(always)]
    fn run(self) -> u32 {
        let mut points = 0_u64;
        for number in 0..self.votes.points.len() {
            let agrees = self.votes.agrees(number, &self.placement, self.scale, self.tolerance);
            points |= if agrees { self.votes.points[number] } else { 0 };
        }
        points.count_ones()
    }
}

/// The placements that several votes agree on, and how many do.
fn agreed(votes: &Votes, (width, height): (f32, f32)) -> Vec<(u32, Placement)> {
    let tolerance = 0.06 * width.max(height);
    let mut proposals: Vec<(u32, usize, Placement)> = Vec::new();
    for number in 0..votes.pairs.len().min(PROPOSERS) {
        let (placement, scale) = (votes.placement(number), votes.scales[number]);
        let points = multiversion(Agreeing { votes, placement, scale, tolerance });
        if points >= VOTES {
            proposals.push((points, number, placement));
        }
    }
    proposals.sort_by_key(|proposal| Reverse(proposal.0));
    let mut kept: Vec<(u32, Placement)> = Vec::new();
    for (points, number, placement) in proposals {
        if kept.len() == TRIES {
            break;
        }
        let is_new = |placement: &Placement| !kept.iter().any(|other| other.1.is_like(placement));
        if !is_new(&placement.of_stretched(votes.stretch)) {
            continue;
        }
        let scale = votes.scales[number];
        let corresponding: Vec<_> = (0..votes.pairs.len())
            .filter(|&other| votes.agrees(other, &placement, scale, tolerance))
            .map(|i| ((votes.of_b[0][i], votes.of_b[1][i]), (votes.of_a[0][i], votes.of_a[1][i])))
            .collect();
        let fitted = Placement::fit_similarity(&corresponding, placement.is_mirrored())
            .filter(|fitted| fitted.is_like(&placement));
        let placement = fitted.unwrap_or(placement).of_stretched(votes.stretch);
        if is_new(&placement) {
            kept.push((points, placement));
        }
    }
    kept
}

fn by_frames(images: &[&Fingerprint]) -> Vec<Candidate> {
    let with_frame = images.iter().enumerate();
    let (owners, descriptors): (Vec<usize>, Vec<Descriptor>) =
        with_frame.filter_map(|(i, image)| Some((i, image.frame?))).unzip();
    let index = DescriptorIndex::new(&descriptors);
    let of_code = |i: usize| {
        let mut nearest: Vec<(u32, usize, usize)> = Vec::new();
        for (number, symmetry) in Symmetry::ALL.into_iter().enumerate() {
            for near in index.near(moved(descriptors[i], symmetry), FRAME_DISTANCE, 0) {
                if i != near.descriptor as usize {
                    nearest.push((near.distance, near.descriptor as usize, number));
                }
            }
        }
        nearest.sort_unstable();
        nearest.dedup();
        let mut images: Vec<usize> = Vec::new();
        nearest.retain(|&(_, image, _)| {
            if !images.contains(&image) && images.len() < FRAMES_PER_IMAGE {
                images.push(image);
            }
            images.contains(&image)
        });
        nearest.into_iter().map(move |(_, j, symmetry)| {
            let symmetry = Symmetry::ALL[symmetry];
            if i < j { (i, j, symmetry) } else { (j, i, symmetry.inverse()) }
        })
    };
    let mut found: Vec<(usize, usize, Symmetry)> =
        (0..descriptors.len()).into_par_iter().flat_map_iter(of_code).collect();
    found.par_sort_unstable();
    found.dedup();
    let candidate = |(i, j, symmetry)| {
        let (a, b): (usize, usize) = (owners[i], owners[j]);
        let placement = Placement::of_frames(symmetry, images[a].size, images[b].size);
        Candidate { a, b, placements: vec![placement], votes: 0, by_frame: true }
    };
    found.into_iter().map(candidate).collect()
}

//! Candidate pairs: images that may be copies of each other, found without comparing all pairs.
//!
//! The first features of each image are looked up in the index ([`super::descriptor_index`]). If at least
//! two of them match features of another image with the same symmetry, or one where a picture is tilted, all
//! features of both images are compared. A match in most of the 128 bits is a vote for the pair and gives a
//! placement of one image on the other; placements with enough votes make a candidate. Descriptors of whole
//! pictures are looked up as well, which finds pictures with too little structure for features. Each image
//! keeps only a few candidates, so that the time grows linearly with the number of images, not with that of
//! pairs.

use super::descriptor_index::DescriptorIndex;
use super::keypoints::{Feature, MAX_FEATURES};
use super::patch::{Descriptor, TILT, moved};
use super::placement::Placement;
use super::symmetry::Symmetry;
use crate::kernels::multiversion::{Multiversion, multiversion};
use rayon::prelude::*;
use std::cmp::Reverse;

/// The maximum number of differing bits of two features of the same point.
const FEATURE_DISTANCE: u32 = 18;
/// The number of features per image that are looked up in the index.
const ASKED: usize = 32;
/// The number of these that are also looked up tilted.
const TILTED: usize = 32;
/// The maximum number of differing bits of two whole pictures to be compared.
const FRAME_DISTANCE: u32 = 14;
/// The maximum number of differing bits of two features of images that share matches in the index.
const VOTE_DISTANCE: u32 = 24;
/// The number of index matches of a pair from which all its features are compared. Of tilted pictures one
/// is enough, as few features stay within [`FEATURE_DISTANCE`].
const HITS: usize = 2;
/// The number of points that must agree on a placement.
const VOTES: u32 = 4;
/// The same where the index has only one match for a tilt and symmetry.
const VOTES_OF_ONE: u32 = 6;
// Sets of the features of one image are bits of a word.
const _: () = assert!(MAX_FEATURES <= u64::BITS as usize);
/// The maximum number of candidates with a higher index that features give one image: those with
/// the most votes.
const FEATURES_PER_IMAGE: usize = 32;
/// The maximum number of images with a higher index whose features are all compared with those of
/// one image: those with the most index matches.
const JUDGED_PER_IMAGE: usize = 3 * FEATURES_PER_IMAGE;
/// The maximum number of ways (tilt and symmetry) tried per pair: those with the most index matches.
const WAYS: usize = 6;
/// The maximum number of matches whose placements are tested for votes.
const PROPOSERS: usize = 64;
/// The maximum number of candidates that whole pictures give one image: the nearest.
const FRAMES_PER_IMAGE: usize = 6;
/// The maximum number of placements tried per pair.
const TRIES: usize = 3;

/// What the search for copies needs of an image.
#[derive(Debug, Clone, Default)]
pub struct Fingerprint {
    /// Width and height of the small picture.
    pub size: (f32, f32),
    /// Its features.
    pub features: Vec<Feature>,
    /// The descriptor of the whole picture, unless it is flat.
    pub frame: Option<Descriptor>,
}

/// Two images that may be copies.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The image with the lower index.
    pub a: usize,
    /// The image with the higher index.
    pub b: usize,
    /// The possible placements of `b` on `a`, the most likely first.
    pub placements: Vec<Placement>,
    /// The number of points that agree on the first placement.
    pub votes: u32,
    /// Whether the descriptors of the whole pictures match.
    pub by_frame: bool,
}

/// The candidates among `images`, sorted by their first images; for each image, the most likely first.
pub fn candidates(images: &[&Fingerprint]) -> Vec<Candidate> {
    let mut found = by_features(images);
    found.extend(by_frames(images));
    found.sort_by_key(|candidate| (candidate.a, candidate.b));
    // The sort is stable, so candidates of features come first.
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

/// A match of two features: the index of the second image, the tilt and symmetry that turn the
/// first feature into the second, and the indices of the two features.
type Match = (u32, Way, u32, u32);

/// The tilt of a picture, and the symmetry applied after it.
type Way = (Tilt, Symmetry);

/// A small rotation of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tilt {
    None,
    Left,
    Right,
}

impl Tilt {
    /// The descriptor of a feature of the tilted picture.
    fn descriptor(self, feature: &Feature) -> Descriptor {
        match self {
            Self::None => feature.descriptor,
            Self::Left => feature.tilted[0],
            Self::Right => feature.tilted[1],
        }
    }

    /// The angle in radians, positive clockwise (x to the right, y down).
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
    let of_image = |i: usize| &features[starts[i]..][..images[i].features.len()];
    let codes = Codes::new(&features);
    let codes_of = |i: usize| codes.part(starts[i], images[i].features.len());
    let candidates_of = |a: usize| -> Vec<Candidate> {
        let mut matches: Vec<Match> = Vec::new();
        let next = starts[a] + images[a].features.len();
        let asked = images[a].features.len().min(ASKED);
        let mut ask = |of_a: &Feature, i: u32, tilt: Tilt, pose: u8| {
            let pose = Symmetry::ALL[pose as usize];
            // Each pair is compared once, from its first image.
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
        for (of_a, i) in of_image(a)[..asked].iter().zip(starts[a] as u32..) {
            of_a.poses.into_iter().for_each(|pose| ask(of_a, i, Tilt::None, pose));
        }
        for (of_a, i) in of_image(a)[..asked.min(TILTED)].iter().zip(starts[a] as u32..) {
            for tilt in [Tilt::Left, Tilt::Right] {
                // The likeliest pose of a tilted patch may be another one.
                of_a.poses.into_iter().for_each(|pose| ask(of_a, i, tilt, pose));
            }
        }
        matches.sort_unstable();
        matches.dedup();
        let judge = |pair: &[Match]| {
            let b = pair[0].0 as usize;
            let mut ways: Vec<&[Match]> = ways(pair).collect();
            ways.sort_by_key(|way| Reverse(way.len()));
            let mut proposals: Vec<(u32, Placement)> = Vec::new();
            for of_way in ways.into_iter().take(WAYS) {
                let way = of_way[0].1;
                let least = if of_way.len() < HITS { VOTES_OF_ONE } else { VOTES };
                let pairs = alike(of_image(a), (of_image(b), codes_of(b)), way);
                // A feature of `a` has one vote, however many of `b` it is like.
                if pairs.chunk_by(|x, y| std::ptr::eq(x.0, y.0)).count() < least as usize {
                    continue;
                }
                for stretch in stretches(images[a].size, images[b].size, way.1) {
                    let votes = Votes::new(&pairs, way, stretch);
                    proposals.extend(agreed(&votes, least, images[a].size));
                }
            }
            proposals.sort_by_key(|proposal| Reverse(proposal.0));
            proposals.truncate(TRIES);
            let votes = proposals.first()?.0;
            let placements = proposals.into_iter().map(|(_, placement)| placement).collect();
            Some(Candidate { a, b, placements, votes, by_frame: false })
        };
        let hits = |pair: &[Match]| ways(pair).map(<[Match]>::len).max();
        let pairs = matches.chunk_by(|x, y| x.0 == y.0);
        let mut pairs: Vec<_> = pairs.filter_map(|pair| Some((hits(pair)?, pair))).collect();
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
    (0..images.len()).into_par_iter().flat_map_iter(candidates_of).collect()
}

/// The matches of a pair by way, where there are enough of them.
fn ways(pair: &[Match]) -> impl Iterator<Item = &[Match]> {
    let enough = |way: &&[Match]| way.len() >= HITS || way[0].1.0 != Tilt::None;
    pair.chunk_by(|x, y| x.1 == y.1).filter(enough)
}

/// How `b` may have been stretched along its axes: not at all, or from the aspect ratio of `a`
/// under `symmetry`.
fn stretches(a: (f32, f32), b: (f32, f32), symmetry: Symmetry) -> impl Iterator<Item = (f32, f32)> {
    let aspect = |(width, height): (f32, f32)| width / height;
    let was = if symmetry.turns.is_multiple_of(2) { aspect(a) } else { aspect(a).recip() };
    let by = (was / aspect(b)).sqrt();
    let stretched = !(0.97..1.03).contains(&by);
    [Some((1.0, 1.0)), stretched.then_some((by, by.recip()))].into_iter().flatten()
}

/// All pairs of similar features of `a`, transformed by the given way, and of `b`, whose descriptors are in
/// `codes`.
fn alike<'a>(
    a: &[&'a Feature],
    (b, codes): (&[&'a Feature], [&[u64]; 2]),
    (tilt, symmetry): Way,
) -> Vec<(&'a Feature, &'a Feature)> {
    let of_a: Vec<Descriptor> =
        a.iter().map(|of_a| moved(tilt.descriptor(of_a), symmetry)).collect();
    let alike = multiversion(Alike { of_a: &of_a, of_b: codes });
    alike.into_iter().map(|(i, j)| (a[i], b[j])).collect()
}

/// The lower and the upper halves of the descriptors, side by side for wide instructions.
struct Codes([Vec<u64>; 2]);

impl Codes {
    fn new(features: &[&Feature]) -> Self {
        let half = |shift: u32| features.iter().map(|of| (of.descriptor >> shift) as u64).collect();
        Self([half(0), half(64)])
    }

    /// Those of `len` features from `start` on.
    fn part(&self, start: usize, len: usize) -> [&[u64]; 2] {
        self.0.each_ref().map(|half| &half[start..][..len])
    }
}

/// Finds the pairs of similar descriptors of two images, by their indices.
struct Alike<'a> {
    of_a: &'a [Descriptor],
    of_b: [&'a [u64]; 2],
}

impl Multiversion for Alike<'_> {
    type Output = Vec<(usize, usize)>;

    #[inline(always)]
    fn run(self) -> Vec<(usize, usize)> {
        let [low, high] = self.of_b;
        let mut alike = Vec::new();
        for (i, &descriptor) in self.of_a.iter().enumerate() {
            let halves = [descriptor as u64, (descriptor >> 64) as u64];
            let mut near = 0_u64;
            for (j, (low, high)) in low.iter().zip(high).enumerate() {
                let distance = (low ^ halves[0]).count_ones() + (high ^ halves[1]).count_ones();
                near |= u64::from(distance <= VOTE_DISTANCE) << j;
            }
            while near != 0 {
                alike.push((i, near.trailing_zeros() as usize));
                near &= near - 1;
            }
        }
        alike
    }
}

/// Pairs of features that may be the same points of two pictures, for one way.
struct Votes<'a> {
    pairs: &'a [(&'a Feature, &'a Feature)],
    way: Way,
    /// How `b` was stretched.
    stretch: (f32, f32),
    /// The position of each point on `a`, and on `b` before that was stretched.
    of_a: [Vec<f32>; 2],
    of_b: [Vec<f32>; 2],
    /// The scale of each point on `a` relative to that on `b`.
    scales: Vec<f32>,
    /// A bit for each point of `a`: several matches of one point count as one vote.
    points: Vec<u64>,
}

impl<'a> Votes<'a> {
    fn new(pairs: &'a [(&'a Feature, &'a Feature)], way: Way, stretch: (f32, f32)) -> Self {
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

    /// The placement of `b`, before it was stretched, on `a` that one pair of features gives.
    fn placement(&self, number: usize) -> Placement {
        let (of_a, of_b) = self.pairs[number];
        let before = Feature { x: of_b.x * self.stretch.0, y: of_b.y * self.stretch.1, ..*of_b };
        Placement::of_features(of_a, &before, self.way.1, self.way.0.angle())
    }

    /// Whether a pair of features agrees with a placement with this scale.
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

/// The largest ratio of scales at which two votes agree. Rotation and reflection are the same
/// within one way.
const LIKE_SCALE: f32 = 1.5;

/// Counts the points that agree with a placement.
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

/// The placements with at least `least` votes, and their numbers of votes.
fn agreed(votes: &Votes, least: u32, (width, height): (f32, f32)) -> Vec<(u32, Placement)> {
    let tolerance = 0.06 * width.max(height);
    let mut proposals: Vec<(u32, usize, Placement)> = Vec::new();
    for number in 0..votes.pairs.len().min(PROPOSERS) {
        let (placement, scale) = (votes.placement(number), votes.scales[number]);
        let points = multiversion(Agreeing { votes, placement, scale, tolerance });
        if points >= least {
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

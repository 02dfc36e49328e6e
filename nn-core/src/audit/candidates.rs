//! Which pairs of images may be copies, without comparing all pairs.
//!
//! Features are hashed: each table looks at a few bits of a code, drawn by a fixed seed, and only
//! features that agree in all of them meet. The number of bits grows with the number of features, so
//! that a bucket holds about one of them, and the work grows as the number of images does, not as
//! that of pairs. Buckets of very many features (a logo, a frame, a sky) tell nothing and are passed
//! over. What meets and agrees in most of its 128 bits votes for a pair of images and says how one
//! would have to be moved onto the other; votes that say the same make a candidate.
//!
//! P. Indyk and R. Motwani, "Approximate nearest neighbors", 1998 (hashing by sampled bits).

use super::keypoints::{Code, Feature, Symmetry, permuted};
use super::placement::Placement;
use crate::rng::Rng;
use rayon::prelude::*;

/// Hash tables: each is another chance for two features to meet.
const TABLES: usize = 10;
/// Features of a bucket beyond which it tells nothing.
const CROWD: usize = 160;
/// Bits in which two features may differ and still be the same point.
const FEATURE_DISTANCE: u32 = 18;
/// Bits in which two whole pictures may differ and still be compared.
const FRAME_DISTANCE: u32 = 14;
/// Points that must say the same of a pair.
const VOTES: usize = 3;
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
}

/// The candidates among `images`, in order.
pub fn candidates(images: &[Fingerprint]) -> Vec<Candidate> {
    let mut found = by_features(images);
    found.extend(by_frames(images));
    found.sort_by_key(|candidate| (candidate.a, candidate.b));
    // Those of features come first, for the sort is stable.
    found.dedup_by(|next, kept| {
        let same = (next.a, next.b) == (kept.a, kept.b);
        if same {
            kept.placements.append(&mut next.placements);
        }
        same
    });
    found
}

/// Two entries that met, and by which of the permutations of the first.
type Match = (u32, u32, u8);

/// A code and the image it belongs to.
type Entry = (u32, Code);

/// Entries of different images whose codes are nearly the same after a permutation of the first.
/// Each two images are found once, the lower number first, if permutations are their own inverses or
/// come with them.
fn near(entries: &[Entry], permutations: &[[u8; 128]], distance: u32) -> Vec<Match> {
    let variants: Vec<Vec<Code>> = permutations
        .iter()
        .map(|to| entries.par_iter().map(|&(_, code)| permuted(code, to)).collect())
        .collect();
    let bits = (usize::BITS - entries.len().leading_zeros()).clamp(10, 26) as usize;
    let mut found = Vec::new();
    for table in 0..TABLES {
        let chosen = chosen_bits(table as u64, bits);
        let mut keyed: Vec<(u32, u8, u32)> = Vec::with_capacity(entries.len() * variants.len());
        for (variant, codes) in variants.iter().enumerate() {
            let keys = codes.par_iter().enumerate();
            keyed.par_extend(keys.map(|(i, &code)| (key(code, &chosen), variant as u8, i as u32)));
        }
        keyed.par_sort_unstable();
        let buckets: Vec<&[(u32, u8, u32)]> = keyed.chunk_by(|a, b| a.0 == b.0).collect();
        found.par_extend(buckets.par_iter().flat_map_iter(|bucket| {
            // Entry 0 of the permutations is the identity: the entries as they are.
            let plain = bucket.partition_point(|entry| entry.1 == 0);
            let (plain, all) =
                if plain > CROWD { (&[][..], &[][..]) } else { (&bucket[..plain], *bucket) };
            let variants = &variants;
            all.iter().take(CROWD * permutations.len()).flat_map(move |&(_, variant, i)| {
                let code = variants[variant as usize][i as usize];
                plain.iter().filter_map(move |&(_, _, j)| {
                    let (first, second) = (entries[i as usize].0, entries[j as usize].0);
                    let near = || (code ^ entries[j as usize].1).count_ones() <= distance;
                    (first < second && near()).then_some((i, j, variant))
                })
            })
        }));
        // What several tables found takes memory only once.
        found.par_sort_unstable();
        found.dedup();
    }
    found
}

/// The bits of a code that a table looks at.
fn chosen_bits(table: u64, bits: usize) -> Vec<u8> {
    let mut all: Vec<u8> = (0..128).collect();
    Rng::new(table, 0).shuffle(&mut all);
    all.truncate(bits);
    all
}

fn key(code: Code, bits: &[u8]) -> u32 {
    bits.iter().fold(0, |key, &bit| key << 1 | (code >> bit) as u32 & 1)
}

fn by_features(images: &[Fingerprint]) -> Vec<Candidate> {
    let mut entries = Vec::new();
    let mut features = Vec::new();
    for (i, image) in images.iter().enumerate() {
        entries.extend(image.features.iter().map(|feature| (i as u32, feature.code)));
        features.extend(&image.features);
    }
    // A feature's dominant direction stays its first axis, so a mirror image reverses the other.
    let mirror = Symmetry { mirrored: true, turns: 2 };
    let symmetries = [Symmetry::ALL[0], mirror];
    let mut matches = near(&entries, &symmetries.map(Symmetry::permutation), FEATURE_DISTANCE);
    let images_of = |m: &Match| (entries[m.0 as usize].0, entries[m.1 as usize].0);
    matches.par_sort_unstable_by_key(|m| (images_of(m), m.2, m.0, m.1));
    let pairs: Vec<&[Match]> = matches.chunk_by(|x, y| images_of(x) == images_of(y)).collect();
    let judge = |pair: &&[Match]| {
        let (a, b) = images_of(&pair[0]);
        let mut proposals: Vec<(usize, Placement)> = Vec::new();
        for side in pair.chunk_by(|x, y| x.2 == y.2) {
            let votes: Vec<Vote> = side
                .iter()
                .map(|&(i, j, mirrored)| {
                    let (of_a, of_b) = (features[i as usize], features[j as usize]);
                    let placement = Placement::of_features(of_a, of_b, mirrored == 1);
                    Vote { of_a, of_b, placement }
                })
                .collect();
            proposals.extend(agreed(&votes, images[a as usize].size));
        }
        proposals.sort_by_key(|proposal| std::cmp::Reverse(proposal.0));
        proposals.truncate(TRIES);
        let placements: Vec<_> = proposals.into_iter().map(|(_, placement)| placement).collect();
        (!placements.is_empty()).then_some(Candidate { a: a as usize, b: b as usize, placements })
    };
    pairs.par_iter().filter_map(judge).collect()
}

/// Two features taken for the same point.
struct Vote<'a> {
    of_a: &'a Feature,
    of_b: &'a Feature,
    placement: Placement,
}

/// The placements that several votes agree on, and how many do.
fn agreed(votes: &[Vote<'_>], (width, height): (f32, f32)) -> Vec<(usize, Placement)> {
    let tolerance = 0.06 * width.max(height);
    let mut proposals: Vec<(usize, Placement)> = Vec::new();
    for vote in votes.iter().take(64) {
        let agree: Vec<&Vote> = votes
            .iter()
            .filter(|other| {
                let (x, y) = vote.placement.apply(other.of_b.x, other.of_b.y);
                (x - other.of_a.x).hypot(y - other.of_a.y) <= tolerance
                    && vote.placement.is_like(&other.placement)
            })
            .collect();
        // Two descriptions of one point are one vote.
        let mut points: Vec<_> = agree.iter().map(|v| (v.of_a.x, v.of_a.y)).collect();
        points.sort_by(|p, q| p.partial_cmp(q).unwrap_or(std::cmp::Ordering::Equal));
        points.dedup();
        if points.len() < VOTES {
            continue;
        }
        let corresponding: Vec<_> =
            agree.iter().map(|v| ((v.of_b.x, v.of_b.y), (v.of_a.x, v.of_a.y))).collect();
        let fitted = Placement::fit_similarity(&corresponding, vote.placement.is_mirrored())
            .filter(|fitted| fitted.is_like(&vote.placement));
        proposals.push((points.len(), fitted.unwrap_or(vote.placement)));
    }
    proposals.sort_by_key(|proposal| std::cmp::Reverse(proposal.0));
    let mut kept: Vec<(usize, Placement)> = Vec::new();
    for proposal in proposals {
        if kept.len() < TRIES && !kept.iter().any(|other| other.1.is_like(&proposal.1)) {
            kept.push(proposal);
        }
    }
    kept
}

fn by_frames(images: &[Fingerprint]) -> Vec<Candidate> {
    let with_frame = images.iter().enumerate();
    let entries: Vec<Entry> =
        with_frame.filter_map(|(i, image)| Some((i as u32, image.frame?))).collect();
    let permutations = Symmetry::ALL.map(Symmetry::permutation);
    let mut matches: Vec<(u32, usize, usize, u8)> = near(&entries, &permutations, FRAME_DISTANCE)
        .into_iter()
        .map(|(i, j, symmetry)| {
            let ((a, code), (b, other)) = (entries[i as usize], entries[j as usize]);
            let variant = permuted(code, &permutations[symmetry as usize]);
            ((variant ^ other).count_ones(), a as usize, b as usize, symmetry)
        })
        .collect();
    matches.sort_unstable();
    let mut taken = vec![0; images.len()];
    let mut found = Vec::new();
    for (_, a, b, symmetry) in matches {
        if taken[a] >= FRAMES_PER_IMAGE && taken[b] >= FRAMES_PER_IMAGE {
            continue;
        }
        taken[a] += 1;
        taken[b] += 1;
        let symmetry = Symmetry::ALL[symmetry as usize];
        let placement = Placement::of_frames(symmetry, images[a].size, images[b].size);
        found.push(Candidate { a, b, placements: vec![placement] });
    }
    found
}

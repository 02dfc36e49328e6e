//! Search for duplicates: the same bytes, the same pixels, or changed copies of a picture.
//!
//! Equal images are grouped, and one image represents its group in the comparisons that follow. Of
//! these, candidates are compared. Pairs that look alike only because of a template that many
//! pictures of the folder share are no copies ([`super::template`]).

use super::candidates::{Candidate, Fingerprint, candidates};
use super::compare::Comparable;
use super::comparison::{Comparison, Verdict};
use super::listing::Item;
use super::pairs::{Kind, Pair};
use super::survey::{FileHash, ImageFeatures, comparable};
use super::tally::{Counts, Equals, listed};
use super::template::{Alike, only_by_template};
use crate::data::DisjointSets;
use crate::data::{PixelsHash, pixels_hash};
use crate::error::Result;
use rayon::prelude::*;
use std::collections::HashMap;

/// The agreement from which no other placement is tried.
const CLEAR: f32 = 0.9;
/// The number of copies found after which an image's search ends; the others are connected through these.
const ENOUGH: usize = 24;
/// The number of pictures of the same scene after which an image's less likely candidates are skipped.
const ENOUGH_SCENES: usize = 12;
/// The number of different pictures in a row after which an image's less likely candidates are skipped.
const ENOUGH_MISSES: usize = 16;
/// The number of images whose candidates are compared between two progress reports.
const BATCH: usize = 128;

/// The result of the search.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// Pairs of copies, the worst first; of a large group, only some.
    pub pairs: Vec<Pair>,
    /// Pairs of the same scene or template that are no copies, likewise.
    pub scenes: Vec<Pair>,
    /// For each item, the lowest index among its copies: its own if there is none.
    pub groups: Vec<usize>,
    /// The counts of all pairs of copies, including those that are not listed.
    pub counts: Counts,
    /// For each item, the lowest index among the items of its scene, directly or transitively.
    pub scene_groups: Vec<usize>,
}

/// Two compared images, by their indices among the distinct images, and the result.
struct Compared {
    a: usize,
    b: usize,
    comparison: Comparison,
}

/// Searches the images; unreadable files are only compared by their bytes. `progress(done, total)`
/// reports the number of comparisons, and may stop the search by returning an error.
///
/// # Errors
/// Those of `progress`.
pub fn find(
    items: &[Item],
    features: &[Option<ImageFeatures>],
    file_hashes: &[Option<FileHash>],
    classes: &[String],
    mut progress: impl FnMut(usize, usize) -> Result<()>,
) -> Result<Duplicates> {
    let Grouped { equals, unreadable } = grouped_by_pixels(items, features, file_hashes);
    let features_of = |i: usize| features[equals[i].first()].as_ref();
    let prints: Vec<&Fingerprint> = (0..equals.len())
        .filter_map(|i| features_of(i).map(|features| &features.fingerprint))
        .collect();
    let all = candidates(&prints);
    let picture = |i: usize| comparable(features_of(i)?, &items[equals[i].first()].path);
    let mut compared: Vec<Compared> = Vec::new();
    // Grouped by the first image, so that the limits per image do not depend on the batches.
    let runs: Vec<&[Candidate]> = all.chunk_by(|x, y| x.a == y.a).collect();
    let mut done = 0;
    for batch in runs.chunks(BATCH) {
        let confirmed: Vec<Vec<Compared>> = batch
            .par_iter()
            .with_max_len(1)
            .map(|run| {
                let Some(a) = picture(run[0].a) else { return Vec::new() };
                let (mut found, mut scenes, mut misses) = (Vec::new(), 0, 0);
                for candidate in run.iter() {
                    // The remaining candidates are even less likely.
                    if misses == ENOUGH_MISSES {
                        break;
                    }
                    misses += 1;
                    let Some(b) = picture(candidate.b) else { continue };
                    let Some(comparison) = best(&a, &b, candidate) else { continue };
                    misses = 0;
                    scenes += usize::from(comparison.verdict == Verdict::Scene);
                    found.push(Compared { a: candidate.a, b: candidate.b, comparison });
                    // The others on one template are less likely to be copies.
                    if scenes == ENOUGH_SCENES || found.len() == ENOUGH {
                        break;
                    }
                }
                found
            })
            .collect();
        compared.extend(confirmed.into_iter().flatten());
        done += batch.iter().map(|run| run.len()).sum::<usize>();
        progress(done, all.len())?;
    }

    let alike: Vec<Alike> = compared
        .iter()
        .map(|found| Alike {
            a: found.a,
            b: found.b,
            placement: found.comparison.placement,
            is_copy: found.comparison.verdict == Verdict::Copy,
        })
        .collect();
    let sizes: Vec<(f32, f32)> = prints.iter().map(|print| print.size).collect();
    let on_template = only_by_template(&sizes, &alike, picture);
    let (mut copies, mut scenes) = (Vec::new(), Vec::new());
    for ((found, alike), on_template) in compared.into_iter().zip(&alike).zip(on_template) {
        if alike.is_copy && !on_template { copies.push(found) } else { scenes.push(found) }
    }

    let mut groups = DisjointSets::new(items.len());
    for equal in equals.iter().chain(&unreadable) {
        equal.all().for_each(|i| groups.join(equal.first(), i));
    }
    for copy in &copies {
        groups.join(equals[copy.a].first(), equals[copy.b].first());
    }
    let groups: Vec<usize> = (0..items.len()).map(|i| groups.root(i)).collect();
    // Two pictures that are copies transitively are not reported as a scene.
    scenes.retain(|scene| groups[equals[scene.a].first()] != groups[equals[scene.b].first()]);

    let mut found = Duplicates { groups, ..Duplicates::default() };
    let describe = |[a, b]: [usize; 2], kind, comparison: Option<&Comparison>| {
        Pair::new([a, b], kind, comparison, items, features, classes)
    };
    for equal in equals.iter().chain(&unreadable) {
        found.counts.add_within(equal, items);
        found.pairs.extend(equal.pairs(items).map(|(pair, kind)| describe(pair, kind, None)));
    }
    for Compared { a, b, comparison } in &copies {
        found.counts.add_between(&equals[*a], &equals[*b], items);
        let pairs = equals[*a].pairs_with(&equals[*b], items);
        found.pairs.extend(pairs.map(|pair| describe(pair, Kind::Near, Some(comparison))));
    }
    for Compared { a, b, comparison } in &scenes {
        let pair = [equals[*a].first(), equals[*b].first()];
        found.scenes.push(describe(pair, Kind::Scene, Some(comparison)));
    }
    found.pairs = listed(found.pairs, &found.groups);
    found.scene_groups = scene_groups(&found.groups, &found.scenes);
    found.scenes = listed(found.scenes, &found.scene_groups);
    Ok(found)
}

/// For each item, the lowest index among the items of its scene. `groups` has the lowest index
/// among the copies of each item, which share its scene.
fn scene_groups(groups: &[usize], scenes: &[Pair]) -> Vec<usize> {
    let mut sets = DisjointSets::new(groups.len());
    let mut in_scenes = vec![false; groups.len()];
    for scene in scenes {
        let [a, b] = scene.items.map(|i| groups[i]);
        sets.join(a, b);
        (in_scenes[a], in_scenes[b]) = (true, true);
    }
    for (i, &group) in groups.iter().enumerate().filter(|(_, group)| in_scenes[**group]) {
        sets.join(group, i);
    }
    (0..groups.len()).map(|i| sets.root(i)).collect()
}

/// The images, grouped by equal pixels.
struct Grouped {
    /// Groups of readable images.
    equals: Vec<Equals>,
    /// Groups of unreadable files with equal bytes.
    unreadable: Vec<Equals>,
}

fn grouped_by_pixels(
    items: &[Item],
    features: &[Option<ImageFeatures>],
    file_hashes: &[Option<FileHash>],
) -> Grouped {
    let all: Vec<usize> = (0..items.len()).collect();
    let features_of = |i: usize| features[i].as_ref();
    let by_bytes = grouped(&all, |i| file_hashes[i].ok_or(i));
    let (by_bytes, unreadable): (Vec<_>, Vec<_>) =
        by_bytes.into_iter().partition(|group| features_of(group[0]).is_some());
    let unreadable = unreadable.into_iter().map(|files| Equals { files: vec![files] }).collect();
    let firsts: Vec<usize> = by_bytes.iter().map(|group| group[0]).collect();
    let by_picture = grouped(&firsts, |i| features_of(i).map(|features| features.picture_hash));
    // If small pictures are equal, all pixels are compared. A file that has become unreadable
    // equals no other.
    let in_doubt: Vec<usize> =
        by_picture.iter().filter(|group| group.len() > 1).flatten().copied().collect();
    let pixels: HashMap<usize, PixelsHash> = in_doubt
        .par_iter()
        .with_max_len(1)
        .filter_map(|&i| Some((i, pixels_hash(&items[i].path).ok()?)))
        .collect();
    let by_pixels =
        by_picture.into_iter().flat_map(|group| grouped(&group, |i| pixels.get(&i).ok_or(i)));
    let mut of_first: HashMap<usize, Vec<usize>> =
        by_bytes.into_iter().map(|group| (group[0], group)).collect();
    let mut equals: Vec<Equals> = by_pixels
        .map(|group| Equals {
            files: group.into_iter().filter_map(|first| of_first.remove(&first)).collect(),
        })
        .collect();
    equals.sort_unstable_by_key(Equals::first);
    Grouped { equals, unreadable }
}

/// Groups the items by key, in the order of their first members.
fn grouped<K: std::hash::Hash + Eq>(items: &[usize], key: impl Fn(usize) -> K) -> Vec<Vec<usize>> {
    let mut place: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for &i in items {
        let at = *place.entry(key(i)).or_insert(groups.len());
        if at == groups.len() {
            groups.push(Vec::new());
        }
        groups[at].push(i);
    }
    groups
}

/// The comparison of a candidate, if the two are copies or of one scene.
fn best(a: &Comparable, b: &Comparable, candidate: &Candidate) -> Option<Comparison> {
    let mut best: Option<Comparison> = None;
    let rank = |found: &Comparison| (found.verdict, found.agreement);
    for placement in &candidate.placements {
        let found = a.compare(b, placement).filter(|found| found.verdict > Verdict::Different);
        if let Some(found) = found {
            if best.is_none_or(|best| rank(&found) > rank(&best)) {
                best = Some(found);
            }
            if found.verdict == Verdict::Copy && found.agreement >= CLEAR {
                break;
            }
        }
    }
    best
}

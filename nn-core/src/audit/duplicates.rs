//! The search for images that are there twice: the same bytes, the same pixels, or the same picture
//! changed.
//!
//! What is equal is grouped, and one image stands for its group in what follows. Of the others,
//! candidates are compared; what looks alike only by a template that much of the folder shares is no
//! copy ([`super::template`]).

use super::candidates::{Candidate, Fingerprint, candidates};
use super::compare::{Comparable, Comparison, Verdict};
use super::listing::Item;
use super::pairs::{Kind, Pair};
use super::sets::Sets;
use super::survey::{FileHash, ImageFeatures, comparable};
use super::tally::{Counts, Equals, listed};
use super::template::{Alike, only_by_template};
use crate::data::{PixelsHash, pixels_hash};
use crate::error::Result;
use rayon::prelude::*;
use std::collections::HashMap;

/// The agreement from which no other placement is tried.
const CLEAR: f32 = 0.9;
/// Images that look like one after which no more are looked for; there is a way through others.
const ENOUGH: usize = 24;
/// Images of one scene after which an image's less likely candidates are not looked at.
const ENOUGH_SCENES: usize = 12;
/// Images in a row that are different after which an image's less likely candidates are not looked at.
const ENOUGH_MISSES: usize = 16;
/// Images whose candidates are compared between two reports of progress.
const BATCH: usize = 128;

/// What the search found.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// Pairs of copies, the worst first; of a large group, some.
    pub pairs: Vec<Pair>,
    /// Pairs that share a scene or template and are no copies, likewise.
    pub scenes: Vec<Pair>,
    /// For each item, the lowest number among its copies: itself if there is none.
    pub groups: Vec<usize>,
    /// All pairs of copies, whether listed or not.
    pub counts: Counts,
    /// For each item, the lowest number of those that share its scene, directly or through others.
    pub scene_groups: Vec<usize>,
}

/// Two images that were compared, by their places among the distinct ones, and how they compare.
struct Compared {
    a: usize,
    b: usize,
    comparison: Comparison,
}

/// Searches the images; of those that cannot be read, the same bytes are found. `progress(done, total)` counts comparisons, and may stop it by
/// an error.
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
    // All of one image together, so that when it has enough does not turn on where a batch ends.
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
                    // Those that follow are less likely still.
                    if misses == ENOUGH_MISSES {
                        break;
                    }
                    misses += 1;
                    let Some(b) = picture(candidate.b) else { continue };
                    let Some(comparison) = best(&a, &b, candidate) else { continue };
                    misses = 0;
                    scenes += usize::from(comparison.verdict == Verdict::Scene);
                    found.push(Compared { a: candidate.a, b: candidate.b, comparison });
                    // The others of one template are less likely to be copies.
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

    let mut groups = Sets::new(items.len());
    for equal in equals.iter().chain(&unreadable) {
        equal.all().for_each(|i| groups.join(equal.first(), i));
    }
    for copy in &copies {
        groups.join(equals[copy.a].first(), equals[copy.b].first());
    }
    let groups: Vec<usize> = (0..items.len()).map(|i| groups.root(i)).collect();
    // Two that are copies by way of others share no scene beside that.
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

/// For each item, the lowest number of those that share its scene. `groups` has those of its copies, which
/// share it as well.
fn scene_groups(groups: &[usize], scenes: &[Pair]) -> Vec<usize> {
    let mut sets = Sets::new(groups.len());
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

/// The images in groups of the same pixels.
struct Grouped {
    /// Those that could be read.
    equals: Vec<Equals>,
    /// Those that could not, in groups of the same bytes.
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
    // Where small pictures are equal, all pixels decide. A file that has become unreadable is equal to none.
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

/// Those of equal key together, in order of their first members.
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

/// The comparison of a candidate, if the two have a picture or a scene in common.
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

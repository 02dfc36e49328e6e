//! Images that are there twice: the same bytes, the same pixels, or the same picture changed.

use super::candidates::{Candidate, Fingerprint, candidates};
use super::compare::{Comparable, Comparison};
use super::listing::{Item, Part};
use super::survey::{FileHash, Seen, comparable};
use crate::data::same_pixels;
use crate::error::Result;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashMap;

/// In what two images are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The files are the same, byte for byte.
    Bytes,
    /// The files differ, the pixels do not.
    Pixels,
    /// The same picture: encoded anew, resized, mirrored, turned, cropped, brighter, written over.
    Near,
}

/// Two images that are the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The first image's file, below the folder.
    pub a: String,
    /// The second's.
    pub b: String,
    /// In what they are the same.
    pub kind: Kind,
    /// 0 for the same pixels; else 1 less the agreement of the aligned pixels.
    pub distance: f64,
    /// Whether they are in different splits.
    pub across_splits: bool,
    /// Whether they are in different classes; an image without a class is not.
    pub across_labels: bool,
    /// What changes `a` into `b`, in words; empty if nothing does.
    pub change: String,
    /// The splits of the two.
    pub splits: [Option<Part>; 2],
    /// The classes of the two; none of an image in no class folder.
    pub labels: [Option<String>; 2],
    /// Their numbers in the listing.
    #[serde(skip)]
    pub items: [usize; 2],
}

/// Members of a group of equal images of which all pairs are told; in larger groups, those with the
/// first member.
const ALL_PAIRS_UP_TO: usize = 24;
/// The agreement from which no other placement is tried.
const CLEAR: f32 = 0.9;
/// Candidates compared between two reports of progress.
const CHUNK: usize = 1024;

/// A found pair before names are put to it.
type Found = (usize, usize, Kind, Option<Comparison>);

/// All pairs among the images, the worst first: across splits, across classes, then by kind. Of images
/// that cannot be read, those of the same bytes are. `progress(done, total)` counts comparisons, and may stop them by an error.
///
/// # Errors
/// Those of `progress`.
pub fn find(
    items: &[Item],
    seen: &[Option<Seen>],
    file_hashes: &[Option<FileHash>],
    classes: &[String],
    mut progress: impl FnMut(usize, usize) -> Result<()>,
) -> Result<Vec<Pair>> {
    let all: Vec<usize> = (0..items.len()).collect();
    let look = |i: usize| seen[i].as_ref();
    let by_bytes = groups(&all, |i| file_hashes[i].ok_or(i));
    let mut found: Vec<Found> = Vec::new();
    for group in &by_bytes {
        found.extend(within(group).map(|(a, b)| (a, b, Kind::Bytes, None)));
    }
    // From here on one file stands for all of the same bytes, and `standing` knows them.
    let firsts = by_bytes.iter().map(|group| group[0]);
    let firsts: Vec<usize> = firsts.filter(|&i| look(i).is_some()).collect();
    let mut standing: HashMap<usize, Vec<usize>> =
        by_bytes.into_iter().map(|group| (group[0], group)).collect();
    let mut distinct = Vec::new();
    for group in groups(&firsts, |i| look(i).map(|seen| seen.picture_hash)) {
        let mut kept: Vec<usize> = Vec::new();
        for i in group {
            // Equal small pictures are compared in full.
            match kept.iter().find(|&&k| same_pixels(&items[k].path, &items[i].path)) {
                Some(&k) => {
                    let (of_k, of_i) = (standing[&k].clone(), standing[&i].clone());
                    found.extend(between(&of_k, &of_i).map(|(a, b)| (a, b, Kind::Pixels, None)));
                    standing.entry(k).or_default().extend(of_i);
                }
                None => kept.push(i),
            }
        }
        distinct.extend(kept);
    }
    distinct.sort_unstable();

    let prints: Vec<&Fingerprint> =
        distinct.iter().filter_map(|&i| look(i).map(|seen| &seen.fingerprint)).collect();
    let all = candidates(&prints);
    let picture = |i: usize| comparable(look(distinct[i])?, &items[distinct[i]].path);
    let mut done = 0;
    for chunk in all.chunks(CHUNK) {
        let runs: Vec<&[Candidate]> = chunk.chunk_by(|x, y| x.a == y.a).collect();
        let confirmed: Vec<Vec<Found>> = runs
            .par_iter()
            .with_max_len(1)
            .map(|run| {
                let Some(a) = picture(run[0].a) else { return Vec::new() };
                let confirm = |candidate: &Candidate| {
                    let comparison = best(&a, &picture(candidate.b)?, candidate)?;
                    Some((
                        distinct[candidate.a],
                        distinct[candidate.b],
                        Kind::Near,
                        Some(comparison),
                    ))
                };
                run.iter().filter_map(confirm).collect()
            })
            .collect();
        for (a, b, kind, comparison) in confirmed.into_iter().flatten() {
            let pairs = between(&standing[&a], &standing[&b]);
            found.extend(pairs.map(|(a, b)| (a, b, kind, comparison)));
        }
        done += chunk.len();
        progress(done, all.len())?;
    }
    let mut pairs: Vec<Pair> =
        found.into_iter().map(|found| describe(found, items, seen, classes)).collect();
    pairs.sort_by(|x, y| {
        let rank = |p: &Pair| (!p.across_splits, !p.across_labels, p.kind);
        let by_distance = x.distance.total_cmp(&y.distance);
        rank(x).cmp(&rank(y)).then(by_distance).then(x.items.cmp(&y.items))
    });
    Ok(pairs)
}

/// The comparison of a candidate, if it is a copy.
fn best(a: &Comparable, b: &Comparable, candidate: &Candidate) -> Option<Comparison> {
    let mut best: Option<Comparison> = None;
    for placement in &candidate.placements {
        let found = a.compare(b, placement).filter(Comparison::is_copy);
        if let Some(found) = found {
            if best.is_none_or(|best| found.agreement > best.agreement) {
                best = Some(found);
            }
            if found.agreement >= CLEAR {
                break;
            }
        }
    }
    best
}

/// Those of equal key together, in order of their first members.
fn groups<K: std::hash::Hash + Eq>(items: &[usize], key: impl Fn(usize) -> K) -> Vec<Vec<usize>> {
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

fn within(group: &[usize]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let firsts = if group.len() > ALL_PAIRS_UP_TO { 1 } else { group.len() };
    (0..firsts).flat_map(move |i| group[i + 1..].iter().map(move |&b| (group[i], b)))
}

fn between<'a>(one: &'a [usize], other: &'a [usize]) -> impl Iterator<Item = (usize, usize)> + 'a {
    let all = one.len() * other.len() <= ALL_PAIRS_UP_TO * ALL_PAIRS_UP_TO;
    let firsts = if all { one.len() } else { 1 };
    one[..firsts].iter().flat_map(move |&a| other.iter().map(move |&b| (a.min(b), a.max(b))))
}

fn describe(found: Found, items: &[Item], seen: &[Option<Seen>], classes: &[String]) -> Pair {
    let (a, b, kind, comparison) = found;
    let (of_a, of_b) = (&items[a], &items[b]);
    let change = match (&comparison, &seen[a], &seen[b]) {
        (Some(comparison), Some(seen_a), Some(seen_b)) => change(comparison, seen_a, seen_b),
        _ => String::new(),
    };
    Pair {
        a: of_a.file.clone(),
        b: of_b.file.clone(),
        kind,
        distance: comparison.map_or(0.0, |c| f64::from((1.0 - c.agreement).clamp(0.0, 1.0))),
        across_splits: matches!((of_a.part, of_b.part), (Some(x), Some(y)) if x != y),
        across_labels: matches!((of_a.label, of_b.label), (Some(x), Some(y)) if x != y),
        change,
        splits: [of_a.part, of_b.part],
        labels: [of_a, of_b].map(|item| Some(classes[item.label?].clone())),
        items: [a, b],
    }
}

/// What changed, in words.
fn change(comparison: &Comparison, a: &Seen, b: &Seen) -> String {
    let mut words = Vec::new();
    let placement = &comparison.placement;
    // The placement leads from b to a; a turn of b clockwise is undone by it.
    let turns = (placement.angle() / std::f32::consts::FRAC_PI_2).round() as i32;
    match (placement.is_mirrored(), turns.rem_euclid(4)) {
        (false, 0) => {}
        (false, 1) => words.push("turned left".to_string()),
        (false, 2) => words.push("upside down".to_string()),
        (false, _) => words.push("turned right".to_string()),
        (true, 0) => words.push("mirrored top to bottom".to_string()),
        (true, 2) => words.push("mirrored left to right".to_string()),
        (true, _) => words.push("mirrored and turned".to_string()),
    }
    for (share, what) in [(comparison.share_of_a, "cropped"), (comparison.share_of_b, "extended")] {
        if share < 0.96 {
            words.push(format!("{what} ({:.0} % in common)", share * 100.0));
        }
    }
    let sides = |seen: &Seen| {
        let (width, height) = (seen.facts.width, seen.facts.height);
        (width.min(height), width.max(height))
    };
    let whole = comparison.share_of_a >= 0.96 && comparison.share_of_b >= 0.96;
    if whole && sides(a) != sides(b) {
        words.push("resized".into());
    }
    if comparison.brightness.abs() > 6.0 {
        words.push(if comparison.brightness > 0.0 { "brighter" } else { "darker" }.into());
    }
    if !(0.9..1.1).contains(&comparison.contrast) {
        words
            .push(if comparison.contrast > 1.0 { "more contrast" } else { "less contrast" }.into());
    }
    if a.treatment.transparent != b.treatment.transparent {
        words.push("one with transparency".into());
    }
    if a.treatment.animation || b.treatment.animation {
        words.push("one frame of an animation compared".into());
    }
    if comparison.agreement < 0.8 {
        words.push("written over".into());
    }
    if words.is_empty() { "encoded anew".into() } else { words.join(", ") }
}

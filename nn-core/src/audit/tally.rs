//! Counts pairs without enumerating them, and lists some of them.
//!
//! A thousand equal images make half a million pairs. All of them are counted, since the count must
//! not depend on how many are listed; of each group, the worst pairs are listed. Pairs of changed
//! copies are counted if they were compared: in a large group, not all are.

use super::listing::{Item, Part};
use super::pairs::{Kind, Pair};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The maximum number of pairs that are listed per group.
pub const LISTED: usize = 100;

/// The numbers of pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pairs of the same bytes.
    pub bytes: usize,
    /// Pairs of the same pixels in different files.
    pub pixels: usize,
    /// Pairs of changed copies.
    pub near: usize,
    /// Pairs across splits, of any kind.
    pub across_splits: usize,
    /// Those of them with exactly one image in the test set.
    pub across_test: usize,
    /// Pairs across classes.
    pub across_labels: usize,
}

/// Images with the same pixels.
#[derive(Debug)]
pub struct Equals {
    /// Grouped by equal bytes, in order.
    pub files: Vec<Vec<usize>>,
}

/// The split and class of an image, which determine how its pairs are counted.
type Place = (Option<Part>, Option<usize>);

impl Equals {
    /// The first image.
    pub fn first(&self) -> usize {
        self.files.first().and_then(|group| group.first()).copied().unwrap_or_default()
    }

    /// All images.
    pub fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.files.iter().flatten().copied()
    }

    /// Pairs among them and their kinds, those across splits first; if there are many, only some.
    pub fn pairs(&self, items: &[Item]) -> impl Iterator<Item = ([usize; 2], Kind)> {
        let files = self.files.iter().enumerate();
        let file: HashMap<usize, usize> =
            files.flat_map(|(file, group)| group.iter().map(move |&i| (i, file))).collect();
        let all = by_place(&self.all().collect::<Vec<_>>(), items);
        some_pairs(&all, None, LISTED).into_iter().map(move |[a, b]| {
            ([a, b], if file[&a] == file[&b] { Kind::Bytes } else { Kind::Pixels })
        })
    }

    /// Pairs of one of them and one of `other`, those across splits first; if there are many, only some.
    pub fn pairs_with(&self, other: &Self, items: &[Item]) -> impl Iterator<Item = [usize; 2]> {
        let of = |equals: &Self| by_place(&equals.all().collect::<Vec<_>>(), items);
        some_pairs(&of(self), Some(&of(other)), LISTED).into_iter()
    }
}

/// The images of each split and class.
fn by_place(images: &[usize], items: &[Item]) -> BTreeMap<Place, Vec<usize>> {
    let mut places: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    for &i in images {
        places.entry((items[i].part, items[i].label)).or_default().push(i);
    }
    places
}

/// At most `most` pairs of one of `a` and one of `b`, or within `a`; those across splits first.
fn some_pairs(
    a: &BTreeMap<Place, Vec<usize>>,
    b: Option<&BTreeMap<Place, Vec<usize>>>,
    most: usize,
) -> Vec<[usize; 2]> {
    let mut found = Vec::new();
    for across in [true, false] {
        for (x, of_x) in a {
            for (y, of_y) in b.unwrap_or(a) {
                let is_across = x.0.is_some() && y.0.is_some() && x.0 != y.0;
                if is_across != across || b.is_none() && x > y {
                    continue;
                }
                for (number, &i) in of_x.iter().enumerate() {
                    let from = if b.is_none() && x == y { number + 1 } else { 0 };
                    for &j in &of_y[from..] {
                        if found.len() == most {
                            return found;
                        }
                        found.push(if b.is_none() { [i.min(j), i.max(j)] } else { [i, j] });
                    }
                }
            }
        }
    }
    found
}

impl Counts {
    /// The number of all pairs.
    pub fn all(&self) -> usize {
        self.bytes + self.pixels + self.near
    }

    /// Counts the pairs among images with the same pixels.
    pub fn add_within(&mut self, equals: &Equals, items: &[Item]) {
        let pairs = |n: usize| n * n.saturating_sub(1) / 2;
        let all = equals.all().count();
        let of_bytes: usize = equals.files.iter().map(|group| pairs(group.len())).sum();
        self.bytes += of_bytes;
        self.pixels += pairs(all) - of_bytes;
        let places = sizes(equals, items);
        for (i, (x, n)) in places.iter().enumerate() {
            self.add(*x, *x, pairs(*n));
            places[i + 1..].iter().for_each(|(y, m)| self.add(*x, *y, n * m));
        }
    }

    /// Counts the pairs of one image of `a` and one of `b`, which are copies.
    pub fn add_between(&mut self, a: &Equals, b: &Equals, items: &[Item]) {
        self.near += a.all().count() * b.all().count();
        let (of_a, of_b) = (sizes(a, items), sizes(b, items));
        for (x, n) in &of_a {
            of_b.iter().for_each(|(y, m)| self.add(*x, *y, n * m));
        }
    }

    fn add(&mut self, x: Place, y: Place, pairs: usize) {
        if x.1.is_some() && y.1.is_some() && x.1 != y.1 {
            self.across_labels += pairs;
        }
        if let (Some(p), Some(q)) = (x.0, y.0)
            && p != q
        {
            self.across_splits += pairs;
            if p == Part::Test || q == Part::Test {
                self.across_test += pairs;
            }
        }
    }
}

/// The number of images of each split and class.
fn sizes(equals: &Equals, items: &[Item]) -> Vec<(Place, usize)> {
    let mut counts: BTreeMap<Place, usize> = BTreeMap::new();
    equals.all().for_each(|i| *counts.entry((items[i].part, items[i].label)).or_default() += 1);
    counts.into_iter().collect()
}

/// The worst pairs of each group, the worst first. `groups` has the group of each item.
pub fn listed(mut pairs: Vec<Pair>, groups: &[usize]) -> Vec<Pair> {
    pairs.sort_by(Pair::worst_first);
    let mut of_group: HashMap<usize, usize> = HashMap::new();
    pairs.retain(|pair| {
        let count = of_group.entry(groups[pair.items[0]]).or_default();
        *count += 1;
        *count <= LISTED
    });
    pairs
}

/// The number of groups with several members, the number of members of these groups, and the number
/// of these groups that are in several splits. `groups` has the lowest index in each item's group.
pub fn count_groups(groups: &[usize], items: &[Item]) -> (usize, usize, usize) {
    let mut of_group: HashMap<usize, (usize, BTreeSet<Part>)> = HashMap::new();
    for (item, &group) in items.iter().zip(groups) {
        let (size, parts) = of_group.entry(group).or_default();
        *size += 1;
        parts.extend(item.part);
    }
    of_group.retain(|_, (size, _)| *size > 1);
    let members = of_group.values().map(|(size, _)| size).sum();
    let across = of_group.values().filter(|(_, parts)| parts.len() > 1).count();
    (of_group.len(), members, across)
}

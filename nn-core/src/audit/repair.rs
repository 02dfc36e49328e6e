//! A split that separates no group of duplicates.
//!
//! Images that are duplicates, directly or transitively, form a group. A group in several splits is
//! moved to training as a whole, so a test image that was trained on leaves the test, never the
//! other way round. All other images keep their split, except for single images of the same class,
//! drawn by the seed, that fill the places left.

use super::listing::{Item, Part};
use crate::rng::{Rng, stream};
use std::collections::{HashMap, VecDeque};

/// The repaired split of each image; `None` for images without one and for those that are not
/// `usable`, since unreadable images cannot be trained on. The same seed gives the same split; an
/// image without a duplicate in another split moves only to fill a place.
pub fn repaired(
    items: &[Item],
    group: &[usize],
    usable: impl Fn(&Item) -> bool,
    seed: u64,
) -> Vec<Option<Part>> {
    let mut parts: Vec<Option<Part>> =
        items.iter().map(|item| item.part.filter(|_| usable(item))).collect();
    // A group within one split keeps it, any other is moved to training.
    let mut goal: Vec<Option<Part>> = vec![None; items.len()];
    let mut size = vec![0; items.len()];
    for (i, part) in parts.iter().enumerate() {
        let goal = &mut goal[group[i]];
        *goal = match (*goal, *part) {
            (Some(x), Some(y)) if x != y => Some(Part::Train),
            (x, y) => x.or(y),
        };
        size[group[i]] += 1;
    }
    let mut left: Vec<(Option<usize>, Part)> = Vec::new();
    for (i, part) in parts.iter_mut().enumerate().filter(|(_, part)| part.is_some()) {
        let to = goal[group[i]];
        if *part != to {
            left.extend(part.map(|from| (items[i].label, from)));
            *part = to;
        }
    }
    // Training images without duplicates may fill places, in an order drawn by the seed.
    let mut singles: Vec<usize> = (0..items.len())
        .filter(|&i| size[group[i]] == 1 && parts[i] == Some(Part::Train))
        .collect();
    Rng::new(seed, stream::SPLIT + 1).shuffle(&mut singles);
    let mut of_class: HashMap<Option<usize>, VecDeque<usize>> = HashMap::new();
    singles.into_iter().for_each(|i| of_class.entry(items[i].label).or_default().push_back(i));
    let mut training: HashMap<Option<usize>, usize> = HashMap::new();
    for (item, _) in items.iter().zip(&parts).filter(|(_, part)| **part == Some(Part::Train)) {
        *training.entry(item.label).or_default() += 1;
    }
    for (label, to) in left {
        // At least one image of each class stays in training.
        let count = training.entry(label).or_default();
        if *count > 1
            && let Some(i) = of_class.get_mut(&label).and_then(VecDeque::pop_front)
        {
            parts[i] = Some(to);
            *count -= 1;
        }
    }
    parts
}

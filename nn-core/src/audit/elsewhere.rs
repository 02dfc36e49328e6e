//! Images that have a duplicate in another split, and so must be excluded from scores.

use super::{Item, Part};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// The files among `items` that have a duplicate in another split. `groups` has the group of
/// duplicates of each item, as in [`Report::groups`](super::Report): the pairs of a report do not
/// suffice, since it lists only some of a large group.
pub fn duplicated_elsewhere(items: &[Item], groups: &[usize]) -> HashSet<PathBuf> {
    let mut parts: HashMap<usize, HashSet<Part>> = HashMap::new();
    for (item, &group) in items.iter().zip(groups) {
        parts.entry(group).or_default().extend(item.part);
    }
    let across = items.iter().zip(groups).filter(|(item, group)| {
        item.part.is_some() && parts.get(group).is_some_and(|parts| parts.len() > 1)
    });
    across.map(|(item, _)| item.path.clone()).collect()
}

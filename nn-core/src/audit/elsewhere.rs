//! Images that have a duplicate in another split: what a score has to be told without.

use super::{Item, Part};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// The files among `items` that have a duplicate in another split. `groups` has the group of duplicates that
/// each item is in, as [`Report::groups`](super::Report) has it: of a large group a report lists only some pairs.
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

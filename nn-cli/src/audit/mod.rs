//! Leaks in an image set, for people: the audit with its progress, in words, and the repair.
//!
//! The finding itself is `nn_core::audit`.

pub mod repair;
pub mod text;
pub mod words;

use crate::failure::Failure;
use crate::interrupt;
use crate::ui::{Console, Counter};
use nn_core::audit::{AuditOptions, Listing, Part, Report, Stage, audit};
use nn_core::data::AlphaBackground;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// Audits the images of `listing`, transparent ones laid on `alpha_background`, with progress; Ctrl-C
/// ends it.
///
/// # Errors
/// If the user interrupts.
pub fn examine(
    listing: &Listing,
    seed: u64,
    alpha_background: AlphaBackground,
    console: &Console,
) -> Result<Report, Failure> {
    let options = AuditOptions { seed, alpha_background, ..AuditOptions::default() };
    let total = listing.items.len() as u64;
    let mut counter = Counter::items(console, "looking", total, "images");
    let mut comparing = false;
    let report = audit(listing, &options, |stage, done, total| {
        if stage == Stage::Comparing && !comparing {
            comparing = true;
            counter = Counter::items(console, "comparing", total as u64, "pairs");
        }
        counter.set(done as u64);
        interrupt::check()
    })?;
    Ok(report)
}

/// The files that have a copy in another split. Of a large group the report lists only some pairs, so the
/// groups are asked.
pub fn copied_elsewhere(listing: &Listing, report: &Report) -> HashSet<PathBuf> {
    let mut parts: HashMap<usize, HashSet<Part>> = HashMap::new();
    for (item, &group) in listing.items.iter().zip(&report.groups) {
        parts.entry(group).or_default().extend(item.part);
    }
    let across = listing.items.iter().zip(&report.groups).filter(|(item, group)| {
        item.part.is_some() && parts.get(group).is_some_and(|parts| parts.len() > 1)
    });
    across.map(|(item, _)| item.path.clone()).collect()
}

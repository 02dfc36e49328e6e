//! Leaks in an image set, for people: the audit with its progress, in words, and the repair.
//!
//! The finding itself is `nn_core::audit`.

pub mod repair;
pub mod words;

use crate::failure::Failure;
use crate::interrupt;
use crate::ui::{Console, Counter};
use nn_core::audit::{AuditOptions, Listing, Report, Stage, audit};
use nn_core::data::AlphaBackground;
use std::collections::HashSet;
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

/// The files that have a copy in another split.
pub fn copied_elsewhere(listing: &Listing, report: &Report) -> HashSet<PathBuf> {
    let across = report.pairs.iter().filter(|pair| pair.across_splits);
    across.flat_map(|pair| pair.items).map(|i| listing.items[i].path.clone()).collect()
}

//! How a folder of images was read and what was ignored, as text.

use crate::format;
use nn_core::audit::{Divided, Listing};
use nn_core::data::{PassedOver, summary};

/// The lines of an audit's report about how `listing` was read; empty if the layout is the usual one and
/// nothing was ignored.
pub fn lines(listing: &Listing) -> Vec<String> {
    let mut lines = Vec::new();
    let usual = listing.folders.iter().map(|part| part.folder.as_str()).eq(["train", "test"]);
    if listing.divided == Divided::Folders && !usual {
        let told = &listing.arrangement;
        lines.push(match listing.folders.is_empty() {
            true => told.clone(),
            false => format!("folders: {told}"),
        });
    }
    lines.extend(listing.remarks.iter().cloned());
    lines.extend(not_looked_at(&listing.passed_over));
    lines
}

/// The ignored entries, in one line; `None` if there are none.
pub fn not_looked_at(passed_over: &[PassedOver]) -> Option<String> {
    Some(format!("not looked at: {}", format::clean(&summary(passed_over)?)))
}

//! Two images that are duplicates, side by side.

use crate::format::{class_name, clean};
use crate::picture;
use crate::text::leaks as leak_text;
use nn_core::audit::{Kind, Listing, Pair};
use nn_core::data::AlphaBackground;

/// A pair, as the macro `duplicates` of `parts.html` shows it.
pub struct DuplicatePair {
    pub across: bool,
    pub what: String,
    pub splits: String,
    pub images: [Shot; 2],
}

/// One of the two.
pub struct Shot {
    pub file: String,
    pub class: String,
    /// None of a file that cannot be read: its bytes may be the same as another's all the same.
    pub photo: Option<String>,
}

impl DuplicatePair {
    /// The images of `pair`, which is one of `listing`, transparent ones laid on a background.
    pub fn new(pair: &Pair, listing: &Listing, alpha_background: AlphaBackground) -> Self {
        let shot = |i: usize| {
            let item = &listing.items[pair.items[i]];
            Shot {
                file: clean(&item.file),
                class: pair.labels[i].as_deref().map_or("no class".into(), class_name),
                photo: picture::thumbnail(&item.path, alpha_background).ok(),
            }
        };
        Self {
            // One scene in two splits need not be a leak.
            across: pair.across_splits && pair.kind != Kind::Scene,
            what: clean(&leak_text::what(pair)),
            splits: leak_text::splits(pair),
            images: [shot(0), shot(1)],
        }
    }
}

//! Two images that are duplicates, side by side.

use crate::format::{class_name, clean};
use crate::picture;
use crate::text::leaks as leak_text;
use nn_core::audit::{Kind, Listing, Pair};
use nn_core::data::AlphaBackground;

/// A pair, as used by the macro `duplicates` of `parts.html`.
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
    /// `None` for a file that cannot be decoded: it may still have the same bytes as another.
    pub photo: Option<String>,
}

impl DuplicatePair {
    /// The images of `pair`, taken from `listing`; transparent images are composited onto
    /// `alpha_background`.
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
            // One scene in two splits is not necessarily a leak.
            across: pair.across_splits && pair.kind != Kind::Scene,
            what: clean(&leak_text::what(pair)),
            splits: leak_text::splits(pair),
            images: [shot(0), shot(1)],
        }
    }
}

//! How many images belong together.

use crate::format::plural;
use std::collections::BTreeMap;

/// What is known of groups of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    /// All groups; an image without others is one, too.
    pub all: usize,
    /// Those of several images.
    pub several: usize,
    /// The images in these.
    images: usize,
}

impl Together {
    /// Counts the groups of images, given for each image.
    pub fn of(groups: impl Iterator<Item = usize>) -> Self {
        let mut size: BTreeMap<usize, usize> = BTreeMap::new();
        groups.for_each(|group| *size.entry(group).or_default() += 1);
        let several = size.values().filter(|size| **size > 1);
        Self { all: size.len(), several: several.clone().count(), images: several.sum() }
    }

    /// The groups of several images, and the images in them: `3 groups`, `7 images`.
    pub fn told(&self) -> (String, String) {
        (plural(self.several as u64, "group"), plural(self.images as u64, "image"))
    }
}

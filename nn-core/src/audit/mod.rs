//! An audit of an image folder: finds data leakage before anything is trained.
//!
//! A score is meaningless if test images were trained on, or if the class can be predicted from the file
//! alone. [`audit`] reads every image once and reports duplicates and images that only share a scene or a
//! template ([`Pair`]), whether file properties predict the class ([`LabelLeak`]), and unusual images
//! ([`OddImage`]). [`repaired`] computes a new split that does not separate duplicates.
//!
//! ```text
//! listing      the files of an audit, with their classes and splits
//! survey       the features of each image: hashes, small picture, keypoints, facts
//! shrink, luma the small picture that all comparisons use
//! keypoints, patch, symmetry
//!              local features with descriptors of 128 bits
//! descriptor_index, candidates, placement
//!              candidate pairs of copies, and the placement of one image on the other
//! align, blocks, compare
//!              image registration, and the comparison of registered pictures
//! tone, colour, difference
//!              tone matching, colours, and the differences that remain
//! template     pairs that look alike only because of a common template
//! duplicates   the search: same bytes, same pixels, changed copies
//! tally        counting of pairs without enumerating them, and listing of some
//! pairs        pairs with their description
//! file_facts, label_leak
//!              prediction of classes from file properties: size, format, marks, border, colours, names
//! quality      unreadable, tiny, one-coloured images; class counts
//! repair, elsewhere
//!              a split that does not separate duplicates; images with duplicates in other splits
//! ```
//!
//! Time and memory grow linearly with the number of images, not with that of pairs. The report
//! depends on the folder and the seed only, not on the number of threads.
//!
//! ```no_run
//! use nn_core::audit::{AuditOptions, Listing, audit};
//!
//! let listing = Listing::scan("photos".as_ref(), 0.125, 27)?;
//! let report = audit(&listing, &AuditOptions::default(), |_, _, _| Ok(()))?;
//! for pair in report.pairs.iter().filter(|pair| pair.across_splits) {
//!     println!("{} is {} ({})", pair.a, pair.b, pair.change);
//! }
//! # Ok::<(), nn_core::Error>(())
//! ```

mod agreement;
mod align;
mod blocks;
mod candidates;
mod colour;
mod compare;
mod comparison;
mod content;
mod descriptor_index;
mod difference;
mod duplicates;
mod elsewhere;
mod file_facts;
mod keypoints;
mod label_leak;
mod listing;
mod luma;
mod pairs;
mod patch;
mod placement;
mod quality;
mod repair;
mod shrink;
mod survey;
mod symmetry;
mod tally;
mod template;
#[cfg(test)]
mod tests;
mod tone;

pub use elsewhere::duplicated_elsewhere;
pub use label_leak::{LabelLeak, Strength, subjects_apart};
pub use listing::{Divided, Item, Listing, Part};
pub use pairs::{Kind, Pair};
pub use quality::{ClassCount, OddImage, Oddity};
pub use repair::repaired;

use crate::data::{AlphaBackground, Treated};
use crate::error::Result;
use duplicates::Duplicates;
use serde::Serialize;
use survey::{ImageFeatures, Survey};
use tally::{Counts, count_groups};

/// Settings of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditOptions {
    /// The seed for permutations of labels, and for the sample of images in very large sets.
    pub seed: u64,
    /// The maximum memory for small pictures, in bytes; 256 MiB by default. If the picture of a
    /// file is not kept, the file is decoded again when it is compared.
    pub memory_bound: usize,
    /// The background colour for transparent images; white by default.
    pub alpha_background: AlphaBackground,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self { seed: 27, memory_bound: 256 << 20, alpha_background: AlphaBackground::WHITE }
    }
}

/// The stage of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading and decoding images.
    Reading,
    /// Comparing candidate pairs.
    Comparing,
}

/// The report of an audit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Pairs of duplicates, the worst first; of a large group, only some.
    pub pairs: Vec<Pair>,
    /// Pairs that share a scene or a template, but are no copies, likewise.
    pub scenes: Vec<Pair>,
    /// For each image of the listing, the lowest index among its copies: its own if it has none.
    #[serde(skip)]
    pub groups: Vec<usize>,
    /// The counts.
    pub summary: Summary,
    /// The result of each group of facts about the leakage of classes.
    pub label_leaks: Vec<LabelLeak>,
    /// Unusual images.
    pub odd_images: Vec<OddImage>,
    /// The images of each class.
    pub classes: Vec<ClassCount>,
    /// Warnings about imbalance.
    pub warnings: Vec<String>,
    /// How many images were converted in which way when they were decoded.
    pub treated: Treated,
}

impl Report {
    /// The files that could not be read.
    pub fn unreadable(&self) -> impl Iterator<Item = &str> {
        let unreadable = |odd: &&OddImage| odd.oddity == Oddity::Unreadable;
        self.odd_images.iter().filter(unreadable).map(|odd| odd.file.as_str())
    }
}

/// The counts of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Image files.
    pub images: usize,
    /// Those that could not be read.
    pub unreadable: usize,
    /// Pairs of copies, including those that are not listed.
    pub pairs: usize,
    /// Pairs of the same bytes.
    pub bytes: usize,
    /// Pairs of the same pixels in different files.
    pub pixels: usize,
    /// Pairs of changed copies, as far as they were compared: in a large group, not all are.
    pub near: usize,
    /// Pairs across splits, of any kind: leakage.
    pub across_splits: usize,
    /// Pairs between training (or validation) and test.
    pub across_test: usize,
    /// Pairs across classes.
    pub across_labels: usize,
    /// Groups of duplicates.
    pub groups: usize,
    /// Groups of duplicates in several splits.
    pub groups_across_splits: usize,
    /// Images that have a duplicate.
    #[serde(rename = "twins")]
    pub duplicates: usize,
    /// Groups of images of one scene or template that are no copies.
    pub scene_groups: usize,
    /// Images in such groups.
    pub scene_images: usize,
    /// Such groups that are in several splits.
    pub scene_groups_across_splits: usize,
    /// Groups of facts that predict the class.
    pub label_leaks: usize,
    /// How the images are divided into splits. Pairs across a split that training would draw by its
    /// seed are due to chance.
    pub divided: Divided,
}

impl Summary {
    /// The number that a check of a pipeline uses: pairs across the splits of the user's folders,
    /// or, without such splits, all groups of copies, since whether a drawn split separates them is
    /// due to chance.
    pub fn leaks(&self) -> usize {
        match self.divided {
            // A group may be in several splits although no pair across them was compared.
            Divided::Folders => self.across_splits.max(self.groups_across_splits),
            Divided::Drawn | Divided::Nobody => self.groups,
        }
    }
}

/// Audits the images of `listing`. `progress(stage, done, total)` is called regularly; if it
/// returns an error, the audit ends. Images that cannot be read are reported, and are no error.
///
/// # Errors
/// Those of `progress`.
pub fn audit(
    listing: &Listing,
    options: &AuditOptions,
    mut progress: impl FnMut(Stage, usize, usize) -> Result<()>,
) -> Result<Report> {
    let items = &listing.items;
    let Survey { features, unreadable, file_hashes } =
        survey::survey(items, options, |done, total| progress(Stage::Reading, done, total))?;
    let found =
        duplicates::find(items, &features, &file_hashes, &listing.classes, |done, total| {
            progress(Stage::Comparing, done, total)
        })?;

    // One image of each group of duplicates is tested, since duplicates predict each other's class.
    let group = &found.groups;
    let mut taking_part: Vec<usize> = Vec::new();
    let mut images: Vec<label_leak::Image> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        if let (true, Some(features), Some(label)) = (group[i] == i, &features[i], item.label) {
            taking_part.push(i);
            images.push(label_leak::Image { facts: &features.facts, file: &item.file, label });
        }
    }
    let picture = |image: usize| {
        let i = taking_part[image];
        survey::picture(features[i].as_ref()?, &items[i].path)
    };
    let label_leaks = label_leak::test(&images, &listing.classes, picture, options.seed);
    let (classes, mut warnings) = quality::balance(listing);
    let named = items.iter().map(|item| (item.file.as_str(), item.part));
    warnings.extend(subjects_apart(named, "split"));
    let summary = summarise(listing, &features, &found, &label_leaks);
    let odd_images = quality::odd_images(listing, &features, &unreadable);
    let mut treated = Treated::on(options.alpha_background);
    features.iter().flatten().for_each(|features| treated.add(&features.treatment));
    let Duplicates { pairs, scenes, groups, .. } = found;
    Ok(Report {
        pairs,
        scenes,
        groups,
        summary,
        label_leaks,
        odd_images,
        classes,
        warnings,
        treated,
    })
}

fn summarise(
    listing: &Listing,
    features: &[Option<ImageFeatures>],
    found: &Duplicates,
    leaks: &[LabelLeak],
) -> Summary {
    let Counts { bytes, pixels, near, across_splits, across_test, across_labels } = found.counts;
    let (groups, duplicates, groups_across_splits) = count_groups(&found.groups, &listing.items);
    let (scene_groups, scene_images, scene_groups_across_splits) =
        count_groups(&found.scene_groups, &listing.items);
    Summary {
        images: features.len(),
        unreadable: features.iter().filter(|features| features.is_none()).count(),
        pairs: found.counts.all(),
        bytes,
        pixels,
        near,
        across_splits,
        across_test,
        across_labels,
        groups,
        groups_across_splits,
        duplicates,
        scene_groups,
        scene_images,
        scene_groups_across_splits,
        label_leaks: leaks.iter().filter(|leak| leak.alarm).count(),
        divided: listing.divided,
    }
}

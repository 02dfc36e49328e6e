//! Leaks in an image folder, found before anything is trained.
//!
//! A score means nothing if a test image was trained on, or if the class can be told from the file.
//! [`audit`] looks at every image once and tells which are there twice ([`Pair`]), which only share a
//! scene or a template, whether the
//! class shows in what is not the picture ([`LabelLeak`]), and what else is odd ([`OddImage`]);
//! [`repaired`] divides the images anew so that no duplicates are separated.
//!
//! ```text
//! listing      which files there are, and which split each is in
//! survey       what is kept of each: hashes, small picture, features, facts
//! shrink, luma the small picture: all that is told later is told from it
//! keypoints, patch, symmetry
//!              local features, with descriptors of 128 bits
//! descriptor_index, candidates, placement
//!              which images may be copies of each other, and how one lies on the other
//! align, blocks, compare
//!              where one lies on the other, and whether they agree at a first look
//! tone, colour, difference
//!              in what they differ, once brightness and contrast are the same
//! template     what much of the folder has in common, which makes nothing a copy
//! duplicates   the search: same bytes, same pixels, same picture
//! tally        counting pairs without forming them, and listing some
//! pairs        what was found, in words
//! file_facts, label_leak
//!              classes told from the file: size, format, marks, border, colours, names
//! quality      unreadable, tiny, one-coloured images; class counts
//! repair, elsewhere
//!              a split that keeps groups of duplicates together, and what is divided as it is
//! ```
//!
//! Time and memory grow with the number of images, not with that of pairs; the same folder and seed
//! give the same report, whatever the number of threads.
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

mod align;
mod blocks;
mod candidates;
mod colour;
mod compare;
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
mod sets;
mod shrink;
mod survey;
mod symmetry;
mod tally;
mod template;
#[cfg(test)]
mod tests;
mod tone;

pub use elsewhere::duplicated_elsewhere;
pub use label_leak::{LabelLeak, Strength};
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
    /// Decides what is drawn: shuffled labels, and which images are asked where there are many.
    pub seed: u64,
    /// The most bytes of small pictures that are kept; 256 MiB by default. Without a picture kept, a
    /// file is read again when it is compared.
    pub memory_bound: usize,
    /// The colour that transparent images are laid on; white by default.
    pub alpha_background: AlphaBackground,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self { seed: 27, memory_bound: 256 << 20, alpha_background: AlphaBackground::WHITE }
    }
}

/// What an audit is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Looking at images.
    Reading,
    /// Comparing pairs that may be copies.
    Comparing,
}

/// All that an audit found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Images that are the same, the worst first; of a group of many, some.
    pub pairs: Vec<Pair>,
    /// Images of one scene or on one template, which are no copies, likewise.
    pub scenes: Vec<Pair>,
    /// For each image of the listing, the lowest number among its copies: its own if it has none.
    #[serde(skip)]
    pub groups: Vec<usize>,
    /// The numbers.
    pub summary: Summary,
    /// What each group of facts tells of the class.
    pub label_leaks: Vec<LabelLeak>,
    /// Odd images.
    pub odd_images: Vec<OddImage>,
    /// The images of each class.
    pub classes: Vec<ClassCount>,
    /// What is out of balance, in words.
    pub warnings: Vec<String>,
    /// How many images were treated in which way to be looked at.
    pub treated: Treated,
}

impl Report {
    /// The files that could not be read.
    pub fn unreadable(&self) -> impl Iterator<Item = &str> {
        let unreadable = |odd: &&OddImage| odd.oddity == Oddity::Unreadable;
        self.odd_images.iter().filter(unreadable).map(|odd| odd.file.as_str())
    }
}

/// The numbers of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Image files.
    pub images: usize,
    /// Those that could not be read.
    pub unreadable: usize,
    /// Pairs of copies, whether they are listed or not.
    pub pairs: usize,
    /// Pairs of the same bytes.
    pub bytes: usize,
    /// Pairs of the same pixels in different files.
    pub pixels: usize,
    /// Pairs of the same picture, changed: those that were compared, of a large group not each with each.
    pub near: usize,
    /// Pairs across splits, of any kind: the leak.
    pub across_splits: usize,
    /// Pairs between training (or validation) and test.
    pub across_test: usize,
    /// Pairs across classes.
    pub across_labels: usize,
    /// Groups of images that are the same.
    pub groups: usize,
    /// Such groups that are in several splits.
    pub groups_across_splits: usize,
    /// Images that have a duplicate.
    #[serde(rename = "twins")]
    pub duplicates: usize,
    /// Groups of images of one scene or on one template, which are no copies.
    pub scene_groups: usize,
    /// Images in such groups.
    pub scene_images: usize,
    /// Such groups that are in several splits.
    pub scene_groups_across_splits: usize,
    /// Groups of facts that tell the class.
    pub label_leaks: usize,
    /// Who divided the images into splits: pairs across a split that training would draw by its seed
    /// are luck.
    pub divided: Divided,
}

impl Summary {
    /// What a gate counts: pairs across the splits that the user's folders make; without such, groups of
    /// copies wherever they lie, for a split that is drawn divides them or not as luck has it.
    pub fn leaks(&self) -> usize {
        match self.divided {
            // A group may be divided although no two of its images on either side were compared.
            Divided::Folders => self.across_splits.max(self.groups_across_splits),
            Divided::Drawn | Divided::Nobody => self.groups,
        }
    }
}

/// Audits the images of `listing`. `progress(stage, done, total)` is called now and then; an error
/// from it ends the audit. Images that cannot be read are reported, not fatal.
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

    // One image of each group of duplicates takes part: they know each other's class.
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
    warnings.extend(label_leak::subjects_across_splits(named));
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

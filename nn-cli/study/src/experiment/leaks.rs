//! What an audit of the experiment's sets finds, and what duplicates among the test images do to a score.

use super::Measured;
use crate::ImageSet;
use crate::Observer;
use crate::StudyError;
use crate::audit::{self, WithoutDuplicates};
use crate::stats::Repeated;
use nn_core::audit::{LabelLeak, Listing, Report, Summary, duplicated_elsewhere};
use nn_core::data::{AlphaBackground, Treated};
use serde::Serialize;
use std::path::PathBuf;

/// A set that a model was trained on, audited.
pub struct Leaks {
    /// The images, as they were divided.
    pub listing: Listing,
    /// What the audit found.
    pub report: Report,
    /// The model's score without duplicates; none if no test image is one.
    pub without_duplicates: Option<WithoutDuplicates>,
}

/// A score without duplicates as JSON shows it.
#[derive(Serialize)]
struct WithoutCopies<'a> {
    /// The test images left out.
    copies: &'a [String],
    /// Those that remain.
    n: usize,
    /// The score on them, unless none remain.
    accuracy: Option<Repeated>,
}

/// The audit as JSON shows it.
#[derive(Serialize)]
pub struct LeaksSummary<'a> {
    summary: &'a Summary,
    label_leaks: &'a [LabelLeak],
    without_copies: Option<WithoutCopies<'a>>,
    treated: &'a Treated,
}

impl Leaks {
    /// Audits `set` as it was divided by this validation share and seed. `tested` are the test images
    /// in the order in which `measured` has the answers to them.
    ///
    /// # Errors
    /// If the folder cannot be read any more, or the observer ends it.
    pub fn find(
        set: &ImageSet,
        (validation_split, seed): (f64, u64),
        alpha_background: AlphaBackground,
        measured: &Measured,
        tested: &[PathBuf],
        observer: &dyn Observer,
    ) -> Result<Self, StudyError> {
        let listing = Listing::scan(&set.folder.root, validation_split, seed)?;
        let report = audit::examine(&listing, seed, alpha_background, observer)?;
        let elsewhere = duplicated_elsewhere(&listing.items, &report.groups);
        let images = tested.iter().map(|path| (set.relative(path), elsewhere.contains(path)));
        let without = WithoutDuplicates::of(&measured.evaluations, images);
        let without_duplicates = Some(without).filter(|found| !found.duplicates.is_empty());
        Ok(Self { listing, report, without_duplicates })
    }

    /// The part of it that belongs into a summary.
    pub fn summary(&self) -> LeaksSummary<'_> {
        LeaksSummary {
            summary: &self.report.summary,
            label_leaks: &self.report.label_leaks,
            without_copies: self.without_duplicates.as_ref().map(|found| WithoutCopies {
                copies: &found.duplicates,
                n: found.n,
                accuracy: found.accuracy,
            }),
            treated: &self.report.treated,
        }
    }
}

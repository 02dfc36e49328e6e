//! The audit of the experiment's sets, and the effect of duplicates among the test images on the accuracy.

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

/// The audit of a set that a model was trained on.
pub struct Leaks {
    /// The images with their splits.
    pub listing: Listing,
    /// What the audit found.
    pub report: Report,
    /// The model's result without duplicates; `None` if no test image is a duplicate.
    pub without_duplicates: Option<WithoutDuplicates>,
}

/// The result without duplicates, as in the JSON.
#[derive(Serialize)]
struct WithoutCopies<'a> {
    /// The test images left out.
    copies: &'a [String],
    /// The number of remaining test images.
    n: usize,
    /// The accuracy on them; `None` if none remain.
    accuracy: Option<Repeated>,
}

/// The audit, as in the JSON.
#[derive(Serialize)]
pub struct LeaksSummary<'a> {
    summary: &'a Summary,
    label_leaks: &'a [LabelLeak],
    without_copies: Option<WithoutCopies<'a>>,
    treated: &'a Treated,
}

impl Leaks {
    /// Audits `set` with the split of this validation share and seed. `tested` are the test images in the
    /// order of the predictions in `measured`.
    ///
    /// # Errors
    /// If the folder cannot be read any more, or the observer stops it.
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

    /// The part of the audit that goes into the summary.
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

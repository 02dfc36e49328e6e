//! What an audit of the experiment's sets finds, and what copies among the test images do to a score.

use super::Measured;
use crate::audit;
use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::ui::Console;
use crate::ui::stats::Repeated;
use nn_core::audit::{LabelLeak, Listing, Report, Summary};
use nn_core::data::{AlphaBackground, Treated};
use serde::Serialize;
use std::path::PathBuf;

/// A set that a model was trained on, audited.
pub struct Leaks {
    pub listing: Listing,
    pub report: Report,
    /// The model's score without the copies; none if no test image is one.
    pub without_copies: Option<WithoutCopies>,
}

/// What a model scores on those test images of which there is no copy in training or validation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WithoutCopies {
    /// The test images left out.
    pub copies: Vec<String>,
    /// Those that remain.
    pub n: usize,
    /// The score on them, unless none remain.
    pub accuracy: Option<Repeated>,
}

/// The audit as JSON shows it.
#[derive(Serialize)]
pub struct LeaksSummary<'a> {
    summary: &'a Summary,
    label_leaks: &'a [LabelLeak],
    without_copies: Option<&'a WithoutCopies>,
    treated: &'a Treated,
}

impl Leaks {
    /// Audits `set` as it was divided by this validation share and seed. `tested` are the test images
    /// in the order in which `measured` has the answers to them.
    ///
    /// # Errors
    /// If the folder cannot be read any more, or the user interrupts.
    pub fn find(
        set: &ImageSet,
        (validation_split, seed): (f64, u64),
        alpha_background: AlphaBackground,
        measured: &Measured,
        tested: &[PathBuf],
        console: &Console,
    ) -> Result<Self, Failure> {
        let listing = Listing::scan(&set.folder.root, validation_split, seed)?;
        let report = audit::examine(&listing, seed, alpha_background, console)?;
        let elsewhere = audit::copied_elsewhere(&listing, &report);
        let is_copy: Vec<bool> = tested.iter().map(|path| elsewhere.contains(path)).collect();
        let names = tested.iter().map(|path| set.relative(path));
        let without_copies = WithoutCopies::of(measured, names.zip(is_copy));
        Ok(Self { listing, report, without_copies })
    }

    /// The part of it that belongs into a summary.
    pub fn summary(&self) -> LeaksSummary<'_> {
        LeaksSummary {
            summary: &self.report.summary,
            label_leaks: &self.report.label_leaks,
            without_copies: self.without_copies.as_ref(),
            treated: &self.report.treated,
        }
    }
}

impl WithoutCopies {
    /// From the names of the test images and whether each is a copy.
    fn of(measured: &Measured, images: impl Iterator<Item = (String, bool)>) -> Option<Self> {
        let (names, is_copy): (Vec<String>, Vec<bool>) = images.unzip();
        let copies: Vec<String> =
            names.into_iter().zip(&is_copy).filter(|(_, copy)| **copy).map(|(n, _)| n).collect();
        if copies.is_empty() {
            return None;
        }
        let n = is_copy.len() - copies.len();
        let accuracy = (n > 0).then(|| measured.on(|image| !is_copy[image]));
        Some(Self { copies, n, accuracy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::train::Evaluation;

    /// Two seeds on four images, right on the first three and on the first.
    fn measured() -> Measured {
        let evaluation = |right: usize| Evaluation {
            loss: 0.5,
            n: 4,
            correct: right,
            confusion: vec![vec![right as u64, 4 - right as u64], vec![0, 0]],
            labels: vec![0; 4],
            predicted: (0..4).map(|i| usize::from(i >= right)).collect(),
            probabilities: vec![vec![0.5, 0.5]; 4],
        };
        Measured::new(vec![evaluation(3), evaluation(1)])
    }

    fn without(copies: [bool; 4]) -> Option<WithoutCopies> {
        WithoutCopies::of(
            &measured(),
            ["a", "b", "c", "d"].map(String::from).into_iter().zip(copies),
        )
    }

    #[test]
    fn only_what_is_no_copy_counts() {
        assert_eq!(without([false; 4]), None);
        let found = without([true, false, true, false]).unwrap();
        assert_eq!((found.copies, found.n), (vec!["a".to_string(), "c".into()], 2));
        // Of b and d the first seed has one right, the second none.
        assert_eq!(found.accuracy.unwrap().mean, 0.25);
        let found = without([true; 4]).unwrap();
        assert_eq!((found.n, found.accuracy), (0, None));
    }
}

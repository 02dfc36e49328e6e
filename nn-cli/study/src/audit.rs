//! Audits a set of images for leaks, and computes a model's accuracy without the test images that have
//! duplicates.
//!
//! The detection itself is in [`nn_core::audit`].

use crate::Evaluation;
use crate::Observer;
use crate::stats::Repeated;
use nn_core::Result;
use nn_core::audit::{AuditOptions, Listing, Report, Stage, audit};
use nn_core::data::AlphaBackground;

/// Audits the images of `listing`; transparent images are composited onto `alpha_background`.
///
/// # Errors
/// If the observer stops it.
pub fn examine(
    listing: &Listing,
    seed: u64,
    alpha_background: AlphaBackground,
    observer: &dyn Observer,
) -> Result<Report> {
    let options = AuditOptions { seed, alpha_background, ..AuditOptions::default() };
    let total = listing.items.len() as u64;
    let mut counter = observer.count("looking", total, "images");
    let mut comparing = false;
    audit(listing, &options, |stage, done, total| {
        if stage == Stage::Comparing && !comparing {
            comparing = true;
            counter = observer.count("comparing", total as u64, "pairs");
        }
        counter.set(done as u64);
        observer.check()
    })
}

/// The result of models on those test images that have no duplicate in another split.
#[derive(Debug, Clone, PartialEq)]
pub struct WithoutDuplicates {
    /// The test images left out, by name.
    pub duplicates: Vec<String>,
    /// The number of remaining test images.
    pub n: usize,
    /// The number of correct predictions on them, summed over all models.
    pub correct: usize,
    /// The accuracy on them; `None` if none remain.
    pub accuracy: Option<Repeated>,
}

impl WithoutDuplicates {
    /// Computes it from the evaluations of one or more models on the same images. `images` has for each
    /// image its name and whether it is a duplicate of one in another split.
    pub fn of(evaluations: &[Evaluation], images: impl Iterator<Item = (String, bool)>) -> Self {
        let (names, is_duplicate): (Vec<String>, Vec<bool>) = images.unzip();
        let left_out = names.into_iter().zip(&is_duplicate).filter(|(_, duplicate)| **duplicate);
        let duplicates: Vec<String> = left_out.map(|(name, _)| name).collect();
        let kept = |evaluation: &Evaluation| -> Vec<bool> {
            let hits = evaluation.hits().zip(&is_duplicate);
            hits.filter(|(_, duplicate)| !**duplicate).map(|(hit, _)| hit).collect()
        };
        let hits: Vec<Vec<bool>> = evaluations.iter().map(kept).collect();
        let n = is_duplicate.len() - duplicates.len();
        let correct = hits.iter().flatten().filter(|hit| **hit).count();
        let accuracy = (n > 0).then(|| Repeated::new(&hits));
        Self { duplicates, n, correct, accuracy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::train::Classification;

    /// Two models on four images: the first is right on the first three, the second on the first.
    fn evaluations() -> [Evaluation; 2] {
        [3, 1].map(|right: usize| Evaluation {
            loss: 0.5,
            classification: Classification {
                correct: right,
                confusion: vec![vec![right as u64, 4 - right as u64], vec![0, 0]],
                labels: vec![0; 4],
                predicted: (0..4).map(|i| usize::from(i >= right)).collect(),
                probabilities: vec![vec![0.5, 0.5]; 4],
            },
        })
    }

    #[test]
    fn only_what_is_no_duplicate_counts() {
        let without = |duplicates: [bool; 4]| {
            let names = ["a", "b", "c", "d"].map(String::from).into_iter();
            WithoutDuplicates::of(&evaluations(), names.zip(duplicates))
        };
        let found = without([false; 4]);
        assert_eq!((found.duplicates.len(), found.n, found.correct), (0, 4, 4));
        let found = without([true, false, true, false]);
        assert_eq!((found.duplicates, found.n), (vec!["a".to_string(), "c".into()], 2));
        // On b and d the first model is right once, the second never.
        assert_eq!((found.correct, found.accuracy.unwrap().mean), (1, 0.25));
        let found = without([true; 4]);
        assert_eq!((found.n, found.accuracy), (0, None));
    }
}

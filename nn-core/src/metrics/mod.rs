//! How good a classifier is: scores of its answers and of its probabilities.
//!
//! Everything here takes plain slices: the true class of each sample, the class that was predicted, and a
//! row of probabilities with one number per class, as [`Classification`](crate::train::Classification) has
//! them. Names and definitions are those of scikit-learn 1.9, and the numbers are equal to its.
//!
//! - From answers: [`confusion_matrix`], and [`ClassCounts`] with accuracy, balanced accuracy, Matthews'
//!   correlation, and precision, recall, F1 and support of each class.
//! - From the order of scores: [`Ranking`] with ROC curve and its area, precision-recall curve and average
//!   precision, for two classes or for one against the rest.
//! - From probabilities: [`top_k_accuracy`], [`top_k_hits`], [`log_losses`], [`brier_scores`], and [`Confidences`] with a
//!   reliability diagram and the expected calibration error.
//!
//! A number that is not defined is `None`: the area under the ROC curve where there is only one class. The one
//! exception is scikit-learn's too (`zero_division=0`): precision, recall and F1 without a sample to divide by are
//! 0, and [`ClassScores::undefined`] says which ones.
//!
//! Methods with a parameter `times` count each sample that many times, as a bootstrap needs; `None` counts
//! each once.
//!
//! ```
//! use nn_core::metrics::{ClassCounts, Ranking};
//! # fn main() -> nn_core::Result<()> {
//! let (labels, predicted) = ([0, 0, 1, 1], [0, 1, 1, 1]);
//! let counts = ClassCounts::new(&labels, &predicted, 2, None)?;
//! assert_eq!((counts.accuracy(), counts.balanced_accuracy()), (Some(0.75), Some(0.75)));
//!
//! let ranking = Ranking::new(&[false, false, true, true], &[0.1, 0.4, 0.35, 0.8])?;
//! assert_eq!(ranking.roc_auc(None), Some(0.75));
//! # Ok(())
//! # }
//! ```

mod calibration;
mod checks;
mod confusion;
mod counts;
mod probabilities;
mod ranking;

pub use calibration::{Confidences, ReliabilityBin};
pub use confusion::{confusion_matrix, normalized_by_true};
pub use counts::{Averages, ClassCounts, ClassScores};
pub use probabilities::{brier_scores, log_losses, mean, top_k_accuracy, top_k_hits};
pub use ranking::{PrecisionRecallCurve, Ranking, RocCurve};

#[cfg(test)]
mod tests;

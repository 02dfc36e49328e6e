//! Scores that follow from how many samples of each class there are, were predicted, and were right.

use super::checks;
use crate::error::{Error, Result};
use serde::Serialize;

/// How many samples of each class there are, how many were predicted to be of it, and how many of these
/// rightly. Scores of answers need no more of a confusion matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassCounts {
    support: Vec<u64>,
    predicted: Vec<u64>,
    right: Vec<u64>,
}

/// The scores of one class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassScores {
    /// `right / predicted`: how many of the samples called so are so.
    pub precision: f64,
    /// `right / support`: how many of the samples that are so were called so.
    pub recall: f64,
    /// `2 right / (support + predicted)`, the harmonic mean of both.
    pub f1: f64,
    /// The number of samples of this class.
    pub support: u64,
    /// The number of samples that were predicted to be of this class.
    pub predicted: u64,
    /// Which of the three had nothing to divide by, and are 0 for that reason.
    pub undefined: Vec<&'static str>,
}

/// Means of the scores of all classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Averages {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl ClassCounts {
    /// Counts the predictions of samples.
    ///
    /// # Errors
    /// If there are not as many predictions (or `times`) as labels, or a class is not below `classes`.
    pub fn new(
        labels: &[usize],
        predicted: &[usize],
        classes: usize,
        times: Option<&[u32]>,
    ) -> Result<Self> {
        checks::lengths("the predictions", labels.len(), predicted.len())?;
        checks::times(labels.len(), times)?;
        checks::labels("the label", labels, classes)?;
        checks::labels("the prediction", predicted, classes)?;
        let none = vec![0; classes];
        let mut this = Self { support: none.clone(), predicted: none.clone(), right: none };
        for (i, (&label, &predicted)) in labels.iter().zip(predicted).enumerate() {
            let weight = checks::weight(times, i);
            this.support[label] += weight;
            this.predicted[predicted] += weight;
            this.right[label] += if label == predicted { weight } else { 0 };
        }
        Ok(this)
    }

    /// The counts of a confusion matrix, `[true class][predicted class]`.
    ///
    /// # Errors
    /// If it is not square.
    pub fn of_confusion(confusion: &[Vec<u64>]) -> Result<Self> {
        let classes = confusion.len();
        if let Some(row) = confusion.iter().find(|row| row.len() != classes) {
            let expected = format!("square, {classes} numbers in each row");
            return Err(Error::data(
                "the confusion matrix",
                expected,
                row.len(),
                "give every class a row and a column",
            ));
        }
        let column = |at: usize| confusion.iter().map(|row| row[at]).sum();
        Ok(Self {
            support: confusion.iter().map(|row| row.iter().sum()).collect(),
            predicted: (0..classes).map(column).collect(),
            right: confusion.iter().enumerate().map(|(at, row)| row[at]).collect(),
        })
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.support.len()
    }

    /// The number of samples.
    pub fn samples(&self) -> u64 {
        self.support.iter().sum()
    }

    /// The samples of each class.
    pub fn support(&self) -> &[u64] {
        &self.support
    }

    /// The samples of each class that were predicted rightly.
    pub fn right(&self) -> &[u64] {
        &self.right
    }

    /// The share of samples predicted rightly (`accuracy_score`); `None` without samples.
    pub fn accuracy(&self) -> Option<f64> {
        let samples = self.samples();
        (samples > 0).then(|| ratio(self.right.iter().sum(), samples))
    }

    /// The mean recall of the classes that have samples (`balanced_accuracy_score`); `None` without samples.
    ///
    /// ```
    /// # use nn_core::metrics::ClassCounts;
    /// # fn main() -> nn_core::Result<()> {
    /// // Always the larger class: right 9 times in 10, and as good as guessing.
    /// let counts = ClassCounts::of_confusion(&[vec![9, 0], vec![1, 0]])?;
    /// assert_eq!((counts.accuracy(), counts.balanced_accuracy()), (Some(0.9), Some(0.5)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let pairs = self.right.iter().zip(&self.support);
        let recalls = pairs.filter(|(_, support)| **support > 0).map(|(&r, &s)| ratio(r, s));
        let (sum, classes) = recalls.fold((0.0, 0), |(sum, n), recall| (sum + recall, n + 1));
        (classes > 0).then(|| sum / f64::from(classes))
    }

    /// Matthews' correlation of truth and prediction, for any number of classes (`matthews_corrcoef`): 1 for all
    /// right, about 0 for guessing, and 0 where all samples or all predictions are of one class.
    ///
    /// With `n` samples, `c` of them right, `t` of each class and `p` predicted to be of it (Gorodkin 2004,
    /// "Comparing two K-category assignments by a K-category correlation coefficient"):
    /// `(c n - Σ t p) / √((n² - Σ p²) (n² - Σ t²))`.
    pub fn matthews_corrcoef(&self) -> f64 {
        let dot = |a: &[u64], b: &[u64]| -> f64 {
            a.iter().zip(b).map(|(&a, &b)| a as f64 * b as f64).sum()
        };
        let n = self.samples() as f64;
        let right = self.right.iter().sum::<u64>() as f64;
        let covariance = right * n - dot(&self.support, &self.predicted);
        let of_truth = n * n - dot(&self.support, &self.support);
        let of_prediction = n * n - dot(&self.predicted, &self.predicted);
        match of_truth * of_prediction {
            0.0 => 0.0,
            product => covariance / product.sqrt(),
        }
    }

    /// The scores of each class (`precision_recall_fscore_support` with `zero_division=0`).
    pub fn per_class(&self) -> Vec<ClassScores> {
        (0..self.classes()).map(|class| self.scores(class)).collect()
    }

    fn scores(&self, class: usize) -> ClassScores {
        let (support, predicted) = (self.support[class], self.predicted[class]);
        let right = self.right[class];
        let whole = [("precision", predicted), ("recall", support), ("f1", support + predicted)];
        ClassScores {
            precision: ratio(right, predicted),
            recall: ratio(right, support),
            f1: ratio(2 * right, support + predicted),
            support,
            predicted,
            undefined: whole.iter().filter(|(_, n)| *n == 0).map(|(name, _)| *name).collect(),
        }
    }

    /// The means of all classes, each counting alike (`average="macro"`); `None` without samples.
    pub fn macro_average(&self) -> Option<Averages> {
        self.average(|_| 1)
    }

    /// The means of all classes, each counting as often as it has samples (`average="weighted"`); `None` without
    /// samples.
    pub fn weighted_average(&self) -> Option<Averages> {
        self.average(|class| self.support[class])
    }

    fn average(&self, weight: impl Fn(usize) -> u64) -> Option<Averages> {
        if self.samples() == 0 {
            return None;
        }
        let total: u64 = (0..self.classes()).map(&weight).sum();
        let mut sums = Averages { precision: 0.0, recall: 0.0, f1: 0.0 };
        for class in 0..self.classes() {
            let weight = weight(class) as f64;
            let (support, predicted) = (self.support[class], self.predicted[class]);
            let right = self.right[class];
            sums.precision += weight * ratio(right, predicted);
            sums.recall += weight * ratio(right, support);
            sums.f1 += weight * ratio(2 * right, support + predicted);
        }
        let total = total as f64;
        let Averages { precision, recall, f1 } = sums;
        Some(Averages { precision: precision / total, recall: recall / total, f1: f1 / total })
    }
}

//! Curves of a score's threshold: how well the order of scores tells one class from the rest.

use super::checks::{self, weight};
use crate::error::{Error, Result};

/// The samples in the order of their scores, the highest first, and whether each is of the class that high scores
/// should mean.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// Samples by falling score; equal scores in the order of the samples.
    order: Vec<usize>,
    scores: Vec<f64>,
    positive: Vec<bool>,
}

/// A receiver operating characteristic, from (0, 0) to (1, 1).
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// The share of other samples at or above each threshold.
    pub false_positive_rate: Vec<f64>,
    /// The share of the class's samples at or above each threshold.
    pub true_positive_rate: Vec<f64>,
    /// Falling thresholds; the first is infinite, as nothing is above it.
    pub thresholds: Vec<f64>,
}

/// Precision against recall.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Which share of the samples at or above each threshold is of the class; 1 at the end.
    pub precision: Vec<f64>,
    /// Which share of the class's samples is at or above each threshold; 0 at the end.
    pub recall: Vec<f64>,
    /// Rising thresholds, one fewer than points.
    pub thresholds: Vec<f64>,
}

/// The samples down to a threshold.
#[derive(Clone, Copy)]
struct Above {
    positives: u64,
    negatives: u64,
    threshold: f64,
}

impl Ranking {
    /// Orders samples by their scores.
    ///
    /// # Errors
    /// If there are not as many scores as samples, or a score is not a finite number.
    pub fn new(positive: &[bool], scores: &[f64]) -> Result<Self> {
        checks::lengths("the scores", positive.len(), scores.len())?;
        if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
            return Err(Error::data(
                format!("the score of sample {at}"),
                "a finite number",
                scores[at],
                "look for the layer where it became so",
            ));
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        Ok(Self { order, scores: scores.to_vec(), positive: positive.to_vec() })
    }

    /// Orders samples by the probability of `class`, which is to tell it from all others.
    ///
    /// # Errors
    /// If there is no row of finite probabilities for each label, or none of `class`.
    pub fn one_vs_rest(labels: &[usize], probabilities: &[Vec<f64>], class: usize) -> Result<Self> {
        checks::lengths("the rows of probabilities", labels.len(), probabilities.len())?;
        let positive: Vec<bool> = labels.iter().map(|&label| label == class).collect();
        let score = |(at, row): (usize, &Vec<f64>)| {
            row.get(class).copied().ok_or_else(|| {
                Error::data(
                    format!("the probabilities of sample {at}"),
                    format!("numbers for more than {class} classes"),
                    row.len(),
                    "give each sample one number per class",
                )
            })
        };
        let scores = probabilities.iter().enumerate().map(score).collect::<Result<Vec<_>>>()?;
        Self::new(&positive, &scores)
    }

    /// The samples at or above each score that there is, the highest first.
    fn steps<'a>(&'a self, times: Option<&'a [u32]>) -> impl Iterator<Item = Above> + 'a {
        let mut above = Above { positives: 0, negatives: 0, threshold: f64::INFINITY };
        self.order.iter().enumerate().filter_map(move |(at, &sample)| {
            let score = self.scores[sample];
            let weight = weight(times, sample);
            match self.positive[sample] {
                true => above.positives += weight,
                false => above.negatives += weight,
            }
            above.threshold = score;
            // Samples of equal scores are above a threshold together.
            let next = self.order.get(at + 1);
            next.is_none_or(|&next| self.scores[next] != score).then_some(above)
        })
    }

    /// The samples of the class, and the others.
    fn totals(&self, times: Option<&[u32]>) -> (u64, u64) {
        self.steps(times).last().map_or((0, 0), |all| (all.positives, all.negatives))
    }

    /// The ROC curve (`roc_curve`), without points that lie on a line between others; `None` if there are no
    /// samples of the class, or no others.
    pub fn roc_curve(&self) -> Option<RocCurve> {
        let (positives, negatives) = self.totals(None);
        if positives == 0 || negatives == 0 {
            return None;
        }
        let all: Vec<Above> = self.steps(None).collect();
        let goes_on = |at: usize| {
            let change =
                |a: Above, b: Above| (b.positives - a.positives, b.negatives - a.negatives);
            change(all[at - 1], all[at]) == change(all[at], all[at + 1])
        };
        let inner = |at: usize| at > 0 && at + 1 < all.len();
        let kept = (0..all.len()).filter(|&at| !(inner(at) && goes_on(at)));
        let mut curve = RocCurve {
            false_positive_rate: vec![0.0],
            true_positive_rate: vec![0.0],
            thresholds: vec![f64::INFINITY],
        };
        for at in kept {
            let above = all[at];
            curve.false_positive_rate.push(above.negatives as f64 / negatives as f64);
            curve.true_positive_rate.push(above.positives as f64 / positives as f64);
            curve.thresholds.push(above.threshold);
        }
        Some(curve)
    }

    /// The area under the ROC curve (`roc_auc_score`): how often a sample of the class has a higher score than
    /// another, equal scores counting half (Hanley and McNeil 1982, "The meaning and use of the area under a
    /// receiver operating characteristic curve"). `None` if there are no samples of the class, or no others.
    pub fn roc_auc(&self, times: Option<&[u32]>) -> Option<f64> {
        let (mut pairs, mut before) = (0.0, (0, 0));
        for above in self.steps(times) {
            let (positives, negatives) = (above.positives - before.0, above.negatives - before.1);
            pairs += negatives as f64 * (before.0 as f64 + 0.5 * positives as f64);
            before = (above.positives, above.negatives);
        }
        let all = before.0 as f64 * before.1 as f64;
        (all > 0.0).then(|| pairs / all)
    }

    /// The precision-recall curve (`precision_recall_curve`); `None` without samples of the class.
    pub fn precision_recall_curve(&self) -> Option<PrecisionRecallCurve> {
        let (positives, _) = self.totals(None);
        if positives == 0 {
            return None;
        }
        let mut all: Vec<Above> = self.steps(None).collect();
        all.reverse();
        let precision = |a: &Above| a.positives as f64 / (a.positives + a.negatives) as f64;
        let recall = |a: &Above| a.positives as f64 / positives as f64;
        Some(PrecisionRecallCurve {
            precision: all.iter().map(precision).chain([1.0]).collect(),
            recall: all.iter().map(recall).chain([0.0]).collect(),
            thresholds: all.iter().map(|above| above.threshold).collect(),
        })
    }

    /// The mean of the precision at each threshold, weighted by how much recall it adds
    /// (`average_precision_score`): `Σ (Rₖ - Rₖ₋₁) Pₖ`. `None` without samples of the class.
    ///
    /// ```
    /// # fn main() -> nn_core::Result<()> {
    /// let positive = [false, false, true, true];
    /// let ranking = nn_core::metrics::Ranking::new(&positive, &[0.1, 0.4, 0.35, 0.8])?;
    /// assert_eq!(ranking.average_precision(None), Some(0.5 * 1.0 + 0.5 * 2.0 / 3.0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn average_precision(&self, times: Option<&[u32]>) -> Option<f64> {
        let (mut sum, mut positives) = (0.0, 0);
        for above in self.steps(times).filter(|above| above.positives > 0) {
            let found = (above.positives - positives) as f64;
            sum += found * above.positives as f64 / (above.positives + above.negatives) as f64;
            positives = above.positives;
        }
        (positives > 0).then(|| sum / positives as f64)
    }
}

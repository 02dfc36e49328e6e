//! Whether probabilities mean what they say.

use super::checks;
use crate::error::{Error, Result};
use serde::Serialize;

/// How sure a classifier was of each answer, and whether it was right.
#[derive(Clone, Debug)]
pub struct Confidences {
    confidence: Vec<f64>,
    right: Vec<bool>,
}

/// The answers whose confidence lies in `(low, high]`, the first interval with its lower end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The number of answers.
    pub n: u64,
    /// Of these, the right ones.
    pub right: u64,
    /// Their mean confidence; 0 if there are none.
    pub confidence: f64,
    /// The share of right ones; 0 if there are none.
    pub accuracy: f64,
}

impl Confidences {
    /// The largest probability of each sample, and whether the first class that has it is the true one.
    ///
    /// # Errors
    /// If there is no row of probabilities from 0 to 1 for each label.
    pub fn new(labels: &[usize], probabilities: &[Vec<f64>]) -> Result<Self> {
        checks::rows(labels, probabilities)?;
        let (mut confidence, mut right) = (Vec::new(), Vec::new());
        for (at, (&label, row)) in labels.iter().zip(probabilities).enumerate() {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if !(0.0..=1.0).contains(&largest) {
                return Err(Error::data(
                    format!("the largest probability of sample {at}"),
                    "from 0 to 1",
                    largest,
                    "give probabilities, not logits",
                ));
            }
            right.push(row.iter().position(|p| *p == largest) == Some(label));
            confidence.push(largest);
        }
        Ok(Self { confidence, right })
    }

    /// The bins of a reliability diagram: `bins` intervals of equal width, empty ones too
    /// (`calibration_curve` of whether answers are right, `strategy="uniform"`).
    pub fn bins(&self, bins: usize, times: Option<&[u32]>) -> Vec<ReliabilityBin> {
        let bins = bins.max(1);
        let end = |at: usize| at as f64 / bins as f64;
        let empty = |at| ReliabilityBin {
            low: end(at),
            high: end(at + 1),
            n: 0,
            right: 0,
            confidence: 0.0,
            accuracy: 0.0,
        };
        let mut all: Vec<_> = (0..bins).map(empty).collect();
        for (i, (&confidence, &right)) in self.confidence.iter().zip(&self.right).enumerate() {
            let weight = checks::weight(times, i);
            // The product may be off by a rounding, the comparison is not.
            let near = ((confidence * bins as f64) as usize).min(bins - 1);
            let at = match near {
                at if at > 0 && confidence <= end(at) => at - 1,
                at if at + 1 < bins && confidence > end(at + 1) => at + 1,
                at => at,
            };
            all[at].n += weight;
            all[at].right += if right { weight } else { 0 };
            all[at].confidence += confidence * weight as f64;
        }
        for bin in all.iter_mut().filter(|bin| bin.n > 0) {
            bin.confidence /= bin.n as f64;
            bin.accuracy = bin.right as f64 / bin.n as f64;
        }
        all
    }

    /// The expected calibration error: the mean distance between confidence and accuracy of the bins, each counting
    /// as many times as it has answers (Naeini and others 2015, "Obtaining well calibrated probabilities using Bayesian
    /// binning"; Guo and others 2017, "On calibration of modern neural networks"). `None` without samples.
    ///
    /// ```
    /// # fn main() -> nn_core::Result<()> {
    /// // Sure to 0.9 each time, and right one time of two.
    /// let rows = [vec![0.9, 0.1], vec![0.9, 0.1]];
    /// let confidences = nn_core::metrics::Confidences::new(&[0, 1], &rows)?;
    /// let error = confidences.expected_calibration_error(10, None).unwrap();
    /// assert!((error - 0.4).abs() < 1e-12);
    /// # Ok(())
    /// # }
    /// ```
    pub fn expected_calibration_error(&self, bins: usize, times: Option<&[u32]>) -> Option<f64> {
        let all = self.bins(bins, times);
        let total: u64 = all.iter().map(|bin| bin.n).sum();
        let off = |bin: &ReliabilityBin| bin.n as f64 * (bin.accuracy - bin.confidence).abs();
        (total > 0).then(|| all.iter().map(off).sum::<f64>() / total as f64)
    }
}

//! Scores of probabilities, sample by sample.

use super::checks;
use crate::error::{Error, Result};

/// How often the true class is among the `k` most probable ones (`top_k_accuracy_score` of several classes);
/// `None` without samples. Of equal probabilities that of the later class counts as the larger, as in
/// scikit-learn.
///
/// # Errors
/// If `k` is 0, or there is no row of finite probabilities for each label.
///
/// ```
/// # fn main() -> nn_core::Result<()> {
/// let rows = [vec![0.5, 0.2, 0.3], vec![0.3, 0.4, 0.3]];
/// assert_eq!(nn_core::metrics::top_k_accuracy(&[2, 1], &rows, 1)?, Some(0.5));
/// assert_eq!(nn_core::metrics::top_k_accuracy(&[2, 1], &rows, 2)?, Some(1.0));
/// # Ok(())
/// # }
/// ```
pub fn top_k_accuracy(
    labels: &[usize],
    probabilities: &[Vec<f64>],
    k: usize,
) -> Result<Option<f64>> {
    let hits = top_k_hits(labels, probabilities, k)?;
    let count = hits.iter().filter(|hit| **hit).count();
    Ok((!hits.is_empty()).then(|| count as f64 / hits.len() as f64))
}

/// Whether the true class of each sample is among its `k` most probable ones, as [`top_k_accuracy`] counts them.
///
/// # Errors
/// Those of [`top_k_accuracy`].
pub fn top_k_hits(labels: &[usize], probabilities: &[Vec<f64>], k: usize) -> Result<Vec<bool>> {
    if k == 0 {
        let remedy = "ask for the most probable class with 1";
        return Err(Error::setting("k of the top-k accuracy", "at least 1", k, remedy));
    }
    checks::rows(labels, probabilities)?;
    let is_hit = |(&label, row): (&usize, &Vec<f64>)| {
        let own = row[label];
        let ahead = |(at, &p): (usize, &f64)| p > own || p == own && at > label;
        row.iter().enumerate().filter(|other| ahead(*other)).count() < k
    };
    Ok(labels.iter().zip(probabilities).map(is_hit).collect())
}

/// The cross-entropy of each sample, `-ln p` of its true class, with `p` no closer to 0 or 1 than the precision of
/// `f64`; their mean is scikit-learn's `log_loss`.
///
/// # Errors
/// If there is no row of finite probabilities for each label.
pub fn log_losses(labels: &[usize], probabilities: &[Vec<f64>]) -> Result<Vec<f64>> {
    checks::rows(labels, probabilities)?;
    let loss = |(&label, row): (&usize, &Vec<f64>)| {
        -row[label].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    };
    Ok(labels.iter().zip(probabilities).map(loss).collect())
}

/// The Brier score of each sample: the sum over classes of the squared distance of its probability from 1 for the
/// true class and 0 for others, half of it for two classes, where both distances are the same. Their mean is
/// scikit-learn's `brier_score_loss` (Brier 1950, "Verification of forecasts expressed in terms of probability").
///
/// # Errors
/// If there is no row of finite probabilities for each label.
///
/// ```
/// # fn main() -> nn_core::Result<()> {
/// let scores = nn_core::metrics::brier_scores(&[1, 0], &[vec![0.25, 0.75], vec![1.0, 0.0]])?;
/// assert_eq!(scores, [0.0625, 0.0]);
/// # Ok(())
/// # }
/// ```
pub fn brier_scores(labels: &[usize], probabilities: &[Vec<f64>]) -> Result<Vec<f64>> {
    checks::rows(labels, probabilities)?;
    let score = |(&label, row): (&usize, &Vec<f64>)| {
        let distance = |(at, p): (usize, &f64)| (p - f64::from(u8::from(at == label))).powi(2);
        let sum: f64 = row.iter().enumerate().map(distance).sum();
        if row.len() == 2 { sum / 2.0 } else { sum }
    };
    Ok(labels.iter().zip(probabilities).map(score).collect())
}

/// The mean of values of samples; `None` if none of them counts.
pub fn mean(values: &[f64], times: Option<&[u32]>) -> Option<f64> {
    let weighted = values.iter().enumerate().map(|(i, v)| (v, checks::weight(times, i)));
    let (sum, count) =
        weighted.fold((0.0, 0), |(sum, count), (v, n)| (sum + v * n as f64, count + n));
    (count > 0).then(|| sum / count as f64)
}

//! Which way fits best, and which cannot be told from it.

use nn_core::train::most_probable;
use nn_study::stats::{Interval, mean_interval, wilson};

/// Probabilities below this count as it, as in Keras: one answer that is sure and wrong is not to decide alone.
const LEAST: f64 = 1e-7;

/// How well a way fits, image by image.
pub struct Score {
    /// The lower, the better: the cross-entropy, or minus the information of the answer.
    pub costs: Vec<f64>,
    /// The number of right answers, where they are known.
    pub right: Option<u64>,
}

impl Score {
    /// From the probabilities of each image's classes, and the classes that are right for it.
    pub fn labelled(rows: &[Vec<f64>], right: &[&[usize]]) -> Self {
        let mut hits = 0;
        let cost = |(row, right): (&Vec<f64>, &&[usize])| {
            let share: f64 = right.iter().map(|&class| row[class]).sum();
            hits += u64::from(share.is_finite() && right.contains(&most_probable(row)));
            let share = if share.is_nan() { 0.0 } else { share };
            -share.clamp(LEAST, 1.0).ln()
        };
        let costs = rows.iter().zip(right).map(cost).collect();
        Self { costs, right: Some(hits) }
    }

    /// From the probabilities alone: how far each answer is from the mean answer (Kullback and Leibler), whose mean is
    /// the mutual information of image and answer. Answers that are always the same, however sure, have none.
    pub fn unlabelled(rows: &[Vec<f64>]) -> Self {
        let classes = rows.first().map_or(0, Vec::len);
        let mean =
            |class: usize| rows.iter().map(|row| row[class]).sum::<f64>() / rows.len() as f64;
        let mean: Vec<f64> = (0..classes).map(mean).collect();
        let information = |row: &Vec<f64>| {
            let part = |(&p, &mean): (&f64, &f64)| if p > 0.0 { p * (p / mean).ln() } else { 0.0 };
            let sum: f64 = row.iter().zip(&mean).map(part).sum();
            if sum.is_finite() { -sum } else { 0.0 }
        };
        Self { costs: rows.iter().map(information).collect(), right: None }
    }

    /// The mean of the costs.
    pub fn cost(&self) -> f64 {
        self.costs.iter().sum::<f64>() / self.costs.len() as f64
    }

    /// The 95 % interval of the mean of the costs.
    pub fn cost_interval(&self) -> Option<Interval> {
        mean_interval(&self.costs)
    }

    /// The share of right answers with its 95 % interval.
    pub fn accuracy(&self) -> Option<(f64, Interval)> {
        let (right, n) = (self.right?, self.costs.len() as u64);
        Some((right as f64 / n as f64, wilson(right, n)))
    }

    /// Whether this is worse than `best` beyond the 95 % interval of the difference, image by image.
    pub fn is_worse(&self, best: &Self) -> bool {
        let differences = self.costs.iter().zip(&best.costs).map(|(cost, best)| cost - best);
        mean_interval(&differences.collect::<Vec<_>>()).is_some_and(|interval| interval.low > 0.0)
    }
}

/// The order of scores, the best first; of equals, the first.
pub fn ranked(scores: &[Score]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].cost().total_cmp(&scores[b].cost()));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_cross_entropies_of_all_classes_that_are_right() {
        let rows = [vec![0.5, 0.25, 0.25], vec![0.0, 0.1, 0.9], vec![f64::NAN; 3]];
        let score = Score::labelled(&rows, &[&[0, 1], &[0], &[2]]);
        assert_eq!(score.right, Some(1));
        let expected = [-(0.75f64.ln()), -(1e-7f64.ln()), -(1e-7f64.ln())];
        assert!(
            score.costs.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12),
            "{:?}",
            score.costs
        );
    }

    #[test]
    fn sure_answers_that_never_differ_have_no_information() {
        let same = Score::unlabelled(&vec![vec![1.0, 0.0]; 8]);
        let unsure = Score::unlabelled(&[vec![0.6, 0.4], vec![0.4, 0.6]]);
        let sure = Score::unlabelled(&[vec![1.0, 0.0], vec![0.0, 1.0]]);
        assert_eq!(same.cost(), 0.0);
        assert!((sure.cost() + 2f64.ln()).abs() < 1e-12 && unsure.cost() < 0.0);
        assert_eq!(ranked(&[same, unsure, sure]), [2, 1, 0]);
    }

    #[test]
    fn what_scatters_cannot_be_told_apart() {
        let score = |costs: &[f64]| Score { costs: costs.to_vec(), right: None };
        let best = score(&[0.1, 0.5, 0.2, 0.3]);
        assert!(score(&[0.2, 0.6, 0.31, 0.4]).is_worse(&best));
        assert!(!score(&[0.0, 2.0, 0.1, 0.2]).is_worse(&best));
        assert!(!best.is_worse(&best));
        // Two images say nothing of how they scatter.
        assert!(!score(&[9.0, 9.0]).is_worse(&score(&[0.0, 0.0])));
    }
}

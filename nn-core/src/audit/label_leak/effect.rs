//! Effect sizes and their confidence intervals.

use super::bins::{Binned, Question};
use super::fact::Source;

/// The minimum difference of shares of a strong leak.
const LEAST: f64 = 0.15;
/// The same for facts that the subject itself may explain.
const CLEAR: f64 = 0.5;
/// The odds ratio from which the subject is rarely the explanation, so that [`LEAST`] suffices: for
/// instance 50 % of a class against 5 % of the others, or 17 % against 1 %. Shifts of a mean, as
/// subjects cause them, reach it only where the difference of shares exceeds [`CLEAR`], too.
const CLEAR_ODDS: f64 = 19.0;

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The effect of a question on one class: the shares of the class and of the others for which it is true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The share of the class.
    pub within: f64,
    /// The share of all others.
    pub elsewhere: f64,
    /// Their difference.
    pub difference: f64,
    /// The 95 % confidence interval of the difference.
    pub interval: [f64; 2],
    /// The odds ratio of the class against all others, with half an image added to each count so
    /// that none is 0 (J. B. S. Haldane, "The estimation and significance of the logarithm of a
    /// ratio of frequencies", 1956).
    pub odds_ratio: f64,
}

impl Effect {
    /// The effect of `question` on `class`.
    pub fn new(binned: &Binned, question: Question, labels: &[usize], class: usize) -> Self {
        let (mut yes, mut all) = ([0.0; 2], [0.0; 2]);
        for (image, &label) in labels.iter().enumerate() {
            let side = usize::from(label != class);
            all[side] += 1.0;
            yes[side] += f64::from(u8::from(binned.holds(question, image)));
        }
        of_counts([(yes[0], all[0]), (yes[1], all[1])])
    }

    /// Whether the effect is large enough for a network to learn, for facts of this source.
    pub fn is_strong(&self, source: Source) -> bool {
        let is_clear = self.odds_ratio >= CLEAR_ODDS && self.difference >= LEAST;
        is_clear || self.difference >= least_gain(source)
    }
}

/// The minimum gain of a strong leak: the difference of shares, or the share of the way from chance
/// to an accuracy of 1.
pub fn least_gain(source: Source) -> f64 {
    match source {
        Source::File | Source::Mark | Source::Name => LEAST,
        // The content of the pictures affects these facts, too.
        Source::Picture => CLEAR,
    }
}

/// The effect of counts (true, all), for the class and for all others.
pub fn of_counts(counts: [(f64, f64); 2]) -> Effect {
    let [within, elsewhere] = counts.map(|(yes, all)| yes / f64::max(all, 1.0));
    let interval = difference(counts);
    let [odds, other_odds] = counts.map(|(yes, all)| (yes + 0.5) / (all - yes + 0.5));
    let odds_ratio = odds / other_odds;
    Effect { within, elsewhere, difference: within - elsewhere, interval, odds_ratio }
}

/// The 95 % confidence interval of a difference between two shares: R. G. Newcombe, "Interval
/// estimation for the difference between independent proportions", 1998, method 10.
fn difference([one, other]: [(f64, f64); 2]) -> [f64; 2] {
    let share = |(k, n): (f64, f64)| k / n.max(1.0);
    let (p, q) = (share(one), share(other));
    let ([p_low, p_high], [q_low, q_high]) = (wilson(one), wilson(other));
    let below = ((p - p_low).powi(2) + (q_high - q).powi(2)).sqrt();
    let above = ((p_high - p).powi(2) + (q - q_low).powi(2)).sqrt();
    [p - q - below, p - q + above]
}

/// The 95 % confidence interval of a share (Wilson, 1927).
fn wilson((k, n): (f64, f64)) -> [f64; 2] {
    let (p, n) = (k / n.max(1.0), n.max(1.0));
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// The balanced accuracy of a leave-one-out classifier that predicts the most common class of an
/// image's bin. Votes are weighted by one over the number of images of their class; on ties the
/// classes share the prediction.
pub fn accuracy(binned: &Binned, labels: &[usize], classes: usize) -> f64 {
    let mut counts = vec![0.0_f64; classes];
    let mut votes = vec![vec![0.0_f64; classes]; binned.sizes.len()];
    for (&label, &bin) in labels.iter().zip(&binned.bins) {
        counts[label] += 1.0;
        votes[usize::from(bin)][label] += 1.0;
    }
    let mut right = vec![0.0_f64; classes];
    for (&label, &bin) in labels.iter().zip(&binned.bins) {
        let share = |class: usize| {
            let own = f64::from(u8::from(class == label));
            let votes = votes[usize::from(bin)][class] - own;
            if counts[class] - own > 0.0 { votes / (counts[class] - own) } else { 0.0 }
        };
        let present = || (0..classes).filter(|&class| counts[class] > 0.0);
        let most = present().map(share).fold(0.0, f64::max);
        if share(label) >= most - 1e-12 {
            let tied = present().filter(|&class| share(class) >= most - 1e-12).count();
            right[label] += 1.0 / tied as f64;
        }
    }
    let shares = right.iter().zip(&counts).filter(|(_, count)| **count > 0.0);
    let (sum, n) = shares.fold((0.0, 0), |(sum, n), (right, count)| (sum + right / count, n + 1));
    sum / f64::from(n.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_class_is_much_where_no_other_image_is_so() {
        let strong = |one, other, source| of_counts([one, other]).is_strong(source);
        for (one, other, picture) in [
            ((75.0, 100.0), (25.0, 100.0), true),
            ((60.0, 100.0), (20.0, 100.0), false),
            ((30.0, 100.0), (0.0, 100.0), true),
            ((30.0, 100.0), (5.0, 100.0), false),
            ((3.0, 10.0), (0.0, 10.0), false),
        ] {
            assert_eq!(strong(one, other, Source::Picture), picture, "{one:?} against {other:?}");
            assert!(strong(one, other, Source::File), "{one:?} against {other:?}");
        }
        assert!(!strong((10.0, 100.0), (0.0, 100.0), Source::File));
    }

    /// Newcombe (1998), table II, method 10.
    #[test]
    fn intervals_are_those_of_the_paper() {
        for ((a, m), (b, n), low, high) in [
            ((56.0, 70.0), (48.0, 80.0), 0.0524, 0.3339),
            ((9.0, 10.0), (3.0, 10.0), 0.1705, 0.8090),
            ((10.0, 10.0), (0.0, 20.0), 0.6791, 1.0),
        ] {
            let got = difference([(a, m), (b, n)]);
            assert!((got[0] - low).abs() < 6e-5 && (got[1] - high).abs() < 6e-5, "{got:?}");
        }
    }
}

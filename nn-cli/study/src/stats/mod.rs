//! The uncertainty of scores from few images or few seeds.

mod bootstrap;
mod grouped;
mod guessing;
mod repeated;

pub use bootstrap::{Bootstrapped, Strata, bootstrap, resamples};
pub use grouped::grouped;
pub use guessing::{Guessing, UNIFORM};
pub use repeated::Repeated;

use crate::format::percent;
use serde::Serialize;
use std::fmt;

/// The 97.5th percentile of the normal distribution: two-sided 95 %.
const Z: f64 = 1.959_964;

/// An interval of shares between 0 and 1, or of differences between -1 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// The lower and the upper end.
    pub fn ends(self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Whether the whole interval is above `value`, also after rounding to whole percent as in the output:
    /// 50 to 86 % is not above 50 %.
    pub fn is_above(&self, value: f64) -> bool {
        self.low > value && (self.low * 100.0).round() > value * 100.0
    }

    /// Whether the whole interval is below `value`, also after rounding.
    pub fn is_below(&self, value: f64) -> bool {
        self.high < value && (self.high * 100.0).round() < value * 100.0
    }
}

/// For people: `70 to 97 %`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} to {:.0} %", self.low * 100.0, self.high * 100.0)
    }
}

/// An accuracy for people: `90.0 % (18 of 20; 95 % interval 70 to 97 %)`.
pub fn accuracy(correct: u64, n: u64) -> String {
    if n == 0 {
        return "– (no images)".into();
    }
    let share = percent(correct as f64 / n as f64);
    format!("{share} ({correct} of {n}; 95 % interval {})", wilson(correct, n))
}

/// The accuracy of a confusion matrix for people, as [`accuracy`] tells it.
pub fn accuracy_of(confusion: &[Vec<u64>]) -> String {
    let correct = confusion.iter().enumerate().filter_map(|(at, row)| row.get(at));
    accuracy(correct.sum(), confusion.iter().flatten().sum())
}

/// The 95 % interval of a share from `correct` right answers of `n`, after Wilson (1927), "Probable
/// inference, the law of succession, and statistical inference".
///
/// Unlike the normal (Wald) interval it stays within 0 and 1 and keeps its coverage for few images and for
/// shares near the ends, as they occur in these experiments. Without any images it is 0 to 1.
pub fn wilson(correct: u64, n: u64) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    score(correct.min(n) as f64 / n as f64, n as f64, Z)
}

/// Wilson's interval around the share `p`, which is as precise as one from `n` independent answers; `z` is
/// the normal or t quantile.
fn score(p: f64, n: f64, z: f64) -> Interval {
    let z2 = z * z;
    let centre = p + z2 / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // The ends are exact if all or no answers are right; rounding must not change that.
    let low = if p == 0.0 { 0.0 } else { (centre - spread) / scale };
    let high = if p == 1.0 { 1.0 } else { (centre + spread) / scale };
    Interval { low, high }
}

/// The 95 % interval of the mean of `values`, after Student (1908), "The probable error of a mean"; `None`
/// for fewer than three values, which say too little about their variance.
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    let n = values.len() as f64;
    if values.len() < 3 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let spread = repeated::student(n - 1.0) * (variance / n).sqrt();
    Some(Interval { low: mean - spread, high: mean + spread })
}

/// The 95 % interval of `a - b`, two shares measured on different images, from their own intervals:
/// method 10 of Newcombe (1998), "Interval estimation for the difference between independent
/// proportions".
pub fn difference(a: f64, a_range: Interval, b: f64, b_range: Interval) -> Interval {
    let below = (a - a_range.low).hypot(b_range.high - b);
    let above = (a_range.high - a).hypot(b - b_range.low);
    Interval { low: (a - b - below).max(-1.0), high: (a - b + above).min(1.0) }
}

/// The 95 % interval of the mean of shares of different images, each with its own interval, joined as Zou and Donner (2008) do, "Construction of confidence limits about effect measures",
/// of which [`difference`] is the case of two. Without shares it is 0 to 1.
pub fn mean_of_shares(shares: &[(f64, Interval)]) -> Interval {
    if shares.is_empty() {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (mut sum, mut below, mut above) = (0.0, 0.0, 0.0f64);
    for (share, range) in shares {
        sum += share;
        below += (share - range.low).powi(2);
        above += (range.high - share).powi(2);
    }
    let count = shares.len() as f64;
    let (low, high) = ((sum - below.sqrt()) / count, (sum + above.sqrt()) / count);
    Interval { low: low.max(0.0), high: high.min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I,
    /// method 3.
    #[test]
    fn accuracies_come_with_what_is_known_of_them() {
        assert_eq!(accuracy(18, 20), "90.0 % (18 of 20; 95 % interval 70 to 97 %)");
        assert_eq!(accuracy(0, 0), "– (no images)");
    }

    #[test]
    fn agrees_with_published_values() {
        for (correct, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let got = wilson(correct, n);
            assert!((got.low - low).abs() < 5e-5, "{correct}/{n}: {got:?}");
            assert!((got.high - high).abs() < 5e-5, "{correct}/{n}: {got:?}");
        }
    }

    /// Newcombe (1998), table II, method 10.
    #[test]
    fn differences_agree_with_published_values() {
        for (a, m, b, n, low, high) in [
            (56, 70, 48, 80, 0.0524, 0.3339),
            (9, 10, 3, 10, 0.1705, 0.8090),
            (10, 10, 0, 20, 0.6791, 1.0000),
        ] {
            let share = |k: u64, n: u64| k as f64 / n as f64;
            let got = difference(share(a, m), wilson(a, m), share(b, n), wilson(b, n));
            assert!((got.low - low).abs() < 5e-5, "{a}/{m} - {b}/{n}: {got:?}");
            assert!((got.high - high).abs() < 5e-5, "{a}/{m} - {b}/{n}: {got:?}");
        }
    }

    #[test]
    fn a_mean_of_shares_is_as_sure_as_its_shares() {
        assert_eq!(mean_of_shares(&[]), Interval { low: 0.0, high: 1.0 });
        let share = |right, n| (right as f64 / n as f64, wilson(right, n));
        let one = mean_of_shares(&[share(81, 263)]);
        assert!((one.low - 0.2553).abs() < 5e-5 && (one.high - 0.3662).abs() < 5e-5, "{one:?}");
        // The mean of a and 1 - b is half of 1 + a - b, so Newcombe's interval tells its own.
        let (a, b) = ((56, 70), (48, 80));
        let mean = mean_of_shares(&[share(a.0, a.1), share(b.1 - b.0, b.1)]);
        assert!((mean.low - (1.0 + 0.0524) / 2.0).abs() < 5e-5, "{mean:?}");
        assert!((mean.high - (1.0 + 0.3339) / 2.0).abs() < 5e-5, "{mean:?}");
    }

    /// Student's own example: `t.test(c(0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0))` in R.
    #[test]
    fn a_mean_has_an_interval() {
        let sleep = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let got = mean_interval(&sleep).unwrap();
        assert!(
            (got.low + 0.5297804).abs() < 2e-3 && (got.high - 2.0297804).abs() < 2e-3,
            "{got:?}"
        );
        assert_eq!(mean_interval(&[0.1, 0.2]), None);
    }

    #[test]
    fn an_interval_excludes_what_it_excludes_in_print() {
        let range = |low, high| Interval { low, high };
        assert!(range(0.506, 0.86).is_above(0.5) && !range(0.504, 0.86).is_above(0.5));
        assert!(range(0.338, 0.5).is_above(1.0 / 3.0) && !range(0.334, 0.5).is_above(1.0 / 3.0));
        assert!(range(0.1, 0.494).is_below(0.5) && !range(0.1, 0.496).is_below(0.5));
        assert!(!range(0.004, 0.3).is_above(0.0));
        // Rounding must not exclude a value that is within the interval.
        assert!(!range(0.5051, 0.86).is_above(0.508) && !range(0.1, 0.4949).is_below(0.492));
    }

    #[test]
    fn twenty_images_say_little() {
        let percent = |i: Interval| ((i.low * 100.0).round(), (i.high * 100.0).round());
        assert_eq!(percent(wilson(18, 20)), (70.0, 97.0));
        assert_eq!(percent(wilson(14, 20)), (48.0, 85.0));
    }

    #[test]
    fn stays_within_bounds_and_mirrors() {
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
        for n in 1..60 {
            for correct in 0..=n {
                let (got, mirror) = (wilson(correct, n), wilson(n - correct, n));
                let share = correct as f64 / n as f64;
                assert!(0.0 <= got.low && got.low <= share && share <= got.high && got.high <= 1.0);
                assert!((got.low + mirror.high - 1.0).abs() < 1e-12);
            }
        }
    }
}

//! The uncertainty of a share of answers that are not independent: of several images of one subject.

use super::repeated::student;
use super::{Interval, Z, score, wilson};
use std::collections::BTreeMap;

/// The 95 % interval of the share of right answers, each given as its group and whether it is right.
///
/// Answers to images of one group (copies, images of one subject) are right or wrong together more often than others.
/// So the interval is Wilson's for the number of independent answers whose share would vary as much as this one does
/// between groups (the ratio of two sums, Cochran 1977, "Sampling techniques", 2.11; Franco et al. 2019, "Comparative
/// study of confidence intervals for proportions in complex sample surveys"), with Student's t for the number of groups.
/// It is never narrower than that of independent answers; where each answer has a group of its own, it is [`wilson`].
pub fn grouped(answers: impl IntoIterator<Item = (usize, bool)>) -> Interval {
    let mut groups: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for (group, right) in answers {
        let (correct, n) = groups.entry(group).or_default();
        *correct += u64::from(right);
        *n += 1;
    }
    let correct: u64 = groups.values().map(|group| group.0).sum();
    let n: u64 = groups.values().map(|group| group.1).sum();
    let count = groups.len() as f64;
    if count == n as f64 {
        return wilson(correct, n);
    }
    let p = correct as f64 / n as f64;
    if correct == 0 || correct == n {
        // The variance cannot be estimated, so each group counts once.
        return score(p, count, Z);
    }
    if groups.len() < 2 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let square = |(right, of): &(u64, u64)| (*right as f64 - p * *of as f64).powi(2);
    let between: f64 = groups.values().map(square).sum();
    let variance = count / (count - 1.0) * between / (n as f64).powi(2);
    let independent = p * (1.0 - p) / n as f64;
    if variance <= independent {
        return score(p, n as f64, Z);
    }
    score(p, p * (1.0 - p) / variance, student(count - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_their_own_are_independent() {
        let answers = (0..20).map(|at| (at, at < 18));
        assert_eq!(grouped(answers), wilson(18, 20));
        assert_eq!(grouped([]), wilson(0, 0));
    }

    #[test]
    fn copies_add_nothing() {
        // Ten images, each there ten times: as sure as ten images, with t in place of the normal quantile.
        let copies = grouped((0..100).map(|at| (at / 10, at / 10 < 7)));
        let once = wilson(7, 10);
        assert!(copies.low < once.low && copies.high > once.high, "{copies:?} {once:?}");
        assert!((copies.low - once.low).abs() < 0.06, "{copies:?} {once:?}");
        let all = grouped((0..100).map(|at| (at / 10, true)));
        assert_eq!(all, wilson(10, 10));
        assert_eq!(grouped([(3, true), (3, false)]), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn groups_that_are_as_different_as_images_change_nothing() {
        // In each pair one is right: the share varies less between groups than between images.
        let pairs = grouped((0..40).map(|at| (at / 2, at % 2 == 0)));
        assert_eq!(pairs, wilson(20, 40));
    }
}

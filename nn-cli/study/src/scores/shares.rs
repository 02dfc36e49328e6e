//! Scores that are shares of answers, with their intervals.

use super::{Intervals, PerClass};
use crate::stats::{self, Interval, grouped, wilson};
use nn_core::metrics::{ClassCounts, ClassScores};
use nn_core::train::Classification;

/// The 95 % interval of the share of right answers among those to the images at `at`.
fn of_share(of: &Classification, at: &[usize], groups: Option<&[usize]>) -> Interval {
    of_hits(at.iter().map(|&i| (i, of.predicted[i] == of.labels[i])), groups)
}

/// The 95 % interval of the share of hits, each given with the place of its image.
pub(super) fn of_hits(
    hits: impl Iterator<Item = (usize, bool)>,
    groups: Option<&[usize]>,
) -> Interval {
    match groups {
        Some(groups) => grouped(hits.map(|(i, hit)| (groups[i], hit))),
        None => {
            let hits: Vec<bool> = hits.map(|(_, hit)| hit).collect();
            wilson(hits.iter().filter(|hit| **hit).count() as u64, hits.len() as u64)
        }
    }
}

/// The images whose `class` in `of` is this one.
fn those(of: &[usize], class: usize) -> Vec<usize> {
    (0..of.len()).filter(|&i| of[i] == class).collect()
}

/// The intervals of accuracy and balanced accuracy, which are shares or means of shares.
pub(super) fn of_shares(
    counts: &ClassCounts,
    of: &Classification,
    groups: Option<&[usize]>,
) -> Intervals {
    let share = |class: usize| {
        let (right, n) = (counts.right()[class], counts.support()[class]);
        (right as f64 / n as f64, of_share(of, &those(&of.labels, class), groups))
    };
    let tested = (0..counts.classes()).filter(|class| counts.support()[*class] > 0);
    let classes: Vec<_> = tested.map(share).collect();
    let mut all = Intervals::new();
    if !classes.is_empty() {
        let everything: Vec<usize> = (0..of.labels.len()).collect();
        all.insert("accuracy", of_share(of, &everything, groups));
        all.insert("balanced_accuracy", stats::mean_of_shares(&classes));
    }
    all
}

pub(super) fn per_class(
    counts: &ClassCounts,
    classes: &[String],
    of: &Classification,
    groups: Option<&[usize]>,
) -> Vec<PerClass> {
    let one = |(at, (scores, class)): (usize, (ClassScores, &String))| {
        let mut intervals = Intervals::new();
        for (name, of_class) in [("precision", &of.predicted), ("recall", &of.labels)] {
            let those = those(of_class, at);
            if !those.is_empty() {
                intervals.insert(name, of_share(of, &those, groups));
            }
        }
        let class = class.clone();
        PerClass { class, scores, roc_auc: None, average_precision: None, intervals }
    };
    counts.per_class().into_iter().zip(classes).enumerate().map(one).collect()
}

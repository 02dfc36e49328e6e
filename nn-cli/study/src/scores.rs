//! What metrics say of a classifier's answers to the images of a set, with their uncertainty.

mod areas;
mod shares;

use self::areas::{Curves, means, parts};
use self::shares::{of_hits, of_shares, per_class};
use crate::stats::{self, Bootstrapped, Guessing, Interval, Strata, bootstrap};
use nn_core::metrics::{self, Averages, ClassCounts, ClassScores, Confidences, ReliabilityBin};
use nn_core::train::Classification;
use nn_core::{Error, Result};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// The bins of the reliability diagram, and of the expected calibration error.
pub const BINS: usize = 10;
/// How many classes an answer may name in the top-k accuracies, and the names of their intervals.
const TOP: [(usize, &str); 3] =
    [(2, "top_2_accuracy"), (3, "top_3_accuracy"), (5, "top_5_accuracy")];

/// 95 % intervals by the name of the score, of those that have one.
pub type Intervals = BTreeMap<&'static str, Interval>;

/// The scores of a classifier, named as in scikit-learn; part of `metrics.json` and `evaluate --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// The mean recall of the classes with images.
    pub balanced_accuracy: Option<f64>,
    /// Matthews' correlation coefficient.
    pub matthews_corrcoef: f64,
    /// Precision, recall and F1, each class counting alike.
    pub macro_avg: Option<Averages>,
    /// Precision, recall and F1, each class counting as often as it has images.
    pub weighted_avg: Option<Averages>,
    /// The area under the ROC curve: the mean over the classes that have one.
    pub roc_auc: Option<f64>,
    /// Average precision: the mean over the classes that have one.
    pub average_precision: Option<f64>,
    /// How often the right class is among the `k` most probable, by `k`.
    pub top_k_accuracy: BTreeMap<usize, f64>,
    /// Mean cross-entropy of the probabilities, in nats.
    pub log_loss: Option<f64>,
    /// Mean squared distance of the probabilities.
    pub brier_score: Option<f64>,
    /// The mean distance between confidence and accuracy over [`BINS`] bins.
    pub expected_calibration_error: Option<f64>,
    /// The 95 % intervals of the numbers above, and of the accuracy.
    pub intervals: Intervals,
    /// How often the images were drawn again for intervals: those of curves' areas, and the others.
    pub resamples: Resamples,
    /// Whether accuracy misleads, because one class has many more images than others.
    pub imbalanced: bool,
    /// The scores of each class, in the order of the classes.
    pub per_class: Vec<PerClass>,
    /// The confusion matrix as shares of each true class.
    pub confusion_normalized: Vec<Vec<f64>>,
    /// The bins of the reliability diagram.
    pub reliability: Vec<ReliabilityBin>,
}

/// How often the images were drawn again: 0 where there are too many for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Resamples {
    /// For scores of answers and calibration.
    pub scores: usize,
    /// For areas under curves, which take longer.
    pub curves: usize,
}

/// The scores of one class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerClass {
    /// Its name.
    pub class: String,
    /// Precision, recall, F1 and support.
    #[serde(flatten)]
    pub scores: ClassScores,
    /// The area under the ROC curve.
    pub roc_auc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// The 95 % intervals of these.
    pub intervals: Intervals,
}

/// How the images of a classification hang together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arranged<'a> {
    /// The group of each image, where several belong together, so that intervals are by groups.
    pub groups: Option<&'a [usize]>,
    /// The network that answered each image, counted from 0. Probabilities of different networks are not compared:
    /// areas under curves are means over the networks.
    pub networks: Option<&'a [usize]>,
}

impl Scores {
    /// The scores of what a classifier of `classes` answered.
    ///
    /// # Errors
    /// If the classification does not fit together.
    pub fn new(of: &Classification, classes: &[String]) -> Result<Self> {
        Self::arranged(of, classes, Arranged::default())
    }

    /// The scores of what one or more classifiers of `classes` answered to images that may belong together.
    ///
    /// # Errors
    /// If the classification does not fit together, or has not a group and a network for each image.
    pub fn arranged(
        of: &Classification,
        classes: &[String],
        arranged: Arranged<'_>,
    ) -> Result<Self> {
        for given in [arranged.groups, arranged.networks].into_iter().flatten() {
            if given.len() != of.labels.len() {
                let expected = format!("one for each of {} images", of.labels.len());
                return Err(Error::data("groups or networks", expected, given.len(), "pass all"));
            }
        }
        let counts = ClassCounts::of_confusion(&of.confusion)?;
        let mut this = Self {
            balanced_accuracy: counts.balanced_accuracy(),
            matthews_corrcoef: counts.matthews_corrcoef(),
            macro_avg: counts.macro_average(),
            weighted_avg: counts.weighted_average(),
            roc_auc: None,
            average_precision: None,
            top_k_accuracy: BTreeMap::new(),
            log_loss: None,
            brier_score: None,
            expected_calibration_error: None,
            intervals: of_shares(&counts, of, arranged.groups),
            resamples: Resamples { scores: 0, curves: 0 },
            imbalanced: Guessing::of_confusion(classes, &of.confusion).is_lopsided(),
            per_class: per_class(&counts, classes, of, arranged.groups),
            confusion_normalized: metrics::normalized_by_true(&of.confusion),
            reliability: Vec::new(),
        };
        let is_number = |p: &f64| p.is_finite();
        let is_share = |p: &f64| (0.0..=1.0).contains(p);
        let mut losses = None;
        if of.probabilities.iter().flatten().all(is_share) {
            losses = Some(this.add_probabilities(of, arranged.groups)?);
        }
        let strata = match arranged.groups {
            Some(groups) => Strata::by_group(&of.labels, groups),
            None => Strata::by_class(&of.labels),
        };
        this.add_intervals(of, &strata, counts.classes(), losses.as_ref())?;
        if of.probabilities.iter().flatten().all(is_number) {
            this.add_curves(of, &strata, arranged.networks)?;
        }
        Ok(this)
    }

    /// The scores of probabilities.
    fn add_probabilities(
        &mut self,
        of: &Classification,
        groups: Option<&[usize]>,
    ) -> Result<Losses> {
        let (labels, rows) = (&of.labels[..], &of.probabilities[..]);
        for (k, name) in TOP.into_iter().filter(|(k, _)| *k < of.confusion.len()) {
            if let Some(share) = metrics::top_k_accuracy(labels, rows, k)? {
                let hits = metrics::top_k_hits(labels, rows, k)?;
                self.top_k_accuracy.insert(k, share);
                self.intervals.insert(name, of_hits(hits.into_iter().enumerate(), groups));
            }
        }
        let losses = Losses {
            log_loss: metrics::log_losses(labels, rows)?,
            brier_score: metrics::brier_scores(labels, rows)?,
            confidences: Confidences::new(labels, rows)?,
        };
        [self.log_loss, self.brier_score, self.expected_calibration_error] = losses.scores(None);
        self.reliability = losses.confidences.bins(BINS, None);
        Ok(losses)
    }

    /// The intervals of all but the curves' areas and shares.
    fn add_intervals(
        &mut self,
        of: &Classification,
        strata: &Strata,
        classes: usize,
        losses: Option<&Losses>,
    ) -> Result<()> {
        let resamples = stats::resamples(8 * (of.labels.len() + classes));
        // Checked once, so that it cannot fail below.
        ClassCounts::new(&of.labels, &of.predicted, classes, None)?;
        let found = bootstrap(strata, resamples, |times| {
            let counts = ClassCounts::new(&of.labels, &of.predicted, classes, Some(times));
            let Ok(counts) = counts else { return Vec::new() };
            let of_losses = losses.map_or([None; 3], |losses| losses.scores(Some(times)));
            let means = |of: Option<Averages>| {
                let of = |value: fn(Averages) -> f64| of.map(value);
                [of(|of| of.precision), of(|of| of.recall), of(|of| of.f1)]
            };
            let mut all = vec![Some(counts.matthews_corrcoef())];
            all.extend(means(counts.macro_average()));
            all.extend(means(counts.weighted_average()));
            all.extend(of_losses);
            all.extend(counts.per_class().iter().map(|class| Some(class.f1)));
            all
        });
        self.resamples.scores = found.resamples;
        self.intervals.extend(named(&found, &NAMES));
        for (class, interval) in
            self.per_class.iter_mut().zip(found.intervals.iter().skip(NAMES.len()))
        {
            class.intervals.extend(interval.map(|interval| ("f1", interval)));
        }
        Ok(())
    }

    /// The areas under the curves of each class, with their intervals.
    fn add_curves(
        &mut self,
        of: &Classification,
        strata: &Strata,
        networks: Option<&[usize]>,
    ) -> Result<()> {
        let classes = of.confusion.len();
        let parts = parts(of, networks);
        let curves = |class: usize| Curves::new(&parts, class);
        let all: Vec<_> = (0..classes)
            .into_par_iter()
            .map(|class| Ok(curves(class)?.areas(None)))
            .collect::<Result<_>>()?;
        for (class, (roc_auc, average_precision)) in self.per_class.iter_mut().zip(&all) {
            (class.roc_auc, class.average_precision) = (*roc_auc, *average_precision);
        }
        (self.roc_auc, self.average_precision) = means(&all);

        let resamples = stats::resamples(4 * of.labels.len() * classes);
        if resamples == 0 {
            return Ok(());
        }
        // As there is time for resamples, there is room for the order of each class.
        let curves = (0..classes).map(curves).collect::<Result<Vec<_>>>()?;
        let found = bootstrap(strata, resamples, |times| {
            let all: Vec<_> = curves.iter().map(|of| of.areas(Some(times))).collect();
            let (roc_auc, average_precision) = means(&all);
            let each = all.into_iter().flat_map(|(area, precision)| [area, precision]);
            [roc_auc, average_precision].into_iter().chain(each).collect()
        });
        self.resamples.curves = found.resamples;
        self.intervals.extend(named(&found, &CURVES));
        let each = found.intervals.iter().skip(CURVES.len()).collect::<Vec<_>>();
        for (class, intervals) in self.per_class.iter_mut().zip(each.chunks(CURVES.len())) {
            let named = CURVES.into_iter().zip(intervals);
            class.intervals.extend(named.filter_map(|(name, range)| Some((name, (**range)?))));
        }
        Ok(())
    }
}

/// The order of the first scores that are drawn again.
const NAMES: [&str; 10] = [
    "matthews_corrcoef",
    "macro_avg_precision",
    "macro_avg_recall",
    "macro_avg_f1",
    "weighted_avg_precision",
    "weighted_avg_recall",
    "weighted_avg_f1",
    "log_loss",
    "brier_score",
    "expected_calibration_error",
];

/// The order of the areas that are drawn again.
const CURVES: [&str; 2] = ["roc_auc", "average_precision"];

/// What probabilities cost, image by image.
struct Losses {
    log_loss: Vec<f64>,
    brier_score: Vec<f64>,
    confidences: Confidences,
}

impl Losses {
    /// Log loss, Brier score and expected calibration error.
    fn scores(&self, times: Option<&[u32]>) -> [Option<f64>; 3] {
        [
            metrics::mean(&self.log_loss, times),
            metrics::mean(&self.brier_score, times),
            self.confidences.expected_calibration_error(BINS, times),
        ]
    }
}

/// The first intervals of `found` by name.
fn named<'a>(
    found: &'a Bootstrapped,
    names: &'a [&'static str],
) -> impl Iterator<Item = (&'static str, Interval)> + 'a {
    let pairs = names.iter().zip(&found.intervals);
    pairs.filter_map(|(name, interval)| Some((*name, (*interval)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `rows` of labels and probabilities.
    fn classified(rows: &[(usize, &[f64])]) -> (Classification, Vec<String>) {
        let classes = rows[0].1.len();
        let labels: Vec<_> = rows.iter().map(|row| row.0).collect();
        let probabilities: Vec<_> = rows.iter().map(|row| row.1.to_vec()).collect();
        let predicted: Vec<_> =
            probabilities.iter().map(|row| nn_core::train::most_probable(row)).collect();
        let confusion = metrics::confusion_matrix(&labels, &predicted, classes).unwrap();
        let correct = (0..classes).map(|at| confusion[at][at] as usize).sum();
        let names = (0..classes).map(|at| format!("class {at}")).collect();
        (Classification { correct, confusion, labels, probabilities, predicted }, names)
    }

    #[test]
    fn every_score_has_its_interval_and_contains_it() {
        let mut rows: Vec<(usize, &[f64])> = vec![(0, &[0.75, 0.25]); 12];
        rows.extend([(0, &[0.375, 0.625][..]); 3]);
        rows.extend([(1, &[0.125, 0.875][..]); 8]);
        rows.extend([(1, &[0.8125, 0.1875][..]); 2]);
        let (of, names) = classified(&rows);
        let scores = Scores::new(&of, &names).unwrap();
        assert_eq!(scores.resamples, Resamples { scores: 2000, curves: 2000 });
        let json = serde_json::to_value(&scores).unwrap();
        for (name, interval) in &scores.intervals {
            let value = match name.split_once("_avg_") {
                Some((which, of)) => json[format!("{which}_avg")][of].as_f64(),
                None if *name == "accuracy" => Some(0.8),
                None => json[*name].as_f64(),
            };
            let value = value.unwrap_or_else(|| panic!("{name} is not in {json}"));
            assert!(
                interval.low <= value && value <= interval.high,
                "{name}: {value} {interval:?}"
            );
            assert!(interval.low < interval.high, "{name}");
        }
        assert_eq!(scores.intervals.len(), 2 + NAMES.len() + CURVES.len());
        for class in &scores.per_class {
            let names: Vec<_> = class.intervals.keys().copied().collect();
            assert_eq!(names, ["average_precision", "f1", "precision", "recall", "roc_auc"]);
        }
        // Two classes have no second-best answer worth the name.
        assert!(scores.top_k_accuracy.is_empty() && !scores.imbalanced);
    }

    #[test]
    fn images_that_belong_together_make_intervals_wider() {
        let mut rows: Vec<(usize, &[f64])> = vec![(0, &[0.75, 0.25]); 16];
        rows.extend([(0, &[0.375, 0.625][..]); 4]);
        rows.extend([(1, &[0.125, 0.875][..]); 16]);
        rows.extend([(1, &[0.8125, 0.1875][..]); 4]);
        let (of, names) = classified(&rows);
        let groups: Vec<usize> = (0..40).map(|at| at / 4).collect();
        let alone = Scores::new(&of, &names).unwrap();
        let arranged = Arranged { groups: Some(&groups), networks: None };
        let together = Scores::arranged(&of, &names, arranged).unwrap();
        for (name, interval) in &alone.intervals {
            let wide = together.intervals[name];
            assert!(wide.high - wide.low > interval.high - interval.low, "{name}");
        }
        assert_eq!(
            Scores { intervals: alone.intervals.clone(), ..together.clone() }.roc_auc,
            alone.roc_auc
        );
        let short = Arranged { groups: Some(&groups[1..]), networks: None };
        assert!(Scores::arranged(&of, &names, short).is_err());
        let own: Vec<usize> = (0..40).collect();
        let single = Arranged { groups: Some(&own), networks: None };
        assert_eq!(Scores::arranged(&of, &names, single).unwrap(), alone);
    }

    #[test]
    fn probabilities_of_different_networks_are_not_compared() {
        // Each network orders its own images perfectly, but the second is far less sure of the second class.
        let rows: [(usize, &[f64]); 4] =
            [(0, &[0.5, 0.5]), (1, &[0.25, 0.75]), (0, &[0.875, 0.125]), (1, &[0.75, 0.25])];
        let (of, names) = classified(&rows);
        assert_eq!(Scores::new(&of, &names).unwrap().roc_auc, Some(0.75));
        let networks = [0, 0, 1, 1];
        let arranged = Arranged { groups: None, networks: Some(&networks) };
        assert_eq!(Scores::arranged(&of, &names, arranged).unwrap().roc_auc, Some(1.0));
        // With one image for each network, no order can be right or wrong.
        let alone = Arranged { groups: None, networks: Some(&[0, 1, 2, 3]) };
        let scores = Scores::arranged(&of, &names, alone).unwrap();
        assert_eq!((scores.roc_auc, scores.average_precision), (None, None));
    }

    #[test]
    fn the_likeliest_answers_come_with_an_interval() {
        let mut rows: Vec<(usize, &[f64])> = vec![(0, &[0.5, 0.3, 0.2]); 6];
        rows.extend([(1, &[0.5, 0.3, 0.2][..]); 3]);
        rows.extend([(2, &[0.5, 0.3, 0.2][..]); 1]);
        let (of, names) = classified(&rows);
        let scores = Scores::new(&of, &names).unwrap();
        assert_eq!(scores.top_k_accuracy, [(2, 0.9)].into());
        assert_eq!(scores.intervals["top_2_accuracy"], crate::stats::wilson(9, 10));
        assert!(!scores.intervals.contains_key("top_3_accuracy"));
    }

    #[test]
    fn a_perfect_result_is_not_certain() {
        let (of, names) = classified(&[(0, &[1.0, 0.0]), (0, &[1.0, 0.0]), (1, &[0.0, 1.0])]);
        let scores = Scores::new(&of, &names).unwrap();
        assert_eq!((scores.balanced_accuracy, scores.roc_auc), (Some(1.0), Some(1.0)));
        let balanced = scores.intervals["balanced_accuracy"];
        assert!(balanced.low < 0.6 && balanced.high == 1.0, "{balanced:?}");
        // All resamples are perfect, too: that is no interval.
        assert!(!scores.intervals.contains_key("roc_auc"));
        assert!(!scores.intervals.contains_key("matthews_corrcoef"));
    }

    #[test]
    fn many_of_one_class_are_noticed() {
        let rows: Vec<(usize, &[f64])> =
            (0..20).map(|at| (usize::from(at == 0), &[0.75, 0.25][..])).collect();
        let (of, names) = classified(&rows);
        let scores = Scores::new(&of, &names).unwrap();
        assert!(scores.imbalanced);
        assert_eq!((scores.balanced_accuracy, scores.matthews_corrcoef), (Some(0.5), 0.0));
        assert_eq!(scores.per_class[1].scores.undefined, ["precision"]);
    }

    #[test]
    fn outputs_that_are_no_probabilities_are_not_judged_as_such() {
        let (of, names) = classified(&[(0, &[4.0, -1.0, 0.5]), (1, &[0.0, 2.0, 1.0])]);
        let scores = Scores::new(&of, &names).unwrap();
        assert_eq!((scores.log_loss, scores.expected_calibration_error), (None, None));
        // Their order says as much as ever; the third class has no images.
        assert_eq!(scores.per_class[0].roc_auc, Some(1.0));
        assert_eq!(scores.per_class[2].roc_auc, None);
        let (of, names) = classified(&[(0, &[f64::NAN, 0.0]), (1, &[0.0, 1.0])]);
        assert_eq!(Scores::new(&of, &names).unwrap().roc_auc, None);
    }
}

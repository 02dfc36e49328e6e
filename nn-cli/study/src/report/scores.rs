//! The scores of each class and of the probabilities on a page: a table, curves, and what they say.

use super::parts::Table;
use crate::format::{self, class_name, percent};
use crate::scores::{Intervals, PerClass, Scores};
use crate::stats::{Interval, wilson};
use nn_core::metrics::ReliabilityBin;
use nn_figures::plots::{self, SquareSpec};

/// The section about scores.
pub struct ScoreSection {
    /// What the numbers say, in sentences.
    pub words: Vec<String>,
    pub classes: Table,
    pub curves: Vec<ScoreCurve>,
    /// What the reliability diagram says.
    pub calibration: Vec<String>,
}

/// A picture and its title.
pub struct ScoreCurve {
    pub title: String,
    pub svg: String,
}

impl ScoreSection {
    /// The section about `scores`, with the pictures of `specs`, by the names of their files.
    pub fn new(scores: &Scores, specs: &[(&'static str, SquareSpec)]) -> Self {
        Self {
            words: words(scores),
            classes: classes(scores),
            curves: specs.iter().map(|(name, spec)| curve(name, spec)).collect(),
            calibration: calibration(scores),
        }
    }
}

fn curve(name: &str, spec: &SquareSpec) -> ScoreCurve {
    let bare = SquareSpec { title: String::new(), synthetic: false, ..spec.clone() };
    let title = match name {
        "roc" => "ROC curve: how many of a class are found, for how many others taken for it",
        "precision-recall" => {
            "How many are right of those that are called so, by how many are found"
        }
        _ => "Reliability: how often answers are right, by how sure the network is",
    };
    let subtitle = match spec.subtitle.is_empty() {
        true => String::new(),
        false => format!(" ({})", spec.subtitle),
    };
    ScoreCurve { title: format!("{title}{subtitle}"), svg: plots::square(&bare) }
}

/// ` (95 % interval 50 to 86 %)`, or nothing.
fn within(intervals: &Intervals, name: &str) -> String {
    let told = |interval: &Interval| format!(" (95 % interval {interval})");
    intervals.get(name).map_or(String::new(), told)
}

fn words(scores: &Scores) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(balanced) = scores.balanced_accuracy {
        let why = match scores.imbalanced {
            true => {
                ". One class has so many more images than others that always answering it would already have a \
                 good accuracy, so look at this number first"
            }
            false => "",
        };
        words.push(format!(
            "Balanced accuracy: {}{}. It is the mean of the recalls, the accuracy if all classes had equally many \
             images{why}.",
            percent(balanced),
            within(&scores.intervals, "balanced_accuracy"),
        ));
    }
    let matthews = scores.intervals.get("matthews_corrcoef").map_or(String::new(), |interval| {
        format!(" (95 % interval {:.2} to {:.2})", interval.low, interval.high)
    });
    words.push(format!(
        "Matthews\u{2019} correlation between answers and truth: {:.2}{matthews}; 1 is all right, 0 is no better than \
         guessing.",
        scores.matthews_corrcoef
    ));
    if let Some(area) = scores.roc_auc {
        words.push(format!(
            "Area under the ROC curve: {}{}. So often does an image of a class get a higher probability of that class \
             than an image of another class; guessing has 50 %.",
            percent(area),
            within(&scores.intervals, "roc_auc"),
        ));
    }
    words
}

/// A row for each class.
fn classes(scores: &Scores) -> Table {
    let caption = "Each class: precision is how many of the images called so are so, recall how many of its images \
                   are called so, F1 their harmonic mean; with 95 % intervals";
    let header = ["class", "images", "precision", "recall", "F1", "AUC"];
    let mut table = Table::new(caption, &header, 1);
    let row = |class: &PerClass| {
        let cell = |name: &str, value: f64| match class.scores.undefined.contains(&name) {
            true => "not defined".to_string(),
            false => match class.intervals.get(name) {
                Some(interval) => format!("{} ({interval})", percent(value)),
                None => percent(value),
            },
        };
        vec![
            class_name(&class.class),
            format::count(class.scores.support),
            cell("precision", class.scores.precision),
            cell("recall", class.scores.recall),
            cell("f1", class.scores.f1),
            class.roc_auc.map_or("not defined".into(), |area| cell("roc_auc", area)),
        ]
    };
    table.rows.extend(scores.per_class.iter().map(row));
    table
}

/// What the confidences say: too sure, too unsure, or neither as far as so few images tell.
fn calibration(scores: &Scores) -> Vec<String> {
    let Some(error) = scores.expected_calibration_error else { return Vec::new() };
    let n: u64 = scores.reliability.iter().map(|bin| bin.n).sum();
    let right: u64 = scores.reliability.iter().map(|bin| bin.right).sum();
    let sure = scores.reliability.iter().map(|bin| bin.n as f64 * bin.confidence).sum::<f64>();
    let (sure, accuracy) = (sure / n as f64, right as f64 / n as f64);
    let interval = wilson(right, n);
    let bins = || scores.reliability.iter().filter(|bin| bin.n > 0);
    let is_off = |bin: &&ReliabilityBin| {
        let (low, high) = wilson(bin.right, bin.n).ends();
        !(low..=high).contains(&bin.confidence)
    };
    let (off, all) = (bins().filter(is_off).count(), bins().count());
    let verdict = match off {
        _ if interval.is_below(sure) => {
            "The network is surer than it is right: do not take its probabilities at their word"
                .into()
        }
        _ if interval.is_above(sure) => "The network is right more often than it is sure".into(),
        0 => format!(
            "Its confidence fits its accuracy, as far as {} can tell",
            format::plural(n, "answer")
        ),
        off => format!(
            "On the whole both fit, but not in each part of the picture: {off} of {all} dots lie off the dashed line \
             by more than their interval"
        ),
    };
    vec![
        format!(
            "The network\u{2019}s mean confidence, the probability of its own answer, is {}; {} of its answers are right \
             (95 % interval {interval}). {verdict}.",
            percent(sure),
            percent(accuracy),
        ),
        format!(
            "Expected calibration error: {}{}: so far are confidence and accuracy apart on average. Dots above the \
             dashed line are answers that were right more often than the network was sure, dots below it less often; \
             larger dots stand for more answers, and the vertical lines are 95 % intervals. With few images the error is \
             larger than that of many would be.",
            percent(error),
            within(&scores.intervals, "expected_calibration_error"),
        ),
    ]
}

//! The data of curves of a classifier's scores: ROC, precision and recall, reliability.

use crate::Evaluation;
use crate::format::{self, class_name, percent};
use crate::scores::Scores;
use crate::stats::wilson;
use nn_core::Result;
use nn_core::metrics::Ranking;
use nn_figures::plots::{SquareLine, SquarePoint, SquareSpec};

/// The most lines of a picture: as many as there are colours. Of more classes, the worst are drawn.
const LINES: usize = 4;
/// The most corners of a line: finer ones are not seen.
const CORNERS: usize = 1000;

/// The pictures of scores by the names of their files; those that are not defined are left out. Titles begin with
/// `title`.
///
/// # Errors
/// If the evaluation does not fit together.
pub fn of_scores(
    test: &Evaluation,
    scores: &Scores,
    title: &str,
    synthetic: bool,
) -> Result<Vec<(&'static str, SquareSpec)>> {
    let empty = |what: &str| SquareSpec {
        title: format!("{title}: {what}"),
        synthetic,
        ..SquareSpec::default()
    };
    let mut roc = SquareSpec {
        x: "false positive rate".into(),
        y: "true positive rate".into(),
        diagonal: Some("guessing".into()),
        ..empty("ROC curve")
    };
    let mut precision_recall =
        SquareSpec { x: "recall".into(), y: "precision".into(), ..empty("precision and recall") };
    let shown = shown(scores);
    let all = scores.per_class.len();
    if all > LINES {
        let of = format!("of {all} classes, the {} with the smallest area", shown.len());
        roc.subtitle = of.clone();
        precision_recall.subtitle = of;
    }
    for &class in &shown {
        let of = &scores.per_class[class];
        let name = class_name(&of.class);
        let ranking = Ranking::one_vs_rest(&test.labels, &test.probabilities, class)?;
        // Of two classes, both curves say the same.
        if let (Some(curve), Some(area), true) =
            (ranking.roc_curve(), of.roc_auc, all > 2 || class == shown[shown.len() - 1])
        {
            let corners = curve.false_positive_rate.into_iter().zip(curve.true_positive_rate);
            roc.lines.push(line(&name, format!("AUC {area:.3}"), corners.collect()));
        }
        if let (Some(curve), Some(area)) = (ranking.precision_recall_curve(), of.average_precision)
        {
            let points: Vec<_> = curve.recall.into_iter().zip(curve.precision).collect();
            let value = format!("average precision {area:.3}");
            precision_recall.lines.push(line(&name, value, steps(&points)));
        }
    }
    let reliability = SquareSpec {
        x: "confidence".into(),
        y: "right answers".into(),
        diagonal: Some("as often right as it is sure".into()),
        lines: reliability(scores).into_iter().collect(),
        ..empty("reliability")
    };
    let mut pictures =
        vec![("roc", roc), ("precision-recall", precision_recall), ("reliability", reliability)];
    pictures.retain(|(_, spec)| !spec.lines.is_empty());
    Ok(pictures)
}

/// The classes that are drawn, in their order: all, or those with the smallest areas.
fn shown(scores: &Scores) -> Vec<usize> {
    let all = scores.per_class.iter().enumerate();
    let mut areas: Vec<_> = all
        .filter(|(_, class)| class.average_precision.is_some())
        .map(|(at, class)| (class.roc_auc.unwrap_or(1.0), at))
        .collect();
    areas.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut shown: Vec<usize> = areas.into_iter().take(LINES).map(|(_, at)| at).collect();
    shown.sort_unstable();
    shown
}

fn line(name: &str, value: String, corners: Vec<(f64, f64)>) -> SquareLine {
    let step = corners.len().div_ceil(CORNERS).max(1);
    let last = corners.last().copied();
    let mut kept: Vec<_> = corners.into_iter().step_by(step).collect();
    if step > 1 {
        kept.extend(last);
    }
    SquareLine { name: name.into(), value, corners: kept, points: Vec::new() }
}

/// The corners of steps, under which the average precision is the area.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut corners: Vec<(f64, f64)> = Vec::new();
    for &(recall, precision) in points {
        if let Some(&(_, before)) = corners.last() {
            corners.push((recall, before));
        }
        corners.push((recall, precision));
    }
    corners
}

/// The bins with answers: how often they are right, at their mean confidence.
fn reliability(scores: &Scores) -> Option<SquareLine> {
    let error = scores.expected_calibration_error?;
    let bins = || scores.reliability.iter().filter(|bin| bin.n > 0);
    let most = bins().map(|bin| bin.n).max()? as f64;
    let points = bins().map(|bin| {
        let interval = wilson(bin.right, bin.n);
        SquarePoint {
            at: (bin.confidence, bin.accuracy),
            range: Some(interval.ends()),
            weight: bin.n as f64 / most,
            tip: format!(
                "{} with a confidence of {} to {}: {} right (95 % interval {interval})",
                format::plural(bin.n, "answer"),
                percent(bin.low),
                percent(bin.high),
                percent(bin.accuracy),
            ),
        }
    });
    Some(SquareLine {
        name: "answers".into(),
        value: format!("expected calibration error {}", percent(error)),
        corners: bins().map(|bin| (bin.confidence, bin.accuracy)).collect(),
        points: points.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::metrics::confusion_matrix;
    use nn_core::train::Classification;

    fn of(classes: usize) -> (Evaluation, Scores) {
        let labels: Vec<usize> = (0..40).map(|at| at % classes).collect();
        let row = |(at, &label): (usize, &usize)| {
            let mut row = vec![0.25 / classes as f64; classes];
            row[if at % 7 == 0 { (label + 1) % classes } else { label }] += 0.75;
            row
        };
        let probabilities: Vec<_> = labels.iter().enumerate().map(row).collect();
        let predicted: Vec<_> =
            probabilities.iter().map(|row| nn_core::train::most_probable(row)).collect();
        let confusion = confusion_matrix(&labels, &predicted, classes).unwrap();
        let correct = (0..classes).map(|at| confusion[at][at] as usize).sum();
        let classification =
            Classification { correct, confusion, labels, probabilities, predicted };
        let names: Vec<_> = (0..classes).map(|at| format!("class {at}")).collect();
        let scores = Scores::new(&classification, &names).unwrap();
        (Evaluation { loss: 0.5, classification }, scores)
    }

    #[test]
    fn the_worst_of_many_classes_are_drawn() {
        for (classes, roc, precision) in [(2, 1, 2), (3, 3, 3), (9, 4, 4)] {
            let (test, scores) = of(classes);
            let pictures = of_scores(&test, &scores, "birds", false).unwrap();
            let lines: Vec<_> = pictures.iter().map(|(name, of)| (*name, of.lines.len())).collect();
            let expected = [("roc", roc), ("precision-recall", precision), ("reliability", 1)];
            assert_eq!(lines, expected);
            assert_eq!(pictures[0].1.subtitle.is_empty(), classes < 5);
        }
    }

    #[test]
    fn what_is_not_defined_is_not_drawn() {
        let labels = vec![1; 3];
        let probabilities = vec![vec![0.5, 0.5]; 3];
        let confusion = vec![vec![0, 0], vec![3, 0]];
        let predicted = vec![0; 3];
        let classification =
            Classification { correct: 0, confusion, labels, probabilities, predicted };
        let scores = Scores::new(&classification, &["a".into(), "b".into()]).unwrap();
        let test = Evaluation { loss: 0.7, classification };
        let pictures = of_scores(&test, &scores, "birds", false).unwrap();
        let names: Vec<_> = pictures.iter().map(|picture| picture.0).collect();
        assert_eq!(names, ["precision-recall", "reliability"]);
    }

    #[test]
    fn lines_have_few_corners_and_reach_their_end() {
        let corners: Vec<_> = (0..=25_000).map(|at| (f64::from(at) / 25_000.0, 0.5)).collect();
        let line = line("a", String::new(), corners);
        assert!(line.corners.len() <= CORNERS + 1);
        assert_eq!((line.corners[0].0, line.corners.last().unwrap().0), (0.0, 1.0));
        assert_eq!(steps(&[(1.0, 0.5), (0.5, 1.0)]), [(1.0, 0.5), (0.5, 0.5), (0.5, 1.0)]);
    }
}

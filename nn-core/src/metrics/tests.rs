use super::*;
use serde::Deserialize;

/// The fixture written by `tests/fixtures/metrics/make.py`.
#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    labels: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
    predicted: Vec<usize>,
    confusion: Vec<Vec<u64>>,
    normalized: Vec<Vec<f64>>,
    accuracy: f64,
    balanced_accuracy: f64,
    matthews_corrcoef: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u64>,
    #[serde(rename = "macro")]
    macro_average: [f64; 3],
    weighted: [f64; 3],
    one_vs_rest: Vec<AgainstRest>,
    top_k: Vec<f64>,
    log_loss: f64,
    brier_score: f64,
    bins: Bins,
    ece: f64,
}

#[derive(Deserialize)]
struct AgainstRest {
    roc_auc: Option<f64>,
    average_precision: Option<f64>,
    /// False and true positive rates, thresholds; an infinite one is absent.
    roc: Option<[Vec<Option<f64>>; 3]>,
    pr: Option<[Vec<f64>; 3]>,
}

#[derive(Deserialize)]
struct Bins {
    n: Vec<u64>,
    accuracy: Vec<f64>,
    confidence: Vec<f64>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../../tests/fixtures/metrics/sklearn.json");
    let cases = serde_json::from_str::<Fixture>(text).unwrap().cases;
    assert_eq!(cases.len(), 7);
    cases
}

#[track_caller]
fn close(name: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{name}: {got:?}, expected {expected:?}");
    for (a, b) in got.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-12, "{name}: {a}, expected {b}");
    }
}

#[track_caller]
fn same(name: &str, got: Option<f64>, expected: Option<f64>) {
    close(name, got.as_slice(), expected.as_slice());
}

#[test]
fn scores_of_answers_are_those_of_scikit_learn() {
    for case in cases() {
        let (name, classes) = (&case.name, case.confusion.len());
        let confusion = confusion_matrix(&case.labels, &case.predicted, classes).unwrap();
        assert_eq!(confusion, case.confusion, "{name}");
        close(name, &normalized_by_true(&confusion).concat(), &case.normalized.concat());
        let counts = ClassCounts::new(&case.labels, &case.predicted, classes, None).unwrap();
        assert_eq!(counts, ClassCounts::of_confusion(&confusion).unwrap(), "{name}");
        same(name, counts.accuracy(), Some(case.accuracy));
        same(name, counts.balanced_accuracy(), Some(case.balanced_accuracy));
        close(name, &[counts.matthews_corrcoef()], &[case.matthews_corrcoef]);
        let all = counts.per_class();
        let each = |value: fn(&ClassScores) -> f64| all.iter().map(value).collect::<Vec<_>>();
        close(name, &each(|class| class.precision), &case.precision);
        close(name, &each(|class| class.recall), &case.recall);
        close(name, &each(|class| class.f1), &case.f1);
        assert_eq!(all.iter().map(|class| class.support).collect::<Vec<_>>(), case.support);
        let means = |of: Averages| [of.precision, of.recall, of.f1];
        close(name, &means(counts.macro_average().unwrap()), &case.macro_average);
        close(name, &means(counts.weighted_average().unwrap()), &case.weighted);
    }
}

#[test]
fn curves_and_their_areas_are_those_of_scikit_learn() {
    for case in cases() {
        for (class, expected) in case.one_vs_rest.iter().enumerate() {
            let name = format!("{}, class {class}", case.name);
            let ranking = Ranking::one_vs_rest(&case.labels, &case.probabilities, class).unwrap();
            same(&name, ranking.roc_auc(None), expected.roc_auc);
            same(&name, ranking.average_precision(None), expected.average_precision);
            let roc = ranking.roc_curve();
            assert_eq!(roc.is_some(), expected.roc.is_some(), "{name}");
            if let (Some(curve), Some([fpr, tpr, thresholds])) = (roc, &expected.roc) {
                let known = |of: &[Option<f64>]| of.iter().flatten().copied().collect::<Vec<_>>();
                close(&name, &curve.false_positive_rate, &known(fpr));
                close(&name, &curve.true_positive_rate, &known(tpr));
                assert_eq!((curve.thresholds[0], thresholds[0]), (f64::INFINITY, None));
                close(&name, &curve.thresholds[1..], &known(thresholds));
            }
            let curve = ranking.precision_recall_curve();
            assert_eq!(curve.is_some(), expected.pr.is_some(), "{name}");
            if let (Some(curve), Some([precision, recall, thresholds])) = (curve, &expected.pr) {
                close(&name, &curve.precision, precision);
                close(&name, &curve.recall, recall);
                close(&name, &curve.thresholds, thresholds);
            }
        }
    }
}

#[test]
fn scores_of_probabilities_are_those_of_scikit_learn() {
    for case in cases() {
        let (name, labels, rows) = (&case.name, &case.labels, &case.probabilities);
        for (k, &expected) in (1..).zip(&case.top_k) {
            same(name, top_k_accuracy(labels, rows, k).unwrap(), Some(expected));
        }
        same(name, mean(&log_losses(labels, rows).unwrap(), None), Some(case.log_loss));
        same(name, mean(&brier_scores(labels, rows).unwrap(), None), Some(case.brier_score));
        let confidences = Confidences::new(labels, rows).unwrap();
        let mut bins = confidences.bins(10, None);
        assert_eq!(bins.len(), 10);
        bins.retain(|bin| bin.n > 0);
        assert_eq!(bins.iter().map(|bin| bin.n).collect::<Vec<_>>(), case.bins.n, "{name}");
        let each = |value: fn(&ReliabilityBin) -> f64| bins.iter().map(value).collect::<Vec<_>>();
        close(name, &each(|bin| bin.accuracy), &case.bins.accuracy);
        close(name, &each(|bin| bin.confidence), &case.bins.confidence);
        same(name, confidences.expected_calibration_error(10, None), Some(case.ece));
    }
}

/// A sample that counts twice is as good as two, and one that counts 0 times as none.
#[test]
fn samples_count_as_often_as_they_are_drawn() {
    for case in cases() {
        let (name, classes) = (&case.name, case.confusion.len());
        let times: Vec<u32> = (0..case.labels.len() as u32).map(|i| i * 7 % 4).collect();
        let drawn: Vec<usize> =
            times.iter().enumerate().flat_map(|(i, &n)| vec![i; n as usize]).collect();
        let labels: Vec<_> = drawn.iter().map(|&i| case.labels[i]).collect();
        let predicted: Vec<_> = drawn.iter().map(|&i| case.predicted[i]).collect();
        let rows: Vec<_> = drawn.iter().map(|&i| case.probabilities[i].clone()).collect();
        let (all, times) = (&case, Some(&times[..]));
        assert_eq!(
            ClassCounts::new(&all.labels, &all.predicted, classes, times).unwrap(),
            ClassCounts::new(&labels, &predicted, classes, None).unwrap(),
            "{name}"
        );
        for class in 0..classes {
            let by_times = Ranking::one_vs_rest(&all.labels, &all.probabilities, class).unwrap();
            let by_rows = Ranking::one_vs_rest(&labels, &rows, class).unwrap();
            same(name, by_times.roc_auc(times), by_rows.roc_auc(None));
            same(name, by_times.average_precision(times), by_rows.average_precision(None));
        }
        let losses = log_losses(&all.labels, &all.probabilities).unwrap();
        same(name, mean(&losses, times), mean(&log_losses(&labels, &rows).unwrap(), None));
        let by_times = Confidences::new(&all.labels, &all.probabilities).unwrap();
        let by_rows = Confidences::new(&labels, &rows).unwrap();
        same(
            name,
            by_times.expected_calibration_error(10, times),
            by_rows.expected_calibration_error(10, None),
        );
    }
}

#[test]
fn what_is_not_defined_is_not_a_number() {
    let none = ClassCounts::new(&[], &[], 3, None).unwrap();
    assert_eq!((none.accuracy(), none.balanced_accuracy()), (None, None));
    assert_eq!((none.macro_average(), none.weighted_average()), (None, None));
    assert_eq!(none.per_class()[2].undefined, ["precision", "recall", "f1"]);
    let one_answer = ClassCounts::new(&[0, 1], &[0, 0], 2, None).unwrap().per_class();
    assert_eq!(one_answer[1].undefined, ["precision"]);
    assert!(one_answer[0].undefined.is_empty());
    for (positive, area, precision) in
        [(vec![], None, None), (vec![true; 2], None, Some(1.0)), (vec![false; 2], None, None)]
    {
        let ranking = Ranking::new(&positive, &[0.25, 0.5][..positive.len()]).unwrap();
        assert_eq!((ranking.roc_auc(None), ranking.average_precision(None)), (area, precision));
        assert_eq!(ranking.roc_curve(), None);
        assert_eq!(ranking.precision_recall_curve().is_some(), precision.is_some());
    }
    assert_eq!(top_k_accuracy(&[], &[], 1).unwrap(), None);
    assert_eq!(mean(&log_losses(&[], &[]).unwrap(), None), None);
    assert_eq!(Confidences::new(&[], &[]).unwrap().expected_calibration_error(10, None), None);
}

#[test]
fn what_does_not_fit_together_is_an_error() {
    let says = |result: crate::Result<()>, part: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    };
    says(ClassCounts::new(&[0], &[], 2, None).map(drop), "the predictions");
    says(ClassCounts::new(&[0, 2], &[0, 1], 2, None).map(drop), "the label of sample 1");
    says(ClassCounts::new(&[0], &[5], 2, None).map(drop), "the prediction of sample 0");
    says(ClassCounts::new(&[0], &[0], 2, Some(&[])).map(drop), "times");
    says(ClassCounts::of_confusion(&[vec![1, 2]]).map(drop), "square");
    says(Ranking::new(&[true], &[f64::NAN]).map(drop), "finite");
    says(Ranking::one_vs_rest(&[0], &[vec![1.0]], 1).map(drop), "more than 1 classes");
    says(log_losses(&[0, 1], &[vec![0.5, 0.5], vec![1.0]]).map(drop), "sample 1");
    says(brier_scores(&[2], &[vec![0.5, 0.5]]).map(drop), "below 2");
    says(top_k_accuracy(&[0], &[vec![1.0]], 0).map(drop), "at least 1");
    says(Confidences::new(&[0], &[vec![3.0, -1.0]]).map(drop), "probabilities, not logits");
}

/// Confidences at the ends of bins, where rounding would put some into the next one.
#[test]
fn bins_hold_their_upper_ends() {
    for at in 1..=10 {
        let end = f64::from(at) / 10.0;
        let confidences = Confidences::new(&[0], &[vec![end]]).unwrap();
        let bins = confidences.bins(10, None);
        assert_eq!(bins.iter().position(|bin| bin.n == 1), Some(at as usize - 1), "{end}");
    }
}

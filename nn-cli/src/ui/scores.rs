//! The scores of an evaluation as text: a headline where accuracy misleads, a table of the classes, and a line for each
//! number.

use super::lines::{shortened, width};
use super::table::columns;
use nn_study::format::{class_name, count, percent};
use nn_study::scores::{PerClass, Scores};
use nn_study::stats::{Guessing, Interval};

/// More classes are not listed; the worst are.
const LISTED: usize = 10;
/// The width of a class's name: what it is shortened to at the least, and at the most.
const NAME: std::ops::RangeInclusive<usize> = 8..=28;
const INSET: usize = 2;

/// What stands before the accuracy where one class has many more images than others: the balanced accuracy, and what
/// always answering that class would score. Empty elsewhere.
pub fn headline(scores: &Scores, guessing: &Guessing) -> String {
    match scores.balanced_accuracy.filter(|_| scores.imbalanced) {
        Some(balanced) => format!(
            "  balanced accuracy  {}{}: each class counts alike\n  guessing           {}\n",
            percent(balanced),
            interval(scores.intervals.get("balanced_accuracy"), Interval::to_string),
            guessing.told(),
        ),
        None => String::new(),
    }
}

/// The classes, at most ten of them in at most `most` columns if given, and a line for each number that is defined.
pub fn scores(scores: &Scores, most: Option<usize>) -> String {
    let (listed, left_out) = listed(scores);
    let fits = |table: &String| {
        most.is_none_or(|most| table.lines().all(|line| INSET + width(line) <= most))
    };
    let table = NAME.rev().map(|name| table(&listed, name)).find(fits);
    let table = table.unwrap_or_else(|| self::table(&listed, *NAME.start()));
    let mut out: String = table.lines().map(|line| format!("  {line}\n")).collect();
    if left_out > 0 {
        out += &format!(
            "  the {LISTED} classes with the lowest F1; the other {} are in --json and the report\n",
            count(left_out as u64)
        );
    }
    out += "\n";
    for (name, value) in lines(scores) {
        out += &format!("  {name:<26}  {value}\n");
    }
    out
}

/// The classes to list, in their order or the worst first, and how many are left out.
fn listed(scores: &Scores) -> (Vec<&PerClass>, usize) {
    let mut all: Vec<&PerClass> = scores.per_class.iter().collect();
    if all.len() <= LISTED {
        return (all, 0);
    }
    // What was not asked for cannot be wrong.
    all.retain(|class| class.scores.support > 0 || class.scores.predicted > 0);
    all.sort_by(|a, b| a.scores.f1.total_cmp(&b.scores.f1));
    all.truncate(LISTED);
    let left_out = scores.per_class.len() - all.len();
    (all, left_out)
}

fn table(classes: &[&PerClass], name: usize) -> String {
    let header = ["class", "precision", "recall", "F1", "support"].map(String::from);
    let rows = classes.iter().map(|class| {
        let share = |name: &str, value: f64| match class.scores.undefined.contains(&name) {
            true => "–".to_string(),
            false => percent(value),
        };
        vec![
            shortened(&class_name(&class.class), name),
            share("precision", class.scores.precision),
            share("recall", class.scores.recall),
            share("f1", class.scores.f1),
            class.scores.support.to_string(),
        ]
    });
    columns(&header, rows)
}

/// The numbers by name.
fn lines(scores: &Scores) -> Vec<(&'static str, String)> {
    let share = |name: &str, value: Option<f64>| {
        let interval = interval(scores.intervals.get(name), Interval::to_string);
        value.map(|value| format!("{}{interval}", percent(value)))
    };
    let number = |name: &str, value: f64| {
        let ends = |of: &Interval| format!("{:.2} to {:.2}", of.low, of.high);
        format!("{value:.2}{}", interval(scores.intervals.get(name), ends))
    };
    let matthews = number("matthews_corrcoef", scores.matthews_corrcoef);
    let area = scores.roc_auc.map(|area| number("roc_auc", area));
    let error = scores.expected_calibration_error;
    let mut all = vec![
        ("balanced accuracy", share("balanced_accuracy", scores.balanced_accuracy)),
        ("Matthews correlation", Some(matthews)),
        ("area under ROC curve", area),
        ("expected calibration error", share("expected_calibration_error", error)),
    ];
    // Beside the table of a few classes, the best of several answers says little.
    if let Some((k, value)) =
        scores.top_k_accuracy.iter().last().filter(|_| scores.per_class.len() > LISTED)
    {
        let name = format!("top_{k}_accuracy");
        let told = share(&name, Some(*value)).unwrap_or_default();
        all.push(("one of the likeliest", Some(format!("{k}: {told}"))));
    }
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// ` (95 % interval 50 to 86 %)`, or nothing.
fn interval(of: Option<&Interval>, told: impl Fn(&Interval) -> String) -> String {
    of.map_or(String::new(), |of| format!(" (95 % interval {})", told(of)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::metrics::confusion_matrix;
    use nn_core::train::Classification;

    /// Scores of labels and what was predicted, with probabilities of 0.75.
    fn of(labels: &[usize], predicted: &[usize], classes: usize) -> (Scores, Guessing) {
        let names: Vec<String> = (0..classes).map(|at| format!("class {at}")).collect();
        let confusion = confusion_matrix(labels, predicted, classes).unwrap();
        let row = |&at: &usize| {
            let mut row = vec![0.25 / (classes - 1) as f64; classes];
            row[at] = 0.75;
            row
        };
        let classification = Classification {
            correct: 0,
            labels: labels.to_vec(),
            probabilities: predicted.iter().map(row).collect(),
            predicted: predicted.to_vec(),
            confusion: confusion.clone(),
        };
        let guessing = Guessing::of_confusion(&names, &confusion);
        (Scores::new(&classification, &names).unwrap(), guessing)
    }

    #[test]
    fn balanced_accuracy_goes_first_where_accuracy_misleads() {
        let labels = [vec![0; 18], vec![1; 2]].concat();
        let (few, guessing) = of(&labels, &[0; 20], 2);
        let told = headline(&few, &guessing);
        assert!(told.starts_with("  balanced accuracy  50.0 % (95 % interval "), "{told}");
        assert!(told.contains("“class 0” would score 90.0 %"), "{told}");
        let text = scores(&few, Some(80));
        let row = text.lines().find(|line| line.contains("class 1")).unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["class", "1", "–", "0.0", "%", "0.0", "%", "2"]
        );
        assert!(text.contains("Matthews correlation        0.00\n"), "{text}");

        let (even, guessing) = of(&[0, 0, 1, 1], &[0, 1, 1, 1], 2);
        assert_eq!(headline(&even, &guessing), "");
        let text = scores(&even, None);
        assert!(text.contains("balanced accuracy           75.0 % (95 % interval "), "{text}");
        assert!(!text.contains("likeliest"), "{text}");
    }

    #[test]
    fn of_many_classes_the_worst_are_listed() {
        let labels: Vec<usize> = (0..60).map(|at| at % 30).collect();
        let mut predicted = labels.clone();
        (predicted[7], predicted[38]) = (3, 3);
        let (many, _) = of(&labels, &predicted, 30);
        let text = scores(&many, Some(80));
        assert_eq!(text.lines().filter(|line| line.contains("class ")).count(), 11, "{text}");
        let first = text.lines().nth(2).unwrap();
        assert!(
            first.contains("class 3 ") || first.contains("class 7 ") || first.contains("class 8 "),
            "{text}"
        );
        assert!(text.contains("the other 20 are in --json"), "{text}");
        assert!(text.contains("one of the likeliest        5: "), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}

//! The accuracy of guessing: that of a model that ignores the image.

use crate::format::{class_name, percent};
use nn_figures::plots::Baseline;

/// Two ways to guess. They have the same accuracy if all classes have the same number of images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guessing {
    /// The class with the most images; the first of equals.
    pub class: String,
    /// Its share of the images: the accuracy of always predicting it.
    pub largest: f64,
    /// The accuracy of predicting each class equally often: one divided by the number of classes.
    pub uniform: f64,
}

impl Guessing {
    /// From the number of images of each class. Without any images both accuracies are `uniform`.
    pub fn new(classes: &[String], counts: &[u64]) -> Self {
        let uniform = 1.0 / classes.len().max(1) as f64;
        let total: u64 = counts.iter().sum();
        let most = counts.iter().copied().max().unwrap_or(0);
        let first = counts.iter().position(|&count| count == most).unwrap_or(0);
        let class = classes.get(first).map_or(String::new(), |name| class_name(name));
        let largest = if total == 0 { uniform } else { most as f64 / total as f64 };
        Self { class, largest, uniform }
    }

    /// From a confusion matrix, whose rows are the true classes.
    pub fn of_confusion(classes: &[String], confusion: &[Vec<u64>]) -> Self {
        let counts: Vec<u64> = confusion.iter().map(|row| row.iter().sum()).collect();
        Self::new(classes, &counts)
    }

    /// From the class of each image.
    pub fn of_labels(classes: &[String], labels: impl Iterator<Item = usize>) -> Self {
        let mut counts = vec![0; classes.len()];
        labels.for_each(|label| counts[label] += 1);
        Self::new(classes, &counts)
    }

    /// Whether both ways have the same accuracy.
    pub fn is_even(&self) -> bool {
        self.largest - self.uniform < 1e-9
    }

    /// Whether the largest class has more than one and a half times its even share, so that accuracy says little of
    /// the others.
    pub fn is_lopsided(&self) -> bool {
        self.largest > 1.5 * self.uniform
    }

    /// The accuracies by name; the first is the main baseline.
    pub fn marks(&self) -> Vec<(&'static str, f64)> {
        if self.is_even() {
            vec![(GUESSING, self.uniform)]
        } else {
            vec![(LARGEST, self.largest), (UNIFORM, self.uniform)]
        }
    }

    /// The baselines to draw.
    pub fn baselines(&self) -> Vec<Baseline> {
        let line = |(name, accuracy)| Baseline {
            name: String::from(name),
            accuracy,
            dotted: name == UNIFORM,
        };
        self.marks().into_iter().map(line).collect()
    }

    /// Both accuracies in words: `guessing would score 50.0 %`.
    pub fn told(&self) -> String {
        if self.is_even() {
            return format!("guessing would score {}", percent(self.uniform));
        }
        format!(
            "always answering \u{201c}{}\u{201d} would score {}, uniform guessing {}",
            self.class,
            percent(self.largest),
            percent(self.uniform)
        )
    }
}

/// The name of the main baseline.
pub const GUESSING: &str = "guessing";
pub const LARGEST: &str = "largest class";
/// The name of guessing each class equally often.
pub const UNIFORM: &str = "uniform guessing";

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class {i}")).collect()
    }

    #[test]
    fn classes_of_one_size_have_one_line() {
        let even = Guessing::new(&classes(4), &[5; 4]);
        assert_eq!(even.marks(), [(GUESSING, 0.25)]);
        assert_eq!(even.told(), "guessing would score 25.0 %");
        assert!(!even.is_lopsided());
        // Without images the largest class is not known.
        assert_eq!(Guessing::new(&classes(2), &[0, 0]).marks(), [(GUESSING, 0.5)]);
        assert_eq!(Guessing::new(&[], &[]).uniform, 1.0);
    }

    #[test]
    fn the_largest_class_is_a_line_of_its_own() {
        let counts = Guessing::new(&classes(2), &[5, 95]);
        let confusion = Guessing::of_confusion(&classes(2), &[vec![5, 0], vec![90, 5]]);
        let labels = [vec![0; 5], vec![1; 95]].concat();
        assert_eq!(counts, confusion);
        assert_eq!(counts, Guessing::of_labels(&classes(2), labels.into_iter()));
        assert!(counts.is_lopsided() && !Guessing::new(&classes(2), &[75, 25]).is_lopsided());
        assert_eq!(counts.marks(), [(LARGEST, 0.95), (UNIFORM, 0.5)]);
        let told =
            "always answering \u{201c}class 1\u{201d} would score 95.0 %, uniform guessing 50.0 %";
        assert_eq!(counts.told(), told);
    }
}

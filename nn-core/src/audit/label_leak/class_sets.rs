//! Sets of classes that share a property which the others lack: five of ten classes from another camera.
//!
//! A test of each class against the rest then finds little, since the rest contains the other half.
//! So the classes are divided into two sets by the share of their images for which a question is
//! true. Sets chosen by their difference also differ by chance. So the images that define the sets
//! are not those that the difference is measured on: one half of each class defines the sets and
//! the other half is measured, and vice versa (two-fold cross-validation; M. Stone,
//! "Cross-validatory choice and assessment of statistical predictions", 1974).

use super::bins::{Binned, Question};
use super::effect::{Effect, of_counts};

/// A set of classes for which a question is true.
pub struct ClassSet {
    /// The question.
    pub question: Question,
    /// The classes.
    pub classes: Vec<usize>,
    /// The difference between the set and the other classes.
    pub effect: Effect,
}

/// The set with the largest difference from the other classes; `None` if no question gives at least
/// two classes on either side. The order of the images must be independent of their values.
pub fn best_set(binned: &Binned, labels: &[usize], classes: usize) -> Option<ClassSet> {
    let sets = binned.questions.iter().filter_map(|&question| {
        let counts = Counts::new(binned, question, labels, classes);
        let of_set = counts.above_the_mean(&[0, 1]);
        let present = (0..classes).filter(|&class| counts.all(class) > 0.0);
        let (set, others): (Vec<usize>, Vec<usize>) = present.partition(|&class| of_set[class]);
        let several = set.len() > 1 && others.len() > 1;
        several.then(|| ClassSet { question, classes: set, effect: counts.effect() })
    });
    // On ties, the question that is true for fewer images is more specific.
    let rank =
        |set: &ClassSet| (binned.size(set.question), set.question.not, binned.lacks(set.question));
    sets.reduce(|best, next| {
        let more = next.effect.difference - best.effect.difference;
        let better = more > 1e-9 || more > -1e-9 && rank(&next) < rank(&best);
        if better { next } else { best }
    })
}

/// For each class and half of the images: the number for which a question is true, and the number of all.
struct Counts(Vec<[(f64, f64); 2]>);

impl Counts {
    fn new(binned: &Binned, question: Question, labels: &[usize], classes: usize) -> Self {
        let mut counts = vec![[(0.0, 0.0); 2]; classes];
        let mut seen = vec![0; classes];
        for (image, &label) in labels.iter().enumerate() {
            let (yes, all) = &mut counts[label][seen[label] % 2];
            *yes += f64::from(u8::from(binned.holds(question, image)));
            *all += 1.0;
            seen[label] += 1;
        }
        Self(counts)
    }

    fn all(&self, class: usize) -> f64 {
        self.0[class].iter().map(|(_, all)| all).sum()
    }

    /// Whether the share of each class for which the question is true is above the mean of all
    /// classes, computed on these halves.
    fn above_the_mean(&self, halves: &[usize]) -> Vec<bool> {
        let share = |class: &[(f64, f64); 2]| {
            let sum = |of: fn(&(f64, f64)) -> f64| halves.iter().map(|&h| of(&class[h])).sum();
            let (yes, all): (f64, f64) = (sum(|half| half.0), sum(|half| half.1));
            (all > 0.0).then_some(yes / all)
        };
        let shares: Vec<Option<f64>> = self.0.iter().map(share).collect();
        let present: Vec<f64> = shares.iter().flatten().copied().collect();
        let mean = present.iter().sum::<f64>() / present.len().max(1) as f64;
        shares.into_iter().map(|share| share.is_some_and(|share| share > mean)).collect()
    }

    /// The difference between the sets, where the set of each half of a class is determined by its
    /// other half.
    fn effect(&self) -> Effect {
        let mut sides = [(0.0, 0.0); 2];
        for half in [0, 1] {
            let of_set = self.above_the_mean(&[1 - half]);
            for (class, of_set) in self.0.iter().zip(of_set) {
                let side = &mut sides[usize::from(!of_set)];
                side.0 += class[half].0;
                side.1 += class[half].1;
            }
        }
        of_counts(sides)
    }
}

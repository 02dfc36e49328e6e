//! The accuracies of the models of an experiment.

use crate::Evaluation;
use crate::stats::{Interval, Repeated, difference, wilson};
use serde::Serialize;

/// The models of one arm, one for each seed, on one set of images.
#[derive(Debug, Clone)]
pub struct Measured {
    /// One evaluation for each seed, all on the same images.
    pub evaluations: Vec<Evaluation>,
    /// The accuracy over seeds and images.
    pub accuracy: Repeated,
}

impl Measured {
    /// Computes the accuracy from the evaluations of all seeds.
    pub fn new(evaluations: Vec<Evaluation>) -> Self {
        let accuracy = accuracy(&evaluations, |_| true);
        Self { evaluations, accuracy }
    }

    /// The accuracy on those images (by index) for which `counts` is true.
    pub fn on(&self, counts: impl Fn(usize) -> bool) -> Repeated {
        accuracy(&self.evaluations, counts)
    }

    /// The accuracy of each seed.
    pub fn accuracies(&self) -> Vec<f64> {
        self.evaluations.iter().map(|e| e.accuracy()).collect()
    }

    /// The mean loss over the seeds.
    pub fn loss(&self) -> f64 {
        self.evaluations.iter().map(|e| e.loss).sum::<f64>() / self.evaluations.len().max(1) as f64
    }

    /// The number of images.
    pub fn images(&self) -> usize {
        self.evaluations.first().map_or(0, |e| e.images())
    }

    /// The number of correct predictions, summed over all seeds.
    pub fn correct(&self) -> usize {
        self.evaluations.iter().map(|e| e.correct).sum()
    }

    /// The sum of the confusion matrices of all seeds.
    pub fn confusion(&self) -> Vec<Vec<u64>> {
        let mut sum = self.evaluations.first().map_or(Vec::new(), |e| e.confusion.clone());
        for evaluation in self.evaluations.iter().skip(1) {
            for (row, more) in sum.iter_mut().zip(&evaluation.confusion) {
                row.iter_mut().zip(more).for_each(|(count, more)| *count += more);
            }
        }
        sum
    }
}

/// The accuracy over seeds and those images for which `counts` is true.
fn accuracy(evaluations: &[Evaluation], counts: impl Fn(usize) -> bool) -> Repeated {
    let right = |e: &Evaluation| {
        let hits = e.hits().enumerate().filter(|&(image, _)| counts(image));
        hits.map(|(_, hit)| hit).collect()
    };
    Repeated::new(&evaluations.iter().map(right).collect::<Vec<_>>())
}

/// The three measurements of the experiment.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The leaky model on its own test images.
    pub leaky: Measured,
    /// The leaky model on the set with swapped backgrounds.
    pub swap: Measured,
    /// The clean model on its own test images.
    pub clean: Measured,
}

/// One of the three measurements, with its names and the notebook's result.
pub struct Row<'a> {
    /// Its name in JSON.
    pub key: &'static str,
    /// The model and the images.
    pub title: &'static str,
    /// The notebook's result: correct predictions, and images.
    pub notebook: (u64, u64),
    /// The result of our models.
    pub measured: &'a Measured,
}

impl Row<'_> {
    /// The accuracy reported by the notebook.
    pub fn notebook_accuracy(&self) -> f64 {
        self.notebook.0 as f64 / self.notebook.1 as f64
    }

    /// The 95 % interval of our accuracy minus the notebook's.
    pub fn beyond_notebook(&self) -> Interval {
        let (ours, theirs) = (self.measured.accuracy, self.notebook_accuracy());
        let range = wilson(self.notebook.0, self.notebook.1);
        difference(ours.mean, ours.interval, theirs, range)
    }
}

impl Comparison {
    /// The three measurements in the order in which they are reported.
    pub fn rows(&self) -> [Row<'_>; 3] {
        let row = |key, title, notebook, measured| Row { key, title, notebook, measured };
        [
            row("leaky", "leaky model, own test set", (18, 20), &self.leaky),
            row("swap", "leaky model, backgrounds swapped", (0, 40), &self.swap),
            row("clean", "clean model, own test set", (14, 20), &self.clean),
        ]
    }
}

/// The result of one seed, as in the JSON.
#[derive(Debug, Serialize)]
pub struct SeedScore {
    pub seed: u64,
    /// The run's folder, relative to the experiment's.
    pub run: String,
    pub loss: f64,
    pub accuracy: f64,
    pub n: usize,
    pub correct: usize,
    pub interval: Interval,
    pub confusion: Vec<Vec<u64>>,
}

impl SeedScore {
    /// The result of the model in the folder `run`.
    pub fn new(seed: u64, run: String, evaluation: &Evaluation) -> Self {
        Self {
            seed,
            run,
            loss: evaluation.loss,
            accuracy: evaluation.accuracy(),
            n: evaluation.images(),
            correct: evaluation.correct,
            interval: wilson(evaluation.correct as u64, evaluation.images() as u64),
            confusion: evaluation.confusion.clone(),
        }
    }
}

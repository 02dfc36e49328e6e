//! A model looked into: its answers to a set of images, and where in them the heat lies.

mod heat;
mod pictures;

pub use heat::{ImageShare, MeanShare, View, no_share, not_counted};
pub use pictures::write as write_pictures;

use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::images;
use crate::interrupt;
use crate::published::Kind;
use nn_core::data::{Dataset, Foreground, Treated};
use nn_core::explain::Explanation;
use nn_core::model::Sequential;
use nn_core::tensor::BufferPool;
use nn_core::train::Evaluation;

use std::path::{Path, PathBuf};

/// Right answers, and wrong ones, of which heat maps are made: all of a small set, the most confident
/// of a large one.
const MOST: usize = 48;

/// A model on a set of images.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The set's name.
    pub name: String,
    pub kind: Kind,
    pub classes: Vec<String>,
    pub evaluation: Evaluation,
    /// What was done to the set's images when they were read.
    pub treated: Treated,
    /// The images looked into: wrong answers first, each kind by falling confidence.
    pub images: Vec<Inspected>,
}

/// One image and the answer to it.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The file, below the set's folder.
    pub file: String,
    pub path: PathBuf,
    /// The true class.
    pub label: usize,
    /// The answer.
    pub predicted: usize,
    /// The answer's probability.
    pub confidence: f64,
    /// What speaks for which class: first for the answer. There is at least that.
    pub views: Vec<View>,
    /// What was taken for the animal.
    pub subject: Foreground,
}

impl Inspected {
    /// The answer's map.
    pub fn heat(&self) -> &Explanation {
        &self.views[0].explanation
    }

    /// The answer, and its heat on the background.
    pub fn share(&self) -> ImageShare {
        (self.predicted, self.views[0].background)
    }

    /// Whether the answer is right.
    pub fn is_right(&self) -> bool {
        self.label == self.predicted
    }
}

impl Inspection {
    /// Looks into the answers `evaluation` that `model` gave to `dataset`, which are of `set`.
    ///
    /// # Errors
    /// If the images cannot be read any more, or the user interrupts.
    pub fn make(
        model: &Sequential,
        set: &ImageSet,
        dataset: &Dataset,
        evaluation: Evaluation,
    ) -> Result<Self, Failure> {
        let chosen = choose(&evaluation);
        let classes = set.folder.classes.clone();
        let mut inspected = Vec::with_capacity(chosen.len());
        let pool = BufferPool::new();
        let alpha_background = dataset.treated().alpha_background;
        for batch in chosen.chunks(images::BATCH) {
            interrupt::check()?;
            let (pixels, _) = dataset.batch(batch, &pool)?;
            let answers: Vec<usize> = batch.iter().map(|&i| evaluation.predicted[i]).collect();
            let labels: Vec<usize> = batch.iter().map(|&i| evaluation.labels[i]).collect();
            let files: Vec<&Path> =
                batch.iter().map(|&i| dataset.samples()[i].path.as_path()).collect();
            let batch_of = heat::Batch {
                pixels: &pixels,
                files: &files,
                answers: &answers,
                labels: &labels,
                classes: classes.len(),
                alpha_background,
            };
            let found = heat::look(model, &batch_of)?;
            for (&i, (views, subject)) in batch.iter().zip(found) {
                let path = dataset.samples()[i].path.clone();
                inspected.push(Inspected {
                    file: set.relative(&path),
                    path,
                    label: evaluation.labels[i],
                    predicted: evaluation.predicted[i],
                    confidence: evaluation.probabilities[i][evaluation.predicted[i]],
                    views,
                    subject,
                });
            }
        }
        Ok(Self {
            name: set.name.clone(),
            kind: set.kind,
            classes,
            evaluation,
            treated: dataset.treated().clone(),
            images: inspected,
        })
    }
}

/// The images to look into: wrong answers first, each kind by falling confidence.
fn choose(evaluation: &Evaluation) -> Vec<usize> {
    let confidence = |i: usize| evaluation.probabilities[i][evaluation.predicted[i]];
    let sorted = |wanted: bool| {
        let is_right = |i: &usize| evaluation.predicted[*i] == evaluation.labels[*i];
        let mut all: Vec<usize> = (0..evaluation.n).filter(|i| is_right(i) == wanted).collect();
        // The sort is stable: among equals the set's order stands.
        all.sort_by(|&a, &b| confidence(b).total_cmp(&confidence(a)));
        all.truncate(MOST);
        all
    };
    [sorted(false), sorted(true)].concat()
}

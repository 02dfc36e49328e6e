//! The evaluation of a classifier of images.

use nn_core::train::{self, Classification};
use nn_core::{Error, Result};

/// What a classifier predicted for the images of a set, and its loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss per image.
    pub loss: f64,
    /// The number of images.
    pub n: usize,
    /// How many were classified correctly.
    pub correct: usize,
    /// `confusion[true class][predicted class]`: numbers of images.
    pub confusion: Vec<Vec<u64>>,
    /// The true class of each image.
    pub labels: Vec<usize>,
    /// Each image's probabilities, one per class.
    pub probabilities: Vec<Vec<f64>>,
    /// The predicted class of each image.
    pub predicted: Vec<usize>,
}

impl Evaluation {
    /// The share of images classified correctly; NaN without images.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.n as f64
    }

    /// Whether each prediction is right, in the order of the images.
    pub fn hits(&self) -> impl Iterator<Item = bool> {
        self.labels.iter().zip(&self.predicted).map(|(label, predicted)| label == predicted)
    }
}

impl TryFrom<train::Evaluation> for Evaluation {
    type Error = Error;

    fn try_from(evaluation: train::Evaluation) -> Result<Self> {
        let train::Evaluation { loss, n, classification } = evaluation;
        let Some(classification) = classification else {
            return Err(Error::data(
                "the evaluation",
                "a model with an output for each class of the images",
                "a model that tells no classes apart",
                "use a classifier",
            ));
        };
        let Classification { correct, confusion, labels, probabilities, predicted } =
            classification;
        Ok(Self { loss, n, correct, confusion, labels, probabilities, predicted })
    }
}

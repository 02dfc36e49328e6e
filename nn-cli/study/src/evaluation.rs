//! The evaluation of a classifier of images.

use nn_core::train::{self, Classification};
use nn_core::{Error, Result};
use std::ops::Deref;

/// The loss of a classifier on the images of a set, and what it predicted for them: it can be read as a
/// [`Classification`].
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss per image.
    pub loss: f64,
    /// The predictions, in the order of the images.
    pub classification: Classification,
}

impl Evaluation {
    /// The number of images.
    pub fn images(&self) -> usize {
        self.labels.len()
    }
}

impl Deref for Evaluation {
    type Target = Classification;

    fn deref(&self) -> &Classification {
        &self.classification
    }
}

impl TryFrom<train::Evaluation> for Evaluation {
    type Error = Error;

    fn try_from(evaluation: train::Evaluation) -> Result<Self> {
        let Some(classification) = evaluation.classification else {
            return Err(Error::data(
                "the evaluation",
                "a model with an output for each class of the images",
                "a model that tells no classes apart",
                "use a classifier",
            ));
        };
        Ok(Self { loss: evaluation.loss, classification })
    }
}

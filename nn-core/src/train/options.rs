//! The settings of a training run.

use crate::loss::Loss;
use crate::optim::Schedule;
use serde::{Deserialize, Serialize};

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitOptions {
    /// Passes over the training set.
    pub epochs: usize,
    /// Samples per step; the last step of an epoch may have fewer.
    pub batch_size: usize,
    /// The learning rate the schedule starts from.
    pub learning_rate: f64,
    /// How the learning rate changes from epoch to epoch.
    pub schedule: Schedule,
    /// The loss that is minimised, unless the trainer has an objective of its own
    /// ([`Trainer::with_objective`](super::Trainer::with_objective)).
    pub loss: Loss,
    /// The seed for the order of the samples and for dropout.
    pub seed: u64,
}

impl Default for FitOptions {
    /// The defaults of the reference: 10 epochs, batches of 4, a constant learning rate of 0.001, seed 27.
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 4,
            learning_rate: 0.001,
            schedule: Schedule::Constant,
            loss: Loss::CategoricalCrossentropy,
            seed: 27,
        }
    }
}

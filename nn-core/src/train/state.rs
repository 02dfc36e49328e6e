//! The state of a training run between two steps.

use super::{FitOptions, History};
use crate::kernels::Kernels;
use crate::model::Model;
use crate::optim::Optimizer;
use serde::{Deserialize, Serialize};

/// Everything that the rest of a run depends on, and what a checkpoint stores. Randomness is
/// derived from the seed and the number of steps.
#[derive(Debug)]
pub(super) struct TrainerState<T: Kernels> {
    pub model: Model<T>,
    pub optimizer: Box<dyn Optimizer<T>>,
    pub options: FitOptions,
    /// The epochs that are complete.
    pub history: History,
    /// Steps of the run so far.
    pub steps: u64,
    /// The progress of the current epoch.
    pub epoch: EpochSoFar,
}

/// The progress of an epoch, and its metrics so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EpochSoFar {
    /// Steps completed.
    pub step: usize,
    /// Training samples of a whole epoch; 0 before the first step.
    pub samples: usize,
    /// The sum of the samples' losses.
    pub loss: f64,
    /// Samples classified correctly.
    pub correct: usize,
    /// Time so far, in seconds.
    pub seconds: f64,
}

impl EpochSoFar {
    /// Whether the values are consistent with each other and with this batch size.
    pub fn is_possible(&self, batch_size: usize) -> bool {
        let seconds = self.seconds.is_finite() && self.seconds >= 0.0;
        batch_size > 0
            && self.step <= self.samples.div_ceil(batch_size)
            && self.correct <= self.samples
            && seconds
    }
}

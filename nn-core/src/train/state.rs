//! What a run is, between two steps.

use super::{FitOptions, History};
use crate::kernels::Kernels;
use crate::model::Sequential;
use crate::optim::Optimizer;
use serde::{Deserialize, Serialize};

/// All that decides how a run goes on: what a checkpoint holds. Randomness follows from the seed and the
/// steps made.
#[derive(Debug)]
pub(super) struct TrainerState<T: Kernels> {
    pub model: Sequential<T>,
    pub optimizer: Box<dyn Optimizer<T>>,
    pub options: FitOptions,
    /// The epochs that are complete.
    pub history: History,
    /// Steps of the whole run.
    pub steps: u64,
    /// Where the epoch under way stands.
    pub epoch: EpochSoFar,
}

/// How far an epoch has come, and what it has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EpochSoFar {
    /// Steps made.
    pub step: usize,
    /// Training samples of a whole epoch; 0 before the first step.
    pub samples: usize,
    /// The sum of the samples' losses.
    pub loss: f64,
    /// Samples classified correctly.
    pub correct: usize,
    /// Time spent, in seconds.
    pub seconds: f64,
}

impl EpochSoFar {
    /// Whether an epoch can be there.
    pub fn is_possible(&self, batch_size: usize) -> bool {
        let seconds = self.seconds.is_finite() && self.seconds >= 0.0;
        batch_size > 0
            && self.step <= self.samples.div_ceil(batch_size)
            && self.correct <= self.samples
            && seconds
    }
}

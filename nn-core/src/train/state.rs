//! The state of a training run between two steps.

use super::best::{Best, best_epoch};
use super::{EpochRecord, FitOptions, History, Keep, Objective, StepRecord};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::model::Model;
use crate::optim::Optimizer;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything that the rest of a run depends on, and what a checkpoint stores. Randomness is
/// derived from the seed and the number of steps.
pub(super) struct TrainerState<T: Kernels> {
    /// What is trained.
    pub model: Model<T>,
    pub optimizer: Box<dyn Optimizer<T>>,
    /// What is minimised instead of the loss of the options.
    pub own_objective: Option<Box<dyn Objective<T>>>,
    pub options: FitOptions,
    /// The epochs that are complete.
    pub history: History,
    /// Steps of the run so far.
    pub steps: u64,
    /// The progress of the current epoch.
    pub epoch: EpochSoFar,
    /// The best epoch so far, if its weights are kept.
    pub best: Option<Best<T>>,
    /// The average of the weights, if there is one.
    pub average: Option<Model<T>>,
}

impl<T: Kernels> TrainerState<T> {
    /// What is minimised.
    pub fn objective(&self) -> &dyn Objective<T> {
        self.own_objective.as_deref().unwrap_or(&self.options.loss)
    }

    /// What the run would result in if it ended now.
    pub fn result(&self) -> &Model<T> {
        self.best.as_ref().map_or(self.evaluated(), |best| &best.model)
    }

    /// What is validated: the average of the weights, if there is one, otherwise the model that is trained.
    pub fn evaluated(&self) -> &Model<T> {
        self.average.as_ref().unwrap_or(&self.model)
    }

    /// Checks that settings, objective and model fit each other.
    pub fn check(&self) -> Result<()> {
        self.options.check()?;
        self.objective().check(&self.model)?;
        let loss = self.own_objective.is_none().then_some(self.options.loss);
        self.options.regularization.fits(loss, &self.model)
    }

    /// Takes an epoch that is complete into the history, and keeps its weights if they are the best so far.
    pub fn complete(&mut self, record: EpochRecord) {
        self.history.push(record);
        self.epoch = EpochSoFar::default();
        let epoch = record.epoch;
        let is_best = |best: &EpochRecord| best.epoch == epoch;
        if self.options.keep == Keep::Best && best_epoch(&self.history).is_some_and(is_best) {
            self.best = Some(Best { epoch, model: self.evaluated().clone() });
        }
    }

    /// The name of the objective, unless it is the loss of the options.
    pub fn own_objective_name(&self) -> Option<&str> {
        self.own_objective.as_ref().map(|objective| objective.name())
    }
}

impl<T: Kernels> fmt::Debug for TrainerState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrainerState")
            .field("model", &self.model)
            .field("optimizer", &self.optimizer)
            .field("objective", &self.objective().name())
            .field("options", &self.options)
            .field("history", &self.history)
            .field("steps", &self.steps)
            .field("epoch", &self.epoch)
            .field("best", &self.best)
            .field("average", &self.average)
            .finish()
    }
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
    /// Whether there were targets that are no classes, so that there is no accuracy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_classes: bool,
    /// Time so far, in seconds.
    pub seconds: f64,
}

impl EpochSoFar {
    /// Counts a step.
    pub fn add(&mut self, step: &StepRecord) {
        self.step += 1;
        self.loss += step.loss * step.samples as f64;
        self.correct += step.correct.unwrap_or(0);
        self.without_classes |= step.correct.is_none();
    }

    /// How many samples were classified correctly, if all targets are classes.
    pub fn correct(&self) -> Option<usize> {
        (!self.without_classes).then_some(self.correct)
    }

    /// Whether the values are consistent with each other and with this batch size.
    pub fn is_possible(&self, batch_size: usize) -> bool {
        let seconds = self.seconds.is_finite() && self.seconds >= 0.0;
        batch_size > 0
            && self.step <= self.samples.div_ceil(batch_size)
            && self.correct <= self.samples
            && seconds
    }
}

//! The settings of a training run.

use super::EpochRecord;
use super::best::{best_epoch, epochs_since_best};
use super::evaluate::check_batch_size;
use super::regularization::Regularization;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::optim::{Schedule, check_learning_rate};
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
    /// Epochs over which the learning rate rises in equal steps, from step to step, to that of the schedule
    /// (Goyal et al., 2017); 0 for none. The schedule counts these epochs, too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warmup: f64,
    /// Ends the run once this many epochs in a row were no better than the best one, by the loss on the
    /// validation set; see [`best_epoch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<usize>,
    /// The epoch whose weights the run results in.
    #[serde(default, skip_serializing_if = "Keep::is_last")]
    pub keep: Keep,
    /// Batches that one step adds up before it changes the weights: it then takes as many times the
    /// `batch_size` samples, with the memory for one batch. The gradient is the mean over all of these
    /// samples, as of one large batch; only layers that look at a whole batch, such as batch normalisation,
    /// see its parts. 1 for a step after each batch.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// What keeps the weights from fitting single samples.
    #[serde(default, skip_serializing_if = "Regularization::is_none")]
    pub regularization: Regularization,
}

/// The epoch whose weights a run results in ([`Trainer::model`](super::Trainer::model)). Training itself
/// always goes on from the last weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The last epoch.
    #[default]
    Last,
    /// The epoch with the lowest loss on the validation set ([`best_epoch`]).
    Best,
}

impl Keep {
    /// The epoch of `history` whose weights are kept.
    pub fn epoch(self, history: &[EpochRecord]) -> Option<&EpochRecord> {
        match self {
            Self::Best => best_epoch(history),
            Self::Last => history.last(),
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde passes references
    fn is_last(&self) -> bool {
        *self == Self::Last
    }
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
            warmup: 0.0,
            early_stopping: None,
            keep: Keep::Last,
            accumulate: 1,
            regularization: Regularization::default(),
        }
    }
}

impl FitOptions {
    /// Checks the settings.
    ///
    /// # Errors
    /// If the batch size, the batches per step or the patience of early stopping is 0, the learning rate or the
    /// warm-up is not a finite number of 0 or above, or a setting of the schedule or of the regularisation is
    /// out of range.
    pub fn check(&self) -> Result<()> {
        check_batch_size(self.batch_size)?;
        check_learning_rate(self.learning_rate)?;
        self.schedule.check()?;
        if !(self.warmup.is_finite() && self.warmup >= 0.0) {
            return Err(Error::setting(
                "the warm-up of the learning rate",
                "a number of epochs, 0 or above",
                self.warmup,
                "a twentieth of all epochs is usual",
            ));
        }
        if self.accumulate == 0 {
            let remedy = "1 is a step after each batch";
            return Err(Error::setting("batches per step", "at least 1", 0, remedy));
        }
        self.regularization.check()?;
        if self.early_stopping == Some(0) {
            return Err(Error::setting(
                "the patience of early stopping",
                "1 epoch or more",
                0,
                "5 to 10 are usual",
            ));
        }
        Ok(())
    }

    /// Samples of a step, as long as there are so many.
    pub fn step_samples(&self) -> usize {
        self.batch_size.saturating_mul(self.accumulate)
    }

    /// Whether a run with this history is at its end: it has made all epochs, or stopped early.
    pub fn is_done(&self, history: &[EpochRecord]) -> bool {
        history.len() >= self.epochs || self.has_stopped_early(history)
    }

    /// Whether a run with this history has stopped early: it ran out of patience before its last epoch.
    pub fn has_stopped_early(&self, history: &[EpochRecord]) -> bool {
        let ran_out = |patience| epochs_since_best(history) >= patience;
        history.len() < self.epochs && self.early_stopping.is_some_and(ran_out)
    }

    /// The learning rate after `step` of the `steps` steps of an epoch, in a run with this history.
    pub(super) fn rate_at(&self, history: &[EpochRecord], step: usize, steps: usize) -> f64 {
        let epoch = history.len();
        let losses: Vec<f64> =
            history.iter().map(|record| record.val_loss.unwrap_or(f64::NAN)).collect();
        let rate = self.schedule.learning_rate(self.learning_rate, epoch, &losses);
        let rising = (self.warmup * steps as f64).ceil();
        let step = (epoch * steps + step + 1) as f64;
        if step < rising { rate * (step / rising) } else { rate }
    }

    /// What needs a validation set, in words; `None` if nothing does.
    pub(super) fn needs_validation(&self) -> Option<&'static str> {
        match self {
            Self { early_stopping: Some(_), .. } => Some("early stopping"),
            Self { keep: Keep::Best, .. } => Some("keeping the best epoch's weights"),
            Self { schedule, .. } if schedule.needs_losses() => Some("this schedule"),
            _ => None,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes references
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes references
fn is_one(value: &usize) -> bool {
    *value == 1
}

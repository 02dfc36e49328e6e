//! The metrics of a run, epoch by epoch.

use serde::{Deserialize, Serialize};

/// The metrics of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Mean training loss per sample, accumulated during the epoch while the weights change.
    pub loss: f64,
    /// Share of training samples classified correctly, accumulated in the same way; `None` if the
    /// targets are no classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Mean validation loss after the epoch.
    pub val_loss: Option<f64>,
    /// Validation accuracy after the epoch, if the targets are classes.
    pub val_accuracy: Option<f64>,
    /// Wall time of the epoch, validation included, in seconds.
    pub seconds: f64,
}

impl EpochRecord {
    /// The same of an epoch that comes behind `epochs` others.
    #[must_use]
    pub fn after(self, epochs: usize) -> Self {
        Self { epoch: epochs + self.epoch, ..self }
    }
}

/// The metrics of all epochs so far.
pub type History = Vec<EpochRecord>;

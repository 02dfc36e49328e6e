//! What a training run reports, and how it is stopped.

use super::EpochRecord;
use crate::autograd::Var;
use crate::kernels::Kernels;
use crate::model::Model;
use std::ops::ControlFlow;

/// The metrics of one training step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// Mean loss of the batch, before the update.
    pub loss: f64,
    /// Samples of the batch classified correctly, before the update; `None` if the targets are no
    /// classes.
    pub correct: Option<usize>,
    /// Samples in the batch.
    pub samples: usize,
}

impl StepRecord {
    /// The share of samples classified correctly, if the targets are classes.
    pub fn accuracy(&self) -> Option<f64> {
        self.correct.map(|correct| correct as f64 / self.samples as f64)
    }
}

/// A completed step, as an [`Observer`] sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct StepDone<'a, T: Kernels = f32> {
    /// The metrics of the step.
    pub step: StepRecord,
    /// The mean loss, and the numbers of correct and of all samples, of the epoch up to now, including
    /// the steps before a resume.
    pub so_far: StepRecord,
    /// The model that is trained, after the step.
    pub model: &'a Model<T>,
    /// Its main output for the batch, before the update: `[batch, ..]`, logits for a classifier. Of a step of
    /// several batches, that for the last one.
    pub output: &'a Var<T>,
    /// Its outputs beside the main one.
    pub also: &'a [Var<T>],
}

/// A completed epoch, as an [`Observer`] sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct EpochDone<'a, T: Kernels = f32> {
    /// The metrics of the epoch.
    pub record: EpochRecord,
    /// The model after the epoch, as it was validated: with averaged weights, if they are averaged. A clone of it
    /// keeps these weights.
    pub model: &'a Model<T>,
}

/// How a run stops before its last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The run has reached its aim: [`fit`](super::Trainer::fit) returns `Ok`.
    Finish,
    /// The run is broken off: [`fit`](super::Trainer::fit) returns
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    Interrupt,
}

/// Receives the progress of a training run, and can stop it. Either way of stopping saves the run first,
/// if saving is on ([`Trainer::save_to`](super::Trainer::save_to)), and another call of
/// [`fit`](super::Trainer::fit) goes on from there.
///
/// Early stopping by the training loss; by the validation loss it is a setting
/// ([`FitOptions::early_stopping`](super::FitOptions::early_stopping)):
///
/// ```
/// use nn_core::train::{EpochDone, Observer, Stop};
/// use std::ops::ControlFlow;
///
/// /// Stops when the training loss has not become lower for five epochs.
/// struct Patience {
///     lowest: f64,
///     since: usize,
/// }
///
/// impl Observer for Patience {
///     fn epoch_done(&mut self, epoch: &EpochDone) -> ControlFlow<Stop> {
///         let loss = epoch.record.loss;
///         self.since = if loss < self.lowest { 0 } else { self.since + 1 };
///         self.lowest = self.lowest.min(loss);
///         if self.since == 5 { ControlFlow::Break(Stop::Finish) } else { ControlFlow::Continue(()) }
///     }
/// }
/// ```
pub trait Observer<T: Kernels = f32> {
    /// An epoch of `steps` steps starts, or resumes after `done` of them.
    fn epoch_started(&mut self, _epoch: usize, _steps: usize, _done: usize) {}

    /// A step is complete. `Break` stops the run.
    fn step_done(&mut self, _step: &StepDone<'_, T>) -> ControlFlow<Stop> {
        ControlFlow::Continue(())
    }

    /// An epoch is complete. `Break` stops the run.
    fn epoch_done(&mut self, _epoch: &EpochDone<'_, T>) -> ControlFlow<Stop> {
        ControlFlow::Continue(())
    }
}

/// An observer that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl<T: Kernels> Observer<T> for Silent {}

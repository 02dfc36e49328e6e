//! The training loop.

use super::evaluate::{Evaluation, check_batch_size, class_of, classes, evaluate_in};
use super::{Checkpoints, EpochRecord, Examples, History};
use crate::autograd::Tape;
use crate::data::shuffled_order;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::loss::Loss;
use crate::model::{Pass, Sequential};
use crate::optim::{Gradients, Optimizer, Schedule, check_learning_rate};
use crate::rng::{Rng, stream};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::time::Instant;

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitOptions {
    /// Passes over the training set.
    pub epochs: usize,
    /// Samples per step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// The learning rate the schedule starts from.
    pub learning_rate: f64,
    /// How the learning rate changes from epoch to epoch.
    pub schedule: Schedule,
    /// What is minimised.
    pub loss: Loss,
    /// Decides the order of the samples and the dropped units.
    pub seed: u64,
}

impl Default for FitOptions {
    /// The reference's: 10 epochs, batches of 4, a constant learning rate of 0.001, seed 27.
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

/// One training step, as it went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// Mean loss of the batch, before the step.
    pub loss: f64,
    /// Samples of the batch classified correctly, before the step.
    pub correct: usize,
    /// Samples in the batch.
    pub samples: usize,
}

/// Somebody who watches a training run and may end it.
pub trait Observer {
    /// An epoch of `steps` steps begins, or goes on after `done` of them.
    fn epoch_started(&mut self, _epoch: usize, _steps: usize, _done: usize) {}

    /// A step was made. `Break` stops the run with [`Error::Interrupted`], after saving it if it is
    /// saved at all ([`Trainer::save_to`]).
    fn step_done(&mut self, _step: &StepRecord) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// An epoch ended.
    fn epoch_done(&mut self, _record: &EpochRecord) {}
}

/// An observer that says nothing.
pub struct Silent;

impl Observer for Silent {}

/// A model in training.
///
/// ```no_run
/// # use nn_core::{data::Dataset, model::Sequential, optim::OptimizerConfig, train::*};
/// # fn example(train: &Dataset, validation: &Dataset, model: Sequential) -> nn_core::Result<()> {
/// let optimizer = OptimizerConfig::adam().build()?;
/// let mut trainer = Trainer::new(model, optimizer, FitOptions::default())?;
/// trainer.fit(train, Some(validation), &mut Silent)?;
/// println!("{:?}", trainer.history().last());
/// # Ok(())
/// # }
/// ```
pub struct Trainer<T: Kernels = f32> {
    pub(super) model: Sequential<T>,
    pub(super) optimizer: Box<dyn Optimizer<T>>,
    pub(super) options: FitOptions,
    pub(super) history: History,
    /// Steps of the whole run.
    pub(super) steps: u64,
    /// Where the epoch under way stands.
    pub(super) epoch: EpochSoFar,
    /// Where the run is saved, and with which note.
    saving: Option<(Checkpoints, String)>,
    tape: Tape<T>,
}

/// How far an epoch has come, and what it has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EpochSoFar {
    /// Steps made.
    step: usize,
    /// Training samples of a whole epoch; 0 before the first step.
    samples: usize,
    /// The sum of the samples' losses.
    loss: f64,
    /// Samples classified correctly.
    correct: usize,
    /// Time spent, in seconds.
    seconds: f64,
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

impl<T: Kernels> Trainer<T> {
    /// A trainer at the start of its run.
    ///
    /// # Errors
    /// If the batch size is 0, the learning rate is not a finite number of 0 or above, or the model
    /// is not a classifier that the loss fits.
    pub fn new(
        model: Sequential<T>,
        optimizer: Box<dyn Optimizer<T>>,
        options: FitOptions,
    ) -> Result<Self> {
        check_batch_size(options.batch_size)?;
        check_learning_rate(options.learning_rate)?;
        options.schedule.check()?;
        options.loss.check(model.output_kind())?;
        classes(&model)?;
        Ok(Self {
            model,
            optimizer,
            options,
            history: History::new(),
            steps: 0,
            epoch: EpochSoFar::default(),
            saving: None,
            tape: Tape::new(),
        })
    }

    /// The model as it stands.
    pub fn model(&self) -> &Sequential<T> {
        &self.model
    }

    /// The trained model.
    pub fn into_model(self) -> Sequential<T> {
        self.model
    }

    /// The epochs so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The epoch under way, counted from 1, and the steps made in it.
    pub fn position(&self) -> (usize, usize) {
        (self.history.len() + 1, self.epoch.step)
    }

    /// From now on [`Trainer::fit`] saves the run after each epoch and when it is stopped, with this
    /// note.
    ///
    /// ```no_run
    /// # use nn_core::{data::Dataset, train::*};
    /// # fn example(mut trainer: Trainer, train: &Dataset) -> nn_core::Result<()> {
    /// let mut checkpoints = Checkpoints::new("runs/photos".as_ref());
    /// if let Some(latest) = checkpoints.latest()? {
    ///     trainer = trainer.resume(latest.checkpoint)?;
    /// }
    /// trainer.save_to(checkpoints, "photos of May");
    /// trainer.fit(train, None, &mut Silent)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn save_to(&mut self, checkpoints: Checkpoints, note: impl Into<String>) {
        self.saving = Some((checkpoints, note.into()));
    }

    /// Trains the epochs that are left, and what is left of the one under way, validating after
    /// each.
    ///
    /// # Errors
    /// If there is no training sample, the batch size is larger than the training set, a sample
    /// cannot be read, the loss is not finite any more ([`Error::NonFinite`] names the step), a
    /// checkpoint cannot be written, or the run is stopped ([`Error::Interrupted`]): by the
    /// observer after a step, or by examples that return this error. A run that was stopped goes on
    /// with another call.
    pub fn fit(
        &mut self,
        train: &dyn Examples<T>,
        validation: Option<&dyn Examples<T>>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if train.is_empty() {
            return Err(Error::setting(
                "the training set",
                "of at least one sample",
                "none",
                "add images, or make the validation split smaller",
            ));
        }
        if self.options.batch_size > train.len() {
            return Err(Error::setting(
                "batch size",
                format!("at most {}, the number of training samples", train.len()),
                self.options.batch_size,
                "choose a smaller one",
            ));
        }
        if self.epoch.step > 0 && self.epoch.samples != train.len() {
            return Err(Error::setting(
                "the training set",
                format!("of {} samples, as when the run stopped", self.epoch.samples),
                train.len(),
                "go on with the samples it began with",
            ));
        }
        let mut outcome = self.epochs(train, validation, observer);
        if let Err(Error::Interrupted) = outcome {
            outcome = self.save_now().and(outcome);
        }
        let saved = self.saving.as_mut().map_or(Ok(()), |(checkpoints, _)| checkpoints.wait());
        outcome.and(saved)
    }

    fn epochs(
        &mut self,
        train: &dyn Examples<T>,
        validation: Option<&dyn Examples<T>>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        while self.history.len() < self.options.epochs {
            let record = self.epoch(train, validation, observer)?;
            self.history.push(record);
            self.epoch = EpochSoFar::default();
            self.save_now()?;
            observer.epoch_done(&record);
        }
        Ok(())
    }

    fn save_now(&mut self) -> Result<()> {
        // Out of the way while the rest of the trainer is looked at.
        let Some((mut checkpoints, note)) = self.saving.take() else { return Ok(()) };
        let saved = checkpoints.save(self, &note);
        self.saving = Some((checkpoints, note));
        saved
    }

    /// Evaluates the model as it stands on all `examples`, in order, with the memory that training
    /// uses.
    ///
    /// # Errors
    /// As [`evaluate`](super::evaluate()).
    pub fn evaluate(&self, examples: &dyn Examples<T>) -> Result<Evaluation> {
        let FitOptions { loss, batch_size, .. } = self.options;
        evaluate_in(&self.model, loss, examples, batch_size, self.tape.pool())
    }

    fn epoch(
        &mut self,
        train: &dyn Examples<T>,
        validation: Option<&dyn Examples<T>>,
        observer: &mut dyn Observer,
    ) -> Result<EpochRecord> {
        let started = Instant::now();
        let before = self.epoch.seconds;
        let epoch = self.history.len() + 1;
        let options = self.options.clone();
        let learning_rate = options.schedule.learning_rate(options.learning_rate, epoch - 1);
        let order = shuffled_order(train.len(), options.seed, epoch);
        self.epoch.samples = order.len();

        let steps = order.len().div_ceil(options.batch_size);
        observer.epoch_started(epoch, steps, self.epoch.step);
        for batch in order.chunks(options.batch_size).skip(self.epoch.step) {
            let (x, labels) = train.batch(batch, self.tape.pool())?;
            let step = self.step(x, &labels, learning_rate)?;
            if !step.loss.is_finite() {
                let loss = step.loss.to_string();
                return Err(Error::NonFinite { epoch, step: self.epoch.step + 1, loss });
            }
            self.epoch.step += 1;
            self.epoch.loss += step.loss * step.samples as f64;
            self.epoch.correct += step.correct;
            self.epoch.seconds = before + started.elapsed().as_secs_f64();
            if observer.step_done(&step).is_break() {
                return Err(Error::Interrupted);
            }
        }

        let validated = match validation {
            Some(validation) if !validation.is_empty() => Some(self.evaluate(validation)?),
            _ => None,
        };
        let n = order.len() as f64;
        Ok(EpochRecord {
            epoch,
            loss: self.epoch.loss / n,
            accuracy: self.epoch.correct as f64 / n,
            val_loss: validated.as_ref().map(|v| v.loss),
            val_accuracy: validated.as_ref().map(|v| v.accuracy()),
            seconds: before + started.elapsed().as_secs_f64(),
        })
    }

    /// One step: forward, backward, update. If the loss is not finite the weights stay as they
    /// were.
    ///
    /// # Errors
    /// If `x [batch, ..]` does not fit the model, or a label has no output.
    pub fn step(
        &mut self,
        x: Tensor<T>,
        labels: &[usize],
        learning_rate: f64,
    ) -> Result<StepRecord> {
        // On a thread of the pool, so that every op does not have to be handed over to one.
        rayon::scope(|_| self.step_here(x, labels, learning_rate))
    }

    fn step_here(
        &mut self,
        x: Tensor<T>,
        labels: &[usize],
        learning_rate: f64,
    ) -> Result<StepRecord> {
        let mut rng = Rng::new(self.options.seed, stream::DROPOUT + self.steps);
        self.tape.clear();
        let x = self.tape.constant(x);
        let pass = self.model.forward(&mut self.tape, x, Pass::training(&mut rng))?;
        let loss = self.options.loss.apply(&mut self.tape, &pass.output, labels)?;
        let correct = (labels.iter().enumerate())
            .filter(|&(i, &label)| class_of(pass.output.value().row(i)) == label)
            .count();
        let record =
            StepRecord { loss: loss.value().item()?.as_f64(), correct, samples: labels.len() };
        if record.loss.is_finite() {
            self.tape.backward(&loss)?;
            let gradients = Gradients::take(&mut self.tape, &pass.parameters);
            // The pass holds the parameters' values; an update in place needs them to itself.
            drop((pass, loss));
            self.tape.clear();
            self.optimizer.step(self.model.parameters_mut(), &gradients, learning_rate)?;
            self.steps += 1;
        }
        Ok(record)
    }
}

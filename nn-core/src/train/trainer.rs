//! The training loop.

use super::checkpoint::draft;
use super::clock::Clock;
use super::evaluate::{Evaluation, check_batch_size, class_of, classes, evaluate_in};
use super::state::{EpochSoFar, TrainerState};
use super::{Checkpoint, Checkpoints, EpochRecord, Examples, FitOptions, History};
use crate::autograd::Tape;
use crate::data::shuffled_order;
use crate::error::{Error, Result};
use crate::kernels::{Kernels, parallel};
use crate::model::{Model, Pass};
use crate::optim::{Gradients, Optimizer, check_learning_rate};
use crate::rng::{Rng, stream};
use crate::tensor::Tensor;
use std::ops::ControlFlow;
use std::path::Path;

/// The metrics of one training step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// Mean loss of the batch, before the update.
    pub loss: f64,
    /// Samples of the batch classified correctly, before the update.
    pub correct: usize,
    /// Samples in the batch.
    pub samples: usize,
}

/// Receives the progress of a training run, and can stop it.
pub trait Observer {
    /// An epoch of `steps` steps starts, or resumes after `done` of them.
    fn epoch_started(&mut self, _epoch: usize, _steps: usize, _done: usize) {}

    /// A step is complete. `Break` stops the run with [`Error::Interrupted`]; the run is saved
    /// first if saving is on ([`Trainer::save_to`]). `so_far` has the mean loss, and the numbers of
    /// correct and of all samples, of the epoch up to now, including the steps before a resume.
    fn step_done(&mut self, _step: &StepRecord, _so_far: &StepRecord) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// An epoch is complete.
    fn epoch_done(&mut self, _record: &EpochRecord) {}
}

/// An observer that does nothing.
#[derive(Debug, Clone, Copy, Default)]
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
#[derive(Debug)]
pub struct Trainer<T: Kernels = f32> {
    pub(super) state: TrainerState<T>,
    /// Where the run is saved, and with which note.
    saving: Option<(Checkpoints, String)>,
    tape: Tape<T>,
}

impl<T: Kernels> Trainer<T> {
    /// A trainer at the start of its run.
    ///
    /// # Errors
    /// If the batch size is 0, the learning rate is not a finite number of 0 or above, or the model
    /// is not a classifier that the loss fits.
    pub fn new(
        model: Model<T>,
        optimizer: Box<dyn Optimizer<T>>,
        options: FitOptions,
    ) -> Result<Self> {
        check_batch_size(options.batch_size)?;
        check_learning_rate(options.learning_rate)?;
        options.schedule.check()?;
        options.loss.check(model.output_kind())?;
        classes(&model)?;
        let (history, epoch) = (History::new(), EpochSoFar::default());
        let state = TrainerState { model, optimizer, options, history, steps: 0, epoch };
        Ok(Self { state, saving: None, tape: Tape::new() })
    }

    /// The model in its current state.
    pub fn model(&self) -> &Model<T> {
        &self.state.model
    }

    /// The model, without the state of training.
    pub fn into_model(self) -> Model<T> {
        self.state.model
    }

    /// The metrics of the epochs so far.
    pub fn history(&self) -> &History {
        &self.state.history
    }

    /// The current epoch, counted from 1, and the number of steps completed in it.
    pub fn position(&self) -> (usize, usize) {
        (self.state.history.len() + 1, self.state.epoch.step)
    }

    /// Saves the current state of the run with an atomic rename: weights, optimiser state, the
    /// position in the epoch, the history, and the caller's note. Tensors are written without a
    /// copy of all of them in memory.
    ///
    /// [`Trainer::save_to`] does so after each epoch.
    ///
    /// # Errors
    /// If the file cannot be written; an existing file is then left unchanged.
    pub fn save(&self, path: &Path, note: &str) -> Result<()> {
        draft(&self.state, path, note, None)?.commit()
    }

    /// Resumes from `checkpoint`: the next [`Trainer::fit`] continues with bit-identical results,
    /// as if the run had never stopped. This trainer must have been created with the same model,
    /// optimiser and options; only the number of epochs may differ.
    ///
    /// # Errors
    /// If the options differ, the model or optimiser is another, or the file cannot be read.
    ///
    /// ```
    /// # use nn_core::{layers::Dense, model::Sequential, optim::OptimizerConfig, train::*};
    /// # use nn_core::{Tensor, tensor::BufferPool};
    /// # struct Points;
    /// # impl Examples for Points {
    /// #     fn len(&self) -> usize { 8 }
    /// #     fn batch(&self, i: &[usize], _: &BufferPool<f32>) -> nn_core::Result<(Tensor, Vec<usize>)> {
    /// #         Ok((Tensor::from_fn([i.len(), 1], |k| i[k] as f32), i.iter().map(|i| i % 2).collect()))
    /// #     }
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("checkpoint.safetensors");
    /// let trainer = |epochs| {
    ///     let model = Sequential::builder([1]).layer(Dense::new(2)).build(27)?;
    ///     let options = FitOptions { epochs, ..FitOptions::default() };
    ///     Trainer::<f32>::new(model, OptimizerConfig::adam().build()?, options)
    /// };
    /// let mut first = trainer(1)?;
    /// first.fit(&Points, None, &mut Silent)?;
    /// first.save(&path, "by an example")?;
    ///
    /// let checkpoint = Checkpoint::open(&path)?;
    /// assert_eq!((checkpoint.note(), checkpoint.history().len()), ("by an example", 1));
    /// let mut second = trainer(2)?.resume(checkpoint)?;
    /// second.fit(&Points, None, &mut Silent)?;
    ///
    /// let mut unbroken = trainer(2)?;
    /// unbroken.fit(&Points, None, &mut Silent)?;
    /// let weights = |t: &Trainer| t.model().get("dense1.weight").unwrap().value.as_slice().to_vec();
    /// assert_eq!(weights(&second), weights(&unbroken));
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn resume(mut self, checkpoint: Checkpoint) -> Result<Self> {
        checkpoint.fill(&mut self.state)?;
        Ok(self)
    }

    /// Turns saving on: [`Trainer::fit`] then saves the run after each epoch and when it is
    /// stopped, with this note.
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

    /// Trains the remaining epochs, including the rest of the current one, with a validation after each.
    ///
    /// # Errors
    /// If there is no training sample, a sample cannot be read, the loss is no longer finite
    /// ([`Error::NonFinite`] names the step), a checkpoint cannot be written, or the run is stopped
    /// ([`Error::Interrupted`]): by the observer after a step, or by examples that return this
    /// error. A stopped run continues with the next call.
    pub fn fit(
        &mut self,
        train: &dyn Examples<T>,
        validation: Option<&dyn Examples<T>>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if train.is_empty() {
            return Err(Error::data(
                "the training set",
                "of at least one sample",
                "none",
                "add images, or make the validation split smaller",
            ));
        }
        if self.state.epoch.step > 0 && self.state.epoch.samples != train.len() {
            return Err(Error::data(
                "the training set",
                format!("of {} samples, as when the run stopped", self.state.epoch.samples),
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
        while self.state.history.len() < self.state.options.epochs {
            let record = self.epoch(train, validation, observer)?;
            self.state.history.push(record);
            self.state.epoch = EpochSoFar::default();
            self.save_now()?;
            observer.epoch_done(&record);
        }
        Ok(())
    }

    fn save_now(&mut self) -> Result<()> {
        match &mut self.saving {
            Some((checkpoints, note)) => checkpoints.save(&self.state, note),
            None => Ok(()),
        }
    }

    /// Evaluates the model in its current state on all `examples`, in order, with the buffers that
    /// training uses.
    ///
    /// # Errors
    /// As [`evaluate`](super::evaluate()).
    pub fn evaluate(&self, examples: &dyn Examples<T>) -> Result<Evaluation> {
        let FitOptions { loss, batch_size, .. } = self.state.options;
        evaluate_in(&self.state.model, loss, examples, batch_size, self.tape.pool())
    }

    fn epoch(
        &mut self,
        train: &dyn Examples<T>,
        validation: Option<&dyn Examples<T>>,
        observer: &mut dyn Observer,
    ) -> Result<EpochRecord> {
        let started = Clock::start();
        let before = self.state.epoch.seconds;
        let epoch = self.state.history.len() + 1;
        let options = self.state.options.clone();
        let learning_rate = options.schedule.learning_rate(options.learning_rate, epoch - 1);
        let order = shuffled_order(train.len(), options.seed, epoch);
        self.state.epoch.samples = order.len();

        let steps = order.len().div_ceil(options.batch_size);
        observer.epoch_started(epoch, steps, self.state.epoch.step);
        for batch in order.chunks(options.batch_size).skip(self.state.epoch.step) {
            let (x, labels) = train.batch(batch, self.tape.pool())?;
            let step = self.step(x, &labels, learning_rate)?;
            if !step.loss.is_finite() {
                let loss = step.loss.to_string();
                return Err(Error::NonFinite { epoch, step: self.state.epoch.step + 1, loss });
            }
            self.state.epoch.step += 1;
            self.state.epoch.loss += step.loss * step.samples as f64;
            self.state.epoch.correct += step.correct;
            self.state.epoch.seconds = before + started.seconds();
            if observer.step_done(&step, &self.so_far()).is_break() {
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
            loss: self.state.epoch.loss / n,
            accuracy: self.state.epoch.correct as f64 / n,
            val_loss: validated.as_ref().map(|v| v.loss),
            val_accuracy: validated.as_ref().map(|v| v.accuracy()),
            seconds: before + started.seconds(),
        })
    }

    /// The metrics of the current epoch so far, as a step record.
    fn so_far(&self) -> StepRecord {
        let EpochSoFar { step, samples, loss, correct, .. } = self.state.epoch;
        let samples = samples.min(step * self.state.options.batch_size);
        StepRecord { loss: loss / samples as f64, correct, samples }
    }

    /// One step: forward, backward, update. If the loss is not finite, the weights stay unchanged.
    ///
    /// # Errors
    /// If `x [batch, ..]` does not fit the model, or a label has no output.
    pub fn step(
        &mut self,
        x: Tensor<T>,
        labels: &[usize],
        learning_rate: f64,
    ) -> Result<StepRecord> {
        parallel::on_pool(|| self.step_here(x, labels, learning_rate))
    }

    fn step_here(
        &mut self,
        x: Tensor<T>,
        labels: &[usize],
        learning_rate: f64,
    ) -> Result<StepRecord> {
        let mut rng = Rng::new(self.state.options.seed, stream::DROPOUT + self.state.steps);
        self.tape.clear();
        let x = self.tape.constant(x);
        let pass = self.state.model.forward(&self.tape, x, Pass::training(&mut rng))?;
        let loss = self.state.options.loss.apply(&self.tape, &pass.output, labels)?;
        let correct = (labels.iter().enumerate())
            .filter(|&(i, &label)| class_of(pass.output.value().row(i)) == label)
            .count();
        let record =
            StepRecord { loss: loss.value().item()?.as_f64(), correct, samples: labels.len() };
        if record.loss.is_finite() {
            self.tape.backward(&loss)?;
            let gradients = Gradients::take(&mut self.tape, &pass.parameters);
            // The pass holds references to the parameters' values; an in-place update needs unique
            // ownership.
            let state = pass.state;
            drop((pass.output, pass.also, pass.parameters, pass.watched, loss));
            self.tape.clear();
            self.state.optimizer.step(
                self.state.model.parameters_mut(),
                &gradients,
                learning_rate,
            )?;
            self.state.model.update_state(state)?;
            self.state.steps += 1;
        }
        Ok(record)
    }
}

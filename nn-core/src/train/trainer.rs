//! The training loop.

use super::checkpoint::draft;
use super::clock::Clock;
use super::evaluate::{Evaluation, evaluate_in};
use super::examples::fetch_for_training;
use super::state::{EpochSoFar, TrainerState};
use super::{
    Checkpoint, Checkpoints, EpochDone, EpochRecord, Examples, FitOptions, History, Objective,
    Observer, StepDone, StepRecord, Stop,
};
use crate::autograd::Tape;
use crate::data::shuffled_order;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::Parameter;
use crate::model::Model;
use crate::optim::Optimizer;
use std::ops::ControlFlow;
use std::path::Path;

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
    pub(super) tape: Tape<T>,
}

impl<T: Kernels> Trainer<T> {
    /// A trainer at the start of its run.
    ///
    /// # Errors
    /// If a setting is out of range ([`FitOptions::check`]), or the loss does not fit the model.
    pub fn new(
        model: Model<T>,
        optimizer: impl Optimizer<T> + 'static,
        options: FitOptions,
    ) -> Result<Self> {
        Self::build(model, Box::new(optimizer), None, options)
    }

    /// A trainer that minimises an objective of your own; [`FitOptions::loss`] does not matter then.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn with_objective(
        model: Model<T>,
        optimizer: impl Optimizer<T> + 'static,
        objective: impl Objective<T> + 'static,
        options: FitOptions,
    ) -> Result<Self> {
        Self::build(model, Box::new(optimizer), Some(Box::new(objective)), options)
    }

    fn build(
        model: Model<T>,
        optimizer: Box<dyn Optimizer<T>>,
        own_objective: Option<Box<dyn Objective<T>>>,
        options: FitOptions,
    ) -> Result<Self> {
        let average = options.regularization.ema.map(|_| model.clone());
        let state = TrainerState {
            model,
            optimizer,
            own_objective,
            options,
            history: History::new(),
            steps: 0,
            epoch: EpochSoFar::default(),
            best: None,
            average,
        };
        state.check()?;
        Ok(Self { state, saving: None, tape: Tape::new() })
    }

    /// The model as the run would leave it now: with [`Keep::Best`](super::Keep::Best) that of the best epoch so
    /// far, as soon as there is one, otherwise in its current state; with
    /// [`Regularization::ema`](super::Regularization::ema) the average of the weights.
    pub fn model(&self) -> &Model<T> {
        self.state.result()
    }

    /// The model that is trained, to be changed between steps: to freeze a layer, for example, or to thaw it. The built-in
    /// optimisers keep the moments of a frozen parameter, and begin with zeros for one that was never
    /// trained. Parameters keep their shapes and order. A checkpoint holds their values and moments alone,
    /// so a resumed run needs the other changes again: freeze what was frozen before
    /// [`Trainer::resume`].
    pub fn model_mut(&mut self) -> &mut Model<T> {
        &mut self.state.model
    }

    /// The model of [`Trainer::model`], without the state of training.
    pub fn into_model(self) -> Model<T> {
        let TrainerState { model, best, average, .. } = self.state;
        best.map_or(average.unwrap_or(model), |best| best.model)
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
    /// optimiser and options; only the number of epochs and the patience of early stopping may differ. A
    /// run that stopped early goes on with more patience.
    ///
    /// # Errors
    /// If the options or the optimiser's settings differ, the model or optimiser is another, or the file
    /// cannot be read. Checkpoints of version 0.1.0 do not hold the optimiser's settings: there they are
    /// not compared.
    ///
    /// ```
    /// # use nn_core::{layers::Dense, model::Sequential, optim::OptimizerConfig, train::*};
    /// # use nn_core::Tensor;
    /// # let labels: Vec<usize> = (0..8).map(|i| i % 2).collect();
    /// # let points = InMemory::new(Tensor::from_fn([8, 1], |i| i as f32), labels)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("checkpoint.safetensors");
    /// let trainer = |epochs| {
    ///     let model = Sequential::builder([1]).layer(Dense::new(2)).build(27)?;
    ///     let options = FitOptions { epochs, ..FitOptions::default() };
    ///     Trainer::<f32>::new(model, OptimizerConfig::adam().build()?, options)
    /// };
    /// let mut first = trainer(1)?;
    /// first.fit(&points, None, &mut Silent)?;
    /// first.save(&path, "by an example")?;
    ///
    /// let checkpoint = Checkpoint::open(&path)?;
    /// assert_eq!((checkpoint.note(), checkpoint.history().len()), ("by an example", 1));
    /// let mut second = trainer(2)?.resume(checkpoint)?;
    /// second.fit(&points, None, &mut Silent)?;
    ///
    /// let mut unbroken = trainer(2)?;
    /// unbroken.fit(&points, None, &mut Silent)?;
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

    /// Trains the remaining epochs, including the rest of the current one, with a validation after each, or
    /// until the run stops early ([`FitOptions::early_stopping`]).
    ///
    /// # Errors
    /// If there is no training sample, or no validation sample where a setting needs them, a sample cannot be read, the loss or a weight is no longer finite
    /// ([`Error::NonFinite`] names the step), a checkpoint cannot be written, or the run is interrupted
    /// ([`Error::Interrupted`]): by the observer, or by examples that return this error. A stopped run
    /// continues with the next call; one that the observer finished ([`Stop::Finish`]) is no error.
    pub fn fit(
        &mut self,
        train: &dyn Examples<T>,
        validation: Option<&dyn Examples<T>>,
        observer: &mut dyn Observer<T>,
    ) -> Result<()> {
        if train.is_empty() {
            return Err(Error::data(
                "the training set",
                "of at least one sample",
                "none",
                "add images, or make the validation split smaller",
            ));
        }
        if let Some(what) = self.state.options.needs_validation()
            && validation.is_none_or(Examples::is_empty)
        {
            return Err(Error::data(
                "the validation set",
                format!("of at least one sample, for {what}"),
                "none",
                format!("keep some samples for the validation, or train without {what}"),
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
        let outcome = match self.epochs(train, validation, observer) {
            Ok(ControlFlow::Break(Stop::Interrupt)) => Err(Error::Interrupted),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        let saved = self.saving.as_mut().map_or(Ok(()), |(checkpoints, _)| checkpoints.wait());
        outcome.and(saved)
    }

    /// Trains the remaining epochs, or until the run is stopped, which has then been saved.
    fn epochs(
        &mut self,
        train: &dyn Examples<T>,
        validation: Option<&dyn Examples<T>>,
        observer: &mut dyn Observer<T>,
    ) -> Result<ControlFlow<Stop>> {
        while !self.state.options.is_done(&self.state.history) {
            let record = match self.epoch(train, validation, observer) {
                Ok(ControlFlow::Continue(record)) => record,
                Ok(ControlFlow::Break(stop)) => {
                    if stop == Stop::Finish {
                        self.check_weights()?;
                    }
                    self.save_now()?;
                    return Ok(ControlFlow::Break(stop));
                }
                Err(Error::Interrupted) => {
                    self.save_now()?;
                    return Ok(ControlFlow::Break(Stop::Interrupt));
                }
                Err(error) => return Err(error),
            };
            self.state.complete(record);
            self.save_now()?;
            let done = EpochDone { record, model: self.state.evaluated() };
            if let ControlFlow::Break(stop) = observer.epoch_done(&done) {
                return Ok(ControlFlow::Break(stop));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Checks what the last step made of the weights: its loss was that before its update.
    fn check_weights(&self) -> Result<()> {
        let TrainerState { model, history, epoch, .. } = &self.state;
        // What is frozen may be infinite from the start: the mask of a class, for example.
        let is_broken = |p: &&Parameter<T>| (p.trainable || p.state) && !p.value.is_finite();
        let Some(broken) = model.parameters().iter().find(is_broken) else { return Ok(()) };
        let what = format!("{} became NaN or infinite", broken.name);
        Err(Error::NonFinite { epoch: history.len() + 1, step: epoch.step, what })
    }

    fn save_now(&mut self) -> Result<()> {
        match &mut self.saving {
            Some((checkpoints, note)) => checkpoints.save(&self.state, note),
            None => Ok(()),
        }
    }

    /// Evaluates [`Trainer::model`] on all `examples`, in order, with the buffers that training uses.
    ///
    /// # Errors
    /// As [`evaluate`](super::evaluate()).
    pub fn evaluate(&self, examples: &dyn Examples<T>) -> Result<Evaluation> {
        self.evaluate_model(self.state.result(), examples)
    }

    fn evaluate_model(&self, model: &Model<T>, examples: &dyn Examples<T>) -> Result<Evaluation> {
        let options = &self.state.options;
        let objective = self.state.objective();
        evaluate_in(model, objective, examples, options.batch_size, self.tape.pool())
    }

    fn epoch(
        &mut self,
        train: &dyn Examples<T>,
        validation: Option<&dyn Examples<T>>,
        observer: &mut dyn Observer<T>,
    ) -> Result<ControlFlow<Stop, EpochRecord>> {
        let started = Clock::start();
        let before = self.state.epoch.seconds;
        let epoch = self.state.history.len() + 1;
        let options = self.state.options.clone();
        let order = shuffled_order(train.len(), options.seed, epoch);
        self.state.epoch.samples = order.len();

        let steps = order.len().div_ceil(options.step_samples());
        observer.epoch_started(epoch, steps, self.state.epoch.step);
        for samples in order.chunks(options.step_samples()).skip(self.state.epoch.step) {
            let mut step = self.begin_step(samples.len());
            for batch in samples.chunks(options.batch_size) {
                let batch = fetch_for_training(train, batch, epoch, self.tape.pool())?;
                self.add_batch(&mut step, batch.inputs, batch.targets.view())?;
            }
            let rate = options.rate_at(&self.state.history, self.state.epoch.step, steps);
            let made = self.end_step(step, rate)?;
            if !made.record.loss.is_finite() {
                let what = format!("the loss became {}", made.record.loss);
                return Err(Error::NonFinite { epoch, step: self.state.epoch.step + 1, what });
            }
            self.state.epoch.add(&made.record);
            self.state.epoch.seconds = before + started.seconds();
            let done = StepDone {
                step: made.record,
                so_far: self.so_far(),
                model: &self.state.model,
                output: &made.output,
                also: &made.also,
            };
            if let ControlFlow::Break(stop) = observer.step_done(&done) {
                return Ok(ControlFlow::Break(stop));
            }
        }

        self.check_weights()?;
        let validated = match validation {
            Some(validation) if !validation.is_empty() => {
                Some(self.evaluate_model(self.state.evaluated(), validation)?)
            }
            _ => None,
        };
        let n = order.len() as f64;
        Ok(ControlFlow::Continue(EpochRecord {
            epoch,
            loss: self.state.epoch.loss / n,
            accuracy: self.state.epoch.correct().map(|correct| correct as f64 / n),
            val_loss: validated.as_ref().map(|v| v.loss),
            val_accuracy: validated.as_ref().and_then(Evaluation::accuracy),
            seconds: before + started.seconds(),
        }))
    }

    /// The metrics of the current epoch so far, as a step record.
    fn so_far(&self) -> StepRecord {
        let EpochSoFar { step, samples, loss, .. } = self.state.epoch;
        let samples = samples.min(step * self.state.options.step_samples());
        StepRecord { loss: loss / samples as f64, correct: self.state.epoch.correct(), samples }
    }
}

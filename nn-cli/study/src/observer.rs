//! Who is told how the work goes, and may end it.

use crate::text;
use nn_core::data::{Dataset, Treated};
use nn_core::train::{EpochRecord, Examples, StepRecord};
use nn_core::{Error, Tensor, tensor::BufferPool};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Somebody who watches a study. Runs of an experiment report from several threads.
pub trait Observer: Sync {
    /// What is being done, or was found.
    fn note(&self, text: &str);

    /// What deserves attention, though the work goes on.
    fn warn(&self, text: &str);

    /// Work on `total` things begins, such as `decoding` of `images`. It ends when the counter is dropped.
    fn count(&self, doing: &str, total: u64, things: &str) -> Box<dyn Counter + '_>;

    /// A training run of `epochs` epochs begins; `run` names it where there are several, else it is empty.
    fn training(&self, run: &str, epochs: usize) -> Box<dyn TrainingDisplay + '_>;

    /// `Break` to end the work.
    fn flow(&self) -> ControlFlow<()>;

    /// What was done to images when they were read.
    fn treated(&self, treated: &Treated) {
        if let Some(done) = text::treated::done(treated) {
            self.note(&format!("read: {done}"));
        }
        if let Some(warning) = text::treated::warning(treated) {
            self.warn(&warning);
        }
    }

    /// # Errors
    /// [`Error::Interrupted`] to end the work.
    fn check(&self) -> nn_core::Result<()> {
        match self.flow() {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    }
}

/// Counts towards a known total.
pub trait Counter: Sync {
    /// So many are done.
    fn set(&self, done: u64);
}

/// Shows a training run.
pub trait TrainingDisplay {
    /// Epoch `epoch` (from 1) of `steps` steps begins, or goes on after `done` of them.
    fn epoch_started(&mut self, epoch: usize, steps: usize, done: usize);

    /// A step was made; `so_far` is what the epoch has come to.
    fn step_done(&mut self, step: &StepRecord, so_far: &StepRecord);

    /// An epoch ended.
    fn epoch_done(&mut self, record: &EpochRecord);

    /// The training is over.
    fn finish(&mut self);
}

/// A training run between its display and the observer, who may end it.
pub(crate) struct Watched<'a> {
    pub display: Box<dyn TrainingDisplay + 'a>,
    pub observer: &'a dyn Observer,
}

impl nn_core::train::Observer for Watched<'_> {
    fn epoch_started(&mut self, epoch: usize, steps: usize, done: usize) {
        self.display.epoch_started(epoch, steps, done);
    }

    fn step_done(&mut self, step: &StepRecord, so_far: &StepRecord) -> ControlFlow<()> {
        self.display.step_done(step, so_far);
        self.observer.flow()
    }

    fn epoch_done(&mut self, record: &EpochRecord) {
        self.display.epoch_done(record);
    }
}

/// Watches one of several runs: what all of them would say is said once elsewhere, and it ends when
/// another one has failed.
pub(crate) struct OneOfSeveral<'a> {
    pub observer: &'a dyn Observer,
    pub run: &'a str,
    /// Set when another run has failed.
    pub stop: &'a AtomicBool,
}

impl Observer for OneOfSeveral<'_> {
    fn note(&self, _: &str) {}

    fn treated(&self, _: &Treated) {}

    fn warn(&self, text: &str) {
        self.observer.warn(text);
    }

    fn count(&self, doing: &str, total: u64, things: &str) -> Box<dyn Counter + '_> {
        self.observer.count(doing, total, things)
    }

    fn training(&self, _: &str, epochs: usize) -> Box<dyn TrainingDisplay + '_> {
        self.observer.training(self.run, epochs)
    }

    fn flow(&self) -> ControlFlow<()> {
        if self.stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        self.observer.flow()
    }
}

/// Images that run out when the observer ends the work, for work that asks nobody else.
pub struct Interruptible<'a> {
    /// The images.
    pub images: &'a Dataset,
    /// Who may end the work.
    pub observer: &'a dyn Observer,
}

impl Examples for Interruptible<'_> {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn batch(
        &self,
        indices: &[usize],
        pool: &BufferPool<f32>,
    ) -> nn_core::Result<(Tensor, Vec<usize>)> {
        self.observer.check()?;
        self.images.batch(indices, pool)
    }
}

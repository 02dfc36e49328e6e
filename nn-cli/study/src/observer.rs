//! The interface through which a study reports progress and can be stopped.

use crate::text;
use nn_core::Error;
use nn_core::data::{Dataset, Treated};
use nn_core::tensor::BufferPool;
use nn_core::train::{Batch, EpochDone, EpochRecord, Examples, StepDone, StepRecord, Stop};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Receives the progress of a study. Runs of an experiment report from several threads.
pub trait Observer: Sync {
    /// Reports what is being done, or was found.
    fn note(&self, text: &str);

    /// Reports a problem that does not stop the work.
    fn warn(&self, text: &str);

    /// Begins work on `total` things, such as `decoding` of `images`. It ends when the counter is dropped.
    fn count(&self, doing: &str, total: u64, things: &str) -> Box<dyn Counter + '_>;

    /// Begins a training run of `epochs` epochs; `run` is its name if there are several runs, else empty.
    fn training(&self, run: &str, epochs: usize) -> Box<dyn TrainingDisplay + '_>;

    /// Returns `Break` to stop the work.
    fn flow(&self) -> ControlFlow<()>;

    /// Reports what was changed in images when they were read.
    fn treated(&self, treated: &Treated) {
        if let Some(done) = text::treated::done(treated) {
            self.note(&format!("read: {done}"));
        }
        if let Some(warning) = text::treated::warning(treated) {
            self.warn(&warning);
        }
    }

    /// # Errors
    /// [`Error::Interrupted`] to stop the work.
    fn check(&self) -> nn_core::Result<()> {
        match self.flow() {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    }
}

/// A progress counter with a known total.
pub trait Counter: Sync {
    /// Sets the number of finished things.
    fn set(&self, done: u64);
}

/// Shows a training run.
pub trait TrainingDisplay {
    /// Epoch `epoch` (from 1) of `steps` steps begins, or is resumed after `done` steps.
    fn epoch_started(&mut self, epoch: usize, steps: usize, done: usize);

    /// A step is finished; `so_far` is the running result of the epoch.
    fn step_done(&mut self, step: &StepRecord, so_far: &StepRecord);

    /// An epoch is finished.
    fn epoch_done(&mut self, record: &EpochRecord);

    /// The training has ended.
    fn finish(&mut self);
}

/// Connects a training run to its display and to the observer, which may stop it.
pub(crate) struct Watched<'a> {
    pub display: &'a mut dyn TrainingDisplay,
    pub observer: &'a dyn Observer,
    /// The epochs of the run before those of its trainer.
    pub before: usize,
}

impl nn_core::train::Observer for Watched<'_> {
    fn epoch_started(&mut self, epoch: usize, steps: usize, done: usize) {
        self.display.epoch_started(self.before + epoch, steps, done);
    }

    fn step_done(&mut self, done: &StepDone<'_>) -> ControlFlow<Stop> {
        self.display.step_done(&done.step, &done.so_far);
        match self.observer.flow() {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(()) => ControlFlow::Break(Stop::Interrupt),
        }
    }

    fn epoch_done(&mut self, done: &EpochDone<'_>) -> ControlFlow<Stop> {
        self.display.epoch_done(&done.record.after(self.before));
        ControlFlow::Continue(())
    }
}

/// The observer of one of several parallel runs. It drops the notes, which are reported once elsewhere, and
/// stops the run when another one has failed.
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

/// Wraps a data set so that fetching a batch fails once the observer stops the work; for work without an
/// observer of its own.
pub struct Interruptible<'a> {
    /// The images.
    pub images: &'a Dataset,
    /// The observer that may stop the work.
    pub observer: &'a dyn Observer,
}

impl Examples for Interruptible<'_> {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn batch(&self, indices: &[usize], pool: &BufferPool<f32>) -> nn_core::Result<Batch> {
        self.observer.check()?;
        Examples::batch(self.images, indices, pool)
    }
}

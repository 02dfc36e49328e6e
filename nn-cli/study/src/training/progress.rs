//! Between a run and the observer: shows how it goes, and hands it the user's Ctrl-C.

use crate::interrupt;
use crate::treated;
use crate::ui::{Console, TrainingProgress};
use nn_core::data::Treated;
use nn_core::train::{EpochRecord, Observer, StepRecord};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shows a run on the observer.
pub struct Progress<'a> {
    observer: &'a Console,
    bars: TrainingProgress<'a>,
    /// One of several runs: the rest of them end when this is set.
    stop: Option<&'a AtomicBool>,
    samples: usize,
    loss: f64,
    correct: usize,
}

impl<'a> Progress<'a> {
    /// Shows the only run there is.
    pub fn new(observer: &'a Console, epochs: usize) -> Self {
        let bars = TrainingProgress::new(observer, "", epochs);
        Self { observer, bars, stop: None, samples: 0, loss: 0.0, correct: 0 }
    }

    /// Shows the run `label` among others; once `stop` is set, it ends as if interrupted.
    pub fn among_others(
        observer: &'a Console,
        label: &str,
        epochs: usize,
        stop: &'a AtomicBool,
    ) -> Self {
        let bars = TrainingProgress::new(observer, label, epochs);
        Self { bars, stop: Some(stop), ..Self::new(observer, epochs) }
    }

    /// Tells what is about to be done, where nothing else tells it.
    pub(super) fn say(&self, text: &str) {
        if self.stop.is_none() {
            self.observer.note(text);
        }
    }

    /// Tells what was done to the images when they were read, where nothing else tells it.
    pub(super) fn tell_treated(&self, treated: &Treated) {
        if self.stop.is_none() {
            treated::tell(treated, self.observer);
        }
    }

    /// The training is over.
    pub(super) fn finish(&self) {
        self.bars.finish();
    }
}

impl Observer for Progress<'_> {
    fn epoch_started(&mut self, epoch: usize, steps: usize, done: usize) {
        (self.samples, self.loss, self.correct) = (0, 0.0, 0);
        self.bars.epoch_started(epoch, steps, done);
    }

    fn step_done(&mut self, step: &StepRecord) -> ControlFlow<()> {
        self.samples += step.samples;
        self.loss += step.loss * step.samples as f64;
        self.correct += step.correct;
        let n = self.samples as f64;
        self.bars.batch_done(self.samples, self.loss / n, self.correct as f64 / n);
        if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return ControlFlow::Break(());
        }
        interrupt::flow()
    }

    fn epoch_done(&mut self, record: &EpochRecord) {
        self.bars.epoch_done(record);
    }
}

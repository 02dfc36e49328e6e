//! Implements the observer of a study for the console: it shows progress and forwards Ctrl-C.

use crate::interrupt;
use crate::ui::{Console, Counter, TrainingProgress};
use nn_study::{Observer, TrainingDisplay};
use std::ops::ControlFlow;

impl Observer for Console {
    fn note(&self, text: &str) {
        Console::note(self, text);
    }

    fn warn(&self, text: &str) {
        Console::warn(self, text);
    }

    fn count(&self, doing: &str, total: u64, things: &str) -> Box<dyn nn_study::Counter + '_> {
        Box::new(Counter::items(self, doing, total, things))
    }

    fn training(&self, run: &str, epochs: usize) -> Box<dyn TrainingDisplay + '_> {
        Box::new(TrainingProgress::new(self, run, epochs))
    }

    fn flow(&self) -> ControlFlow<()> {
        interrupt::flow()
    }
}

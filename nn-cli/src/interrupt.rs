//! Ctrl-C: the first asks the work to stop in an orderly way, the second ends the program at once.

use nn_core::data::Dataset;
use nn_core::train::Examples;
use nn_core::{Error, Result, Tensor, tensor::BufferPool};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Begins to listen. Where that is impossible, Ctrl-C does what it always does.
pub fn listen() {
    let _ = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
}

/// Whether the user asked the work to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// `Break` once the user asked the work to stop.
pub fn flow() -> ControlFlow<()> {
    if requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// # Errors
/// [`Error::Interrupted`] once the user asked the work to stop.
pub fn check() -> Result<()> {
    if requested() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Images that run out when the user asks the work to stop, for work that asks nobody else.
pub struct Interruptible<'a>(pub &'a Dataset);

impl Examples for Interruptible<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn batch(&self, indices: &[usize], pool: &BufferPool<f32>) -> Result<(Tensor, Vec<usize>)> {
        check()?;
        self.0.batch(indices, pool)
    }
}

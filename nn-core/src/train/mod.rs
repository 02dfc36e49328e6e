//! Training and evaluation.
//!
//! [`Trainer`] owns what changes while training: the model, the optimiser and the place in the
//! run. [`evaluate()`] only looks at a model. Metrics are counted as Keras counts
//! them: each batch's loss weighs as many samples as it has, the last, smaller batch included, and
//! training metrics accumulate while the weights change.
//!
//! A run can be stopped at any step ([`Observer`]), saved ([`Checkpoints`]), and go on to the same
//! bits ([`Trainer::resume`]).

mod checkpoint;
mod checkpoints;
mod clock;
mod evaluate;
mod examples;
mod history;
mod options;
mod silent;
mod state;
mod trainer;

pub use checkpoint::Checkpoint;
pub use checkpoints::{CHECKPOINT_FILE, Checkpoints, Latest, PREVIOUS_CHECKPOINT_FILE};
#[doc(hidden)]
pub use evaluate::check_batch_size;
pub use evaluate::{Evaluation, class_probabilities, evaluate, most_probable};
pub use examples::Examples;
pub use history::{EpochRecord, History};
pub use options::FitOptions;
pub use silent::silent_layer;
pub use trainer::{Observer, Silent, StepRecord, Trainer};

#[cfg(test)]
mod tests;

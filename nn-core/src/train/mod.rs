//! Training and evaluation.
//!
//! [`Trainer`] owns the state of a run: the model, the optimiser and the position in the run.
//! [`evaluate()`] does not change the model. Metrics are computed as in Keras: a batch's loss is
//! weighted by its number of samples, which matters for a smaller last batch, and training metrics
//! accumulate while the weights change.
//!
//! A run can be stopped at any step ([`Observer`]), saved ([`Checkpoints`]), and resumed with
//! bit-identical results ([`Trainer::resume`]).

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

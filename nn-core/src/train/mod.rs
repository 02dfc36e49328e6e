//! Training and evaluation.
//!
//! [`Trainer`] owns what changes while training: the model, the optimiser and the place in the
//! run. [`evaluate()`] only looks at a model. Metrics are counted as Keras counts
//! them: each batch's loss weighs as many samples as it has, the last, smaller batch included, and
//! training metrics accumulate while the weights change.

mod evaluate;
mod examples;
mod history;
mod trainer;

pub use evaluate::{Evaluation, check_batch_size, class_probabilities, evaluate, most_probable};
pub use examples::Examples;
pub use history::{EpochRecord, History};
pub use trainer::{FitOptions, Observer, Silent, StepRecord, Trainer};

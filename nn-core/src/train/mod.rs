//! Training and evaluation.
//!
//! [`Trainer`] owns the state of a run: the model, the optimiser and the position in the run. It minimises
//! a [`Loss`](crate::loss::Loss) or an [`Objective`] of your own, on [`Examples`] from image folders,
//! arrays ([`InMemory`]) or elsewhere. [`evaluate()`] does not change the model. Metrics are computed as in
//! Keras: a batch's loss is weighted by its number of samples, which matters for a smaller last batch, and
//! training metrics accumulate while the weights change. Accuracy is measured where the targets are
//! classes, one for each sample, and the main output has one number per class.
//!
//! A run can be stopped at any step ([`Observer`]), saved ([`Checkpoints`]), and resumed with
//! bit-identical results ([`Trainer::resume`]).

#[cfg(feature = "images")]
mod augmented;
mod average;
mod best;
mod checkpoint;
mod checkpoints;
mod classification;
mod clock;
mod evaluate;
mod examples;
#[cfg(feature = "images")]
mod features;
mod history;
mod in_memory;
mod objective;
mod observer;
mod options;
mod rate_sweep;
mod regularization;
mod silent;
mod state;
mod step;
mod trainer;

#[cfg(feature = "images")]
pub use augmented::Augmented;
pub use best::best_epoch;
pub use checkpoint::Checkpoint;
pub use checkpoints::{CHECKPOINT_FILE, Checkpoints, Latest, PREVIOUS_CHECKPOINT_FILE};
pub use classification::{Classification, class_probabilities, most_probable};
#[doc(hidden)]
pub use evaluate::check_batch_size;
pub use evaluate::{Evaluation, evaluate};
pub use examples::{Batch, Examples};
#[cfg(feature = "images")]
pub use features::{FeatureOptions, Features};
pub use history::{EpochRecord, History};
pub use in_memory::InMemory;
pub use objective::Objective;
pub use observer::{EpochDone, Observer, Silent, StepDone, StepRecord, Stop};
pub use options::{FitOptions, Keep};
pub use rate_sweep::{RateCurve, RateSweep, SweptRate};
pub use regularization::{Regularization, balanced_weights};
pub use silent::silent_layer;
pub use trainer::Trainer;

#[cfg(test)]
mod tests;

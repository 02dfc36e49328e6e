//! The experiment of the notebook: one network trained with leakage and one without, compared.
//!
//! ```text
//! arms          the two arms and their sets
//! plan          seeds and settings: the runs to make
//! measured      the accuracies of one run, and of all runs of an arm
//! leaks         the audit of the sets, and the accuracy without duplicates
//! conclusions   the conclusions that the numbers support
//! summary       all results as JSON, and as a picture
//! ```

mod arms;
mod conclusions;
mod leaks;
mod measured;
mod plan;
mod summary;
mod ways;

pub use arms::{Arm, SWAPPED};
pub use conclusions::Conclusions;
pub use leaks::Leaks;
pub use measured::{Comparison, Measured, Row};
pub use plan::{Plan, PlannedRun};
pub use summary::{Parts, Summary};
pub use ways::{Tried, Way};

//! The experiment of the notebook: one network trained with leakage and one without, compared.
//!
//! ```text
//! arms          which sets there are, what each is for, what the notebook got
//! plan          seeds and settings: the runs to make
//! workers       several runs at once, each on threads of its own
//! measured      what one run, and all runs of an arm, scored
//! leaks         what an audit of the sets finds, and the score without duplicates
//! conclusions   what the numbers allow to conclude, and what not
//! summary       the whole as JSON, and as a picture
//! ```

mod arms;
mod conclusions;
mod leaks;
mod measured;
mod plan;
mod summary;
mod workers;

pub use arms::{Arm, SWAPPED};
pub use conclusions::Conclusions;
pub use leaks::Leaks;
pub use measured::{Comparison, Measured, Row};
pub use plan::{Plan, PlannedRun};
pub use summary::{Parts, Summary};
pub use workers::{run_all, workers};

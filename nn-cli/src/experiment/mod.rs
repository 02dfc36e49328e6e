//! The experiment of the notebook: one network trained with leakage and one without, compared.
//!
//! ```text
//! arms          which sets there are, what each is for, what the notebook got
//! plan          seeds and settings: the runs to make
//! lanes         several runs at once, each on threads of its own
//! measured      what one run, and all runs of an arm, scored
//! leaks         what an audit of the sets finds, and the score without copies
//! conclusions   in words: what the numbers allow to say, and what not
//! summary       the whole as JSON, and as a table for people
//! ```

mod arms;
mod conclusions;
mod lanes;
mod leaks;
mod measured;
mod plan;
mod summary;

pub use arms::{Arm, SWAPPED};
pub use conclusions::Conclusions;
pub use lanes::{lanes, run_all};
pub use leaks::{Leaks, WithoutCopies};
pub use measured::{Comparison, Measured, Row};
pub use plan::{Plan, PlannedRun};
pub use summary::{Parts, table};

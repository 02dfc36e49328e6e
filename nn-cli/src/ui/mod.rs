//! Terminal output: results, tables, progress, and the stream that each is written to.
//!
//! [`Console`] knows the options `--json` and `--quiet` and whether a terminal is attached; everything
//! printed passes through it. The other modules return text or numbers and print nothing.

pub mod lines;
pub mod output;
pub mod progress;
pub mod scores;
pub mod table;

pub use output::Console;
pub use progress::{Counter, TrainingProgress};

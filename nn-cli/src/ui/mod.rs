//! What people see: results, tables, progress, and where each of them goes.
//!
//! [`Console`] knows whether the user asked for JSON or for quiet and whether a terminal is attached;
//! everything printed passes through it. The rest returns text or numbers and prints nothing.

pub mod lines;
pub mod output;
pub mod progress;
pub mod table;

pub use output::Console;
pub use progress::{Counter, TrainingProgress};

//! A labelled image file.

use std::path::PathBuf;

/// One image file and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The path of the file.
    pub path: PathBuf,
    /// Its class, as an index into the sorted classes.
    pub label: usize,
}

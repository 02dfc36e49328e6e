//! What training takes an image for.

use std::path::PathBuf;

/// One image file and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Where the file lies.
    pub path: PathBuf,
    /// Which class it shows, as an index into the sorted classes.
    pub label: usize,
}

//! What a fetch tells while it works.

/// How far a fetch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes that have come, of those expected if the server said how many.
    Downloading {
        /// Bytes that are there, those of an earlier run included.
        bytes: u64,
        /// The size of the whole.
        total: Option<u64>,
    },
    /// Photographs found and verified, of those wanted.
    Unpacking {
        /// Photographs found.
        files: usize,
        /// Photographs wanted.
        total: usize,
    },
}

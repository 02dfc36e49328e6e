//! The progress of a fetch.

/// The progress of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes received, of those expected if the server stated a size.
    Downloading {
        /// Bytes received, including those of an earlier run.
        bytes: u64,
        /// The size of the whole file.
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

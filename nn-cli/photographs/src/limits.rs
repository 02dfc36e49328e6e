//! Limits on what a source of photographs may send.

use std::time::Duration;

/// Limits on what a source may send.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Size of a download, in bytes.
    pub archive_bytes: u64,
    /// Size of everything in an archive, in bytes.
    pub unpacked_bytes: u64,
    /// Size of one image, in bytes.
    pub file_bytes: u64,
    /// Number of an archive's entries.
    pub entries: usize,
    /// How long a server may be silent.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: 512 << 20,
            unpacked_bytes: 1 << 30,
            file_bytes: 32 << 20,
            entries: 100_000,
            stall: Duration::from_secs(30),
        }
    }
}

//! SHA-256 checksums.

use nn_core::Error;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// The SHA-256 of something.
pub type Checksum = [u8; 32];

/// The checksum of the file at `path`.
///
/// # Errors
/// If it cannot be read.
pub fn checksum(path: &Path) -> Result<Checksum, Error> {
    let content = fs::read(path).map_err(Error::io("read", path))?;
    Ok(Sha256::digest(content).into())
}

/// Hexadecimal digits.
pub fn hex(checksum: &[u8]) -> String {
    checksum.iter().map(|byte| format!("{byte:02x}")).collect()
}

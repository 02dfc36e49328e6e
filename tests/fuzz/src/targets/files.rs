//! Files for those who read nothing else.

use std::path::Path;
use tempfile::TempDir;

/// The most bytes of numbers that are made up.
const MOST_BYTES: u64 = 1 << 20;

/// A folder in memory where there is one: each input becomes a file.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder for files")
}

/// A safetensors file with this header and so many bytes of numbers: these, over and over.
pub fn tensor_file(header: &[u8], numbers: &[u8], bytes: u64) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    let numbers = if numbers.is_empty() { &[0] } else { numbers };
    file.extend(numbers.iter().cycle().take(bytes.min(MOST_BYTES) as usize));
    file
}

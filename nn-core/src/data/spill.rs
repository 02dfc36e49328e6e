//! A temporary file for data that does not fit in memory.
//!
//! The file has no name, or is unlinked at once, so it is deleted when the program ends, however
//! that happens. The operating system keeps as much of it in the page cache as memory allows.

use std::fs::File;
use std::io::{self, Write};

/// A temporary file that is appended to, and read at any offset.
#[derive(Debug)]
pub(crate) struct Spill {
    file: Option<File>,
    len: u64,
    bound: u64,
    keep_free: u64,
}

/// The number of bytes that are left free on the disk, for instance for checkpoints.
const KEEP_FREE: u64 = 512 << 20;

impl Spill {
    /// A spill of at most `bound` bytes. Its file is created by the first append.
    pub fn new(bound: u64) -> Self {
        Self { file: None, len: 0, bound, keep_free: KEEP_FREE }
    }

    /// Appends `bytes` and returns their offset; `None` if they do not fit the bound or the disk,
    /// and from then on for every call.
    pub fn append(&mut self, bytes: &[u8]) -> Option<u64> {
        let at = self.len;
        let end = at + bytes.len() as u64;
        if end > self.bound || self.write(bytes).is_err() {
            self.bound = 0;
            // Remove the partial image, to free its space.
            if let Some(file) = &self.file {
                let _ = file.set_len(at);
            }
            return None;
        }
        self.len = end;
        Some(at)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        let file = self.file.insert(file);
        let enough = self.keep_free.saturating_add(bytes.len() as u64);
        if free_room(file).is_some_and(|free| free < enough) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all(bytes)
    }

    /// Reads `bytes.len()` bytes at the offset `at`, as returned by [`Spill::append`].
    pub fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match &self.file {
            Some(file) => read_at(file, at, bytes),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The number of bytes in the file.
    pub fn bytes(&self) -> u64 {
        self.len
    }
}

/// The free space of the disk that holds the file, in bytes, if the system reports it.
#[cfg(target_os = "linux")]
fn free_room(file: &File) -> Option<u64> {
    let disk = rustix::fs::fstatvfs(file).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(target_os = "linux"))]
fn free_room(_: &File) -> Option<u64> {
    None
}

#[cfg(unix)]
fn read_at(file: &File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut at: u64, mut bytes: &mut [u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        let read = file.seek_read(bytes, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        at += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_disk_is_not_filled_up() {
        let mut spill = Spill { keep_free: u64::MAX, ..Spill::new(10) };
        assert_eq!((spill.append(b"first"), spill.bytes()), (None, 0));
    }

    #[test]
    fn what_was_appended_is_read_from_where_it_lies() {
        let mut spill = Spill::new(10);
        assert!(spill.read(0, &mut [0]).is_err(), "nothing is there yet");
        let places = [spill.append(b"first"), spill.append(b"2nd")];
        assert_eq!(places, [Some(0), Some(5)]);
        let (mut first, mut second) = ([0; 5], [0; 3]);
        spill.read(5, &mut second).unwrap();
        spill.read(0, &mut first).unwrap();
        assert_eq!((&first, &second), (b"first", b"2nd"));
        assert!(spill.read(7, &mut first).is_err(), "beyond the end");
        assert_eq!(spill.append(b"too long"), None);
        assert_eq!((spill.append(b"!"), spill.bytes()), (None, 8), "full is full");
    }
}

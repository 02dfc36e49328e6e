//! One program at a time in a folder.

use crate::failure::Failure;
use nn_core::Error;
use std::fs::{File, TryLockError};
use std::path::Path;

/// A folder that this program alone writes to until this is dropped. The system takes a lock back
/// when a program ends, however it ends, so none is ever left behind.
#[derive(Debug)]
pub struct FolderLock {
    /// The folder itself is locked: no file has to be made, or left. `None` where a system cannot
    /// do that (Windows, some network disks); there, users look out for themselves.
    folder: Option<File>,
}

impl FolderLock {
    /// Locks a folder.
    ///
    /// # Errors
    /// If another program has locked it.
    pub fn take(folder: &Path) -> Result<Self, Failure> {
        let Ok(file) = File::open(folder) else { return Ok(Self { folder: None }) };
        match file.try_lock() {
            Ok(()) => Ok(Self { folder: Some(file) }),
            Err(TryLockError::Error(_)) => Ok(Self { folder: None }),
            Err(TryLockError::WouldBlock) => Err(Error::file(
                folder,
                "another program is writing to this folder",
                "wait for it to end, or choose another --out",
            )
            .into()),
        }
    }

    /// Whether others are really kept out.
    pub fn is_held(&self) -> bool {
        self.folder.is_some()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_free_again() {
        let dir = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(dir.path()).unwrap();
        let refused = FolderLock::take(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("another program") && refused.contains("--out"), "{refused}");
        drop(lock);
        FolderLock::take(dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

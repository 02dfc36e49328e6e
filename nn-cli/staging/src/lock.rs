//! Locks that keep two programs from writing to the same folder.

use crate::CreatedFolders;
use nn_core::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// A lock on a folder. The system releases it when the program ends, also after a crash or kill.
///
/// The folder itself is locked, so no lock file is created or left behind.
#[derive(Debug)]
pub struct FolderLock {
    /// `None` where the system cannot lock folders (Windows, some network file systems).
    folder: Option<File>,
}

impl FolderLock {
    /// Locks `folder`; `None` if another program has locked it.
    pub fn try_take(folder: &Path) -> Option<Self> {
        let Ok(file) = File::open(folder) else { return Some(Self { folder: None }) };
        match file.try_lock() {
            Ok(()) => Some(Self { folder: Some(file) }),
            Err(TryLockError::Error(_)) => Some(Self { folder: None }),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Locks `folder`. `elsewhere` tells the user how to choose another folder; the error message ends with
    /// it.
    ///
    /// # Errors
    /// If another program has locked it.
    pub fn take(folder: &Path, elsewhere: &str) -> Result<Self> {
        Self::try_take(folder).ok_or_else(|| {
            let remedy = format!("wait for it to end, or {elsewhere}");
            Error::file(folder, "another program is writing to this folder", remedy)
        })
    }

    /// Whether other programs are locked out. If not, the system cannot lock this folder, and users must
    /// make sure themselves that only one program writes to it.
    pub fn is_held(&self) -> bool {
        self.folder.is_some()
    }
}

/// A folder locked for this program until this value is dropped.
#[derive(Debug)]
pub struct LockedFolder {
    path: PathBuf,
    lock: Option<FolderLock>,
    /// Dropped last: removes the folders that were created and are still empty.
    _created: CreatedFolders,
}

impl LockedFolder {
    /// Creates the folder `path` if it is missing, and locks it. A folder created here is removed on drop
    /// if it is still empty. `elsewhere` tells the user how to choose another folder.
    ///
    /// # Errors
    /// If the folder cannot be created, or another program has locked it.
    pub fn open(path: &Path, elsewhere: &str) -> Result<Self> {
        let created = CreatedFolders::make(path)?;
        let lock = FolderLock::take(path, elsewhere)?;
        Ok(Self { path: path.to_path_buf(), lock: Some(lock), _created: created })
    }

    /// A folder that will be created later, and is not locked.
    pub(crate) fn later(path: &Path, created: CreatedFolders) -> Self {
        Self { path: path.to_path_buf(), lock: None, _created: created }
    }

    /// Releases the lock and keeps the folder, as if the program had been killed.
    #[cfg(all(test, unix))]
    pub(crate) fn leave(self) {
        std::mem::forget(self._created);
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether other programs are locked out; see [`FolderLock::is_held`].
    pub fn is_held(&self) -> bool {
        self.lock.as_ref().is_some_and(FolderLock::is_held)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_free_again() {
        let dir = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(dir.path(), "").unwrap();
        let refused = FolderLock::take(dir.path(), "choose another --out").unwrap_err().to_string();
        assert!(refused.contains("another program"), "{refused}");
        assert!(refused.ends_with("wait for it to end, or choose another --out"), "{refused}");
        drop(lock);
        FolderLock::take(dir.path(), "").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_was_made_to_be_locked_goes_with_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/b");
        let locked = LockedFolder::open(&target, "").unwrap();
        assert!(locked.is_held() && locked.path() == target);
        assert!(LockedFolder::open(&target, "").is_err());
        drop(locked);
        assert!(!dir.path().join("a").exists());
    }
}

//! The folder `ROOT/.fetch`: it holds a download, and keeps two fetches into one data root apart.

use crate::download;
use nn_core::{Error, Result};
use nn_staging::{CreatedFolders, FolderLock};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of one fetch, locked while this lives. Afterwards it is there only if it holds a download that
/// can be resumed.
pub struct FetchFolder {
    path: PathBuf,
    _lock: FolderLock,
    /// Dropped last: removes the data root if it was made for this and stayed empty.
    _created: CreatedFolders,
}

impl FetchFolder {
    /// Makes the folder below `root` and locks it.
    ///
    /// # Errors
    /// Another fetch is at work there, or the folder cannot be made.
    pub fn open(root: &Path) -> Result<Self> {
        let path = root.join(".fetch");
        let created = CreatedFolders::make(&path)?;
        let lock = FolderLock::try_take(&path).ok_or_else(|| {
            Error::file(root, "another fetch is running into this folder", "wait for it to finish")
        })?;
        Ok(Self { path, _lock: lock, _created: created })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FetchFolder {
    fn drop(&mut self) {
        if !download::is_kept(&self.path) {
            download::discard(&self.path);
            // What cannot be removed is found by the next fetch.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

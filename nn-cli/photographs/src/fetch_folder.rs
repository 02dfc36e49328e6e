//! The folder `ROOT/.fetch`: it contains a download, and its lock keeps two fetches into one data root
//! apart.

use crate::download;
use nn_core::{Error, Result};
use nn_staging::{CreatedFolders, FolderLock};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of one fetch, locked until this is dropped. On drop it is removed unless it contains a
/// download that can be resumed.
pub struct FetchFolder {
    path: PathBuf,
    _lock: FolderLock,
    /// Dropped last: removes the data root if it was created for this fetch and is still empty.
    _created: CreatedFolders,
}

impl FetchFolder {
    /// Creates the folder below `root` and locks it.
    ///
    /// # Errors
    /// If another fetch is using it, or the folder cannot be created.
    pub fn open(root: &Path) -> Result<Self> {
        let path = root.join(".fetch");
        let created = CreatedFolders::make(&path)?;
        let lock = FolderLock::try_take(&path).ok_or_else(|| {
            Error::file(root, "another fetch is running into this folder", "wait for it to finish")
        })?;
        Ok(Self { path, _lock: lock, _created: created })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FetchFolder {
    fn drop(&mut self) {
        if !download::is_kept(&self.path) {
            download::discard(&self.path);
            // A folder that cannot be removed is reused by the next fetch.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

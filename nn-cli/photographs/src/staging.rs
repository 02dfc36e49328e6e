//! The folder `ROOT/.fetch`, in which a fetch works, and the one step out of it: a rename.
//!
//! It holds the download, `staging/SET` for sets on their way in, and `replaced/SET` for folders on
//! their way out. Clearing up gives back what was moved away for a set that then did not come, so
//! a fetch that fails or is killed at any point costs nothing that was there before.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nn_core::files::sync_folder;
use nn_core::{Error, Result};

use crate::download;

/// The working folder, ours alone while this lives.
pub struct Staging {
    root: PathBuf,
    /// Whether the data root was made for this.
    made_root: bool,
    pub dir: PathBuf,
    /// Locked; taken out before its file is removed.
    lock: Option<File>,
}

impl Staging {
    /// Makes the folder below `root`, takes the lock and clears up.
    ///
    /// # Errors
    /// Another fetch is at work there, or the folder cannot be written.
    pub fn open(root: &Path) -> Result<Self> {
        let dir = root.join(".fetch");
        let made_root = !root.exists();
        fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(Error::io("create", &path))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            let remedy = "wait for it to finish";
            return Err(Error::file(root, "another fetch is running into this folder", remedy));
        }
        // Any other error: a file system without locks. Fetching is still safe there, only two at
        // once are not kept apart.
        let this = Self { root: root.to_path_buf(), made_root, dir, lock: Some(lock) };
        this.clear_up()?;
        Ok(this)
    }

    /// Where sets are put together, one folder each. It does not exist at first.
    pub fn staging(&self) -> PathBuf {
        self.dir.join("staging")
    }

    /// Moves the staged set `name` to its final place, `replace` saying whether a folder with
    /// files may be there.
    ///
    /// # Errors
    /// What cannot be renamed; what was there comes back.
    pub fn install(&self, name: &str, replace: bool) -> Result<()> {
        let staged = self.staging().join(name);
        let home = self.root.join(name);
        if replace {
            let old = self.dir.join("replaced").join(name);
            let parent = self.dir.join("replaced");
            fs::create_dir_all(&parent).map_err(Error::io("create", &parent))?;
            fs::rename(&home, &old).map_err(Error::io("replace", &home))?;
        } else {
            // Fails if there is nothing, and if there is more than an empty folder.
            let _ = fs::remove_dir(&home);
        }
        // On failure, clearing up gives back what was moved away.
        fs::rename(&staged, &home).map_err(Error::io("create", &home))?;
        sync_folder(&self.root);
        Ok(())
    }

    /// Removes all but a download, after giving back what was moved away for a set that then did
    /// not come, be it in this run or in one that was killed.
    fn clear_up(&self) -> Result<()> {
        let replaced = self.dir.join("replaced");
        if let Ok(listing) = fs::read_dir(&replaced) {
            for item in listing.flatten() {
                let home = self.root.join(item.file_name());
                if fs::symlink_metadata(&home).is_err() {
                    fs::rename(item.path(), &home).map_err(Error::io("restore", &home))?;
                }
            }
        }
        for leftover in [replaced, self.staging()] {
            match fs::remove_dir_all(&leftover) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(Error::io("remove", &leftover)(e));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Whatever cannot be removed now is removed by the next fetch.
        let _ = self.clear_up();
        drop(self.lock.take());
        let _ = fs::remove_file(self.dir.join("lock"));
        if !download::is_kept(&self.dir) {
            download::discard(&self.dir);
            let _ = fs::remove_dir(&self.dir);
            if self.made_root {
                // Succeeds only if it stayed empty.
                let _ = fs::remove_dir(&self.root);
            }
        }
    }
}

//! A stage: the hidden folder that results are written to until they are complete.

use crate::commit;
use crate::hidden::{PREFIX, is_named, locked, unused};
use crate::{CreatedFolders, FolderLock, LockedFolder};
use nn_core::files::folder_of;
use nn_core::{Error, Result};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where results are staged, and how they are committed.
#[derive(Debug, Clone, Copy)]
pub enum Policy {
    /// The staged folder replaces the target in one step. It is staged beside the target. While the stage
    /// is open the target is locked; it is created empty if it is missing.
    ReplaceFolder {
        /// Returns an error if the target must not be replaced. Called when the stage is opened and again
        /// at the commit, if the target is not empty.
        may_replace: fn(&Path) -> Result<()>,
    },
    /// The staged folder becomes the target, which must be missing or empty. A missing target does not
    /// appear before the commit.
    NewFolder,
    /// Staged entries are moved into the target, where they replace entries of the same names. They are
    /// staged within the target, which is locked.
    MoveEntries {
        /// This file marks the results as complete: an old one is removed before anything else is moved,
        /// and the new one, which must have been staged, is moved last.
        last: &'static str,
    },
    /// The staged files are moved into the target: all of them, or none if a name is taken. They are staged
    /// within the target, which is locked.
    AddFiles {
        /// Whether the target may contain files, which new ones of the same names replace.
        overwrite: bool,
    },
}

/// Staged results that are not committed yet. Dropping it removes them.
#[derive(Debug)]
pub struct Stage {
    hidden: TempDir,
    folder: StagedFolder,
    policy: Policy,
    elsewhere: String,
    /// Shows other programs that this stage is in use.
    _in_use: FolderLock,
    /// Dropped after the stage, which may be inside it.
    target: LockedFolder,
}

impl Stage {
    /// Opens a stage for the folder `target`, which may be missing, and removes stages that killed programs
    /// left there. `elsewhere` tells the user how to choose another target, as in "choose another --out";
    /// error messages end with it.
    ///
    /// # Errors
    /// If the target is not a folder, or has content that the policy does not allow; if another program is
    /// writing to it, or it cannot be written to.
    pub fn open(target: &Path, policy: Policy, elsewhere: &str) -> Result<Self> {
        match policy {
            Policy::ReplaceFolder { .. } | Policy::NewFolder => {
                commit::restore_replaced(folder_of(target));
                policy.check_target(target, elsewhere)?;
            }
            Policy::AddFiles { overwrite: false }
                if target.is_dir() && !holds_only_stages(target)? =>
            {
                let remedy = format!("{elsewhere}, or write into it with --overwrite");
                return Err(Error::file(target, "the folder is not empty", remedy));
            }
            _ if target.exists() && !target.is_dir() => {
                return Err(Error::file(target, "is not a folder", elsewhere));
            }
            _ => {}
        }
        let locked = match policy {
            Policy::NewFolder => {
                LockedFolder::later(target, CreatedFolders::make(folder_of(target))?)
            }
            _ => LockedFolder::open(target, elsewhere)?,
        };
        Self::within(locked, policy, elsewhere)
    }

    /// Opens a stage for a folder that is already locked, without checking what it contains.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn within(target: LockedFolder, policy: Policy, elsewhere: &str) -> Result<Self> {
        let parent = match policy {
            Policy::ReplaceFolder { .. } | Policy::NewFolder => folder_of(target.path()),
            Policy::MoveEntries { .. } | Policy::AddFiles { .. } => target.path(),
        };
        for (left, _lock) in unused(parent, PREFIX) {
            // A leftover that cannot be removed does no harm.
            let _ = fs::remove_dir_all(left);
        }
        let (hidden, in_use) = locked(parent, PREFIX).map_err(Error::io("write to", parent))?;
        let folder = StagedFolder { path: hidden.path().into(), shown: target.path().into() };
        Ok(Self { hidden, folder, policy, elsewhere: elsewhere.into(), _in_use: in_use, target })
    }

    /// The staged folder, to write files into.
    pub fn folder(&self) -> &StagedFolder {
        &self.folder
    }

    /// The final folder of the results.
    pub fn target(&self) -> &Path {
        self.target.path()
    }

    /// Commits the results under their final names. The target stays locked until the returned value is
    /// dropped.
    ///
    /// # Errors
    /// If something is in the way that the policy does not replace, or a file system operation fails.
    /// [`Policy`] and the crate's documentation say what the target then contains.
    pub fn commit(self) -> Result<LockedFolder> {
        let Self { hidden, policy, elsewhere, target, .. } = self;
        let path = target.path();
        match policy {
            Policy::ReplaceFolder { .. } | Policy::NewFolder => {
                policy.check_target(path, &elsewhere)?;
                commit::replace_folder(hidden, path)?;
            }
            Policy::MoveEntries { last } => commit::move_entries(hidden.path(), path, last)?,
            Policy::AddFiles { overwrite } => {
                commit::add_files(hidden.path(), path, overwrite, &elsewhere)?;
            }
        }
        Ok(target)
    }
}

impl Policy {
    /// Checks that a whole folder may replace `target`.
    fn check_target(self, target: &Path, elsewhere: &str) -> Result<()> {
        let Ok(metadata) = fs::symlink_metadata(target) else { return Ok(()) };
        if !metadata.is_dir() {
            return Err(Error::file(target, "exists and is not a folder", elsewhere));
        }
        let mut entries = fs::read_dir(target).map_err(Error::io("read", target))?;
        match self {
            _ if entries.next().is_none() => Ok(()),
            Self::ReplaceFolder { may_replace } => may_replace(target),
            _ => {
                let remedy = format!("remove it, or {elsewhere}");
                Err(Error::file(target, "exists already", remedy))
            }
        }
    }
}

/// A staged folder or one of its subfolders: its current path, where files are written, and its final path,
/// which messages show.
#[derive(Debug, Clone)]
pub struct StagedFolder {
    path: PathBuf,
    shown: PathBuf,
}

impl StagedFolder {
    /// The current path. Files that others write there should be synced (`File::sync_all`) before the
    /// commit.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The final path, for messages.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Creates the folder `name` within this one if it is missing.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn folder(&self, name: &str) -> Result<Self> {
        let folder = Self { path: self.path.join(name), shown: self.shown.join(name) };
        fs::create_dir_all(&folder.path).map_err(Error::io("create", &folder.shown))?;
        Ok(folder)
    }

    /// Writes a file and syncs it to the disk.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let write = || {
            let mut file = fs::File::create(self.path.join(name))?;
            file.write_all(content.as_ref())?;
            file.sync_all()
        };
        write().map_err(Error::io("write", &self.shown.join(name)))
    }

    /// Copies the file `source` into this folder.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub fn copy(&self, name: &str, source: &Path) -> Result<()> {
        let copied = fs::copy(source, self.path.join(name));
        copied.map(drop).map_err(Error::io("copy", source))
    }

    /// Puts the file `source` into this folder as a hard link.
    ///
    /// # Errors
    /// If it cannot be linked.
    pub fn hard_link(&self, name: &str, source: &Path) -> Result<()> {
        fs::hard_link(source, self.path.join(name)).map_err(Error::io("link", source))
    }
}

/// Whether `folder` contains nothing but stages, in use or left behind by killed programs.
///
/// # Errors
/// If the folder cannot be read.
pub fn holds_only_stages(folder: &Path) -> Result<bool> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        if !is_named(&entry.map_err(Error::io("read", folder))?, PREFIX) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether `folder` was created by a program that was killed before it wrote a result: it is empty and not
/// locked.
pub fn is_abandoned(folder: &Path) -> bool {
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    is_empty && FolderLock::try_take(folder).is_some()
}

#[cfg(test)]
mod tests;

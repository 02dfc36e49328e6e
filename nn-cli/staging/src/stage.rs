//! A stage: the hidden folder in which results are written until they are complete.

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
    /// The staged folder takes the place of the target, at once. It is staged beside the target, which is
    /// made, empty, and locked while the stage is open.
    ReplaceFolder {
        /// Refuses the target if it must not be replaced. Asked when the stage is opened and again when it
        /// is committed, if there is anything in the target.
        may_replace: fn(&Path) -> Result<()>,
    },
    /// The staged folder becomes the target, where there is none yet, or an empty folder. Until then,
    /// nothing is there.
    NewFolder,
    /// What was staged is moved into the target, where it replaces what has the same names. It is staged
    /// within the target, which is locked.
    MoveEntries {
        /// This file tells that all others are there: an old one is removed before anything else is
        /// moved, and the new one, which must have been staged, is moved last.
        last: &'static str,
    },
    /// The files that were staged are moved into the target: all of them, or none if a name is taken. They
    /// are staged within the target, which is locked.
    AddFiles {
        /// Whether the target may have files already, which new ones of the same names replace.
        overwrite: bool,
    },
}

/// Results on their way to the target. Dropping it removes what was staged.
#[derive(Debug)]
pub struct Stage {
    hidden: TempDir,
    folder: StagedFolder,
    policy: Policy,
    elsewhere: String,
    /// Tells other programs that this stage is in use.
    _in_use: FolderLock,
    /// Dropped after the stage, which may lie in it.
    target: LockedFolder,
}

impl Stage {
    /// Opens a stage for the folder `target`, which need not exist, and removes stages that programs which
    /// were killed left there. `elsewhere` tells the user how to choose another target, as in "choose another
    /// --out"; errors end in it.
    ///
    /// # Errors
    /// If the target is no folder, or has something in it that the policy does not allow; if another program
    /// is writing to it, or nothing can be written there.
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

    /// Opens a stage for a folder that is locked already, without looking at what is in it.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub fn within(target: LockedFolder, policy: Policy, elsewhere: &str) -> Result<Self> {
        let parent = match policy {
            Policy::ReplaceFolder { .. } | Policy::NewFolder => folder_of(target.path()),
            Policy::MoveEntries { .. } | Policy::AddFiles { .. } => target.path(),
        };
        for (left, _lock) in unused(parent, PREFIX) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(left);
        }
        let (hidden, in_use) = locked(parent, PREFIX).map_err(Error::io("write to", parent))?;
        let folder = StagedFolder { path: hidden.path().into(), shown: target.path().into() };
        Ok(Self { hidden, folder, policy, elsewhere: elsewhere.into(), _in_use: in_use, target })
    }

    /// Where files are written.
    pub fn folder(&self) -> &StagedFolder {
        &self.folder
    }

    /// Where the results will be.
    pub fn target(&self) -> &Path {
        self.target.path()
    }

    /// Gives the results their names. The target stays locked until what is returned is dropped.
    ///
    /// # Errors
    /// If something is in the way that the policy does not replace, or the disk refuses. [`Policy`] and the
    /// crate's documentation say what is in the target then.
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
    /// Whether a whole folder may take the place of `target`.
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

/// A staged folder, or one within it: where its files are written for now, and where they will be, which
/// is what messages say.
#[derive(Debug, Clone)]
pub struct StagedFolder {
    path: PathBuf,
    shown: PathBuf,
}

impl StagedFolder {
    /// Where it is for now. Files that others write there should be on the disk (`File::sync_all`) before
    /// the commit.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it will be.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Makes the folder `name` within this one, if there is none.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn folder(&self, name: &str) -> Result<Self> {
        let folder = Self { path: self.path.join(name), shown: self.shown.join(name) };
        fs::create_dir_all(&folder.path).map_err(Error::io("create", &folder.shown))?;
        Ok(folder)
    }

    /// Writes a file, and makes sure that it is on the disk.
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

/// Whether there is nothing in `folder` but stages: those in use, and those that programs which were
/// killed left behind.
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

/// Whether `folder` was made by a program that was killed before anything came of it: it is empty, and
/// nobody has locked it.
pub fn is_abandoned(folder: &Path) -> bool {
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    is_empty && FolderLock::try_take(folder).is_some()
}

#[cfg(test)]
mod tests;

//! Hidden folders in which results are written before they get their names, and what is left of them
//! by programs that were killed.

use crate::folder_lock::FolderLock;
use nn_core::files::sync_folder;
use nn_core::{Error, Result};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use tempfile::TempDir;

/// Makes a folder in `parent` whose name begins with `prefix`, and removes those that programs which
/// were killed left behind. Whoever makes one of these names holds this `lock`, so nobody is using
/// them; where there are no locks, nothing is removed.
///
/// # Errors
/// If `parent` cannot be written to.
pub fn begin(parent: &Path, prefix: &str, lock: &FolderLock) -> Result<TempDir> {
    if lock.is_held() {
        remove(parent, prefix);
    }
    let draft = tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
    draft.map_err(Error::io("write to", parent))
}

/// Writes a file of a draft, and makes sure it is on the disk.
///
/// # Errors
/// If the disk refuses.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Puts the names in a folder and in those below it on the disk.
pub fn sync_names(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync_names(&entry.path());
        }
    }
    sync_folder(folder);
}

/// Removes the folders in `parent` whose names begin with `prefix`.
fn remove(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && is_draft(&entry, prefix) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether there is nothing in `folder` but drafts of this prefix.
///
/// # Errors
/// If it cannot be read.
pub fn are_all_in(folder: &Path, prefix: &str) -> Result<bool> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        if !is_draft(&entry.map_err(Error::io("read", folder))?, prefix) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_draft(entry: &fs::DirEntry, prefix: &str) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["target", ".nn-a-killed", ".nn-a-killed/runs", ".nn-b-another's", "photos"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::write(path(".nn-a-file"), "mine").unwrap();
        let lock = FolderLock::take(&path("target")).unwrap();
        let draft = begin(folder.path(), ".nn-a-", &lock).unwrap();
        assert!(draft.path().is_dir() && !path(".nn-a-killed").exists());
        for name in [".nn-b-another's", "photos", ".nn-a-file"] {
            assert!(path(name).exists(), "{name}");
        }
        assert!(!are_all_in(folder.path(), ".nn-a-").unwrap());
        assert!(are_all_in(folder.path(), "").unwrap());
        // Where nothing can be locked, somebody may be at work.
        fs::create_dir(path(".nn-a-at-work")).unwrap();
        let none = FolderLock::take(&path("missing")).unwrap();
        begin(folder.path(), ".nn-a-", &none).unwrap();
        assert!(path(".nn-a-at-work").exists());
    }
}

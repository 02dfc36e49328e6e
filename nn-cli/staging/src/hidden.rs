//! Hidden folders: in use while a program holds a lock on them, otherwise left behind by a program that was
//! killed.

use crate::FolderLock;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Name prefix of stages.
pub const PREFIX: &str = ".nn-draft-";

/// Creates a hidden folder in `parent` whose name begins with `prefix`, and locks it. Its permissions let
/// others read it as usual.
///
/// # Errors
/// If nothing can be written there.
pub fn locked(parent: &Path, prefix: &str) -> io::Result<(TempDir, FolderLock)> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    loop {
        let hidden = builder.tempdir_in(parent)?;
        // Until it is locked, another program may take it for an unused one and lock it.
        match FolderLock::try_take(hidden.path()) {
            Some(lock) if hidden.path().is_dir() => return Ok((hidden, lock)),
            _ => {}
        }
    }
}

/// The folders in `parent` whose names begin with `prefix` and that no program uses, each locked. Empty
/// where folders cannot be locked.
pub fn unused(parent: &Path, prefix: &str) -> impl Iterator<Item = (PathBuf, FolderLock)> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(move |entry| is_folder(entry) && is_named(entry, prefix)).filter_map(|entry| {
        let lock = FolderLock::try_take(&entry.path()).filter(FolderLock::is_held)?;
        Some((entry.path(), lock))
    })
}

/// Whether the name of an entry begins with `prefix`.
pub fn is_named(entry: &fs::DirEntry, prefix: &str) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes())
}

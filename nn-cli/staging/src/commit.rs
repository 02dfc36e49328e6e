//! Commits staged results: renames that replace a folder, move its entries or add its files, with `fsync`.

use crate::hidden::{locked, unused};
use nn_core::files::{folder_of, sync_folder};
use nn_core::{Error, Result};
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use tempfile::TempDir;

/// Name prefix of the hidden folders that hold a replaced folder during the commit, where the system cannot
/// exchange two names atomically.
const REPLACED: &str = ".nn-replaced-";

/// The folder within a stage that receives the entries being replaced.
const ASIDE: &str = ".replaced";

/// Replaces the folder `target` by the folder `staged`. If that fails, the old content of `target` is kept.
///
/// # Errors
/// If a file system operation fails.
pub fn replace_folder(staged: TempDir, target: &Path) -> Result<()> {
    sync_names(staged.path());
    let staged = staged.keep();
    let moved = replace(&staged, target);
    if moved.is_err() {
        let _ = fs::remove_dir_all(&staged);
    }
    moved.map_err(Error::io("create", target))?;
    sync_folder(folder_of(target));
    Ok(())
}

fn replace(staged: &Path, target: &Path) -> io::Result<()> {
    // An empty target is replaced, on most systems by the rename itself.
    if fs::rename(staged, target).is_ok() {
        return Ok(());
    }
    if fs::remove_dir(target).is_ok() {
        return fs::rename(staged, target);
    }
    if exchange(staged, target).is_ok() {
        // If some of the old folder cannot be removed, opening the next stage removes it.
        let _ = fs::remove_dir_all(staged);
        return Ok(());
    }
    replace_by_two_renames(staged, target)
}

/// Exchanges the names of two folders atomically.
#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Moves `target` into a hidden folder, renames `staged` to `target`, and removes the old folder. The old
/// folder keeps its name, so that [`restore_replaced`] can restore it if the program is killed between the
/// renames.
fn replace_by_two_renames(staged: &Path, target: &Path) -> io::Result<()> {
    let (aside, _in_use) = locked(folder_of(target), REPLACED)?;
    let old = aside.path().join(target.file_name().unwrap_or_default());
    fs::rename(target, &old)?;
    fs::rename(staged, target).inspect_err(|_| {
        if fs::rename(&old, target).is_err() {
            // The old folder must not be removed: opening the next stage restores it.
            std::mem::forget(aside);
        }
    })
}

/// Handles the folders in `parent` that `replace_by_two_renames` left behind: an old folder is moved back
/// if its target is missing, and removed if the target exists.
pub fn restore_replaced(parent: &Path) {
    for (aside, _lock) in unused(parent, REPLACED) {
        for old in fs::read_dir(&aside).into_iter().flatten().flatten() {
            let target = parent.join(old.file_name());
            if fs::symlink_metadata(&target).is_err() {
                let _ = fs::rename(old.path(), target);
            } else {
                let _ = fs::remove_dir_all(old.path());
            }
        }
        // A folder that could not be restored stays where it is.
        let _ = fs::remove_dir(aside);
    }
}

/// Moves everything in the folder `staged` into `target`, the file `last` after all others.
///
/// # Errors
/// If a file system operation fails, or `last` was not staged. Without `last`, the target is incomplete.
pub fn move_entries(staged: &Path, target: &Path, last: &str) -> Result<()> {
    let aside = staged.join(ASIDE);
    fs::create_dir(&aside).map_err(Error::io("create", target))?;
    let mut names = entries(staged).map_err(Error::io("read", target))?;
    names.retain(|name| name != ASIDE && name != last);
    sync_names(staged);
    // From here until the end the folder counts as incomplete.
    remove_file(&target.join(last))?;
    sync_folder(target);
    for name in &names {
        move_entry(name.as_ref(), staged, target, &aside)?;
    }
    // The last file marks the folder as complete, so all other names must be on the disk before it.
    sync_folder(target);
    move_entry(last.as_ref(), staged, target, &aside)?;
    sync_folder(target);
    Ok(())
}

/// Moves one entry into `target`, after moving aside a folder that it replaces.
fn move_entry(name: &Path, staged: &Path, target: &Path, aside: &Path) -> Result<()> {
    let (from, to) = (staged.join(name), target.join(name));
    // Renaming a file onto a file replaces it.
    if fs::symlink_metadata(&to).is_ok_and(|there| there.is_dir() || from.is_dir()) {
        fs::rename(&to, aside.join(name)).map_err(Error::io("replace", &to))?;
    }
    fs::rename(&from, &to).map_err(Error::io("create", &to))
}

/// Moves the files in the folder `staged` into `target`.
///
/// # Errors
/// If a name is taken by a folder, or by a file and `overwrite` is false; then nothing is moved. If a file
/// system operation fails.
pub fn add_files(staged: &Path, target: &Path, overwrite: bool, elsewhere: &str) -> Result<()> {
    let names = entries(staged).map_err(Error::io("read", target))?;
    for name in &names {
        let path = target.join(name);
        let in_the_way = fs::symlink_metadata(&path);
        if in_the_way.is_ok_and(|metadata| metadata.is_dir() || !overwrite) {
            let problem = "something of that name is in the way";
            return Err(Error::file(&path, problem, format!("move it, or {elsewhere}")));
        }
    }
    for name in &names {
        let path = target.join(name);
        fs::rename(staged.join(name), &path).map_err(Error::io("create", &path))?;
    }
    sync_folder(target);
    Ok(())
}

/// The names in a folder, sorted.
fn entries(folder: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Syncs (`fsync`) a folder and all folders below it, so that their names are on the disk.
fn sync_names(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync_names(&entry.path());
        }
    }
    sync_folder(folder);
}

/// Removes a file if it is there.
fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(problem) if problem.kind() != ErrorKind::NotFound => {
            Err(Error::io("replace", path)(problem))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_replaced_by_two_renames_too() {
        let dir = tempfile::tempdir().unwrap();
        let [new, old] = ["new", "old"].map(|name| {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("a"), name).unwrap();
            dir.path().join(name)
        });
        replace_by_two_renames(&new, &old).unwrap();
        assert_eq!(fs::read_to_string(old.join("a")).unwrap(), "new");
        assert_eq!(entries(dir.path()).unwrap(), ["old"]);
        // The rename of the new folder fails, so the old one stays.
        assert!(replace_by_two_renames(&new, &old).is_err());
        assert_eq!(fs::read_to_string(old.join("a")).unwrap(), "new");
        assert_eq!(entries(dir.path()).unwrap(), ["old"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_a_killed_program_moved_aside_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for (aside, name) in [(".nn-replaced-1", "lost"), (".nn-replaced-2", "there")] {
            fs::create_dir_all(path(aside).join(name)).unwrap();
            fs::write(path(aside).join(name).join("a"), "old").unwrap();
        }
        fs::create_dir(path("there")).unwrap();
        fs::write(path("there/a"), "new").unwrap();
        restore_replaced(dir.path());
        assert_eq!(entries(dir.path()).unwrap(), ["lost", "there"]);
        assert_eq!(fs::read_to_string(path("lost/a")).unwrap(), "old");
        assert_eq!(fs::read_to_string(path("there/a")).unwrap(), "new");
    }
}

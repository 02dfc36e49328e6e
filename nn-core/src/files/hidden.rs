//! Temporary files with hidden, unique names.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// The suffix of temporary files.
pub const PARTIAL: &str = ".partial";

/// Number of names tried before giving up.
const ATTEMPTS: usize = 1 << 10;

/// The path of a temporary file. The file is removed when this is dropped, unless it was renamed.
#[derive(Debug)]
pub struct HiddenPath(PathBuf);

impl HiddenPath {
    /// Creates a temporary file for `next` in the same folder: `.NAMExxxxxx.partial`.
    pub fn create(next: &Path) -> io::Result<(File, Self)> {
        Self::make(next, |at| fs::OpenOptions::new().write(true).create_new(true).open(at))
    }

    /// Renames the file `old` to a temporary name for `next`, in the folder of `next`.
    pub fn rename_from(old: &Path, next: &Path) -> io::Result<Self> {
        let rename = |at: &Path| match at.symlink_metadata() {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(old, at),
        };
        Ok(Self::make(next, rename)?.1)
    }

    fn make<R>(next: &Path, make: impl Fn(&Path) -> io::Result<R>) -> io::Result<(R, Self)> {
        // Each `RandomState` has different keys: enough randomness for a file name.
        let random = RandomState::new();
        for attempt in 0..ATTEMPTS {
            let mut hasher = random.build_hasher();
            hasher.write_usize(attempt);
            let mut name = prefix(next);
            name.push(format!("{:06x}{PARTIAL}", hasher.finish() & 0xff_ffff));
            let at = folder_of(next).join(name);
            match make(&at) {
                Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|made| (made, Self(at))),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "every temporary name is taken"))
    }

    /// The path of the temporary file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Renames the file to its final name, replacing an existing file.
    pub fn rename(mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.0, to)?;
        self.0 = PathBuf::new();
        Ok(())
    }
}

impl Drop for HiddenPath {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // What cannot be removed now is left to a later `remove_drafts`.
            let _ = fs::remove_file(&self.0);
        }
    }
}

/// The folder that contains a path: the current one for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The prefix of the names of temporary files for `path`.
fn prefix(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name
}

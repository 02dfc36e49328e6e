//! Files under hidden names that nobody else has.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// How the names of files in the making end.
pub const PARTIAL: &str = ".partial";

/// Names tried before giving up.
const ATTEMPTS: usize = 1 << 10;

/// The path of a file that is removed when this is dropped, unless it was renamed.
#[derive(Debug)]
pub struct HiddenPath(PathBuf);

impl HiddenPath {
    /// Makes a file beside `next`, for which it is meant: `.NAMExxxxxx.partial`.
    pub fn create(next: &Path) -> io::Result<(File, Self)> {
        Self::make(next, |at| fs::OpenOptions::new().write(true).create_new(true).open(at))
    }

    /// Renames the file `old` to a hidden name beside `next`.
    pub fn rename_from(old: &Path, next: &Path) -> io::Result<Self> {
        let rename = |at: &Path| match at.symlink_metadata() {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(old, at),
        };
        Ok(Self::make(next, rename)?.1)
    }

    fn make<R>(next: &Path, make: impl Fn(&Path) -> io::Result<R>) -> io::Result<(R, Self)> {
        // Each hasher of this state begins differently, which is all the randomness a name needs.
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

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the file its name. What had that name is replaced.
    pub fn rename(mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.0, to)?;
        self.0 = PathBuf::new();
        Ok(())
    }
}

impl Drop for HiddenPath {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // What cannot be removed goes when the next draft of that file is made.
            let _ = fs::remove_file(&self.0);
        }
    }
}

/// The folder a path lies in: the current one for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// How the names of files on their way to the name `path` begin.
fn prefix(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name
}

//! Atomic file writes (temporary file, fsync, rename), syncing of folders, and reading of files up to a
//! size limit.

mod hidden;

use crate::error::{Error, Result};
pub use hidden::folder_of;
use hidden::{HiddenPath, PARTIAL};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Writes a file atomically: writes to a temporary file in the same folder, syncs it to disk (fsync),
/// and renames it to `path`, replacing an existing file. If anything fails, or the program dies, the
/// existing file is unchanged.
///
/// # Errors
/// If `write` fails or the folder is not writable; the temporary file is removed then.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    FileDraft::write(path, |file| write(file))?.commit()
}

/// A file that is written to a temporary name, but neither synced to disk nor renamed to its final name
/// yet. Dropping it removes the file.
///
/// Syncing can take longer than writing. It happens in [`FileDraft::commit`], which can be called on
/// another thread.
#[derive(Debug)]
pub struct FileDraft {
    file: File,
    at: HiddenPath,
    path: PathBuf,
}

impl FileDraft {
    /// Writes the content of `path` to a hidden temporary file in the same folder:
    /// `.NAMExxxxxx.partial`.
    ///
    /// # Errors
    /// If `write` fails or the folder is not writable; the temporary file is removed then.
    pub fn write(
        path: &Path,
        write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
    ) -> Result<Self> {
        let attempt = || {
            if path.file_name().is_none() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file name"));
            }
            Self::fill(HiddenPath::create(path)?, path, write)
        };
        attempt().map_err(Error::io("write", path))
    }

    /// Overwrites a spare file, if there is one, which reuses its disk blocks and its pages in the page
    /// cache. Otherwise the same as [`FileDraft::write`].
    ///
    /// # Errors
    /// As [`FileDraft::write`].
    pub fn write_over(
        spare: Option<Spare>,
        path: &Path,
        write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
    ) -> Result<Self> {
        let open =
            |Spare(at): Spare| Some((fs::OpenOptions::new().write(true).open(at.path()).ok()?, at));
        // If the spare file no longer exists, a new file is written.
        let Some(spare) = spare.and_then(open) else { return Self::write(path, write) };
        Self::fill(spare, path, write).map_err(Error::io("write", path))
    }

    fn fill(
        (mut file, at): (File, HiddenPath),
        path: &Path,
        write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
    ) -> io::Result<Self> {
        let mut writer = BufWriter::with_capacity(1 << 16, &mut file);
        write(&mut writer)?;
        writer.flush()?;
        drop(writer);
        // Cuts off what remains of a longer spare file.
        let len = file.stream_position()?;
        file.set_len(len)?;
        Ok(Self { file, at, path: path.to_path_buf() })
    }

    /// Syncs the file to disk and renames it to its final name, replacing an existing file.
    ///
    /// # Errors
    /// If syncing or renaming fails; an existing file is unchanged then.
    pub fn commit(self) -> Result<()> {
        let Self { file, at, path } = self;
        let attempt = || {
            file.sync_all()?;
            at.rename(&path)?;
            sync_folder(folder_of(&path));
            Ok(())
        };
        attempt().map_err(Error::io("write", &path))
    }

    /// Syncs the file to disk and renames it to its final name. An existing file of that name is first
    /// renamed to `keep`, in the same folder. An existing file `keep` becomes the returned spare.
    ///
    /// If the program dies at any point, each of the two names refers to a complete file or to none,
    /// and at least one of them to the newest file or its predecessor.
    ///
    /// # Errors
    /// If syncing or renaming fails; the existing files are unchanged then.
    pub fn commit_and_keep(self, keep: &Path) -> Result<Option<Spare>> {
        let Self { file, at, path } = self;
        let attempt = || {
            file.sync_all()?;
            let kept = path.exists();
            let spare = if kept { Spare::take(keep, &path)? } else { None };
            let moved = if kept { fs::rename(&path, keep) } else { Ok(()) };
            let placed = moved.and_then(|()| match at.rename(&path) {
                Err(failed) if kept => fs::rename(keep, &path).and(Err(failed)),
                renamed => renamed,
            });
            match (placed, spare) {
                (Ok(()), spare) => {
                    sync_folder(folder_of(&path));
                    Ok(spare)
                }
                (Err(problem), Some(spare)) => spare.give(keep).and(Err(problem)),
                (Err(problem), None) => Err(problem),
            }
        };
        attempt().map_err(Error::io("write", &path))
    }
}

/// A file that is no longer needed and that the next draft can overwrite. Dropping it removes the file.
///
/// It has a temporary name like a draft, so [`remove_drafts`] removes it if the program dies.
#[derive(Debug)]
pub struct Spare(HiddenPath);

impl Spare {
    /// Renames the file `old`, if it exists, to a temporary name of `next`.
    fn take(old: &Path, next: &Path) -> io::Result<Option<Self>> {
        match HiddenPath::rename_from(old, next) {
            Ok(spare) => Ok(Some(Self(spare))),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    fn give(self, path: &Path) -> io::Result<()> {
        self.0.rename(path)
    }
}

/// Removes drafts of the file `path` left behind by programs that died. No other process may be writing
/// that file.
pub fn remove_drafts(path: &Path) {
    let Some(name) = path.file_name() else { return };
    let Ok(entries) = fs::read_dir(folder_of(path)) else { return };
    for entry in entries.flatten() {
        let found = entry.file_name();
        let is_draft = found.as_encoded_bytes().strip_prefix(b".").is_some_and(|rest| {
            rest.starts_with(name.as_encoded_bytes()) && rest.ends_with(PARTIAL.as_bytes())
        });
        if is_draft {
            // A leftover draft that cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The content of a file of at most `most` bytes; `remedy` is the advice in the error for a larger one.
///
/// # Errors
/// If the file cannot be read, or is larger.
pub fn read_limited(path: &Path, most: u64, remedy: &str) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    // The limit is checked while reading, because the reported length may be wrong. It is usually
    // right, so it sets the capacity: one byte more lets the end of file be found without growing.
    let length = file.metadata().map_or(0, |about| about.len());
    let mut bytes = Vec::with_capacity(length.min(most).min(16 << 20) as usize + 1);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > most {
        let problem = match most >> 20 {
            0 => format!("the file is larger than {most} bytes"),
            mib => format!("the file is larger than {mib} MiB"),
        };
        return Err(Error::file(path, problem, remedy));
    }
    Ok(bytes)
}

/// Syncs a folder's entries to disk, so that a rename is durable. Not every system supports this;
/// errors are ignored.
pub fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for text in ["long enough", "short"] {
            write_atomically(&path, |w| w.write_all(text.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn failure_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let error = write_atomically(&path, |w| {
            w.write_all(&[0; 1 << 17])?;
            Err(io::Error::other("disk full"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("a.txt: disk full"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_file_before_can_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (path, before) = (folder.path().join("a.txt"), folder.path().join("before.txt"));
        let draft = |spare, text: &str| {
            FileDraft::write_over(spare, &path, |w| w.write_all(text.as_bytes())).unwrap()
        };
        let texts = || [&path, &before].map(|path| fs::read_to_string(path).unwrap());
        let files = || fs::read_dir(folder.path()).unwrap().count();
        assert!(draft(None, "1").commit_and_keep(&before).unwrap().is_none());
        assert!(!before.exists());
        assert!(draft(None, "2 long").commit_and_keep(&before).unwrap().is_none());
        let spare = draft(None, "3").commit_and_keep(&before).unwrap();
        assert_eq!((texts(), files()), (["3".into(), "2 long".into()], 3));

        // Over the first file, which has another length.
        let spare = draft(spare, "4 longer").commit_and_keep(&before).unwrap();
        let spare = draft(spare, "5").commit_and_keep(&before).unwrap();
        assert_eq!((texts(), files()), (["5".into(), "4 longer".into()], 3));
        // The next file is written even if the spare is gone.
        fs::remove_file(spare.as_ref().unwrap().0.path()).unwrap();
        let spare = draft(spare, "6").commit_and_keep(&before).unwrap();
        drop(spare);
        assert_eq!((texts(), files()), (["6".into(), "5".into()], 2));
    }

    #[test]
    fn a_file_that_cannot_be_placed_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let (path, before) = (folder.path().join("a.txt"), folder.path().join("before.txt"));
        let draft = |text: &str| FileDraft::write(&path, |w| w.write_all(text.as_bytes())).unwrap();
        for text in ["1", "2"] {
            draft(text).commit_and_keep(&before).unwrap();
        }
        let lost = draft("3");
        fs::remove_file(lost.at.path()).unwrap();
        let message = lost.commit_and_keep(&before).unwrap_err().to_string();
        assert!(message.contains("a.txt"), "{message}");
        let texts = [&path, &before].map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(texts, ["2", "1"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn drafts_left_behind_can_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, before) = (folder.path().join("a.txt"), folder.path().join("before.txt"));
        let draft = |text: &str| FileDraft::write(&path, |w| w.write_all(text.as_bytes())).unwrap();
        for text in ["1", "2"] {
            assert!(draft(text).commit_and_keep(&before).unwrap().is_none());
        }
        std::mem::forget(draft("3").commit_and_keep(&before).unwrap());
        std::mem::forget(draft("4"));
        fs::write(folder.path().join(".b.txt.partial"), "another's").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
        remove_drafts(&path);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert_eq!(fs::read_to_string(&path).unwrap(), "3");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/a.txt");
        let error = write_atomically(&path, |w| w.write_all(b"x")).unwrap_err();
        assert!(error.to_string().contains("missing/a.txt"), "{error}");
        assert!(write_atomically(Path::new("/"), |_| Ok(())).is_err());
        // The name is that of a folder.
        assert!(write_atomically(folder.path(), |w| w.write_all(b"x")).is_err());
    }

    #[test]
    fn files_are_read_up_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "seven..").unwrap();
        assert_eq!(read_limited(&path, 7, "cut it").unwrap(), b"seven..");
        let message = read_limited(&path, 6, "cut it").unwrap_err().to_string();
        assert!(message.ends_with("a.txt: the file is larger than 6 bytes; cut it"), "{message}");
        // A file that never ends.
        #[cfg(unix)]
        {
            let message =
                read_limited(Path::new("/dev/zero"), 3 << 20, "").unwrap_err().to_string();
            assert!(message.contains("larger than 3 MiB"), "{message}");
        }
        assert!(read_limited(folder.path(), 6, "").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_usual() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, usual) = (folder.path().join("ours"), folder.path().join("usual"));
        write_atomically(&ours, |w| w.write_all(b"x")).unwrap();
        fs::write(&usual, "x").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&usual));
    }
}

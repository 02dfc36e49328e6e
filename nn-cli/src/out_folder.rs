//! A folder that results are added to, all of them or none.
//!
//! Files are written into a hidden folder within it and get their names at the end. What fails on
//! the way leaves nothing behind, and files that were there before are touched only when the new ones
//! are complete. (A run's folder, which is replaced as a whole, is `run_folder`'s.)

use crate::drafts;
use crate::failure::Failure;
use crate::folder_lock::FolderLock;
use crate::made_folders::MadeFolders;
use nn_core::Error;
use nn_core::files::sync_folder;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How the names of the hidden folders begin.
const DRAFT: &str = ".nn-out-";

/// Characters of a name that comes from outside: file systems take names of up to 255 bytes.
const LONGEST: usize = 80;

/// Names of files in a folder, each of them once.
#[derive(Debug, Default)]
pub struct FileNames {
    /// In lower case, for file systems that do not tell `A` from `a`.
    taken: HashSet<String>,
}

impl FileNames {
    /// A beginning that no other file of this folder has, for `STEM.CLASS` from names that may
    /// be anything: `STEM.CLASS`, else `STEM-2.CLASS` and so on. Made safe where the names hold
    /// what a file's name cannot.
    pub fn reserve(&mut self, stem: &str, class: &str) -> String {
        let (stem, class) = (safe(stem), safe(class));
        let numbered = |i: usize| match i {
            1 => format!("{stem}.{class}"),
            i => format!("{stem}-{i}.{class}"),
        };
        let free = (1..).map(numbered).find(|name| self.taken.insert(name.to_lowercase()));
        free.unwrap_or(stem)
    }
}

/// Files in the making.
pub struct OutFolder {
    draft: TempDir,
    target: PathBuf,
    overwrite: bool,
    names: Vec<String>,
    taken: FileNames,
    /// After the draft, which lies in them.
    _made: MadeFolders,
    _lock: FolderLock,
}

impl OutFolder {
    /// Begins to fill `target`, which need not exist.
    ///
    /// # Errors
    /// If it is not a folder, cannot be written to, another program is writing to it, or it is not
    /// empty and may not be added to.
    pub fn begin(target: &Path, overwrite: bool) -> Result<Self, Failure> {
        if target.exists() && !target.is_dir() {
            return Err(Error::file(target, "is not a folder", "choose another --out").into());
        }
        if target.exists() && !overwrite && !drafts::are_all_in(target, DRAFT)? {
            return Err(Error::file(
                target,
                "the folder is not empty",
                "choose another --out, or write into it with --overwrite",
            )
            .into());
        }
        let (made, lock) = (MadeFolders::make(target)?, FolderLock::take(target)?);
        let draft = drafts::begin(target, DRAFT, &lock)?;
        let (target, names, taken) = (target.to_path_buf(), Vec::new(), FileNames::default());
        Ok(Self { draft, target, overwrite, names, taken, _made: made, _lock: lock })
    }

    /// A beginning that no other file of this folder has: [`FileNames::reserve`].
    pub fn reserve(&mut self, stem: &str, class: &str) -> String {
        self.taken.reserve(stem, class)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, name: String, content: &[u8]) -> Result<(), Failure> {
        // The draft's name says nothing to anybody.
        let shown = self.path(&name);
        let path = self.draft.path().join(&name);
        drafts::write(&path, content).map_err(Error::io("write", &shown))?;
        self.names.push(name);
        Ok(())
    }

    /// Where a file of this name will be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }

    /// Gives all files their names.
    ///
    /// # Errors
    /// If something else has one of them.
    pub fn finish(self) -> Result<(), Failure> {
        for name in &self.names {
            let path = self.path(name);
            let in_the_way = fs::symlink_metadata(&path);
            if in_the_way.is_ok_and(|metadata| metadata.is_dir() || !self.overwrite) {
                return Err(Error::file(
                    &path,
                    "something of that name is in the way",
                    "move it, or choose another --out",
                )
                .into());
            }
        }
        for name in &self.names {
            let path = self.path(name);
            let draft = self.draft.path().join(name);
            fs::rename(draft, &path).map_err(Error::io("create", &path))?;
        }
        sync_folder(&self.target);
        Ok(())
    }
}

/// A part of a file's name: without what file systems or shells stumble over, not empty, not hidden
/// and not too long. What comes after a dot stays apart from it.
fn safe(name: &str) -> String {
    let harmless = |c: char| {
        let bad = c.is_control() || "/\\:*?\"<>|".contains(c);
        if bad { '_' } else { c }
    };
    let name: String = name.chars().map(harmless).collect();
    let name = name.trim().trim_start_matches('.').trim_end_matches('.');
    let mut short = String::new();
    for c in name.chars() {
        if short.len() + c.len_utf8() > LONGEST {
            break;
        }
        short.push(c);
    }
    if short.is_empty() { "_".into() } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(dir: &Path) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_are_safe_and_distinct() {
        let dir = tempfile::tempdir().unwrap();
        let mut out = OutFolder::begin(dir.path(), false).unwrap();
        let long = "ü".repeat(300);
        for (stem, class, expected) in [
            ("husky_1", "wolf", "husky_1.wolf"),
            ("husky_1", "wolf", "husky_1-2.wolf"),
            ("HUSKY_1", "wolf", "HUSKY_1-3.wolf"),
            ("husky_1", "husky", "husky_1.husky"),
            ("a/b", "..", "a_b._"),
            (".hidden", "c:\\d", "hidden.c__d"),
            ("", " ", "_._"),
            ("x\n\u{1b}", "a*b?", "x__.a_b_"),
            (&long, "w", &format!("{}.w", "ü".repeat(40))),
            ("v1.2", "狼", "v1.2.狼"),
        ] {
            assert_eq!(out.reserve(stem, class), expected);
        }
    }

    #[test]
    fn all_files_appear_at_once_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("new/heat");
        let begin = |overwrite| OutFolder::begin(&target, overwrite);
        let mut out = begin(false).unwrap();
        out.write("a.png".into(), b"1").unwrap();
        assert!(!target.join("a.png").exists());
        drop(out);
        assert!(entries(dir.path()).is_empty());

        // What a killed program left is in nobody's way.
        fs::create_dir_all(target.join(".nn-out-killed")).unwrap();
        let mut out = begin(false).unwrap();
        out.write("a.png".into(), b"1").unwrap();
        #[cfg(unix)]
        assert!(begin(false).err().unwrap().to_string().contains("another --out"));
        out.finish().unwrap();
        assert_eq!(entries(&target), ["a.png"]);
        let refused = begin(false).err().unwrap().to_string();
        assert!(refused.contains("--overwrite"), "{refused}");

        fs::write(target.join("mine.txt"), "x").unwrap();
        let mut out = begin(true).unwrap();
        out.write("a.png".into(), b"2").unwrap();
        out.write("b.png".into(), b"2").unwrap();
        out.finish().unwrap();
        assert_eq!(entries(&target), ["a.png", "b.png", "mine.txt"]);
        assert_eq!(fs::read(target.join("a.png")).unwrap(), b"2");

        fs::create_dir(target.join("c.png")).unwrap();
        let mut out = begin(true).unwrap();
        out.write("a.png".into(), b"3").unwrap();
        out.write("c.png".into(), b"3").unwrap();
        assert!(out.finish().err().unwrap().to_string().contains("c.png"));
        assert_eq!(fs::read(target.join("a.png")).unwrap(), b"2");
        assert_eq!(entries(&target), ["a.png", "b.png", "c.png", "mine.txt"]);
    }
}

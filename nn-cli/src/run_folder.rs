//! Folders of results that are whole or not there.
//!
//! An experiment is written into a hidden folder beside its final place and renamed at the end. What
//! fails on the way (a full disk, an error in training, Ctrl-C) leaves nothing behind, and a folder
//! that is there already is touched only when the new one is complete. (A single run's folder, in
//! which the run is saved while it is made, is `open_run`'s.)

use crate::failure::Failure;
use crate::folder_lock::FolderLock;
use crate::made_folders::MadeFolders;
use nn_core::Error;
use nn_core::files::{folder_of, sync_folder};
use nn_core::model::{self, Sequential};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The trained model's name within a run folder.
pub const MODEL_FILE: &str = "model.safetensors";

/// What a run scored, in its folder.
pub const METRICS_FILE: &str = "metrics.json";

/// The summary of an experiment, in its folder.
pub const EXPERIMENT_FILE: &str = "experiment.json";

/// Files by which a folder is known to be a run's or an experiment's, and may be overwritten.
const MARKS: [&[&str]; 2] = [&["config.toml", METRICS_FILE], &[EXPERIMENT_FILE, "runs"]];

/// A folder in the making, or one within it: where its files are written for now, and where they
/// will be, which is what messages say.
pub struct Draft {
    path: PathBuf,
    shown: PathBuf,
}

impl Draft {
    /// What is written at `path`, for now, and will be at `shown`.
    pub fn new(path: &Path, shown: &Path) -> Self {
        Self { path: path.to_path_buf(), shown: shown.to_path_buf() }
    }

    /// Begins the folder `name` within this one.
    pub fn folder(&self, name: &str) -> Result<Self, Failure> {
        let folder = Self { path: self.path.join(name), shown: self.shown.join(name) };
        fs::create_dir_all(&folder.path).map_err(Error::io("create", &folder.shown))?;
        Ok(folder)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<(), Failure> {
        let path = self.path.join(name);
        let shown = self.shown.join(name);
        let write = || {
            let mut file = fs::File::create(&path)?;
            file.write_all(content.as_ref())?;
            file.sync_all()
        };
        Ok(write().map_err(Error::io("write", &shown))?)
    }

    /// Puts the file `source` here under a name, as a copy or as a hard link.
    pub fn place(&self, name: &str, source: &Path, link: bool) -> Result<(), Failure> {
        let path = self.path.join(name);
        let done =
            if link { fs::hard_link(source, &path) } else { fs::copy(source, &path).map(drop) };
        let action = if link { "link" } else { "copy" };
        Ok(done.map_err(Error::io(action, source))?)
    }

    /// Writes the trained model.
    pub fn save_model(&self, model: &Sequential, classes: &[String]) -> Result<(), Failure> {
        let path = self.path.join(MODEL_FILE);
        model::save(&path, model, Some(classes)).map_err(|error| match error {
            Error::Io { action, source, .. } => {
                // The draft's name says nothing to anybody.
                Error::Io { action, path: self.shown.join(MODEL_FILE), source }.into()
            }
            other => other.into(),
        })
    }
}

/// A folder of results in the making.
pub struct RunFolder {
    temporary: TempDir,
    draft: Draft,
    overwrite: bool,
    /// After the draft, which lies beside it.
    _made: MadeFolders,
    _lock: FolderLock,
}

impl RunFolder {
    /// Begins the folder `target`.
    ///
    /// # Errors
    /// If it exists and may not be overwritten, another program is writing it, or nothing can be
    /// written beside it.
    pub fn begin(target: &Path, overwrite: bool) -> Result<Self, Failure> {
        check_target(target, overwrite)?;
        let target = resolve(target)?;
        let parent = folder_of(&target);
        let made = MadeFolders::make(&target)?;
        let lock = FolderLock::take(&target)?;
        let temporary = tempfile::Builder::new()
            .prefix(".nn-run-")
            .tempdir_in(parent)
            .map_err(Error::io("write to", parent))?;
        let draft = Draft::new(temporary.path(), &target);
        Ok(Self { temporary, draft, overwrite, _made: made, _lock: lock })
    }

    /// The first of `runs/NAME`, `runs/NAME-2`, ... that is not taken.
    pub fn default_target(name: &str) -> PathBuf {
        let base = Path::new("runs");
        // A name is one part of a path; that of the root folder is not.
        let name = Path::new(name).file_name().map_or("run".into(), OsStr::to_string_lossy);
        let numbered = |i| if i == 1 { name.to_string() } else { format!("{name}-{i}") };
        (1..).map(|i| base.join(numbered(i))).find(|path| !path.exists()).unwrap_or_default()
    }

    /// Where its files are written.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Puts the folder in its place and returns the path.
    pub fn finish(self) -> Result<PathBuf, Failure> {
        let target = self.draft.shown;
        check_target(&target, self.overwrite)?;
        let draft = self.temporary.keep();
        let moved = replace(&draft, &target);
        if moved.is_err() {
            let _ = fs::remove_dir_all(&draft);
        }
        moved.map_err(Error::io("create", &target))?;
        sync_folder(folder_of(&target));
        Ok(target)
    }
}

/// Moves `draft` to `target`, the old `target` out of the way and then away.
fn replace(draft: &Path, target: &Path) -> std::io::Result<()> {
    // A temporary folder is its owner's alone; results are as readable as any new folder.
    let probe = draft.join(".mode");
    fs::create_dir(&probe)?;
    let mode = fs::metadata(&probe)?.permissions();
    fs::remove_dir(&probe)?;
    fs::set_permissions(draft, mode)?;
    if !target.exists() {
        return fs::rename(draft, target);
    }
    let old = tempfile::Builder::new().prefix(".nn-old-").tempdir_in(folder_of(target))?;
    let aside = old.path().join("run");
    fs::rename(target, &aside)?;
    fs::rename(draft, target).inspect_err(|_| {
        let _ = fs::rename(&aside, target);
    })
}

fn check_target(target: &Path, overwrite: bool) -> Result<(), Failure> {
    let Ok(metadata) = fs::symlink_metadata(target) else { return Ok(()) };
    let refuse = |problem: &str, remedy: &str| {
        Err(Failure::from(Error::file(target, problem.to_string(), remedy.to_string())))
    };
    if !metadata.is_dir() {
        return refuse("exists and is not a folder", "choose another --out");
    }
    let mut entries = fs::read_dir(target).map_err(Error::io("read", target))?;
    let is_run = MARKS.iter().any(|marks| marks.iter().all(|name| target.join(name).exists()));
    if entries.next().is_none() {
        Ok(())
    } else if !overwrite {
        refuse("exists already", "choose another --out, or replace it with --overwrite")
    } else if !is_run {
        refuse("is not a run folder, so it is not overwritten", "choose another --out")
    } else {
        Ok(())
    }
}

/// `target` as a path that ends in its own name, which `.` and `..` do not.
pub fn resolve(target: &Path) -> Result<PathBuf, Failure> {
    if target.exists() {
        return Ok(target.canonicalize().map_err(Error::io("read", target))?);
    }
    match target.file_name() {
        Some(_) => Ok(target.to_path_buf()),
        None => Err(Failure::usage(format!(
            "--out {} names no folder to create; end it in a name",
            target.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_abandoned_run_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunFolder::begin(&dir.path().join("run"), false).unwrap();
        run.draft().write("config.toml", "x").unwrap();
        drop(run);
        assert!(entries(dir.path()).is_empty());
    }

    #[test]
    fn only_runs_are_overwritten_and_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("run");
        for (round, overwrite) in [("1", false), ("2", true)] {
            let run = RunFolder::begin(&target, overwrite).unwrap();
            run.draft().write("config.toml", round).unwrap();
            run.draft().write("metrics.json", round).unwrap();
            assert_eq!(run.finish().unwrap(), target);
            assert_eq!(fs::read_to_string(target.join("config.toml")).unwrap(), round);
            assert_eq!(entries(dir.path()), ["run"]);
        }
        let message = RunFolder::begin(&target, false).err().unwrap().to_string();
        assert!(message.contains("--overwrite"), "{message}");
        let other = dir.path().join("photographs");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("dear.jpg"), "x").unwrap();
        assert!(RunFolder::begin(&other, true).is_err());
        assert_eq!(entries(&other), ["dear.jpg"]);
    }

    #[test]
    fn an_empty_folder_may_be_used() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("run");
        fs::create_dir(&target).unwrap();
        let run = RunFolder::begin(&target, false).unwrap();
        run.draft().write("config.toml", "x").unwrap();
        run.finish().unwrap();
        assert_eq!(entries(&target), ["config.toml"]);
    }
}

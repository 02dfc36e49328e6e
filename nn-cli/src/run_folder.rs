//! Folders of results that are whole or not there.
//!
//! An experiment is written into a hidden folder beside its final place and renamed at the end. What
//! fails on the way (a full disk, an error in training, Ctrl-C) leaves nothing behind, and a folder
//! that is there already is touched only when the new one is complete. (A single run's folder, in
//! which the run is saved while it is made, is `open_run`'s.)

use crate::drafts;
use crate::failure::Failure;
use crate::folder_lock::FolderLock;
use crate::made_folders::MadeFolders;
use crate::ui::{Console, format};
use nn_core::Error;
use nn_core::data::AlphaBackground;
use nn_core::files::{folder_of, sync_folder};
use nn_core::model::{self, Sequential};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The trained model's name within a run folder.
pub const MODEL_FILE: &str = "model.safetensors";
/// Under which a model file notes the colour that transparent images are laid on.
pub const ALPHA_BACKGROUND_NOTE: &str = "nn.alpha_background";

/// What a run scored, in its folder.
pub const METRICS_FILE: &str = "metrics.json";

/// The summary of an experiment, in its folder.
pub const EXPERIMENT_FILE: &str = "experiment.json";

/// Files by which a folder is known to be a run's or an experiment's, and may be overwritten.
const MARKS: [&[&str]; 2] = [&["config.toml", METRICS_FILE], &[EXPERIMENT_FILE, "runs"]];

/// The run folder that the model at `path`, a file or a folder, belongs to.
pub fn of_model(path: &Path) -> Option<PathBuf> {
    let folder = if path.is_dir() { path } else { folder_of(path) };
    let is_run = folder.join("config.toml").is_file() && folder.join(METRICS_FILE).is_file();
    is_run.then(|| folder.to_path_buf())
}

/// What the files in `folder` and below take on the disk, as far as they can be seen.
pub fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

/// `runs/a, 119 MB`: where results were written, and what they take.
pub fn written(folder: &Path) -> String {
    format!("{}, {}", folder.display(), format::bytes(size(folder)))
}

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
        Ok(drafts::write(&path, content.as_ref()).map_err(Error::io("write", &shown))?)
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
    pub fn save_model(
        &self,
        model: &Sequential,
        classes: &[String],
        alpha_background: AlphaBackground,
    ) -> Result<(), Failure> {
        let path = self.path.join(MODEL_FILE);
        let notes = [(ALPHA_BACKGROUND_NOTE.to_string(), alpha_background.to_string())].into();
        model::save_with(&path, model, Some(classes), &notes).map_err(|error| match error {
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
        let temporary = drafts::begin(parent, &draft_prefix(&target), &lock)?;
        let draft = Draft::new(temporary.path(), &target);
        Ok(Self { temporary, draft, overwrite, _made: made, _lock: lock })
    }

    /// The first of `runs/NAME`, `runs/NAME-2`, ... that is not taken; says so if it is not the first.
    pub fn default_target(name: &str, console: &Console) -> PathBuf {
        let base = Path::new("runs");
        // A name is one part of a path; that of the root folder is not.
        let name = Path::new(name).file_name().map_or("run".into(), OsStr::to_string_lossy);
        let numbered = |i| if i == 1 { name.to_string() } else { format!("{name}-{i}") };
        let is_free = |path: &PathBuf| !path.exists() || is_abandoned(path);
        let target = (1..).map(|i| base.join(numbered(i))).find(is_free).unwrap_or_default();
        let first = base.join(numbered(1));
        if target != first {
            let (first, target) = (first.display(), target.display());
            console.note(&format!("{first} was taken, so the results go to {target}"));
        }
        target
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
        drafts::sync_names(&draft);
        let moved = replace(&draft, &target);
        if moved.is_err() {
            let _ = fs::remove_dir_all(&draft);
        }
        moved.map_err(Error::io("create", &target))?;
        sync_folder(folder_of(&target));
        Ok(target)
    }
}

/// How the names of the drafts of `target` begin. Names have a longest length, hashes have one
/// length.
fn draft_prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default();
    let hash = Sha256::digest(name.as_encoded_bytes());
    let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!(".nn-run-{hash}-")
}

/// Whether a folder was made by a program that was killed before anything came of it: it is empty,
/// and nobody is writing it.
fn is_abandoned(folder: &Path) -> bool {
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    is_empty && FolderLock::take(folder).is_ok()
}

/// Moves `draft` to `target`, the old `target` out of the way and then away.
fn replace(draft: &Path, target: &Path) -> std::io::Result<()> {
    // A temporary folder is its owner's alone; results are as readable as any new folder.
    let probe = draft.join(".mode");
    fs::create_dir(&probe)?;
    let mode = fs::metadata(&probe)?.permissions();
    fs::remove_dir(&probe)?;
    fs::set_permissions(draft, mode)?;
    // An empty folder gives way, as it is what most drafts replace.
    if fs::rename(draft, target).is_ok() {
        return Ok(());
    }
    if exchange(draft, target).is_ok() {
        // What is left of it goes with the next run.
        let _ = fs::remove_dir_all(draft);
        return Ok(());
    }
    by_way_of_a_third(draft, target)
}

/// Moves `draft` to `target` where names cannot be exchanged.
fn by_way_of_a_third(draft: &Path, target: &Path) -> std::io::Result<()> {
    let old = tempfile::Builder::new().prefix(".nn-old-").tempdir_in(folder_of(target))?;
    let aside = old.path().join("run");
    fs::rename(target, &aside)?;
    fs::rename(draft, target).inspect_err(|_| {
        let _ = fs::rename(&aside, target);
    })
}

/// Exchanges the names of two folders, so that neither is without one at any moment.
#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
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

    #[cfg(unix)]
    #[test]
    fn what_a_killed_program_left_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("run");
        let killed = RunFolder::begin(&target, false).unwrap();
        // Another's draft stays.
        let other = RunFolder::begin(&dir.path().join("other"), false).unwrap();
        assert!(RunFolder::begin(&target, false).is_err());
        let RunFolder { temporary, _made: made, _lock: lock, .. } = killed;
        let left = temporary.keep();
        std::mem::forget(made);
        drop(lock);
        assert!(left.exists() && is_abandoned(&target));
        let run = RunFolder::begin(&target, false).unwrap();
        assert!(!left.exists() && !is_abandoned(&target));
        for folder in [run, other] {
            folder.draft().write("config.toml", "x").unwrap();
            folder.finish().unwrap();
        }
        assert_eq!(entries(dir.path()), ["other", "run"]);
    }

    #[test]
    fn a_folder_is_replaced_by_two_renames_too() {
        let dir = tempfile::tempdir().unwrap();
        let [new, old] = ["new", "old"].map(|name| {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("a"), name).unwrap();
            dir.path().join(name)
        });
        by_way_of_a_third(&new, &old).unwrap();
        assert_eq!(fs::read_to_string(old.join("a")).unwrap(), "new");
        assert_eq!(entries(dir.path()), ["old"]);
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

//! The checkpoints of a run in its folder: the newest, and the one before it.

use super::Checkpoint;
use super::checkpoint::draft;
use super::state::TrainerState;
use crate::error::{Error, Result};
use crate::files::{Spare, remove_drafts, sync_folder};
use crate::kernels::Kernels;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

/// The newest checkpoint's name.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// The name of the one before it.
pub const PREVIOUS_CHECKPOINT_FILE: &str = "checkpoint.previous.safetensors";

/// Where a run saves itself: `checkpoint.safetensors` in a folder, and
/// `checkpoint.previous.safetensors` beside it.
///
/// A checkpoint is written while training waits, at the speed of memory; a thread then waits for the
/// disk while training goes on, and gives the file its name. The one before the last two is written
/// over: until the run ends there is room for three.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    /// Whether the newest checkpoint there is this run's, and worth keeping when the next is saved.
    ours: bool,
    placing: Option<JoinHandle<Result<Option<Spare>>>>,
    /// The checkpoint before the last two.
    spare: Option<Spare>,
}

/// What there is to go on from.
#[derive(Debug)]
pub struct Latest {
    /// The newest checkpoint that is whole.
    pub checkpoint: Checkpoint,
    /// What is wrong with a newer one.
    pub damaged: Option<Error>,
}

impl Checkpoints {
    /// The checkpoints in `folder`, which must exist when the first is saved. Those of another run
    /// are replaced then, unless [`Checkpoints::latest`] was asked for what to go on from.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), ours: false, placing: None, spare: None }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(CHECKPOINT_FILE)
    }

    fn previous(&self) -> PathBuf {
        self.folder.join(PREVIOUS_CHECKPOINT_FILE)
    }

    /// Whether there is a checkpoint, whole or not.
    pub fn exist(&self) -> bool {
        self.path().exists() || self.previous().exists()
    }

    /// Saves a run as it stands. Returns when everything is written; [`Checkpoints::wait`]
    /// when it is sure to be on the disk. A run whose weights are no numbers any more is not saved:
    /// nobody could go on with it, and the last checkpoint may be better.
    ///
    /// # Errors
    /// If this checkpoint or the one before it cannot be written; the last that could is still there.
    pub(super) fn save<T: Kernels>(&mut self, trainer: &TrainerState<T>, note: &str) -> Result<()> {
        // One at a time: the disk is full soon enough.
        self.placed()?;
        if !trainer.model.parameters().iter().all(|p| p.value.is_finite()) {
            return Ok(());
        }
        let (path, previous) = (self.path(), self.previous());
        let draft = draft(trainer, &path, note, self.spare.take())?;
        let ours = std::mem::replace(&mut self.ours, true);
        let place = move || {
            if ours {
                return draft.commit_and_keep(&previous);
            }
            // What another run left must never pass for what this one did before.
            match fs::remove_file(&previous) {
                Err(problem) if problem.kind() != ErrorKind::NotFound => {
                    Err(Error::io("replace", &previous)(problem))
                }
                _ => draft.commit().map(|()| None),
            }
        };
        let thread = Builder::new().name("checkpoint".into()).spawn(place);
        self.placing = Some(thread.map_err(Error::io("write", &path))?);
        Ok(())
    }

    /// Waits until the last checkpoint is sure to be on the disk, under its name, and leaves no more
    /// than that and the one before it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn wait(&mut self) -> Result<()> {
        self.placed()?;
        self.spare = None;
        Ok(())
    }

    fn placed(&mut self) -> Result<()> {
        let Some(thread) = self.placing.take() else { return Ok(()) };
        let placed = thread.join().unwrap_or_else(|_| {
            let problem = "the thread that wrote it failed";
            Err(Error::io("write", &self.path())(std::io::Error::other(problem)))
        });
        self.spare = placed?;
        Ok(())
    }

    /// The newest checkpoint that is whole, if there is any. A damaged one is noticed by its
    /// checksum and replaced by the one before it; files that a killed program left half-written
    /// are removed. Nobody else may be saving here.
    ///
    /// # Errors
    /// If there are checkpoints and none of them is whole, or they cannot be read.
    pub fn latest(&mut self) -> Result<Option<Latest>> {
        let latest = self.find()?;
        self.ours = latest.is_some();
        Ok(latest)
    }

    fn find(&self) -> Result<Option<Latest>> {
        let (path, previous) = (self.path(), self.previous());
        remove_drafts(&path);
        let damaged = match open(&path) {
            Ok(Some(checkpoint)) => return Ok(Some(Latest { checkpoint, damaged: None })),
            Ok(None) => None,
            Err(damage @ Error::File { .. }) => Some(damage),
            Err(other) => return Err(other),
        };
        match (open(&previous), damaged) {
            (Ok(Some(_)), damaged) => {
                // The next one saved moves this one to the second place, not the damaged one.
                fs::rename(&previous, &path).map_err(Error::io("replace", &path))?;
                sync_folder(&self.folder);
                let checkpoint = Checkpoint::open(&path)?;
                Ok(Some(Latest { checkpoint, damaged }))
            }
            (Ok(None), None) => Ok(None),
            (Ok(None), Some(damage)) => Err(none_left(&path, &damage, "there is none before it")),
            (Err(second @ Error::File { .. }), first) => {
                let (first, also) = match first {
                    Some(first) => (first, "so is the one before it"),
                    None => (second, "it is the only one"),
                };
                Err(none_left(&path, &first, also))
            }
            (Err(other), _) => Err(other),
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        // A run that failed keeps what it saved last.
        let _ = self.wait();
    }
}

/// A checkpoint, unless there is no such file.
fn open(path: &Path) -> Result<Option<Checkpoint>> {
    match Checkpoint::open(path) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Nothing to go on from.
fn none_left(path: &Path, damage: &Error, also: &str) -> Error {
    let problem = match damage {
        Error::File { problem, .. } => problem.clone(),
        other => other.to_string(),
    };
    Error::file(
        path,
        format!("{problem}; {also}, so the run cannot go on"),
        "put an undamaged copy in its place, or begin the run again in another folder",
    )
}

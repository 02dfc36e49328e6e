//! The checkpoints of a run in its folder: the newest, and the previous one.

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

/// The file name of the newest checkpoint.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// The file name of the previous checkpoint.
pub const PREVIOUS_CHECKPOINT_FILE: &str = "checkpoint.previous.safetensors";

/// The folder that a run saves its checkpoints in: `checkpoint.safetensors`, and the previous one
/// as `checkpoint.previous.safetensors`.
///
/// Training waits while a checkpoint is written to the page cache. A thread then does the fsync and
/// the atomic rename while training continues. The file of the checkpoint before the last two is
/// reused, so the disk must have room for three until the run ends.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    /// Whether the newest checkpoint in the folder belongs to this run, and is kept as the previous
    /// one when the next is saved.
    newest_is_ours: bool,
    placing: Option<JoinHandle<Result<Option<Spare>>>>,
    /// The file of the checkpoint before the last two, for reuse.
    spare: Option<Spare>,
}

/// The checkpoint to resume from.
#[derive(Debug)]
pub struct Latest {
    /// The newest intact checkpoint.
    pub checkpoint: Checkpoint,
    /// What is wrong with a newer one, if it is damaged.
    pub damaged: Option<Error>,
}

impl Checkpoints {
    /// The checkpoints in `folder`, which must exist by the first save. The first save replaces
    /// checkpoints of another run, unless [`Checkpoints::latest`] was called to resume from them.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), newest_is_ours: false, placing: None, spare: None }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(CHECKPOINT_FILE)
    }

    fn previous(&self) -> PathBuf {
        self.folder.join(PREVIOUS_CHECKPOINT_FILE)
    }

    /// Whether there is a checkpoint, intact or not.
    pub fn exist(&self) -> bool {
        self.path().exists() || self.previous().exists()
    }

    /// Saves the current state of a run. Returns when everything is written; after
    /// [`Checkpoints::wait`] it is also synced to the disk. A run whose weights are no longer
    /// finite is not saved: it could not be continued, and the last checkpoint may be better.
    ///
    /// # Errors
    /// If this checkpoint or the one before it cannot be written; the last one that was written is kept.
    pub(super) fn save<T: Kernels>(&mut self, trainer: &TrainerState<T>, note: &str) -> Result<()> {
        // One at a time, to limit the room needed on the disk.
        self.placed()?;
        if !trainer.model.parameters().iter().all(|p| p.value.is_finite()) {
            return Ok(());
        }
        let (path, previous) = (self.path(), self.previous());
        let draft = draft(trainer, &path, note, self.spare.take())?;
        let newest_is_ours = self.newest_is_ours;
        let place = move || {
            if newest_is_ours {
                return draft.commit_and_keep(&previous);
            }
            // A checkpoint of another run must never be taken for this run's previous one.
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

    /// Waits until the last checkpoint is synced to the disk and has its final name. Then only it
    /// and the previous one are left.
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
        self.newest_is_ours = true;
        Ok(())
    }

    /// The newest intact checkpoint, if there is any. A damaged one is detected by its checksum and
    /// replaced by the previous one; partial files of a killed program are removed. No other
    /// process may be saving in this folder.
    ///
    /// # Errors
    /// If there are checkpoints and none is intact, or they cannot be read.
    pub fn latest(&mut self) -> Result<Option<Latest>> {
        let latest = self.find()?;
        self.newest_is_ours = latest.is_some();
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
                // The next save moves this one to the second place, not the damaged one.
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
        // If the run failed, its last checkpoint is still completed.
        let _ = self.wait();
    }
}

/// Opens a checkpoint; `None` if there is no such file.
fn open(path: &Path) -> Result<Option<Checkpoint>> {
    match Checkpoint::open(path) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// The error if no checkpoint is intact.
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

//! The folder of a run while the run is being made.
//!
//! The folder is locked. Checkpoints are saved in it during the training. Results are staged within it and
//! committed when all are complete, `metrics.json` last. So every file under a final name is complete,
//! `metrics.json` marks the results as complete, and after an interruption at any time [`OpenRun::resume`]
//! finds the state to resume from.

use crate::StudyError;
use crate::config::{CONFIG_FILE, RunConfig};
use crate::run_folder::{ELSEWHERE, METRICS_FILE, has_folds, resolve};
use crate::shell::quoted;
use nn_core::Error;
use nn_core::files::sync_folder;
use nn_core::train::{CHECKPOINT_FILE, Checkpoints, Latest, PREVIOUS_CHECKPOINT_FILE};
use nn_staging::{LockedFolder, Policy, Stage, StagedFolder, holds_only_stages};
use std::fs;
use std::path::{Path, PathBuf};

/// A run folder, locked for a run.
pub struct OpenRun {
    /// Dropped before the stage, which removes the folder if it is new and empty.
    settings: ProvisionalSettings,
    stage: Stage,
    checkpoints: Option<Checkpoints>,
    /// The command line that goes on with the cross-validation that this run is a part of.
    whole: Option<String>,
}

/// The settings of a run without a checkpoint, kept in case it is killed. If it fails before the first
/// checkpoint, they are removed again.
struct ProvisionalSettings {
    target: PathBuf,
    are_there: bool,
}

/// The content of a folder that a run will be written to.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A run with all results.
    Finished,
    /// A run with a checkpoint, or one that just began.
    Unfinished,
    Other,
}

impl OpenRun {
    /// Opens `target` for a new run.
    ///
    /// # Errors
    /// If the folder is not empty and not a run's, or must not be overwritten; if another program is
    /// writing to it, or it cannot be written to.
    pub fn begin(target: &Path, overwrite: bool) -> Result<Self, StudyError> {
        let refuse = |problem: &str, remedy: &str| {
            Err(StudyError::from(Error::file(target, problem.to_string(), remedy.to_string())))
        };
        if target.exists() && !target.is_dir() {
            return refuse("exists and is not a folder", ELSEWHERE);
        }
        let locked = Self::lock(target)?;
        match Found::look(target)? {
            Found::Nothing => {}
            Found::Finished if overwrite => {}
            Found::Other if overwrite => {
                return refuse("is not a run folder, so it is not overwritten", ELSEWHERE);
            }
            // What is there stays until the folds of the new one are drawn.
            Found::Unfinished if overwrite && has_folds(target) => {}
            Found::Unfinished if overwrite => {
                // Old files must not be resumed: a resumed run must be the one begun last.
                for name in [CHECKPOINT_FILE, PREVIOUS_CHECKPOINT_FILE, CONFIG_FILE] {
                    remove(&target.join(name))?;
                }
            }
            Found::Unfinished => {
                return refuse(
                    "exists already, with a run that did not come to its end",
                    "go on with it with --resume, choose another --out, or replace it with \
                     --overwrite",
                );
            }
            Found::Finished | Found::Other => {
                let remedy = "choose another --out, or replace it with --overwrite";
                return refuse("exists already", remedy);
            }
        }
        Self::open(locked)
    }

    /// Opens `target` to resume the run in it. Returns also what to resume from: a checkpoint, the settings
    /// of a run without checkpoint, or nothing.
    ///
    /// # Errors
    /// If the folder contains something else, or no checkpoint is intact; if another program is writing to
    /// it, or it cannot be written to.
    pub fn resume(target: &Path) -> Result<(Self, Start), StudyError> {
        let none = |problem: &str, remedy: &str| {
            StudyError::from(Error::file(target, problem.to_string(), remedy.to_string()))
        };
        if target.exists() && !target.is_dir() {
            return Err(none("is not a folder", "name the run folder with --out"));
        }
        let locked = Self::lock(target)?;
        let mut checkpoints = Checkpoints::new(target);
        let start = match checkpoints.latest()? {
            Some(latest) => Start::Checkpoint(Box::new(latest)),
            None => match Found::look(target)? {
                Found::Nothing => Start::Nothing,
                Found::Unfinished => Start::Settings(RunConfig::read(&target.join(CONFIG_FILE))?),
                Found::Finished => Start::Finished(RunConfig::read(&target.join(CONFIG_FILE))?),
                Found::Other => {
                    return Err(none(
                        "there is no run in this folder to go on with",
                        "name the run folder with --out",
                    ));
                }
            },
        };
        let mut run = Self::open(locked)?;
        run.checkpoints = Some(checkpoints);
        Ok((run, start))
    }

    /// Creates the folder if it is missing, and locks it.
    fn lock(target: &Path) -> Result<LockedFolder, StudyError> {
        resolve(target)?;
        let locked = LockedFolder::open(target, ELSEWHERE)?;
        for name in [CHECKPOINT_FILE, CONFIG_FILE].into_iter().filter(|_| locked.is_held()) {
            nn_core::files::remove_drafts(&target.join(name));
        }
        Ok(locked)
    }

    fn open(locked: LockedFolder) -> Result<Self, StudyError> {
        let target = locked.path().to_path_buf();
        let stage = Stage::within(locked, Policy::MoveEntries { last: METRICS_FILE }, ELSEWHERE)?;
        let settings = ProvisionalSettings { target, are_there: false };
        Ok(Self { settings, stage, checkpoints: None, whole: None })
    }

    /// Makes it a part of the cross-validation that `command` goes on with.
    pub fn part_of(mut self, command: &str) -> Self {
        self.whole = Some(command.to_string());
        self
    }

    /// Records the settings of a cross-validation that goes on. If they have changed, its results are no longer those
    /// of its settings, and `metrics.json` goes.
    ///
    /// # Errors
    /// If the settings cannot be written.
    pub fn renew(&mut self, config: &RunConfig) -> Result<(), StudyError> {
        let (settings, metrics) =
            (self.target().join(CONFIG_FILE), self.target().join(METRICS_FILE));
        if RunConfig::read(&settings).is_ok_and(|there| there == *config) {
            return Ok(());
        }
        remove(&metrics)?;
        self.note(config)
    }

    /// The folder of the run.
    pub fn target(&self) -> &Path {
        self.stage.target()
    }

    /// The checkpoints of the run; to be taken once, by the code that trains.
    pub fn take_checkpoints(&mut self) -> Checkpoints {
        self.checkpoints.take().unwrap_or_else(|| Checkpoints::new(self.stage.target()))
    }

    /// Records the settings of a run that is about to begin, so that it can be restarted if it is killed
    /// before the first checkpoint. If the folder contains a checkpoint or results already, nothing is
    /// written.
    ///
    /// # Errors
    /// If the settings cannot be written.
    pub fn note(&mut self, config: &RunConfig) -> Result<(), StudyError> {
        let target = self.stage.target();
        if Checkpoints::new(target).exist() || target.join(METRICS_FILE).exists() {
            return Ok(());
        }
        let text = config.to_toml()?;
        nn_core::files::write_atomically(&target.join(CONFIG_FILE), |file| {
            file.write_all(text.as_bytes())
        })?;
        self.settings.are_there = true;
        Ok(())
    }

    /// The staged folder for the results.
    pub fn folder(&self) -> &StagedFolder {
        self.stage.folder()
    }

    /// The command line that resumes this run, with these `options`.
    pub fn command(&self, options: &str) -> String {
        if let Some(command) = &self.whole {
            return command.clone();
        }
        let target = self.target().display().to_string();
        // A path that begins with `-` must not be parsed as an option.
        let target = if target.starts_with('-') { format!("./{target}") } else { target };
        format!("nn-cli train --resume --out {}{options}", quoted(&target))
    }

    /// A function that adds to a disk-full error how to resume the run, if a checkpoint was saved.
    pub fn with_resume_hint(&self) -> impl FnOnce(StudyError) -> StudyError + use<> {
        let (command, checkpoints) = (self.command(""), Checkpoints::new(self.target()));
        move |failure| match failure {
            StudyError::DiskFull(reason) if checkpoints.exist() => {
                StudyError::DiskFull(format!("{reason}; once there is room, go on with: {command}"))
            }
            other => other,
        }
    }

    /// Commits the results, keeps `keep` checkpoints and returns the path of the folder.
    ///
    /// # Errors
    /// If something is in the way; the run can be resumed then.
    pub fn finish(mut self, keep: u8) -> Result<PathBuf, StudyError> {
        let locked = self.stage.commit()?;
        self.settings.are_there = false;
        let target = locked.path();
        keep_checkpoints(target, keep)?;
        sync_folder(target);
        Ok(target.to_path_buf())
    }
}

impl Drop for ProvisionalSettings {
    fn drop(&mut self) {
        let has_begun = || Checkpoints::new(&self.target).exist() || has_folds(&self.target);
        if self.are_there && !has_begun() {
            let _ = fs::remove_file(self.target.join(CONFIG_FILE));
        }
    }
}

/// The state to resume a run from.
pub enum Start {
    /// A checkpoint.
    Checkpoint(Box<Latest>),
    /// No checkpoint: the run was killed before it was saved, and restarts from the beginning with these
    /// settings.
    Settings(RunConfig),
    /// The run is finished with these settings, and kept no checkpoint.
    Finished(RunConfig),
    /// No run in the folder.
    Nothing,
}

impl Found {
    fn look(folder: &Path) -> Result<Self, StudyError> {
        let there = |name: &str| folder.join(name).exists();
        let is_settings = || RunConfig::read(&folder.join(CONFIG_FILE)).is_ok();
        if there(CONFIG_FILE) && there(METRICS_FILE) {
            return Ok(Self::Finished);
        }
        if Checkpoints::new(folder).exist() || is_settings() {
            return Ok(Self::Unfinished);
        }
        Ok(if holds_only_stages(folder)? { Self::Nothing } else { Self::Other })
    }
}

/// The error for training the finished run in `target`, which has no checkpoint, as `config` says: how to get there.
pub fn no_checkpoint(target: &Path, config: &RunConfig) -> StudyError {
    let epochs = match config.fine_tuning() {
        Some(part) => format!("--fine-tune {}", part.epochs),
        None => format!("--epochs {}", config.fit.epochs),
    };
    let settings = quoted(&target.join(CONFIG_FILE).display().to_string());
    let problem = "the run is finished and its checkpoint is gone, and with it what the optimiser knew of \
                   each weight, so that training cannot go on from here";
    let remedy = format!(
        "a new run repeats these epochs and makes more, to the same result: nn-cli train --config \
         {settings} {epochs} --out DIR"
    );
    StudyError::invalid(Error::file(target, problem, remedy))
}

/// Removes all but `keep` checkpoints of the finished run in `target`. This is done after all results are committed, the
/// newest last, so that the run is complete or can be resumed at any moment.
///
/// # Errors
/// If one cannot be removed.
pub(crate) fn keep_checkpoints(target: &Path, keep: u8) -> Result<(), Error> {
    let checkpoints = [PREVIOUS_CHECKPOINT_FILE, CHECKPOINT_FILE];
    for name in &checkpoints[..checkpoints.len().saturating_sub(keep.into())] {
        remove(&target.join(name))?;
    }
    Ok(())
}

/// Removes a file if it is there.
///
/// # Errors
/// If it cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("replace", path)(problem))
        }
        _ => Ok(()),
    }
}

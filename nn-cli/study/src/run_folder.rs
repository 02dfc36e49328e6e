//! The folders of runs and experiments: their files, and which folders may be replaced.

use crate::StudyError;
use crate::config::RunConfig;
use crate::format;
use nn_core::Error;
use nn_core::data::Resize;
use nn_core::files::folder_of;
use nn_core::model::{self, Sequential};
use nn_staging::{Policy, Stage, StagedFolder};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The trained model's name within a run folder.
pub const MODEL_FILE: &str = "model.safetensors";
/// The metadata key in a model file for the colour that transparent images are composited onto.
pub const ALPHA_BACKGROUND_NOTE: &str = "nn.alpha_background";
/// The metadata key in a model file for how images of another shape are resized.
pub const RESIZE_NOTE: &str = "nn.resize";

/// The file in a run's folder with its results.
pub const METRICS_FILE: &str = "metrics.json";

/// The summary of an experiment, in its folder.
pub const EXPERIMENT_FILE: &str = "experiment.json";

/// Files that identify the folder of a run or an experiment, which may be overwritten.
const MARKS: [&[&str]; 2] = [&["config.toml", METRICS_FILE], &[EXPERIMENT_FILE, "runs"]];

/// The advice for a folder that cannot be written to.
pub const ELSEWHERE: &str = "choose another --out";

/// The run folder that the model at `path`, a file or a folder, belongs to.
pub fn of_model(path: &Path) -> Option<PathBuf> {
    let folder = if path.is_dir() { path } else { folder_of(path) };
    let is_run = folder.join("config.toml").is_file() && folder.join(METRICS_FILE).is_file();
    is_run.then(|| folder.to_path_buf())
}

/// The folder of a fold, counted from 0, within that of its cross-validation.
pub fn of_fold(whole: &Path, fold: usize) -> PathBuf {
    whole.join(fold_name(fold))
}

/// The name of a fold's folder.
pub fn fold_name(fold: usize) -> String {
    format!("fold-{}", fold + 1)
}

/// Whether a fold of a cross-validation has begun in `folder`.
pub fn has_folds(folder: &Path) -> bool {
    // The first two may begin in any order.
    of_fold(folder, 0).is_dir() || of_fold(folder, 1).is_dir()
}

/// The size on disk of all files in and below `folder`, in bytes; unreadable ones are not counted.
pub fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

/// `runs/a, 119 MB`: the folder of the results, and its size.
pub fn written(folder: &Path) -> String {
    format!("{}, {}", folder.display(), format::bytes(size(folder)))
}

/// Writes the trained model, with how images are read for it.
///
/// # Errors
/// If it cannot be written.
pub fn save_model(
    folder: &StagedFolder,
    model: &Sequential,
    classes: &[String],
    config: &RunConfig,
) -> Result<(), StudyError> {
    let path = folder.path().join(MODEL_FILE);
    let mut notes: BTreeMap<_, _> =
        [(ALPHA_BACKGROUND_NOTE.to_string(), config.alpha_background.to_string())].into();
    if config.resize != Resize::default() {
        notes.insert(RESIZE_NOTE.to_string(), config.resize.to_string());
    }
    model::save_with(&path, model, Some(classes), &notes).map_err(|error| match error {
        Error::Io { action, source, .. } => {
            // Errors show the final path, not that of the stage.
            Error::Io { action, path: folder.shown().join(MODEL_FILE), source }.into()
        }
        other => other.into(),
    })
}

/// Opens a stage for a whole folder of results: an experiment, or a repaired split.
///
/// # Errors
/// If a folder exists there that must not be replaced, another program is writing to it, or nothing can be
/// written beside it.
pub fn stage(target: &Path, overwrite: bool) -> Result<Stage, StudyError> {
    let may_replace = if overwrite { only_results } else { nothing };
    Ok(Stage::open(&resolve(target)?, Policy::ReplaceFolder { may_replace }, ELSEWHERE)?)
}

fn nothing(target: &Path) -> Result<(), Error> {
    let remedy = "choose another --out, or replace it with --overwrite";
    Err(Error::file(target, "exists already", remedy))
}

fn only_results(target: &Path) -> Result<(), Error> {
    let is_there = |name: &&str| target.join(name).exists();
    if MARKS.iter().any(|marks| marks.iter().all(is_there)) {
        return Ok(());
    }
    Err(Error::file(target, "is not a run folder, so it is not overwritten", ELSEWHERE))
}

/// `target` as a path that ends with the folder's name, not with `.` or `..`.
///
/// # Errors
/// If the folder does not exist and its path ends in no name.
pub fn resolve(target: &Path) -> Result<PathBuf, StudyError> {
    match target.file_name() {
        Some(_) => Ok(target.to_path_buf()),
        None if target.exists() => Ok(target.canonicalize().map_err(Error::io("read", target))?),
        None => Err(StudyError::invalid(format!(
            "--out {} names no folder to create; end it in a name",
            target.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runs_are_overwritten_and_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("run");
        for (round, overwrite) in [("1", false), ("2", true)] {
            let run = stage(&target, overwrite).unwrap();
            run.folder().write("config.toml", round).unwrap();
            run.folder().write("metrics.json", round).unwrap();
            assert_eq!(run.commit().unwrap().path(), target);
            assert_eq!(fs::read_to_string(target.join("config.toml")).unwrap(), round);
        }
        let message = stage(&target, false).err().unwrap().to_string();
        assert!(message.contains("--overwrite"), "{message}");
        let other = dir.path().join("photographs");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("dear.jpg"), "x").unwrap();
        assert!(stage(&other, true).is_err());
        assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
    }
}

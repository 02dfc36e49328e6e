//! Makes a cross-validation: the run of each fold, several at once, and the files with what they answered together.

use crate::config::{CONFIG_FILE, RunConfig};
use crate::folds::{Assignment, CrossValidation, FOLDS_FILE, Fold, Names};
use crate::kept_runs::is_run;
use crate::observer::OneOfSeveral;
use crate::open_run::{OpenRun, Start, keep_checkpoints, no_checkpoint, remove};
use crate::report::{self, FoldsPage, REPORT_FILE};
use crate::run::{Outputs, make_run};
use crate::run_folder::{METRICS_FILE, fold_name, has_folds, of_fold, size};
use crate::training::{Note, Task};
use crate::workers::{fitting, run_all};
use crate::{Observer, StudyError, format, results};
use nn_core::Error;
use nn_core::files::write_atomically;
use nn_core::train::Checkpoint;
use nn_figures::plots;
use nn_staging::StagedFolder;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Makes a run for each fold of `task` in `folder`, several at once, and writes what they answered together. Images
/// that have the same name in one of `names` stay together. If the cross-validation goes on (`resumes`), its folds are
/// those in the folder, and finished ones are only tested again. Returns also the path of the folder.
///
/// # Errors
/// Those of [`Assignment::draw`] and [`make_run`](crate::make_run); if the settings name no folds, or a file cannot be
/// written.
pub fn cross_validate<'a>(
    task: Task<'a>,
    names: &[Names],
    (mut folder, resumes): (OpenRun, bool),
    outputs: Outputs,
    observer: &dyn Observer,
) -> Result<(CrossValidation<'a>, PathBuf), StudyError> {
    let Task { config, set, backbone } = task;
    let Some(settings) = &config.folds else {
        return Err(StudyError::invalid("these settings name no folds; pass --folds 5, say"));
    };
    let target = folder.target().to_path_buf();
    let tables = Tables { folder: &target };
    let path = target.join(FOLDS_FILE);
    let assignment = match resumes && path.exists() {
        true => Assignment::read(&path, set, settings.count)?,
        false => Assignment::draw(set, config, settings, names, observer)?,
    };
    if resumes {
        folder.renew(config)?;
    } else {
        // From here on, the results in the folder are no longer those of its settings.
        forget(&target)?;
        folder.note(config)?;
    }
    tables.write(&assignment, task)?;
    let jobs = fitting(settings.count, config, backbone, set.folder.classes.len())?;
    observer.note(&format!("{} runs, {jobs} at a time: {}", settings.count, assignment.describe()));
    let command = folder.command(&outputs.options());
    let made = run_all(settings.count, jobs, |fold, stop| {
        let (whole, command) = (&target, &command);
        let making = Making { task, whole, fold, resumes, outputs, command };
        making.make(stop, observer)
    });
    let made = made.map_err(|failure| match failure {
        StudyError::Interrupted if has_folds(&target) => {
            StudyError::Stopped(format!("between the folds; to go on: {command}"))
        }
        other => other,
    })?;
    let all = CrossValidation::new(task, assignment, made)?;
    write(&all, folder.folder())?;
    let target = folder.finish(outputs.checkpoints)?;
    if outputs.checkpoints == 0 {
        remove_checkpoints(&target, settings.count)?;
    }
    Ok((all, target))
}

/// Removes the checkpoints of all folds of the finished cross-validation in `target`: they are needed until the last one
/// is finished.
///
/// # Errors
/// If one cannot be removed.
pub fn remove_checkpoints(target: &Path, folds: usize) -> Result<(), StudyError> {
    for fold in 0..folds {
        keep_checkpoints(&of_fold(target, fold), 0)?;
    }
    Ok(())
}

/// The tables of a cross-validation in its folder. They are removed again if no fold begins.
struct Tables<'a> {
    folder: &'a Path,
}

impl Tables<'_> {
    /// Writes the fold of each image, and the split of each fold.
    fn write(&self, assignment: &Assignment, task: Task<'_>) -> Result<(), StudyError> {
        let (classes, config) = (&task.set.folder.classes, task.config);
        let save =
            |path: &Path, table: Vec<u8>| write_atomically(path, |file| file.write_all(&table));
        for fold in 0..assignment.folds {
            let split =
                assignment.split(fold, task.set, config.validation_split, config.fit.seed)?;
            save(&table_of(self.folder, fold), split)?;
        }
        // Last, so that whoever finds it finds the others.
        save(&self.folder.join(FOLDS_FILE), assignment.table(classes)?)?;
        Ok(())
    }
}

impl Drop for Tables<'_> {
    fn drop(&mut self) {
        if has_folds(self.folder) || self.folder.join(METRICS_FILE).exists() {
            return;
        }
        let _ = fs::remove_file(self.folder.join(FOLDS_FILE));
        (0..).map(|fold| table_of(self.folder, fold)).find(|table| fs::remove_file(table).is_err());
    }
}

/// The error for a folder with one kind of results, runs or cross-validations, where the other is asked for.
pub fn other_kind(target: &Path, folds: bool) -> StudyError {
    let (there, asked) = match folds {
        true => ("a cross-validation", "a single run"),
        false => ("a single run", "a cross-validation"),
    };
    Error::file(
        target,
        format!("holds {there}, and {asked} is to be written"),
        format!("choose another --out, or remove the folder ({})", format::bytes(size(target))),
    )
    .into()
}

/// The table with the split of a fold.
fn table_of(whole: &Path, fold: usize) -> PathBuf {
    whole.join(fold_name(fold) + ".csv")
}

/// Removes the results of an older cross-validation in the folder `whole`: what is there is no longer that of its
/// settings, and must not be gone on with.
///
/// # Errors
/// If something cannot be removed.
fn forget(whole: &Path) -> Result<(), Error> {
    remove(&whole.join(METRICS_FILE))?;
    remove(&whole.join(FOLDS_FILE))?;
    let entries = fs::read_dir(whole).map_err(Error::io("read", whole))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let number = |name: String| {
        let number = name.strip_prefix("fold-")?.trim_end_matches(".csv").parse::<usize>().ok()?;
        number.checked_sub(1)
    };
    let mut folds: Vec<usize> = names.filter_map(number).collect();
    folds.sort_unstable_by(|a, b| b.cmp(a));
    folds.dedup();
    // The last first, and the table behind its folder, so that what a killed program left is found again.
    for fold in folds {
        let (folder, table) = (of_fold(whole, fold), table_of(whole, fold));
        if folder.is_dir() && (is_run(&folder) || table.exists()) {
            fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        }
        remove(&table)?;
    }
    Ok(())
}

/// What a fold is made of.
struct Making<'a> {
    task: Task<'a>,
    /// The folder of the cross-validation.
    whole: &'a Path,
    /// The fold, counted from 0.
    fold: usize,
    /// Whether it may have begun.
    resumes: bool,
    outputs: Outputs,
    /// The command line that goes on with the cross-validation.
    command: &'a str,
}

impl Making<'_> {
    /// Makes the run of the fold, or goes on with it. One checkpoint stays, for the cross-validation to go on.
    ///
    /// # Errors
    /// Those of [`make_run`]; if the run that is there has other settings.
    fn make(&self, stop: &AtomicBool, observer: &dyn Observer) -> Result<Fold, StudyError> {
        let label = format!("fold {}", self.fold + 1);
        let observer = &OneOfSeveral { observer, run: &label, stop };
        let mut config = self.task.config.clone();
        (config.folds, config.split) = (None, Some(table_of(self.whole, self.fold)));
        let (folder, from) = self.open(&mut config, observer)?;
        let task = Task { config: &config, ..self.task };
        let checkpoints = self.outputs.checkpoints.max(1);
        let outputs = Outputs { checkpoints, ..self.outputs };
        let made = make_run(task, folder.part_of(self.command), from, outputs, observer);
        let (run, _) = made.map_err(|failure| failure.of(&label))?;
        Ok(Fold::of(run))
    }

    /// Opens the folder of the fold, and the checkpoint to go on from.
    fn open(
        &self,
        config: &mut RunConfig,
        observer: &dyn Observer,
    ) -> Result<(OpenRun, Option<Checkpoint>), StudyError> {
        let target = of_fold(self.whole, self.fold);
        if !self.resumes {
            return Ok((OpenRun::begin(&target, true)?, None));
        }
        let (folder, start) = OpenRun::resume(&target)?;
        let checkpoint = match start {
            Start::Nothing | Start::Settings(_) => {
                config.note_kernel();
                return Ok((folder, None));
            }
            Start::Finished(_) => return Err(no_checkpoint(self.whole, self.task.config)),
            Start::Checkpoint(latest) => {
                if let Some(damage) = &latest.damaged {
                    observer.warn(&format!("{damage}; going on from the checkpoint before it"));
                }
                latest.checkpoint
            }
        };
        let note = Note::read(&checkpoint)?;
        let made = note.history(&checkpoint).len();
        if made > config.epochs() {
            return Err(StudyError::invalid(format!(
                "{} {}: the run in {} has made {made} epochs already; ask for as many or more",
                config.epochs_option(),
                config.epochs(),
                target.display()
            )));
        }
        let began = note.config;
        began.check_resumed(config, &target)?;
        config.kernel = began.kernel;
        *config = config.clone().going_on();
        Ok((folder, Some(checkpoint)))
    }
}

/// Writes settings, metrics, tables, pictures and the page into `folder`.
///
/// # Errors
/// If a file cannot be written.
fn write(all: &CrossValidation<'_>, folder: &StagedFolder) -> Result<(), StudyError> {
    folder.write(CONFIG_FILE, all.config.to_toml()?)?;
    let metrics = serde_json::to_string_pretty(&all.metrics()).map_err(StudyError::failed)?;
    folder.write(METRICS_FILE, metrics + "\n")?;
    let images = all.images.iter().map(|image| [image.file.clone(), (image.fold + 1).to_string()]);
    let classes = &all.set.folder.classes;
    let predictions = results::answers(["file", "fold"], images, classes, &all.all)?;
    folder.write("predictions.csv", predictions)?;
    results::draw(folder, "curves", plots::curves(&all.curves()))?;
    results::draw(folder, "confusion", plots::confusion(&all.confusion()))?;
    for (name, spec) in all.score_curves()? {
        results::draw(folder, name, plots::square(&spec))?;
    }
    let page = FoldsPage::new(all)?;
    Ok(folder.write(REPORT_FILE, report::render(&page)?)?)
}

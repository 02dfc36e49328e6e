//! `nn-cli train --folds`: cross-validation.

use crate::args::TrainArgs;
use crate::backbone;
use crate::config;
use crate::failure::Failure;
use crate::grouping;
use crate::ui::{Console, scores, table};
use nn_core::data::{ImageFolder, Part};
use nn_study::config::{CONFIG_FILE, RunConfig};
use nn_study::folds::{CrossValidation, FOLDS_FILE};
use nn_study::open_run::OpenRun;
use nn_study::run_folder::{self, METRICS_FILE, of_fold};
use nn_study::training::Task;
use nn_study::{
    ImageSet, Outputs, StudyError, cross_validate, format, other_kind, remove_checkpoints,
};
use std::path::{Path, PathBuf};

/// Refuses a folder that holds a run where a cross-validation (`folds`) is to be written, or the other way round.
///
/// # Errors
/// If it does.
pub fn check_kind(target: &Path, folds: bool) -> Result<(), StudyError> {
    match RunConfig::read(&target.join(CONFIG_FILE)) {
        Ok(there) if there.folds.is_some() != folds => {
            Err(other_kind(target, there.folds.is_some()))
        }
        _ => Ok(()),
    }
}

/// Says that images of a validation folder are divided as well.
pub fn tell_validation(folder: &ImageFolder, console: &Console) {
    if folder.has(Part::Validation) {
        console.note(
            "note: images for validation are divided into folds together with those for training; of the folds a \
             network is trained on, a share validates it (--validation-split)",
        );
    }
}

/// Goes on with the cross-validation in `target` that began with the settings `began`.
pub fn resume(
    began: &RunConfig,
    args: &TrainArgs,
    (folder, target): (OpenRun, &Path),
    console: &Console,
) -> Result<(), Failure> {
    let config = config::resumed(began, args, target)?;
    let (before, asked) = (began.epochs(), config.epochs());
    if asked < before {
        return Err(Failure::usage(format!(
            "{}: the runs in {} are of {before} epochs; ask for more, or begin a new cross-validation in another \
             folder",
            config.epochs_option(),
            target.display()
        )));
    }
    if target.join(METRICS_FILE).exists() && config == *began {
        if let (0, Some(folds)) = (args.keep_checkpoints, &config.folds) {
            // A program that was killed at the very end may have left some.
            remove_checkpoints(target, folds.count)?;
        }
        console.note(&format!(
            "{}: the cross-validation is finished; to train its networks further, ask for more with {}",
            target.display(),
            config.epochs_option()
        ));
        return super::show_metrics(target, console);
    }
    let config = config.going_on();
    let set = super::find(&config, args, console)?;
    make(&config, &set, (folder, true), super::outputs(args), console)
}

/// Makes the cross-validation, or goes on with it, and shows what came out.
pub fn make(
    config: &RunConfig,
    set: &ImageSet,
    (folder, resumes): (OpenRun, bool),
    outputs: Outputs,
    console: &Console,
) -> Result<(), Failure> {
    // The folds that are there stay as they are.
    let names = match resumes && folder.target().join(FOLDS_FILE).exists() {
        true => Vec::new(),
        false => grouping::names(config, set, console)?,
    };
    let backbone = backbone::open(config, console)?;
    let task = Task { config, set, backbone: backbone.as_ref() };
    let (all, target) = cross_validate(task, &names, (folder, resumes), outputs, console)?;
    show(&all, console)?;
    all.warnings.iter().for_each(|warning| warning.tell(console));
    let runs: Vec<PathBuf> = (0..all.folds.len()).map(|fold| of_fold(&target, fold)).collect();
    console.note(&format!(
        "\nwritten to {}{}; the network of each fold is in a folder of its own (fold-1 and so on)",
        run_folder::written(&target),
        super::to_go_on(&runs)
    ));
    console.json(&all.metrics())?;
    Ok(())
}

fn show(all: &CrossValidation<'_>, console: &Console) -> Result<(), Failure> {
    let title = format!(
        "{}, {} folds, each image answered by the network that has not seen it",
        all.set.describe(),
        all.folds.len()
    );
    let headline = scores::headline(&all.scores, &all.guessing());
    let accuracy = all.accuracy();
    let shown = table::Evaluation {
        title: &title,
        headline: &headline,
        loss: all.all.loss,
        accuracy: &accuracy,
        classes: &all.set.folder.classes,
        confusion: &all.all.confusion,
    };
    let answers = table::evaluation(&shown, console.columns());
    let scores = scores::scores(&all.scores, console.columns());
    Ok(console.text(&format!("\n{answers}\n{}\n{scores}", folds(all)))?)
}

/// A line for each fold.
fn folds(all: &CrossValidation<'_>) -> String {
    let header = ["fold", "training", "validation", "test", "right", "loss", "epoch kept"];
    let rows = all.folds.iter().enumerate().map(|(at, fold)| {
        let [train, validation, test] = fold.images;
        vec![
            (at + 1).to_string(),
            train.to_string(),
            validation.to_string(),
            test.to_string(),
            format::percent(fold.evaluation.accuracy()),
            format::loss(fold.evaluation.loss),
            fold.epoch_kept().unwrap_or_else(|| "–".into()),
        ]
    });
    let table = table::columns(&header.map(String::from), rows);
    table.lines().map(|line| format!("  {line}\n")).collect()
}

//! The files that a training run writes to its folder.

use crate::Environment;
use crate::Evaluation;
use crate::ImageSet;
use crate::Kind;
use crate::StudyError;
use crate::config::{CONFIG_FILE, RunConfig};
use crate::inspection::Inspection;
use crate::report::{self, REPORT_FILE, RunPage};
use crate::run_folder::{METRICS_FILE, save_model};
use crate::scores::Scores;
use crate::training::contents::{self, CHECKSUMS_FILE};
use crate::training::{Kept, Run, Warning};
use nn_core::data::split_file::{self, SPLIT_FILE};
use nn_core::data::{Dataset, PartFolder, PassedOver, Treated};
use nn_core::train::{EpochRecord, History};
use nn_figures::plots;
use nn_staging::StagedFolder;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The version of the `metrics.json` schema.
const SCHEMA: u32 = 1;

/// Pixels per SVG unit of the PNG files: sharp on a projector.
const PNG_SCALE: f32 = 2.0;

/// The content of `metrics.json`.
#[derive(Serialize)]
pub struct Metrics<'a> {
    schema: u32,
    dataset: DatasetMetrics<'a>,
    parameters: usize,
    config: &'a RunConfig,
    history: &'a [EpochRecord],
    /// The epoch whose weights were kept.
    kept: Option<&'a Kept>,
    test: TestMetrics<'a>,
    /// Warnings that the network learned nothing, or was better in an earlier epoch.
    warnings: &'a [Warning],
    /// Entries of the folder that were ignored.
    passed_over: Vec<PassedOver>,
    environment: Environment,
}

#[derive(Serialize)]
struct DatasetMetrics<'a> {
    name: &'a str,
    kind: Kind,
    path: String,
    classes: &'a [String],
    train: usize,
    validation: usize,
    test: usize,
    /// The folders of the user's split, if there is one.
    folders: &'a [PartFolder],
    skipped: Vec<String>,
    treated: Treated,
}

#[derive(Serialize)]
struct TestMetrics<'a> {
    /// The split that was tested on: `test`, or `validation` if there are no test images.
    split: &'static str,
    loss: f64,
    accuracy: f64,
    n: usize,
    correct: usize,
    confusion: &'a [Vec<u64>],
    #[serde(flatten)]
    scores: &'a Scores,
}

impl Run<'_> {
    /// The content of `metrics.json`.
    pub fn metrics(&self) -> Metrics<'_> {
        let skipped = self.data.named().into_iter().flat_map(|(_, data)| data.skipped());
        Metrics {
            schema: SCHEMA,
            dataset: DatasetMetrics {
                name: &self.set.name,
                kind: self.set.kind,
                path: self.set.path.display().to_string(),
                classes: &self.set.folder.classes,
                train: self.data.train.len(),
                validation: self.data.validation.len(),
                test: self.data.kept_for_test(),
                folders: self.set.folder.parts(),
                skipped: skipped.map(|skipped| self.set.relative(&skipped.path)).collect(),
                treated: self.data.treated(),
            },
            parameters: self.model.parameter_count(),
            config: self.config,
            history: &self.history,
            kept: self.kept.as_ref(),
            test: TestMetrics {
                split: self.data.tested_on,
                loss: self.test.loss,
                accuracy: self.test.accuracy(),
                n: self.test.images(),
                correct: self.test.correct,
                confusion: &self.test.confusion,
                scores: &self.scores,
            },
            warnings: &self.warnings,
            passed_over: self.set.folder.passed_over_in_training(),
            environment: Environment::here(),
        }
    }

    /// The content of `split.csv`: which image is in which split.
    fn split(&self) -> nn_core::Result<Vec<u8>> {
        let classes = &self.set.folder.classes;
        split_file::table(self.data.named().into_iter().flat_map(|(name, data)| {
            let samples = data.samples().iter();
            samples.map(move |s| (self.set.relative(&s.path), classes[s.label].clone(), name))
        }))
    }

    /// The content of `images.sha256`: the checksum of each image.
    fn checksums(&self) -> String {
        contents::lines(self.data.named().into_iter().flat_map(|(name, data)| {
            let samples = data.samples().iter().zip(self.contents.named(name));
            samples.map(|(sample, sum)| (self.set.relative(&sample.path), *sum))
        }))
    }
}

/// A table of the images with labels, predictions and probabilities.
///
/// # Errors
/// If the table cannot be written.
pub fn predictions(
    set: &ImageSet,
    images: &Dataset,
    evaluation: &Evaluation,
) -> Result<Vec<u8>, StudyError> {
    let files = images.samples().iter().map(|sample| [set.relative(&sample.path)]);
    answers(["file"], files, &set.folder.classes, evaluation)
}

/// A table of images, each told in the columns `told`, with labels, predictions and probabilities.
///
/// # Errors
/// If the table cannot be written.
pub fn answers<const N: usize>(
    told: [&str; N],
    images: impl Iterator<Item = [String; N]>,
    classes: &[String],
    evaluation: &Evaluation,
) -> Result<Vec<u8>, StudyError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| StudyError::failed(error);
    let header = told.into_iter().chain(["label", "predicted"]);
    table.write_record(header.chain(classes.iter().map(String::as_str))).map_err(failed)?;
    for (i, image) in images.enumerate() {
        let mut row = Vec::from(image);
        row.push(classes[evaluation.labels[i]].clone());
        row.push(classes[evaluation.predicted[i]].clone());
        row.extend(evaluation.probabilities[i].iter().map(|p| format!("{p:.6}")));
        table.write_record(row).map_err(failed)?;
    }
    table.into_inner().map_err(StudyError::failed)
}

/// A table of the epochs.
///
/// # Errors
/// If the table cannot be written.
pub fn history(epochs: &[EpochRecord]) -> Result<Vec<u8>, StudyError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| StudyError::failed(error);
    let header = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"];
    table.write_record(header).map_err(failed)?;
    for epoch in epochs {
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let EpochRecord { loss, accuracy, val_loss, val_accuracy, seconds, .. } = *epoch;
        let values = [Some(loss), accuracy, val_loss, val_accuracy, Some(seconds)].map(number);
        let row = std::iter::once(epoch.epoch.to_string()).chain(values);
        table.write_record(row).map_err(failed)?;
    }
    table.into_inner().map_err(StudyError::failed)
}

/// Writes settings, model, metrics, tables, pictures and the page of `run`, whose test images were
/// inspected as `test`, into `folder`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &StagedFolder, run: &Run<'_>, test: &Inspection) -> Result<(), StudyError> {
    save_model(folder, &run.model, &run.set.folder.classes, run.config)?;
    folder.write(CONFIG_FILE, run.config.to_toml()?)?;
    let metrics = serde_json::to_string_pretty(&run.metrics()).map_err(StudyError::failed)?;
    folder.write(METRICS_FILE, metrics + "\n")?;
    folder.write("history.csv", history(&run.history)?)?;
    folder.write("predictions.csv", predictions(run.set, &run.data.test, &run.test)?)?;
    folder.write(SPLIT_FILE, run.split()?)?;
    folder.write(CHECKSUMS_FILE, run.checksums())?;
    draw(folder, "curves", plots::curves(&run.curves()))?;
    draw(folder, "confusion", plots::confusion(&run.confusion()))?;
    for (name, spec) in run.score_curves()? {
        draw(folder, name, plots::square(&spec))?;
    }
    let page = RunPage::new(run, test)?;
    Ok(folder.write(REPORT_FILE, report::render(&page)?)?)
}

/// The part of `metrics.json` that identifies a run.
#[derive(Deserialize)]
struct Written {
    config: RunConfig,
    history: History,
}

impl Written {
    fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }
}

/// Whether the `metrics.json` at `path` is that of a run with these settings and this history.
pub fn is_written(path: &Path, config: &RunConfig, history: &History) -> bool {
    Written::read(path).is_some_and(|run| run.config == *config && run.history == *history)
}

/// The history in the `metrics.json` at `path`, if it is one.
pub fn read_history(path: &Path) -> Option<History> {
    Written::read(path).map(|run| run.history)
}

/// Whether the `metrics.json` at `path` is that of a run with these settings that is finished.
pub fn is_finished(path: &Path, config: &RunConfig) -> bool {
    let all = |run: Written| run.config == *config && config.is_done(&run.history);
    Written::read(path).is_some_and(all)
}

/// Writes a picture as `NAME.svg` and `NAME.png`.
pub fn draw(folder: &StagedFolder, name: &str, svg: String) -> Result<(), StudyError> {
    folder.write(&format!("{name}.png"), nn_figures::to_png(&svg, PNG_SCALE)?)?;
    Ok(folder.write(&format!("{name}.svg"), svg)?)
}

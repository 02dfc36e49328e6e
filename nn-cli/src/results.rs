//! What a training run leaves in its folder, besides the model.

use crate::commands::Splits;
use crate::config::RunConfig;
use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::plots::{self, ConfusionSpec, CurvesSpec, Series};
use crate::published::Kind;
use crate::run_folder::RunFolder;
use nn_core::kernels::isa;
use nn_core::train::{EpochRecord, Evaluation, History};
use serde::Serialize;

/// The version of `metrics.json`'s layout.
const SCHEMA: u32 = 1;

/// Pixels per unit of the drawings: sharp on a projector.
const PNG_SCALE: f32 = 2.0;

/// A finished run.
pub struct Run<'a> {
    pub config: &'a RunConfig,
    pub set: &'a ImageSet,
    pub data: &'a Splits,
    pub history: &'a History,
    pub test: &'a Evaluation,
    pub parameters: usize,
}

/// The content of `metrics.json`.
#[derive(Serialize)]
pub struct Metrics<'a> {
    schema: u32,
    dataset: DatasetMetrics<'a>,
    parameters: usize,
    config: &'a RunConfig,
    history: &'a [EpochRecord],
    test: TestMetrics<'a>,
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
    skipped: Vec<String>,
}

#[derive(Serialize)]
struct TestMetrics<'a> {
    loss: f64,
    accuracy: f64,
    n: usize,
    correct: usize,
    confusion: &'a [Vec<u64>],
}

#[derive(Serialize)]
struct Environment {
    version: &'static str,
    kernel: &'static str,
    threads: usize,
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
                test: self.data.test.len(),
                skipped: skipped.map(|skipped| self.set.relative(&skipped.path)).collect(),
            },
            parameters: self.parameters,
            config: self.config,
            history: self.history,
            test: TestMetrics {
                loss: self.test.loss,
                accuracy: self.test.accuracy(),
                n: self.test.n,
                correct: self.test.correct,
                confusion: &self.test.confusion,
            },
            environment: Environment {
                version: env!("CARGO_PKG_VERSION"),
                kernel: isa::active().name(),
                threads: rayon::current_num_threads(),
            },
        }
    }

    fn is_stand_in(&self) -> bool {
        self.set.kind == Kind::StandIn
    }

    fn curves(&self) -> String {
        let series = |name: &str, value: fn(&EpochRecord) -> Option<f64>| {
            let values = self.history.iter().map(|r| value(r).unwrap_or(f64::NAN)).collect();
            Series::new(name, values)
        };
        let (train, validation) = (self.data.train.len(), self.data.validation.len());
        let mut loss = vec![series("training", |r| Some(r.loss))];
        let mut accuracy = vec![series("training", |r| Some(r.accuracy))];
        if validation > 0 {
            loss.push(series("validation", |r| r.val_loss));
            accuracy.push(series("validation", |r| r.val_accuracy));
        }
        plots::curves(&CurvesSpec {
            title: format!("Training on {}", self.set.name),
            subtitle: format!(
                "{train} training and {validation} validation images, seed {}",
                self.config.fit.seed
            ),
            stand_in: self.is_stand_in(),
            loss,
            accuracy,
            chance: Some(1.0 / self.set.folder.classes.len() as f64),
        })
    }

    fn confusion(&self) -> String {
        plots::confusion(&ConfusionSpec {
            title: format!("{}, test images", self.set.name),
            subtitle: String::new(),
            stand_in: self.is_stand_in(),
            classes: self.set.folder.classes.clone(),
            counts: self.test.confusion.clone(),
        })
    }

    /// The test images with their labels, predictions and probabilities.
    fn predictions(&self) -> Result<Vec<u8>, csv::Error> {
        let classes = &self.set.folder.classes;
        let mut table = csv::Writer::from_writer(Vec::new());
        let header = ["file", "label", "predicted"].into_iter();
        table.write_record(header.chain(classes.iter().map(String::as_str)))?;
        for (i, sample) in self.data.test.samples().iter().enumerate() {
            let mut row = vec![
                self.set.relative(&sample.path),
                classes[sample.label].clone(),
                classes[self.test.predicted[i]].clone(),
            ];
            row.extend(self.test.probabilities[i].iter().map(|p| format!("{p:.6}")));
            table.write_record(row)?;
        }
        table.into_inner().map_err(|error| error.into_error().into())
    }

    /// Which image was used for what.
    fn split(&self) -> Result<Vec<u8>, csv::Error> {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(["file", "label", "split"])?;
        for (name, data) in self.data.named() {
            for sample in data.samples() {
                let class = &self.set.folder.classes[sample.label];
                table.write_record([&self.set.relative(&sample.path), class, name])?;
            }
        }
        table.into_inner().map_err(|error| error.into_error().into())
    }
}

/// Writes settings, metrics, tables and pictures of `run`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &RunFolder, run: &Run<'_>) -> Result<(), Failure> {
    folder.write("config.toml", run.config.to_toml()?)?;
    let metrics = serde_json::to_string_pretty(&run.metrics()).map_err(Failure::failed)?;
    folder.write("metrics.json", metrics + "\n")?;
    folder.write("predictions.csv", run.predictions().map_err(Failure::failed)?)?;
    folder.write("split.csv", run.split().map_err(Failure::failed)?)?;
    for (name, svg) in [("curves", run.curves()), ("confusion", run.confusion())] {
        folder.write(&format!("{name}.png"), plots::to_png(&svg, PNG_SCALE)?)?;
        folder.write(&format!("{name}.svg"), svg)?;
    }
    Ok(())
}

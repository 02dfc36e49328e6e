//! A training run: trains and evaluates a model from settings and a set of images.
//!
//! `train` makes one run, `experiment` many. With the same settings they give the same bits, independent of
//! the command and of the number of threads.

mod alike;
mod augmented;
pub mod contents;
mod kept;
mod saving;
mod splits;
mod stage;
mod task;
mod warnings;

pub use augmented::augmented;
pub use kept::Kept;
pub use saving::{Note, Saving, Stage};
pub use splits::{Splits, read_split};
pub use task::Task;
pub use warnings::Warning;

use self::contents::Contents;
use self::stage::{Trained, Training};
use crate::Evaluation;
use crate::ImageSet;
use crate::StudyError;
use crate::config::RunConfig;
use crate::observer::Interruptible;
use crate::scores::Scores;
use crate::{Observer, format};
use nn_core::Error;
use nn_core::data::Channels;
use nn_core::model::Sequential;
use nn_core::train::{History, evaluate, silent_layer};

/// A finished run.
pub struct Run<'a> {
    /// Its settings.
    pub config: &'a RunConfig,
    /// The images it was trained on.
    pub set: &'a ImageSet,
    /// These images, decoded, by split.
    pub data: Splits,
    /// The checksums of its images.
    pub contents: Contents,
    /// The trained network.
    pub model: Sequential,
    /// Loss and accuracy of each epoch.
    pub history: History,
    /// The epoch whose weights the model has.
    pub kept: Option<Kept>,
    /// The evaluation of the model on the test images.
    pub test: Evaluation,
    /// What metrics say of it.
    pub scores: Scores,
    /// Warnings about the run.
    pub warnings: Vec<Warning>,
}

impl<'a> Run<'a> {
    /// Trains the network of `task` on its images and tests it. Checkpoints are saved if `saving` is given. The
    /// observer receives the progress and may stop the run.
    ///
    /// # Errors
    /// If an image cannot be read, a setting does not fit the images or the resumed run, the loss becomes
    /// NaN, a checkpoint cannot be saved, or the observer stops it.
    pub fn make(
        task: Task<'a>,
        saving: Option<Saving>,
        observer: &dyn Observer,
    ) -> Result<Self, StudyError> {
        let Task { config, set, backbone } = task;
        let classes = set.folder.classes.len();
        let network = match backbone {
            Some(backbone) => backbone.classifier(classes, config.fit.seed)?,
            None => config.architecture.classifier(config.input(), classes, config.fit.seed)?,
        };
        let data = Splits::load(set, config, observer)?;
        observer.treated(&data.treated());
        observer.note(&format!(
            "training on {}: {} images{}, {} for validation, {} for the test, {} parameters",
            set.describe(),
            data.train.len(),
            match config.channels {
                Channels::Rgb => "",
                Channels::Grey => " in grey",
            },
            data.validation.len(),
            match data.tested_on {
                "test" => data.test.len().to_string(),
                _ => "the same".into(),
            },
            format::count(network.parameter_count() as u64),
        ));
        let (batch, images) = (config.fit.batch_size, data.train.len());
        if batch > images {
            observer.note(&format!(
                "note: a batch of {batch} is more than the {}, so each step takes all of them",
                format::plural(images as u64, "training image")
            ));
        }
        let command = saving.as_ref().map(|saving| saving.command.clone());
        let contents = Contents::of(&data, config.backgrounds.as_deref(), observer)?;
        let training = Training { task, data: &data, contents: &contents, observer };
        let Trained { model, history } = match (backbone, &config.backbone) {
            (Some(backbone), Some(settings)) => training.of_backbone(backbone, settings, saving)?,
            _ => training.of_network(network, saving)?,
        };
        let (fit, last) = config.last_part(&history);
        let kept = Kept::of(&fit, last, &history);
        if let Some(text) = kept.as_ref().and_then(Kept::text) {
            observer.note(&text);
        }
        let watched = |images| Interruptible { images, observer };
        let tested = evaluate(&model, config.fit.loss, &watched(&data.test), config.fit.batch_size);
        let tested = tested.and_then(Evaluation::try_from);
        let test = tested.map_err(|error| match (error, command) {
            (Error::Interrupted, Some(command)) => {
                StudyError::Stopped(format!("after the training; to go on: {command}"))
            }
            (error, _) => error.into(),
        })?;
        if !test.loss.is_finite() {
            return Err(diverged(&test, config));
        }
        let judged = warnings::Judged {
            config,
            classes: &set.folder.classes,
            trained: data.train.labels(),
            validation: data.validation.len(),
            history: &history,
            test: &test,
            tested_on: data.tested_on,
        };
        let silent = || silent_layer(&model, &watched(&data.train), LOOKED_AT);
        let mut warnings: Vec<Warning> = alike::alike(&data.train)?.into_iter().collect();
        warnings.extend(judged.warnings(silent)?);
        let scores = Scores::new(&test, &set.folder.classes)?;
        Ok(Self { config, set, data, contents, model, history, kept, test, scores, warnings })
    }
}

/// The number of training images on which a layer must output only zeros to be called dead.
const LOOKED_AT: usize = 64;

/// The error if training diverged and only the evaluation on the test images shows it.
fn diverged(test: &Evaluation, config: &RunConfig) -> StudyError {
    StudyError::failed(format!(
        "after {} the loss on the test images is {}; lower --learning-rate, which was {}",
        format::plural(config.epochs() as u64, "epoch"),
        test.loss,
        config.fit.learning_rate,
    ))
}

//! A training run: trains and evaluates a model from settings and a set of images.
//!
//! `train` makes one run, `experiment` many. With the same settings they give the same bits, independent of
//! the command and of the number of threads.

pub mod contents;
mod saving;
mod splits;
mod warnings;

pub use saving::{Note, Saving};
pub use splits::{Splits, read_split};
pub use warnings::Warning;

use self::contents::Contents;
use crate::Evaluation;
use crate::ImageSet;
use crate::StudyError;
use crate::config::RunConfig;
use crate::observer::{Interruptible, Watched};
use crate::{Observer, format};
use nn_core::Error;
use nn_core::data::Channels;
use nn_core::model::Sequential;
use nn_core::train::{Examples, History, Trainer, silent_layer};

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
    /// The evaluation of the model on the test images.
    pub test: Evaluation,
    /// Warnings about the run.
    pub warnings: Vec<Warning>,
}

impl<'a> Run<'a> {
    /// Trains the network of `config` on `set` and tests it. Checkpoints are saved if `saving` is given. The
    /// observer receives the progress and may stop the run.
    ///
    /// # Errors
    /// If an image cannot be read, a setting does not fit the images or the resumed run, the loss becomes
    /// NaN, a checkpoint cannot be saved, or the observer stops it.
    pub fn make(
        config: &'a RunConfig,
        set: &'a ImageSet,
        saving: Option<Saving>,
        observer: &dyn Observer,
    ) -> Result<Self, StudyError> {
        let classes = set.folder.classes.len();
        let network = config.architecture.classifier(config.input(), classes, config.fit.seed)?;
        let data = Splits::load(set, config, observer)?;
        observer.treated(&data.treated());
        let mut trainer = Trainer::new(network, config.optimizer.build()?, config.fit.clone())?;
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
            format::count(trainer.model().parameter_count() as u64),
        ));
        let (batch, images) = (config.fit.batch_size, data.train.len());
        if batch > images {
            observer.note(&format!(
                "note: a batch of {batch} is more than the {}, so each step takes all of them",
                format::plural(images as u64, "training image")
            ));
        }
        let command = saving.as_ref().map(|saving| saving.command.clone());
        let contents = Contents::of(&data, observer)?;
        if let Some(saving) = saving {
            trainer = saving.begin(trainer, config, set, (&data, &contents), observer)?;
        }
        let watched = |images| Interruptible { images, observer };
        let validation = (!data.validation.is_empty()).then_some(watched(&data.validation));
        let validation = validation.as_ref().map(|images| images as &dyn Examples);
        let mut progress = Watched { display: observer.training("", config.fit.epochs), observer };
        let fitted = trainer.fit(&data.train, validation, &mut progress);
        progress.display.finish();
        let tested = fitted.and_then(|()| trainer.evaluate(&watched(&data.test))?.try_into());
        let test: Evaluation = tested.map_err(|error| match (error, &command) {
            (Error::Interrupted, Some(command)) => saving::stopped(&trainer, command),
            (error @ Error::NonFinite { .. }, _) => StudyError::failed(format!(
                "{error} (--learning-rate was {})",
                config.fit.learning_rate
            )),
            (error, _) => error.into(),
        })?;
        if !test.loss.is_finite() {
            return Err(diverged(&test, config));
        }
        let history = trainer.history().clone();
        let model = trainer.into_model();
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
        let warnings = judged.warnings(silent)?;
        Ok(Self { config, set, data, contents, model, history, test, warnings })
    }
}

/// The number of training images on which a layer must output only zeros to be called dead.
const LOOKED_AT: usize = 64;

/// The error if training diverged and only the evaluation on the test images shows it.
fn diverged(test: &Evaluation, config: &RunConfig) -> StudyError {
    StudyError::failed(format!(
        "after {} the loss on the test images is {}; lower --learning-rate, which was {}",
        format::plural(config.fit.epochs as u64, "epoch"),
        test.loss,
        config.fit.learning_rate,
    ))
}

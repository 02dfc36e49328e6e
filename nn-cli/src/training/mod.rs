//! A training run: from settings and a set of images to a model and what it scores.
//!
//! `train` makes one, `experiment` many; each is the same to the bit, whoever asked for it and
//! however many threads it got.

pub mod contents;
mod progress;
mod saving;
mod splits;
mod warnings;

pub use progress::Progress;
pub use saving::{Note, Saving};
pub use splits::Splits;
pub use warnings::Warning;

use self::contents::Contents;
use crate::config::RunConfig;
use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::interrupt::Interruptible;
use crate::ui::{Console, format};
use nn_core::Error;
use nn_core::model::{ReferenceCnn, Sequential};
use nn_core::train::{Evaluation, Examples, History, Trainer, silent_layer};

/// A finished run.
pub struct Run<'a> {
    pub config: &'a RunConfig,
    pub set: &'a ImageSet,
    pub data: Splits,
    /// What its images hold.
    pub contents: Contents,
    pub model: Sequential,
    pub history: History,
    /// The model on the test images.
    pub test: Evaluation,
    /// What its numbers show to those who know how to read them.
    pub warnings: Vec<Warning>,
}

impl<'a> Run<'a> {
    /// Trains the built-in network on `set` and tests it, saving it on the way if it is to be saved;
    /// `progress` tells how it goes and may end it.
    ///
    /// # Errors
    /// If an image cannot be read, a setting does not fit the images or the run gone on with, the
    /// loss is no number any more, the run cannot be saved, or the user interrupts.
    pub fn make(
        config: &'a RunConfig,
        set: &'a ImageSet,
        saving: Option<Saving>,
        progress: &mut Progress<'_>,
        console: &Console,
    ) -> Result<Self, Failure> {
        let network = built_in(set.folder.classes.len(), config.image_size, config.fit.seed)?;
        let data = Splits::load(set, config, console)?;
        progress.tell_treated(&data.treated());
        let mut trainer = Trainer::new(network, config.optimizer.build()?, config.fit.clone())?;
        progress.say(&format!(
            "training on {}: {} images, {} for validation, {} for the test, {} parameters",
            set.describe(),
            data.train.len(),
            data.validation.len(),
            match data.tested_on {
                "test" => data.test.len().to_string(),
                _ => "the same".into(),
            },
            format::count(trainer.model().parameter_count() as u64),
        ));
        let (batch, images) = (config.fit.batch_size, data.train.len());
        if batch > images {
            progress.say(&format!(
                "note: a batch of {batch} is more than the {}, so each step takes all of them",
                format::plural(images as u64, "training image")
            ));
        }
        let command = saving.as_ref().map(|saving| saving.command.clone());
        let contents = Contents::of(&data)?;
        if let Some(saving) = saving {
            trainer = saving.begin(trainer, config, set, (&data, &contents), console)?;
        }
        let validation = (!data.validation.is_empty()).then_some(Interruptible(&data.validation));
        let validation = validation.as_ref().map(|images| images as &dyn Examples);
        let fitted = trainer.fit(&data.train, validation, progress);
        progress.finish();
        let tested = fitted.and_then(|()| trainer.evaluate(&Interruptible(&data.test)));
        let test = tested.map_err(|error| match (error, &command) {
            (Error::Interrupted, Some(command)) => saving::stopped(&trainer, command),
            (error @ Error::NonFinite { .. }, _) => Failure::failed(format!(
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
        let silent = || silent_layer(&model, &Interruptible(&data.train), LOOKED_AT);
        let warnings = judged.warnings(silent)?;
        Ok(Self { config, set, data, contents, model, history, test, warnings })
    }
}

/// Training images that a layer must leave untouched to be called dead.
const LOOKED_AT: usize = 64;

/// The built-in network with weights drawn from `seed`.
///
/// # Errors
/// A number of classes or an image size that it cannot be built with: wrong usage, for nothing else
/// can be wrong with it.
pub fn built_in(classes: usize, image_size: usize, seed: u64) -> Result<Sequential, Failure> {
    ReferenceCnn::new(classes, image_size).build(seed).map_err(Failure::usage)
}

/// Training that only the test images show to have failed.
fn diverged(test: &Evaluation, config: &RunConfig) -> Failure {
    Failure::failed(format!(
        "after {} the loss on the test images is {}; lower --learning-rate, which was {}",
        format::plural(config.fit.epochs as u64, "epoch"),
        test.loss,
        config.fit.learning_rate,
    ))
}

//! Finds a learning rate: a short training in which it rises from step to step. Nothing of it is kept but the losses.

use crate::config::RunConfig;
use crate::observer::Interruptible;
use crate::training::{Splits, augmented};
use crate::{ImageSet, Kind, Observer, StudyError, results};
use nn_core::train::{Examples, RateCurve, RateSweep, Trainer};
use nn_figures::plots::{self, RatesSpec};
use nn_staging::StagedFolder;
use serde::Serialize;

/// The name of the picture, without extension.
pub const PICTURE: &str = "learning-rate";

/// Steps of a sweep: one pass over the images, but not fewer or more than these.
const STEPS: (usize, usize) = (100, 1000);

/// What a sweep over learning rates found.
#[derive(Debug, Serialize)]
pub struct FoundRate {
    /// The name of the set.
    pub dataset: String,
    /// The learning rate at which the loss falls most steeply, to two digits; none if it falls nowhere.
    pub suggestion: Option<f64>,
    /// Whether the training diverged before the last step.
    pub diverged: bool,
    /// Learning rate, loss and smoothed loss of each step.
    pub steps: Vec<[f64; 3]>,
    #[serde(skip)]
    is_synthetic: bool,
}

impl FoundRate {
    /// Trains the network of `config` on the training images of `set` with rising learning rates.
    ///
    /// # Errors
    /// If an image cannot be read, a setting does not fit the images, or the observer stops it.
    pub fn find(
        config: &RunConfig,
        set: &ImageSet,
        observer: &dyn Observer,
    ) -> Result<Self, StudyError> {
        let classes = set.folder.classes.len();
        let network = config.architecture.classifier(config.input(), classes, config.fit.seed)?;
        let data = Splits::load(set, config, observer)?;
        observer.treated(&data.treated());
        let fit = config.fit_options(data.train.labels(), classes);
        let pass = data.train.len().div_ceil(fit.step_samples());
        let sweep = RateSweep { steps: pass.clamp(STEPS.0, STEPS.1), ..RateSweep::default() };
        let trainer = Trainer::new(network, config.optimizer.build()?, fit)?;
        let plain = Interruptible { images: &data.train, observer };
        let augmented = match config.augment.is_none() {
            true => None,
            false => Some(augmented(config, &data.train, config.fit.seed, observer)?),
        };
        let images = augmented.as_ref().map_or(&plain as &dyn Examples, |images| images);
        let curve = {
            let counter = observer.count("trying learning rates", sweep.steps as u64, "steps");
            sweep.run(trainer, images, &mut |done| {
                counter.set(done as u64);
                observer.flow()
            })?
        };
        Ok(Self::of(set, &curve))
    }

    fn of(set: &ImageSet, curve: &RateCurve) -> Self {
        // What is measured with single batches has no third digit.
        let rounded = |rate: f64| format!("{rate:.1e}").parse().unwrap_or(rate);
        Self {
            dataset: set.name.clone(),
            suggestion: curve.suggestion().map(rounded),
            diverged: curve.diverged,
            steps: curve.steps.iter().map(|step| [step.rate, step.loss, step.smoothed]).collect(),
            is_synthetic: set.kind == Kind::StandIn,
        }
    }

    /// About ten of the steps, evenly spaced: learning rate and smoothed loss.
    pub fn samples(&self) -> Vec<[f64; 2]> {
        let every = self.steps.len().div_ceil(10).max(1);
        let steps = self.steps.iter().rev().step_by(every);
        let mut samples: Vec<_> = steps.map(|&[rate, _, smoothed]| [rate, smoothed]).collect();
        samples.reverse();
        samples
    }

    /// Draws the losses over the learning rates into `folder`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn draw(&self, folder: &StagedFolder) -> Result<(), StudyError> {
        let spec = RatesSpec {
            title: format!("Learning rates on {}", self.dataset),
            subtitle: format!("{} steps, each with a higher rate", self.steps.len()),
            synthetic: self.is_synthetic,
            steps: self.steps.clone(),
            suggestion: self.suggestion,
        };
        results::draw(folder, PICTURE, plots::rates(&spec))
    }
}

//! What a training run is made of: `config.toml`, merged with the command line and checked.
//!
//! Options given on the command line win over the file, the file over the defaults. The file that a
//! run writes holds every setting, so `train --config` repeats it.

use crate::args::{
    DEFAULT_DATA_ROOT, ImageArgs, OptimizerName, ScheduleName, SettingArgs, TrainArgs,
};
use crate::failure::Failure;
use nn_core::Error;
use nn_core::data::check_validation_split;
use nn_core::model::ReferenceCnn;
use nn_core::optim::{OptimizerConfig, Schedule, check_learning_rate};
use nn_core::train::{FitOptions, check_batch_size};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Everything that repeats a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// A folder of images, or the name of a set.
    pub data: String,
    /// Where named sets lie.
    pub data_root: PathBuf,
    /// Whether unreadable images are left out.
    pub skip_unreadable: bool,
    /// Height and width images are resized to.
    pub image_size: usize,
    /// Share of `train/` held back for validation.
    pub validation_split: f64,
    /// A table of which image is for what, instead of a split by seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<PathBuf>,
    /// Epochs, batch size, learning rate, loss and seed.
    pub fit: FitOptions,
    /// How weights follow gradients.
    pub optimizer: OptimizerConfig,
}

impl Default for RunConfig {
    /// The reference's settings, without data.
    fn default() -> Self {
        Self {
            data: String::new(),
            data_root: PathBuf::from(DEFAULT_DATA_ROOT),
            skip_unreadable: false,
            image_size: 256,
            validation_split: 0.125,
            split: None,
            fit: FitOptions::default(),
            optimizer: OptimizerConfig::default(),
        }
    }
}

impl RunConfig {
    /// The settings the command line asks for.
    ///
    /// # Errors
    /// If the configuration file cannot be read, no data is named, or a setting is out of range.
    pub fn from_args(args: &TrainArgs) -> Result<Self, Failure> {
        let mut config = match &args.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        if let Some(data) = &args.data.data {
            config.data.clone_from(data);
        }
        if args.split.is_some() {
            config.split.clone_from(&args.split);
        }
        config.merge(&args.data.images, &args.settings)?;
        Ok(config)
    }

    /// The settings for the data set `name` that the command line asks for.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn for_set(
        name: &str,
        images: &ImageArgs,
        settings: &SettingArgs,
    ) -> Result<Self, Failure> {
        let mut config = Self { data: name.to_string(), ..Self::default() };
        config.merge(images, settings)?;
        Ok(config)
    }

    /// Takes over what is given, and checks the whole.
    fn merge(&mut self, images: &ImageArgs, settings: &SettingArgs) -> Result<(), Failure> {
        if let Some(root) = &images.data_root {
            self.data_root.clone_from(root);
        }
        self.skip_unreadable |= images.skip_unreadable;
        let fit = &mut self.fit;
        set(&mut fit.epochs, settings.epochs);
        set(&mut fit.batch_size, settings.batch_size);
        set(&mut fit.learning_rate, settings.learning_rate);
        set(&mut fit.seed, settings.seed);
        set(&mut self.image_size, settings.image_size);
        set(&mut self.validation_split, settings.validation_split);
        if let Some(name) = settings.schedule {
            fit.schedule = schedule(name, fit.epochs);
        }
        if let Some(name) = settings.optimizer {
            self.optimizer = optimizer(name);
        }
        self.check()
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        toml::from_str(&text).map_err(|problem| {
            let remedy = "pass the config.toml of a run folder";
            Error::file(path, format!("is not a run's configuration: {problem}"), remedy).into()
        })
    }

    /// The content of `config.toml`.
    pub fn to_toml(&self) -> Result<String, Failure> {
        toml::to_string(self).map_err(|problem| {
            Failure::usage(format!("these settings cannot be recorded in config.toml: {problem}"))
        })
    }

    fn check(&self) -> Result<(), Failure> {
        if self.data.is_empty() {
            return Err(Failure::usage(
                "no images to train on; name a set or a folder with --data, say \
                 --data same_backgrounds",
            ));
        }
        if self.fit.epochs == 0 {
            let remedy = "pass --epochs 10, say";
            return Err(Error::setting("epochs", "at least 1", 0, remedy).into());
        }
        check_image_size(self.image_size)?;
        check_batch_size(self.fit.batch_size)?;
        check_learning_rate(self.fit.learning_rate)?;
        check_validation_split(self.validation_split)?;
        // Said now, not after the training: a path that is no Unicode cannot be recorded.
        self.to_toml().map(drop)
    }
}

/// The largest image size that is taken for meant. There the weights, their gradients and what Adam
/// remembers of them take 2 GB, and four images on their way through the network more.
const MAX_IMAGE_SIZE: usize = 1024;

/// Checks the image size of the built-in network.
pub fn check_image_size(size: usize) -> Result<(), Failure> {
    let smallest = ReferenceCnn::SMALLEST_IMAGE;
    if (smallest..=MAX_IMAGE_SIZE).contains(&size) {
        return Ok(());
    }
    let expected =
        format!("from {smallest}, the least the network can work on, to {MAX_IMAGE_SIZE}");
    Err(Error::setting("image size", expected, size, "256 is the reference's").into())
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *setting = value;
    }
}

fn schedule(name: ScheduleName, epochs: usize) -> Schedule {
    match name {
        ScheduleName::Constant => Schedule::Constant,
        ScheduleName::Step => Schedule::Step { every: epochs.div_ceil(3), factor: 0.1 },
        ScheduleName::Cosine => Schedule::Cosine { epochs, floor: 0.0 },
    }
}

fn optimizer(name: OptimizerName) -> OptimizerConfig {
    match name {
        OptimizerName::Adam => OptimizerConfig::adam(),
        OptimizerName::Adamw => OptimizerConfig::adamw(),
        OptimizerName::Sgd => OptimizerConfig::Sgd { momentum: 0.9, nesterov: false },
    }
}

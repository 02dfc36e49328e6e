//! The settings of a training run, stored in its `config.toml`, with which the run can be repeated.

mod folds;

pub use folds::FoldsConfig;

use crate::backbone::BackboneConfig;
use crate::{Network, StudyError};
use nn_core::Error;
use nn_core::data::augment::Augmentation;
use nn_core::data::{AlphaBackground, Channels, Resize, check_validation_split};
use nn_core::files::read_limited;
use nn_core::kernels::isa;
use nn_core::loss::Loss;
use nn_core::optim::{OptimizerConfig, Schedule};
use nn_core::train::{EpochRecord, FitOptions, balanced_weights};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// The file in a run's folder with its settings.
pub const CONFIG_FILE: &str = "config.toml";

/// The default folder of the named sets.
pub const DEFAULT_DATA_ROOT: &str = "data";

/// The default share of the training images used for validation: that of the reference.
pub const DEFAULT_VALIDATION_SPLIT: f64 = 0.125;

/// The largest `config.toml` that is read, in bytes. Those that runs write have about one thousand.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// What makes the seed of the fine-tuning of that of the run.
const FINE_TUNING: u64 = 1 << 40;

/// All settings needed to repeat a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// A folder of images, or the name of a set.
    pub data: String,
    /// The folder that contains the named sets.
    pub data_root: PathBuf,
    /// Whether unreadable images are left out.
    pub skip_unreadable: bool,
    /// The network: the name of a built-in one, or what a file said of it.
    #[serde(skip_serializing_if = "Network::is_reference")]
    pub architecture: Network,
    /// Height and width that images are resized to.
    pub image_size: usize,
    /// The channels in which images are read.
    #[serde(skip_serializing_if = "is_rgb")]
    pub channels: Channels,
    /// How images of another shape are resized.
    #[serde(skip_serializing_if = "is_default")]
    pub resize: Resize,
    /// The colour that transparent images are composited onto.
    pub alpha_background: AlphaBackground,
    /// The share of `train/` held out for validation.
    pub validation_split: f64,
    /// The kernels (`isa::active`) the run was computed with; several if it was resumed with others. Only
    /// the same kernels give the same bits. This is a record: the kernels are selected with `--kernel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// A table that assigns images to splits, instead of a random split by seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<PathBuf>,
    /// A table of labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// The column of that table that contains the classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// How training images are changed in each epoch.
    #[serde(skip_serializing_if = "Augmentation::is_none")]
    pub augment: Augmentation,
    /// A folder with pictures of backgrounds for the augmentation of that name, instead of those of the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backgrounds: Option<PathBuf>,
    /// How the training images of each class are weighted.
    #[serde(skip_serializing_if = "is_default")]
    pub class_weights: ClassWeights,
    /// Epochs, batch size, learning rate, loss and seed.
    pub fit: FitOptions,
    /// The optimiser and its settings.
    pub optimizer: OptimizerConfig,
    /// A pretrained network that the run begins with, instead of the architecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backbone: Option<BackboneConfig>,
    /// Makes a run for each of several folds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<FoldsConfig>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How the training images of each class are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// All the same.
    #[default]
    None,
    /// So that all classes have the same share of the loss ([`balanced_weights`]).
    Balanced,
}

fn is_rgb(channels: &Channels) -> bool {
    *channels == Channels::Rgb
}

/// The name of the kernels of this process.
fn kernel_here() -> String {
    isa::active().name().to_string()
}

impl Default for RunConfig {
    /// The settings of the reference, without data.
    fn default() -> Self {
        Self {
            data: String::new(),
            data_root: PathBuf::from(DEFAULT_DATA_ROOT),
            skip_unreadable: false,
            architecture: Network::default(),
            image_size: 256,
            channels: Channels::Rgb,
            resize: Resize::default(),
            alpha_background: AlphaBackground::WHITE,
            validation_split: DEFAULT_VALIDATION_SPLIT,
            kernel: None,
            split: None,
            labels: None,
            label_column: None,
            class_weights: ClassWeights::None,
            fit: FitOptions::default(),
            optimizer: OptimizerConfig::default(),
            augment: Augmentation::none(),
            backgrounds: None,
            backbone: None,
            folds: None,
        }
    }
}

impl RunConfig {
    /// Checks that the run in `folder`, which began with these settings, can be resumed with those of
    /// `config`: with more epochs, more patience, or the same images at another path.
    ///
    /// # Errors
    /// If it changes a setting that must not change.
    pub fn check_resumed(&self, config: &Self, folder: &Path) -> Result<(), StudyError> {
        let (began, asked) = (&self.fit, &config.fit);
        let show = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        let (before, now) = (&began.regularization, &asked.regularization);
        let option = |value: Option<f64>| value.map_or("none".into(), |value| value.to_string());
        let folds = |folds: &Option<FoldsConfig>| match folds {
            Some(folds) => format!("{} folds", folds.count),
            None => "none".into(),
        };
        let settings = [
            ("--batch-size", show(&began.batch_size), show(&asked.batch_size)),
            ("--learning-rate", show(&began.learning_rate), show(&asked.learning_rate)),
            ("--schedule", show(&began.schedule), show(&asked.schedule)),
            ("--optimizer", show(&self.optimizer), show(&config.optimizer)),
            ("--keep", show(&began.keep), show(&asked.keep)),
            ("--warmup", show(&began.warmup), show(&asked.warmup)),
            ("--accumulate", show(&began.accumulate), show(&asked.accumulate)),
            ("--label-smoothing", show(&before.label_smoothing), show(&now.label_smoothing)),
            ("--class-weights", show(&self.class_weights), show(&config.class_weights)),
            ("--clip-norm", option(before.clip_norm), option(now.clip_norm)),
            ("--ema", option(before.ema), option(now.ema)),
            ("--seed", show(&began.seed), show(&asked.seed)),
            ("--image-size", show(&self.image_size), show(&config.image_size)),
            ("--channels", self.channels.to_string(), config.channels.to_string()),
            ("--augment", self.augment.to_string(), config.augment.to_string()),
            ("--backgrounds", show(&self.backgrounds), show(&config.backgrounds)),
            ("--resize", self.resize.to_string(), config.resize.to_string()),
            (
                "--alpha-background",
                self.alpha_background.to_string(),
                config.alpha_background.to_string(),
            ),
            ("--validation-split", show(&self.validation_split), show(&config.validation_split)),
            ("--folds", folds(&self.folds), folds(&config.folds)),
        ];
        if let (Some(before), Some(now)) = (&self.folds, &config.folds)
            && before != now
            && before.count == now.count
        {
            return Err(StudyError::invalid(format!(
                "--group-column, --group-pattern: the folds in {} are made, and images cannot be grouped in \
                 another way now; leave these options away, or begin in another folder",
                folder.display()
            )));
        }
        let refuse = |option: &str, before: &str, now: &str| {
            Err(StudyError::invalid(format!(
                "{option}: the run in {} began with {before}, which cannot become {now} on the \
                 way; leave the option away, or begin a new run in another folder",
                folder.display()
            )))
        };
        if self.architecture != config.architecture {
            let (before, now) = (self.architecture.name(), config.architecture.name());
            let now = if before == now { "another network of that name" } else { now };
            return refuse("--architecture", &format!("the network {before}"), now);
        }
        self.check_resumed_backbone(config, refuse)?;
        let spans = began.schedule != Schedule::Constant && began.schedule != asked.schedule;
        if asked.epochs != began.epochs && spans {
            let before = format!("a learning rate that falls over {} epochs", began.epochs);
            return refuse("--epochs", &before, &format!("one over {}", asked.epochs));
        }
        if let Some((option, before, now)) = settings.iter().find(|(_, then, now)| then != now) {
            return refuse(option, before, now);
        }
        Ok(())
    }

    /// Checks the part of [`RunConfig::check_resumed`] that is about the backbone.
    fn check_resumed_backbone(
        &self,
        config: &Self,
        refuse: impl Fn(&str, &str, &str) -> Result<(), StudyError>,
    ) -> Result<(), StudyError> {
        let (began, asked) = match (&self.backbone, &config.backbone) {
            (None, None) => return Ok(()),
            (Some(began), Some(asked)) => (began, asked),
            (began, _) => {
                let words = |there: bool| if there { "a backbone" } else { "none" };
                return refuse("--backbone", words(began.is_some()), words(began.is_none()));
            }
        };
        let settings = [
            ("--backbone", began.weights.clone(), asked.weights.clone()),
            ("--preset", format!("{:?}", began.preset), format!("{:?}", asked.preset)),
            ("--freeze", began.freeze.to_string(), asked.freeze.to_string()),
            (
                "--fine-tune-rate",
                began.fine_tune_rate.to_string(),
                asked.fine_tune_rate.to_string(),
            ),
        ];
        if let Some((option, before, now)) = settings.iter().find(|(_, then, now)| then != now) {
            return refuse(option, before, now);
        }
        if config.fit.epochs != self.fit.epochs && began.fine_tune_epochs > 0 {
            let before = format!("{} epochs before the fine-tuning", self.fit.epochs);
            return refuse("--epochs", &before, &config.fit.epochs.to_string());
        }
        // It tells where the classifier's part ended.
        let (before, now) = (self.fit.early_stopping, config.fit.early_stopping);
        if before != now && began.fine_tune_epochs > 0 {
            let words = |patience: Option<usize>| match patience {
                Some(epochs) => format!("a patience of {epochs} before the fine-tuning"),
                None => "none before the fine-tuning".into(),
            };
            return refuse("--early-stopping", &words(before), &words(now));
        }
        Ok(())
    }

    /// The options for training on images with these labels.
    pub fn fit_options(&self, labels: &[usize], classes: usize) -> FitOptions {
        self.weighted(self.fit.clone(), labels, classes)
    }

    /// The options of a part of the training, with the weights of the classes.
    pub fn weighted(
        &self,
        mut options: FitOptions,
        labels: &[usize],
        classes: usize,
    ) -> FitOptions {
        if self.class_weights == ClassWeights::Balanced {
            options.regularization.class_weights = Some(balanced_weights(labels, classes));
        }
        options
    }

    /// The shape of the network's input: `[height, width, channels]`.
    pub fn input(&self) -> [usize; 3] {
        match &self.backbone {
            Some(backbone) => backbone.input,
            None => self.architecture.input(self.image_size, self.channels),
        }
    }

    /// The epochs of all parts of the training.
    pub fn epochs(&self) -> usize {
        self.fit.epochs + self.backbone.as_ref().map_or(0, |backbone| backbone.fine_tune_epochs)
    }

    /// The option that trains a finished run further: that of the last part's epochs.
    pub fn epochs_option(&self) -> &'static str {
        if self.fine_tuning().is_some() { "--fine-tune" } else { "--epochs" }
    }

    /// The options of the fine-tuning, if there is one.
    pub fn fine_tuning(&self) -> Option<FitOptions> {
        let backbone = self.backbone.as_ref().filter(|backbone| backbone.fine_tune_epochs > 0)?;
        Some(FitOptions {
            epochs: backbone.fine_tune_epochs,
            learning_rate: backbone.fine_tune_rate,
            schedule: Schedule::Constant,
            warmup: 0.0,
            // Its images come in another order, and change in another way, than in the first part.
            seed: self.fit.seed ^ FINE_TUNING,
            ..self.fit.clone()
        })
    }

    /// The last part of a training with this history, which begins with the classifier if there is a fine-tuning:
    /// its options and its epochs.
    pub fn last_part<'h>(&self, history: &'h [EpochRecord]) -> (FitOptions, &'h [EpochRecord]) {
        let ended = || (1..=history.len()).find(|&n| self.fit.is_done(&history[..n]));
        match self.fine_tuning().and_then(|options| Some((options, ended()?))) {
            Some((options, first)) => (options, &history[first..]),
            None => (self.fit.clone(), history),
        }
    }

    /// Whether a run with this history is at its end: it has made all epochs, or stopped early.
    pub fn is_done(&self, history: &[EpochRecord]) -> bool {
        let (options, part) = self.last_part(history);
        options.is_done(part)
    }

    /// Whether a run with this history stopped early in the last part of its training.
    pub fn has_stopped_early(&self, history: &[EpochRecord]) -> bool {
        let (options, part) = self.last_part(history);
        options.has_stopped_early(part)
    }

    /// These settings, with images read as their backbone takes them.
    pub fn for_backbone(mut self) -> Self {
        if let Some(backbone) = &self.backbone {
            let [height, _, channels] = backbone.input;
            self.image_size = height;
            self.channels = Channels::from_count(channels).unwrap_or_default();
            self.resize = backbone.resize;
        }
        self
    }

    /// Records the kernels of this process when a run begins. Returns the previously recorded kernels if
    /// they differ.
    pub fn note_kernel(&mut self) -> Option<String> {
        let here = kernel_here();
        self.kernel.replace(here.clone()).filter(|before| *before != here)
    }

    /// These settings, with the kernels of this process added to the recorded ones.
    pub fn going_on(mut self) -> Self {
        let here = kernel_here();
        let kernels = self.kernel.get_or_insert_with(|| here.clone());
        if !kernels.split(", ").any(|kernel| kernel == here) {
            *kernels += &format!(", {here}");
        }
        self
    }

    /// Reads a `config.toml`.
    ///
    /// # Errors
    /// If the file cannot be read, is too large, or is not a run's configuration.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let remedy = "pass the config.toml of a run folder";
        let refuse = |problem: &dyn Display| {
            Error::file(path, format!("is not a run's configuration: {problem}"), remedy)
        };
        let text = read_limited(path, MAX_CONFIG_BYTES, remedy)?;
        let text = String::from_utf8(text).map_err(|problem| refuse(&problem))?;
        Ok(Self::parse(&text).map_err(|problem| refuse(&problem))?)
    }

    /// Parses the content of `config.toml`; checks its form, not its values.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The content of `config.toml`.
    pub fn to_toml(&self) -> Result<String, StudyError> {
        toml::to_string(self).map_err(|problem| {
            StudyError::invalid(format!(
                "these settings cannot be recorded in config.toml: {problem}"
            ))
        })
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// If no data is named, or a setting is out of range.
    pub fn check(&self) -> Result<(), StudyError> {
        if self.data.is_empty() {
            return Err(StudyError::invalid(
                "no images to train on; name a set or a folder with --data, say \
                 --data same_backgrounds",
            ));
        }
        if self.fit.epochs == 0 {
            let remedy = "pass --epochs 10, say";
            return Err(Error::setting("epochs", "at least 1", 0, remedy).into());
        }
        match &self.backbone {
            Some(backbone) => backbone.check()?,
            None => self.architecture.check_image_size(self.image_size)?,
        }
        let [.., channels] = self.input();
        if channels != self.channels.count() {
            return Err(StudyError::invalid(format!(
                "the network {} takes images of {channels} channels, but they are read in {} with {}; \
                 change input in its file, or channels (rgb or grey)",
                self.architecture.name(),
                self.channels,
                self.channels.count()
            )));
        }
        self.fit.check()?;
        if self.fit.learning_rate == 0.0 {
            let remedy = "with 0 nothing is learned; 0.001 is usual for Adam, 0.01 for SGD";
            return Err(Error::setting("the learning rate", "above 0", 0, remedy).into());
        }
        check_validation_split(self.validation_split)?;
        if let Some(folds) = &self.folds {
            folds.check()?;
        }
        self.augment.check(channels)?;
        if self.augment.mixes() && self.fit.loss != Loss::CategoricalCrossentropy {
            return Err(StudyError::invalid(format!(
                "--augment {}: mixup and cutmix need one output for each class (softmax), the network has others; \
                 leave them away",
                self.augment
            )));
        }
        // Fails now rather than after the training: a path that is not Unicode cannot be recorded.
        self.to_toml().map(drop)
    }
}

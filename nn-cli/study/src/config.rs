//! What a training run is made of: the settings in its `config.toml`, which repeat it.

use crate::StudyError;
use nn_core::Error;
use nn_core::data::{AlphaBackground, check_validation_split};
use nn_core::files::read_limited;
use nn_core::kernels::isa;
use nn_core::model::ReferenceCnn;
use nn_core::optim::{OptimizerConfig, Schedule, check_learning_rate};
use nn_core::train::{FitOptions, check_batch_size};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// The settings of a run, in its folder.
pub const CONFIG_FILE: &str = "config.toml";

/// Where named sets lie, unless the user says otherwise.
pub const DEFAULT_DATA_ROOT: &str = "data";

/// The share of the training images that validates, unless the user says otherwise: that of the reference.
pub const DEFAULT_VALIDATION_SPLIT: f64 = 0.125;

/// The largest `config.toml` that is read, in bytes. Those that runs write have one thousand.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

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
    /// The colour that transparent images are laid on.
    pub alpha_background: AlphaBackground,
    /// Share of `train/` held back for validation.
    pub validation_split: f64,
    /// The kernels the run was computed with, several if it went on with others: only the same give the
    /// same bits. What computes is for `--kernel` to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// A table of which image is for what, instead of a split by seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<PathBuf>,
    /// A table of what the images show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// The column of that table with the classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Epochs, batch size, learning rate, loss and seed.
    pub fit: FitOptions,
    /// How weights follow gradients.
    pub optimizer: OptimizerConfig,
}

/// The kernels this process computes with.
fn kernel_here() -> String {
    isa::active().name().to_string()
}

impl Default for RunConfig {
    /// The reference's settings, without data.
    fn default() -> Self {
        Self {
            data: String::new(),
            data_root: PathBuf::from(DEFAULT_DATA_ROOT),
            skip_unreadable: false,
            image_size: 256,
            alpha_background: AlphaBackground::WHITE,
            validation_split: DEFAULT_VALIDATION_SPLIT,
            kernel: None,
            split: None,
            labels: None,
            label_column: None,
            fit: FitOptions::default(),
            optimizer: OptimizerConfig::default(),
        }
    }
}

impl RunConfig {
    /// Checks that a run in `folder`, which began with these settings, can go on with those of `config`: for
    /// more epochs, or with the same images from another place.
    ///
    /// # Errors
    /// If it asks for what cannot change any more.
    pub fn check_resumed(&self, config: &Self, folder: &Path) -> Result<(), StudyError> {
        let (began, asked) = (&self.fit, &config.fit);
        let show = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        let settings = [
            ("--batch-size", show(&began.batch_size), show(&asked.batch_size)),
            ("--learning-rate", show(&began.learning_rate), show(&asked.learning_rate)),
            ("--schedule", show(&began.schedule), show(&asked.schedule)),
            ("--optimizer", show(&self.optimizer), show(&config.optimizer)),
            ("--seed", show(&began.seed), show(&asked.seed)),
            ("--image-size", show(&self.image_size), show(&config.image_size)),
            (
                "--alpha-background",
                self.alpha_background.to_string(),
                config.alpha_background.to_string(),
            ),
            ("--validation-split", show(&self.validation_split), show(&config.validation_split)),
        ];
        let refuse = |option: &str, before: &str, now: &str| {
            Err(StudyError::invalid(format!(
                "{option}: the run in {} began with {before}, which cannot become {now} on the \
                 way; leave the option away, or begin a new run in another folder",
                folder.display()
            )))
        };
        if let Some((option, before, now)) = settings.iter().find(|(_, then, now)| then != now) {
            return refuse(option, before, now);
        }
        if asked.epochs != began.epochs && began.schedule != Schedule::Constant {
            let before = format!("a learning rate that falls over {} epochs", began.epochs);
            return refuse("--epochs", &before, &format!("one over {}", asked.epochs));
        }
        Ok(())
    }

    /// Notes the kernels of this process, with which a run begins. Returns those noted so far, if they are
    /// others.
    pub fn note_kernel(&mut self) -> Option<String> {
        let here = kernel_here();
        self.kernel.replace(here.clone()).filter(|before| *before != here)
    }

    /// These settings, with the kernels of this process noted beside those the run was computed with.
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
    /// If it cannot be read, is larger than any, or is none.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let remedy = "pass the config.toml of a run folder";
        let refuse = |problem: &dyn Display| {
            Error::file(path, format!("is not a run's configuration: {problem}"), remedy)
        };
        let text = read_limited(path, MAX_CONFIG_BYTES, remedy)?;
        let text = String::from_utf8(text).map_err(|problem| refuse(&problem))?;
        Ok(Self::parse(&text).map_err(|problem| refuse(&problem))?)
    }

    /// Reads the content of `config.toml`; nothing in it is checked but its form.
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

    /// Whether a run can be made of this.
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
        check_image_size(self.image_size)?;
        check_batch_size(self.fit.batch_size)?;
        check_learning_rate(self.fit.learning_rate)?;
        if self.fit.learning_rate == 0.0 {
            let remedy = "with 0 nothing is learned; 0.001 is usual for Adam, 0.01 for SGD";
            return Err(Error::setting("the learning rate", "above 0", 0, remedy).into());
        }
        check_validation_split(self.validation_split)?;
        // Said now, not after the training: a path that is no Unicode cannot be recorded.
        self.to_toml().map(drop)
    }
}

/// The largest image size that is taken for meant. There the weights, their gradients and what Adam
/// remembers of them take 2 GB, and four images on their way through the network more.
pub const MAX_IMAGE_SIZE: usize = 1024;

/// Checks the image size of the built-in network.
pub fn check_image_size(size: usize) -> Result<(), StudyError> {
    let smallest = ReferenceCnn::SMALLEST_IMAGE;
    if (smallest..=MAX_IMAGE_SIZE).contains(&size) {
        return Ok(());
    }
    let expected =
        format!("from {smallest}, the least the network can work on, to {MAX_IMAGE_SIZE}");
    Err(Error::setting("image size", expected, size, "256 is the reference's").into())
}

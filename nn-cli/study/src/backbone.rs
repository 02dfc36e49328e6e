//! A pretrained network that a run begins with: its settings in `config.toml`, and the network itself.

use crate::StudyError;
use crate::checksum::{Checksum, hex};
use nn_core::Error;
use nn_core::data::Resize;
use nn_core::model::Sequential;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;

/// What is said of a backbone in `config.toml`, in its section `[backbone]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneConfig {
    /// The model's file, or the run it lies in.
    pub model: PathBuf,
    /// The [fingerprint] of its parameters: a run is repeated and resumed with the same.
    pub weights: String,
    /// How pixels become what the network was trained on, by the name of a preset, where its file does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// The shape of its input: `[height, width, channels]`.
    pub input: [usize; 3],
    /// How images of another shape are resized for it.
    #[serde(default)]
    pub resize: Resize,
    /// What stays as it is in the first part of the training.
    pub freeze: Freeze,
    /// The epochs of the second part, in which all layers are trained.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fine_tune_epochs: usize,
    /// The learning rate of the second part.
    pub fine_tune_rate: f64,
}

/// The learning rate of fine-tuning, unless another one is asked for: a hundredth of the usual one, so that what
/// the network knows is not lost.
pub const FINE_TUNE_RATE: f64 = 1e-5;

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Which layers of a backbone are frozen: all but the classifier, none, or those up to a layer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Freeze {
    /// All but the classifier.
    #[default]
    All,
    /// None.
    None,
    /// Those up to this layer, and the layer itself.
    Through(String),
}

impl From<String> for Freeze {
    fn from(text: String) -> Self {
        match text.as_str() {
            "all" => Self::All,
            "none" => Self::None,
            _ => Self::Through(text),
        }
    }
}

impl From<Freeze> for String {
    fn from(freeze: Freeze) -> Self {
        freeze.to_string()
    }
}

/// As it is written on the command line.
impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::None => "none",
            Self::Through(layer) => layer,
        })
    }
}

impl BackboneConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn check(&self) -> Result<(), StudyError> {
        nn_core::optim::check_learning_rate(self.fine_tune_rate)?;
        if self.fine_tune_epochs > 0 && self.freeze == Freeze::None {
            return Err(StudyError::invalid(
                "--fine-tune trains all layers after the classifier alone was trained, but with --freeze none \
                 they are trained from the start; leave one of the two away",
            ));
        }
        Ok(())
    }
}

/// The SHA-256 of a network's parameters: of their names, shapes and values.
pub fn fingerprint(model: &Sequential) -> String {
    let mut all = Sha256::new();
    for parameter in model.parameters() {
        // The length separates a name from what follows.
        all.update((parameter.name.len() as u64).to_le_bytes());
        all.update(&parameter.name);
        parameter.value.dims().iter().for_each(|&dim| all.update((dim as u64).to_le_bytes()));
        parameter.value.as_slice().iter().for_each(|value| all.update(value.to_le_bytes()));
    }
    let sum: Checksum = all.finalize().into();
    hex(&sum)
}

/// A pretrained network, opened.
pub struct Backbone {
    /// It takes pixels from 0 to 255.
    pub model: Sequential,
}

impl Backbone {
    /// The network with a new classifier for these classes, drawn from `seed`.
    ///
    /// # Errors
    /// If it ends in no layer that could be replaced.
    pub fn classifier(&self, classes: usize, seed: u64) -> Result<Sequential, Error> {
        self.model.clone().with_classes(classes, seed)
    }
}

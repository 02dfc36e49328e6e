//! Which parameters weight decay acts on.

use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::Parameter;
use serde::{Deserialize, Serialize};

/// The parameters that weight decay acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decayed {
    /// All of them, as in Keras and PyTorch unless they are told otherwise.
    #[default]
    All,
    /// Weights: what has two dimensions or more. Not biases, and not the factors and offsets of normalisations,
    /// which no common recipe decays (timm, torchvision's references).
    Weights,
}

impl Decayed {
    /// Whether `parameter` is among them.
    pub fn contains<T: Kernels>(self, parameter: &Parameter<T>) -> bool {
        let is_weight = || parameter.value.dims().len() > 1 && !parameter.name.ends_with(".bias");
        self == Self::All || is_weight()
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde passes references
    pub(super) fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// What it is, for the settings of an optimiser; empty for all, as it was before there was a choice.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Weights => " of weights alone",
        }
    }
}

/// Checks a weight decay: a finite number, 0 or above.
pub(super) fn check_weight_decay(rule: &str, decay: f64) -> Result<()> {
    if decay.is_finite() && decay >= 0.0 {
        return Ok(());
    }
    let usual = if rule == "SGD" { "0.0001 and 0.0005" } else { "0.004 and 0.01" };
    Err(Error::setting(
        format!("{rule}'s weight decay"),
        "a finite number, 0 or above",
        decay,
        format!("{usual} are usual"),
    ))
}

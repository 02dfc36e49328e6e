//! Optimisers in configuration files.

use super::{Adam, Decayed, Optimizer, Sgd};
use crate::error::Result;
use crate::kernels::Kernels;
use serde::{Deserialize, Serialize};

/// An optimiser and its settings; settings that a file omits have Keras' defaults.
///
/// ```
/// use nn_core::optim::{Decayed, OptimizerConfig};
/// let config: OptimizerConfig = serde_json::from_str(r#"{"kind": "sgd", "momentum": 0.9}"#)?;
/// assert_eq!(config, OptimizerConfig::Sgd {
///     momentum: 0.9, nesterov: false, weight_decay: 0.0, decayed: Decayed::All,
/// });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum OptimizerConfig {
    /// See [`Adam::new`].
    Adam {
        /// Decay rate of the first moment, the running mean of gradients.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Decay rate of the second moment, the running mean of squared gradients.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the denominator.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
    },
    /// See [`Adam::decoupled`].
    AdamW {
        /// Decay rate of the first moment, the running mean of gradients.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Decay rate of the second moment, the running mean of squared gradients.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the denominator.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
        /// Weight decay per step, to be multiplied by the learning rate.
        #[serde(default = "default_weight_decay")]
        weight_decay: f64,
        /// The parameters that it acts on.
        #[serde(default, skip_serializing_if = "Decayed::is_all")]
        decayed: Decayed,
    },
    /// See [`Sgd::new`].
    Sgd {
        /// Momentum: the decay rate of the velocity.
        #[serde(default)]
        momentum: f64,
        /// Whether to use Nesterov momentum.
        #[serde(default)]
        nesterov: bool,
        /// L2 regularisation: what each gradient gets of its parameter, as in PyTorch.
        #[serde(default, skip_serializing_if = "is_zero")]
        weight_decay: f64,
        /// The parameters that it acts on.
        #[serde(default, skip_serializing_if = "Decayed::is_all")]
        decayed: Decayed,
    },
}

fn default_beta1() -> f64 {
    0.9
}

fn default_beta2() -> f64 {
    0.999
}

fn default_epsilon() -> f64 {
    1e-7
}

fn default_weight_decay() -> f64 {
    0.004
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes references
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::adam()
    }
}

impl OptimizerConfig {
    /// Adam with Keras' defaults.
    pub fn adam() -> Self {
        Self::Adam { beta1: default_beta1(), beta2: default_beta2(), epsilon: default_epsilon() }
    }

    /// AdamW with Keras' defaults.
    pub fn adamw() -> Self {
        Self::AdamW {
            beta1: default_beta1(),
            beta2: default_beta2(),
            epsilon: default_epsilon(),
            weight_decay: default_weight_decay(),
            decayed: Decayed::All,
        }
    }

    /// Gradient descent without momentum, as by default in Keras and PyTorch. `nn-cli --optimizer sgd` has
    /// momentum 0.9.
    pub fn sgd() -> Self {
        Self::momentum(0.0)
    }

    /// Gradient descent with this momentum, without weight decay.
    pub fn momentum(momentum: f64) -> Self {
        Self::Sgd { momentum, nesterov: false, weight_decay: 0.0, decayed: Decayed::All }
    }

    /// The optimiser in its initial state.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn build<T: Kernels>(self) -> Result<Box<dyn Optimizer<T>>> {
        Ok(match self {
            Self::Adam { beta1, beta2, epsilon } => Box::new(Adam::new(beta1, beta2, epsilon)?),
            Self::AdamW { beta1, beta2, epsilon, weight_decay, decayed } => {
                let adam = Adam::new(beta1, beta2, epsilon)?;
                Box::new(adam.decoupled(weight_decay)?.decaying(decayed))
            }
            Self::Sgd { momentum, nesterov, weight_decay, decayed } => {
                Box::new(Sgd::new(momentum, nesterov)?.weight_decay(weight_decay, decayed)?)
            }
        })
    }
}

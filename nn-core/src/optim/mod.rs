//! How parameters move down their gradients.
//!
//! An [`Optimizer`] owns what it remembers between steps (momenta), shaped like the parameters and
//! made at the first step; a [`Schedule`] says how the learning rate changes. Each update is one
//! pass over fixed chunks of parameter, gradient and memory together, in parallel: every element
//! belongs to one task, so the result does not depend on the number of threads.
//!
//! ```
//! use nn_core::layers::Parameter;
//! use nn_core::optim::{Gradients, OptimizerConfig};
//! use nn_core::Tensor;
//!
//! let mut optimizer = OptimizerConfig::sgd().build::<f32>()?;
//! let value = Tensor::full([2], 1.0).into();
//! let mut parameters = [Parameter { name: "w".into(), value, trainable: true }];
//! let gradients = Gradients::from(vec![Some(Tensor::full([2], 4.0))]);
//! optimizer.step(&mut parameters, &gradients, 0.125)?;
//! assert_eq!(parameters[0].value.as_slice(), [0.5, 0.5]);
//! # Ok::<(), nn_core::Error>(())
//! ```

mod adam;
mod config;
mod gradients;
mod moments;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use config::OptimizerConfig;
pub use gradients::Gradients;
pub use schedule::Schedule;
pub use sgd::Sgd;

use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::Parameter;
use crate::tensor::Tensor;
use std::fmt::Debug;

/// A rule that changes parameters by their gradients.
pub trait Optimizer<T: Kernels>: Debug + Send {
    /// The rule's name: `adam`, `adamw`, `sgd`.
    fn name(&self) -> &'static str;

    /// Makes one step. Parameters that are not trainable or have no gradient stay as they are.
    ///
    /// A parameter whose value somebody else still holds is copied before it changes, so drop the
    /// forward pass's variables first.
    ///
    /// # Errors
    /// If the learning rate is negative or not finite, or a shape does not fit; nothing has
    /// changed then.
    fn step(
        &mut self,
        parameters: &mut [Parameter<T>],
        gradients: &Gradients<T>,
        learning_rate: f64,
    ) -> Result<()>;

    /// What the optimiser remembers, for a checkpoint.
    fn state(&self) -> OptimizerState<'_, T>;

    /// Goes on from a checkpoint: `tensors` as [`Optimizer::state`] named them, for a model with
    /// these `parameters`.
    ///
    /// # Errors
    /// If a tensor is missing, left over or of another shape; the optimiser is unchanged then.
    fn load_state(
        &mut self,
        step: u64,
        tensors: Vec<(String, Tensor<T>)>,
        parameters: &[Parameter<T>],
    ) -> Result<()>;
}

/// What an optimiser remembers between steps.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState<'a, T: Kernels> {
    /// Steps made so far.
    pub step: u64,
    /// Its tensors, named `KIND.PARAMETER`, say `momentum.conv1.weight`; none before the first
    /// step.
    pub tensors: Vec<(String, &'a Tensor<T>)>,
}

/// Checks a learning rate: a finite number, 0 or above.
///
/// # Errors
/// If it is negative, infinite or not a number.
#[doc(hidden)] // settings are checked where they are used; for programs that want to know before
pub fn check_learning_rate(learning_rate: f64) -> Result<()> {
    if learning_rate.is_finite() && learning_rate >= 0.0 {
        return Ok(());
    }
    Err(Error::setting(
        "the learning rate",
        "a finite number, 0 or above",
        learning_rate,
        "0.001 is usual for Adam, 0.01 for SGD",
    ))
}

/// Checks a coefficient of an optimiser: a number from 0 to just below 1.
fn check_decay(what: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::setting(what, "at least 0 and below 1", value, "0.9 and 0.999 are usual"))
}

#[cfg(test)]
mod tests;

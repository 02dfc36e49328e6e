//! Optimisers and learning-rate schedules.
//!
//! An [`Optimizer`] owns its state (moments), which has the shapes of the parameters and is created at
//! the first step; a [`Schedule`] defines how the learning rate changes. Each update is one parallel
//! pass over fixed chunks of parameter, gradient and moments together: every element belongs to one
//! task, so results do not depend on the number of threads.
//!
//! ```
//! use nn_core::layers::Parameter;
//! use nn_core::optim::{Gradients, OptimizerConfig};
//! use nn_core::Tensor;
//!
//! let mut optimizer = OptimizerConfig::sgd().build::<f32>()?;
//! let value = Tensor::full([2], 1.0);
//! let mut parameters = [Parameter::new("w", value)];
//! let gradients = Gradients::from(vec![Some(Tensor::full([2], 4.0))]);
//! optimizer.step(&mut parameters, &gradients, 0.125)?;
//! assert_eq!(parameters[0].value.as_slice(), [0.5, 0.5]);
//! # Ok::<(), nn_core::Error>(())
//! ```

mod adam;
mod config;
mod decay;
mod gradients;
mod moments;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use config::OptimizerConfig;
pub use decay::Decayed;
pub use gradients::Gradients;
pub use schedule::Schedule;
pub use sgd::Sgd;

use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::Parameter;
use crate::tensor::Tensor;
use std::fmt::Debug;

/// An update rule for parameters.
///
/// A rule without memory implements [`step`](Optimizer::step) alone:
///
/// ```
/// use nn_core::layers::Parameter;
/// use nn_core::optim::{Gradients, Optimizer};
/// use nn_core::Result;
/// use std::sync::Arc;
///
/// /// Steps of one length, whatever the size of the gradient (signSGD; Bernstein et al., 2018).
/// #[derive(Debug)]
/// struct SignSgd;
///
/// impl Optimizer<f32> for SignSgd {
///     fn step(&mut self, parameters: &mut [Parameter], gradients: &Gradients, rate: f64) -> Result<()> {
///         for (i, parameter) in parameters.iter_mut().enumerate() {
///             let Some(gradient) = gradients.get(i) else { continue };
///             let weights = Arc::make_mut(&mut parameter.value).as_mut_slice();
///             for (w, g) in weights.iter_mut().zip(gradient.as_slice()) {
///                 *w -= rate as f32 * g.signum();
///             }
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Optimizer<T: Kernels>: Debug + Send {
    /// The rule's name in a checkpoint, so that a run goes on with the rule it began with: `adam`,
    /// `adamw`, `sgd`; by default `own`.
    fn name(&self) -> &str {
        "own"
    }

    /// The rule's settings in words, each with its value, such as `momentum 0.9`, so that a run goes on
    /// with the settings it began with; by default none. The learning rate is not one of them.
    fn settings(&self) -> String {
        String::new()
    }

    /// Makes one step. Parameters that are not trainable or have no gradient are unchanged.
    ///
    /// A parameter whose value is still shared is copied before it changes, so drop the forward pass's
    /// variables first.
    ///
    /// # Errors
    /// If the learning rate is negative or not finite, or a shape does not match; nothing is changed
    /// then.
    fn step(
        &mut self,
        parameters: &mut [Parameter<T>],
        gradients: &Gradients<T>,
        learning_rate: f64,
    ) -> Result<()>;

    /// The optimiser's state, for a checkpoint; by default none. A rule with a memory, such as momentum,
    /// implements this and [`load_state`](Optimizer::load_state): without them, a resumed run begins
    /// with an empty memory and ends at other weights.
    fn state(&self) -> OptimizerState<'_, T> {
        OptimizerState { step: 0, tensors: Vec::new() }
    }

    /// Restores the state from a checkpoint: `tensors` named as by [`Optimizer::state`], for a model
    /// with these `parameters`. By default there is nothing to restore.
    ///
    /// # Errors
    /// If a tensor is missing, unexpected or of another shape; the optimiser is unchanged then.
    fn load_state(
        &mut self,
        step: u64,
        tensors: Vec<(String, Tensor<T>)>,
        parameters: &[Parameter<T>],
    ) -> Result<()> {
        let _ = (step, parameters);
        match tensors.first() {
            None => Ok(()),
            Some((name, _)) => Err(Error::setting(
                format!("the optimizer {}", self.name()),
                "a checkpoint without state, as it has none",
                name,
                "use the optimizer that saved it",
            )),
        }
    }
}

impl<T: Kernels> Optimizer<T> for Box<dyn Optimizer<T>> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn settings(&self) -> String {
        (**self).settings()
    }

    fn step(
        &mut self,
        parameters: &mut [Parameter<T>],
        gradients: &Gradients<T>,
        learning_rate: f64,
    ) -> Result<()> {
        (**self).step(parameters, gradients, learning_rate)
    }

    fn state(&self) -> OptimizerState<'_, T> {
        (**self).state()
    }

    fn load_state(
        &mut self,
        step: u64,
        tensors: Vec<(String, Tensor<T>)>,
        parameters: &[Parameter<T>],
    ) -> Result<()> {
        (**self).load_state(step, tensors, parameters)
    }
}

/// The state of an optimiser between steps.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState<'a, T: Kernels> {
    /// Steps made so far.
    pub step: u64,
    /// Its tensors, named `KIND.PARAMETER`, for example `momentum.conv1.weight`; none before the first
    /// step.
    pub tensors: Vec<(String, &'a Tensor<T>)>,
}

/// Checks a learning rate: a finite number, 0 or above.
///
/// # Errors
/// If it is negative, infinite or not a number.
#[doc(hidden)] // for programs that check settings before they use them
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

/// Checks a decay rate or momentum: at least 0 and below 1.
fn check_decay(what: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::setting(what, "at least 0 and below 1", value, "0.9 and 0.999 are usual"))
}

#[cfg(test)]
mod tests;

//! Stochastic gradient descent.
//!
//! Keras' form, with the learning rate inside the velocity, so that a change of the learning rate
//! affects new gradients only:
//!
//! ```text
//! v  = momentum * v - learning_rate * g
//! w += v                                           (plain momentum)
//! w += momentum * v - learning_rate * g            (Nesterov)
//! ```

use super::moments::Moments;
use super::{Gradients, Optimizer, OptimizerState, check_decay, check_learning_rate};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::kernels::update::Updates;
use crate::layers::Parameter;
use crate::tensor::Tensor;

/// Stochastic gradient descent, with momentum (Polyak, 1964) or Nesterov's (Sutskever et al.,
/// 2013).
#[derive(Debug, Clone)]
pub struct Sgd<T: Kernels = f32> {
    momentum: f64,
    nesterov: bool,
    memory: Memory<T>,
}

/// Without momentum the state is the step count alone.
#[derive(Debug, Clone)]
enum Memory<T: Kernels> {
    None(Moments<T, 0>),
    Velocity(Moments<T, 1>),
}

impl<T: Kernels> Sgd<T> {
    /// Gradient descent with `momentum` (0: none), with Nesterov's rule if `nesterov`.
    ///
    /// # Errors
    /// If the momentum is not in `0..1`.
    pub fn new(momentum: f64, nesterov: bool) -> Result<Self> {
        check_decay("SGD's momentum", momentum)?;
        let memory = if momentum == 0.0 {
            Memory::None(Moments::new([]))
        } else {
            Memory::Velocity(Moments::new(["velocity"]))
        };
        Ok(Self { momentum, nesterov, memory })
    }
}

impl<T: Kernels> Optimizer<T> for Sgd<T> {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn settings(&self) -> String {
        format!("momentum {}, nesterov {}", self.momentum, self.nesterov)
    }

    fn step(
        &mut self,
        parameters: &mut [Parameter<T>],
        gradients: &Gradients<T>,
        learning_rate: f64,
    ) -> Result<()> {
        check_learning_rate(learning_rate)?;
        let rate = T::from_f64(learning_rate);
        let momentum = T::from_f64(self.momentum);
        let nesterov = self.nesterov;
        let Updates { sgd, momentum: with_momentum, .. } = T::updates();
        match &mut self.memory {
            Memory::None(moments) => {
                moments.begin(parameters, gradients)?;
                moments.update(parameters, gradients, |_| {
                    move |w: &mut [T], g: &[T], []: [&mut [T]; 0]| sgd(rate, w, g)
                });
            }
            Memory::Velocity(moments) => {
                moments.begin(parameters, gradients)?;
                moments.update(parameters, gradients, |_| {
                    move |w: &mut [T], g: &[T], [v]: [&mut [T]; 1]| {
                        with_momentum((rate, momentum, nesterov), w, g, v);
                    }
                });
            }
        }
        Ok(())
    }

    fn state(&self) -> OptimizerState<'_, T> {
        match &self.memory {
            Memory::None(moments) => moments.state(),
            Memory::Velocity(moments) => moments.state(),
        }
    }

    fn load_state(
        &mut self,
        step: u64,
        tensors: Vec<(String, Tensor<T>)>,
        parameters: &[Parameter<T>],
    ) -> Result<()> {
        match &mut self.memory {
            Memory::None(moments) => moments.load(step, tensors, parameters),
            Memory::Velocity(moments) => moments.load(step, tensors, parameters),
        }
    }
}

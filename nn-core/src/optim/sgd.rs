//! Stochastic gradient descent.
//!
//! Keras' form, with the learning rate inside the velocity, so that a change of the learning rate
//! affects new gradients only:
//!
//! ```text
//! g += weight_decay * w
//! v  = momentum * v - learning_rate * g
//! w += v                                           (plain momentum)
//! w += momentum * v - learning_rate * g            (Nesterov)
//! ```
//!
//! The weight decay is PyTorch's `weight_decay`: L2 regularisation, a part of the gradient, which momentum adds up
//! as well. Keras' `weight_decay` shrinks the weights beside the gradient instead, as AdamW does; with the same
//! number and momentum 0.9 it decays ten times less.

use super::decay::{Decayed, check_weight_decay};
use super::moments::Moments;
use super::{Gradients, Optimizer, OptimizerState, check_decay, check_learning_rate};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::kernels::update::{SgdFactors, Updates};
use crate::layers::Parameter;
use crate::tensor::Tensor;

/// Stochastic gradient descent, with momentum (Polyak, 1964) or Nesterov's (Sutskever et al.,
/// 2013).
#[derive(Debug, Clone)]
pub struct Sgd<T: Kernels = f32> {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    decayed: Decayed,
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
        let decayed = Decayed::All;
        Ok(Self { momentum, nesterov, weight_decay: 0.0, decayed, memory })
    }

    /// Adds `weight_decay` times the parameter to each gradient, as PyTorch does (L2 regularisation), for the
    /// parameters that are `decayed`.
    ///
    /// # Errors
    /// If the weight decay is negative or not finite.
    pub fn weight_decay(self, weight_decay: f64, decayed: Decayed) -> Result<Self> {
        check_weight_decay("SGD", weight_decay)?;
        Ok(Self { weight_decay, decayed, ..self })
    }
}

impl<T: Kernels> Optimizer<T> for Sgd<T> {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn settings(&self) -> String {
        let sgd = format!("momentum {}, nesterov {}", self.momentum, self.nesterov);
        match self.weight_decay {
            0.0 => sgd,
            decay => format!("{sgd}, weight decay {decay}{}", self.decayed.words()),
        }
    }

    fn step(
        &mut self,
        parameters: &mut [Parameter<T>],
        gradients: &Gradients<T>,
        learning_rate: f64,
    ) -> Result<()> {
        check_learning_rate(learning_rate)?;
        let Self { momentum, nesterov, weight_decay, decayed, .. } = *self;
        let factors = |parameter: &Parameter<T>| {
            let decay = if decayed.contains(parameter) { weight_decay } else { 0.0 };
            SgdFactors {
                rate: T::from_f64(learning_rate),
                decay: T::from_f64(decay),
                momentum: T::from_f64(momentum),
                nesterov,
            }
        };
        let Updates { sgd, momentum: with_momentum, .. } = T::updates();
        match &mut self.memory {
            Memory::None(moments) => {
                moments.begin(parameters, gradients)?;
                moments.update(parameters, gradients, |_, parameter| {
                    let factors = factors(parameter);
                    move |w: &mut [T], g: &[T], []: [&mut [T]; 0]| sgd(factors, w, g)
                });
            }
            Memory::Velocity(moments) => {
                moments.begin(parameters, gradients)?;
                moments.update(parameters, gradients, |_, parameter| {
                    let factors = factors(parameter);
                    move |w: &mut [T], g: &[T], [v]: [&mut [T]; 1]| with_momentum(factors, w, g, v)
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

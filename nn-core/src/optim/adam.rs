//! Adam and AdamW.
//!
//! With `g` the gradient and `t` the number of the parameter's update, counted from 1, per element:
//!
//! ```text
//! a  = learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t)
//! m += (g - m) * (1 - beta1)
//! v += (g * g - v) * (1 - beta2)
//! w -= learning_rate * weight_decay * w            (AdamW only)
//! w -= a * m / (sqrt(v) + epsilon)
//! ```
//!
//! This is Keras' form, with `epsilon` outside the bias correction. PyTorch has it inside, so the same
//! `epsilon` has a different effect there.

use super::decay::{Decayed, check_weight_decay};
use super::moments::Moments;
use super::{Gradients, Optimizer, OptimizerState, check_decay, check_learning_rate};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::update::AdamFactors;
use crate::layers::Parameter;
use crate::tensor::Tensor;

/// Adam (Kingma and Ba, 2015), and with a weight decay AdamW (Loshchilov and Hutter, 2019).
#[derive(Debug, Clone)]
pub struct Adam<T: Kernels = f32> {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: Option<f64>,
    decayed: Decayed,
    moments: Moments<T, 2>,
}

impl<T: Kernels> Adam<T> {
    /// Adam with the decay rates of its two moments, and `epsilon`, which keeps the denominator from
    /// being zero (Keras: 0.9, 0.999, 1e-7).
    ///
    /// # Errors
    /// If a decay rate is not in `0..1` or `epsilon` is not above 0.
    pub fn new(beta1: f64, beta2: f64, epsilon: f64) -> Result<Self> {
        check_decay("Adam's beta1", beta1)?;
        check_decay("Adam's beta2", beta2)?;
        // If epsilon rounded to 0 in f32, 0 / 0 would make the weights NaN.
        if !(epsilon.is_finite() && T::from_f64(epsilon) > T::zero()) {
            return Err(Error::setting("Adam's epsilon", "above 0", epsilon, "1e-7 is usual"));
        }
        let moments = Moments::new(["momentum", "velocity"]);
        let decayed = Decayed::All;
        Ok(Self { beta1, beta2, epsilon, weight_decay: None, decayed, moments })
    }

    /// AdamW: each step also shrinks every trainable parameter, including biases, by the fraction
    /// `learning_rate * weight_decay`, independently of the moments. [`Adam::decaying`] leaves some out.
    ///
    /// # Errors
    /// If the weight decay is negative or not finite.
    pub fn decoupled(mut self, weight_decay: f64) -> Result<Self> {
        check_weight_decay("AdamW", weight_decay)?;
        self.weight_decay = Some(weight_decay);
        Ok(self)
    }

    /// The parameters that the weight decay acts on.
    pub fn decaying(self, decayed: Decayed) -> Self {
        Self { decayed, ..self }
    }
}

impl<T: Kernels> Optimizer<T> for Adam<T> {
    fn name(&self) -> &'static str {
        if self.weight_decay.is_some() { "adamw" } else { "adam" }
    }

    fn settings(&self) -> String {
        let Self { beta1, beta2, epsilon, .. } = self;
        let adam = format!("beta1 {beta1}, beta2 {beta2}, epsilon {epsilon}");
        match self.weight_decay {
            Some(decay) => format!("{adam}, weight decay {decay}{}", self.decayed.words()),
            None => adam,
        }
    }

    fn step(
        &mut self,
        parameters: &mut [Parameter<T>],
        gradients: &Gradients<T>,
        learning_rate: f64,
    ) -> Result<()> {
        check_learning_rate(learning_rate)?;
        self.moments.begin(parameters, gradients)?;
        let Self { beta1, beta2, epsilon, weight_decay, decayed, .. } = *self;
        let adam = T::updates().adam;
        self.moments.update(parameters, gradients, |step, parameter| {
            let decay = weight_decay.filter(|_| decayed.contains(parameter));
            let t = step as f64;
            let bias1 = 1.0 - beta1.powf(t);
            let bias2 = 1.0 - beta2.powf(t);
            let factors = AdamFactors {
                rate1: T::from_f64(1.0 - beta1),
                rate2: T::from_f64(1.0 - beta2),
                rate: T::from_f64(learning_rate * bias2.sqrt() / bias1),
                decay: T::from_f64(learning_rate * decay.unwrap_or(0.0)),
                epsilon: T::from_f64(epsilon),
            };
            move |w: &mut [T], g: &[T], [m, v]: [&mut [T]; 2]| adam(factors, w, g, m, v)
        });
        Ok(())
    }

    fn state(&self) -> OptimizerState<'_, T> {
        self.moments.state()
    }

    fn load_state(
        &mut self,
        step: u64,
        tensors: Vec<(String, Tensor<T>)>,
        parameters: &[Parameter<T>],
    ) -> Result<()> {
        self.moments.load(step, tensors, parameters)
    }
}

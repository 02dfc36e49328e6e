//! Normalisation: batch, layer, group and instance normalisation.
//!
//! `y = (x - mean) / sqrt(variance + epsilon) * gamma + beta`, where mean and (biased) variance are those
//! of a part of `x`. Statistics are computed in double precision; gradients flow through them.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Received, Result};
use crate::kernels::Kernels;
use crate::kernels::bounds::Bounds;
use crate::kernels::norm::{Parts, Statistics};
use crate::tensor::{Scratch, Tensor};
use std::sync::Arc;

/// What [`Tape::batch_norm`] computes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BatchNorm<T: Kernels = f32> {
    /// The normalised values, of the input's shape.
    pub output: Var<T>,
    /// The mean of each channel, `[channels]`.
    pub mean: Tensor<T>,
    /// The biased variance of each channel, `[channels]`: the mean of the squared distances from the
    /// mean. Times `count / (count - 1)` it is the unbiased one.
    pub variance: Tensor<T>,
    /// How many numbers each channel has.
    pub count: usize,
}

struct Norm<T: Kernels> {
    name: &'static str,
    parts: Parts,
    x: Arc<Tensor<T>>,
    gamma: Arc<Tensor<T>>,
    beta: Arc<Tensor<T>>,
    bounds: Bounds<T>,
    mean: Scratch<f64>,
    inverse: Scratch<f64>,
    /// Whether the statistics are inputs of the op, those after `beta`.
    given: bool,
}

impl<T: Kernels> Norm<T> {
    fn statistics(&self) -> Statistics<'_, T> {
        let (gamma, beta) = (self.gamma.as_slice(), self.beta.as_slice());
        Statistics { mean: &self.mean, inverse: &self.inverse, gamma, beta, bounds: self.bounds }
    }
}

impl<T: Kernels> Op<T> for Norm<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let pool = inputs.pool().clone();
        let channels = self.parts.channels;
        let mut sums = pool.scratch_of::<f64>(2 * channels);
        let (d_gamma, d_beta) = sums.split_at_mut(channels);
        let mut dx = gradient;
        let (x, s, dx_slice) = (self.x.as_slice(), self.statistics(), dx.as_mut_slice());
        let compute = T::norms().gradient;
        compute(self.parts, x, s, self.given, dx_slice, (d_gamma, d_beta), &pool);
        inputs.accumulate(0, dx)?;
        let per_channel =
            |value: &dyn Fn(usize) -> f64| Tensor::from_fn([channels], |c| T::from_f64(value(c)));
        inputs.accumulate(1, per_channel(&|c| d_gamma[c]))?;
        inputs.accumulate(2, per_channel(&|c| d_beta[c]))?;
        if self.given {
            let scale = |c: usize| self.gamma.as_slice()[c].as_f64() * self.inverse[c];
            inputs.accumulate(3, per_channel(&|c| -scale(c) * d_beta[c]))?;
            let slope = |c: usize| -0.5 * scale(c) * self.inverse[c] * d_gamma[c];
            inputs.accumulate(4, per_channel(&slope))?;
        }
        Ok(())
    }
}

impl<T: Kernels> Tape<T> {
    /// Batch normalisation in training (Ioffe and Szegedy, 2015): normalises each channel of
    /// `x [batch, .., channels]` by its mean and biased variance over all other dimensions, then scales
    /// it by `gamma [channels]` and shifts it by `beta [channels]`. Returns the statistics as well, for
    /// the running ones of [`Tape::batch_norm_inference`].
    ///
    /// A channel of one number becomes `beta`, and passes no gradient on to `x`.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f64>::new();
    /// let x = tape.leaf(Tensor::from_vec([4, 1], vec![1., 3., 5., 7.])?);
    /// let gamma = tape.leaf(Tensor::full([1], 1.0));
    /// let beta = tape.leaf(Tensor::zeros([1]));
    /// let norm = tape.batch_norm(&x, &gamma, &beta, 0.0)?;
    /// assert_eq!((norm.mean.item()?, norm.variance.item()?, norm.count), (4.0, 5.0, 4));
    /// assert!((norm.output.value().as_slice()[3] - 3.0 / 5f64.sqrt()).abs() < 1e-15);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `x` has no dimension or no numbers, `gamma` or `beta` is not `[channels]`, or `epsilon` is
    /// negative or not finite.
    pub fn batch_norm(
        &self,
        x: &Var<T>,
        gamma: &Var<T>,
        beta: &Var<T>,
        epsilon: f64,
    ) -> Result<BatchNorm<T>> {
        self.batch_norm_within("batch_norm", [x, gamma, beta], epsilon, Bounds::none())
    }

    /// ReLU of [`Tape::batch_norm`], in one op: `max(batch_norm(x), 0)`, and at most `greatest` if one is given
    /// (6 for ReLU6). Values and gradients are those of the two ops, but what lies between them is never stored,
    /// and each pass goes over memory once less. NaN stays NaN; the gradient at 0 and `greatest` is 0.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f64>::new();
    /// let x = tape.leaf(Tensor::from_vec([4, 1], vec![1., 3., 5., 7.])?);
    /// let gamma = tape.leaf(Tensor::full([1], 1.0));
    /// let beta = tape.leaf(Tensor::zeros([1]));
    /// let norm = tape.batch_norm_relu(&x, &gamma, &beta, 0.0, Some(1.0))?;
    /// assert_eq!(norm.output.value().as_slice(), [0.0, 0.0, 1.0 / 5f64.sqrt(), 1.0]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Tape::batch_norm`], and if `greatest` is not above 0.
    pub fn batch_norm_relu(
        &self,
        x: &Var<T>,
        gamma: &Var<T>,
        beta: &Var<T>,
        epsilon: f64,
        greatest: Option<f64>,
    ) -> Result<BatchNorm<T>> {
        const NAME: &str = "batch_norm_relu";
        if let Some(greatest) = greatest.filter(|&greatest| greatest.is_nan() || greatest <= 0.0) {
            return Err(Error::setting(
                format!("{NAME}: greatest"),
                "above 0",
                greatest,
                "6 is that of ReLU6; none makes it a ReLU",
            ));
        }
        self.batch_norm_within(NAME, [x, gamma, beta], epsilon, Bounds::relu(greatest))
    }

    fn batch_norm_within(
        &self,
        name: &'static str,
        [x, gamma, beta]: [&Var<T>; 3],
        epsilon: f64,
        bounds: Bounds<T>,
    ) -> Result<BatchNorm<T>> {
        let channels = checked(name, x, [("gamma", gamma), ("beta", beta)], epsilon)?;
        if x.value().is_empty() {
            return Err(Error::shape(
                name,
                "at least one number per channel",
                x.shape(),
                "leave out empty batches",
            ));
        }
        let count = x.value().len() / channels;
        let parts = Parts { samples: 1, positions: count, channels, groups: channels };
        let (means, variances) = self.moments(parts, x);
        let narrow = |values: &[f64]| Tensor::from_fn([channels], |c| T::from_f64(values[c]));
        let (mean, variance) = (narrow(&means), narrow(&variances));
        let inputs = [x, gamma, beta];
        let output = self.normalize(name, parts, &inputs, (means, variances), epsilon, bounds);
        Ok(BatchNorm { output, mean, variance, count })
    }

    /// Batch normalisation in inference: as [`Tape::batch_norm`], with a mean and a variance per
    /// channel that are given, `[channels]`. Gradients flow to all inputs that need one.
    ///
    /// # Errors
    /// If `x` has no dimension, one of the others is not `[channels]`, a variance plus `epsilon` is not
    /// above 0, or `epsilon` is negative or not finite.
    pub fn batch_norm_inference(
        &self,
        x: &Var<T>,
        gamma: &Var<T>,
        beta: &Var<T>,
        mean: &Var<T>,
        variance: &Var<T>,
        epsilon: f64,
    ) -> Result<Var<T>> {
        const NAME: &str = "batch_norm_inference";
        let per_channel =
            [("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance)];
        let channels = checked(NAME, x, per_channel, epsilon)?;
        let positions = x.value().len().checked_div(channels).unwrap_or(0);
        let parts = Parts { samples: 1, positions, channels, groups: channels };
        let mut means = self.pool().scratch_of::<f64>(channels);
        for (to, value) in means.iter_mut().zip(mean.value().as_slice()) {
            *to = value.as_f64();
        }
        let mut variances = self.pool().scratch_of::<f64>(channels);
        check_variances(NAME, variance.value(), epsilon)?;
        for (to, value) in variances.iter_mut().zip(variance.value().as_slice()) {
            *to = value.as_f64();
        }
        let inputs = [x, gamma, beta, mean, variance];
        let bounds = Bounds::none();
        Ok(self.normalize(NAME, parts, &inputs, (means, variances), epsilon, bounds))
    }

    /// Layer normalisation (Ba, Kiros and Hinton, 2016): normalises each row of `x [.., channels]` along
    /// its last dimension, then scales by `gamma [channels]` and shifts by `beta [channels]`.
    ///
    /// # Errors
    /// If `x` has no dimension, `gamma` or `beta` is not `[channels]`, or `epsilon` is negative or not
    /// finite.
    pub fn layer_norm(
        &self,
        x: &Var<T>,
        gamma: &Var<T>,
        beta: &Var<T>,
        epsilon: f64,
    ) -> Result<Var<T>> {
        const NAME: &str = "layer_norm";
        let channels = checked(NAME, x, [("gamma", gamma), ("beta", beta)], epsilon)?;
        let samples = x.value().len().checked_div(channels).unwrap_or(0);
        let parts = Parts { samples, positions: 1, channels, groups: 1 };
        let moments = self.moments(parts, x);
        let bounds = Bounds::none();
        Ok(self.normalize(NAME, parts, &[x, gamma, beta], moments, epsilon, bounds))
    }

    /// Group normalisation (Wu and He, 2018): cuts the channels of `x [batch, .., channels]` into
    /// `groups` of equal size and normalises each group of each sample over its channels and all
    /// positions, then scales by `gamma [channels]` and shifts by `beta [channels]`. With as many groups
    /// as channels it is instance normalisation (Ulyanov et al., 2016).
    ///
    /// # Errors
    /// If `x` has fewer than two dimensions, the groups do not divide the channels, `gamma` or `beta` is
    /// not `[channels]`, or `epsilon` is negative or not finite.
    pub fn group_norm(
        &self,
        x: &Var<T>,
        groups: usize,
        gamma: &Var<T>,
        beta: &Var<T>,
        epsilon: f64,
    ) -> Result<Var<T>> {
        const NAME: &str = "group_norm";
        let channels = checked(NAME, x, [("gamma", gamma), ("beta", beta)], epsilon)?;
        let &[samples, .., _] = x.dims() else {
            return Err(Error::shape(
                NAME,
                "an input [batch, .., channels]",
                x.shape(),
                "add the batch dimension with reshape",
            ));
        };
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(Error::setting(
                "group_norm: groups",
                format!("a divisor of {channels}, the number of channels"),
                groups,
                "1 and the number of channels always divide it; 32 is usual",
            ));
        }
        let positions = x.dims()[1..x.dims().len() - 1].iter().product();
        let parts = Parts { samples, positions, channels, groups };
        let moments = self.moments(parts, x);
        let bounds = Bounds::none();
        Ok(self.normalize(NAME, parts, &[x, gamma, beta], moments, epsilon, bounds))
    }

    /// Means and variances of every group of every sample.
    fn moments(&self, parts: Parts, x: &Var<T>) -> (Scratch<f64>, Scratch<f64>) {
        let cells = if x.value().is_empty() { 0 } else { parts.samples * parts.groups };
        let mut means = self.pool().scratch_of::<f64>(cells);
        let mut variances = self.pool().scratch_of::<f64>(cells);
        let x = x.value().as_slice();
        (T::norms().moments)(parts, x, &mut means, &mut variances, self.pool());
        (means, variances)
    }

    /// The normalised values of `inputs`: `x`, `gamma`, `beta`, and mean and variance if they are inputs.
    fn normalize(
        &self,
        name: &'static str,
        parts: Parts,
        inputs: &[&Var<T>],
        (mean, variance): (Scratch<f64>, Scratch<f64>),
        epsilon: f64,
        bounds: Bounds<T>,
    ) -> Var<T> {
        let (x, gamma, beta) = (inputs[0], inputs[1], inputs[2]);
        let mut inverse = variance;
        inverse.iter_mut().for_each(|v| *v = 1.0 / (*v + epsilon).sqrt());
        let mut y = Tensor::uninit(x.shape(), self.pool());
        let (x, gamma, beta) = (x.share(), gamma.share(), beta.share());
        let op =
            Norm { name, parts, x, gamma, beta, bounds, mean, inverse, given: inputs.len() > 3 };
        (T::norms().normalize)(parts, op.x.as_slice(), op.statistics(), y.as_mut_slice());
        self.record(op, inputs, y)
    }
}

/// Checks that each variance of the op `name` has a square root, with `epsilon` added.
pub(crate) fn check_variances<T: Kernels>(
    name: &str,
    variances: &Tensor<T>,
    epsilon: f64,
) -> Result<()> {
    let mut all = variances.as_slice().iter().map(|value| value.as_f64()).enumerate();
    match all.find(|(_, variance)| variance + epsilon <= 0.0) {
        None => Ok(()),
        Some((i, variance)) => Err(Error::data(
            format!("{name}: variance {i} plus epsilon"),
            "above 0",
            format!("{variance} + {epsilon}"),
            "look for broken statistics, or raise epsilon",
        )),
    }
}

/// The number of channels of `x`, once everything fits.
fn checked<T: Kernels, const N: usize>(
    name: &'static str,
    x: &Var<T>,
    per_channel: [(&str, &Var<T>); N],
    epsilon: f64,
) -> Result<usize> {
    let Some(&channels) = x.dims().last() else {
        return Err(Error::shape(
            name,
            "an input whose last dimension is the channels",
            x.shape(),
            "reshape the number to [1]",
        ));
    };
    for (what, values) in per_channel {
        if values.dims() != [channels] {
            return Err(Error::shape(
                name,
                format!("{what} [{channels}], one number per channel of the input {}", x.shape()),
                Received::named([(what, values.dims())]),
                "channels come last",
            ));
        }
    }
    if !(epsilon.is_finite() && epsilon >= 0.0) {
        return Err(Error::setting(
            format!("{name}: epsilon"),
            "finite and not negative",
            epsilon,
            "1e-5 (PyTorch) and 1e-3 (Keras) are usual",
        ));
    }
    Ok(channels)
}

#[cfg(test)]
mod tests;

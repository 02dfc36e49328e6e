//! What a step does beside descending the loss, so that weights do not fit single samples.

use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::loss::{Loss, Targets};
use crate::model::Model;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What a step does beside descending the loss. By default nothing.
///
/// Labels are smoothed and classes weighted in training only: validation and tests measure the plain loss, so that
/// runs with and without can be compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Regularization {
    /// The share of each label that is spread evenly over all classes (Szegedy et al., 2016), 0 or above and
    /// below 1: targets become `(1 - s) y + s / classes`, as in PyTorch and Keras. With the binary cross-entropy they
    /// become `(1 - s) y + s / 2`, as in Keras.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_smoothing: f64,
    /// A factor for the loss of the samples of each class. The loss of a batch is the sum of the weighted losses
    /// divided by the number of samples, as with Keras' `class_weight`; PyTorch divides by the sum of the
    /// weights, which in a small batch of one class takes the weight out again. See [`balanced_weights`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f64>>,
    /// The largest norm of the gradient of all parameters together: a longer one is scaled to it, as by PyTorch's
    /// `clip_grad_norm_` (Pascanu et al., 2013).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// The decay of an exponential moving average of the weights, above 0 and below 1, which is what is validated,
    /// kept and left in the end; training goes on with the weights themselves. After step `t`, counted from 1, the
    /// average moves towards the weights by the share `1 - min(decay, (1 + t) / (10 + t))`, so that it soon forgets
    /// the first weights (as TensorFlow's `ExponentialMovingAverage` with `num_updates`). The running statistics of
    /// batch normalisation are averaged, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
}

impl Regularization {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the loss of a step is another than that of an evaluation.
    pub(super) fn changes_loss(&self) -> bool {
        self.label_smoothing != 0.0 || self.class_weights.is_some()
    }

    /// Checks the settings by themselves.
    pub(super) fn check(&self) -> Result<()> {
        let Self { label_smoothing, class_weights, clip_norm, ema } = self;
        if !(0.0..1.0).contains(label_smoothing) {
            return Err(Error::setting(
                "label smoothing",
                "0 or above and below 1",
                label_smoothing,
                "0.1 is usual",
            ));
        }
        let weights = class_weights.iter().flatten();
        if let Some(weight) = weights.clone().find(|w| !(w.is_finite() && **w >= 0.0)) {
            return Err(Error::setting(
                "the weight of a class",
                "a finite number, 0 or above",
                weight,
                "balanced weights are n / (classes * n of the class)",
            ));
        }
        if let Some(norm) = clip_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            return Err(Error::setting(
                "the largest norm of the gradient",
                "a number above 0",
                norm,
                "1 is usual",
            ));
        }
        if let Some(decay) = ema.filter(|decay| !(*decay > 0.0 && *decay < 1.0)) {
            return Err(Error::setting(
                "the decay of averaged weights",
                "above 0 and below 1",
                decay,
                "0.99 and 0.999 are usual",
            ));
        }
        Ok(())
    }

    /// Checks that a model with this loss, or with an objective of its own, can be trained so.
    pub(super) fn fits<T: Kernels>(&self, loss: Option<Loss>, model: &Model<T>) -> Result<()> {
        if !self.changes_loss() {
            return Ok(());
        }
        let loss = loss.filter(|loss| *loss != Loss::MeanSquaredError);
        let Some(loss) = loss else {
            return Err(Error::setting(
                "the loss for label smoothing or class weights",
                "a cross-entropy",
                "another",
                "use categorical_crossentropy or binary_crossentropy, or leave them away",
            ));
        };
        let outputs = model.output_shape().len();
        let classes = if loss == Loss::BinaryCrossentropy { outputs.max(2) } else { outputs };
        match &self.class_weights {
            Some(weights) if weights.len() != classes => Err(Error::setting(
                "the class weights",
                format!("{classes}, one for each class"),
                weights.len(),
                "give a weight for every class, in the order of the outputs",
            )),
            _ => Ok(()),
        }
    }
}

/// The weights that give all classes the same share of the loss: `n / (classes * n of the class)`, as scikit-learn's
/// `class_weight="balanced"`, of the samples' labels. A class without samples has the weight 0.
///
/// ```
/// use nn_core::train::balanced_weights;
/// assert_eq!(balanced_weights(&[0, 0, 0, 1], 2), [4.0 / (2.0 * 3.0), 4.0 / 2.0]);
/// ```
pub fn balanced_weights(labels: &[usize], classes: usize) -> Vec<f64> {
    let mut counts = vec![0_usize; classes];
    for &label in labels {
        if let Some(count) = counts.get_mut(label) {
            *count += 1;
        }
    }
    let weight = |&count: &usize| match count {
        0 => 0.0,
        count => labels.len() as f64 / (classes as f64 * count as f64),
    };
    counts.iter().map(weight).collect()
}

/// A cross-entropy with smoothed labels and weighted classes.
pub(super) struct RegularizedLoss<'a> {
    pub loss: Loss,
    pub settings: &'a Regularization,
}

impl RegularizedLoss<'_> {
    /// The loss of a batch, a scalar.
    ///
    /// # Errors
    /// As those of the loss.
    pub fn apply<T: Kernels>(
        &self,
        tape: &Tape<T>,
        logits: &Var<T>,
        targets: Targets<'_, T>,
    ) -> Result<Var<T>> {
        let labels = self.loss.labels(targets, logits)?;
        let weights = self.weights(&labels);
        let classes = labels.dims().last().copied().unwrap_or(1).max(1);
        let (is_binary, n) = (self.loss == Loss::BinaryCrossentropy, labels.len() as f64);
        // The mean is over samples, and for independent outputs over these as well.
        let n = if is_binary { n } else { n / classes as f64 };
        let smoothing = self.settings.label_smoothing;
        let even = smoothing / if is_binary { 2.0 } else { classes as f64 };
        let share = |i: usize| weights[i / classes] / n;
        let smooth = |i: usize| (1.0 - smoothing) * labels.as_slice()[i].as_f64() + even;
        let constant = |f: &dyn Fn(usize) -> f64| {
            tape.constant(Tensor::from_fn(labels.shape(), |i| T::from_f64(f(i))))
        };
        if is_binary {
            // -y log p - (1 - y) log (1 - p) = softplus(z) - y z, with p = sigmoid(z).
            let softplus = tape.softplus(logits.clone());
            let first = tape.mul(&softplus, &constant(&share))?;
            let second = tape.mul(logits, &constant(&|i| share(i) * smooth(i)))?;
            return Ok(tape.sum(&tape.sub(&first, &second)?));
        }
        let logarithms = tape.log_softmax(logits.clone())?;
        let weighted = tape.mul(&logarithms, &constant(&|i| -share(i) * smooth(i)))?;
        Ok(tape.sum(&weighted))
    }

    /// The weight of each sample: that of its class, and of soft labels the mean over its classes.
    fn weights<T: Kernels>(&self, labels: &Tensor<T>) -> Vec<f64> {
        let rows = labels.dims().first().copied().unwrap_or(0);
        let Some(weights) = &self.settings.class_weights else { return vec![1.0; rows] };
        let of = |row: &[T]| match (row, weights.as_slice()) {
            // One output for two classes.
            (&[y], &[first, second]) => first + (second - first) * y.as_f64(),
            (row, weights) => row.iter().zip(weights).map(|(y, w)| y.as_f64() * w).sum(),
        };
        (0..rows).map(|i| of(labels.row(i))).collect()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes references
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

//! Normalisation layers: batch, layer and group normalisation.
//!
//! Each subtracts a mean, divides by a standard deviation, and then scales by `weight [channels]` and adds
//! `bias [channels]`, which are trained.

use super::defaults::is_default;
use super::{Activation, Forward, Layer, LayerConfig, LayerSpec, ParameterSpec, single};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::init::{Fans, Initializer};
use crate::kernels::Kernels;
use crate::tensor::{Shape, Tensor};
use serde::{Deserialize, Serialize};

/// Which variance a [`BatchNormalization`] keeps for inference. In training it always normalises by the
/// biased one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunningVariance {
    /// The sum of squared distances divided by `n - 1`, as in PyTorch: the default.
    #[default]
    Unbiased,
    /// Divided by `n`, as in Keras.
    Biased,
}

/// Batch normalisation (Ioffe and Szegedy, 2015): normalises each channel, the last dimension, over all
/// other dimensions of the batch. In training by the batch's own mean and variance, which also change the
/// running ones; in inference by the running ones.
///
/// | | PyTorch ([`new`](Self::new)) | Keras ([`keras`](Self::keras)) |
/// |---|---|---|
/// | `running = (1 - momentum) * running + momentum * batch` with | 0.1 | 0.01, called `momentum=0.99` |
/// | `epsilon` | 1e-5 | 1e-3 |
/// | running variance | unbiased | biased |
///
/// Parameters: `weight [channels]`, `bias [channels]`, and as state `running_mean [channels]` and
/// `running_var [channels]`. A batch that has one number per channel tells nothing about its spread: it
/// leaves the state as it is.
///
/// ```
/// use nn_core::layers::{BatchNormalization, Conv2D, Padding};
/// use nn_core::model::Sequential;
/// let model: Sequential = Sequential::builder([8, 8, 3])
///     .layer(Conv2D::new(4, 3).padding(Padding::Same))
///     .layer(BatchNormalization::new())
///     .build(27)?;
/// assert!(model.get("bn1.running_mean").is_some_and(|mean| !mean.trainable));
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchNormalization {
    /// The weight of a batch in the running statistics, PyTorch's convention: above 0, at most 1.
    pub momentum: f64,
    /// Added to the variance.
    pub epsilon: f64,
    /// Which variance is kept for inference.
    #[serde(skip_serializing_if = "is_default")]
    pub running_variance: RunningVariance,
}

impl BatchNormalization {
    /// PyTorch's defaults.
    pub fn new() -> Self {
        let running_variance = RunningVariance::Unbiased;
        Self { momentum: 0.1, epsilon: usual_epsilon(), running_variance }
    }

    /// Keras' defaults.
    pub fn keras() -> Self {
        let running_variance = RunningVariance::Biased;
        Self { momentum: 0.01, epsilon: 1e-3, running_variance }
    }

    /// Sets the weight of a batch in the running statistics: PyTorch's momentum, 1 less Keras'.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets the number added to the variance.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets which variance is kept for inference.
    pub fn running_variance(mut self, running_variance: RunningVariance) -> Self {
        self.running_variance = running_variance;
        self
    }

    /// The running statistic after a batch, in double precision.
    fn updated<T: Kernels>(&self, running: &Var<T>, batch: &Tensor<T>, factor: f64) -> Tensor<T> {
        let pairs = running.value().as_slice().iter().zip(batch.as_slice());
        let mut pairs = pairs.map(|(running, batch)| {
            let running = running.as_f64();
            T::from_f64(running + self.momentum * (batch.as_f64() * factor - running))
        });
        Tensor::from_fn(batch.shape(), |_| pairs.next().unwrap_or_default())
    }
}

impl Default for BatchNormalization {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerSpec for BatchNormalization {
    fn kind(&self) -> &'static str {
        "BatchNormalization"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "bn".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        check_epsilon(self.kind(), self.epsilon)?;
        if !(self.momentum > 0.0 && self.momentum <= 1.0) {
            return Err(Error::setting(
                "BatchNormalization's momentum",
                "above 0 and at most 1, the weight of a batch in the running statistics",
                self.momentum,
                "0.1 is usual; a momentum of Keras, such as 0.99, is 1 less it here",
            ));
        }
        channels(self.kind(), inputs)?;
        Ok(single(self.kind(), inputs)?.clone())
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let channels = channels(self.kind(), inputs)?;
        let [weight, bias] = scale_and_shift(channels);
        let mean = ParameterSpec::state("running_mean", [channels], Initializer::Zeros);
        let variance = ParameterSpec::state("running_var", [channels], Initializer::Constant(1.0));
        Ok(vec![weight, bias, mean, variance])
    }
}

impl<T: Kernels> Layer<T> for BatchNormalization {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("BatchNormalization", inputs)?;
        self.forward_with(cx, &x, parameters, Activation::Linear)
    }
}

impl BatchNormalization {
    /// The layer and an activation behind it. In training a ReLU or ReLU6 is one op with it.
    pub(crate) fn forward_with<T: Kernels>(
        &self,
        cx: &mut Forward<'_, T>,
        x: &Var<T>,
        parameters: &[Var<T>],
        activation: Activation,
    ) -> Result<Var<T>> {
        let [weight, bias, running_mean, running_var] = parameters else {
            return Err(wrong_parameters("BatchNormalization", 4, parameters.len()));
        };
        let (tape, epsilon) = (cx.tape, self.epsilon);
        if !cx.training {
            let (mean, variance) = (running_mean, running_var);
            let y = tape.batch_norm_inference(x, weight, bias, mean, variance, epsilon)?;
            return activation.apply(tape, y);
        }
        let (norm, rest) = match activation {
            Activation::Relu => {
                (tape.batch_norm_relu(x, weight, bias, epsilon, None)?, Activation::Linear)
            }
            Activation::Relu6 => {
                (tape.batch_norm_relu(x, weight, bias, epsilon, Some(6.0))?, Activation::Linear)
            }
            other => (tape.batch_norm(x, weight, bias, epsilon)?, other),
        };
        if norm.count > 1 {
            let n = norm.count as f64;
            let factor = match self.running_variance {
                RunningVariance::Unbiased => n / (n - 1.0),
                RunningVariance::Biased => 1.0,
            };
            let mean = self.updated(running_mean, &norm.mean, 1.0);
            let variance = self.updated(running_var, &norm.variance, factor);
            cx.update_state(running_mean, mean)?;
            cx.update_state(running_var, variance)?;
        }
        rest.apply(tape, norm.output)
    }
}

/// Layer normalisation (Ba, Kiros and Hinton, 2016): normalises the channels, the last dimension, of each
/// place by itself; of images each pixel, as ConvNeXt does.
///
/// Parameters: `weight [channels]`, `bias [channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerNormalization {
    /// Added to the variance.
    pub epsilon: f64,
}

impl LayerNormalization {
    /// With PyTorch's epsilon, 1e-5. Keras' is 1e-3, ConvNeXt's 1e-6.
    pub fn new() -> Self {
        Self { epsilon: usual_epsilon() }
    }

    /// Sets the number added to the variance.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }
}

impl Default for LayerNormalization {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerSpec for LayerNormalization {
    fn kind(&self) -> &'static str {
        "LayerNormalization"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "norm".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        check_epsilon(self.kind(), self.epsilon)?;
        channels(self.kind(), inputs)?;
        Ok(single(self.kind(), inputs)?.clone())
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        Ok(scale_and_shift(channels(self.kind(), inputs)?).into())
    }
}

impl<T: Kernels> Layer<T> for LayerNormalization {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let [weight, bias] = parameters else {
            return Err(wrong_parameters("LayerNormalization", 2, parameters.len()));
        };
        let x = single("LayerNormalization", inputs)?;
        cx.tape.layer_norm(&x, weight, bias, self.epsilon)
    }
}

/// Group normalisation (Wu and He, 2018): cuts the channels, the last dimension, into groups and
/// normalises each group of each sample over all its places. With one channel in each group it is
/// instance normalisation (Ulyanov et al., 2016).
///
/// Parameters: `weight [channels]`, `bias [channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupNormalization {
    /// The number of groups, which divides the channels.
    pub groups: usize,
    /// Added to the variance.
    #[serde(default = "usual_epsilon")]
    pub epsilon: f64,
}

impl GroupNormalization {
    /// This many groups, with PyTorch's epsilon, 1e-5. Keras' is 1e-3.
    pub fn new(groups: usize) -> Self {
        Self { groups, epsilon: usual_epsilon() }
    }

    /// Sets the number added to the variance.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }
}

impl LayerSpec for GroupNormalization {
    fn kind(&self) -> &'static str {
        "GroupNormalization"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "norm".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        check_epsilon(self.kind(), self.epsilon)?;
        super::check_groups(self.kind(), self.groups, channels(self.kind(), inputs)?)?;
        Ok(single(self.kind(), inputs)?.clone())
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        Ok(scale_and_shift(channels(self.kind(), inputs)?).into())
    }
}

impl<T: Kernels> Layer<T> for GroupNormalization {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let [weight, bias] = parameters else {
            return Err(wrong_parameters("GroupNormalization", 2, parameters.len()));
        };
        let x = single("GroupNormalization", inputs)?;
        cx.tape.group_norm(&x, self.groups, weight, bias, self.epsilon)
    }
}

/// `weight`, at first 1, and `bias`, at first 0.
fn scale_and_shift(channels: usize) -> [ParameterSpec; 2] {
    let ones = Initializer::Constant(1.0);
    let weight = ParameterSpec { fans: Fans::default(), ..ParameterSpec::weight([channels], ones) };
    [weight, ParameterSpec::bias(channels)]
}

/// The last dimension of the only input.
fn channels(kind: &str, inputs: &[Shape]) -> Result<usize> {
    super::channels(kind, single(kind, inputs)?)
}

/// PyTorch's.
fn usual_epsilon() -> f64 {
    1e-5
}

fn check_epsilon(kind: &str, epsilon: f64) -> Result<()> {
    if epsilon.is_finite() && epsilon > 0.0 {
        return Ok(());
    }
    Err(Error::setting(
        format!("{kind}'s epsilon"),
        "finite and above 0",
        epsilon,
        "1e-5 (PyTorch) and 1e-3 (Keras) are usual",
    ))
}

fn wrong_parameters(kind: &str, expected: usize, received: usize) -> Error {
    Error::shape(
        kind,
        format!("{expected} parameters"),
        received,
        "pass those that `parameters` asked for",
    )
}

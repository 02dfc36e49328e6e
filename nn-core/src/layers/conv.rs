//! Convolution layer.

use super::defaults::{is_once, is_single, is_yes, once, single as one, yes};
use super::written::{padding, pair};
use super::{
    Activation, Forward, Layer, LayerConfig, LayerSpec, Pair, ParameterSpec, Window2d,
    check_extents, image_dims, single, weight_and_bias,
};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::init::{Fans, Initializer};
use crate::kernels::Kernels;
use crate::kernels::{Conv2dGeometry, Conv2dOptions, Padding};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A 2-D convolution with bias (as is usual in deep learning, a cross-correlation), followed by an
/// activation: `[height, width, in]` to `[out height, out width, filters]`.
///
/// Parameters: `weight [filters, in / groups, kernel height, kernel width]`, `bias [filters]`.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{Conv2D, LayerSpec, Padding};
/// let conv = Conv2D::new(64, 3).stride(2).padding(Padding::symmetric(1)).groups(32).bias(false);
/// let input = [Shape::from([56, 56, 32])];
/// assert_eq!(conv.output_shape(&input)?.dims(), [28, 28, 64]);
/// assert_eq!(conv.parameters(&input)?[0].shape.dims(), [64, 1, 3, 3]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2D {
    /// Channels of the output.
    pub filters: usize,
    /// Height and width of the kernel.
    #[serde(deserialize_with = "pair")]
    pub kernel_size: (usize, usize),
    /// Stride, vertical before horizontal.
    #[serde(default = "once", deserialize_with = "pair")]
    pub stride: (usize, usize),
    /// Padding.
    #[serde(default, deserialize_with = "padding")]
    pub padding: Padding,
    /// Distance of neighbouring elements of the kernel, in pixels; vertical before horizontal.
    #[serde(default = "once", deserialize_with = "pair", skip_serializing_if = "is_once")]
    pub dilation: (usize, usize),
    /// Groups of channels that do not see each other.
    #[serde(default = "one", skip_serializing_if = "is_single")]
    pub groups: usize,
    /// Whether there is a bias.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub bias: bool,
    /// Activation of the output.
    #[serde(default)]
    pub activation: Activation,
    /// Initialiser of the weight; biases are initialised to zero.
    #[serde(default)]
    pub initializer: Initializer,
}

impl Conv2D {
    /// `filters` kernels of `kernel_size` (one number for a square), with stride 1, no padding, no
    /// dilation, one group, a bias, no activation.
    pub fn new(filters: usize, kernel_size: impl Pair) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.pair(),
            stride: (1, 1),
            padding: Padding::Valid,
            dilation: (1, 1),
            groups: 1,
            bias: true,
            activation: Activation::Linear,
            initializer: Initializer::default(),
        }
    }

    /// Sets the stride.
    pub fn stride(mut self, stride: impl Pair) -> Self {
        self.stride = stride.pair();
        self
    }

    /// Sets the padding.
    pub fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// Sets the dilation.
    pub fn dilation(mut self, dilation: impl Pair) -> Self {
        self.dilation = dilation.pair();
        self
    }

    /// Sets the number of groups. It must divide the input's channels and the filters.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Sets whether there is a bias. Before a batch normalisation it has no effect.
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets the activation.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets the initialiser of the weight.
    pub fn initializer(mut self, initializer: Initializer) -> Self {
        self.initializer = initializer;
        self
    }

    /// The options of the op.
    pub(crate) fn options(&self) -> Conv2dOptions {
        let options = Conv2dOptions::new().stride(self.stride).padding(self.padding);
        options.dilation(self.dilation).groups(self.groups)
    }

    /// The geometry for one sample; `kind` is the layer that errors name.
    pub(super) fn geometry(&self, kind: &str, inputs: &[Shape]) -> Result<Conv2dGeometry> {
        let [height, width, channels] = image_dims(kind, single(kind, inputs)?)?;
        if self.filters == 0 {
            return Err(Error::setting(
                format!("{kind}'s filters"),
                "1 or more",
                0,
                "32 to 128 are usual",
            ));
        }
        check_extents(kind, "kernel size and stride", [self.kernel_size, self.stride])?;
        check_extents(kind, "dilation and stride", [self.dilation, self.stride])?;
        let (kernel_h, kernel_w) = self.kernel_size;
        let weight = [self.filters, channels / self.groups.max(1), kernel_h, kernel_w];
        Conv2dGeometry::new(&[1, height, width, channels], &weight, self.options())
    }

    /// The specification of weight and bias.
    pub(super) fn specify(&self, g: &Conv2dGeometry) -> Vec<ParameterSpec> {
        let dims = [g.out_c, g.group_in(), g.kernel_h, g.kernel_w];
        let mut weight = ParameterSpec::weight(dims, self.initializer);
        weight.fans = fans(g);
        with_bias(weight, self.bias, g.out_c)
    }

    /// The layer's output. `kind` is the layer that errors name.
    pub(super) fn run<T: Kernels>(
        &self,
        kind: &str,
        cx: &Forward<'_, T>,
        x: Var<T>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let (weight, bias) = weight_and_bias(kind, self.bias, parameters)?;
        match self.activation {
            Activation::Relu => return cx.tape.conv2d_relu(&x, weight, bias, self.options()),
            Activation::Relu6 => return cx.tape.conv2d_relu6(&x, weight, bias, self.options()),
            _ => {}
        }
        if let Some(function) = self.activation.function()? {
            return cx.tape.conv2d_then((&x, weight, bias), self.options(), function);
        }
        let y = cx.tape.conv2d(&x, weight, bias, self.options())?;
        drop(x);
        self.activation.apply(cx.tape, y)
    }
}

/// Inputs per output and outputs per input of a convolution, within a group.
pub(super) fn fans(g: &Conv2dGeometry) -> Fans {
    Fans { input: g.patch_len(), output: g.taps() * g.group_out() }
}

/// A weight, and a bias for `filters` if there is one.
pub(super) fn with_bias(weight: ParameterSpec, bias: bool, filters: usize) -> Vec<ParameterSpec> {
    let bias = bias.then(|| ParameterSpec::bias(filters));
    std::iter::once(weight).chain(bias).collect()
}

/// The window that a convolution moves over its input.
pub(super) fn window(g: &Conv2dGeometry, stride: (usize, usize)) -> Window2d {
    let extent = |kernel: usize, dilation: usize| (kernel - 1) * dilation + 1;
    Window2d {
        size: (extent(g.kernel_h, g.dilation_h), extent(g.kernel_w, g.dilation_w)),
        stride,
        padding: (g.pad_top, g.pad_left),
    }
}

impl LayerSpec for Conv2D {
    fn kind(&self) -> &'static str {
        "Conv2D"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "conv".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let g = self.geometry("Conv2D", inputs)?;
        Ok(Shape::from([g.out_h, g.out_w, g.out_c]))
    }

    fn window(&self, inputs: &[Shape]) -> Result<Option<Window2d>> {
        Ok(Some(window(&self.geometry("Conv2D", inputs)?, self.stride)))
    }

    fn multiply_adds(&self, inputs: &[Shape]) -> Result<u64> {
        Ok(self.geometry("Conv2D", inputs)?.multiply_adds())
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        Ok(self.specify(&self.geometry("Conv2D", inputs)?))
    }
}

impl<T: Kernels> Layer<T> for Conv2D {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        self.run("Conv2D", cx, single("Conv2D", inputs)?, parameters)
    }

    fn without_activation(&self) -> Option<(Activation, Arc<dyn Layer<T>>)> {
        Some((self.activation, Arc::new(self.clone().activation(Activation::Linear))))
    }
}

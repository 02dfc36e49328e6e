//! Depthwise convolution layer.

use super::conv::window;
use super::defaults::{is_once, is_single, is_yes, once, single as one, yes};
use super::written::{padding, pair};
use super::{
    Activation, Conv2D, Forward, Layer, LayerConfig, LayerSpec, Pair, ParameterSpec, Window2d,
    image_dims, single,
};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::{Conv2dGeometry, Kernels, Padding};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::sync::Arc;

/// A convolution of each channel on its own, followed by an activation: `[height, width, in]` to
/// `[out height, out width, in * multiplier]`. The outputs of a channel lie side by side.
///
/// It is a [`Conv2D`] with as many groups as input channels, whatever their number; MobileNet is made of
/// it (Howard et al., arXiv:1704.04861).
///
/// Parameters: `weight [in * multiplier, 1, kernel height, kernel width]`, `bias [in * multiplier]`.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{DepthwiseConv2D, LayerSpec, Padding};
/// let conv = DepthwiseConv2D::new(3).padding(Padding::Same).multiplier(2);
/// let input = [Shape::from([8, 8, 5])];
/// assert_eq!(conv.output_shape(&input)?.dims(), [8, 8, 10]);
/// assert_eq!(conv.parameters(&input)?[0].shape.dims(), [10, 1, 3, 3]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthwiseConv2D {
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
    /// Output channels per input channel.
    #[serde(default = "one", skip_serializing_if = "is_single")]
    pub multiplier: usize,
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

impl DepthwiseConv2D {
    /// One kernel of `kernel_size` (one number for a square) per channel, with stride 1, no padding, no
    /// dilation, a bias, no activation.
    pub fn new(kernel_size: impl Pair) -> Self {
        Self {
            kernel_size: kernel_size.pair(),
            stride: (1, 1),
            padding: Padding::Valid,
            dilation: (1, 1),
            multiplier: 1,
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

    /// Sets the number of output channels per input channel.
    pub fn multiplier(mut self, multiplier: usize) -> Self {
        self.multiplier = multiplier;
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

    /// The grouped convolution of an input with so many channels that this layer is.
    pub(crate) fn grouped(&self, channels: usize) -> Conv2D {
        Conv2D {
            filters: channels.saturating_mul(self.multiplier),
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            groups: channels,
            bias: self.bias,
            activation: self.activation,
            initializer: self.initializer,
        }
    }

    fn conv(&self, inputs: &[Shape]) -> Result<(Conv2D, Conv2dGeometry)> {
        let [.., channels] = image_dims(KIND, single(KIND, inputs)?)?;
        if self.multiplier == 0 || channels == 0 {
            return Err(Error::setting(
                format!("{KIND}'s multiplier and input channels"),
                "1 or more",
                format!("{} and {channels}", self.multiplier),
                "a multiplier of 1 is usual",
            ));
        }
        let conv = self.grouped(channels);
        let geometry = conv.geometry(KIND, inputs)?;
        Ok((conv, geometry))
    }
}

/// The convolution that a layer is, for one sample; `None` if it is none.
pub fn convolution_of<T: Kernels>(
    layer: &dyn Layer<T>,
    inputs: &[Shape],
) -> Option<Conv2dGeometry> {
    let any: &dyn Any = layer;
    match any.downcast_ref::<Conv2D>() {
        Some(conv) => conv.geometry("Conv2D", inputs).ok(),
        None => Some(any.downcast_ref::<DepthwiseConv2D>()?.conv(inputs).ok()?.1),
    }
}

const KIND: &str = "DepthwiseConv2D";

impl LayerSpec for DepthwiseConv2D {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "depthwise".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let (_, g) = self.conv(inputs)?;
        Ok(Shape::from([g.out_h, g.out_w, g.out_c]))
    }

    fn window(&self, inputs: &[Shape]) -> Result<Option<Window2d>> {
        Ok(Some(window(&self.conv(inputs)?.1, self.stride)))
    }

    fn multiply_adds(&self, inputs: &[Shape]) -> Result<u64> {
        Ok(self.conv(inputs)?.1.multiply_adds())
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let (conv, g) = self.conv(inputs)?;
        Ok(conv.specify(&g))
    }
}

impl<T: Kernels> Layer<T> for DepthwiseConv2D {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single(KIND, inputs)?;
        let channels = x.dims().last().copied().unwrap_or(0);
        self.grouped(channels).run(KIND, cx, x, parameters)
    }

    fn without_activation(&self) -> Option<(Activation, Arc<dyn Layer<T>>)> {
        Some((self.activation, Arc::new(self.clone().activation(Activation::Linear))))
    }
}

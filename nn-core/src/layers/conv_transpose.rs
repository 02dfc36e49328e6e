//! Transposed convolution layer.

use super::conv::{fans, window, with_bias};
use super::defaults::{is_none, is_once, is_single, is_yes, once, single as one, yes};
use super::written::{padding, pair};
use super::{
    Activation, Forward, Layer, LayerConfig, LayerSpec, Pair, ParameterSpec, Window2d,
    check_extents, image_dims, single, weight_and_bias,
};
use crate::autograd::{ConvTranspose2dOptions, Var};
use crate::error::{Error, Result};
use crate::init::{Fans, Initializer};
use crate::kernels::{Conv2dGeometry, Kernels, Padding};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A transposed 2-D convolution with bias, which enlarges what a convolution of this stride shrinks,
/// followed by an activation: `[height, width, in]` to `[out height, out width, filters]`.
/// [`ConvTranspose2dOptions`] has the formula of the output size.
///
/// Parameters: `weight [in, filters / groups, kernel height, kernel width]`, `bias [filters]`.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{Conv2DTranspose, LayerSpec, Padding};
/// let up = Conv2DTranspose::new(8, 3).stride(2).padding(Padding::Same);
/// let input = [Shape::from([7, 7, 16])];
/// assert_eq!(up.output_shape(&input)?.dims(), [14, 14, 8]);
/// assert_eq!(up.parameters(&input)?[0].shape.dims(), [16, 8, 3, 3]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2DTranspose {
    /// Channels of the output.
    pub filters: usize,
    /// Height and width of the kernel.
    #[serde(deserialize_with = "pair")]
    pub kernel_size: (usize, usize),
    /// Stride, in output pixels; vertical before horizontal.
    #[serde(default = "once", deserialize_with = "pair")]
    pub stride: (usize, usize),
    /// Padding, which is cut off the output.
    #[serde(default, deserialize_with = "padding")]
    pub padding: Padding,
    /// Rows and columns added at the bottom and right.
    #[serde(default, deserialize_with = "pair", skip_serializing_if = "is_none")]
    pub output_padding: (usize, usize),
    /// Distance of neighbouring elements of the kernel, in output pixels; vertical before horizontal.
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

impl Conv2DTranspose {
    /// `filters` kernels of `kernel_size` (one number for a square), with stride 1, no padding, no
    /// dilation, one group, a bias, no activation.
    pub fn new(filters: usize, kernel_size: impl Pair) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.pair(),
            stride: (1, 1),
            padding: Padding::Valid,
            output_padding: (0, 0),
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

    /// Sets the output padding.
    pub fn output_padding(mut self, output_padding: impl Pair) -> Self {
        self.output_padding = output_padding.pair();
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

    fn options(&self) -> ConvTranspose2dOptions {
        let options = ConvTranspose2dOptions::new().stride(self.stride).padding(self.padding);
        let options = options.output_padding(self.output_padding).dilation(self.dilation);
        options.groups(self.groups)
    }

    /// The convolution that this one transposes: its input is this one's output.
    fn geometry(&self, inputs: &[Shape]) -> Result<Conv2dGeometry> {
        let [height, width, channels] = image_dims(KIND, single(KIND, inputs)?)?;
        check_extents(KIND, "kernel size and stride", [self.kernel_size, self.stride])?;
        check_extents(KIND, "dilation and stride", [self.dilation, self.stride])?;
        let groups = self.groups.max(1);
        if self.filters == 0 || !self.filters.is_multiple_of(groups) {
            return Err(Error::setting(
                format!("{KIND}'s filters"),
                format!("a multiple of its groups, {groups}"),
                self.filters,
                "32 to 128 filters and 1 group are usual",
            ));
        }
        let (kernel_h, kernel_w) = self.kernel_size;
        let weight = [channels, self.filters / groups, kernel_h, kernel_w];
        Conv2dGeometry::transposed(&[1, height, width, channels], &weight, self.options())
    }
}

const KIND: &str = "Conv2DTranspose";

impl LayerSpec for Conv2DTranspose {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "conv_transpose".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let g = self.geometry(inputs)?;
        Ok(Shape::from([g.in_h, g.in_w, g.in_c]))
    }

    /// Known with stride 1, where it is a convolution with the complementary padding. Larger strides put
    /// several outputs between neighbouring inputs, which no whole stride describes.
    fn window(&self, inputs: &[Shape]) -> Result<Option<Window2d>> {
        let Window2d { size, stride, padding } = window(&self.geometry(inputs)?, self.stride);
        let complement = |size: usize, padding: usize| (size - 1).checked_sub(padding);
        let padding = (complement(size.0, padding.0), complement(size.1, padding.1));
        Ok(match (stride, padding) {
            ((1, 1), (Some(top), Some(left))) => {
                Some(Window2d { size, stride, padding: (top, left) })
            }
            _ => None,
        })
    }

    fn multiply_adds(&self, inputs: &[Shape]) -> Result<u64> {
        Ok(self.geometry(inputs)?.multiply_adds())
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let g = self.geometry(inputs)?;
        let dims = [g.out_c, g.group_in(), g.kernel_h, g.kernel_w];
        let mut weight = ParameterSpec::weight(dims, self.initializer);
        // What is the input of the convolution is this layer's output.
        let Fans { input, output } = fans(&g);
        weight.fans = Fans { input: output, output: input };
        Ok(with_bias(weight, self.bias, self.filters))
    }
}

impl<T: Kernels> Layer<T> for Conv2DTranspose {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single(KIND, inputs)?;
        let (weight, bias) = weight_and_bias(KIND, self.bias, parameters)?;
        let y = cx.tape.conv_transpose2d(&x, weight, bias, self.options())?;
        drop(x);
        self.activation.apply(cx.tape, y)
    }

    fn without_activation(&self) -> Option<(Activation, Arc<dyn Layer<T>>)> {
        Some((self.activation, Arc::new(self.clone().activation(Activation::Linear))))
    }
}

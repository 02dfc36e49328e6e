//! Convolution layer.

use super::written::{one, padding, pair};
use super::{
    Activation, Forward, Layer, LayerConfig, LayerSpec, Pair, ParameterSpec, Window2d,
    check_extents, image_dims, single, weight_and_bias,
};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Kernels;
use crate::kernels::{Conv2dGeometry, Conv2dOptions, Padding};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// A 2-D convolution with bias (as is usual in deep learning, a cross-correlation), followed by an
/// activation: `[height, width, in]` to `[out height, out width, filters]`.
///
/// Parameters: `weight [filters, in, kernel height, kernel width]`, `bias [filters]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2D {
    /// Channels of the output.
    pub filters: usize,
    /// Height and width of the kernel.
    #[serde(deserialize_with = "pair")]
    pub kernel_size: (usize, usize),
    /// Stride, vertical before horizontal.
    #[serde(default = "one", deserialize_with = "pair")]
    pub stride: (usize, usize),
    /// Padding.
    #[serde(default, deserialize_with = "padding")]
    pub padding: Padding,
    /// Activation of the output.
    #[serde(default)]
    pub activation: Activation,
    /// Initialiser of the weight; biases are initialised to zero.
    #[serde(default)]
    pub initializer: Initializer,
}

impl Conv2D {
    /// `filters` kernels of `kernel_size` (one number for a square), with stride 1, no padding, no
    /// activation.
    pub fn new(filters: usize, kernel_size: impl Pair) -> Self {
        Self {
            filters,
            kernel_size: kernel_size.pair(),
            stride: (1, 1),
            padding: Padding::Valid,
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

    /// Stride and padding as options of the op.
    pub(crate) fn options(&self) -> Conv2dOptions {
        Conv2dOptions { stride: self.stride, padding: self.padding, ..Conv2dOptions::new() }
    }

    fn geometry(&self, input: &Shape) -> Result<Conv2dGeometry> {
        let [height, width, channels] = image_dims("Conv2D", input)?;
        if self.filters == 0 {
            return Err(Error::setting("Conv2D's filters", "1 or more", 0, "32 to 128 are usual"));
        }
        check_extents("Conv2D", "kernel size and stride", [self.kernel_size, self.stride])?;
        let input = [1, height, width, channels];
        Conv2dGeometry::new(&input, &self.weight_dims(channels), self.options())
    }

    fn weight_dims(&self, channels: usize) -> [usize; 4] {
        [self.filters, channels, self.kernel_size.0, self.kernel_size.1]
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
        let geometry = self.geometry(single("Conv2D", inputs)?)?;
        Ok(Shape::from([geometry.out_h, geometry.out_w, geometry.out_c]))
    }

    fn window(&self, inputs: &[Shape]) -> Result<Option<Window2d>> {
        let Conv2dGeometry { pad_top, pad_left, .. } = self.geometry(single("Conv2D", inputs)?)?;
        let (size, stride) = (self.kernel_size, self.stride);
        Ok(Some(Window2d { size, stride, padding: (pad_top, pad_left) }))
    }

    fn multiply_adds(&self, inputs: &[Shape]) -> Result<u64> {
        let geometry = self.geometry(single("Conv2D", inputs)?)?;
        let weight = self.weight_dims(geometry.in_c).iter().product::<usize>();
        Ok((geometry.out_h * geometry.out_w) as u64 * weight as u64)
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let [.., channels] = image_dims("Conv2D", single("Conv2D", inputs)?)?;
        let weight = ParameterSpec::weight(self.weight_dims(channels), self.initializer);
        Ok(vec![weight, ParameterSpec::bias(self.filters)])
    }
}

impl<T: Kernels> Layer<T> for Conv2D {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("Conv2D", inputs)?;
        let (weight, bias) = weight_and_bias("Conv2D", parameters)?;
        if self.activation == Activation::Relu {
            return cx.tape.conv2d_relu(&x, weight, Some(bias), self.options());
        }
        let y = cx.tape.conv2d(&x, weight, Some(bias), self.options())?;
        drop(x);
        self.activation.apply(cx.tape, y)
    }
}

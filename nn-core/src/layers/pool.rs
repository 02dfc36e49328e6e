//! Pooling over windows of images, and over whole images.

use super::defaults::{is_default, is_once, is_yes, once, yes};
use super::written::{padding, pair, some_pair};
use super::{
    Forward, Layer, LayerConfig, LayerSpec, Padding, Pair, Window2d, check_extents, image_dims,
    single,
};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::{Pool2dGeometry, Pool2dOptions};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// The maximum of each window. If several numbers are equal, the gradient goes to the first. Padding is
/// never the maximum. By default there is none, and rows and columns left over at the bottom and right are
/// dropped, as in Keras.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{LayerSpec, MaxPool2D, Padding};
/// // The pooling at the start of a ResNet.
/// let pool = MaxPool2D::new(3).stride(2).padding(Padding::symmetric(1));
/// assert_eq!(pool.output_shape(&[Shape::from([112, 112, 64])])?.dims(), [56, 56, 64]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenMaxPool")]
pub struct MaxPool2D {
    /// Height and width of the window.
    pub window: (usize, usize),
    /// Stride, vertical before horizontal.
    pub stride: (usize, usize),
    /// Padding.
    #[serde(skip_serializing_if = "is_default")]
    pub padding: Padding,
    /// Whether a last window that hangs over is kept, as PyTorch's `ceil_mode`.
    #[serde(skip_serializing_if = "is_default")]
    pub ceil_mode: bool,
    /// Distance of neighbouring pixels of a window, vertical before horizontal.
    #[serde(skip_serializing_if = "is_once")]
    pub dilation: (usize, usize),
}

/// The mean of each window. By default there is no padding, and rows and columns left over at the bottom
/// and right are dropped, as in Keras.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenAveragePool")]
pub struct AveragePool2D {
    /// Height and width of the window.
    pub window: (usize, usize),
    /// Stride, vertical before horizontal.
    pub stride: (usize, usize),
    /// Padding.
    #[serde(skip_serializing_if = "is_default")]
    pub padding: Padding,
    /// Whether a last window that hangs over is kept, as PyTorch's `ceil_mode`.
    #[serde(skip_serializing_if = "is_default")]
    pub ceil_mode: bool,
    /// Whether the padding counts as zeros, as by default in PyTorch; Keras does not count it.
    #[serde(skip_serializing_if = "is_yes")]
    pub count_include_pad: bool,
}

/// A [`MaxPool2D`] as it may be written: the stride is that of the window if it is left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMaxPool {
    #[serde(deserialize_with = "pair")]
    window: (usize, usize),
    #[serde(default, deserialize_with = "some_pair")]
    stride: Option<(usize, usize)>,
    #[serde(default, deserialize_with = "padding")]
    padding: Padding,
    #[serde(default)]
    ceil_mode: bool,
    #[serde(default = "once", deserialize_with = "pair")]
    dilation: (usize, usize),
}

impl From<WrittenMaxPool> for MaxPool2D {
    fn from(written: WrittenMaxPool) -> Self {
        let WrittenMaxPool { window, stride, padding, ceil_mode, dilation } = written;
        Self { window, stride: stride.unwrap_or(window), padding, ceil_mode, dilation }
    }
}

/// An [`AveragePool2D`] as it may be written: the stride is that of the window if it is left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAveragePool {
    #[serde(deserialize_with = "pair")]
    window: (usize, usize),
    #[serde(default, deserialize_with = "some_pair")]
    stride: Option<(usize, usize)>,
    #[serde(default, deserialize_with = "padding")]
    padding: Padding,
    #[serde(default)]
    ceil_mode: bool,
    #[serde(default = "yes")]
    count_include_pad: bool,
}

impl From<WrittenAveragePool> for AveragePool2D {
    fn from(written: WrittenAveragePool) -> Self {
        let WrittenAveragePool { window, stride, padding, ceil_mode, count_include_pad } = written;
        Self { window, stride: stride.unwrap_or(window), padding, ceil_mode, count_include_pad }
    }
}

impl MaxPool2D {
    /// Windows of this size (one number for a square), with a stride of the same size.
    pub fn new(window: impl Pair) -> Self {
        let window = window.pair();
        let (padding, ceil_mode, dilation) = (Padding::Valid, false, once());
        Self { window, stride: window, padding, ceil_mode, dilation }
    }

    /// Sets the distance of neighbouring pixels of a window.
    pub fn dilation(mut self, dilation: impl Pair) -> Self {
        self.dilation = dilation.pair();
        self
    }

    /// The settings as options of the op.
    pub(crate) fn options(&self) -> Pool2dOptions {
        let options = Pool2dOptions::new(self.window).stride(self.stride).padding(self.padding);
        options.ceil_mode(self.ceil_mode).dilation(self.dilation)
    }
}

impl AveragePool2D {
    /// Windows of this size (one number for a square), with a stride of the same size.
    pub fn new(window: impl Pair) -> Self {
        let window = window.pair();
        let (padding, ceil_mode, count_include_pad) = (Padding::Valid, false, true);
        Self { window, stride: window, padding, ceil_mode, count_include_pad }
    }

    /// Sets whether the padding counts as zeros.
    pub fn count_include_pad(mut self, count_include_pad: bool) -> Self {
        self.count_include_pad = count_include_pad;
        self
    }

    fn options(&self) -> Pool2dOptions {
        let options = Pool2dOptions::new(self.window).stride(self.stride).padding(self.padding);
        options.ceil_mode(self.ceil_mode).count_include_pad(self.count_include_pad)
    }
}

/// The geometry of a windowed pooling of one sample.
fn geometry(kind: &str, options: Pool2dOptions, inputs: &[Shape]) -> Result<Pool2dGeometry> {
    let [height, width, channels] = image_dims(kind, single(kind, inputs)?)?;
    check_extents(kind, "window and stride", [options.window, options.stride])?;
    check_extents(kind, "dilation", [options.dilation; 2])?;
    Pool2dGeometry::new(&[1, height, width, channels], options)
}

/// The code shared by the two windowed layers: all but the op.
macro_rules! windowed_pool {
    ($layer:ident, $op:ident) => {
        impl $layer {
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

            /// Sets whether a last window that hangs over is kept.
            pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
                self.ceil_mode = ceil_mode;
                self
            }
        }

        impl LayerSpec for $layer {
            fn kind(&self) -> &'static str {
                stringify!($layer)
            }

            fn config(&self) -> Option<LayerConfig> {
                LayerConfig::new(self.kind(), self)
            }

            fn name_prefix(&self) -> String {
                "pool".into()
            }

            fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
                let geometry = geometry(self.kind(), self.options(), inputs)?;
                Ok(Shape::from([geometry.out_h, geometry.out_w, geometry.channels]))
            }

            fn window(&self, inputs: &[Shape]) -> Result<Option<Window2d>> {
                let options = self.options();
                let g = geometry(self.kind(), options, inputs)?;
                let extent = |window: usize, dilation: usize| (window - 1) * dilation + 1;
                Ok(Some(Window2d {
                    size: (extent(g.window_h, g.dilation_h), extent(g.window_w, g.dilation_w)),
                    stride: options.stride,
                    padding: (g.pad_top, g.pad_left),
                }))
            }
        }

        impl<T: Kernels> Layer<T> for $layer {
            fn forward(
                &self,
                cx: &mut Forward<'_, T>,
                inputs: Vec<Var<T>>,
                _: &[Var<T>],
            ) -> Result<Var<T>> {
                cx.tape.$op(&single(stringify!($layer), inputs)?, self.options())
            }
        }
    };
}

windowed_pool!(MaxPool2D, max_pool2d);
windowed_pool!(AveragePool2D, average_pool2d);

/// The mean of each channel over all pixels: `[height, width, channels]` to `[channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalAveragePool2D {}

/// The maximum of each channel over all pixels: `[height, width, channels]` to `[channels]`. If several
/// are equal, the gradient goes to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalMaxPool2D {}

/// The code shared by the two global layers: all but the op.
macro_rules! global_pool {
    ($layer:ident, $op:ident) => {
        impl $layer {
            /// The layer.
            pub fn new() -> Self {
                Self {}
            }
        }

        impl LayerSpec for $layer {
            fn kind(&self) -> &'static str {
                stringify!($layer)
            }

            fn config(&self) -> Option<LayerConfig> {
                LayerConfig::new(self.kind(), self)
            }

            fn name_prefix(&self) -> String {
                "pool".into()
            }

            fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
                let [.., channels] = image_dims(self.kind(), single(self.kind(), inputs)?)?;
                Ok(Shape::from([channels]))
            }
        }

        impl<T: Kernels> Layer<T> for $layer {
            fn forward(
                &self,
                cx: &mut Forward<'_, T>,
                inputs: Vec<Var<T>>,
                _: &[Var<T>],
            ) -> Result<Var<T>> {
                cx.tape.$op(&single(stringify!($layer), inputs)?)
            }
        }
    };
}

global_pool!(GlobalAveragePool2D, global_average_pool2d);
global_pool!(GlobalMaxPool2D, global_max_pool2d);

/// The means over a grid of windows, whatever the size of the image: `[height, width, channels]` to
/// `[size.0, size.1, channels]`, as PyTorch's `AdaptiveAvgPool2d`. Window `i` of `n` along a side of `len`
/// pixels begins at `floor(i * len / n)` and ends before `ceil((i + 1) * len / n)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveAveragePool2D {
    /// Height and width of the output.
    #[serde(deserialize_with = "pair")]
    pub size: (usize, usize),
}

impl AdaptiveAveragePool2D {
    /// An output of this size (one number for a square).
    pub fn new(size: impl Pair) -> Self {
        Self { size: size.pair() }
    }
}

impl LayerSpec for AdaptiveAveragePool2D {
    fn kind(&self) -> &'static str {
        "AdaptiveAveragePool2D"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn name_prefix(&self) -> String {
        "pool".into()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let [.., channels] = image_dims(self.kind(), single(self.kind(), inputs)?)?;
        if self.size.0 == 0 || self.size.1 == 0 {
            return Err(Error::setting(
                "AdaptiveAveragePool2D's size",
                "at least 1",
                format!("{:?}", self.size),
                "use 1 for one number per channel",
            ));
        }
        Ok(Shape::from([self.size.0, self.size.1, channels]))
    }

    fn window(&self, _: &[Shape]) -> Result<Option<Window2d>> {
        // The windows have different sizes; together they divide the image evenly.
        Ok(None)
    }
}

impl<T: Kernels> Layer<T> for AdaptiveAveragePool2D {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        let x = single("AdaptiveAveragePool2D", inputs)?;
        cx.tape.adaptive_average_pool2d(&x, self.size)
    }
}

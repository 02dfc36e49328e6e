//! The options of poolings.

use crate::kernels::geometry::{Padding, Pair};
use serde::{Deserialize, Serialize};

/// Window, stride, padding and dilation of a 2-D pooling; vertical before horizontal.
///
/// The output size, where `extent = (window - 1) * dilation + 1`, is
/// `(in + before + after - extent) / stride + 1`, rounded down, or up with `ceil_mode`; a last window
/// that would begin in the padding after the input, or beyond it, is left out. With [`Padding::Same`] and
/// [`Padding::SameLower`] it is `ceil(in / stride)`.
///
/// ```
/// use nn_core::autograd::Pool2dOptions;
/// use nn_core::layers::Padding;
/// // The pooling at the start of a ResNet.
/// let options = Pool2dOptions::new(3).stride(2).padding(Padding::symmetric(1));
/// assert_eq!((options.window, options.stride, options.ceil_mode), ((3, 3), (2, 2), false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pool2dOptions {
    /// Size of the window, in pixels.
    pub window: (usize, usize),
    /// Stride, in pixels.
    pub stride: (usize, usize),
    /// Padding. It never is a maximum; whether means count it is said by `count_include_pad`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub padding: Padding,
    /// Whether a last window that hangs over the padded input is kept, as PyTorch's `ceil_mode`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ceil_mode: bool,
    /// Whether the padding counts as zeros in means, as by default in PyTorch; Keras and, by default,
    /// ONNX do not count it.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub count_include_pad: bool,
    /// Distance of neighbouring pixels of a window; 1 for pixels side by side.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub dilation: (usize, usize),
}

fn is_default<V: Default + PartialEq>(value: &V) -> bool {
    *value == V::default()
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn once() -> (usize, usize) {
    (1, 1)
}

fn is_once(pair: &(usize, usize)) -> bool {
    *pair == once()
}

impl Pool2dOptions {
    /// Windows of this size (one number for a square), with a stride of the same size and no padding.
    pub fn new(window: impl Pair) -> Self {
        let window = window.pair();
        Self {
            window,
            stride: window,
            padding: Padding::Valid,
            ceil_mode: false,
            count_include_pad: true,
            dilation: (1, 1),
        }
    }

    /// Sets the stride, vertical before horizontal.
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

    /// Sets whether means count the padding.
    pub fn count_include_pad(mut self, count_include_pad: bool) -> Self {
        self.count_include_pad = count_include_pad;
        self
    }

    /// Sets the dilation, vertical before horizontal.
    pub fn dilation(mut self, dilation: impl Pair) -> Self {
        self.dilation = dilation.pair();
        self
    }
}

impl Default for Pool2dOptions {
    fn default() -> Self {
        Self::new(2)
    }
}

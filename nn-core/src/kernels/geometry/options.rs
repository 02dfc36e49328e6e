//! The options of convolutions and transposed convolutions.

use super::{Padding, Pair};
use serde::{Deserialize, Serialize};

/// Stride, padding, dilation and groups of a 2-D convolution; vertical before horizontal.
///
/// ```
/// use nn_core::autograd::Conv2dOptions;
/// use nn_core::layers::Padding;
/// let options = Conv2dOptions::new().stride((2, 1)).padding(Padding::Same).groups(4);
/// assert_eq!((options.stride, options.dilation, options.groups), ((2, 1), (1, 1), 4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Conv2dOptions {
    /// Stride, in input pixels.
    pub stride: (usize, usize),
    /// Padding.
    pub padding: Padding,
    /// Distance of neighbouring elements of the kernel, in input pixels; 1 for a dense kernel
    /// (Yu, Koltun: Multi-Scale Context Aggregation by Dilated Convolutions, arXiv:1511.07122).
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub dilation: (usize, usize),
    /// Groups that the channels are cut into: each group of output channels sees the group of input
    /// channels of the same number (Krizhevsky, Sutskever, Hinton 2012). With as many groups as input
    /// channels it is a depthwise convolution.
    #[serde(default = "single", skip_serializing_if = "is_single")]
    pub groups: usize,
}

impl Conv2dOptions {
    /// Stride 1, no padding, no dilation, one group.
    pub fn new() -> Self {
        Self { stride: (1, 1), padding: Padding::Valid, dilation: (1, 1), groups: 1 }
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

    /// Sets the dilation, vertical before horizontal.
    pub fn dilation(mut self, dilation: impl Pair) -> Self {
        self.dilation = dilation.pair();
        self
    }

    /// Sets the number of groups.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Stride, padding, output padding, dilation and groups of a 2-D transposed convolution; vertical
/// before horizontal.
///
/// The output size, where `extent = (kernel - 1) * dilation + 1`:
/// - [`Padding::Valid`]: `(in - 1) * stride + extent + output_padding`;
/// - [`Padding::Explicit`]: the same, less the padding on both sides, which is cut off, as in PyTorch;
/// - [`Padding::Same`] and [`Padding::SameLower`]: `in * stride`, as in Keras; they take no output
///   padding.
///
/// Keras' `"valid"` is [`Padding::Valid`]; where a stride is larger than the kernel it adds
/// `output_padding = stride - kernel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConvTranspose2dOptions {
    /// Stride, in output pixels: the factor by which sizes grow.
    pub stride: (usize, usize),
    /// Padding of the convolution that this one transposes: rows and columns that are cut off the output.
    pub padding: Padding,
    /// Rows and columns added to the output at the bottom and right. They choose among the output sizes
    /// that a convolution of this stride maps to the input's size.
    #[serde(default, skip_serializing_if = "is_none")]
    pub output_padding: (usize, usize),
    /// Distance of neighbouring elements of the kernel, in output pixels.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub dilation: (usize, usize),
    /// Groups that the channels are cut into, as for a convolution.
    #[serde(default = "single", skip_serializing_if = "is_single")]
    pub groups: usize,
}

impl ConvTranspose2dOptions {
    /// Stride 1, no padding, no dilation, one group.
    pub fn new() -> Self {
        Self {
            stride: (1, 1),
            padding: Padding::Valid,
            output_padding: (0, 0),
            dilation: (1, 1),
            groups: 1,
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

    /// Sets the output padding, vertical before horizontal.
    pub fn output_padding(mut self, output_padding: impl Pair) -> Self {
        self.output_padding = output_padding.pair();
        self
    }

    /// Sets the dilation, vertical before horizontal.
    pub fn dilation(mut self, dilation: impl Pair) -> Self {
        self.dilation = dilation.pair();
        self
    }

    /// Sets the number of groups.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

impl Default for ConvTranspose2dOptions {
    fn default() -> Self {
        Self::new()
    }
}

fn once() -> (usize, usize) {
    (1, 1)
}

fn single() -> usize {
    1
}

fn is_once(pair: &(usize, usize)) -> bool {
    *pair == once()
}

fn is_single(groups: &usize) -> bool {
    *groups == single()
}

fn is_none(pair: &(usize, usize)) -> bool {
    *pair == (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_forms_leave_defaults_out() {
        let stored = |options: Conv2dOptions| serde_json::to_string(&options).unwrap();
        let old = r#"{"stride":[2,1],"padding":"same"}"#;
        let options = Conv2dOptions::new().stride((2, 1)).padding(Padding::Same);
        assert_eq!(stored(options), old);
        assert_eq!(serde_json::from_str::<Conv2dOptions>(old).unwrap(), options);
        let all = options.dilation(2).groups(3);
        assert_eq!(serde_json::from_str::<Conv2dOptions>(&stored(all)).unwrap(), all);
    }
}

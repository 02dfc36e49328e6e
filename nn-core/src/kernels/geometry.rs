//! The geometry of a convolution or pooling: sizes, strides and padding, computed once.
//!
//! Options are what a user sets. A geometry is options applied to an input, with every size checked and
//! the output sizes computed. Kernels do not check a geometry again.

use crate::error::{Error, Received, Result};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// Padding of a convolution's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Padding {
    /// No padding: `out = (in - kernel) / stride + 1`.
    #[default]
    Valid,
    /// Zero padding such that `out = ceil(in / stride)`. If an odd number of zeros is needed, the extra
    /// one goes to the bottom or right, as in TensorFlow.
    Same,
}

/// Two sizes, vertical before horizontal; a single number is used for both.
pub trait Pair {
    /// `(vertical, horizontal)`.
    fn pair(self) -> (usize, usize);
}

impl Pair for usize {
    fn pair(self) -> (usize, usize) {
        (self, self)
    }
}

impl Pair for (usize, usize) {
    fn pair(self) -> (usize, usize) {
        self
    }
}

/// Stride and padding of a 2-D convolution; vertical before horizontal.
///
/// ```
/// use nn_core::autograd::Conv2dOptions;
/// use nn_core::layers::Padding;
/// let options = Conv2dOptions::new().stride((2, 1)).padding(Padding::Same);
/// assert_eq!(options.stride, (2, 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Conv2dOptions {
    /// Stride, in input pixels.
    pub stride: (usize, usize),
    /// Padding.
    pub padding: Padding,
}

impl Conv2dOptions {
    /// Stride 1 and no padding.
    pub fn new() -> Self {
        Self { stride: (1, 1), padding: Padding::Valid }
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
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Window and stride of a 2-D pooling without padding; vertical before horizontal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pool2dOptions {
    /// Size of the window, in pixels.
    pub window: (usize, usize),
    /// Stride, in pixels.
    pub stride: (usize, usize),
}

impl Pool2dOptions {
    /// Windows of this size (one number for a square), with a stride of the same size.
    pub fn new(window: impl Pair) -> Self {
        let window = window.pair();
        Self { window, stride: window }
    }

    /// Sets the stride, vertical before horizontal.
    pub fn stride(mut self, stride: impl Pair) -> Self {
        self.stride = stride.pair();
        self
    }
}

impl Default for Pool2dOptions {
    fn default() -> Self {
        Self::new(2)
    }
}

/// A convolution of `[batch, in_h, in_w, in_c]` with `[out_c, in_c, kernel_h, kernel_w]` to
/// `[batch, out_h, out_w, out_c]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are the documentation
pub struct Conv2dGeometry {
    pub batch: usize,
    pub in_h: usize,
    pub in_w: usize,
    pub in_c: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub out_c: usize,
    pub kernel_h: usize,
    pub kernel_w: usize,
    pub stride_h: usize,
    pub stride_w: usize,
    pub pad_top: usize,
    pub pad_left: usize,
}

impl Conv2dGeometry {
    /// Computes the geometry from an input's and a weight's dimensions.
    ///
    /// # Errors
    /// If a rank is not 4, the channels differ or are 0, a kernel or stride is 0, the kernel does not
    /// fit into the input, or the output is too large for memory.
    pub fn new(input: &[usize], weight: &[usize], options: Conv2dOptions) -> Result<Self> {
        let &[batch, in_h, in_w, in_c] = input else {
            return Err(Error::shape(
                "conv2d",
                "an input [batch, height, width, channels]",
                input,
                "add the missing dimensions with reshape",
            ));
        };
        let &[out_c, weight_in_c, kernel_h, kernel_w] = weight else {
            return Err(Error::shape(
                "conv2d",
                "a weight [out channels, in channels, height, width]",
                weight,
                "reshape the weight",
            ));
        };
        if in_c != weight_in_c {
            return Err(Error::shape(
                "conv2d",
                format!("{weight_in_c} input channels, as the weight {weight:?} has"),
                Received::named([("input", input)]),
                "channels come last in inputs and second in weights",
            ));
        }
        if in_c == 0 || out_c == 0 {
            return Err(Error::shape(
                "conv2d",
                "at least one input channel and one output channel",
                Received::named([("input", input), ("weight", weight)]),
                "leave the convolution away, or give it channels",
            ));
        }
        let (stride_h, stride_w) = options.stride;
        let (out_h, pad_top) = conv_extent("height", in_h, kernel_h, stride_h, options.padding)?;
        let (out_w, pad_left) = conv_extent("width", in_w, kernel_w, stride_w, options.padding)?;
        Shape::from([batch, out_h, out_w, out_c]).ensure_possible("conv2d")?;
        Ok(Self {
            batch,
            in_h,
            in_w,
            in_c,
            out_h,
            out_w,
            out_c,
            kernel_h,
            kernel_w,
            stride_h: at_most_once(stride_h, in_h),
            stride_w: at_most_once(stride_w, in_w),
            pad_top,
            pad_left,
        })
    }

    /// Elements of one image of the input.
    pub fn input_len(&self) -> usize {
        self.in_h * self.in_w * self.in_c
    }

    /// Elements of one image of the output.
    pub fn output_len(&self) -> usize {
        self.out_h * self.out_w * self.out_c
    }

    /// Elements of the weight.
    pub fn weight_len(&self) -> usize {
        self.out_c * self.patch_len()
    }

    /// Elements of the input patch under the kernel: `kernel_h * kernel_w * in_c`.
    pub fn patch_len(&self) -> usize {
        self.kernel_h * self.kernel_w * self.in_c
    }

    /// The output's dimensions.
    pub fn output_dims(&self) -> [usize; 4] {
        [self.batch, self.out_h, self.out_w, self.out_c]
    }

    /// Floating-point operations of one direct pass: multiplications and additions.
    pub fn flops(&self) -> f64 {
        2.0 * self.batch as f64 * self.output_len() as f64 * self.patch_len() as f64
    }
}

/// Limits a stride to the input size. A larger one gives the same output size, but its products could
/// overflow.
fn at_most_once(stride: usize, input: usize) -> usize {
    stride.min(input.max(1))
}

/// Output size and leading padding along one dimension.
fn conv_extent(
    along: &str,
    input: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
) -> Result<(usize, usize)> {
    if kernel == 0 || stride == 0 {
        return Err(Error::setting(
            format!("conv2d: kernel and stride along the {along}"),
            "at least 1",
            format!("kernel {kernel}, stride {stride}"),
            "the usual ones are 3 and 1",
        ));
    }
    match padding {
        Padding::Valid if input >= kernel => Ok(((input - kernel) / stride + 1, 0)),
        Padding::Valid => Err(Error::shape(
            "conv2d",
            format!("an input {along} of at least {kernel}, the kernel's"),
            input,
            "use larger images, a smaller kernel, or padding \"same\"",
        )),
        Padding::Same => {
            let output = input.div_ceil(stride);
            let needed = (output.max(1) - 1) * stride + kernel;
            Ok((output, needed.saturating_sub(input) / 2))
        }
    }
}

/// A pooling of `[batch, in_h, in_w, channels]` to `[batch, out_h, out_w, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are the documentation
pub struct Pool2dGeometry {
    pub batch: usize,
    pub in_h: usize,
    pub in_w: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub channels: usize,
    pub window_h: usize,
    pub window_w: usize,
    pub stride_h: usize,
    pub stride_w: usize,
}

impl Pool2dGeometry {
    /// Computes the geometry from an input's dimensions. Rows and columns left over at the bottom and
    /// right are dropped.
    ///
    /// # Errors
    /// If the rank is not 4, a window or stride is 0, or the window does not fit into the input.
    pub fn new(input: &[usize], options: Pool2dOptions) -> Result<Self> {
        let &[batch, in_h, in_w, channels] = input else {
            return Err(Error::shape(
                "pool2d",
                "an input [batch, height, width, channels]",
                input,
                "add the missing dimensions with reshape",
            ));
        };
        let (window_h, window_w) = options.window;
        let (stride_h, stride_w) = options.stride;
        if window_h == 0 || window_w == 0 || stride_h == 0 || stride_w == 0 {
            return Err(Error::setting(
                "pool2d: window and stride",
                "at least 1",
                format!("window {:?}, stride {:?}", options.window, options.stride),
                "the usual ones are 2 and 2",
            ));
        }
        if in_h < window_h || in_w < window_w {
            return Err(Error::shape(
                "pool2d",
                format!("an input of at least {window_h}x{window_w}, the window's size"),
                format!("{in_h}x{in_w}"),
                "use larger images or a smaller window",
            ));
        }
        Ok(Self {
            batch,
            in_h,
            in_w,
            out_h: (in_h - window_h) / stride_h + 1,
            out_w: (in_w - window_w) / stride_w + 1,
            channels,
            window_h,
            window_w,
            stride_h: at_most_once(stride_h, in_h),
            stride_w: at_most_once(stride_w, in_w),
        })
    }

    /// Whether windows are 2x2 with stride 2.
    pub fn is_2x2(&self) -> bool {
        (self.window_h, self.window_w, self.stride_h, self.stride_w) == (2, 2, 2, 2)
    }

    /// Elements of one window, of one channel.
    pub fn window_len(&self) -> usize {
        self.window_h * self.window_w
    }

    /// Elements of one image of the input.
    pub fn input_len(&self) -> usize {
        self.in_h * self.in_w * self.channels
    }

    /// Elements of one image of the output.
    pub fn output_len(&self) -> usize {
        self.out_h * self.out_w * self.channels
    }

    /// The output's dimensions.
    pub fn output_dims(&self) -> [usize; 4] {
        [self.batch, self.out_h, self.out_w, self.channels]
    }

    /// The pooled rows whose windows touch the input rows `rows`.
    pub(crate) fn windows_touching(&self, rows: &std::ops::Range<usize>) -> std::ops::Range<usize> {
        // Row p covers input rows p * stride .. p * stride + window.
        let first = (rows.start + 1).saturating_sub(self.window_h).div_ceil(self.stride_h);
        let end = rows.end.div_ceil(self.stride_h).min(self.out_h);
        first.min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_the_reference_network() -> Result<()> {
        let mut size = 256;
        for expected in [(254, 127), (125, 62), (60, 30)] {
            let conv =
                Conv2dGeometry::new(&[4, size, size, 3], &[8, 3, 3, 3], Conv2dOptions::default())?;
            let pool = Pool2dGeometry::new(&conv.output_dims(), Pool2dOptions::default())?;
            assert_eq!((conv.out_h, pool.out_h), expected);
            size = pool.out_h;
        }
        Ok(())
    }

    #[test]
    fn same_padding_puts_the_odd_zero_last() -> Result<()> {
        // TensorFlow: 5 pixels, kernel 2, stride 2 -> 3 outputs, 1 zero, at the end.
        assert_eq!(conv_extent("width", 5, 2, 2, Padding::Same)?, (3, 0));
        assert_eq!(conv_extent("width", 6, 4, 1, Padding::Same)?, (6, 1));
        assert_eq!(conv_extent("width", 7, 3, 2, Padding::Same)?, (4, 1));
        Ok(())
    }

    #[test]
    fn windows_touching_rows_by_brute_force() -> Result<()> {
        for (window, stride) in [(2, 2), (3, 2), (2, 3), (3, 1), (1, 1)] {
            let options = Pool2dOptions { window: (window, 1), stride: (stride, 1) };
            let pool = Pool2dGeometry::new(&[1, 11, 1, 1], options)?;
            for start in 0..11 {
                for end in start + 1..=11 {
                    let touching: Vec<usize> = (0..pool.out_h)
                        .filter(|p| p * stride < end && p * stride + window > start)
                        .collect();
                    let range = pool.windows_touching(&(start..end));
                    // With gaps between windows the range may include rows that touch nothing, but it
                    // never misses one that does.
                    assert!(touching.iter().all(|p| range.contains(p)), "{start}..{end}");
                    if window >= stride {
                        assert_eq!(range.collect::<Vec<_>>(), touching, "{start}..{end}");
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn errors_say_what_to_do() {
        let too_small = Conv2dGeometry::new(&[1, 2, 9, 1], &[1, 1, 3, 3], Conv2dOptions::default());
        let message = too_small.unwrap_err().to_string();
        assert!(message.contains("height of at least 3") && message.contains("received 2"));
        let channels = Conv2dGeometry::new(&[1, 9, 9, 1], &[1, 2, 3, 3], Conv2dOptions::default());
        assert!(channels.unwrap_err().to_string().contains("2 input channels"));
        assert!(Pool2dGeometry::new(&[1, 1, 9, 1], Pool2dOptions::default()).is_err());
        let zero = Pool2dOptions { window: (0, 1), stride: (1, 1) };
        assert!(Pool2dGeometry::new(&[1, 1, 9, 1], zero).is_err());
        for (input, weight) in [([1, 9, 9, 0], [2, 0, 3, 3]), ([1, 9, 9, 2], [0, 2, 3, 3])] {
            let none = Conv2dGeometry::new(&input, &weight, Conv2dOptions::default());
            assert!(none.unwrap_err().to_string().contains("at least one"));
        }
        let (vast, same) = (1 << 40, Padding::Same);
        let options = Conv2dOptions { stride: (1, 1), padding: same };
        let output = Conv2dGeometry::new(&[0, vast, 9, 1], &[vast, 1, 3, 3], options);
        assert!(output.unwrap_err().to_string().contains("a result of at most"));
    }

    #[test]
    fn strides_beyond_the_input_are_steps_to_its_end() -> Result<()> {
        let stride = (usize::MAX, 7);
        for padding in [Padding::Valid, Padding::Same] {
            let options = Conv2dOptions { stride, padding };
            let g = Conv2dGeometry::new(&[1, 6, 7, 1], &[1, 1, 3, 3], options)?;
            assert_eq!((g.out_h, g.out_w, g.stride_h, g.stride_w), (1, 1, 6, 7));
        }
        let options = Pool2dOptions { window: (2, 7), stride };
        let p = Pool2dGeometry::new(&[1, 6, 7, 1], options)?;
        assert_eq!((p.out_h, p.out_w, p.stride_h, p.stride_w), (1, 1, 6, 7));
        Ok(())
    }
}

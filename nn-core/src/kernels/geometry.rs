//! The geometry of a convolution or pooling: sizes, strides and padding, computed once.
//!
//! Options are what a user sets. A geometry is options applied to an input, with every size checked and
//! the output sizes computed. Kernels do not check a geometry again.

mod conv;
mod options;
mod padding;
mod windows;

pub use conv::Conv2dGeometry;
pub use options::{Conv2dOptions, ConvTranspose2dOptions};
pub use padding::Padding;

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

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

/// Limits a stride to the input size. A larger one gives the same output size, but its products could
/// overflow.
fn at_most_once(stride: usize, input: usize) -> usize {
    stride.min(input.max(1))
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
        assert!(Pool2dGeometry::new(&[1, 1, 9, 1], Pool2dOptions::default()).is_err());
        let zero = Pool2dOptions { window: (0, 1), stride: (1, 1) };
        assert!(Pool2dGeometry::new(&[1, 1, 9, 1], zero).is_err());
    }

    #[test]
    fn strides_beyond_the_input_are_steps_to_its_end() -> Result<()> {
        let stride = (usize::MAX, 7);
        let options = Pool2dOptions { window: (2, 7), stride };
        let p = Pool2dGeometry::new(&[1, 6, 7, 1], options)?;
        assert_eq!((p.out_h, p.out_w, p.stride_h, p.stride_w), (1, 1, 6, 7));
        Ok(())
    }
}

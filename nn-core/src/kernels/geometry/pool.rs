//! The geometry of poolings.

mod options;

use super::conv::image_dims;
use crate::error::{Error, Result};
use crate::tensor::Shape;
use std::ops::Range;

pub use options::Pool2dOptions;

const AT: &str = "pool2d";

/// A pooling of `[batch, in_h, in_w, channels]` to `[batch, out_h, out_w, channels]`. Every window has a
/// pixel of the input.
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
    pub dilation_h: usize,
    pub dilation_w: usize,
    pub pad_top: usize,
    pub pad_left: usize,
    /// Rows below and columns to the right that means count; `None` if they count no padding.
    pub counted: Option<(usize, usize)>,
}

/// The largest padded size along one dimension: sums of two of them do not overflow.
const LARGEST: usize = isize::MAX as usize / 4;

impl Pool2dGeometry {
    /// Computes the geometry from an input's dimensions.
    ///
    /// # Errors
    /// If the rank is not 4, a window, stride or dilation is 0, the window does not fit into the padded
    /// input, a window could lie in the padding alone, or the output is too large for memory.
    pub fn new(input: &[usize], options: Pool2dOptions) -> Result<Self> {
        let [batch, in_h, in_w, channels] = image_dims(AT, input)?;
        let Pool2dOptions { window, stride, dilation, .. } = options;
        let smallest = |pair: (usize, usize)| pair.0.min(pair.1);
        if smallest(window) == 0 || smallest(stride) == 0 {
            return Err(Error::setting(
                "pool2d: window and stride",
                "at least 1",
                format!("window {window:?}, stride {stride:?}"),
                "the usual ones are 2 and 2",
            ));
        }
        if smallest(dilation) == 0 {
            let received = format!("{dilation:?}");
            return Err(Error::setting("pool2d: dilation", "at least 1", received, "1 is usual"));
        }
        // The place of a maximum in its window is stored in 32 bits.
        let places = window.0.checked_mul(window.1).filter(|&places| places <= u32::MAX as usize);
        let extent = |window: usize, dilation: usize| {
            let extent = (window - 1).checked_mul(dilation)?.checked_add(1)?;
            (extent <= LARGEST).then_some(extent)
        };
        let extents = (extent(window.0, dilation.0), extent(window.1, dilation.1));
        let (Some(_), (Some(extent_h), Some(extent_w))) = (places, extents) else {
            return Err(Error::setting(
                "pool2d: window and dilation",
                "such that an image in memory can have the window's size",
                format!("window {window:?}, dilation {dilation:?}"),
                "the usual ones are 2 or 3 and 1",
            ));
        };
        let extents = (extent_h, extent_w);
        let [rows, columns] = options.padding.amounts((in_h, in_w), extents, stride);
        let side = |along, input, extent, stride, dilation, padding| {
            Side { along, input, extent, stride, dilation, padding }.output(options)
        };
        let sides = (
            side("height", in_h, extent_h, stride.0, dilation.0, rows)?,
            side("width", in_w, extent_w, stride.1, dilation.1, columns)?,
        );
        let (Some((out_h, stride_h)), Some((out_w, stride_w))) = sides else {
            return Err(Error::shape(
                AT,
                format!(
                    "an input of at least {}x{}, the window's size{}",
                    extent_h.saturating_sub(rows.0 + rows.1),
                    extent_w.saturating_sub(columns.0 + columns.1),
                    if (rows, columns) == ((0, 0), (0, 0)) { "" } else { " less the padding" },
                ),
                format!("{in_h}x{in_w}"),
                "use larger images or a smaller window",
            ));
        };
        Shape::from([batch, out_h, out_w, channels]).ensure_possible(AT)?;
        Ok(Self {
            batch,
            in_h,
            in_w,
            out_h,
            out_w,
            channels,
            window_h: window.0,
            window_w: window.1,
            stride_h,
            stride_w,
            dilation_h: dilation.0,
            dilation_w: dilation.1,
            pad_top: rows.0,
            pad_left: columns.0,
            counted: options.count_include_pad.then_some((rows.1, columns.1)),
        })
    }

    /// Whether windows are 2x2 with stride 2, inside the input.
    pub fn is_2x2(&self) -> bool {
        (self.window_h, self.window_w, self.stride_h, self.stride_w) == (2, 2, 2, 2)
            && self.is_inside()
    }

    /// Whether all windows are inside the input and have their pixels side by side.
    pub fn is_inside(&self) -> bool {
        let inside = |output: usize, stride: usize, window: usize, input: usize| {
            output.saturating_sub(1) * stride + window <= input
        };
        (self.pad_top, self.pad_left, self.dilation_h, self.dilation_w) == (0, 0, 1, 1)
            && inside(self.out_h, self.stride_h, self.window_h, self.in_h)
            && inside(self.out_w, self.stride_w, self.window_w, self.in_w)
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

    /// The windows along the height.
    pub(crate) fn rows(&self) -> Axis {
        Axis::Strided {
            input: self.in_h,
            output: self.out_h,
            window: self.window_h,
            stride: self.stride_h,
            dilation: self.dilation_h,
            before: self.pad_top,
            counted: self.counted.map(|(below, _)| below),
        }
    }

    /// The windows along the width.
    pub(crate) fn columns(&self) -> Axis {
        Axis::Strided {
            input: self.in_w,
            output: self.out_w,
            window: self.window_w,
            stride: self.stride_w,
            dilation: self.dilation_w,
            before: self.pad_left,
            counted: self.counted.map(|(_, right)| right),
        }
    }

    /// The windows of both dimensions.
    pub(crate) fn pooled(&self) -> Pooled {
        let Self { batch, channels, .. } = *self;
        Pooled { batch, channels, rows: self.rows(), columns: self.columns() }
    }
}

/// One dimension of a pooling.
struct Side {
    along: &'static str,
    input: usize,
    extent: usize,
    stride: usize,
    dilation: usize,
    padding: (usize, usize),
}

impl Side {
    /// Output size and stride; `None` if the window does not fit. The stride is limited to the padded
    /// size: a larger one gives the same output, but its products could overflow.
    fn output(&self, options: Pool2dOptions) -> Result<Option<(usize, usize)>> {
        let Self { along, input, extent, stride, dilation, padding: (before, after) } = *self;
        if before >= extent || after >= extent {
            return Err(Error::setting(
                format!("pool2d: padding along the {along}"),
                format!("below {extent}, the window's, so that no window is padding alone"),
                format!("{before} and {after}"),
                "use less padding, or a larger window",
            ));
        }
        if before > 0 && dilation > input.max(1) {
            return Err(Error::setting(
                format!("pool2d: dilation along the {along}"),
                format!("at most {input}, the input's, so that no window is padding alone"),
                dilation,
                "use larger images, or a smaller dilation",
            ));
        }
        let padded = input + before + after;
        let stride = stride.min(padded.max(extent));
        if input == 0 {
            return Ok(None);
        }
        if options.padding.keeps_size() {
            return Ok(Some((input.div_ceil(stride), stride)));
        }
        let hanging = if options.ceil_mode { stride - 1 } else { 0 };
        let Some(steps) = (padded + hanging).checked_sub(extent) else { return Ok(None) };
        let output = steps / stride + 1;
        let begins_inside = (output - 1) * stride < input + before;
        Ok(Some((if begins_inside { output } else { output - 1 }, stride)))
    }
}

/// A pooling with any windows of both dimensions.
#[derive(Clone, Copy, Debug)]
pub struct Pooled {
    pub batch: usize,
    pub channels: usize,
    pub rows: Axis,
    pub columns: Axis,
}

impl Pooled {
    /// Windows that divide the input `[batch, height, width, channels]` into `(rows, columns)` parts of
    /// equal size, or of nearly equal size that share pixels at their borders, as PyTorch does.
    ///
    /// # Errors
    /// If the rank is not 4, the input has no pixels, the output has none, or is too large for memory.
    pub fn adaptive(at: &str, input: &[usize], output: (usize, usize)) -> Result<Self> {
        let [batch, in_h, in_w, channels] = image_dims(at, input)?;
        if output.0 == 0 || output.1 == 0 {
            return Err(Error::setting(
                format!("{at}: the output's height and width"),
                "at least 1",
                format!("{output:?}"),
                "use 1 for one number per channel",
            ));
        }
        if in_h == 0 || in_w == 0 {
            return Err(Error::shape(
                at,
                "an input of at least one pixel",
                input,
                "check where the empty images are from",
            ));
        }
        Shape::from([batch, output.0, output.1, channels]).ensure_possible(at)?;
        let rows = Axis::Adaptive { input: in_h, output: output.0 };
        let columns = Axis::Adaptive { input: in_w, output: output.1 };
        Ok(Self { batch, channels, rows, columns })
    }

    /// The output's dimensions.
    pub fn output_dims(&self) -> [usize; 4] {
        [self.batch, self.rows.output(), self.columns.output(), self.channels]
    }
}

/// The windows of a pooling along one dimension.
#[derive(Clone, Copy, Debug)]
pub enum Axis {
    /// Windows of one size at regular distances.
    Strided {
        input: usize,
        output: usize,
        window: usize,
        stride: usize,
        dilation: usize,
        /// Padding before the input.
        before: usize,
        /// Padding after the input that means count; `None` if they count no padding.
        counted: Option<usize>,
    },
    /// Window `i` from `floor(i * input / output)` to `ceil((i + 1) * input / output)`.
    Adaptive { input: usize, output: usize },
}

/// One window along one dimension: the pixels `first`, `first + step`, .. of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub first: usize,
    pub step: usize,
    /// How many pixels are inside the input; at least 1.
    pub inside: usize,
    /// The place of `first` in the window; those before are padding.
    pub place: usize,
    /// How many pixels means count.
    pub counted: usize,
}

impl Axis {
    /// The number of pixels.
    pub fn input(&self) -> usize {
        match *self {
            Self::Strided { input, .. } | Self::Adaptive { input, .. } => input,
        }
    }

    /// The number of windows.
    pub fn output(&self) -> usize {
        match *self {
            Self::Strided { output, .. } | Self::Adaptive { output, .. } => output,
        }
    }

    /// The most pixels that a window spans.
    pub fn reach(&self) -> usize {
        match *self {
            Self::Strided { window, dilation, .. } => (window - 1) * dilation + 1,
            Self::Adaptive { input, output } => input.div_ceil(output) + 1,
        }
    }

    /// Window `i`.
    #[inline]
    pub fn window(&self, i: usize) -> Window {
        match *self {
            Self::Strided { input, window, stride, dilation, before, counted, .. } => {
                let start = i * stride;
                let end = start + (window - 1) * dilation;
                if before <= start && end < before + input {
                    let first = start - before;
                    return Window {
                        first,
                        step: dilation,
                        inside: window,
                        place: 0,
                        counted: window,
                    };
                }
                let place = before.saturating_sub(start).div_ceil(dilation);
                let first = start + place * dilation - before;
                let inside = (window - place).min((input - first).div_ceil(dilation));
                let counted = counted.map_or(inside, |after| {
                    window.min((before + input + after - start).div_ceil(dilation))
                });
                Window { first, step: dilation, inside, place, counted }
            }
            Self::Adaptive { input, output } => {
                let first = scaled(i, input, output);
                let inside = scaled_up(i + 1, input, output) - first;
                Window { first, step: 1, inside, place: 0, counted: inside }
            }
        }
    }

    /// The windows that may have one of these pixels: none that has is missing.
    pub fn touching(&self, pixels: &Range<usize>) -> Range<usize> {
        let (first, end) = match *self {
            Self::Strided { stride, before, .. } => (
                (pixels.start + before + 1).saturating_sub(self.reach()).div_ceil(stride),
                (pixels.end + before).div_ceil(stride),
            ),
            Self::Adaptive { input, output } => {
                (scaled(pixels.start, output, input), scaled_up(pixels.end, output, input))
            }
        };
        let end = end.min(self.output());
        first.min(end)..end
    }
}

/// `i * to / from`, rounded down.
fn scaled(i: usize, to: usize, from: usize) -> usize {
    // The product of two sizes may exceed 64 bits.
    (i as u128 * to as u128 / from as u128) as usize
}

/// `i * to / from`, rounded up.
fn scaled_up(i: usize, to: usize, from: usize) -> usize {
    (i as u128 * to as u128).div_ceil(from as u128) as usize
}

#[cfg(test)]
mod tests;

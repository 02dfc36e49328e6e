//! The windows that a kernel sees along one dimension, and the sizes that follow from them.

use super::Padding;
use crate::error::{Error, Result};

/// The windows that a kernel sees along one dimension.
pub struct Windows {
    along: &'static str,
    kernel: usize,
    pub stride: usize,
    /// From the first pixel under the kernel to the last, inclusive.
    pub extent: usize,
}

/// Rows and columns of a kernel, with `[stride, dilation]`.
pub fn windows(
    at: &str,
    kernel: [usize; 2],
    [stride, dilation]: [(usize, usize); 2],
) -> Result<[Windows; 2]> {
    let window = |along, kernel: usize, stride: usize, dilation: usize| {
        if kernel == 0 || stride == 0 || dilation == 0 {
            let received = match dilation {
                1 => format!("kernel {kernel}, stride {stride}"),
                _ => format!("kernel {kernel}, stride {stride}, dilation {dilation}"),
            };
            let what = match dilation {
                1 => format!("{at}: kernel and stride along the {along}"),
                _ => format!("{at}: kernel, stride and dilation along the {along}"),
            };
            return Err(Error::setting(what, "at least 1", received, "the usual ones are 3 and 1"));
        }
        let extent = (kernel - 1).checked_mul(dilation).and_then(|extent| extent.checked_add(1));
        match extent {
            Some(extent) if extent <= LARGEST => Ok(Windows { along, kernel, stride, extent }),
            _ => Err(Error::setting(
                format!("{at}: dilation along the {along}"),
                "one that keeps the kernel inside an image",
                format!("{dilation}, with a kernel of {kernel}"),
                "the usual ones are 1 and 2",
            )),
        }
    };
    Ok([
        window("height", kernel[0], stride.0, dilation.0)?,
        window("width", kernel[1], stride.1, dilation.1)?,
    ])
}

/// The largest padded size along one dimension: sums of two of them do not overflow.
const LARGEST: usize = isize::MAX as usize / 4;

impl Windows {
    /// Output size, and the stride limited to the padded size: a larger one gives the same output, but
    /// its products could overflow.
    pub fn output(
        &self,
        at: &str,
        input: usize,
        padding: Padding,
        (before, after): (usize, usize),
    ) -> Result<(usize, usize)> {
        let Self { along, kernel, stride, extent } = *self;
        let padded = self.padded(at, input, (before, after))?;
        let stride_within = stride.min(padded.max(1));
        if padding.keeps_size() {
            return Ok((input.div_ceil(stride), stride_within));
        }
        if padded >= extent {
            return Ok(((padded - extent) / stride + 1, stride_within));
        }
        let least = extent - before - after;
        let whose = match (extent == kernel, before + after) {
            (true, 0) => "the kernel's".to_owned(),
            (true, pad) => format!("the kernel's {kernel} less {pad} of padding"),
            (false, 0) => format!("what the kernel of {kernel} spans with its dilation"),
            (false, pad) => {
                format!(
                    "the {extent} that the kernel spans with its dilation less {pad} of padding"
                )
            }
        };
        Err(Error::shape(
            at,
            format!("an input {along} of at least {least}, {whose}"),
            input,
            "use larger images, a smaller kernel, or padding \"same\"",
        ))
    }

    fn padded(&self, at: &str, size: usize, (before, after): (usize, usize)) -> Result<usize> {
        let padded = size.checked_add(before).and_then(|sum| sum.checked_add(after));
        padded.filter(|&padded| padded <= LARGEST).ok_or_else(|| {
            Error::setting(
                format!("{at}: padding along the {}", self.along),
                "one that an image in memory can have",
                format!("{before} and {after}"),
                "the usual ones are 0 to 3",
            )
        })
    }

    /// Leading padding and output size of a transposed convolution. `axis` is this dimension's index
    /// in [`Padding::amounts`].
    pub fn transposed(
        &self,
        at: &str,
        input: usize,
        output_padding: usize,
        padding: Padding,
        axis: usize,
    ) -> Result<(usize, usize)> {
        let Self { along, kernel, stride, extent } = *self;
        let too_large = || {
            Error::setting(
                format!("{at}: kernel, stride and dilation along the {along}"),
                "such that an image in memory can have the output's size",
                format!("stride {stride} and extent {extent} for an input of {input}"),
                "the usual strides are 1 and 2",
            )
        };
        let within = |size: &usize| *size <= LARGEST;
        if padding.keeps_size() {
            if output_padding != 0 {
                return Err(Error::setting(
                    format!("{at}: output padding along the {along}"),
                    "0 with padding \"same\", whose output is the input's size times the stride",
                    output_padding,
                    "give the padding of each side as numbers",
                ));
            }
            let output = input.checked_mul(stride).filter(within).ok_or_else(too_large)?;
            let (before, after) =
                padding.amounts((output, output), (extent, extent), (stride, stride))[axis];
            self.padded(at, output, (before, after))?;
            return Ok((before, output));
        }
        let dilation = (extent - 1).checked_div(kernel - 1).unwrap_or(1);
        if output_padding != 0 && output_padding >= stride.max(dilation) {
            return Err(Error::setting(
                format!("{at}: output padding along the {along}"),
                format!("below the stride or the dilation, {}", stride.max(dilation)),
                output_padding,
                "it only chooses among the sizes that the stride maps to the same input",
            ));
        }
        if input == 0 {
            return Ok((0, 0));
        }
        let (before, after) = padding.amounts((0, 0), (1, 1), (1, 1))[axis];
        self.padded(at, 0, (before, after))?;
        let full = (input - 1).checked_mul(stride).filter(within).ok_or_else(too_large)?;
        let full =
            full.checked_add(extent + output_padding).filter(within).ok_or_else(too_large)?;
        match full.checked_sub(before + after) {
            Some(output) if output > 0 => Ok((before, output)),
            _ => Err(Error::setting(
                format!("{at}: padding along the {along}"),
                format!("less than the {full} rows or columns that the convolution makes"),
                format!("{before} and {after}"),
                "use less padding, a larger kernel or a larger stride",
            )),
        }
    }
}

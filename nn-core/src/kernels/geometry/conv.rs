//! The geometry of convolutions and transposed convolutions.

use super::windows::windows;
use super::{Conv2dOptions, ConvTranspose2dOptions};
use crate::error::{Error, Received, Result};
use crate::tensor::Shape;
use std::ops::Range;

/// A convolution of `[batch, in_h, in_w, in_c]` with `[out_c, in_c / groups, kernel_h, kernel_w]` to
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
    pub dilation_h: usize,
    pub dilation_w: usize,
    pub pad_top: usize,
    pub pad_left: usize,
    pub groups: usize,
}

impl Conv2dGeometry {
    /// Computes the geometry from an input's and a weight's dimensions.
    ///
    /// # Errors
    /// If a rank is not 4, the channels do not fit the weight or the groups, a kernel, stride or
    /// dilation is 0, the kernel does not fit into the padded input, or the output is too large for
    /// memory.
    pub fn new(input: &[usize], weight: &[usize], options: Conv2dOptions) -> Result<Self> {
        const AT: &str = "conv2d";
        let [batch, in_h, in_w, in_c] = image_dims(AT, input)?;
        let &[out_c, weight_in_c, kernel_h, kernel_w] = weight else {
            let expected = "a weight [out channels, in channels / groups, height, width]";
            return Err(Error::shape(AT, expected, weight, "reshape the weight"));
        };
        let Conv2dOptions { stride, padding, dilation, groups } = options;
        if groups == 1 && in_c != weight_in_c {
            return Err(Error::shape(
                AT,
                format!("{weight_in_c} input channels, as the weight {weight:?} has"),
                Received::named([("input", input)]),
                "channels come last in inputs and second in weights",
            ));
        }
        if in_c == 0 || out_c == 0 {
            return Err(Error::shape(
                AT,
                "at least one input channel and one output channel",
                Received::named([("input", input), ("weight", weight)]),
                "leave the convolution away, or give it channels",
            ));
        }
        check_groups(AT, groups, [("input", in_c), ("output", out_c)])?;
        if in_c / groups != weight_in_c {
            return Err(Error::shape(
                AT,
                format!(
                    "a weight with {} input channels, the input's {in_c} cut into {groups} groups",
                    in_c / groups
                ),
                Received::named([("input", input), ("weight", weight)]),
                "weights are [out channels, in channels / groups, height, width]",
            ));
        }
        let [rows, columns] = windows(AT, [kernel_h, kernel_w], [stride, dilation])?;
        let (extents, stride) = ((rows.extent, columns.extent), (rows.stride, columns.stride));
        let [vertical, horizontal] = padding.amounts((in_h, in_w), extents, stride);
        let (out_h, stride_h) = rows.output(AT, in_h, padding, vertical)?;
        let (out_w, stride_w) = columns.output(AT, in_w, padding, horizontal)?;
        Shape::from([batch, out_h, out_w, out_c]).ensure_possible(AT)?;
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
            stride_h,
            stride_w,
            dilation_h: dilation.0,
            dilation_w: dilation.1,
            pad_top: vertical.0,
            pad_left: horizontal.0,
            groups,
        })
    }

    /// The convolution whose input gradient is the transposed convolution of an input and a weight with
    /// these dimensions. So its output is the transposed convolution's input, and vice versa.
    ///
    /// # Errors
    /// If a rank is not 4, the channels do not fit the weight or the groups, a kernel, stride or
    /// dilation is 0, the padding leaves nothing, the output padding does not fit, or the output is too
    /// large for memory.
    pub fn transposed(
        input: &[usize],
        weight: &[usize],
        options: ConvTranspose2dOptions,
    ) -> Result<Self> {
        const AT: &str = "conv_transpose2d";
        let [batch, in_h, in_w, in_c] = image_dims(AT, input)?;
        let &[weight_in_c, group_c, kernel_h, kernel_w] = weight else {
            let expected = "a weight [in channels, out channels / groups, height, width]";
            return Err(Error::shape(AT, expected, weight, "reshape the weight"));
        };
        let ConvTranspose2dOptions { stride, padding, output_padding, dilation, groups } = options;
        if in_c != weight_in_c {
            return Err(Error::shape(
                AT,
                format!("{weight_in_c} input channels, as the weight {weight:?} has"),
                Received::named([("input", input)]),
                "channels come last in inputs and first in weights of transposed convolutions",
            ));
        }
        if in_c == 0 || group_c == 0 {
            return Err(Error::shape(
                AT,
                "at least one input channel and one output channel",
                Received::named([("input", input), ("weight", weight)]),
                "leave the convolution away, or give it channels",
            ));
        }
        check_groups(AT, groups, [("input", in_c)])?;
        let [rows, columns] = windows(AT, [kernel_h, kernel_w], [stride, dilation])?;
        let (top, out_h) = rows.transposed(AT, in_h, output_padding.0, padding, 0)?;
        let (left, out_w) = columns.transposed(AT, in_w, output_padding.1, padding, 1)?;
        let out_c = group_c.saturating_mul(groups);
        Shape::from([batch, out_h, out_w, out_c]).ensure_possible(AT)?;
        Ok(Self {
            batch,
            in_h: out_h,
            in_w: out_w,
            in_c: out_c,
            out_h: in_h,
            out_w: in_w,
            out_c: in_c,
            kernel_h,
            kernel_w,
            stride_h: stride.0,
            stride_w: stride.1,
            dilation_h: dilation.0,
            dilation_w: dilation.1,
            pad_top: top,
            pad_left: left,
            groups,
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

    /// Elements of the kernel in one plane: `kernel_h * kernel_w`.
    pub fn taps(&self) -> usize {
        self.kernel_h * self.kernel_w
    }

    /// Input channels of a group.
    pub fn group_in(&self) -> usize {
        self.in_c / self.groups
    }

    /// Output channels of a group.
    pub fn group_out(&self) -> usize {
        self.out_c / self.groups
    }

    /// Elements of the input patch under the kernel, in one group: `kernel_h * kernel_w * in_c / groups`.
    pub fn patch_len(&self) -> usize {
        self.taps() * self.group_in()
    }

    /// Whether the kernel is dense and sees all channels: no dilation, no groups.
    pub fn is_plain(&self) -> bool {
        (self.dilation_h, self.dilation_w, self.groups) == (1, 1, 1)
    }

    /// Whether each output pixel depends on the input pixel at the same place only.
    pub fn is_pointwise(&self) -> bool {
        self.taps() == 1
            && (self.stride_h, self.stride_w, self.pad_top, self.pad_left) == (1, 1, 0, 0)
            && (self.in_h, self.in_w) == (self.out_h, self.out_w)
    }

    /// The rows of the input that rows of the output see, without those of the padding; `0..0` if there are none.
    pub fn rows_seen(&self, rows: &Range<usize>) -> Range<usize> {
        let Some(last) = rows.end.checked_sub(1).filter(|&last| last >= rows.start) else {
            return 0..0;
        };
        let inside = |row: usize| row.saturating_sub(self.pad_top).min(self.in_h);
        let end = last * self.stride_h + self.extent_h();
        let seen = inside(rows.start * self.stride_h)..inside(end);
        if seen.is_empty() { 0..0 } else { seen }
    }

    /// Rows of an image `x`.
    pub fn input_rows<'a, T>(&self, x: &'a [T], rows: &Range<usize>) -> &'a [T] {
        let row = self.in_w * self.in_c;
        &x[rows.start * row..rows.end * row]
    }

    /// Rows from the first element of the kernel to the last.
    pub fn extent_h(&self) -> usize {
        (self.kernel_h - 1) * self.dilation_h + 1
    }

    /// The output's dimensions.
    pub fn output_dims(&self) -> [usize; 4] {
        [self.batch, self.out_h, self.out_w, self.out_c]
    }

    /// The input's dimensions.
    pub fn input_dims(&self) -> [usize; 4] {
        [self.batch, self.in_h, self.in_w, self.in_c]
    }

    /// Multiply-adds of one direct pass over an image.
    pub fn multiply_adds(&self) -> u64 {
        (self.output_len() as u64).saturating_mul(self.patch_len() as u64)
    }

    /// Floating-point operations of one direct pass: multiplications and additions.
    pub fn flops(&self) -> f64 {
        2.0 * self.batch as f64 * self.multiply_adds() as f64
    }
}

pub(super) fn image_dims(at: &str, input: &[usize]) -> Result<[usize; 4]> {
    input.try_into().map_err(|_| {
        let expected = "an input [batch, height, width, channels]";
        Error::shape(at, expected, input, "add the missing dimensions with reshape")
    })
}

/// Refuses groups that do not divide the channels, naming the numbers that would do.
fn check_groups<const N: usize>(
    at: &str,
    groups: usize,
    channels: [(&str, usize); N],
) -> Result<()> {
    if groups != 0 && channels.iter().all(|(_, channels)| channels % groups == 0) {
        return Ok(());
    }
    let common = channels.iter().fold(0, |common, &(_, channels)| gcd(common, channels));
    let counted: Vec<_> =
        channels.iter().map(|(which, count)| format!("{count} {which} channels")).collect();
    Err(Error::setting(
        format!("{at}: groups"),
        format!("a divisor of the {}", counted.join(" and the ")),
        groups,
        format!("these would do: {}", divisors(common)),
    ))
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The divisors of `number`, the largest of many left out.
fn divisors(number: usize) -> String {
    const SHOWN: usize = 12;
    let mut all: Vec<usize> =
        (1..=number.isqrt().min(1 << 16)).filter(|low| number.is_multiple_of(*low)).collect();
    let large: Vec<_> = all.iter().rev().map(|low| number / low).collect();
    all.extend(large);
    all.dedup();
    let text: Vec<_> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if all.len() > SHOWN { ", ..." } else { "" };
    text.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Padding;

    fn plain(
        input: [usize; 4],
        weight: [usize; 4],
        options: Conv2dOptions,
    ) -> Result<Conv2dGeometry> {
        Conv2dGeometry::new(&input, &weight, options)
    }

    #[test]
    fn output_sizes_are_pytorchs() -> Result<()> {
        // (size, kernel, stride, before, after, dilation), size of the output: by PyTorch's formula.
        for ((size, kernel, stride, top, bottom, dilation), expected) in [
            ((7, 3, 1, 1, 1, 1), 7),
            ((7, 3, 2, 1, 1, 1), 4),
            ((8, 3, 2, 0, 1, 1), 4),
            ((9, 3, 1, 2, 2, 2), 9),
            ((9, 3, 2, 0, 0, 3), 2),
            ((1, 5, 1, 2, 2, 1), 1),
            ((4, 1, 3, 4, 0, 1), 3),
        ] {
            let padding = Padding::Explicit { top, bottom, left: 0, right: 0 };
            let options = Conv2dOptions::new().stride((stride, 1)).padding(padding);
            let options = options.dilation((dilation, 1));
            let g = plain([1, size, 5, 4], [6, 2, kernel, 2], options.groups(2))?;
            assert_eq!((g.out_h, g.pad_top, g.out_w), (expected, top, 4));
        }
        let same = Conv2dOptions::new().padding(Padding::SameLower).dilation(2).stride(2);
        let g = plain([1, 8, 7, 1], [1, 1, 3, 2], same)?;
        // Height: 4 outputs span 6 + 5 = 11 of 8 rows; width: 6 + 3 = 9 of 7 columns.
        assert_eq!((g.out_h, g.pad_top, g.out_w, g.pad_left), (4, 2, 4, 1));
        Ok(())
    }

    #[test]
    fn a_transposed_convolution_inverts_sizes() -> Result<()> {
        for (input, kernel, stride, dilation, pads, extra) in [
            (5, 3, 1, 1, (0, 0), 0),
            (5, 3, 2, 1, (1, 1), 1),
            (4, 2, 3, 1, (0, 0), 2),
            (4, 3, 2, 3, (2, 1), 0),
            (1, 4, 5, 2, (3, 0), 4),
        ] {
            let padding = Padding::Explicit { top: pads.0, bottom: pads.1, left: 0, right: 0 };
            let options = ConvTranspose2dOptions::new().stride((stride, 1)).padding(padding);
            let options = options.output_padding((extra, 0)).dilation((dilation, 1));
            let g = Conv2dGeometry::transposed(&[2, input, 3, 4], &[4, 3, kernel, 2], options)?;
            let size = (input - 1) * stride + (kernel - 1) * dilation + 1 + extra - pads.0 - pads.1;
            assert_eq!(g.input_dims(), [2, size, 4, 3]);
            assert_eq!(g.output_dims(), [2, input, 3, 4]);
            let conv = Conv2dOptions::new().stride((stride, 1)).padding(padding);
            let again = plain(g.input_dims(), [4, 3, kernel, 2], conv.dilation((dilation, 1)))?;
            assert_eq!((again.out_h, again.pad_top), (input, g.pad_top));
        }
        for padding in [Padding::Same, Padding::SameLower] {
            for (kernel, stride) in [(3, 2), (2, 3), (4, 2), (1, 1), (5, 4)] {
                let options = ConvTranspose2dOptions::new().stride(stride).padding(padding);
                let g =
                    Conv2dGeometry::transposed(&[1, 5, 6, 1], &[1, 1, kernel, kernel], options)?;
                assert_eq!((g.in_h, g.in_w), (5 * stride, 6 * stride));
                let conv = Conv2dOptions::new().stride(stride).padding(padding);
                assert_eq!(g, plain(g.input_dims(), [1, 1, kernel, kernel], conv)?);
            }
        }
        let empty = Conv2dGeometry::transposed(
            &[1, 0, 2, 1],
            &[1, 1, 3, 3],
            ConvTranspose2dOptions::new(),
        )?;
        assert_eq!((empty.in_h, empty.in_w), (0, 4));
        Ok(())
    }

    #[test]
    fn rows_see_what_lies_in_the_image() {
        let geometry = |kernel, dilation, padding, stride| {
            let padding = Padding::symmetric(padding);
            let options = Conv2dOptions::new().padding(padding).dilation(dilation).stride(stride);
            Conv2dGeometry::new(&[1, 5, 5, 1], &[1, 1, kernel, kernel], options).unwrap()
        };
        let plain = geometry(3, 1, 1, 1);
        assert_eq!(
            [0..1, 1..3, 4..5, 2..2].map(|rows| plain.rows_seen(&rows)),
            [0..2, 0..4, 3..5, 0..0]
        );
        // Rows above the image, in it and below.
        let padded = geometry(3, 1, 5, 1);
        assert_eq!([0..1, 0..6, 12..13].map(|rows| padded.rows_seen(&rows)), [0..0, 0..3, 0..0]);
        let dilated = geometry(3, 2, 4, 2);
        assert_eq!([0..1, 2..3, 4..5].map(|rows| dilated.rows_seen(&rows)), [0..1, 0..5, 4..5]);
    }

    #[test]
    fn errors_say_what_to_do() {
        let new = |input: [usize; 4], weight, options| {
            plain(input, weight, options).unwrap_err().to_string()
        };
        let valid = Conv2dOptions::default();
        let message = new([1, 2, 9, 1], [1, 1, 3, 3], valid);
        assert!(message.contains("height of at least 3") && message.contains("received 2"));
        assert!(new([1, 9, 9, 1], [1, 2, 3, 3], valid).contains("2 input channels"));
        for (input, weight) in [([1, 9, 9, 0], [2, 0, 3, 3]), ([1, 9, 9, 2], [0, 2, 3, 3])] {
            assert!(new(input, weight, valid).contains("at least one"));
        }
        let vast = 1 << 40;
        let same = Conv2dOptions::new().padding(Padding::Same);
        assert!(new([0, vast, 9, 1], [vast, 1, 3, 3], same).contains("a result of at most"));
        let message = new([1, 9, 9, 12], [18, 3, 3, 3], Conv2dOptions::new().groups(4));
        assert!(message.contains("12 input channels and the 18 output channels"), "{message}");
        assert!(message.contains("these would do: 1, 2, 3, 6"), "{message}");
        assert!(
            new([1, 9, 9, 4], [4, 4, 3, 3], Conv2dOptions::new().groups(0)).contains("1, 2, 4")
        );
        let message = new([1, 9, 9, 12], [18, 12, 3, 3], Conv2dOptions::new().groups(6));
        assert!(
            message.contains("2 input channels, the input's 12 cut into 6 groups"),
            "{message}"
        );
        assert!(new([1, 9, 9, 1], [1, 1, 3, 3], valid.dilation((1, 0))).contains("dilation 0"));
        let message = new([1, 9, 9, 1], [1, 1, 3, 3], valid.dilation(5));
        assert!(message.contains("at least 11") && message.contains("dilation"), "{message}");
        let message = new([1, 9, 9, 1], [1, 1, 3, 3], same.dilation(usize::MAX / 2));
        assert!(message.contains("dilation"), "{message}");
        let huge = Padding::Explicit { top: usize::MAX, bottom: 1, left: 0, right: 0 };
        assert!(new([1, 9, 9, 1], [1, 1, 3, 3], valid.padding(huge)).contains("padding"));
        let wide = Padding::symmetric(1 << 58);
        assert!(
            new([1, 9, 9, 1], [1, 1, 3, 3], valid.padding(wide)).contains("a result of at most")
        );
    }

    #[test]
    fn transposed_errors_say_what_to_do() {
        let new = |weight: [usize; 4], options| {
            let g = Conv2dGeometry::transposed(&[1, 5, 5, 6], &weight, options);
            g.unwrap_err().to_string()
        };
        let plain = ConvTranspose2dOptions::new();
        assert!(new([4, 2, 3, 3], plain).contains("4 input channels"));
        assert!(new([6, 0, 3, 3], plain).contains("at least one"));
        assert!(new([6, 2, 3, 3], plain.groups(4)).contains("1, 2, 3, 6"));
        assert!(new([6, 2, 0, 3], plain).contains("at least 1"));
        assert!(
            new([6, 2, 3, 3], plain.padding(Padding::symmetric(4))).contains("less than the 7")
        );
        assert!(new([6, 2, 3, 3], plain.stride(2).output_padding(2)).contains("below the stride"));
        let same = plain.padding(Padding::Same).stride(2).output_padding(1);
        assert!(new([6, 2, 3, 3], same).contains("padding \"same\""));
        for stride in [usize::MAX, 1 << 60] {
            assert!(new([6, 2, 3, 3], plain.stride(stride)).contains("stride"));
            assert!(
                new([6, 2, 3, 3], plain.stride(stride).padding(Padding::Same)).contains("stride")
            );
        }
        assert!(new([6, 2, 3, 3], plain.stride(1 << 50)).contains("a result of at most"));
        assert!(new([6, usize::MAX, 3, 3], plain.groups(2)).contains("a result of at most"));
    }

    #[test]
    fn strides_beyond_the_input_are_steps_to_its_end() -> Result<()> {
        for padding in [Padding::Valid, Padding::Same] {
            let options = Conv2dOptions::new().stride((usize::MAX, 7)).padding(padding);
            let g = plain([1, 6, 7, 1], [1, 1, 3, 3], options)?;
            assert_eq!((g.out_h, g.out_w, g.stride_h, g.stride_w), (1, 1, 6, 7));
        }
        // Inside the padding a stride may be larger than the input.
        let options = Conv2dOptions::new().stride(9).padding(Padding::symmetric(4));
        let g = plain([1, 2, 3, 1], [1, 1, 1, 1], options)?;
        assert_eq!((g.out_h, g.out_w, g.stride_h, g.stride_w), (2, 2, 9, 9));
        Ok(())
    }
}

//! The inner loops of depthwise convolutions, compiled for the machine's vectors.
//!
//! Pixels are `channels` numbers side by side, and channels do not mix. So the loops take a block of
//! channels whose sums stay in registers, block by block; what is left over goes in smaller blocks.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`

use super::reach::Reach;
use crate::kernels::multiversion::Multiversion;
use crate::tensor::Element;

/// Channels of a whole block: as many vectors as hide the latency of a sum.
const BLOCK: usize = 32;
/// Channels of a small block.
const SMALL: usize = 8;

/// Calls `$block::<T, N>` for blocks of channels that make up `$channels`.
macro_rules! for_each_block {
    ($channels:expr, |$at:ident, $N:ident| $body:expr) => {{
        let (channels, mut $at) = ($channels, 0);
        while $at + BLOCK <= channels {
            const $N: usize = BLOCK;
            $body;
            $at += $N;
        }
        while $at + SMALL <= channels {
            const $N: usize = SMALL;
            $body;
            $at += $N;
        }
        while $at < channels {
            const $N: usize = 1;
            $body;
            $at += $N;
        }
    }};
}

/// Each pixel of some rows of a target: the sum of the source's pixels it is connected with, each times
/// the kernel's element that connects them. The forward pass and the input's gradient differ only
/// in what is connected.
pub struct Connected<'a, T> {
    /// Rows of the source, from row `top` on.
    pub source: &'a [T],
    pub top: usize,
    /// Pixels of a source row.
    pub source_w: usize,
    /// `[kernel row, kernel column, channel]`.
    pub weights: &'a [T],
    pub kernel_w: usize,
    pub channels: usize,
    pub bias: Option<&'a [T]>,
    pub relu: bool,
    pub rows: &'a Reach,
    pub columns: &'a Reach,
    /// The number of the target's first row.
    pub first: usize,
    /// Pixels of a target row.
    pub target_w: usize,
    pub target: &'a mut [T],
}

impl<T: Element> Multiversion for Connected<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let pixels = self.target.len() / self.channels;
        for pixel in 0..pixels {
            let at = (self.first + pixel / self.target_w, pixel % self.target_w);
            for_each_block!(self.channels, |channel, N| self.block::<N>(pixel, at, channel));
        }
    }
}

impl<T: Element> Connected<'_, T> {
    /// The channels from `channel` on of the target's pixel at `(y, x)`.
    #[inline(always)]
    fn block<const N: usize>(&mut self, pixel: usize, (y, x): (usize, usize), channel: usize) {
        let mut sums = [T::zero(); N];
        if let Some(bias) = self.bias {
            sums.copy_from_slice(&bias[channel..channel + N]);
        }
        let (rows, columns) = (self.rows.of(y), self.columns.of(x));
        for i in 0..rows.len() {
            let (sy, ky) = rows[i];
            let row = &self.source[(sy - self.top) * self.source_w * self.channels..];
            let weights = &self.weights[ky * self.kernel_w * self.channels..];
            for j in 0..columns.len() {
                let (sx, kx) = columns[j];
                let v = &row[sx * self.channels + channel..][..N];
                let w = &weights[kx * self.channels + channel..][..N];
                for lane in 0..N {
                    sums[lane] += v[lane] * w[lane];
                }
            }
        }
        if self.relu {
            for lane in 0..N {
                // False for NaN, which stays.
                sums[lane] = if sums[lane] <= T::zero() { T::zero() } else { sums[lane] };
            }
        }
        self.target[pixel * self.channels + channel..][..N].copy_from_slice(&sums);
    }
}

/// Adds to the gradient of a kernel's element, for one row of outputs: the sum of the outputs'
/// gradients, each times the input under the element.
pub struct Products<'a, T> {
    /// The gradients, from the first output on whose input exists.
    pub dy: &'a [T],
    /// The inputs, from that of the first output on.
    pub x: &'a [T],
    /// The distance of the inputs of neighbouring outputs, in pixels.
    pub stride: usize,
    /// Outputs.
    pub len: usize,
    pub channels: usize,
    /// The element's gradient, one number per channel.
    pub sums: &'a mut [T],
}

impl<T: Element> Multiversion for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        for_each_block!(self.channels, |channel, N| self.block::<N>(channel));
    }
}

impl<T: Element> Products<'_, T> {
    #[inline(always)]
    fn block<const N: usize>(&mut self, channel: usize) {
        // Two sums, of even and odd outputs, hide the latency of each other.
        let mut sums = [[T::zero(); N]; 2];
        for i in 0..self.len / 2 {
            for parity in 0..2 {
                self.add(2 * i + parity, channel, &mut sums[parity]);
            }
        }
        if self.len % 2 == 1 {
            self.add(self.len - 1, channel, &mut sums[0]);
        }
        let to = &mut self.sums[channel..][..N];
        for lane in 0..N {
            to[lane] += sums[0][lane] + sums[1][lane];
        }
    }

    #[inline(always)]
    fn add<const N: usize>(&self, output: usize, channel: usize, sums: &mut [T; N]) {
        let dy = &self.dy[output * self.channels + channel..][..N];
        let x = &self.x[output * self.stride * self.channels + channel..][..N];
        for lane in 0..N {
            sums[lane] += dy[lane] * x[lane];
        }
    }
}

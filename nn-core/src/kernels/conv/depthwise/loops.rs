//! The inner loops of depthwise convolutions.
//!
//! Pixels are `channels` numbers side by side, and channels do not mix. So the loops take a block of
//! channels whose sums stay in registers, block by block. The last block may overlap the one before it,
//! so that it is a whole vector; only pixels shorter than a vector are read in part.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`

use super::reach::{Axis, Reach};
use crate::kernels::simd::{MAX_LANES, Simd, SimdFn};
use std::ops::Range;

/// Vectors of channels in a large block: as many as hide the latency of a sum.
const VECTORS: usize = 4;

/// Runs `$large` for blocks of [`VECTORS`] vectors of `$channels` and `$small` for what is left over,
/// vector by vector; `$at` is the block's first channel.
macro_rules! for_each_block {
    ($V:ty, $channels:expr, |$at:ident| $large:expr, $small:expr) => {{
        let (channels, mut next) = ($channels, 0);
        while next + VECTORS * <$V>::LANES <= channels {
            let $at = next;
            $large;
            next += VECTORS * <$V>::LANES;
        }
        while next < channels {
            let $at = next.min(channels.saturating_sub(<$V>::LANES));
            $small;
            next += <$V>::LANES;
        }
    }};
}

/// The numbers of a block of `R` vectors of pixels with `channels` channels.
#[inline(always)]
fn block_len<V: Simd, const R: usize>(channels: usize) -> usize {
    if R > 1 { R * V::LANES } else { V::LANES.min(channels) }
}

/// Each pixel of some rows of a target: the sum of the source's pixels it is connected with, each times
/// the kernel's element that connects them. The forward pass and the input's gradient differ only
/// in what is connected.
pub struct Connected<'a> {
    /// Rows of the source, from row `top` on.
    pub source: &'a [f32],
    pub top: usize,
    /// Pixels of a source row.
    pub source_w: usize,
    /// `[kernel row, kernel column, channel]`.
    pub weights: &'a [f32],
    pub kernel_w: usize,
    pub channels: usize,
    pub bias: Option<&'a [f32]>,
    pub relu: bool,
    pub rows: &'a Reach,
    pub columns: &'a Reach,
    /// The number of the target's first row.
    pub first: usize,
    /// Pixels of a target row.
    pub target_w: usize,
    pub target: &'a mut [f32],
}

impl SimdFn for Connected<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(mut self) {
        let pixels = self.target.len() / self.channels;
        for pixel in 0..pixels {
            let at = (self.first + pixel / self.target_w, pixel % self.target_w);
            // SAFETY: the caller's promise.
            unsafe {
                for_each_block!(
                    V,
                    self.channels,
                    |channel| self.block::<V, VECTORS>(pixel, at, channel),
                    self.block::<V, 1>(pixel, at, channel)
                );
            }
        }
    }
}

impl Connected<'_> {
    /// `R` vectors of channels, from `channel` on, of the target's pixel at `(y, x)`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn block<V: Simd, const R: usize>(
        &mut self,
        pixel: usize,
        (y, x): (usize, usize),
        channel: usize,
    ) {
        let len = block_len::<V, R>(self.channels);
        // SAFETY: the caller's promise, for every vector here.
        unsafe {
            let mut sums = [V::zero(); R];
            if let Some(bias) = self.bias {
                let bias = &bias[channel..][..len];
                for i in 0..R {
                    sums[i] = V::read(&bias[i * V::LANES..]);
                }
            }
            let (rows, columns) = (self.rows.of(y), self.columns.of(x));
            for i in 0..rows.len() {
                let (sy, ky) = rows[i];
                let row = &self.source[(sy - self.top) * self.source_w * self.channels..];
                let weights = &self.weights[ky * self.kernel_w * self.channels..];
                for j in 0..columns.len() {
                    let (sx, kx) = columns[j];
                    let v = &row[sx * self.channels + channel..][..len];
                    let w = &weights[kx * self.channels + channel..][..len];
                    for i in 0..R {
                        let (v, w) = (V::read(&v[i * V::LANES..]), V::read(&w[i * V::LANES..]));
                        sums[i] = v.mul_add(w, sums[i]);
                    }
                }
            }
            let to = &mut self.target[pixel * self.channels + channel..][..len];
            for i in 0..R {
                // NaN is not at most zero, and stays.
                let zero = V::zero();
                let stopped = sums[i].at_most(zero);
                let v = if self.relu { V::select(stopped, zero, sums[i]) } else { sums[i] };
                v.write(&mut to[i * V::LANES..]);
            }
        }
    }
}

/// Adds to the gradients of weight and bias those from some rows of outputs.
pub struct Gradients<'a> {
    /// The gradients of the rows.
    pub dy: &'a [f32],
    /// The numbers of the rows.
    pub targets: Range<usize>,
    /// Rows of the input, from row `top` on.
    pub x: &'a [f32],
    pub top: usize,
    /// Pixels of an input row.
    pub x_w: usize,
    pub channels: usize,
    pub rows: &'a Reach,
    pub columns: &'a Axis,
    /// `[kernel row, kernel column, channel]`.
    pub dw: &'a mut [f32],
    pub db: &'a mut [f32],
}

impl SimdFn for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { channels, columns, .. } = self;
        let pitch = columns.output * channels;
        for (i, oy) in self.targets.enumerate() {
            let dy = &self.dy[i * pitch..][..pitch];
            let inputs = self.rows.of(oy);
            for i in 0..inputs.len() {
                let (iy, ky) = inputs[i];
                let x = &self.x[(iy - self.top) * self.x_w * channels..][..self.x_w * channels];
                for kx in 0..columns.kernel {
                    let (outputs, first) = columns.outputs_inside(kx);
                    let row = Products {
                        dy: &dy[outputs.start * channels..],
                        x: &x[first * channels..],
                        stride: columns.stride,
                        len: outputs.len(),
                        channels,
                    };
                    let sums = &mut self.dw[(ky * columns.kernel + kx) * channels..][..channels];
                    // SAFETY: the caller's promise.
                    unsafe {
                        for_each_block!(
                            V,
                            channels,
                            |channel| row.add_to::<V, VECTORS, 1>(channel, sums),
                            row.add_to::<V, 1, VECTORS>(channel, sums)
                        );
                    }
                }
            }
            for pixel in 0..columns.output {
                for channel in 0..channels {
                    self.db[channel] += dy[pixel * channels + channel];
                }
            }
        }
    }
}

/// The outputs of one row that one element of the kernel is part of.
struct Products<'a> {
    /// The gradients, from the first of these outputs on.
    dy: &'a [f32],
    /// The inputs, from that of the first output on.
    x: &'a [f32],
    /// The distance of the inputs of neighbouring outputs, in pixels.
    stride: usize,
    /// Outputs.
    len: usize,
    channels: usize,
}

impl Products<'_> {
    /// Adds, for `R` vectors of channels from `channel` on, the sum of the outputs' gradients, each times
    /// its input. `P` outputs at a time have sums of their own, to hide the latency of a sum.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn add_to<V: Simd, const R: usize, const P: usize>(
        &self,
        channel: usize,
        to: &mut [f32],
    ) {
        let len = block_len::<V, R>(self.channels);
        // SAFETY: the caller's promise, for every vector here.
        unsafe {
            let mut sums = [[V::zero(); R]; P];
            for first in (0..self.len - self.len % P).step_by(P) {
                for p in 0..P {
                    self.product(first + p, channel, len, &mut sums[p]);
                }
            }
            for output in self.len - self.len % P..self.len {
                self.product(output, channel, len, &mut sums[0]);
            }
            for p in 1..P {
                for i in 0..R {
                    sums[0][i] = sums[0][i].add(sums[p][i]);
                }
            }
            // A block that overlaps the one before it adds what that one has not.
            let done = channel % V::LANES;
            if done == 0 {
                let to = &mut to[channel..][..len];
                for i in 0..R {
                    let to = &mut to[i * V::LANES..];
                    V::read(to).add(sums[0][i]).write(to);
                }
            } else {
                let mut lanes = [0.0; MAX_LANES];
                sums[0][0].write(&mut lanes);
                for lane in V::LANES - done..len {
                    to[channel + lane] += lanes[lane];
                }
            }
        }
    }

    /// # Safety
    /// As for [`Products::add_to`].
    #[inline(always)]
    unsafe fn product<V: Simd, const R: usize>(
        &self,
        output: usize,
        channel: usize,
        len: usize,
        sums: &mut [V; R],
    ) {
        let dy = &self.dy[output * self.channels + channel..][..len];
        let x = &self.x[output * self.stride * self.channels + channel..][..len];
        for i in 0..R {
            // SAFETY: the caller's promise.
            let (dy, x) = unsafe { (V::read(&dy[i * V::LANES..]), V::read(&x[i * V::LANES..])) };
            sums[i] = dy.mul_add(x, sums[i]);
        }
    }
}

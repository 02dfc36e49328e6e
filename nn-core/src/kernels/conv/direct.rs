//! Direct convolution with stride 1 for few input channels, as in a network's first layer: the forward
//! pass. There, transforming (Winograd) or gathering (im2col) the input costs more than it saves.
//!
//! A register tile is two rows of a few pixels by two vectors of output channels, so it holds whole
//! windows of a 2x2 max-pool. For each element under the kernel, the tile's weights are loaded once and
//! each pixel's input is broadcast. The input is not gathered, because a row under the kernel is
//! contiguous in memory.
//!
//! A task computes some pairs of output rows. It first copies the input rows they need, with padding
//! around them and some slack at the end, so the inner loop needs no special case for borders.
//!
//! Georganas et al.: Anatomy of High-Performance Deep Learning Convolutions on SIMD Architectures,
//! arXiv:1808.05567.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`

use super::epilogue::Epilogue;
use super::{Conv2dForward, Conv2dKernel, Output, apply};
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::{Isa, PerIsa};
use crate::kernels::parallel;
use crate::kernels::simd::{self, Simd, SimdFn};
use crate::tensor::{Buffer, BufferPool};

/// Vectors of output channels in a register tile.
const NR: usize = 2;

/// Windows of 2x2 pixels in the widest register tile.
const MAX_WINDOWS: usize = 3;

/// The largest number of input channels for which this kernel is the fastest.
const MAX_CHANNELS: usize = 7;

/// Maximum number of input elements of a task's rows: half an L1 cache.
const BAND: usize = 4 << 10;

/// Direct convolution with the vectors of one instruction set.
pub struct Direct {
    /// The instruction set.
    pub isa: Isa,
}

impl Conv2dKernel for Direct {
    fn name(&self) -> &'static str {
        self.isa.pick(PerIsa {
            portable: "direct-portable",
            avx2: "direct-avx2",
            avx512: "direct-avx512",
            neon: "direct-neon",
        })
    }

    fn isa(&self) -> Isa {
        self.isa
    }

    fn supports(&self, g: &Conv2dGeometry, pool: Option<&Pool2dGeometry>) -> bool {
        g.is_plain()
            && (g.stride_h, g.stride_w) == (1, 1)
            && (1..=MAX_CHANNELS).contains(&g.in_c)
            && g.out_c > 0
            && pool.is_none_or(Pool2dGeometry::is_2x2)
    }
}

impl Conv2dForward<f32> for Direct {
    fn forward_packed(
        &self,
        g: &Conv2dGeometry,
        x: &[f32],
        w: &[f32],
        b: Option<&[f32]>,
        out: Output<'_, f32>,
        scratch: &BufferPool<f32>,
    ) {
        let weights = pack(g, w, NR * simd::lanes(self.isa), scratch);
        let layer = Layer { g, x, weights: &weights, b };
        let pairs = (BAND / (2 * layer.pitch())).max(1);
        let run = |image: usize, top: usize, pairs: usize, epilogue: Epilogue<'_>| {
            let mut band = scratch.scratch(layer.band_len(pairs));
            layer.copy_rows(image, top, &mut band);
            simd::run(self.isa, Rows { layer: &layer, band: &band, pairs, epilogue });
        };
        match out {
            Output::Dense { y, bounds, function } => {
                let row = g.out_w * g.out_c;
                parallel::for_each_tile(y, g.output_len(), 2 * pairs * row, |n, i, y| {
                    let rows = (y.len() / row).div_ceil(2);
                    let epilogue = Epilogue::Map { y: &mut *y, out_w: g.out_w, bounds };
                    run(n, 2 * pairs * i, rows, epilogue);
                    apply(function, y);
                });
            }
            Output::ReluMaxPool { pool: p, y, argmax } => {
                let row = p.out_w * p.channels;
                let (image, len) = (p.output_len(), pairs * row);
                parallel::for_each_tile_pair(y, argmax, image, len, |n, i, y, argmax| {
                    let rows = y.len() / row;
                    let epilogue = Epilogue::Pooled { y, argmax, out_w: p.out_w };
                    run(n, 2 * pairs * i, rows, epilogue);
                });
            }
        }
    }
}

/// Packs `[out, in, kh, kw]` as `[block of output channels][kh][kw][in][channel of the block]`, with
/// the last block zero-padded.
fn pack(g: &Conv2dGeometry, w: &[f32], width: usize, scratch: &BufferPool<f32>) -> Buffer<f32> {
    let taps = g.kernel_h * g.kernel_w;
    let mut packed = scratch.scratch(g.out_c.div_ceil(width) * g.patch_len() * width);
    for (row, packed) in packed.chunks_exact_mut(width).enumerate() {
        let (block, element) = (row / g.patch_len(), row % g.patch_len());
        let (tap, ic) = (element / g.in_c, element % g.in_c);
        for (lane, packed) in packed.iter_mut().enumerate() {
            let oc = block * width + lane;
            *packed = if oc < g.out_c { w[(oc * g.in_c + ic) * taps + tap] } else { 0.0 };
        }
    }
    packed
}

/// The data shared by all tasks.
struct Layer<'a> {
    g: &'a Conv2dGeometry,
    x: &'a [f32],
    weights: &'a [f32],
    b: Option<&'a [f32]>,
}

impl Layer<'_> {
    /// The row stride of a band, in elements: padding, input, and what the last register tile reads
    /// past the end.
    fn pitch(&self) -> usize {
        (self.g.out_w + 2 * MAX_WINDOWS + self.g.kernel_w - 2) * self.g.in_c
    }

    /// Elements of the input band for `pairs` pairs of output rows.
    fn band_len(&self, pairs: usize) -> usize {
        (2 * pairs + self.g.kernel_h - 1) * self.pitch()
    }

    /// Copies the input of the output rows from `top` on to `band`, zero-padded.
    fn copy_rows(&self, image: usize, top: usize, band: &mut [f32]) {
        let g = self.g;
        let image = &self.x[image * g.input_len()..][..g.input_len()];
        let lead = g.pad_left * g.in_c;
        for (i, to) in band.chunks_exact_mut(self.pitch()).enumerate() {
            let Some(y) = (top + i).checked_sub(g.pad_top).filter(|&y| y < g.in_h) else {
                to.fill(0.0);
                continue;
            };
            let row = &image[y * g.in_w * g.in_c..][..g.in_w * g.in_c];
            let inside = row.len().min(to.len() - lead);
            to[..lead].fill(0.0);
            to[lead..lead + inside].copy_from_slice(&row[..inside]);
            to[lead + inside..].fill(0.0);
        }
    }
}

/// A task: `pairs` pairs of output rows, computed from their `band` of input.
struct Rows<'a> {
    layer: &'a Layer<'a>,
    band: &'a [f32],
    pairs: usize,
    epilogue: Epilogue<'a>,
}

impl SimdFn for Rows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            match V::MR / 4 {
                0 | 1 => self.run_tiles::<V, 1>(),
                2 => self.run_tiles::<V, 2>(),
                _ => self.run_tiles::<V, MAX_WINDOWS>(),
            }
        }
    }
}

impl Rows<'_> {
    /// Computes the rows in register tiles of `N` windows.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn run_tiles<V: Simd, const N: usize>(mut self) {
        let g = self.layer.g;
        let width = NR * V::LANES;
        let columns = match self.epilogue {
            Epilogue::Map { out_w, .. } => out_w,
            Epilogue::Pooled { out_w, .. } => 2 * out_w,
        };
        for pair in 0..self.pairs {
            let band = &self.band[2 * pair * self.layer.pitch()..];
            let blocks = self.layer.weights.chunks_exact(g.patch_len() * width);
            for (block, weights) in blocks.enumerate() {
                for x in (0..columns).step_by(2 * N) {
                    // SAFETY: the caller's promise.
                    let tile =
                        unsafe { self.layer.tile::<V, N>(&band[x * g.in_c..], weights, block) };
                    // One window after the other, so that the sums stay in registers.
                    let (at, channel) = ((pair, x / 2), block * width);
                    self.finish::<V, N, 0>(&tile, at, channel);
                    self.finish::<V, N, 1>(&tile, at, channel);
                    self.finish::<V, N, 2>(&tile, at, channel);
                }
            }
        }
    }

    /// Passes window `I` of a tile, if it exists, to the epilogue. The first window is at `(y, x)`, and
    /// the first vector holds the channels from `channel` on.
    #[inline(always)]
    fn finish<V: Simd, const N: usize, const I: usize>(
        &mut self,
        tile: &[[[V; NR]; 4]; N],
        (y, x): (usize, usize),
        channel: usize,
    ) {
        const { assert!(N <= MAX_WINDOWS && MAX_WINDOWS == 3 && NR == 2) };
        let channels = self.layer.g.out_c;
        if I < N {
            let [a, b, c, d] = &tile[I];
            self.epilogue.write((y, x + I), (channel, channels), [a[0], b[0], c[0], d[0]]);
            if channel + V::LANES < channels {
                let channel = channel + V::LANES;
                self.epilogue.write((y, x + I), (channel, channels), [a[1], b[1], c[1], d[1]]);
            }
        }
    }
}

impl Layer<'_> {
    /// Computes `N` adjacent windows of 2x2 pixels from the start of `band`, for one block of output
    /// channels: `[window][pixel][vector]`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn tile<V: Simd, const N: usize>(
        &self,
        band: &[f32],
        weights: &[f32],
        block: usize,
    ) -> [[[V; NR]; 4]; N] {
        let (g, pitch) = (self.g, self.pitch());
        let run = g.kernel_w * g.in_c;
        assert!(band.len() >= g.kernel_h * pitch + (2 * N - 1) * g.in_c + run);
        assert!(weights.len() == g.kernel_h * run * NR * V::LANES);
        // SAFETY: the caller promised the instructions. The last element read of `band` is that of
        // the last kernel row below the second output row, the last pixel and the end of the run;
        // `weights` are read in order, a block's width at each element under the kernel.
        unsafe {
            let mut sums = [[[V::zero(); NR]; 4]; N];
            if let Some(b) = self.b {
                let channels = b.chunks(V::LANES).skip(block * NR).take(NR);
                for (j, b) in channels.enumerate() {
                    let bias = V::read(b);
                    for pixel in sums.as_flattened_mut() {
                        pixel[j] = bias;
                    }
                }
            }
            let mut weights = weights.as_ptr();
            for ky in 0..g.kernel_h {
                let row = band.as_ptr().add(ky * pitch);
                for k in 0..run {
                    let w = [V::load(weights), V::load(weights.add(V::LANES))];
                    weights = weights.add(NR * V::LANES);
                    for window in 0..N {
                        for pixel in 0..4 {
                            let at = pixel / 2 * pitch + (2 * window + pixel % 2) * g.in_c;
                            let v = V::splat(*row.add(at + k));
                            for j in 0..NR {
                                sums[window][pixel][j] = v.mul_add(w[j], sums[window][pixel][j]);
                            }
                        }
                    }
                }
            }
            sums
        }
    }
}

//! Convolution as a matrix product (im2col), tile by tile; the portable kernel.
//!
//! For each output pixel of a tile, the input patch under the kernel is copied into a row of a matrix;
//! the outputs are this matrix times the weights. Tiles are small, so the matrix stays in cache instead
//! of growing to nine times the input (for a 3x3 kernel). With the channels-last layout, each row of a
//! patch is contiguous.
//!
//! The input's gradient is computed in the same way, as a convolution of the output's gradient with the
//! kernel rotated by 180 degrees: each input pixel gathers its sum, so no two tasks write to the same
//! element. The weights' gradient is a sum over all pixels. It is computed in a fixed number of partial
//! sums, which are added in order.
//!
//! Chellapilla, Puri, Simard: High Performance Convolutional Neural Networks for Document
//! Processing, 2006.

use super::super::Kernels;
use super::{
    Conv2dForward, Conv2dInputGradient, Conv2dKernel, Conv2dWeightGradient, Output, OutputGradient,
};
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::Isa;
use crate::kernels::matmul::gemm;
use crate::kernels::parallel::prelude::*;
use crate::kernels::{parallel, pool};
use crate::tensor::BufferPool;
use std::ops::Range;

/// Maximum number of elements of a tile's patch matrix: a few hundred pixels of the usual layers, 2 MB
/// in `f32`.
const TILE_ELEMENTS: usize = 1 << 19;

/// Number of partial sums of the weights' gradient: enough for the threads of a large machine.
const WEIGHT_PARTS: usize = 16;

/// The im2col kernel: any geometry, any element type.
pub struct Im2col;

impl Conv2dKernel for Im2col {
    fn name(&self) -> &'static str {
        "im2col"
    }

    fn isa(&self) -> Isa {
        Isa::Portable
    }

    fn supports(&self, _: &Conv2dGeometry, _: Option<&Pool2dGeometry>) -> bool {
        true
    }
}

impl<T: Kernels> Conv2dForward<T> for Im2col {
    fn forward_packed(
        &self,
        g: &Conv2dGeometry,
        x: &[T],
        w: &[T],
        b: Option<&[T]>,
        out: Output<'_, T>,
        scratch: &BufferPool<T>,
    ) {
        let mut packed = scratch.scratch(g.weight_len());
        pack_weights(g, w, &mut packed);
        let forward = Forward { g, x, packed: &packed, b, scratch };
        let tile = tile_pixels(g.patch_len());
        match out {
            Output::Dense { y, relu } => {
                parallel::for_each_tile(y, g.output_len(), tile * g.out_c, |n, i, y| {
                    forward.run(&Region { image: n, top: 0, width: g.out_w }, i * tile, relu, y);
                });
            }
            Output::ReluMaxPool { pool: p, y, argmax } => {
                // Columns and rows that the pooling drops are not computed.
                let width = (p.out_w - 1) * p.stride_w + p.window_w;
                let p = Pool2dGeometry { in_w: width, ..*p };
                let pooled_rows = (tile / (width * p.stride_h)).max(1);
                let (image, row) = (p.output_len(), p.out_w * p.channels);
                parallel::for_each_tile_pair(y, argmax, image, pooled_rows * row, |n, i, y, w| {
                    let top = i * pooled_rows * p.stride_h;
                    let rows = (y.len() / row - 1) * p.stride_h + p.window_h;
                    let mut map = scratch.scratch(rows * width * g.out_c);
                    forward.run(&Region { image: n, top, width }, 0, true, &mut map);
                    pool::relu_max_rows(&p, &map, y, w);
                });
            }
        }
    }
}

impl<T: Kernels> Conv2dInputGradient<T> for Im2col {
    fn backward_input(
        &self,
        g: &Conv2dGeometry,
        dy: OutputGradient<'_, T>,
        w: &[T],
        dx: &mut [T],
        scratch: &BufferPool<T>,
    ) {
        let depth = g.kernel_h * g.kernel_w * g.out_c;
        let mut packed = scratch.scratch(depth * g.in_c);
        pack_weights_turned(g, w, &mut packed);
        let tile = tile_pixels(depth);
        let pitch = g.in_w * g.in_c;
        let band = (tile / g.in_w.max(1)).max(1);
        parallel::for_each_tile(dx, g.input_len(), band * pitch, |n, i, dx| {
            let rows = i * band..i * band + dx.len() / pitch;
            let sources = output_rows_touching(g, &rows);
            let dy = dy.rows(g, n, &sources, scratch);
            let mut patches = scratch.scratch(tile.min(rows.len() * g.in_w) * depth);
            for (t, dx) in dx.chunks_mut(tile * g.in_c).enumerate() {
                let pixels = dx.len() / g.in_c;
                let patches = &mut patches[..pixels * depth];
                gather_gradients(g, &dy, &sources, rows.start * g.in_w + t * tile, patches);
                let (m, n, k) = (pixels, g.in_c, depth);
                gemm(m, n, k, T::one(), patches, k, 1, &packed, n, 1, T::zero(), dx, n, 1);
            }
        });
    }
}

impl<T: Kernels> Conv2dWeightGradient<T> for Im2col {
    fn backward_weight(
        &self,
        g: &Conv2dGeometry,
        x: &[T],
        dy: OutputGradient<'_, T>,
        dw: &mut [T],
        db: &mut [T],
        scratch: &BufferPool<T>,
    ) {
        let depth = g.patch_len();
        let tile = tile_pixels(depth);
        // Blocks of rows, the same number in every image; each part takes consecutive blocks.
        let block = (tile / g.out_w.max(1)).clamp(1, g.out_h.max(1));
        let blocks = g.out_h.div_ceil(block);
        let parts = WEIGHT_PARTS.min(g.batch * blocks).max(1);
        // A partial sum: the weight's gradient as [patch, out], then the bias's.
        let part_len = (depth + 1) * g.out_c;
        let mut sums = scratch.scratch(parts * part_len);
        sums.par_chunks_exact_mut(part_len).enumerate().for_each(|(part, sum)| {
            sum.fill(T::zero());
            let (dw, db) = sum.split_at_mut(depth * g.out_c);
            let mut patches = scratch.scratch(tile.min(block * g.out_w) * depth);
            let all = g.batch * blocks;
            for index in part * all / parts..(part + 1) * all / parts {
                let (image, top) = (index / blocks, index % blocks * block);
                let dy = dy.rows(g, image, &(top..(top + block).min(g.out_h)), scratch);
                let region = Region { image, top, width: g.out_w };
                for (t, dy) in dy.chunks(tile * g.out_c).enumerate() {
                    let pixels = dy.len() / g.out_c;
                    let patches = &mut patches[..pixels * depth];
                    gather_patches(g, x, &region, t * tile, patches);
                    let (m, n, k) = (depth, g.out_c, pixels);
                    gemm(m, n, k, T::one(), patches, 1, m, dy, n, 1, T::one(), dw, n, 1);
                    for dy in dy.chunks_exact(g.out_c) {
                        for (sum, &v) in db.iter_mut().zip(dy) {
                            *sum += v;
                        }
                    }
                }
            }
        });
        let total = parallel::sum_parts(&mut sums, part_len);
        let (weights, bias) = total.split_at(depth * g.out_c);
        unpack_weights(g, weights, dw);
        db.copy_from_slice(bias);
    }
}

/// Pixels per tile for patches of `depth` elements.
fn tile_pixels(depth: usize) -> usize {
    (TILE_ELEMENTS / depth.max(1)).max(1)
}

/// Output pixels of one image, numbered row by row from row `top` on, with the first `width` pixels of
/// each row.
struct Region {
    image: usize,
    top: usize,
    width: usize,
}

/// The arguments of a forward pass that all tiles share.
struct Forward<'a, T: Kernels> {
    g: &'a Conv2dGeometry,
    x: &'a [T],
    packed: &'a [T],
    b: Option<&'a [T]>,
    scratch: &'a BufferPool<T>,
}

impl<T: Kernels> Forward<'_, T> {
    /// Computes the outputs of `region`'s pixels from index `first` on, into `y`.
    fn run(&self, region: &Region, first: usize, relu: bool, y: &mut [T]) {
        let (k, n) = (self.g.patch_len(), self.g.out_c);
        let tile = tile_pixels(k).min(y.len() / n);
        let mut patches = self.scratch.scratch(tile * k);
        for (t, y) in y.chunks_mut(tile * n).enumerate() {
            let m = y.len() / n;
            let patches = &mut patches[..m * k];
            gather_patches(self.g, self.x, region, first + t * tile, patches);
            gemm(m, n, k, T::one(), patches, k, 1, self.packed, n, 1, T::zero(), y, n, 1);
            finish(y, self.b, relu);
        }
    }
}

/// Adds the bias to each pixel and applies ReLU if `relu`. NaN stays NaN.
fn finish<T: Kernels>(y: &mut [T], b: Option<&[T]>, relu: bool) {
    if let Some(b) = b {
        for y in y.chunks_exact_mut(b.len()) {
            for (v, &b) in y.iter_mut().zip(b) {
                *v += b;
            }
        }
    }
    if relu {
        for v in y {
            *v = if *v <= T::zero() { T::zero() } else { *v };
        }
    }
}

/// For each pixel of `region` from index `first` on, copies the patch under the kernel, ordered kernel
/// row, kernel column, channel; zeros in the padding.
fn gather_patches<T: Kernels>(
    g: &Conv2dGeometry,
    x: &[T],
    region: &Region,
    first: usize,
    patches: &mut [T],
) {
    let x = &x[region.image * g.input_len()..][..g.input_len()];
    let run = g.kernel_w * g.in_c;
    for (i, patch) in patches.chunks_exact_mut(g.patch_len()).enumerate() {
        let pixel = first + i;
        let (oy, ox) = (region.top + pixel / region.width, pixel % region.width);
        for (ky, to) in patch.chunks_exact_mut(run).enumerate() {
            let row = (oy * g.stride_h + ky).checked_sub(g.pad_top).filter(|&iy| iy < g.in_h);
            let Some(iy) = row else {
                to.fill(T::zero());
                continue;
            };
            let row = &x[iy * g.in_w * g.in_c..][..g.in_w * g.in_c];
            copy_run(row, ox * g.stride_w, g.pad_left, g.in_c, to);
        }
    }
}

/// Copies pixels `start - lead ..` of `row` to `to`, with zeros for pixels outside the row.
fn copy_run<T: Kernels>(row: &[T], start: usize, lead: usize, channels: usize, to: &mut [T]) {
    let before = (lead.saturating_sub(start) * channels).min(to.len());
    let from = (start.saturating_sub(lead) * channels).min(row.len());
    let inside = (to.len() - before).min(row.len() - from);
    to[..before].fill(T::zero());
    to[before..before + inside].copy_from_slice(&row[from..from + inside]);
    to[before + inside..].fill(T::zero());
}

/// The output rows whose kernel touches the input rows `rows`.
fn output_rows_touching(g: &Conv2dGeometry, rows: &Range<usize>) -> Range<usize> {
    let first = (rows.start + g.pad_top + 1).saturating_sub(g.kernel_h).div_ceil(g.stride_h);
    let end = (rows.end + g.pad_top).div_ceil(g.stride_h).min(g.out_h);
    first.min(end)..end
}

/// For each input pixel from index `first` on, copies the output gradients it contributed to, ordered
/// rotated kernel row, rotated kernel column, output channel; zeros where there is none. `dy` holds the
/// output rows `sources`.
fn gather_gradients<T: Kernels>(
    g: &Conv2dGeometry,
    dy: &[T],
    sources: &Range<usize>,
    first: usize,
    patches: &mut [T],
) {
    let run = g.kernel_w * g.out_c;
    let pitch = g.out_w * g.out_c;
    for (i, patch) in patches.chunks_exact_mut(g.kernel_h * run).enumerate() {
        let (iy, ix) = ((first + i) / g.in_w, (first + i) % g.in_w);
        for (turned, to) in patch.chunks_exact_mut(run).enumerate() {
            let ky = g.kernel_h - 1 - turned;
            let source = output_position(iy + g.pad_top, ky, g.stride_h);
            let Some(oy) = source.filter(|oy| sources.contains(oy)) else {
                to.fill(T::zero());
                continue;
            };
            let row = &dy[(oy - sources.start) * pitch..][..pitch];
            if g.stride_w == 1 {
                copy_run(row, ix + g.pad_left, g.kernel_w - 1, g.out_c, to);
                continue;
            }
            for (turned, to) in to.chunks_exact_mut(g.out_c).enumerate() {
                let kx = g.kernel_w - 1 - turned;
                match output_position(ix + g.pad_left, kx, g.stride_w) {
                    Some(ox) if ox < g.out_w => {
                        to.copy_from_slice(&row[ox * g.out_c..][..g.out_c]);
                    }
                    _ => to.fill(T::zero()),
                }
            }
        }
    }
}

/// The output position for which kernel element `k` is at the padded input position `at`, if it exists.
fn output_position(at: usize, k: usize, stride: usize) -> Option<usize> {
    at.checked_sub(k).filter(|offset| offset % stride == 0).map(|offset| offset / stride)
}

/// `[out, in, kh, kw]` to `[kh, kw, in, out]`.
fn pack_weights<T: Kernels>(g: &Conv2dGeometry, w: &[T], packed: &mut [T]) {
    let taps = g.kernel_h * g.kernel_w;
    parallel::for_each_chunk(packed, g.out_c, |row, packed| {
        let (tap, ic) = (row / g.in_c, row % g.in_c);
        for (oc, p) in packed.iter_mut().enumerate() {
            *p = w[(oc * g.in_c + ic) * taps + tap];
        }
    });
}

/// `[out, in, kh, kw]` to `[kh, kw, out, in]`, with the kernel rotated by 180 degrees.
fn pack_weights_turned<T: Kernels>(g: &Conv2dGeometry, w: &[T], packed: &mut [T]) {
    let taps = g.kernel_h * g.kernel_w;
    parallel::for_each_chunk(packed, g.in_c, |row, packed| {
        let (tap, oc) = (taps - 1 - row / g.out_c, row % g.out_c);
        for (ic, p) in packed.iter_mut().enumerate() {
            *p = w[(oc * g.in_c + ic) * taps + tap];
        }
    });
}

/// `[kh, kw, in, out]` to `[out, in, kh, kw]`.
fn unpack_weights<T: Kernels>(g: &Conv2dGeometry, packed: &[T], w: &mut [T]) {
    let taps = g.kernel_h * g.kernel_w;
    parallel::for_each_chunk(w, taps, |row, w| {
        let (oc, ic) = (row / g.in_c, row % g.in_c);
        for (tap, w) in w.iter_mut().enumerate() {
            *w = packed[(tap * g.in_c + ic) * g.out_c + oc];
        }
    });
}

//! Convolution as a matrix product (im2col), tile by tile; the portable kernel.
//!
//! For each output pixel of a tile, the input patch under the kernel is copied into a row of a matrix;
//! the outputs are this matrix times the weights. Tiles are small, so the matrix stays in cache instead
//! of growing to nine times the input (for a 3x3 kernel). With the channels-last layout, each row of a
//! patch is contiguous.
//!
//! Of a grouped convolution, each group of channels is a product of its own. A pointwise convolution
//! needs no copies: the input is its patch matrix.
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
    apply,
};
use crate::kernels::bounds::Bounds;
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
        let tile = tile_pixels(g.groups * g.patch_len());
        match out {
            Output::Dense { y, bounds, function } => {
                parallel::for_each_tile(y, g.output_len(), tile * g.out_c, |n, i, y| {
                    forward.run(&Region { image: n, top: 0, width: g.out_w }, i * tile, bounds, y);
                    apply(function, y);
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
                    forward.run(&Region { image: n, top, width }, 0, Bounds::relu(None), &mut map);
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
        let (group_in, group_out) = (g.group_in(), g.group_out());
        let depth = g.taps() * group_out;
        let mut packed = scratch.scratch(g.weight_len());
        pack_weights_turned(g, w, &mut packed);
        let tile = tile_pixels(g.groups * depth);
        let pitch = g.in_w * g.in_c;
        let band = (tile / g.in_w.max(1)).max(1);
        parallel::for_each_tile(dx, g.input_len(), band * pitch, |n, i, dx| {
            let rows = i * band..i * band + dx.len() / pitch;
            let sources = output_rows_touching(g, &rows);
            let dy = dy.rows(g, n, &sources, scratch);
            let gathered = if g.is_pointwise() { 0 } else { tile.min(rows.len() * g.in_w) * depth };
            let mut patches = scratch.scratch(gathered);
            for (t, dx) in dx.chunks_mut(tile * g.in_c).enumerate() {
                let pixels = dx.len() / g.in_c;
                for group in 0..g.groups {
                    let (a, rsa) = if g.is_pointwise() {
                        (&dy[t * tile * g.out_c + group * group_out..], g.out_c)
                    } else {
                        let patches = &mut patches[..pixels * depth];
                        let first = rows.start * g.in_w + t * tile;
                        gather_gradients(g, group, &dy, &sources, first, patches);
                        (&*patches, depth)
                    };
                    let b = &packed[group * depth * group_in..];
                    let (m, n, k) = (pixels, group_in, depth);
                    let dx = &mut dx[group * group_in..];
                    gemm(m, n, k, T::one(), a, rsa, 1, b, n, 1, T::zero(), dx, g.in_c, 1);
                }
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
        let (depth, group_out) = (g.patch_len(), g.group_out());
        let tile = tile_pixels(g.groups * depth);
        // Blocks of rows, the same number in every image; each part takes consecutive blocks.
        let block = (tile / g.out_w.max(1)).clamp(1, g.out_h.max(1));
        let blocks = g.out_h.div_ceil(block);
        let parts = WEIGHT_PARTS.min(g.batch * blocks).max(1);
        // A partial sum: the weight's gradient as [group, patch, out of the group], then the bias's.
        let part_len = (depth + 1) * g.out_c;
        let mut sums = scratch.scratch(parts * part_len);
        sums.par_chunks_exact_mut(part_len).enumerate().for_each(|(part, sum)| {
            sum.fill(T::zero());
            let (dw, db) = sum.split_at_mut(depth * g.out_c);
            let whole_rows = |image, top| Region { image, top, width: g.out_w };
            let pixels = tile.min(block * g.out_w);
            let mut patches = scratch.scratch(gathered(g, &whole_rows(0, 0), pixels));
            let all = g.batch * blocks;
            for index in part * all / parts..(part + 1) * all / parts {
                let (image, top) = (index / blocks, index % blocks * block);
                let dy = dy.rows(g, image, &(top..(top + block).min(g.out_h)), scratch);
                let region = whole_rows(image, top);
                for (t, dy) in dy.chunks(tile * g.out_c).enumerate() {
                    let pixels = dy.len() / g.out_c;
                    for (group, dw) in dw.chunks_exact_mut(depth * group_out).enumerate() {
                        let place = (t * tile, pixels);
                        let (a, csa) = patch_matrix(g, group, x, &region, place, &mut patches);
                        let (m, n, k) = (depth, group_out, pixels);
                        let b = &dy[group * group_out..];
                        gemm(m, n, k, T::one(), a, 1, csa, b, g.out_c, 1, T::one(), dw, n, 1);
                    }
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

impl Region {
    /// Whether the input itself is the patch matrix of these pixels.
    fn needs_no_copies(&self, g: &Conv2dGeometry) -> bool {
        g.is_pointwise() && self.width == g.out_w
    }
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
    fn run(&self, region: &Region, first: usize, bounds: Bounds<T>, y: &mut [T]) {
        let Self { g, x, .. } = *self;
        let (k, n) = (g.patch_len(), g.group_out());
        let tile = tile_pixels(g.groups * k).min(y.len() / g.out_c);
        let mut patches = self.scratch.scratch(gathered(g, region, tile));
        for (t, y) in y.chunks_mut(tile * g.out_c).enumerate() {
            let m = y.len() / g.out_c;
            for group in 0..g.groups {
                let place = (first + t * tile, m);
                let (a, rsa) = patch_matrix(g, group, x, region, place, &mut patches);
                let b = &self.packed[group * k * n..];
                let y = &mut y[group * n..];
                gemm(m, n, k, T::one(), a, rsa, 1, b, n, 1, T::zero(), y, g.out_c, 1);
            }
            finish(y, self.b, bounds);
        }
    }
}

/// Elements of scratch memory that [`patch_matrix`] needs for `pixels` pixels.
fn gathered(g: &Conv2dGeometry, region: &Region, pixels: usize) -> usize {
    if region.needs_no_copies(g) { 0 } else { pixels * g.patch_len() }
}

/// The patches of one group of channels for `pixels` pixels of `region` from index `first` on, and the
/// distance between them: gathered into `scratch`, or the input itself.
fn patch_matrix<'a, T: Kernels>(
    g: &Conv2dGeometry,
    group: usize,
    x: &'a [T],
    region: &Region,
    (first, pixels): (usize, usize),
    scratch: &'a mut [T],
) -> (&'a [T], usize) {
    let depth = g.patch_len();
    if region.needs_no_copies(g) {
        let at = region.image * g.input_len() + (region.top * g.in_w + first) * g.in_c;
        return (&x[at + group * depth..], g.in_c);
    }
    let patches = &mut scratch[..pixels * depth];
    gather_patches(g, group, x, region, first, patches);
    (patches, depth)
}

/// Adds the bias to each pixel and holds it within the bounds. NaN stays NaN.
fn finish<T: Kernels>(y: &mut [T], b: Option<&[T]>, bounds: Bounds<T>) {
    if let Some(b) = b {
        for y in y.chunks_exact_mut(b.len()) {
            for (v, &b) in y.iter_mut().zip(b) {
                *v += b;
            }
        }
    }
    if !bounds.is_none() {
        for v in y {
            *v = bounds.clamp(*v);
        }
    }
}

/// For each pixel of `region` from index `first` on, copies the patch under the kernel of one group of
/// channels, ordered kernel row, kernel column, channel; zeros in the padding.
fn gather_patches<T: Kernels>(
    g: &Conv2dGeometry,
    group: usize,
    x: &[T],
    region: &Region,
    first: usize,
    patches: &mut [T],
) {
    let x = &x[region.image * g.input_len()..][..g.input_len()];
    let channels = g.group_in();
    let run = g.kernel_w * channels;
    let contiguous = g.groups == 1 && g.dilation_w == 1;
    for (i, patch) in patches.chunks_exact_mut(g.patch_len()).enumerate() {
        let pixel = first + i;
        let (oy, ox) = (region.top + pixel / region.width, pixel % region.width);
        for (ky, to) in patch.chunks_exact_mut(run).enumerate() {
            let row = (oy * g.stride_h + ky * g.dilation_h).checked_sub(g.pad_top);
            let Some(iy) = row.filter(|&iy| iy < g.in_h) else {
                to.fill(T::zero());
                continue;
            };
            let row = &x[iy * g.in_w * g.in_c..][..g.in_w * g.in_c];
            if contiguous {
                copy_run(row, ox * g.stride_w, g.pad_left, g.in_c, to);
                continue;
            }
            for (kx, to) in to.chunks_exact_mut(channels).enumerate() {
                let column = (ox * g.stride_w + kx * g.dilation_w).checked_sub(g.pad_left);
                match column.filter(|&ix| ix < g.in_w) {
                    Some(ix) => {
                        to.copy_from_slice(&row[ix * g.in_c + group * channels..][..channels])
                    }
                    None => to.fill(T::zero()),
                }
            }
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
    let extent = (g.kernel_h - 1) * g.dilation_h + 1;
    let first = (rows.start + g.pad_top + 1).saturating_sub(extent).div_ceil(g.stride_h);
    let end = (rows.end + g.pad_top).div_ceil(g.stride_h).min(g.out_h);
    first.min(end)..end
}

/// For each input pixel from index `first` on, copies the output gradients of one group of channels it
/// contributed to, ordered rotated kernel row, rotated kernel column, output channel; zeros where there
/// is none. `dy` holds the output rows `sources`.
fn gather_gradients<T: Kernels>(
    g: &Conv2dGeometry,
    group: usize,
    dy: &[T],
    sources: &Range<usize>,
    first: usize,
    patches: &mut [T],
) {
    let channels = g.group_out();
    let run = g.kernel_w * channels;
    let pitch = g.out_w * g.out_c;
    let contiguous = (g.groups, g.dilation_w, g.stride_w) == (1, 1, 1);
    for (i, patch) in patches.chunks_exact_mut(g.kernel_h * run).enumerate() {
        let (iy, ix) = ((first + i) / g.in_w, (first + i) % g.in_w);
        for (turned, to) in patch.chunks_exact_mut(run).enumerate() {
            let ky = g.kernel_h - 1 - turned;
            let source = output_position(iy + g.pad_top, ky * g.dilation_h, g.stride_h);
            let Some(oy) = source.filter(|oy| sources.contains(oy)) else {
                to.fill(T::zero());
                continue;
            };
            let row = &dy[(oy - sources.start) * pitch..][..pitch];
            if contiguous {
                copy_run(row, ix + g.pad_left, g.kernel_w - 1, g.out_c, to);
                continue;
            }
            for (turned, to) in to.chunks_exact_mut(channels).enumerate() {
                let kx = g.kernel_w - 1 - turned;
                match output_position(ix + g.pad_left, kx * g.dilation_w, g.stride_w) {
                    Some(ox) if ox < g.out_w => {
                        let at = ox * g.out_c + group * channels;
                        to.copy_from_slice(&row[at..][..channels]);
                    }
                    _ => to.fill(T::zero()),
                }
            }
        }
    }
}

/// The output position at which the kernel element `offset` pixels from its first is at the padded
/// input position `at`, if it exists.
fn output_position(at: usize, offset: usize, stride: usize) -> Option<usize> {
    at.checked_sub(offset).filter(|start| start % stride == 0).map(|start| start / stride)
}

/// `[out, in, kh, kw]` to `[kh, kw, in, out]`, group by group.
fn pack_weights<T: Kernels>(g: &Conv2dGeometry, w: &[T], packed: &mut [T]) {
    let (taps, group_in, group_out) = (g.taps(), g.group_in(), g.group_out());
    parallel::for_each_chunk(packed, group_out, |row, packed| {
        let (group, element) = (row / g.patch_len(), row % g.patch_len());
        let (tap, ic) = (element / group_in, element % group_in);
        for (oc, p) in packed.iter_mut().enumerate() {
            *p = w[((group * group_out + oc) * group_in + ic) * taps + tap];
        }
    });
}

/// `[out, in, kh, kw]` to `[kh, kw, out, in]`, group by group, with the kernel rotated by 180 degrees.
fn pack_weights_turned<T: Kernels>(g: &Conv2dGeometry, w: &[T], packed: &mut [T]) {
    let (taps, group_in, group_out) = (g.taps(), g.group_in(), g.group_out());
    parallel::for_each_chunk(packed, group_in, |row, packed| {
        let (group, element) = (row / (taps * group_out), row % (taps * group_out));
        let (tap, oc) = (taps - 1 - element / group_out, element % group_out);
        for (ic, p) in packed.iter_mut().enumerate() {
            *p = w[((group * group_out + oc) * group_in + ic) * taps + tap];
        }
    });
}

/// `[kh, kw, in, out]`, group by group, to `[out, in, kh, kw]`.
fn unpack_weights<T: Kernels>(g: &Conv2dGeometry, packed: &[T], w: &mut [T]) {
    let (taps, group_in, group_out) = (g.taps(), g.group_in(), g.group_out());
    parallel::for_each_chunk(w, taps, |row, w| {
        let (oc, ic) = (row / group_in, row % group_in);
        let (group, oc) = (oc / group_out, oc % group_out);
        let packed = &packed[group * g.patch_len() * group_out..];
        for (tap, w) in w.iter_mut().enumerate() {
            *w = packed[(tap * group_in + ic) * group_out + oc];
        }
    });
}

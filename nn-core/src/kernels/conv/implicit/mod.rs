//! Direct convolution of any geometry (implicit matrix product): the forward pass and the input's gradient. The
//! weight's gradient is in `weight_gradient/`.
//!
//! A register tile is some pixels by a few vectors of target channels. For each element under the kernel,
//! a row of packed weights is loaded once and each pixel's number is broadcast (`tile.rs`). No patches are
//! gathered: a task reads its rows of the source as they are or, where its pixels see padding, a copy of
//! them with zeros around. Adjacent taps whose channels are contiguous in memory are one run of the inner
//! loop, so a pointwise convolution is a matrix product.
//!
//! The gradient of the input is computed by phases of the stride (`plan.rs`): pixels of the same phase meet
//! the same taps, so nothing is multiplied by the zeros between the pixels of a strided convolution.
//!
//! Rows that see padding leave out the taps that lie in it; columns multiply the zeros.
//!
//! Measured on two cores with AVX-512 (peak 544), in GFLOP/s, beside `im2col`: 5x5 from 32 to 64 channels on
//! 64 images of 12x12, forward 426 and 283; 3x3 with stride 2 from 64 to 128 channels on 16 of 64x64, forward
//! 471 and 320, input gradient 494 and 74; pointwise from 64 to 256 channels on 8 of 56x56, forward 474 and
//! 265, input gradient 455 and 172. With AVX2 (peak 272) up to 250. On every shape tried, `im2col` was slower
//! than AVX-512; plain arrays are left to it where `matrixmultiply` finds AVX2, but for small groups.
//!
//! Small groups of channels are joined until their channels fill a vector, with zero weights between them:
//! the vector would be partly empty otherwise. A NaN or infinity spreads to the joined groups.
//!
//! Georganas et al.: Anatomy of High-Performance Deep Learning Convolutions on SIMD Architectures,
//! arXiv:1808.05567; Dumoulin, Visin: A guide to convolution arithmetic for deep learning, arXiv:1603.07285.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`
#![allow(clippy::manual_memcpy)] // a copy in one piece would keep sums in memory, see `tile`

mod plan;
mod tile;
pub(crate) mod weight_gradient;
mod weights;

use super::{
    ByRows, Conv2dForward, Conv2dInputGradient, Conv2dKernel, Output, OutputGradient, apply,
};
use crate::kernels::bounds::Bounds;
use crate::kernels::functions::Function;
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::{Isa, PerIsa};
use crate::kernels::parallel::prelude::*;
use crate::kernels::{parallel, pool, simd};
use crate::tensor::{Buffer, BufferPool, Tensor};
use plan::Plan;
use std::ops::{Deref, Range};
use tile::Task;
use weights::Strides;

/// The largest stride. The input's gradient has as many phases as the strides' product.
const MAX_STRIDE: usize = 8;

/// The channels of a group from which on `im2col` is faster than plain arrays on a machine with AVX2. Measured
/// on one core, in GFLOP/s: 3x3 in 32 groups of 4, 8, 16 and 32 channels, forward 28, 44, 46 and 43 beside 7,
/// 20, 46 and 69; without groups 41 to 48 beside 56 to 181, but 42 and 39 for the stem's 3 channels.
const RIVAL_CHANNELS: usize = 16;

/// Direct convolution with the vectors of one instruction set.
pub struct Implicit {
    /// The instruction set.
    pub isa: Isa,
}

impl Conv2dKernel for Implicit {
    fn name(&self) -> &'static str {
        self.isa.pick(PerIsa {
            portable: "implicit-portable",
            avx2: "implicit-avx2",
            avx512: "implicit-avx512",
            neon: "implicit-neon",
        })
    }

    fn isa(&self) -> Isa {
        self.isa
    }

    fn supports(&self, g: &Conv2dGeometry, _: Option<&Pool2dGeometry>) -> bool {
        let axis = |size, kernel: usize, stride, dilation: usize, pad, out: usize| {
            let extent = (kernel - 1) * dilation + 1;
            let seen = (out.max(1) - 1) * stride + extent;
            // Outputs that see padding alone are for the base: copies would be mostly zeros.
            stride <= MAX_STRIDE && pad < extent && seen < size + pad + extent
        };
        // One channel per group is too little for a row of weights: see `depthwise`.
        (g.groups == 1 || g.group_in() > 1)
            && g.in_c > 0
            && g.out_c > 0
            && axis(g.in_h, g.kernel_h, g.stride_h, g.dilation_h, g.pad_top, g.out_h)
            && axis(g.in_w, g.kernel_w, g.stride_w, g.dilation_w, g.pad_left, g.out_w)
    }

    fn pays(&self, g: &Conv2dGeometry) -> bool {
        !self.has_rival() || g.groups > 1 && g.group_in().min(g.group_out()) < RIVAL_CHANNELS
    }
}

impl Implicit {
    /// Whether it has plain arrays alone and `im2col`'s matrix products better vectors: `NN_KERNEL` does not
    /// restrict `matrixmultiply`.
    fn has_rival(&self) -> bool {
        self.isa == Isa::Portable && Isa::Avx2.is_available()
    }
}

impl Conv2dForward<f32> for Implicit {
    fn pack(
        &self,
        g: &Conv2dGeometry,
        w: &[f32],
        scratch: &BufferPool<f32>,
    ) -> Option<Tensor<f32>> {
        let strides = Strides {
            source: g.taps(),
            target: g.patch_len(),
            group: g.group_out() * g.patch_len(),
        };
        Some(weights::pack(&Plan::forward(g, self.isa), w, &strides, scratch))
    }

    fn forward_packed(
        &self,
        g: &Conv2dGeometry,
        x: &[f32],
        packed: &[f32],
        b: Option<&[f32]>,
        out: Output<'_, f32>,
        scratch: &BufferPool<f32>,
    ) {
        match out {
            Output::Dense { y, bounds, function } => {
                let plan = Plan::forward(&one_column(g), self.isa);
                let (plan, weights) = (&plan, packed);
                let pass = Pass { plan, isa: self.isa, weights, bias: b, bounds, function };
                pass.run(y, scratch, |n, rows| {
                    let image = &x[n * plan.source.height * plan.source.row()..];
                    &image[rows.start * plan.source.row()..rows.end * plan.source.row()]
                });
            }
            Output::ReluMaxPool { pool: p, y, argmax } => {
                let plan = Plan::forward(g, self.isa).with_all_channels(g);
                let pass = Pass {
                    plan: &plan,
                    isa: self.isa,
                    weights: packed,
                    bias: b,
                    bounds: Bounds::relu(None),
                    function: None,
                };
                let (image, row) = (p.output_len(), p.out_w * p.channels);
                let band = (plan.band / p.stride_h).max(1);
                parallel::for_each_tile_pair(y, argmax, image, band * row, |n, i, y, argmax| {
                    let top = i * band * p.stride_h;
                    let rows = top..top + (y.len() / row - 1) * p.stride_h + p.window_h;
                    let mut map = scratch.scratch(rows.len() * plan.target.row());
                    let source = |rows: &Range<usize>| {
                        &x[n * g.input_len()..]
                            [rows.start * plan.source.row()..rows.end * plan.source.row()]
                    };
                    let place = Place(map.as_mut_ptr());
                    // SAFETY: the map has as many rows, and is this task's alone.
                    unsafe { pass.part(rows, 0..plan.all_blocks(), &place, scratch, source) };
                    pool::relu_max_rows(p, &map, y, argmax);
                });
            }
        }
    }

    fn by_rows<'a>(
        &self,
        g: &Conv2dGeometry,
        weights: &'a [f32],
        bias: Option<&'a [f32]>,
        (bounds, function): (Bounds<f32>, Option<Function>),
    ) -> Option<Box<ByRows<'a, f32>>> {
        let (isa, plan) = (self.isa, Plan::forward(g, self.isa));
        Some(Box::new(move |rows, x, y, scratch| {
            assert_eq!(y.len(), rows.len() * plan.target.row());
            let (blocks, place) = (0..plan.all_blocks(), Place(y.as_mut_ptr()));
            let pass = Pass { plan: &plan, isa, weights, bias, bounds, function };
            // SAFETY: the output has as many rows, as asserted, and is this call's alone.
            unsafe { pass.part(rows, blocks, &place, scratch, |_| x) };
        }))
    }
}

impl Conv2dInputGradient<f32> for Implicit {
    fn backward_input(
        &self,
        g: &Conv2dGeometry,
        dy: OutputGradient<'_, f32>,
        w: &[f32],
        dx: &mut [f32],
        scratch: &BufferPool<f32>,
    ) {
        let g = if dy.pool().is_none() { one_column(g) } else { *g };
        let plan = Plan::input_gradient(&g, self.isa);
        let group = g.group_out() * g.patch_len();
        let strides = Strides { source: g.patch_len(), target: g.taps(), group };
        let packed = weights::pack(&plan, w, &strides, scratch);
        let weights = packed.as_slice();
        let pass = Pass {
            plan: &plan,
            isa: self.isa,
            weights,
            bias: None,
            bounds: Bounds::none(),
            function: None,
        };
        pass.run(dx, scratch, |n, rows| dy.rows(&g, n, rows, scratch));
    }
}

/// A pointwise convolution of a batch is that of one column of pixels: its tasks need not end with an image or a row.
fn one_column(g: &Conv2dGeometry) -> Conv2dGeometry {
    let pixels = g.batch * g.out_h * g.out_w;
    match g.is_pointwise() {
        true => Conv2dGeometry { batch: 1, in_h: pixels, out_h: pixels, in_w: 1, out_w: 1, ..*g },
        false => *g,
    }
}

/// A pass over a batch.
struct Pass<'a> {
    plan: &'a Plan,
    isa: Isa,
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    bounds: Bounds<f32>,
    function: Option<Function>,
}

/// The beginning of memory of which each task writes a part of its own.
struct Place(*mut f32);

// SAFETY: the tasks that share it write disjoint elements, and nobody reads before they have ended.
unsafe impl Sync for Place {}

impl Pass<'_> {
    /// The target channels of some blocks of all groups.
    fn channels(&self, blocks: &Range<usize>) -> Range<usize> {
        let (plan, of_group) = (self.plan, &self.plan.blocks);
        let begin = |block: usize| {
            let (group, block) = (block / of_group.len(), block % of_group.len());
            group * plan.width + of_group[block].0 * plan.lanes
        };
        begin(blocks.start)..if blocks.end < plan.all_blocks() {
            begin(blocks.end)
        } else {
            plan.target.channels
        }
    }

    /// Computes the whole target. `source(image, rows)` are rows of the source.
    fn run<S: Deref<Target = [f32]>>(
        &self,
        target: &mut [f32],
        scratch: &BufferPool<f32>,
        source: impl Fn(usize, &Range<usize>) -> S + Sync,
    ) {
        let plan = self.plan;
        let image = plan.target.height * plan.target.row();
        assert_eq!(target.len(), plan.images * image);
        if target.is_empty() {
            return;
        }
        let bands = plan.target.height.div_ceil(plan.band);
        let parts = plan.all_blocks().div_ceil(plan.task_blocks);
        let place = Place(target.as_mut_ptr());
        // One by one, so that threads end together: there may be few.
        (0..plan.images * bands * parts).into_par_iter().with_max_len(1).for_each(|task| {
            let place = &place;
            let (n, band, part) = (task / (bands * parts), task / parts % bands, task % parts);
            let top = band * plan.band;
            let rows = top..(top + plan.band).min(plan.target.height);
            let first = part * plan.task_blocks;
            let blocks = first..(first + plan.task_blocks).min(plan.all_blocks());
            let place = Place(place.0.wrapping_add(n * image + top * plan.target.row()));
            // SAFETY: the rows lie in the target, as asserted, and each task has its own part of the
            // images, rows and blocks of channels.
            unsafe { self.part(rows, blocks, &place, scratch, |rows| source(n, rows)) };
        });
    }

    /// Computes the channels `blocks` of some rows of the target, which begin at `target`.
    ///
    /// # Safety
    /// As many rows lie there, and nobody else uses the blocks' channels meanwhile.
    unsafe fn part<S: Deref<Target = [f32]>>(
        &self,
        rows: Range<usize>,
        blocks: Range<usize>,
        target: &Place,
        scratch: &BufferPool<f32>,
        source: impl Fn(&Range<usize>) -> S,
    ) {
        let plan = self.plan;
        let seen = plan.rows_seen(&rows);
        let clamp = |row: isize| row.clamp(0, plan.source.height as isize) as usize;
        let stored = clamp(seen.start)..clamp(seen.end);
        let source = source(&stored);
        let copy = plan.padded.then(|| copy(plan, &seen, &stored, &source, scratch));
        let task = Task {
            plan,
            band: copy.as_deref().unwrap_or(&source),
            top: seen.start,
            weights: self.weights,
            bias: self.bias,
            bounds: self.bounds,
            rows,
            blocks,
            target: target.0,
        };
        let (pixels, channels) = (task.rows.len() * plan.target.width, self.channels(&task.blocks));
        simd::run(self.isa, task);
        if self.function.is_some() {
            // Where the blocks are all channels, the pixels are one piece of memory.
            let whole = channels.len() == plan.target.channels;
            let (pieces, len) = if whole { (1, pixels) } else { (pixels, 1) };
            for piece in 0..pieces {
                let at = target.0.wrapping_add(piece * plan.target.channels + channels.start);
                // SAFETY: the caller's promise: these are the blocks' channels of pixels of the rows.
                let outputs = unsafe { std::slice::from_raw_parts_mut(at, len * channels.len()) };
                apply(self.function, outputs);
            }
        }
    }
}

/// Copies the source rows `stored` to a band of the rows `seen`, with zeros around.
fn copy(
    plan: &Plan,
    seen: &Range<isize>,
    stored: &Range<usize>,
    source: &[f32],
    scratch: &BufferPool<f32>,
) -> Buffer<f32> {
    let (channels, width) = (plan.source.channels, plan.source.width as isize);
    let mut band = scratch.scratch(seen.len() * plan.pitch());
    // Columns of the source that are copied, and where they begin in the band.
    let (from, to) = (plan.columns.start.clamp(0, width), plan.columns.end.clamp(0, width));
    let before = (from - plan.columns.start) as usize * channels;
    let (from, to) = (from as usize * channels, to as usize * channels);
    for (row, band) in seen.clone().zip(band.chunks_exact_mut(plan.pitch().max(1))) {
        let Some(row) = usize::try_from(row).ok().filter(|row| stored.contains(row)) else {
            band.fill(0.0);
            continue;
        };
        let row = &source[(row - stored.start) * plan.source.row()..][..plan.source.row()];
        let end = before + to - from;
        band[..before].fill(0.0);
        band[before..end].copy_from_slice(&row[from..to]);
        band[end..].fill(0.0);
    }
    band
}

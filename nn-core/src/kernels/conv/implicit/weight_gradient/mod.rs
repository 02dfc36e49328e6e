//! The weight gradient of convolutions of any geometry, as an implicit matrix product.
//!
//! The gradient of a weight is a sum over the positions of the output: of the input's element under the
//! weight times the gradient of its output channel. A register tile is a run of input elements, each
//! broadcast, by a few vectors of output channels; its sums stay in registers over a block of positions.
//!
//! A task owns a piece of the sums (`plan.rs`), and goes through the blocks of its part of the positions:
//!
//! 1. `pack`: copy the block's input in panels of channels, as narrow as a register tile, and its gradients
//!    in blocks of vectors. Each tap reads the same panels from other pixels on: no patches are gathered.
//! 2. `positions`: list the pairs of position and pixel of each tap. Pixels in the padding are not listed, so
//!    that nothing is multiplied by its zeros, and strides cost nothing. The interior blocks of an image share
//!    their lists.
//! 3. `products`: for each block of output channels, panel and tap, sum the products of the listed pairs.
//!
//! What is used for few products is read where it is instead of being packed. While a block's products are
//! summed, the memory of the next one is prefetched.
//!
//! With few input channels, a run is that of all taps of a kernel row: these see the zeros of padding.
//!
//! Large gradients are cut into pieces, small ones are summed in parts that are added in order. Both depend on
//! sizes alone, so results do not depend on the number of threads.
//!
//! Measured on one core with AVX-512 (peak 272), in GFLOP/s, beside `im2col`: 3x3 with stride 2 from 64 to 128
//! channels on 16 images of 64x64, 201 and 171; pointwise from 64 to 256 on 8 of 56x56, 175 and 129, and from 2048
//! to 512 on 4 of 7x7, 167 and 55; 5x5 from 32 to 64 on 64 of 12x12, 217 and 170, and from 1 to 32 on 64 of 28x28,
//! 128 and 52; the stem of ResNet, 228 and 124; 32 groups of 4 and of 32 channels, 30 and 7, 179 and 101. With
//! AVX2 (peak 136) 75 to 118.
//!
//! Georganas et al.: Anatomy of High-Performance Deep Learning Convolutions on SIMD Architectures,
//! arXiv:1808.05567; Dukhan: The Indirect Convolution Algorithm, arXiv:1907.02129.

mod pack;
mod plan;
mod positions;
mod products;
mod task;

use super::Implicit;
use crate::kernels::conv::{Conv2dKernel, Conv2dWeightGradient, OutputGradient};
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::Isa;
use crate::kernels::parallel::prelude::*;
use crate::kernels::{parallel, simd};
use crate::tensor::BufferPool;
use plan::Plan;
use task::Task;

/// The weight gradient with the vectors of one instruction set.
pub struct ImplicitWeight {
    /// The instruction set.
    pub isa: Isa,
}

impl Conv2dKernel for ImplicitWeight {
    fn name(&self) -> &'static str {
        Implicit { isa: self.isa }.name()
    }

    fn isa(&self) -> Isa {
        self.isa
    }

    fn supports(&self, g: &Conv2dGeometry, pool: Option<&Pool2dGeometry>) -> bool {
        // Pixels are numbered with 32 bits.
        let seen = |kernel, dilation, size: usize| size.saturating_add(2 * kernel * dilation);
        let pixels = seen(g.kernel_h, g.dilation_h, g.in_h).saturating_mul(seen(
            g.kernel_w,
            g.dilation_w,
            g.in_w,
        ));
        Implicit { isa: self.isa }.supports(g, pool) && pixels <= u32::MAX as usize
    }

    fn pays(&self, g: &Conv2dGeometry) -> bool {
        // One or two channels would leave most of a vector empty.
        let few = 8 * g.out_c <= simd::lanes(self.isa);
        !few && !Implicit { isa: self.isa }.has_rival()
    }
}

impl Conv2dWeightGradient<f32> for ImplicitWeight {
    fn backward_weight(
        &self,
        g: &Conv2dGeometry,
        x: &[f32],
        dy: OutputGradient<'_, f32>,
        dw: &mut [f32],
        db: &mut [f32],
        scratch: &BufferPool<f32>,
    ) {
        if g.batch * g.output_len() == 0 {
            dw.fill(0.0);
            db.fill(0.0);
            return;
        }
        let g = if dy.pool().is_none() { one_image(g) } else { *g };
        let plan = Plan::new(&g, self.isa);
        let len = plan.sums_len();
        let mut sums = scratch.scratch(plan.parts * len);
        let mut rest = &mut *sums;
        let mut tasks = Vec::with_capacity(plan.parts * plan.pieces.len());
        let (parts, blocks) = (plan.parts, plan.block_count());
        for part in 0..parts {
            for piece in &plan.pieces {
                let (sums, after) = rest.split_at_mut(piece.len);
                rest = after;
                let blocks = part * blocks / parts..(part + 1) * blocks / parts;
                tasks.push(Task { plan: &plan, isa: self.isa, piece, blocks, x, sums, scratch });
            }
        }
        tasks.into_par_iter().for_each(|task| {
            task.run(|image, rows| dy.rows(&g, image, rows, scratch));
        });
        let total = parallel::sum_parts(&mut sums, len);
        unpack(&plan, total, dw, db);
    }
}

/// Weights that are copied together, so that both sides stay in the L1 cache.
const TOGETHER: usize = 64;

/// Copies the sums to `dw`, `[out, in, kernel_h, kernel_w]`, and `db`.
fn unpack(plan: &Plan, sums: &[f32], dw: &mut [f32], db: &mut [f32]) {
    let (taps, row) = (plan.g.taps(), plan.g.patch_len());
    // For each input channel and tap of a group, in the order of a row of `dw`: the row of the sums, counted
    // from the first panel.
    let mut rows = Vec::with_capacity(plan.depth * taps);
    for panel in 0..plan.panel_count {
        let channels = plan.panel(panel);
        for c in channels.clone() {
            let start = channels.start * taps + c - channels.start;
            rows.extend((0..taps).map(|tap| start + tap * channels.len()));
        }
    }
    // The blocks of output channels, with the rows of `dw` that are those channels'.
    let mut columns = Vec::with_capacity(plan.groups * plan.blocks.len());
    let mut rest = (dw, db);
    for group in 0..plan.groups {
        for (index, block) in plan.blocks.iter().enumerate() {
            let channels = (plan.width - block.first).min(block.vectors * plan.lanes);
            let (dw, dws) = rest.0.split_at_mut(channels * row);
            let (db, dbs) = rest.1.split_at_mut(channels);
            rest = (dws, dbs);
            columns.push((group, index, dw, db));
        }
    }
    columns.into_par_iter().for_each(|(group, index, dw, db)| {
        let block = &plan.blocks[index];
        let width = block.vectors * plan.lanes;
        for piece in plan.pieces.iter().filter(|piece| piece.has(group, index)) {
            let len = |block| plan.block_len(piece, block);
            let before: usize = plan.blocks[piece.blocks.start..index].iter().map(len).sum();
            let all: usize = plan.blocks[piece.blocks.clone()].iter().map(len).sum();
            let start = piece.start + (group - piece.groups.start) * all + before;
            let (bias, sums) = sums[start..start + len(block)].split_at(width);
            if piece.panels.start == 0 {
                db.copy_from_slice(&bias[..db.len()]);
            }
            let channels = plan.channels(piece);
            let (first, end) = (channels.start * taps, channels.end * taps);
            for start in (first..end).step_by(TOGETHER) {
                let end = (start + TOGETHER).min(end);
                for (lane, dw) in dw.chunks_exact_mut(row).enumerate() {
                    // Of joined groups, those of the channel's own group.
                    let own = (block.first + lane) / plan.g.group_out() * row;
                    let (from, to) = (start.max(own), end.min(own + row));
                    if from >= to {
                        continue;
                    }
                    for (weight, row) in dw[from - own..to - own].iter_mut().zip(&rows[from..to]) {
                        *weight = sums[(row - first) * width + lane];
                    }
                }
            }
        }
    });
}

/// A pointwise convolution of a batch is that of one tall image: a strip of rows need not end with an image.
fn one_image(g: &Conv2dGeometry) -> Conv2dGeometry {
    match g.is_pointwise() {
        true => Conv2dGeometry { batch: 1, in_h: g.batch * g.in_h, out_h: g.batch * g.out_h, ..*g },
        false => *g,
    }
}

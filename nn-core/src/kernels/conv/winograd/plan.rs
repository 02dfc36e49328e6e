//! The sizes of a transformed convolution, and where things lie in its scratch memory.

use super::multiply::NR;
use super::{POINTS, TILE};
use crate::kernels::geometry::Conv2dGeometry;
use crate::kernels::isa::Isa;
use crate::kernels::simd;
use std::ops::Range;

/// What all tiles of a convolution have in common.
pub struct Plan {
    /// Rows of the input.
    pub in_h: usize,
    /// Columns of the input.
    pub in_w: usize,
    /// Channels of the input.
    pub depth: usize,
    /// Zeros above the input.
    pub pad_top: usize,
    /// Zeros left of the input.
    pub pad_left: usize,
    /// Columns of the output that are computed.
    pub out_w: usize,
    /// Channels of the output.
    pub channels: usize,
    /// Lanes of a vector.
    pub lanes: usize,
    /// Tiles that go through the cache together.
    pub together: usize,
    /// Rows of tiles in a task.
    pub task_rows: usize,
}

/// Elements that the tiles in work may take in the cache: with the weights that pass by, they fill most
/// of a second-level cache of 1 MB.
const CACHED: usize = 160 << 10;

/// The fewest tiles that go through the cache together: below, weights pass by for too little work.
const MIN_TOGETHER: usize = 8;

/// About the fewest tasks, where there are rows enough: a few threads share them evenly.
const MIN_TASKS: usize = 8;

impl Plan {
    /// Of a forward pass that computes `size` rows and columns of the output.
    pub fn forward(g: &Conv2dGeometry, size: (usize, usize), isa: Isa) -> Self {
        let plan = Self {
            in_h: g.in_h,
            in_w: g.in_w,
            depth: g.in_c,
            pad_top: g.pad_top,
            pad_left: g.pad_left,
            out_w: size.1,
            channels: g.out_c,
            lanes: simd::lanes(isa),
            together: 1,
            task_rows: 1,
        };
        plan.cut(g.batch, size.0)
    }

    /// Of the gradient of the input: a convolution of the output's gradient, padded by what the
    /// kernel reaches over its border.
    pub fn input_gradient(g: &Conv2dGeometry, isa: Isa) -> Self {
        let plan = Self {
            in_h: g.out_h,
            in_w: g.out_w,
            depth: g.out_c,
            pad_top: g.kernel_h - 1 - g.pad_top,
            pad_left: g.kernel_w - 1 - g.pad_left,
            out_w: g.in_w,
            channels: g.in_c,
            lanes: simd::lanes(isa),
            together: 1,
            task_rows: 1,
        };
        plan.cut(g.batch, g.in_h)
    }

    /// Cuts `rows` rows of output into tasks, and tasks into what the cache holds: by sizes alone, so
    /// that results do not depend on the number of threads.
    fn cut(mut self, images: usize, rows: usize) -> Self {
        let columns = self.columns().max(1);
        let rows = rows.div_ceil(TILE).max(1);
        let fit = (CACHED / self.scratch_len()).max(MIN_TOGETHER);
        let shared = (images * rows).div_ceil(MIN_TASKS);
        self.task_rows = (fit / columns).min(shared).clamp(1, rows);
        self.together = fit.min(self.task_rows * columns);
        self
    }

    /// The rows of the input that `rows` rows of tiles touch, whose first output is in row `top`.
    pub fn rows_touched(&self, top: usize, rows: usize) -> Range<usize> {
        let end = (top + rows * TILE + 2).saturating_sub(self.pad_top).min(self.in_h);
        top.saturating_sub(self.pad_top).min(end)..end
    }

    /// Tiles side by side.
    pub fn columns(&self) -> usize {
        self.out_w.div_ceil(TILE)
    }

    /// Channels of a block of outputs.
    pub fn width(&self) -> usize {
        NR * self.lanes
    }

    /// Blocks of output channels.
    pub fn blocks(&self) -> usize {
        self.channels.div_ceil(self.width())
    }

    /// Elements of the packed weights of one block.
    pub fn block_len(&self) -> usize {
        POINTS * self.depth * self.width()
    }

    /// Elements from one tile to the next in `v`.
    pub fn v_pitch(&self) -> usize {
        self.depth.next_multiple_of(self.lanes)
    }

    /// Elements from one point to the next in `v`. A cache line more than needed, or with some sizes
    /// all points would compete for the same few lines of the first-level cache.
    pub fn v_points(&self) -> usize {
        self.together * self.v_pitch() + 16
    }

    /// Elements from one tile to the next in `m`.
    pub fn m_pitch(&self) -> usize {
        POINTS * self.width()
    }

    /// Elements of scratch memory that [`Rows`] needs: `v`, `m` and a pixel of zeros.
    pub fn scratch_len(&self) -> usize {
        POINTS * self.v_points() + self.together * self.m_pitch() + self.depth
    }
}

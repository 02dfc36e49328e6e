//! The sizes of a Winograd convolution, and the layout of its scratch memory.

use super::multiply::NR;
use super::{POINTS, TILE};
use crate::kernels::geometry::Conv2dGeometry;
use crate::kernels::isa::Isa;
use crate::kernels::simd;
use std::ops::Range;

/// The sizes that all tiles of a convolution share.
pub struct Plan {
    /// Rows of the input.
    pub in_h: usize,
    /// Columns of the input.
    pub in_w: usize,
    /// Channels of the input.
    pub depth: usize,
    /// Rows of zero padding above the input.
    pub pad_top: usize,
    /// Columns of zero padding left of the input.
    pub pad_left: usize,
    /// Computed columns of the output.
    pub out_w: usize,
    /// Channels of the output.
    pub channels: usize,
    /// Lanes of a vector.
    pub lanes: usize,
    /// Tiles processed together, in cache.
    pub together: usize,
    /// Rows of tiles in a task.
    pub task_rows: usize,
}

/// Maximum number of elements of the tiles processed together. With the weights that are read
/// meanwhile, they fill most of a 1 MB L2 cache.
const CACHED: usize = 160 << 10;

/// Minimum number of tiles processed together: with fewer, there is too little arithmetic per weight
/// read.
const MIN_TOGETHER: usize = 8;

/// Approximate minimum number of tasks, if there are enough rows: it keeps a few threads evenly loaded.
const MIN_TASKS: usize = 8;

impl Plan {
    /// The plan of a forward pass that computes `size` rows and columns of the output.
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

    /// The plan of the input's gradient: a convolution of the output's gradient, padded by the kernel
    /// size minus 1 minus the forward padding.
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

    /// Splits `rows` rows of output into tasks, and tasks into tiles that fit into the cache. The split
    /// depends on sizes alone, so results do not depend on the number of threads.
    fn cut(mut self, images: usize, rows: usize) -> Self {
        let columns = self.columns().max(1);
        let rows = rows.div_ceil(TILE).max(1);
        let fit = (CACHED / self.scratch_len()).max(MIN_TOGETHER);
        let shared = (images * rows).div_ceil(MIN_TASKS);
        self.task_rows = (fit / columns).min(shared).clamp(1, rows);
        self.together = fit.min(self.task_rows * columns);
        self
    }

    /// The input rows needed for `rows` rows of tiles whose first output is in row `top`.
    pub fn rows_touched(&self, top: usize, rows: usize) -> Range<usize> {
        let end = (top + rows * TILE + 2).saturating_sub(self.pad_top).min(self.in_h);
        top.saturating_sub(self.pad_top).min(end)..end
    }

    /// Tiles per row of tiles.
    pub fn columns(&self) -> usize {
        self.out_w.div_ceil(TILE)
    }

    /// Output channels per block.
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

    /// Stride between tiles in `v`, in elements.
    pub fn v_pitch(&self) -> usize {
        self.depth.next_multiple_of(self.lanes)
    }

    /// Stride between points in `v`, in elements. A cache line longer than needed: otherwise, with some
    /// sizes, all points would compete for the same few lines of the L1 cache.
    pub fn v_points(&self) -> usize {
        self.together * self.v_pitch() + 16
    }

    /// Stride between tiles in `m`, in elements.
    pub fn m_pitch(&self) -> usize {
        POINTS * self.width()
    }

    /// Elements of scratch memory that [`Rows`] needs: `v`, `m` and one pixel of zeros.
    pub fn scratch_len(&self) -> usize {
        POINTS * self.v_points() + self.together * self.m_pitch() + self.depth
    }
}

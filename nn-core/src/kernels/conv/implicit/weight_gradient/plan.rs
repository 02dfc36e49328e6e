//! The sizes of a weight gradient: register tiles, blocks of positions, and pieces of the sums.

use crate::kernels::geometry::Conv2dGeometry;
use crate::kernels::isa::Isa;
use crate::kernels::simd;
use std::ops::Range;

/// Approximate number of elements of a block's input and gradients, packed: half of a 1 MB L2 cache.
const CACHED: usize = 1 << 17;

/// The most positions in a block, unless a row has more: their gradients fit into the L1 cache.
const MAX_POSITIONS: usize = 128;

/// The least positions in a block, if there are as many: with fewer, sums would be read and written too often.
const MIN_POSITIONS: usize = 64;

/// The least positions in a part, if there are as many.
const PART_POSITIONS: usize = 256;

/// The most partial sums: enough for the threads of a large machine.
const MAX_PARTS: usize = 16;

/// The most elements of all partial sums, if there are several: 2 MB.
const MAX_SUMS: usize = 1 << 19;

/// Tasks, if there is enough work.
const TASKS: u64 = 16;

/// The least multiply-adds of a task.
const TASK_WORK: u64 = 1 << 20;

/// The most channels that are read where they are.
const MAX_UNPACKED: usize = 256;

/// The most products of an input element with vectors of gradients for which it is read where it is.
const MAX_UNPACKED_PRODUCTS: usize = 16;

/// Vectors of the widest register tile.
pub const WIDEST: usize = 2;

/// A part of the sums that one task computes: some groups, and of each some panels of input channels and
/// some blocks of output channels.
pub struct Piece {
    pub groups: Range<usize>,
    pub panels: Range<usize>,
    pub blocks: Range<usize>,
    /// Where its sums begin: `[group][block][row][channel of the block]`. The first row of a block is the
    /// bias's; those of the panels follow, `[panel][tap][input channel]`.
    pub start: usize,
    pub len: usize,
}

impl Piece {
    /// Whether it has a block of a group's output channels.
    pub fn has(&self, group: usize, block: usize) -> bool {
        self.groups.contains(&group) && self.blocks.contains(&block)
    }
}

/// A block of a group's output channels: the first, and the number of vectors.
#[derive(Clone, Copy)]
pub struct Block {
    pub first: usize,
    pub vectors: usize,
}

/// Some of a group's input channels: as many as a register tile has rows, or fewer.
pub struct Panel {
    /// The first channel, counted in the group.
    pub first: usize,
    pub channels: usize,
    /// Where its packed input begins.
    pub start: usize,
}

/// The sizes that all tasks share.
pub struct Plan {
    pub g: Conv2dGeometry,
    pub lanes: usize,
    /// Groups of channels. Small groups of the convolution are joined until their output channels fill a
    /// vector; what belongs to an input and an output of different ones of them is left out at the end.
    pub groups: usize,
    /// Input channels of a group.
    pub depth: usize,
    /// Output channels of a group.
    pub width: usize,
    /// Whether the taps of a row of the kernel are summed as one run of elements: if there are so few
    /// channels that those of one tap would leave most of a register tile empty.
    pub merged: bool,
    /// Panels of a group's input channels.
    pub panel_count: usize,
    /// Blocks of a group's output channels.
    pub blocks: Vec<Block>,
    /// Output rows of a strip.
    pub band: usize,
    /// Strips of an image.
    pub strips: usize,
    /// Strips of a block.
    pub together: usize,
    /// Partial sums.
    pub parts: usize,
    pub pieces: Vec<Piece>,
}

impl Plan {
    pub fn new(g: &Conv2dGeometry, isa: Isa) -> Self {
        let (lanes, rows) = (simd::lanes(isa), simd::tile_rows(isa));
        let joined = crate::kernels::conv::implicit::plan::joined(g, g.group_out(), lanes);
        let (groups, depth) = (g.groups / joined, joined * g.group_in());
        let width = joined * g.group_out();
        let merged = g.kernel_w > 1 && g.dilation_w == 1 && 2 * depth < rows;
        let vectors = width.div_ceil(lanes);
        let block = |first| Block { first: first * lanes, vectors: WIDEST.min(vectors - first) };
        let mut plan = Self {
            g: *g,
            lanes,
            groups,
            depth,
            width,
            merged,
            panel_count: if merged { 1 } else { depth.div_ceil(rows) },
            blocks: (0..vectors).step_by(WIDEST).map(block).collect(),
            band: 1,
            strips: 1,
            together: 1,
            parts: 1,
            pieces: Vec::new(),
        };
        plan.cut();
        plan
    }

    /// Splits the work into tasks, by sizes alone, so that results do not depend on the number of threads.
    fn cut(&mut self) {
        let g = &self.g;
        let positions = g.batch * g.out_h * g.out_w;
        let work = (g.batch as u64).saturating_mul(g.multiply_adds());
        let tasks = (work / TASK_WORK).clamp(1, TASKS) as usize;
        let vectors: usize = self.blocks.iter().map(|block| block.vectors).sum();
        let all = self.groups * (1 + g.taps() * self.depth) * vectors * self.lanes;
        let most = MAX_PARTS.min(MAX_SUMS / all).min(positions / PART_POSITIONS);
        self.parts = 1 << most.clamp(1, tasks).ilog2();
        // Elements packed per position, of the input and of the gradient.
        let (down, across) = self.steps();
        let pixels = g.in_h.div_ceil(down) * g.in_w.div_ceil(across);
        let input = (self.depth * pixels / (g.out_h * g.out_w)).max(1);
        let mut grid = [self.groups.min(tasks.div_ceil(self.parts)), 1, 1];
        while grid.iter().product::<usize>() * self.parts < tasks {
            // Each part of the output channels packs the input, and the other way round.
            let fits = [2 * grid[1] <= self.panel_count, 2 * grid[2] <= self.blocks.len()];
            let output_next = fits[1] && (!fits[0] || grid[2] * input <= grid[1] * self.width);
            match output_next {
                true => grid[2] *= 2,
                false if fits[0] => grid[1] *= 2,
                false => break,
            }
        }
        let [groups, panels, blocks] = grid;
        let mut start = 0;
        for i in 0..groups * panels * blocks {
            let cut =
                |index: usize, of: usize, all: usize| index * all / of..(index + 1) * all / of;
            let mut piece = Piece {
                groups: cut(i / (panels * blocks), groups, self.groups),
                panels: cut(i / blocks % panels, panels, self.panel_count),
                blocks: cut(i % blocks, blocks, self.blocks.len()),
                start,
                len: 0,
            };
            let widths =
                self.blocks[piece.blocks.clone()].iter().map(|block| self.block_len(&piece, block));
            piece.len = piece.groups.len() * widths.sum::<usize>();
            start += piece.len;
            self.pieces.push(piece);
        }
        let g = &self.g;
        let packed = input.div_ceil(panels) + self.width.div_ceil(blocks);
        let fit = (CACHED / packed).clamp(MIN_POSITIONS, MAX_POSITIONS);
        let rows = (fit / g.out_w).clamp(1, g.out_h);
        self.strips = g.out_h.div_ceil(rows);
        self.band = g.out_h.div_ceil(self.strips);
        self.strips = g.out_h.div_ceil(self.band);
        if self.strips == 1 {
            self.together = (fit / (g.out_h * g.out_w)).clamp(1, g.batch);
        }
        self.parts = self.parts.min(self.block_count());
    }

    /// Blocks of positions of the whole batch.
    pub fn block_count(&self) -> usize {
        (self.g.batch * self.strips).div_ceil(self.together)
    }

    /// The input channels of a panel, counted in the group.
    pub fn panel(&self, panel: usize) -> Range<usize> {
        panel * self.depth / self.panel_count..(panel + 1) * self.depth / self.panel_count
    }

    /// The input channels of the panels of a piece.
    pub fn channels(&self, piece: &Piece) -> Range<usize> {
        self.panel(piece.panels.start).start..self.panel(piece.panels.end - 1).end
    }

    /// Elements that packing copies for a pixel of a panel: whole vectors.
    pub fn copied(&self) -> usize {
        self.depth.div_ceil(self.panel_count).next_multiple_of(self.lanes)
    }

    /// The panels of a piece, and the elements of all their packed input.
    pub fn panels(&self, piece: &Piece) -> (Vec<Panel>, usize) {
        let mut end = 0;
        let mut place = |channels: Range<usize>| {
            let panel = Panel { first: channels.start, channels: channels.len(), start: end };
            // Packing writes whole vectors.
            end += self.together * self.pixels() * panel.channels + self.copied();
            panel
        };
        let panels = piece.panels.clone().map(|panel| place(self.panel(panel))).collect();
        (panels, end)
    }

    /// Elements of the sums of a block of output channels in a piece.
    pub fn block_len(&self, piece: &Piece, block: &Block) -> usize {
        (1 + self.g.taps() * self.channels(piece).len()) * block.vectors * self.lanes
    }

    /// Elements of the sums of all pieces.
    pub fn sums_len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len).sum()
    }

    /// Positions of a strip.
    pub fn positions(&self) -> usize {
        self.band * self.g.out_w
    }

    /// The distances between rows and between columns that are packed: where a kernel is one pixel wide, the
    /// stride leaves out the others.
    pub fn steps(&self) -> (usize, usize) {
        let step = |kernel, stride| if kernel == 1 { stride } else { 1 };
        (step(self.g.kernel_h, self.g.stride_h), step(self.g.kernel_w, self.g.stride_w))
    }

    /// Rows of a panel in a strip, padding included.
    pub fn rows(&self) -> usize {
        let g = &self.g;
        ((self.band - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h) / self.steps().0 + 1
    }

    /// Columns of a panel, and the column of the input of the first of them. Runs of several taps need the
    /// padding; positions whose single tap lies in it are left out.
    pub fn columns(&self) -> (usize, isize) {
        let g = &self.g;
        let padding = -(g.pad_left as isize);
        match self.merged {
            true => ((g.out_w - 1) * g.stride_w + g.kernel_w, padding),
            false if self.steps().1 > 1 => (g.out_w, padding),
            false => (g.in_w, 0),
        }
    }

    /// Pixels of a panel in a strip.
    pub fn pixels(&self) -> usize {
        self.rows() * self.columns().0
    }

    /// Whether gradients are read where they are: if they are whole vectors and not so many that packing
    /// costs little beside their products.
    pub fn reads_gradients(&self) -> bool {
        self.g.out_c.is_multiple_of(self.lanes) && self.reads(self.g.out_c)
    }

    /// Whether the input is read where it is: if packing would cost much beside its products.
    pub fn reads_input(&self) -> bool {
        let products = self.g.taps() * self.width.div_ceil(self.lanes);
        let plain = !self.merged && self.steps() == (1, 1);
        plain && products <= MAX_UNPACKED_PRODUCTS && self.reads(self.g.in_c)
    }

    /// Whether so many channels can be read where they are. They must not be a multiple of half a kilobyte,
    /// or the pixels of a register tile would compete for few sets of the L1 cache.
    fn reads(&self, channels: usize) -> bool {
        let apart = channels <= MAX_UNPACKED && !channels.is_multiple_of(128);
        (self.together, self.g.groups) == (1, 1) && apart
    }

    /// Elements of a block of output channels in a block of positions.
    pub fn gradient_len(&self, block: &Block) -> usize {
        self.together * self.positions() * block.vectors * self.lanes
    }
}

//! What a pass connects: which pixels of the source each pixel of the target sums, tap by tap.
//!
//! In the forward pass the source is the input and the target the output; in the input's gradient it is the
//! other way round. With a stride, the pixels of the input fall into phases that see different taps. Inside
//! a phase all pixels see the same taps at the same distances, as in a forward pass.

use crate::kernels::geometry::Conv2dGeometry;
use crate::kernels::isa::Isa;
use crate::kernels::simd::{self, MANY_REGISTERS};
use std::ops::Range;

/// Approximate number of elements of a task's source and target: they and a chunk of weights fit into half
/// of a 1 MB L2 cache.
const CACHED: usize = 96 << 10;

/// The most tasks that a small pass is cut into: it keeps a few threads evenly loaded.
const MOST_TASKS: u64 = 16;

/// Minimum number of products of a task of a small pass: about two microseconds. To hand out a task costs a fraction of
/// that.
const MIN_PRODUCTS: u64 = 200_000;

/// Elements of weights that stay in a core's cache.
const NEAR: usize = 64 << 10;

/// Minimum number of pixels in a task, if there are as many: those of a register tile.
const MIN_PIXELS: usize = 6;

/// The same for weights of more than [`NEAR`] elements, which every task reads from far away.
const MIN_PIXELS_FAR: usize = 32;

/// Vectors of the widest block of channels, for `vectors` vectors that are left.
fn widest(isa: Isa, vectors: usize) -> usize {
    let most = if simd::tile_rows(isa) >= MANY_REGISTERS { 4 } else { 2 };
    1 << vectors.min(most).ilog2()
}

/// Blocks of `end` vectors: the first vector, and the number of vectors.
fn blocks(isa: Isa, end: usize) -> Vec<(usize, usize)> {
    let (mut first, mut blocks) = (0, Vec::new());
    while first < end {
        let vectors = widest(isa, end - first);
        blocks.push((first, vectors));
        first += vectors;
    }
    blocks
}

/// How many groups, of `width` target channels each, are joined so that their channels fill a vector.
pub fn joined(g: &Conv2dGeometry, width: usize, lanes: usize) -> usize {
    let fills = |joined: &usize| g.groups.is_multiple_of(*joined) && joined * width >= lanes;
    (1..=g.groups.min(lanes)).find(fills).unwrap_or(1)
}

/// The connections of one phase along one dimension.
pub struct Axis {
    /// The first position of the target.
    pub first: usize,
    /// The distance to the next.
    pub step: usize,
    /// The number of positions.
    pub count: usize,
    /// The distance in the source between neighbours of the phase.
    pub stride: usize,
    /// Index in the kernel, and position in the source of the first pixel's tap, by increasing position.
    pub taps: Vec<(usize, isize)>,
}

impl Axis {
    fn forward(kernel: usize, stride: usize, dilation: usize, pad: usize, count: usize) -> Self {
        let taps = (0..kernel).map(|tap| (tap, (tap * dilation) as isize - pad as isize)).collect();
        Self { first: 0, step: 1, count, stride, taps }
    }

    fn phases(kernel: usize, step: usize, dilation: usize, pad: usize, size: usize) -> Vec<Self> {
        (0..step.min(size))
            .map(|first| {
                let at = first + pad;
                let position = |tap| (at as isize - (tap * dilation) as isize) / step as isize;
                let met = |tap: &usize| at % step == tap * dilation % step;
                let taps = (0..kernel).rev().filter(met).map(|tap| (tap, position(tap))).collect();
                Self { first, step, count: (size - first).div_ceil(step), stride: 1, taps }
            })
            .collect()
    }

    /// The positions, counted in the phase, of those that lie in `target`.
    pub fn inside(&self, target: &Range<usize>) -> Range<usize> {
        let before = |end: usize| end.saturating_sub(self.first).div_ceil(self.step);
        before(target.start).min(self.count)..before(target.end).min(self.count)
    }

    /// The source positions that the given positions of the phase see.
    pub fn span(&self, positions: &Range<usize>) -> Option<Range<isize>> {
        let ((_, low), (_, high)) = (self.taps.first()?, self.taps.last()?);
        let last = positions.end.checked_sub(1).filter(|&last| last >= positions.start)?;
        let at = |position: usize| (position * self.stride) as isize;
        Some(at(positions.start) + low..at(last) + high + 1)
    }
}

/// The smallest range that contains all of `ranges`; empty if there is none.
fn hull(ranges: impl Iterator<Item = Range<isize>>) -> Range<isize> {
    ranges.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
}

/// The pixels of the target that see the same taps.
pub struct Phase {
    pub rows: Axis,
    pub columns: Axis,
    /// Where the packed weights of the phase begin, inside those of a group.
    pub weights: usize,
}

impl Phase {
    /// Kernel elements that the phase sees: index, row and column in the source of the first pixel's.
    pub fn taps(&self, kernel_w: usize) -> impl Iterator<Item = (usize, isize, isize)> {
        let row = move |&(ky, y)| {
            self.columns.taps.iter().map(move |&(kx, x)| (ky * kernel_w + kx, y, x))
        };
        self.rows.taps.iter().flat_map(row)
    }

    /// Number of kernel elements that the phase sees.
    pub fn tap_count(&self) -> usize {
        self.rows.taps.len() * self.columns.taps.len()
    }
}

/// A map of pixels.
#[derive(Clone, Copy)]
pub struct Map {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Map {
    pub fn row(&self) -> usize {
        self.width * self.channels
    }
}

/// The sizes that all tasks of a pass share.
pub struct Plan {
    pub images: usize,
    pub source: Map,
    pub target: Map,
    pub kernel_w: usize,
    pub phases: Vec<Phase>,
    /// Groups of channels, after joining.
    pub groups: usize,
    /// Groups of the convolution that are joined, so that their channels fill a vector. The weights
    /// between different ones of them are zero.
    pub joined: usize,
    /// Source channels of a group.
    pub depth: usize,
    /// Target channels of a group.
    pub width: usize,
    pub lanes: usize,
    /// Columns of the source that the pixels see, padding included.
    pub columns: Range<isize>,
    /// Whether some pixels see padding.
    pub padded: bool,
    /// Rows of the target in a task.
    pub band: usize,
    /// The blocks of a group's target channels: the first vector, and the number of vectors.
    pub blocks: Vec<(usize, usize)>,
    /// Blocks of target channels in a task.
    pub task_blocks: usize,
}

impl Plan {
    pub fn forward(g: &Conv2dGeometry, isa: Isa) -> Self {
        let rows = Axis::forward(g.kernel_h, g.stride_h, g.dilation_h, g.pad_top, g.out_h);
        let columns = Axis::forward(g.kernel_w, g.stride_w, g.dilation_w, g.pad_left, g.out_w);
        let phases = vec![Phase { rows, columns, weights: 0 }];
        Self::new(g, [input(g), output(g)], phases, isa)
    }

    pub fn input_gradient(g: &Conv2dGeometry, isa: Isa) -> Self {
        let rows = || Axis::phases(g.kernel_h, g.stride_h, g.dilation_h, g.pad_top, g.in_h);
        let columns = || Axis::phases(g.kernel_w, g.stride_w, g.dilation_w, g.pad_left, g.in_w);
        let mut phases = Vec::new();
        for index in 0..rows().len() {
            for columns in columns() {
                phases.push(Phase { rows: rows().swap_remove(index), columns, weights: 0 });
            }
        }
        Self::new(g, [output(g), input(g)], phases, isa)
    }

    fn new(
        g: &Conv2dGeometry,
        [source, target]: [Map; 2],
        mut phases: Vec<Phase>,
        isa: Isa,
    ) -> Self {
        let lanes = simd::lanes(isa);
        let (depth, width) = (source.channels / g.groups, target.channels / g.groups);
        let joined = joined(g, width, lanes);
        let (groups, depth, width) = (g.groups / joined, joined * depth, joined * width);
        let mut weights = 0;
        for phase in &mut phases {
            phase.weights = weights;
            weights += phase.tap_count() * depth * width.next_multiple_of(lanes);
        }
        let all = |axis: &Axis| axis.span(&(0..axis.count));
        let columns = hull(phases.iter().filter_map(|phase| all(&phase.columns)));
        let rows = hull(phases.iter().filter_map(|phase| all(&phase.rows)));
        let outside = |seen: &Range<isize>, size| seen.start < 0 || seen.end > size as isize;
        let padded = outside(&columns, source.width) || outside(&rows, source.height);
        let columns = if padded { columns } else { 0..source.width as isize };
        let mut plan = Self {
            images: g.batch,
            source,
            target,
            kernel_w: g.kernel_w,
            phases,
            groups,
            joined,
            depth,
            width,
            lanes,
            columns,
            padded,
            band: 1,
            blocks: blocks(isa, width.div_ceil(lanes)),
            task_blocks: 1,
        };
        plan.cut(g, usize::MAX);
        plan
    }

    /// The same plan for tasks that have all channels.
    pub fn with_all_channels(mut self, g: &Conv2dGeometry) -> Self {
        self.cut(g, 1);
        self
    }

    /// Splits the work into tasks, by sizes alone, so that results do not depend on the number of threads: bands of
    /// rows, each in at most `most_parts` parts of the blocks of channels.
    ///
    /// Each band reads all weights, each part the whole source. Of the ways to cut into enough tasks, whose bands stay in
    /// the cache, that which reads least is taken.
    fn cut(&mut self, g: &Conv2dGeometry, most_parts: usize) {
        debug_assert_eq!(g.groups, self.groups * self.joined);
        let (rows, width) = (self.target.height.max(1), self.target.width.max(1));
        let step = self.phases.first().map_or(1, |phase| phase.rows.step);
        let products = (self.images as u64).saturating_mul(g.multiply_adds());
        let tasks = (products / MIN_PRODUCTS).clamp(1, MOST_TASKS);
        let tasks = (1 << tasks.ilog2()) / self.images.max(1); // of an image
        let (weights, source) = (self.all_weights(), self.source.height * self.pitch());
        let least = if weights <= NEAR { MIN_PIXELS } else { MIN_PIXELS_FAR };
        let least = least.div_ceil(width).min(rows);
        let row = self.pitch() * self.source.height / rows + self.target.row();
        let cached = (CACHED / row.max(1)).clamp(least, rows);
        let (fewest, most) = (rows.div_ceil(cached), (rows / least).max(1));
        let cuts = (0..=tasks.max(1).ilog2()).map(|i| 1 << i).map(|bands: usize| {
            let bands = bands.min(most).max(fewest);
            (bands, tasks.div_ceil(bands).min(most_parts).clamp(1, self.all_blocks().max(1)))
        });
        let reads = |&(bands, parts): &(usize, usize)| {
            (std::cmp::Reverse((bands * parts).min(tasks)), bands * weights + parts * source)
        };
        let (bands, parts) = cuts.min_by_key(reads).unwrap_or((fewest, 1));
        // A band of the input's gradient has whole steps, so that its phases are alike.
        self.band = rows.div_ceil(bands).next_multiple_of(step);
        self.task_blocks = self.all_blocks().div_ceil(parts).max(1);
    }

    /// Elements of the packed weights.
    pub fn all_weights(&self) -> usize {
        self.groups * self.group_weights()
    }

    /// Elements from one row of a band of the source to the next.
    pub fn pitch(&self) -> usize {
        self.columns.len() * self.source.channels
    }

    /// The number of blocks of all groups.
    pub fn all_blocks(&self) -> usize {
        self.groups * self.blocks.len()
    }

    /// Elements of the packed weights of a group.
    pub fn group_weights(&self) -> usize {
        let taps: usize = self.phases.iter().map(Phase::tap_count).sum();
        taps * self.depth * self.width.next_multiple_of(self.lanes)
    }

    /// The source rows that the target rows `rows` see, padding included.
    pub fn rows_seen(&self, rows: &Range<usize>) -> Range<isize> {
        hull(self.phases.iter().filter_map(|phase| phase.rows.span(&phase.rows.inside(rows))))
    }
}

fn input(g: &Conv2dGeometry) -> Map {
    Map { height: g.in_h, width: g.in_w, channels: g.in_c }
}

fn output(g: &Conv2dGeometry) -> Map {
    Map { height: g.out_h, width: g.out_w, channels: g.out_c }
}

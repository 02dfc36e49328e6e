//! Some rows of tiles, from the input to the finished outputs, without leaving the second-level cache.
//!
//! The tiles are taken a few dozen at a time. Their 6x6 patches of input are transformed to
//! `v`, `[point][tile][input channel]`. Then, for one block of output channels after the other, each
//! point's matrix is multiplied into `m`, `[tile][point][channel of the block]`, and every tile of `m` is
//! transformed back, given its bias, rectified and pooled on its way out.

use super::multiply::{WIDTH, multiply};
use super::{POINTS, TILE, transform};
use crate::kernels::geometry::Conv2dGeometry;
use crate::kernels::pool::NO_WINNER;
use crate::kernels::simd::{Simd, Work};
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
    /// Tiles that go through the cache together.
    pub together: usize,
    /// Lanes of a vector.
    pub lanes: usize,
}

impl Plan {
    /// Of a forward pass. Tiles and lanes are for the caller to choose.
    pub fn forward(g: &Conv2dGeometry) -> Self {
        Self {
            in_h: g.in_h,
            in_w: g.in_w,
            depth: g.in_c,
            pad_top: g.pad_top,
            pad_left: g.pad_left,
            out_w: g.out_w,
            channels: g.out_c,
            together: 1,
            lanes: 1,
        }
    }

    /// Of the gradient of the input: a convolution of the output's gradient, padded by what the
    /// kernel reaches over its border.
    pub fn input_gradient(g: &Conv2dGeometry) -> Self {
        Self {
            in_h: g.out_h,
            in_w: g.out_w,
            depth: g.out_c,
            pad_top: g.kernel_h - 1 - g.pad_top,
            pad_left: g.kernel_w - 1 - g.pad_left,
            out_w: g.in_w,
            channels: g.in_c,
            together: 1,
            lanes: 1,
        }
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
        WIDTH * self.lanes
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
    fn v_pitch(&self) -> usize {
        self.depth.next_multiple_of(self.lanes)
    }

    /// Elements from one point to the next in `v`. A cache line more than needed, or with some sizes
    /// all points would compete for the same few lines of the first-level cache.
    fn v_points(&self) -> usize {
        self.together * self.v_pitch() + 16
    }

    /// Elements from one tile to the next in `m`.
    fn m_pitch(&self) -> usize {
        POINTS * self.width()
    }

    /// Elements of scratch memory that [`Rows`] needs: `v`, `m` and a pixel of zeros.
    pub fn scratch_len(&self) -> usize {
        POINTS * self.v_points() + self.together * self.m_pitch() + self.depth
    }
}

/// Where patches come from: one image.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// Rows of the input from row `top` on, at least those that the tiles touch.
    Map { rows: &'a [f32], top: usize },
    /// The gradient of a 2x2 max-pool, which is spread out patch by patch. The padding is even, so
    /// that a patch covers three by three whole windows.
    Pooled { dy: &'a [f32], winners: &'a [u8], out_h: usize, out_w: usize },
}

/// Where outputs go: the rows of one image that belong to the tiles.
pub enum Sink<'a> {
    /// Rows of the output.
    Map { y: &'a mut [f32], relu: bool },
    /// Rows of the output rectified and pooled, in windows of 2x2, `out_w` to a row.
    Pooled { y: &'a mut [f32], winners: &'a mut [u8], out_w: usize },
}

/// The work: rows of tiles, the first of which begins at row `top` of the output.
pub struct Rows<'a> {
    pub plan: &'a Plan,
    pub source: Source<'a>,
    /// The packed weights.
    pub weights: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub sink: Sink<'a>,
    pub top: usize,
    /// How many rows of tiles.
    pub rows: usize,
    /// [`Plan::scratch_len`] elements.
    pub scratch: &'a mut [f32],
}

impl Work for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { plan, source, weights, bias, mut sink, top, rows, scratch } = self;
        assert_eq!(plan.lanes, V::LANES);
        assert_eq!(weights.len(), plan.blocks() * plan.block_len());
        assert_eq!(scratch.len(), plan.scratch_len());
        let (v, rest) = scratch.split_at_mut(POINTS * plan.v_points());
        let (m, zeros) = rest.split_at_mut(plan.together * plan.m_pitch());
        zeros.fill(0.0);
        let columns = plan.columns();
        let tiles = rows * columns;
        let parts = tiles.div_ceil(plan.together);
        for part in 0..parts {
            let tiles = part * tiles / parts..(part + 1) * tiles / parts;
            for (i, tile) in tiles.clone().enumerate() {
                let (y, x) = (top + tile / columns * TILE, tile % columns * TILE);
                let to = &mut v[i * plan.v_pitch()..];
                // SAFETY: the caller promised the instructions.
                unsafe { source.transform::<V>(plan, (y, x), zeros, to) };
            }
            for (block, weights) in weights.chunks_exact(plan.block_len()).enumerate() {
                let panel = plan.depth * plan.width();
                for (point, u) in weights.chunks_exact(panel).enumerate() {
                    let v = &v[point * plan.v_points()..][..tiles.len() * plan.v_pitch()];
                    let m = &mut m[point * plan.width()..];
                    assert!(m.len() >= (tiles.len() - 1) * plan.m_pitch() + plan.width());
                    let sizes = (tiles.len(), plan.depth);
                    let (v, m) = ((v.as_ptr(), plan.v_pitch()), (m.as_mut_ptr(), plan.m_pitch()));
                    // SAFETY: `v` has a row of at least `depth` elements for each tile, `u` has
                    // `depth` rows of the block's width, `m` room for the last tile's row, as
                    // asserted; the caller promised the instructions.
                    unsafe { multiply::<V>(sizes, v, u.as_ptr(), m) };
                }
                for (tile, m) in tiles.clone().zip(m.chunks_exact(plan.m_pitch())) {
                    for j in 0..WIDTH {
                        let channel = (block * WIDTH + j) * V::LANES;
                        if channel < plan.channels {
                            // SAFETY: the caller promised the instructions.
                            unsafe {
                                let bias = bias.map_or(V::zero(), |b| V::read(&b[channel..]));
                                let tile = (tile / columns, tile % columns);
                                sink.finish(plan, tile, channel, &m[j * V::LANES..], bias);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Source<'_> {
    /// Transforms the patch of the tile whose first output is at `(y, x)` into `to`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn transform<V: Simd>(
        &self,
        plan: &Plan,
        (y, x): (usize, usize),
        zeros: &[f32],
        to: &mut [f32],
    ) {
        let (depth, pitch) = (plan.depth, plan.in_w * plan.depth);
        match *self {
            Source::Map { rows, top } => {
                let inside = y >= plan.pad_top
                    && x >= plan.pad_left
                    && y + PATCH <= plan.pad_top + plan.in_h
                    && x + PATCH <= plan.pad_left + plan.in_w;
                if inside {
                    let (y, x) = (y - plan.pad_top - top, x - plan.pad_left);
                    let from = &rows[y * pitch + x * depth..];
                    assert!(from.len() >= (PATCH - 1) * pitch + PATCH * depth);
                    // SAFETY: the caller's promise.
                    unsafe { transform_patch::<V>(plan, &Inside { from, pitch, depth }, to) };
                } else {
                    let mut pixels = [[zeros; PATCH]; PATCH];
                    for (i, row) in pixels.iter_mut().enumerate() {
                        let Some(y) = inside_row(y + i, plan.pad_top, plan.in_h) else { continue };
                        for (j, pixel) in row.iter_mut().enumerate() {
                            if let Some(x) = inside_row(x + j, plan.pad_left, plan.in_w) {
                                *pixel = &rows[(y - top) * pitch + x * depth..][..depth];
                            }
                        }
                    }
                    // SAFETY: the caller's promise.
                    unsafe { transform_patch::<V>(plan, &Border(pixels), to) };
                }
            }
            Source::Pooled { dy, winners, out_h, out_w } => {
                let mut windows = [[(zeros, &winners[..depth]); PATCH / 2]; PATCH / 2];
                for (i, row) in windows.iter_mut().enumerate() {
                    let Some(y) = inside_row(y / 2 + i, plan.pad_top / 2, out_h) else { continue };
                    for (j, window) in row.iter_mut().enumerate() {
                        if let Some(x) = inside_row(x / 2 + j, plan.pad_left / 2, out_w) {
                            let at = (y * out_w + x) * depth..(y * out_w + x + 1) * depth;
                            *window = (&dy[at.clone()], &winners[at]);
                        }
                    }
                }
                // SAFETY: the caller's promise.
                unsafe { transform_patch::<V>(plan, &Windows(windows), to) };
            }
        }
    }
}

/// Pixels a patch is wide and high.
const PATCH: usize = TILE + 2;

/// The row of the input at `at` of the padded input, if it is none of the padding's.
#[inline(always)]
fn inside_row(at: usize, pad: usize, len: usize) -> Option<usize> {
    at.checked_sub(pad).filter(|&at| at < len)
}

/// A patch of input, read column by column.
trait Patch {
    /// The vector of channels from `c` on of each pixel of column `j`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    unsafe fn column<V: Simd>(&self, j: usize, c: usize) -> [V; PATCH];
}

/// A patch that lies in the input as a whole; `from` begins with its first pixel.
struct Inside<'a> {
    from: &'a [f32],
    pitch: usize,
    depth: usize,
}

impl Patch for Inside<'_> {
    #[inline(always)]
    unsafe fn column<V: Simd>(&self, j: usize, c: usize) -> [V; PATCH] {
        // SAFETY: the caller's promise.
        let mut column = [unsafe { V::zero() }; PATCH];
        for (i, v) in column.iter_mut().enumerate() {
            let at = i * self.pitch + j * self.depth;
            // SAFETY: the caller's promise.
            *v = unsafe { V::read(&self.from[at + c..at + self.depth]) };
        }
        column
    }
}

/// A patch over the border: its pixels, some of them zeros.
struct Border<'a>([[&'a [f32]; PATCH]; PATCH]);

impl Patch for Border<'_> {
    #[inline(always)]
    unsafe fn column<V: Simd>(&self, j: usize, c: usize) -> [V; PATCH] {
        // SAFETY: the caller's promise.
        let mut column = [unsafe { V::zero() }; PATCH];
        for (v, row) in column.iter_mut().zip(&self.0) {
            // SAFETY: the caller's promise.
            *v = unsafe { V::read(&row[j][c..]) };
        }
        column
    }
}

/// A patch of three by three windows: each one's gradient, and which of its pixels it goes to.
struct Windows<'a>([[(&'a [f32], &'a [u8]); PATCH / 2]; PATCH / 2]);

impl Patch for Windows<'_> {
    #[inline(always)]
    unsafe fn column<V: Simd>(&self, j: usize, c: usize) -> [V; PATCH] {
        // SAFETY: the caller's promise.
        unsafe {
            let zero = V::zero();
            let (above, below) = (V::splat((j % 2) as f32), V::splat((2 + j % 2) as f32));
            let mut column = [zero; PATCH];
            for (i, row) in self.0.iter().enumerate() {
                let (dy, winners) = row[j / 2];
                let (dy, winner) = (V::read(&dy[c..]), V::read_bytes(&winners[c..]));
                column[2 * i] = V::select(winner.equals(above), dy, zero);
                column[2 * i + 1] = V::select(winner.equals(below), dy, zero);
            }
            column
        }
    }
}

/// Transforms a patch, along the columns and then along the rows, into `to`.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn transform_patch<V: Simd>(plan: &Plan, patch: &impl Patch, to: &mut [f32]) {
    let pitch = plan.v_points();
    assert!(to.len() >= (POINTS - 1) * pitch + plan.v_pitch());
    for c in (0..plan.depth).step_by(V::LANES) {
        // SAFETY: the caller's promise; `to` has a tile's row at every point, as asserted.
        unsafe {
            let mut half = [[V::zero(); PATCH]; PATCH];
            for j in 0..PATCH {
                let column = transform::input(patch.column::<V>(j, c));
                for i in 0..PATCH {
                    half[i][j] = column[i];
                }
            }
            let to = to.as_mut_ptr().add(c);
            for i in 0..PATCH {
                let row = transform::input(half[i]);
                for j in 0..PATCH {
                    row[j].store(to.add((i * PATCH + j) * pitch));
                }
            }
        }
    }
}

impl Sink<'_> {
    /// Transforms back the products `m` of one tile for the vector of channels from `channel` on, and
    /// writes what belongs to the output.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn finish<V: Simd>(
        &mut self,
        plan: &Plan,
        (tile_y, tile_x): (usize, usize),
        channel: usize,
        m: &[f32],
        bias: V,
    ) {
        let width = plan.width();
        assert!(m.len() >= (POINTS - 1) * width + V::LANES);
        let channels = plan.channels;
        // SAFETY: every point's products lie in `m`, as asserted; the caller's promise.
        let tile = unsafe { transform_back::<V>(m, width, bias) };
        // SAFETY: the caller's promise.
        let zero = unsafe { V::zero() };
        match self {
            Sink::Map { y, relu } => {
                let pitch = plan.out_w * channels;
                let x = tile_x * TILE * channels;
                let rows = y.chunks_exact_mut(pitch).skip(tile_y * TILE);
                for (row, outputs) in rows.zip(tile) {
                    for (pixel, v) in row[x..].chunks_exact_mut(channels).zip(outputs) {
                        let v = if *relu { V::select(v.at_most(zero), zero, v) } else { v };
                        v.write(&mut pixel[channel..]);
                    }
                }
            }
            Sink::Pooled { y, winners, out_w } => {
                for i in 0..TILE / 2 {
                    for j in 0..TILE / 2 {
                        let (oy, ox) = (tile_y * TILE / 2 + i, tile_x * TILE / 2 + j);
                        let at = (oy * *out_w + ox) * channels;
                        if ox >= *out_w || at >= y.len() {
                            continue;
                        }
                        let (above, below) = (tile[2 * i], tile[2 * i + 1]);
                        let window =
                            [above[2 * j], above[2 * j + 1], below[2 * j], below[2 * j + 1]];
                        // SAFETY: the caller's promise.
                        let (best, winner) = unsafe { relu_max(window) };
                        let at = at + channel..at + channels;
                        best.write(&mut y[at.clone()]);
                        winner.write_bytes(&mut winners[at]);
                    }
                }
            }
        }
    }
}

/// The tile of outputs from its products at every point, which are `width` apart in `m`.
///
/// # Safety
/// The products lie in `m`, and the processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn transform_back<V: Simd>(m: &[f32], width: usize, bias: V) -> [[V; TILE]; TILE] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut half = [[V::zero(); PATCH]; TILE];
        for j in 0..PATCH {
            let mut column = [V::zero(); PATCH];
            for i in 0..PATCH {
                column[i] = V::load(m.as_ptr().add((i * PATCH + j) * width));
            }
            let column = transform::output(column);
            for i in 0..TILE {
                half[i][j] = column[i];
            }
        }
        let mut tile = [[V::zero(); TILE]; TILE];
        for i in 0..TILE {
            let row = transform::output(half[i]);
            for j in 0..TILE {
                tile[i][j] = row[j].add(bias);
            }
        }
        tile
    }
}

/// The rectified maximum of a window, and which of its elements it is.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn relu_max<V: Simd>(window: [V; 4]) -> (V, V) {
    // SAFETY: the caller's promise.
    unsafe {
        let zero = V::zero();
        let (mut best, mut winner) = (window[0], zero);
        for place in 1..4 {
            let beats = window[place].beats(best);
            best = V::select(beats, window[place], best);
            winner = V::select(beats, V::splat(place as f32), winner);
        }
        let off = best.at_most(zero);
        (V::select(off, zero, best), V::select(off, V::splat(f32::from(NO_WINNER)), winner))
    }
}

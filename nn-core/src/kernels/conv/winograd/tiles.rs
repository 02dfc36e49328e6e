//! The Winograd convolution of some rows of tiles, from the input to the finished outputs, within the
//! L2 cache.
//!
//! The tiles are processed a few dozen at a time. Their 6x6 input patches are transformed to `v`,
//! `[point][tile][input channel]`. Then, for each block of output channels, each point's matrix product
//! writes `m`, `[tile][point][channel of the block]`. Every tile of `m` is transformed back, and bias,
//! ReLU and max-pooling are applied before it is stored.

use super::multiply::{NR, Products};
use super::patch::Source;
use super::plan::Plan;
use super::{PATCH, POINTS, TILE, transform};
use crate::kernels::conv::epilogue::Epilogue;
use crate::kernels::simd::{Simd, SimdFn};

/// A task: rows of tiles, of which the first starts at row `top` of the output.
pub struct Rows<'a> {
    pub plan: &'a Plan,
    pub source: Source<'a>,
    /// The packed weights.
    pub weights: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub epilogue: Epilogue<'a>,
    pub top: usize,
    /// Number of rows of tiles.
    pub rows: usize,
    /// [`Plan::scratch_len`] elements.
    pub scratch: &'a mut [f32],
}

impl SimdFn for Rows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { plan, source, weights, bias, mut epilogue, top, rows, scratch } = self;
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
                    let products = Products {
                        tiles: tiles.len(),
                        v: &v[point * plan.v_points()..],
                        v_pitch: plan.v_pitch(),
                        u,
                        m: &mut m[point * plan.width()..],
                        m_pitch: plan.m_pitch(),
                    };
                    // SAFETY: the caller promised the instructions.
                    unsafe { V::outlined(products) };
                }
                for (tile, m) in tiles.clone().zip(m.chunks_exact(plan.m_pitch())) {
                    for j in 0..NR {
                        let channel = (block * NR + j) * V::LANES;
                        if channel >= plan.channels {
                            continue;
                        }
                        // SAFETY: the caller promised the instructions.
                        let outputs = unsafe {
                            let bias = bias.map_or(V::zero(), |b| V::read(&b[channel..]));
                            transform_back(&m[j * V::LANES..], plan.width(), bias)
                        };
                        let (y, x) = (tile / columns * TILE / 2, tile % columns * TILE / 2);
                        let channels = (channel, plan.channels);
                        // One window after the other, so that the outputs stay in registers.
                        epilogue.write((y, x), channels, window::<V, 0, 0>(&outputs));
                        epilogue.write((y, x + 1), channels, window::<V, 0, 1>(&outputs));
                        epilogue.write((y + 1, x), channels, window::<V, 1, 0>(&outputs));
                        epilogue.write((y + 1, x + 1), channels, window::<V, 1, 1>(&outputs));
                    }
                }
            }
        }
    }
}

/// A tile of outputs from its products, which are in `m` with a stride of `width` between points.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn transform_back<V: Simd>(m: &[f32], width: usize, bias: V) -> [[V; TILE]; TILE] {
    assert!(m.len() >= (POINTS - 1) * width + V::LANES);
    // SAFETY: every point's products lie in `m`, as asserted; the caller's promise.
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

/// One of a tile's windows of 2x2 outputs.
#[inline(always)]
fn window<V: Simd, const Y: usize, const X: usize>(tile: &[[V; TILE]; TILE]) -> [V; 4] {
    let (above, below) = (&tile[2 * Y], &tile[2 * Y + 1]);
    [above[2 * X], above[2 * X + 1], below[2 * X], below[2 * X + 1]]
}

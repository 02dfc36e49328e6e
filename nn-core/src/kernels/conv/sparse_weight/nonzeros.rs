//! The nonzero gradients of a tile, listed by channel.
//!
//! The pooled map's gradient is stored window by window but needed channel by channel. So it is
//! transposed, a group of channels at a time in arrays that stay in the L1 cache, and zeros are
//! dropped.

// Loops over an index: iterators over several arrays compile to calls that are not inlined here.
#![allow(clippy::needless_range_loop)]

use super::{WINDOWS, side, tile::Tile};
use crate::kernels::pool::NO_ARGMAX;
use crate::kernels::simd::Simd;
use crate::tensor::{BufferPool, Scratch};
use bytemuck::{Pod, Zeroable};

/// Channels transposed together: one cache line of gradients.
const GROUP: usize = 16;

/// Windows of a tile.
const TILE: usize = WINDOWS * WINDOWS;

/// The offset that marks a zero gradient.
const NOWHERE: u32 = u32::MAX;

/// A nonzero gradient, and the offset of its input patch.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Nonzero {
    /// The gradient.
    pub gradient: f32,
    /// The index of the patch's first element in the tile's input. The whole patch is inside the tile.
    pub place: u32,
}

// SAFETY: two fields of four bytes, one after the other, both zero where all bits are.
unsafe impl Zeroable for Nonzero {}
// SAFETY: any bits are numbers of these types, and `repr(C)` leaves no gap between them.
unsafe impl Pod for Nonzero {}

/// The nonzeros of a tile, by channel.
pub struct Nonzeros {
    /// The number of nonzeros of each channel.
    counts: Scratch<u32>,
    /// For each channel, a list with the capacity of a whole tile.
    lists: Scratch<Nonzero>,
}

impl Nonzeros {
    /// Empty lists for `channels` channels.
    pub fn new(channels: usize, scratch: &BufferPool<f32>) -> Self {
        let mut counts = scratch.scratch_of(channels);
        counts.fill(0);
        Self { counts, lists: scratch.scratch_of(channels * TILE) }
    }

    /// The nonzeros of a channel, in the order of their windows.
    #[inline(always)]
    pub fn of(&self, channel: usize) -> impl Iterator<Item = Nonzero> {
        let list = &self.lists[channel * TILE..][..TILE];
        list[..self.counts[channel] as usize].iter().copied()
    }

    /// Lists the nonzeros of `tile` among the pooled gradients `dy`, and adds the tile's gradients to
    /// `db`.
    #[inline(always)]
    pub fn list<V: Simd, const K: usize>(
        &mut self,
        tile: &Tile,
        dy: &[f32],
        argmax: &[u8],
        db: &mut [f32],
    ) {
        let channels = db.len();
        add_to_bias(tile, dy, argmax, db);
        let (mut gradients, mut patches) = ([[0.0; GROUP]; TILE], [[NOWHERE; GROUP]; TILE]);
        for first in (0..channels).step_by(GROUP) {
            let many = GROUP.min(channels - first);
            for row in 0..tile.rows {
                for column in 0..tile.columns {
                    let window = tile.window + row * tile.windows_pitch + column;
                    let from = window * channels + first;
                    let dy = group(dy, from, many, 0.0);
                    let argmax = group(argmax, from, many, NO_ARGMAX);
                    let to = row * tile.columns + column;
                    gradients[to] = dy;
                    let base = 2 * (row * side::<K>() + column) * V::LANES;
                    patches[to] = places::<V, K>(base, &dy, &argmax);
                }
            }
            let windows = tile.rows * tile.columns;
            let lists = &mut self.lists[first * TILE..][..many * TILE];
            let counts = &mut self.counts[first..][..many];
            for lane in 0..many {
                let list = &mut lists[lane * TILE..][..TILE];
                let mut kept = 0;
                for window in 0..windows {
                    // Always written; a zero is overwritten by the next entry.
                    let place = patches[window][lane];
                    list[kept % TILE] = Nonzero { gradient: gradients[window][lane], place };
                    kept += usize::from(place != NOWHERE);
                }
                counts[lane] = kept as u32;
            }
        }
    }
}

/// The offsets of the input patches of one window's gradients, relative to the tile's input; `base` is
/// the offset of the window's top left pixel. Zero gradients get [`NOWHERE`].
#[inline(always)]
fn places<V: Simd, const K: usize>(
    base: usize,
    dy: &[f32; GROUP],
    argmax: &[u8; GROUP],
) -> [u32; GROUP] {
    let mut places = [NOWHERE; GROUP];
    for lane in 0..GROUP {
        let index = u32::from(argmax[lane]);
        let (down, right) = (index >> 1 & 1, index & 1);
        let place = base as u32 + (down * side::<K>() as u32 + right) * V::LANES as u32;
        let zero = (dy[lane] == 0.0) | (argmax[lane] == NO_ARGMAX);
        places[lane] = if zero { NOWHERE } else { place };
    }
    places
}

/// The group of channels that starts at `values[from]`; if there are fewer than [`GROUP`], the rest is
/// `filler`.
#[inline(always)]
fn group<T: Copy>(values: &[T], from: usize, channels: usize, filler: T) -> [T; GROUP] {
    let values = &values[from..from + channels];
    match values.first_chunk() {
        Some(group) => *group,
        None => {
            let mut group = [filler; GROUP];
            group[..channels].copy_from_slice(values);
            group
        }
    }
}

/// Adds the gradients of `tile` that pass the ReLU to `db`. Reading whole windows in order also brings
/// into cache what is then read group by group.
#[inline(always)]
fn add_to_bias(tile: &Tile, dy: &[f32], argmax: &[u8], db: &mut [f32]) {
    let channels = db.len();
    for row in 0..tile.rows {
        for column in 0..tile.columns {
            let from = (tile.window + row * tile.windows_pitch + column) * channels;
            let dy = &dy[from..from + channels];
            let argmax = &argmax[from..from + channels];
            for channel in 0..channels {
                // A bit mask instead of a branch, which would prevent vectorisation.
                let kept = u32::from(argmax[channel] == NO_ARGMAX).wrapping_sub(1);
                db[channel] += f32::from_bits(dy[channel].to_bits() & kept);
            }
        }
    }
}

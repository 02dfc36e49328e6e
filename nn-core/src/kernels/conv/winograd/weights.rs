//! Weights, transformed and packed in the order the products read them.
//!
//! `[block of output channels][point][input channel][channel of the block]`; a block is as wide as a
//! register tile, and zeros fill the last one.

use super::multiply::WIDTH;
use super::{POINTS, transform::weight};
use crate::kernels::geometry::Conv2dGeometry;
use crate::kernels::isa::Isa;
use crate::kernels::simd::{self, Simd, Work};
use rayon::prelude::*;

/// How the weights of a convolution are read.
#[derive(Clone, Copy)]
pub enum Order {
    /// As they are.
    Forward,
    /// Inputs and outputs exchanged and the kernel turned by half a turn, for the gradient of the
    /// input.
    Turned,
}

/// Transforms `w`, `[out, in, 3, 3]`, into `packed`, cut into blocks of `block_len`.
pub fn pack(
    isa: Isa,
    g: &Conv2dGeometry,
    w: &[f32],
    order: Order,
    block_len: usize,
    packed: &mut [f32],
) {
    let (inputs, outputs) = match order {
        Order::Forward => {
            (Side { channels: g.in_c, pitch: 9 }, Side { channels: g.out_c, pitch: 9 * g.in_c })
        }
        Order::Turned => {
            (Side { channels: g.out_c, pitch: 9 * g.in_c }, Side { channels: g.in_c, pitch: 9 })
        }
    };
    packed.par_chunks_exact_mut(block_len).enumerate().for_each(|(block, packed)| {
        simd::run(isa, Pack { w, order, inputs, outputs, block, packed });
    });
}

/// A side of a weight: its channels, and how far apart their taps lie.
#[derive(Clone, Copy)]
struct Side {
    channels: usize,
    pitch: usize,
}

/// One block.
struct Pack<'a> {
    w: &'a [f32],
    order: Order,
    inputs: Side,
    outputs: Side,
    block: usize,
    packed: &'a mut [f32],
}

impl Work for Pack<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let width = WIDTH * V::LANES;
        let depth = self.inputs.channels;
        for input in 0..depth {
            for j in 0..WIDTH {
                // Lane by lane, because the taps of neighbouring outputs are far apart.
                let first = self.block * width + j * V::LANES;
                let lanes = V::LANES.min(self.outputs.channels.saturating_sub(first));
                let mut taps = [[0.0; 16]; 9];
                for lane in 0..lanes {
                    let from = (first + lane) * self.outputs.pitch + input * self.inputs.pitch;
                    for (at, &tap) in self.w[from..from + 9].iter().enumerate() {
                        let at = if let Order::Turned = self.order { 8 - at } else { at };
                        taps[at][lane] = tap;
                    }
                }
                // SAFETY: the caller promised the instructions.
                let points = unsafe { transform::<V>(&taps) };
                for point in 0..POINTS {
                    let to = (point * depth + input) * width + j * V::LANES;
                    points[point / 6][point % 6].write(&mut self.packed[to..to + V::LANES]);
                }
            }
        }
    }
}

/// The values at every point, row by row, of the kernels whose taps stand side by side in `taps`.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn transform<V: Simd>(taps: &[[f32; 16]; 9]) -> [[V; 6]; 6] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut half = [[V::zero(); 3]; 6];
        for i in 0..3 {
            let row = weight([
                V::read(&taps[3 * i]),
                V::read(&taps[3 * i + 1]),
                V::read(&taps[3 * i + 2]),
            ]);
            for j in 0..6 {
                half[j][i] = row[j];
            }
        }
        let mut points = [[V::zero(); 6]; 6];
        for j in 0..6 {
            let column = weight(half[j]);
            for i in 0..6 {
                points[i][j] = column[i];
            }
        }
        points
    }
}

//! Weights, transformed and packed in the order the products read them.
//!
//! `[block of output channels][point][input channel][channel of the block]`; a block is as wide as a
//! register tile, and zeros fill the last one.

use super::multiply::NR;
use super::{POINTS, transform::weight};
use crate::kernels::geometry::Conv2dGeometry;
use crate::kernels::isa::Isa;
use crate::kernels::parallel::prelude::*;
use crate::kernels::simd::{self, MAX_LANES, Simd, SimdFn};
use crate::tensor::{BufferPool, Tensor};

/// Input channels that are transformed before their points are moved to where they belong.
const TOGETHER: usize = 4;

/// How the weights of a convolution are read.
#[derive(Clone, Copy)]
pub enum Order {
    /// As they are.
    Forward,
    /// Inputs and outputs exchanged and the kernel turned by half a turn, for the gradient of the
    /// input.
    Rotated180,
}

/// Transforms `w`, `[out, in, 3, 3]`, for the vectors of `isa`.
pub fn pack(
    isa: Isa,
    g: &Conv2dGeometry,
    w: &[f32],
    order: Order,
    scratch: &BufferPool<f32>,
) -> Tensor<f32> {
    let (inputs, outputs) = match order {
        Order::Forward => {
            (Side { channels: g.in_c, pitch: 9 }, Side { channels: g.out_c, pitch: 9 * g.in_c })
        }
        Order::Rotated180 => {
            (Side { channels: g.out_c, pitch: 9 * g.in_c }, Side { channels: g.in_c, pitch: 9 })
        }
    };
    let width = NR * simd::lanes(isa);
    let block_len = POINTS * inputs.channels * width;
    let mut packed = Tensor::uninit([outputs.channels.div_ceil(width), block_len], scratch);
    packed.as_mut_slice().par_chunks_exact_mut(block_len).enumerate().for_each(
        |(block, packed)| simd::run(isa, Pack { w, order, inputs, outputs, block, packed }),
    );
    packed
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

impl SimdFn for Pack<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let width = NR * V::LANES;
        let depth = self.inputs.channels;
        // The same input at another point may lie a power of two further on, where few cache lines can
        // be held at once: so some inputs are transformed here, and then copied as one piece.
        let mut near = [[0.0; TOGETHER * NR * MAX_LANES]; POINTS];
        for first in (0..depth).step_by(TOGETHER) {
            let inputs = first..(first + TOGETHER).min(depth);
            for input in inputs.clone() {
                for j in 0..NR {
                    // SAFETY: the caller promised the instructions.
                    let points = unsafe { transform::<V>(&self.taps(input, j, V::LANES)) };
                    for point in 0..POINTS {
                        let to = (input - first) * width + j * V::LANES;
                        points[point / 6][point % 6].write(&mut near[point][to..to + V::LANES]);
                    }
                }
            }
            let len = inputs.len() * width;
            for (near, packed) in near.iter().zip(self.packed.chunks_exact_mut(depth * width)) {
                packed[first * width..][..len].copy_from_slice(&near[..len]);
            }
        }
    }
}

impl Pack<'_> {
    /// The nine taps between `input` and the outputs of the block's vector `j`, side by side.
    #[inline(always)]
    fn taps(&self, input: usize, j: usize, lanes: usize) -> [[f32; MAX_LANES]; 9] {
        let mut taps = [[0.0; MAX_LANES]; 9];
        let first = (self.block * NR + j) * lanes;
        for lane in 0..lanes.min(self.outputs.channels.saturating_sub(first)) {
            let from = (first + lane) * self.outputs.pitch + input * self.inputs.pitch;
            for (at, &tap) in self.w[from..from + 9].iter().enumerate() {
                let at = if let Order::Rotated180 = self.order { 8 - at } else { at };
                taps[at][lane] = tap;
            }
        }
        taps
    }
}

/// The values at every point, row by row, of the kernels whose taps stand side by side in `taps`.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn transform<V: Simd>(taps: &[[f32; MAX_LANES]; 9]) -> [[V; 6]; 6] {
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

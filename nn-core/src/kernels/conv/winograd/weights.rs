//! Weights, transformed and packed in the order in which the matrix products read them:
//! `[block of output channels][point][input channel][channel of the block]`. A block has the width of a
//! register tile, and the last one is zero-padded.

use super::multiply::NR;
use super::{POINTS, transform::weight};
use crate::kernels::geometry::Conv2dGeometry;
use crate::kernels::isa::Isa;
use crate::kernels::parallel::prelude::*;
use crate::kernels::simd::{self, MAX_LANES, Simd, SimdFn};
use crate::tensor::{BufferPool, Tensor};

/// Input channels that are transformed into a local buffer and then copied together.
const TOGETHER: usize = 4;

/// The orientation of a convolution's weights.
#[derive(Clone, Copy)]
pub enum Order {
    /// Unchanged.
    Forward,
    /// Input and output channels exchanged and the kernel rotated by 180 degrees, for the gradient of
    /// the input.
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

/// The input or output dimension of a weight: its channels, and the stride between them.
#[derive(Clone, Copy)]
struct Side {
    channels: usize,
    pitch: usize,
}

/// Packs one block.
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
        // The stride between points can be a power of two, so that they map to the same few cache
        // lines. So some inputs are transformed into a local buffer, which is then copied contiguously.
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
    /// The nine taps from `input` to the outputs of the block's vector `j`, one vector per tap.
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

/// Transforms kernels, whose taps are in the lanes of `taps`, to their values at every point, row by
/// row.
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

//! Direct convolution with one input channel per group (depthwise), as MobileNet is made of: all passes.
//!
//! Each output sums only as many products as the kernel has elements, so there is nothing to gain from
//! gathering a matrix. With the channels-last layout, channels are the vectors (`loops.rs`). What a
//! kernel connects is computed once (`reach.rs`), so that strides and dilation cost the inner loops nothing,
//! and borders next to nothing.
//!
//! With several output channels per input channel (a multiplier), the input is first spread to as many
//! channels as the output has, and its gradient summed up again.
//!
//! Sifre: Rigid-Motion Scattering for Image Classification, 2014; Howard et al.: MobileNets: Efficient
//! Convolutional Neural Networks for Mobile Vision Applications, arXiv:1704.04861.

mod loops;
mod reach;

use super::{
    ByRows, Conv2dForward, Conv2dInputGradient, Conv2dKernel, Conv2dWeightGradient, Output,
    OutputGradient, apply,
};
use crate::kernels::bounds::Bounds;
use crate::kernels::functions::Function;
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::{Isa, PerIsa};
use crate::kernels::parallel::prelude::*;
use crate::kernels::{parallel, simd};
use crate::tensor::{Buffer, BufferPool, Tensor};
use loops::{Connected, Gradients, place_of};
use reach::Axis;
use std::ops::{Deref, Range};

/// Approximate number of elements of a task's rows: half of a usual L2 cache's share of a core.
const BAND: usize = 1 << 15;

/// Approximate minimum number of tasks, if there are as many rows: it keeps a few threads evenly loaded.
const MIN_TASKS: usize = 8;

/// Number of partial sums of the weights' gradient: enough for the threads of a large machine.
const WEIGHT_PARTS: usize = 16;

/// Depthwise convolution with the vectors of one instruction set.
pub struct Depthwise {
    /// The instruction set.
    pub isa: Isa,
}

impl Conv2dKernel for Depthwise {
    fn name(&self) -> &'static str {
        self.isa.pick(PerIsa {
            portable: "depthwise-portable",
            avx2: "depthwise-avx2",
            avx512: "depthwise-avx512",
            neon: "depthwise-neon",
        })
    }

    fn isa(&self) -> Isa {
        self.isa
    }

    fn supports(&self, g: &Conv2dGeometry, pool: Option<&Pool2dGeometry>) -> bool {
        // Pixels shorter than a vector are for shorter vectors.
        let fills_vectors = g.out_c >= simd::lanes(self.isa) || self.isa == Isa::Portable;
        g.groups > 1 && g.groups == g.in_c && fills_vectors && pool.is_none()
    }
}

impl Conv2dForward<f32> for Depthwise {
    fn pack(
        &self,
        g: &Conv2dGeometry,
        w: &[f32],
        scratch: &BufferPool<f32>,
    ) -> Option<Tensor<f32>> {
        let mut packed = Tensor::uninit([g.taps(), g.out_c], scratch);
        transpose(w, g.taps(), packed.as_mut_slice());
        Some(packed)
    }

    fn forward_packed(
        &self,
        g: &Conv2dGeometry,
        x: &[f32],
        packed: &[f32],
        b: Option<&[f32]>,
        out: Output<'_, f32>,
        scratch: &BufferPool<f32>,
    ) {
        let Output::Dense { y, bounds, function } = out else {
            unreachable!("`supports` refuses pooling");
        };
        let compute = self.rows(g, packed, b, (bounds, function));
        let pitch = g.out_w * g.out_c;
        let band = even_band(pitch, g.batch * g.out_h);
        parallel::for_each_tile(y, g.output_len(), band * pitch, |n, i, y| {
            let rows = i * band..i * band + y.len() / pitch;
            let x = g.input_rows(&x[n * g.input_len()..], &g.rows_seen(&rows));
            compute(rows, x, y, scratch);
        });
    }

    fn by_rows<'a>(
        &self,
        g: &Conv2dGeometry,
        packed: &'a [f32],
        b: Option<&'a [f32]>,
        then: (Bounds<f32>, Option<Function>),
    ) -> Option<Box<ByRows<'a, f32>>> {
        Some(Box::new(self.rows(g, packed, b, then)))
    }
}

impl Depthwise {
    /// See [`Conv2dForward::by_rows`].
    fn rows<'a>(
        &self,
        g: &Conv2dGeometry,
        weights: &'a [f32],
        bias: Option<&'a [f32]>,
        (bounds, function): (Bounds<f32>, Option<Function>),
    ) -> impl Fn(Range<usize>, &[f32], &mut [f32], &BufferPool<f32>) + Sync + 'a {
        let (isa, g) = (self.isa, *g);
        let [rows, columns] = Axis::of(&g).map(|axis| axis.inputs());
        move |targets, x, target, scratch| {
            simd::run(
                isa,
                Connected {
                    source: &spread(&g, x, scratch),
                    top: g.rows_seen(&targets).start,
                    source_w: g.in_w,
                    weights,
                    kernel_w: g.kernel_w,
                    channels: g.out_c,
                    bias,
                    bounds,
                    rows: &rows,
                    columns: &columns,
                    first: targets.start,
                    target_w: g.out_w,
                    target: &mut *target,
                },
            );
            apply(function, target);
        }
    }
}

impl Conv2dInputGradient<f32> for Depthwise {
    fn backward_input(
        &self,
        g: &Conv2dGeometry,
        dy: OutputGradient<'_, f32>,
        w: &[f32],
        dx: &mut [f32],
        scratch: &BufferPool<f32>,
    ) {
        let mut weights = scratch.scratch(g.weight_len());
        transpose(w, g.taps(), &mut weights);
        let [rows, columns] = Axis::of(g).map(|axis| axis.outputs());
        let pitch = g.in_w * g.in_c;
        let band = even_band(g.in_w * g.out_c, g.batch * g.in_h);
        parallel::for_each_tile(dx, g.input_len(), band * pitch, |n, i, dx| {
            let first = i * band;
            let seen = rows.span(first..first + dx.len() / pitch);
            let source = dy.rows(g, n, &seen, scratch);
            let run = |target: &mut [f32]| {
                simd::run(
                    self.isa,
                    Connected {
                        source: &source,
                        top: seen.start,
                        source_w: g.out_w,
                        weights: &weights,
                        kernel_w: g.kernel_w,
                        channels: g.out_c,
                        bias: None,
                        bounds: Bounds::none(),
                        rows: &rows,
                        columns: &columns,
                        first,
                        target_w: g.in_w,
                        target,
                    },
                );
            };
            let multiplier = g.group_out();
            if multiplier == 1 {
                return run(dx);
            }
            let mut spread = scratch.scratch(dx.len() * multiplier);
            run(&mut spread);
            for (dx, spread) in dx.iter_mut().zip(spread.chunks_exact(multiplier)) {
                *dx = spread.iter().sum();
            }
        });
    }
}

impl Conv2dWeightGradient<f32> for Depthwise {
    fn backward_weight(
        &self,
        g: &Conv2dGeometry,
        x: &[f32],
        dy: OutputGradient<'_, f32>,
        dw: &mut [f32],
        db: &mut [f32],
        scratch: &BufferPool<f32>,
    ) {
        let channels = g.out_c;
        let lanes = simd::lanes(self.isa);
        let padded = channels.next_multiple_of(lanes);
        let [rows, columns] = Axis::of(g).map(|axis| axis.inputs());
        // Blocks of rows, the same number in every image; each part takes consecutive blocks.
        let block = band(g.out_w * channels).min(g.out_h.max(1));
        let blocks = g.out_h.div_ceil(block);
        let all = g.batch * blocks;
        let parts = WEIGHT_PARTS.min(all).max(1);
        // A partial sum: the weight's gradient as [tap, place of the channel], then the bias's.
        let part_len = (g.taps() + 1) * padded;
        let mut sums = scratch.scratch(parts * part_len);
        sums.par_chunks_exact_mut(part_len).enumerate().for_each(|(part, sum)| {
            sum.fill(0.0);
            let (dw, db) = sum.split_at_mut(g.taps() * padded);
            for index in part * all / parts..(part + 1) * all / parts {
                let (image, top) = (index / blocks, index % blocks * block);
                let targets = top..(top + block).min(g.out_h);
                let dy = dy.rows(g, image, &targets, scratch);
                let seen = rows.span(targets.clone());
                let rows_of_x = seen.start * g.in_w * g.in_c..seen.end * g.in_w * g.in_c;
                let x = spread(g, &x[image * g.input_len()..][rows_of_x], scratch);
                simd::run(
                    self.isa,
                    Gradients {
                        dy: &dy,
                        targets,
                        y_w: g.out_w,
                        x: &x,
                        top: seen.start,
                        x_w: g.in_w,
                        kernel_w: g.kernel_w,
                        channels,
                        rows: &rows,
                        columns: &columns,
                        dw,
                        db,
                    },
                );
            }
        });
        let total = parallel::sum_parts(&mut sums, part_len);
        let (weights, bias) = total.split_at(g.taps() * padded);
        for channel in 0..channels {
            let place = place_of(channel, channels, lanes);
            db[channel] = bias[place];
            for tap in 0..g.taps() {
                dw[channel * g.taps() + tap] = weights[tap * padded + place];
            }
        }
    }
}

/// Rows of a task, for rows of this many elements.
fn band(pitch: usize) -> usize {
    (BAND / pitch.max(1)).max(1)
}

/// The same, but fewer where all tasks have only `rows` rows together. Where each row is computed by itself, this
/// changes no bit.
fn even_band(pitch: usize, rows: usize) -> usize {
    band(pitch).min(rows.div_ceil(MIN_TASKS)).max(1)
}

/// A matrix of rows of `columns` elements, transposed.
fn transpose(matrix: &[f32], columns: usize, to: &mut [f32]) {
    let rows = matrix.len() / columns;
    parallel::for_each_chunk(to, rows, |column, to| {
        for (row, to) in to.iter_mut().enumerate() {
            *to = matrix[row * columns + column];
        }
    });
}

/// Pixels of the input, with each channel as often as it has output channels.
enum Spread<'a> {
    /// Once, so the input itself.
    Stored(&'a [f32]),
    /// Several times.
    Copied(Buffer<f32>),
}

fn spread<'a>(g: &Conv2dGeometry, x: &'a [f32], scratch: &BufferPool<f32>) -> Spread<'a> {
    let multiplier = g.group_out();
    if multiplier == 1 {
        return Spread::Stored(x);
    }
    let mut copied = scratch.scratch(x.len() * multiplier);
    for (to, &v) in copied.chunks_exact_mut(multiplier).zip(x) {
        to.fill(v);
    }
    Spread::Copied(copied)
}

impl Deref for Spread<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Stored(pixels) => pixels,
            Self::Copied(pixels) => pixels,
        }
    }
}

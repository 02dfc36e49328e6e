//! Direct convolution with one input channel per group (depthwise), as MobileNet is made of: all passes.
//!
//! Each output sums only as many products as the kernel has elements, so there is nothing to gain from
//! gathering a matrix. With the channels-last layout, channels are the vectors (`loops.rs`). What a
//! kernel connects is computed once (`reach.rs`), so that strides, dilation and borders cost the inner
//! loops nothing.
//!
//! With several output channels per input channel (a multiplier), the input is first spread to as many
//! channels as the output has, and its gradient summed up again.
//!
//! Sifre: Rigid-Motion Scattering for Image Classification, 2014; Howard et al.: MobileNets: Efficient
//! Convolutional Neural Networks for Mobile Vision Applications, arXiv:1704.04861.

mod loops;
mod reach;

use super::{
    Conv2dForward, Conv2dInputGradient, Conv2dKernel, Conv2dWeightGradient, Output, OutputGradient,
};
use crate::kernels::Kernels;
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::Isa;
use crate::kernels::multiversion::multiversion;
use crate::kernels::parallel;
use crate::kernels::parallel::prelude::*;
use crate::tensor::{Buffer, BufferPool, Tensor};
use loops::{Connected, Products};
use reach::Axis;
use std::ops::Deref;

/// Approximate number of elements of a task's rows: half of a usual L2 cache's share of a core.
const BAND: usize = 1 << 15;

/// Number of partial sums of the weights' gradient: enough for the threads of a large machine.
const WEIGHT_PARTS: usize = 16;

/// The kernel for depthwise convolutions. Its loops are compiled for every instruction set, and give the
/// same bits on each.
pub struct Depthwise;

impl Conv2dKernel for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn isa(&self) -> Isa {
        Isa::Portable
    }

    fn supports(&self, g: &Conv2dGeometry, pool: Option<&Pool2dGeometry>) -> bool {
        g.groups > 1 && g.groups == g.in_c && pool.is_none()
    }
}

impl<T: Kernels> Conv2dForward<T> for Depthwise {
    fn pack(&self, g: &Conv2dGeometry, w: &[T], scratch: &BufferPool<T>) -> Option<Tensor<T>> {
        let mut packed = Tensor::uninit([g.taps(), g.out_c], scratch);
        transpose(w, g.taps(), packed.as_mut_slice());
        Some(packed)
    }

    fn forward_packed(
        &self,
        g: &Conv2dGeometry,
        x: &[T],
        packed: &[T],
        b: Option<&[T]>,
        out: Output<'_, T>,
        scratch: &BufferPool<T>,
    ) {
        let Output::Dense { y, relu } = out else {
            unreachable!("`supports` refuses pooling");
        };
        let [rows, columns] = Axis::of(g).map(|axis| axis.inputs());
        let pitch = g.out_w * g.out_c;
        let band = band(pitch);
        parallel::for_each_tile(y, g.output_len(), band * pitch, |n, i, y| {
            let first = i * band;
            let seen = rows.span(first..first + y.len() / pitch);
            let x =
                &x[n * g.input_len()..][seen.start * g.in_w * g.in_c..seen.end * g.in_w * g.in_c];
            multiversion(Connected {
                source: &spread(g, x, scratch),
                top: seen.start,
                source_w: g.in_w,
                weights: packed,
                kernel_w: g.kernel_w,
                channels: g.out_c,
                bias: b,
                relu,
                rows: &rows,
                columns: &columns,
                first,
                target_w: g.out_w,
                target: y,
            });
        });
    }
}

impl<T: Kernels> Conv2dInputGradient<T> for Depthwise {
    fn backward_input(
        &self,
        g: &Conv2dGeometry,
        dy: OutputGradient<'_, T>,
        w: &[T],
        dx: &mut [T],
        scratch: &BufferPool<T>,
    ) {
        let mut weights = scratch.scratch(g.weight_len());
        transpose(w, g.taps(), &mut weights);
        let [rows, columns] = Axis::of(g).map(|axis| axis.outputs());
        let pitch = g.in_w * g.in_c;
        let band = band(g.in_w * g.out_c);
        parallel::for_each_tile(dx, g.input_len(), band * pitch, |n, i, dx| {
            let first = i * band;
            let seen = rows.span(first..first + dx.len() / pitch);
            let source = dy.rows(g, n, &seen, scratch);
            let run = |target: &mut [T]| {
                multiversion(Connected {
                    source: &source,
                    top: seen.start,
                    source_w: g.out_w,
                    weights: &weights,
                    kernel_w: g.kernel_w,
                    channels: g.out_c,
                    bias: None,
                    relu: false,
                    rows: &rows,
                    columns: &columns,
                    first,
                    target_w: g.in_w,
                    target,
                });
            };
            let multiplier = g.group_out();
            if multiplier == 1 {
                return run(dx);
            }
            let mut spread = scratch.scratch(dx.len() * multiplier);
            run(&mut spread);
            for (dx, spread) in dx.iter_mut().zip(spread.chunks_exact(multiplier)) {
                *dx = spread.iter().fold(T::zero(), |sum, &v| sum + v);
            }
        });
    }
}

impl<T: Kernels> Conv2dWeightGradient<T> for Depthwise {
    fn backward_weight(
        &self,
        g: &Conv2dGeometry,
        x: &[T],
        dy: OutputGradient<'_, T>,
        dw: &mut [T],
        db: &mut [T],
        scratch: &BufferPool<T>,
    ) {
        let channels = g.out_c;
        let [rows, columns] = Axis::of(g);
        let inputs = rows.inputs();
        let inside: Vec<_> = (0..g.kernel_w).map(|kx| columns.outputs_inside(kx)).collect();
        // Blocks of rows, the same number in every image; each part takes consecutive blocks.
        let block = band(g.out_w * channels).min(g.out_h.max(1));
        let blocks = g.out_h.div_ceil(block);
        let all = g.batch * blocks;
        let parts = WEIGHT_PARTS.min(all).max(1);
        // A partial sum: the weight's gradient as [tap, channel], then the bias's.
        let part_len = (g.taps() + 1) * channels;
        let mut sums = scratch.scratch(parts * part_len);
        sums.par_chunks_exact_mut(part_len).enumerate().for_each(|(part, sum)| {
            sum.fill(T::zero());
            let (dw, db) = sum.split_at_mut(g.taps() * channels);
            for index in part * all / parts..(part + 1) * all / parts {
                let (image, top) = (index / blocks, index % blocks * block);
                let targets = top..(top + block).min(g.out_h);
                let dy = dy.rows(g, image, &targets, scratch);
                let seen = inputs.span(targets.clone());
                let rows_of_x = seen.start * g.in_w * g.in_c..seen.end * g.in_w * g.in_c;
                let x = spread(g, &x[image * g.input_len()..][rows_of_x], scratch);
                for (oy, dy) in targets.zip(dy.chunks_exact((g.out_w * channels).max(1))) {
                    for &(iy, ky) in inputs.of(oy) {
                        let x = &x[(iy - seen.start) * g.in_w * channels..];
                        for (kx, (inside, first)) in inside.iter().enumerate() {
                            let tap = ky * g.kernel_w + kx;
                            multiversion(Products {
                                dy: &dy[inside.start * channels..],
                                x: &x[first * channels..],
                                stride: g.stride_w,
                                len: inside.len(),
                                channels,
                                sums: &mut dw[tap * channels..][..channels],
                            });
                        }
                    }
                    for dy in dy.chunks_exact(channels) {
                        for (sum, &v) in db.iter_mut().zip(dy) {
                            *sum += v;
                        }
                    }
                }
            }
        });
        let total = parallel::sum_parts(&mut sums, part_len);
        let (weights, bias) = total.split_at(g.taps() * channels);
        transpose(weights, channels, dw);
        db.copy_from_slice(bias);
    }
}

/// Rows of a task, for rows of this many elements.
fn band(pitch: usize) -> usize {
    (BAND / pitch.max(1)).max(1)
}

/// A matrix of rows of `columns` elements, transposed.
fn transpose<T: Kernels>(matrix: &[T], columns: usize, to: &mut [T]) {
    let rows = matrix.len() / columns;
    parallel::for_each_chunk(to, rows, |column, to| {
        for (row, to) in to.iter_mut().enumerate() {
            *to = matrix[row * columns + column];
        }
    });
}

/// Pixels of the input, with each channel as often as it has output channels.
enum Spread<'a, T: Kernels> {
    /// Once, so the input itself.
    Stored(&'a [T]),
    /// Several times.
    Copied(Buffer<T>),
}

fn spread<'a, T: Kernels>(
    g: &Conv2dGeometry,
    x: &'a [T],
    scratch: &BufferPool<T>,
) -> Spread<'a, T> {
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

impl<T: Kernels> Deref for Spread<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Stored(pixels) => pixels,
            Self::Copied(pixels) => pixels,
        }
    }
}

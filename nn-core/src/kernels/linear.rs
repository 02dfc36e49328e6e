//! The three products of a dense layer, `y = x Wt + b`, with `x [batch, inputs]`, `W [outputs, inputs]`
//! and `y [batch, outputs]`, all row-major.
//!
//! With a small batch a dense layer does little arithmetic per weight: it is limited by memory
//! bandwidth. A general matrix product would first copy the weights into packed panels. So up to a
//! batch size of [`STREAMED`] the weights are read (or their gradient written) once, in order, while a
//! block of `x` or `y` stays in the L1 cache.
//!
//! With a larger batch the layer is a pointwise convolution whose pixels are the samples: `y` comes from a kernel
//! for convolutions, whose packed weights predictions keep. The gradients are general matrix products; those
//! kernels were slower for them (784 to 512 to 512 on 128 samples: a step of 2.9 instead of 2.5 ms).
//!
//! Work is split by weight rows or columns, never by thread count, and every sum has a fixed order.
//! Sets with a fused multiply-add (AVX2 with FMA, AVX-512, AArch64) round it once, others twice. So
//! results may differ between kinds of processor, but not between runs or thread counts on one.

mod loops;

pub use loops::Loops;

use super::Kernels;
use super::conv::Output;
use super::geometry::{Conv2dGeometry, Conv2dOptions};
use super::isa;
use super::matmul::{Order, matmul};
use super::simd::{self, MAX_LANES, prefetch};
use crate::kernels::parallel::prelude::*;
use crate::tensor::BufferPool;

/// The largest batch size for which weights are streamed instead of packed.
pub const STREAMED: usize = 16;

/// Weight rows per task.
const ROWS: usize = 4;
/// Length of a block of inputs: that of four weight rows, or of four rows of `x`, fills at most half of an L1 cache
/// in `f32`.
const KC: usize = 1024;
/// Bytes of a cache line.
const LINE: usize = 64;
/// Rows of the batch, or of the weights, that one pass over a block of sums adds.
const GROUP: usize = 4;
/// Below this many multiplications all tasks run as one.
const PARALLEL_FROM: usize = 1 << 15;

/// The sizes of a dense layer's product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dims {
    /// Rows of `x` and `y`.
    pub batch: usize,
    /// Columns of `x` and of the weights.
    pub inputs: usize,
    /// Columns of `y`, rows of the weights.
    pub outputs: usize,
}

impl Dims {
    fn check<T>(self, x: &[T], w: &[T], y: &[T]) {
        assert_eq!(x.len(), self.batch * self.inputs, "linear: x must fit {self:?}");
        assert_eq!(w.len(), self.outputs * self.inputs, "linear: the weights must fit {self:?}");
        assert_eq!(y.len(), self.batch * self.outputs, "linear: y must fit {self:?}");
    }

    /// The pointwise convolution that this is, with the samples as pixels; `None` where weights are streamed.
    pub fn convolution(self) -> Option<Conv2dGeometry> {
        let Self { batch, inputs, outputs } = self;
        let (x, w) = ([1, batch, 1, inputs], [outputs, inputs, 1, 1]);
        let geometry = || Conv2dGeometry::new(&x, &w, Conv2dOptions::new()).ok();
        (batch > STREAMED).then(geometry).flatten()
    }

    /// The minimum number of tasks per thread: all of them if the product is small.
    fn min_tasks(self) -> usize {
        let work = self.batch * self.inputs * self.outputs;
        if work < PARALLEL_FROM { usize::MAX } else { 1 }
    }
}

/// The products compiled for one element type. Generic functions are compiled in the crate that uses
/// them, where inlining and optimisation of the hot loops may differ; these are compiled once, with
/// this crate.
#[allow(clippy::type_complexity)] // the signatures of the functions below
#[derive(Debug)]
pub struct Products<T> {
    forward: fn(Dims, &[T], &[T], Option<&[T]>, &mut [T], &BufferPool<T>),
    input_gradient: fn(Dims, &[T], &[T], &mut [T]),
    weight_gradient: fn(Dims, &[T], &[T], &mut [T]),
    weight_gradient_row: fn(Dims, &[T], &[T], usize, usize, &mut [T]),
}

impl<T: Kernels> Products<T> {
    /// The functions for `T`. Only called where `T` is a concrete type.
    pub(super) const COMPILED: Self = Self {
        forward: product::<T>,
        input_gradient: product_for_input::<T>,
        weight_gradient: product_for_weight::<T>,
        weight_gradient_row: row_for_weight::<T>,
    };
}

/// `y = x Wt + bias`.
///
/// # Panics
/// If a slice does not fit `dims`.
pub fn forward<T: Kernels>(
    dims: Dims,
    x: &[T],
    w: &[T],
    bias: Option<&[T]>,
    y: &mut [T],
    scratch: &BufferPool<T>,
) {
    (T::linear().forward)(dims, x, w, bias, y, scratch);
}

/// `dx = dy W`, the gradient of the input.
///
/// # Panics
/// If a slice does not fit `dims`.
pub fn input_gradient<T: Kernels>(dims: Dims, dy: &[T], w: &[T], dx: &mut [T]) {
    (T::linear().input_gradient)(dims, dy, w, dx);
}

/// `dw = dyt x`, the gradient of the weights; overwrites `dw`.
///
/// # Panics
/// If a slice does not fit `dims`.
pub fn weight_gradient<T: Kernels>(dims: Dims, dy: &[T], x: &[T], dw: &mut [T]) {
    (T::linear().weight_gradient)(dims, dy, x, dw);
}

/// A part of [`weight_gradient`]: in the row of output `output`, as many columns as `piece` is long,
/// from column `start` on.
///
/// # Panics
/// If the columns or the output are out of range.
pub fn weight_gradient_row<T: Kernels>(
    dims: Dims,
    dy: &[T],
    x: &[T],
    output: usize,
    start: usize,
    piece: &mut [T],
) {
    (T::linear().weight_gradient_row)(dims, dy, x, output, start, piece);
}

fn product<T: Kernels>(
    dims: Dims,
    x: &[T],
    w: &[T],
    bias: Option<&[T]>,
    y: &mut [T],
    scratch: &BufferPool<T>,
) {
    dims.check(x, w, y);
    let Dims { batch, inputs, outputs } = dims;
    assert!(bias.is_none_or(|b| b.len() == outputs), "linear: the bias must fit {dims:?}");
    if y.is_empty() {
        return;
    }
    if let Some(g) = dims.convolution() {
        let out = Output::plain(y);
        return T::conv2d().forward(&g, None).forward(&g, x, w, bias, out, scratch);
    }
    if inputs == 0 {
        y.fill(T::zero());
    } else {
        // `y` column by column, so that each task writes a contiguous range.
        let mut columns = scratch.scratch(outputs * batch);
        columns.fill(T::zero());
        columns
            .par_chunks_mut(ROWS * batch)
            .zip(w.par_chunks(ROWS * inputs))
            .with_min_len(dims.min_tasks().min(outputs.div_ceil(ROWS)))
            .for_each(|(columns, w)| dot_rows(inputs, x, w, columns));
        for (row, y) in y.chunks_exact_mut(outputs).enumerate() {
            for (y, column) in y.iter_mut().zip(columns.chunks_exact(batch)) {
                *y = column[row];
            }
        }
    }
    if let Some(bias) = bias {
        for row in y.chunks_exact_mut(outputs) {
            row.iter_mut().zip(bias).for_each(|(y, &b)| *y += b);
        }
    }
}

/// Dot products of every row of `w`, of which there are at most [`ROWS`], with every row of `x`:
/// `columns[row of w][row of x]`. Where registers suffice rows are taken together: numbers of `x` are loaded once
/// for all of them, and memory is read in as many places.
fn dot_rows<T: Kernels>(inputs: usize, x: &[T], w: &[T], columns: &mut [T]) {
    let (batch, isa) = (x.len() / inputs, isa::active());
    let row = |r: usize| &w[r * inputs..(r + 1) * inputs];
    let together = w.len() == ROWS * inputs && simd::lanes(isa) == MAX_LANES;
    for start in (0..inputs).step_by(KC) {
        let block = start..(start + KC).min(inputs);
        if together {
            let rows: [_; ROWS] = std::array::from_fn(|r| &row(r)[block.clone()]);
            for (i, x) in x.chunks_exact(inputs).enumerate() {
                let dots = T::dots(isa, rows, &x[block.clone()]);
                for (column, dot) in columns.chunks_exact_mut(batch).zip(dots) {
                    column[i] += dot;
                }
            }
        } else {
            for (r, column) in columns.chunks_exact_mut(batch).enumerate() {
                // Prefetches the next block of this weight row meanwhile.
                let next = &row(r)[block.end..(block.end + KC).min(inputs)];
                let mut lines = next.chunks(LINE / size_of::<T>());
                let lines_each = (KC * size_of::<T>() / LINE).div_ceil(batch);
                for (sum, x) in column.iter_mut().zip(x.chunks_exact(inputs)) {
                    lines.by_ref().take(lines_each).for_each(|line| prefetch(line.as_ptr()));
                    let [dot] = T::dots(isa, [&row(r)[block.clone()]], &x[block.clone()]);
                    *sum += dot;
                }
            }
        }
    }
}

fn add_to<T: Kernels>(sums: &mut [T], values: &[T]) {
    sums.iter_mut().zip(values).for_each(|(s, &v)| *s += v);
}

fn product_for_input<T: Kernels>(dims: Dims, dy: &[T], w: &[T], dx: &mut [T]) {
    dims.check(dx, w, dy);
    let Dims { batch, inputs, outputs } = dims;
    if batch > STREAMED {
        matmul((batch, inputs, outputs), (dy, Order::Rows), (w, Order::Rows), false, dx);
        return;
    }
    if dx.is_empty() {
        return;
    }
    // Each task owns a block of columns: one piece of each row.
    let mut blocks: Vec<Vec<&mut [T]>> = Vec::new();
    blocks.resize_with(inputs.div_ceil(KC), || Vec::with_capacity(batch));
    for row in dx.chunks_exact_mut(inputs) {
        for (block, piece) in blocks.iter_mut().zip(row.chunks_mut(KC)) {
            block.push(piece);
        }
    }
    let min = dims.min_tasks().min(blocks.len());
    blocks.into_par_iter().enumerate().with_min_len(min).for_each(|(index, mut pieces)| {
        let start = index * KC;
        pieces.iter_mut().for_each(|piece| piece.fill(T::zero()));
        for first in (0..outputs).step_by(GROUP) {
            let group = first..(first + GROUP).min(outputs);
            for (row, piece) in pieces.iter_mut().enumerate() {
                let factors = &dy[row * outputs..][group.clone()];
                let end = start + piece.len();
                let rows = group.clone().map(|o| &w[o * inputs + start..o * inputs + end]);
                combine(piece, factors, rows);
            }
        }
    });
}

fn product_for_weight<T: Kernels>(dims: Dims, dy: &[T], x: &[T], dw: &mut [T]) {
    dims.check(x, dw, dy);
    let Dims { batch, inputs, outputs } = dims;
    if batch > STREAMED {
        matmul((outputs, inputs, batch), (dy, Order::Columns), (x, Order::Rows), false, dw);
        return;
    }
    if dw.is_empty() {
        return;
    }
    let tasks = outputs.div_ceil(ROWS);
    dw.par_chunks_mut(ROWS * inputs)
        .enumerate()
        .with_min_len(dims.min_tasks().min(tasks))
        .for_each(|(task, rows)| {
            for start in (0..inputs).step_by(KC) {
                let end = (start + KC).min(inputs);
                for (i, row) in rows.chunks_exact_mut(inputs).enumerate() {
                    let piece = &mut row[start..end];
                    row_for_weight(dims, dy, x, task * ROWS + i, start, piece);
                }
            }
        });
}

fn row_for_weight<T: Kernels>(
    dims: Dims,
    dy: &[T],
    x: &[T],
    output: usize,
    start: usize,
    piece: &mut [T],
) {
    let Dims { batch, inputs, outputs } = dims;
    let columns = start..start + piece.len();
    assert!(columns.end <= inputs && output < outputs, "linear: no such columns in {dims:?}");
    piece.fill(T::zero());
    for first in (0..batch).step_by(GROUP) {
        let group = first..(first + GROUP).min(batch);
        let mut factors = [T::zero(); GROUP];
        for (factor, b) in factors.iter_mut().zip(group.clone()) {
            *factor = dy[b * outputs + output];
        }
        let x = group.clone().map(|b| &x[b * inputs..][columns.clone()]);
        combine(piece, &factors[..group.len()], x);
    }
}

/// Adds every row of `dy` to `db`, of `outputs` elements: the gradient of the bias.
pub fn bias_gradient<T: Kernels>(dy: &[T], db: &mut [T]) {
    if !db.is_empty() {
        dy.chunks_exact(db.len()).for_each(|row| add_to(db, row));
    }
}

/// `sums += sum of factor x row`, for at most [`GROUP`] rows, in their order.
fn combine<'a, T: Kernels>(sums: &mut [T], factors: &[T], mut rows: impl Iterator<Item = &'a [T]>) {
    let isa = isa::active();
    if let &[a, b, c, d] = factors {
        let rows = [(); GROUP].map(|()| rows.next().unwrap_or_default());
        T::add_scaled(isa, sums, [a, b, c, d], rows);
    } else {
        for (&factor, row) in factors.iter().zip(rows) {
            T::add_scaled(isa, sums, [factor], [row]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn random(len: usize, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed, 0);
        (0..len).map(|_| rng.uniform_in(-1.0, 1.0)).collect()
    }

    fn close(actual: &[f64], expected: impl Iterator<Item = f64>) {
        for (i, (&a, e)) in actual.iter().zip(expected).enumerate() {
            assert!((a - e).abs() < 1e-11 * (1.0 + e.abs()), "at {i}: {a} and {e}");
        }
    }

    #[test]
    fn all_three_products_agree_with_their_definition() {
        // Batches around the group size and the streaming limit, inputs around lanes and block.
        for batch in [1, 3, 4, 5, 16, 17] {
            for inputs in [1, 7, 16, 33, 1023, 1024, 1030, 2051] {
                for outputs in [1, 2, 5, 9] {
                    let dims = Dims { batch, inputs, outputs };
                    let x = random(batch * inputs, 1);
                    let w = random(outputs * inputs, 2);
                    let bias = random(outputs, 3);
                    let dy = random(batch * outputs, 4);
                    let row = |m: &[f64], i: usize| m[i * inputs..(i + 1) * inputs].to_vec();

                    let mut y = vec![f64::NAN; batch * outputs];
                    forward(dims, &x, &w, Some(&bias), &mut y, &BufferPool::new());
                    let dot = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum();
                    close(
                        &y,
                        (0..y.len()).map(|i| {
                            let sum: f64 = dot(row(&x, i / outputs), row(&w, i % outputs));
                            sum + bias[i % outputs]
                        }),
                    );

                    let mut dx = vec![f64::NAN; x.len()];
                    input_gradient(dims, &dy, &w, &mut dx);
                    close(
                        &dx,
                        (0..dx.len()).map(|i| {
                            let (b, j) = (i / inputs, i % inputs);
                            (0..outputs).map(|o| dy[b * outputs + o] * w[o * inputs + j]).sum()
                        }),
                    );

                    let mut dw = vec![f64::NAN; w.len()];
                    weight_gradient(dims, &dy, &x, &mut dw);
                    close(
                        &dw,
                        (0..dw.len()).map(|i| {
                            let (o, j) = (i / inputs, i % inputs);
                            (0..batch).map(|b| dy[b * outputs + o] * x[b * inputs + j]).sum()
                        }),
                    );
                }
            }
        }
    }

    #[test]
    fn empty_sides_are_served() {
        let mut y = [f32::NAN; 6];
        let dims = Dims { batch: 2, inputs: 0, outputs: 3 };
        forward(dims, &[], &[], Some(&[1., 2., 3.]), &mut y, &BufferPool::new());
        assert_eq!(y, [1., 2., 3., 1., 2., 3.]);
        weight_gradient(dims, &y, &[], &mut []);
        input_gradient(dims, &y, &[], &mut []);
        let mut dx = [f32::NAN; 4];
        input_gradient(Dims { batch: 2, inputs: 2, outputs: 0 }, &[], &[], &mut dx);
        assert_eq!(dx, [0.; 4]);
        let mut dw = [f32::NAN; 4];
        weight_gradient(Dims { batch: 0, inputs: 2, outputs: 2 }, &[], &[], &mut dw);
        assert_eq!(dw, [0.; 4]);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for batch in [4, 20] {
            let dims = Dims { batch, inputs: 3001, outputs: 37 };
            let narrow = |v: Vec<f64>| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
            let x = narrow(random(batch * dims.inputs, 7));
            let w = narrow(random(dims.outputs * dims.inputs, 8));
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut y = vec![0f32; batch * dims.outputs];
                let (mut dx, mut dw) = (x.clone(), w.clone());
                pool.install(|| {
                    forward(dims, &x, &w, None, &mut y, &BufferPool::new());
                    input_gradient(dims, &y, &w, &mut dx);
                    weight_gradient(dims, &y, &x, &mut dw);
                });
                [y, dx, dw].concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
            };
            let one = run(1);
            assert!(one == run(2) && one == run(4));
        }
    }
}

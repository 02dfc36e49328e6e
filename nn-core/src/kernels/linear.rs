//! The three products of a dense layer, `y = x Wt + b`, with `x [batch, inputs]`, `W [outputs, inputs]`
//! and `y [batch, outputs]`, all row-major.
//!
//! With a small batch a dense layer does little arithmetic per weight: it is limited by memory
//! bandwidth. A general matrix product would first copy the weights into packed panels. So up to a
//! batch size of [`STREAMED`] the weights are read (or their gradient written) once, in order, while a
//! block of `x` or `y` stays in the L1 cache. Larger batches use the general matrix product.
//!
//! Work is split by weight rows or columns, never by thread count, and every sum has a fixed order.
//! Sets with a fused multiply-add (AVX2 with FMA, AVX-512, AArch64) round it once, others twice. So
//! results may differ between kinds of processor, but not between runs or thread counts on one.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`

use super::Kernels;
use super::isa::{self, Isa};
use super::matmul::{Order, matmul};
use super::simd::{self, MAX_LANES, Simd, SimdFn, prefetch};
use crate::kernels::parallel::prelude::*;
use crate::tensor::BufferPool;

/// The largest batch size for which weights are streamed instead of packed.
pub const STREAMED: usize = 16;

/// Weight rows per task.
const ROWS: usize = 4;
/// Length of a block of inputs: four rows of it in `f32` fill at most half of an L1 cache, and together
/// with the prefetched block of four weight rows all of it.
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
    if batch <= STREAMED && inputs > 0 {
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
    } else {
        matmul((batch, outputs, inputs), (x, Order::Rows), (w, Order::Columns), false, y);
    }
    if let Some(bias) = bias {
        for row in y.chunks_exact_mut(outputs) {
            row.iter_mut().zip(bias).for_each(|(y, &b)| *y += b);
        }
    }
}

/// Dot products of every row of `w` with every row of `x`: `columns[row of w][row of x]`.
fn dot_rows<T: Kernels>(inputs: usize, x: &[T], w: &[T], columns: &mut [T]) {
    let (batch, isa) = (x.len() / inputs, isa::active());
    for start in (0..inputs).step_by(KC) {
        let block = start..(start + KC).min(inputs);
        for (w, column) in w.chunks_exact(inputs).zip(columns.chunks_exact_mut(batch)) {
            // Prefetches the next block of this weight row meanwhile.
            let next = &w[block.end..(block.end + KC).min(inputs)];
            let mut lines = next.chunks(LINE / size_of::<T>());
            let lines_each = (KC * size_of::<T>() / LINE).div_ceil(batch);
            let w = &w[block.clone()];
            for (sum, x) in column.iter_mut().zip(x.chunks_exact(inputs)) {
                lines.by_ref().take(lines_each).for_each(|line| prefetch(line.as_ptr()));
                *sum += T::dot(isa, w, &x[block.clone()]);
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

/// `a * b + c`, rounded once if `FUSED` and twice otherwise: without a hardware instruction, a fused
/// multiply-add is a slow library call.
#[inline(always)]
fn multiply_add<T: Kernels, const FUSED: bool>(a: T, b: T, c: T) -> T {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The inner loops of one element type.
pub trait Loops: Sized {
    /// The dot product of two slices of the same length.
    fn dot(isa: Isa, a: &[Self], b: &[Self]) -> Self;

    /// `sums += factors[0] rows[0] + factors[1] rows[1] + ..`, in this order.
    fn add_scaled<const N: usize>(
        isa: Isa,
        sums: &mut [Self],
        factors: [Self; N],
        rows: [&[Self]; N],
    );
}

impl Loops for f32 {
    fn dot(isa: Isa, a: &[Self], b: &[Self]) -> Self {
        simd::run(isa, Dot(a, b))
    }

    fn add_scaled<const N: usize>(
        isa: Isa,
        sums: &mut [Self],
        factors: [Self; N],
        rows: [&[Self]; N],
    ) {
        simd::run(isa, AddScaled { sums, factors, rows });
    }
}

/// Gradients are checked in double precision, where nobody waits: plain arrays for the compiler.
impl Loops for f64 {
    fn dot(isa: Isa, a: &[Self], b: &[Self]) -> Self {
        simd::run(isa, PlainDot(a, b))
    }

    fn add_scaled<const N: usize>(
        isa: Isa,
        sums: &mut [Self],
        factors: [Self; N],
        rows: [&[Self]; N],
    ) {
        simd::run(isa, PlainAddScaled { sums, factors, rows });
    }
}

/// A dot product in interleaved partial sums: 64, or 32 where vectors are short. As many as registers
/// that hide the latency of the multiply-add, and the same bits for AVX2 and AVX-512.
struct Dot<'a>(&'a [f32], &'a [f32]);

impl SimdFn for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> f32 {
        // SAFETY: the caller's promise.
        unsafe {
            match V::LANES {
                16 => dot::<V, 4>(self.0, self.1),
                _ => dot::<V, 8>(self.0, self.1),
            }
        }
    }
}

/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn dot<V: Simd, const REGISTERS: usize>(a: &[f32], b: &[f32]) -> f32 {
    let len = a.len().min(b.len());
    let step = REGISTERS * V::LANES;
    let whole = len - len % step;
    let mut lanes = [0.0; MAX_LANES];
    // SAFETY: vectors of the set may exist, by the caller's promise; `at + i * LANES` and the lanes after
    // it are below `whole`, which neither slice is shorter than; no vector has more than `MAX_LANES`.
    unsafe {
        let mut sums = [V::zero(); REGISTERS];
        for at in (0..whole).step_by(step) {
            for i in 0..REGISTERS {
                let a = V::load(a.as_ptr().add(at + i * V::LANES));
                let b = V::load(b.as_ptr().add(at + i * V::LANES));
                sums[i] = a.mul_add(b, sums[i]);
            }
        }
        let mut width = REGISTERS;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                sums[i] = sums[i].add(sums[i + width]);
            }
        }
        sums[0].store(lanes.as_mut_ptr());
    }
    let mut width = V::LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    let tail = a[whole..len].iter().zip(&b[whole..len]);
    tail.fold(lanes[0], |sum, (&a, &b)| match V::FUSED {
        true => multiply_add::<f32, true>(a, b, sum),
        false => multiply_add::<f32, false>(a, b, sum),
    })
}

/// See [`Loops::add_scaled`].
struct AddScaled<'a, const N: usize> {
    sums: &'a mut [f32],
    factors: [f32; N],
    rows: [&'a [f32]; N],
}

impl<const N: usize> SimdFn for AddScaled<'_, N> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { sums, factors, rows } = self;
        let len = sums.len();
        assert!(rows.iter().all(|row| row.len() >= len));
        let whole = len - len % V::LANES;
        // SAFETY: vectors of the set may exist, by the caller's promise; the lanes from `at` on are below
        // `whole`, which no slice is shorter than.
        unsafe {
            let scales = V::splats(factors);
            for at in (0..whole).step_by(V::LANES) {
                let to = sums.as_mut_ptr().add(at);
                let mut total = V::load(to);
                for i in 0..N {
                    total = scales[i].mul_add(V::load(rows[i].as_ptr().add(at)), total);
                }
                total.store(to);
            }
        }
        for at in whole..len {
            for i in 0..N {
                sums[at] = match V::FUSED {
                    true => multiply_add::<f32, true>(factors[i], rows[i][at], sums[at]),
                    false => multiply_add::<f32, false>(factors[i], rows[i][at], sums[at]),
                };
            }
        }
    }
}

/// [`Dot`] in plain arrays.
struct PlainDot<'a>(&'a [f64], &'a [f64]);

impl SimdFn for PlainDot<'_> {
    type Output = f64;

    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> f64 {
        match (V::LANES, V::FUSED) {
            (..8, true) => plain_dot::<32, true>(self.0, self.1),
            (..8, false) => plain_dot::<32, false>(self.0, self.1),
            _ => plain_dot::<64, true>(self.0, self.1),
        }
    }
}

#[inline(always)]
fn plain_dot<const SUMS: usize, const FUSED: bool>(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_tail) = a.as_chunks::<SUMS>();
    let (b, b_tail) = b.as_chunks::<SUMS>();
    let mut sums = [0.0; SUMS];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..SUMS {
            sums[lane] = multiply_add::<f64, FUSED>(a[lane], b[lane], sums[lane]);
        }
    }
    let mut width = SUMS;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
    }
    let tail = a_tail.iter().zip(b_tail);
    tail.fold(sums[0], |sum, (&a, &b)| multiply_add::<f64, FUSED>(a, b, sum))
}

/// [`AddScaled`] in plain loops.
struct PlainAddScaled<'a, const N: usize> {
    sums: &'a mut [f64],
    factors: [f64; N],
    rows: [&'a [f64]; N],
}

impl<const N: usize> SimdFn for PlainAddScaled<'_, N> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { sums, factors, rows } = self;
        for (at, sum) in sums.iter_mut().enumerate() {
            for (&factor, row) in factors.iter().zip(&rows) {
                *sum = match V::FUSED {
                    true => multiply_add::<f64, true>(factor, row[at], *sum),
                    false => multiply_add::<f64, false>(factor, row[at], *sum),
                };
            }
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
    fn all_sets_agree() {
        let narrow = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
        for len in [0, 1, 7, 63, 64, 65, 1003] {
            let (w, x) = (random(len, 5), random(len, 6));
            let (w32, x32) = (narrow(&w), narrow(&x));
            let mut fused = Vec::new();
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                let portable = f64::dot(Isa::Portable, &w, &x);
                assert!((portable - f64::dot(isa, &w, &x)).abs() < 1e-12);
                let dot = f32::dot(isa, &w32, &x32);
                assert!((portable - f64::from(dot)).abs() < 1e-4, "{isa}, {len}: {dot}");
                let (mut a, mut b, mut c) = (x.clone(), x.clone(), x32.clone());
                f64::add_scaled(Isa::Portable, &mut a, [0.3], [&w]);
                f64::add_scaled(isa, &mut b, [0.3], [&w]);
                close(&a, b.into_iter());
                f32::add_scaled(isa, &mut c, [0.3], [&w32]);
                assert!(a.iter().zip(&c).all(|(&a, &c)| (a - f64::from(c)).abs() < 1e-6));
                if matches!(isa, Isa::Avx2 | Isa::Avx512) {
                    fused.push((dot.to_bits(), c));
                }
            }
            assert!(fused.windows(2).all(|sets| sets[0] == sets[1]), "bits differ, {len}");
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

//! Max pooling.

use super::{NO_ARGMAX, WindowIndex, for_each_band};
use crate::kernels::geometry::{Pool2dGeometry, Window};
use crate::kernels::isa;
use crate::kernels::parallel;
use crate::kernels::simd::{self, Simd, SimdFn};
use crate::tensor::Element;
use std::ops::Range;

/// [`max_forward`](super::max_forward).
pub(super) fn forward<T: Element, I: WindowIndex>(
    g: &Pool2dGeometry,
    x: &[T],
    y: &mut [T],
    argmax: &mut [I],
) {
    let row_len = g.out_w * g.channels;
    let rows = g.rows();
    parallel::for_each_chunk_pair(y, argmax, row_len, |row, y, argmax| {
        let (n, oy) = (row / g.out_h, row % g.out_h);
        let x = &x[n * g.input_len()..][..g.input_len()];
        Row { g, rows: &rows.window(oy), x, y, argmax: Some(argmax) }.pool();
    });
}

/// [`maxima`](super::maxima).
pub(super) fn maxima<T: Element>(g: &Pool2dGeometry, x: &[T], y: &mut [T]) {
    let rows = g.rows();
    parallel::for_each_chunk(y, g.out_w * g.channels, |row, y| {
        let (n, oy) = (row / g.out_h, row % g.out_h);
        let x = &x[n * g.input_len()..][..g.input_len()];
        Row::<T, u8> { g, rows: &rows.window(oy), x, y, argmax: None }.pool();
    });
}

/// Pools rows of windows inside the input, the first of which begins at the start of `map`, to which ReLU was
/// applied. Windows without a positive number get [`NO_ARGMAX`].
pub(in crate::kernels) fn relu_max_rows<T: Element>(
    g: &Pool2dGeometry,
    map: &[T],
    y: &mut [T],
    argmax: &mut [u8],
) {
    let row = g.out_w * g.channels;
    let rows = y.chunks_exact_mut(row).zip(argmax.chunks_exact_mut(row));
    for (oy, (y, argmax)) in rows.enumerate() {
        let all = g.window_h;
        let window =
            Window { first: oy * g.stride_h, step: 1, inside: all, place: 0, counted: all };
        Row { g, rows: &window, x: map, y, argmax: Some(&mut *argmax) }.pool();
        for (index, &v) in argmax.iter_mut().zip(y.iter()) {
            if v == T::zero() {
                *index = NO_ARGMAX;
            }
        }
    }
}

/// ReLU and max-pool of 2x2 windows, given row by row: the maxima and their argmax.
#[inline(always)]
pub(in crate::kernels) fn relu_max<V: Simd>(window: [V; 4]) -> (V, V) {
    // SAFETY: a vector exists, so the processor has the instructions.
    let [zero, one, two, three, none] =
        unsafe { V::splats([0.0, 1.0, 2.0, 3.0, f32::from(NO_ARGMAX)]) };
    let (mut best, mut index) = (window[0], zero);
    for (place, v) in [(one, window[1]), (two, window[2]), (three, window[3])] {
        let beats = v.beats(best);
        best = V::select(beats, v, best);
        index = V::select(beats, place, index);
    }
    let off = best.at_most(zero);
    (V::select(off, zero, best), V::select(off, none, index))
}

/// Pools one row of windows, which have the rows `rows` of `x`; they are `g.in_w * g.channels` apart.
struct Row<'a, T, I> {
    g: &'a Pool2dGeometry,
    rows: &'a Window,
    x: &'a [T],
    y: &'a mut [T],
    argmax: Option<&'a mut [I]>,
}

impl<T: Element, I: WindowIndex> Row<'_, T, I> {
    /// Runs it with the vectors of the active set.
    fn pool(self) {
        simd::run(isa::active(), self);
    }
}

impl<T: Element, I: WindowIndex> SimdFn for Row<'_, T, I> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { g, rows, x, y, mut argmax } = self;
        let (c, axis) = (g.channels, g.columns());
        for (ox, y) in y.chunks_exact_mut(c).enumerate() {
            let windows = Windows { g, rows, columns: &axis.window(ox) };
            let x = &x[(rows.first * g.in_w + windows.columns.first) * c..];
            let argmax = argmax.as_mut().map(|all| &mut all[ox * c..][..c]);
            if size_of::<T>() != size_of::<f32>() {
                windows.one_by_one(x, y, argmax);
                continue;
            }
            let x: &[f32] = bytemuck::cast_slice(x);
            let all: &mut [f32] = bytemuck::cast_slice_mut(y);
            // SAFETY: the caller's promise.
            unsafe {
                match argmax {
                    None => windows.by_vectors::<V, false>(x, all, &mut []),
                    Some(argmax) if size_of::<I>() == 1 => {
                        windows.by_vectors::<V, true>(x, all, bytemuck::cast_slice_mut(argmax));
                    }
                    Some(argmax) => windows.one_by_one(x, all, Some(argmax)),
                }
            }
        }
    }
}

/// A window, the same for each channel.
struct Windows<'a> {
    g: &'a Pool2dGeometry,
    rows: &'a Window,
    columns: &'a Window,
}

impl Windows<'_> {
    /// The place of its first pixel inside the input, counted row by row.
    #[inline(always)]
    fn first(&self) -> usize {
        self.rows.place * self.g.window_w + self.columns.place
    }

    /// Pools the channels of one pixel of the output, `y`, vector by vector. The first pixel of the window
    /// inside the input is the start of `x`. `argmax` is written only if it is `INDEXED`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn by_vectors<V: Simd, const INDEXED: bool>(
        &self,
        x: &[f32],
        y: &mut [f32],
        argmax: &mut [u8],
    ) {
        let Self { g, rows, columns } = *self;
        let mut channel = 0;
        while channel < g.channels {
            // SAFETY: the caller's promise.
            let [mut best, mut index] =
                unsafe { V::splats([f32::NEG_INFINITY, self.first() as f32]) };
            for wy in 0..rows.inside {
                let row = wy * rows.step * g.in_w;
                let place = self.first() + wy * g.window_w;
                for wx in 0..columns.inside {
                    let at = (row + wx * columns.step) * g.channels + channel;
                    // Lanes beyond the channels are those of the next pixel, and are not written.
                    // SAFETY: the caller's promise.
                    let (v, place) = unsafe { (V::read(&x[at..]), V::splat((place + wx) as f32)) };
                    let wins = v.beats(best);
                    best = V::select(wins, v, best);
                    if INDEXED {
                        index = V::select(wins, place, index);
                    }
                }
            }
            best.write(&mut y[channel..]);
            if INDEXED {
                index.write_bytes(&mut argmax[channel..]);
            }
            channel += V::LANES;
        }
    }

    /// Like [`by_vectors`](Self::by_vectors), channel by channel.
    fn one_by_one<T: Element, I: WindowIndex>(
        &self,
        x: &[T],
        y: &mut [T],
        mut argmax: Option<&mut [I]>,
    ) {
        let Self { g, rows, columns } = *self;
        for (channel, y) in y.iter_mut().enumerate() {
            let (mut best, mut index) = (T::neg_infinity(), self.first());
            for wy in 0..rows.inside {
                for wx in 0..columns.inside {
                    let v = x[(wy * rows.step * g.in_w + wx * columns.step) * g.channels + channel];
                    if v > best || (v.is_nan() && !best.is_nan()) {
                        (best, index) = (v, self.first() + wy * g.window_w + wx);
                    }
                }
            }
            *y = best;
            if let Some(argmax) = &mut argmax {
                argmax[channel] = I::from_place(index);
            }
        }
    }
}

/// [`max_backward`](super::max_backward).
pub(super) fn backward<T: Element, I: WindowIndex>(
    g: &Pool2dGeometry,
    dy: &[T],
    argmax: &[I],
    dx: &mut [T],
) {
    for_each_band(&g.pooled(), dx, |n, rows, dx| {
        dx.fill(T::zero());
        scatter_rows(g, n, &rows, (dy, argmax), None, dx);
    });
}

/// The most elements of a window whose offsets are tabulated.
const MOST_TABULATED: usize = 256;

/// Adds the pooled gradient `dy` of image `n` to its input rows `rows`, which are in `dx` (zeroed or
/// partly summed). Outputs with the argmax `skip` pass no gradient on.
pub(in crate::kernels) fn scatter_rows<T: Element, I: WindowIndex>(
    g: &Pool2dGeometry,
    n: usize,
    rows: &Range<usize>,
    (dy, argmax): (&[T], &[I]),
    skip: Option<usize>,
    dx: &mut [T],
) {
    let (c, pitch) = (g.channels, g.in_w * g.channels);
    let offset =
        |place: usize| (place / g.window_w * g.dilation_h, place % g.window_w * g.dilation_w * c);
    // The row and column offset of each place of a small window: the inner loop needs no division.
    let small = if g.window_len() <= MOST_TABULATED { g.window_len() } else { 0 };
    let offsets: Vec<(usize, usize)> = (0..small).map(offset).collect();
    for oy in g.rows().touching(rows) {
        let from = n * g.output_len() + oy * g.out_w * c;
        let pooled = dy[from..from + g.out_w * c].chunks_exact(c);
        let places = argmax[from..from + g.out_w * c].chunks_exact(c);
        for (ox, (dy, argmax)) in pooled.zip(places).enumerate() {
            for (channel, (&gradient, index)) in dy.iter().zip(argmax).enumerate() {
                let place = index.place();
                if Some(place) == skip {
                    continue;
                }
                let (wy, wx) = offsets.get(place).copied().unwrap_or_else(|| offset(place));
                // A maximum is never padding, so that nothing is subtracted from less.
                let y = oy * g.stride_h + wy - g.pad_top;
                if rows.contains(&y) {
                    let x = ox * g.stride_w * c + wx - g.pad_left * c;
                    dx[(y - rows.start) * pitch + x + channel] += gradient;
                }
            }
        }
    }
}

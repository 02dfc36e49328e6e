//! Max and average pooling, channels-last.
//!
//! The forward pass of a max-pool stores the argmax for each output: the index within the window,
//! counted row by row. The backward pass needs nothing else. Of equal numbers the first is the maximum.
//! A NaN replaces every number, so that it propagates instead of being hidden by the pooling. Padding is
//! never looked at: a window is what of it lies inside the input.

use super::geometry::{Pool2dGeometry, Pooled, Window};
use super::parallel;
use super::simd::Simd;
use crate::tensor::Element;
use bytemuck::Pod;
use std::ops::Range;

/// The argmax of a window: `u8` for windows of up to 256 elements, `u32` for larger ones.
pub trait WindowIndex: Pod + Send + Sync {
    /// From the index within the window, counted row by row.
    fn from_place(place: usize) -> Self;
    /// The index within the window, counted row by row.
    fn place(self) -> usize;
}

impl WindowIndex for u8 {
    fn from_place(place: usize) -> Self {
        place as u8
    }
    fn place(self) -> usize {
        usize::from(self)
    }
}

impl WindowIndex for u32 {
    fn from_place(place: usize) -> Self {
        place as u32
    }
    fn place(self) -> usize {
        self as usize
    }
}

/// The argmax of an output that ReLU set to zero: it passes no gradient on.
pub const NO_ARGMAX: u8 = u8::MAX;

/// Pools `x`, writing maxima to `y` and their indices in the windows to `argmax` (both of the output's
/// size).
pub fn max_forward<T: Element, I: WindowIndex>(
    g: &Pool2dGeometry,
    x: &[T],
    y: &mut [T],
    argmax: &mut [I],
) {
    let row_len = g.out_w * g.channels;
    let rows = g.rows();
    parallel::for_each_chunk_pair(y, argmax, row_len, |row, y, argmax| {
        let (n, oy) = (row / g.out_h, row % g.out_h);
        let image = &x[n * g.input_len()..][..g.input_len()];
        max_row(g, &rows.window(oy), image, y, argmax);
    });
}

/// Pools one row of windows, which have the rows `rows` of `x`; they are `g.in_w * g.channels` apart.
fn max_row<T: Element, I: WindowIndex>(
    g: &Pool2dGeometry,
    rows: &Window,
    x: &[T],
    y: &mut [T],
    argmax: &mut [I],
) {
    let (c, axis) = (g.channels, g.columns());
    let outputs = y.chunks_exact_mut(c).zip(argmax.chunks_exact_mut(c));
    for (ox, (y, argmax)) in outputs.enumerate() {
        let window = (rows, &axis.window(ox));
        let corner = &x[(rows.first * g.in_w + window.1.first) * c..];
        let blocks = c / LANES * LANES;
        for first in (0..blocks).step_by(LANES) {
            let to = first..first + LANES;
            let (y, argmax) = (&mut y[to.clone()], &mut argmax[to]);
            max_lanes::<T, I, LANES>(g, window, &corner[first..], y, argmax);
        }
        for channel in blocks..c {
            let to = channel..channel + 1;
            let (y, argmax) = (&mut y[to.clone()], &mut argmax[to]);
            max_lanes::<T, I, 1>(g, window, &corner[channel..], y, argmax);
        }
    }
}

/// Applies ReLU and pools rows of windows inside the input, the first of which begins at the start of
/// `map`. Windows without a positive number get [`NO_ARGMAX`].
pub(super) fn relu_max_rows<T: Element>(
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
        max_row(g, &window, map, y, argmax);
        for (index, &v) in argmax.iter_mut().zip(y.iter()) {
            if v == T::zero() {
                *index = NO_ARGMAX;
            }
        }
    }
}

/// ReLU and max-pool of 2x2 windows, given row by row: the maxima and their argmax.
#[inline(always)]
pub(super) fn relu_max<V: Simd>(window: [V; 4]) -> (V, V) {
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

/// Channels pooled together: the compiler vectorises loops of this length.
const LANES: usize = 16;

/// Pools `N` channels of one window whose first element inside the input is the start of `x`.
#[inline(always)]
fn max_lanes<T: Element, I: WindowIndex, const N: usize>(
    g: &Pool2dGeometry,
    (rows, columns): (&Window, &Window),
    x: &[T],
    y: &mut [T],
    argmax: &mut [I],
) {
    let mut best = [T::neg_infinity(); N];
    let mut index = [(rows.place * g.window_w + columns.place) as u32; N];
    for wy in 0..rows.inside {
        for wx in 0..columns.inside {
            let place = ((rows.place + wy) * g.window_w + columns.place + wx) as u32;
            let at = (wy * rows.step * g.in_w + wx * columns.step) * g.channels;
            let candidates = &x[at..][..N];
            for ((best, index), &v) in best.iter_mut().zip(&mut index).zip(candidates) {
                // Selects instead of a branch, so that the loop is vectorised. A NaN replaces every
                // number, and no later number replaces it.
                let wins = (v > *best) | (v.is_nan() & !best.is_nan());
                *best = if wins { v } else { *best };
                *index = if wins { place } else { *index };
            }
        }
    }
    y.copy_from_slice(&best);
    for (to, &place) in argmax.iter_mut().zip(&index) {
        *to = I::from_place(place as usize);
    }
}

/// Adds the pooled gradient `dy` of image `n` to its input rows `rows`, which are in `dx` (zeroed or
/// partly summed). Outputs with the argmax `skip` pass no gradient on.
pub(super) fn scatter_rows<T: Element, I: WindowIndex>(
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

/// The most elements of a window whose offsets are tabulated.
const MOST_TABULATED: usize = 256;

/// The gradient of a max-pool's input: each output's gradient goes to its maximum.
pub fn max_backward<T: Element, I: WindowIndex>(
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

/// Elements of a window from which on sums run in double precision.
const LONG: usize = 256;

/// Means over the windows of `x`.
pub fn average_forward<T: Element>(p: &Pooled, x: &[T], y: &mut [T]) {
    if y.is_empty() {
        return; // its dimensions may be of any size
    }
    if p.rows.reach().saturating_mul(p.columns.reach()) < LONG {
        means::<T, T>(p, x, y);
    } else {
        means::<T, f64>(p, x, y);
    }
}

/// [`average_forward`] with sums of type `S`.
fn means<T: Element, S: Element>(p: &Pooled, x: &[T], y: &mut [T]) {
    let (c, row) = (p.channels, p.columns.output() * p.channels);
    let (pitch, image) = (p.columns.input() * c, p.rows.input() * p.columns.input() * c);
    // Large windows make few outputs from many inputs, which are what takes the time.
    let inputs = p.rows.reach().saturating_mul(pitch);
    let together = (parallel::CHUNK / inputs.max(1)).max(1);
    parallel::for_each_tile(y, p.rows.output() * row, together * row, |n, tile, y| {
        let x = &x[n * image..][..image];
        let mut sums = vec![S::zero(); c];
        for (i, y) in y.chunks_exact_mut(row).enumerate() {
            let rows = p.rows.window(tile * together + i);
            for (ox, y) in y.chunks_exact_mut(c).enumerate() {
                let columns = p.columns.window(ox);
                sums.fill(S::zero());
                for wy in 0..rows.inside {
                    for wx in 0..columns.inside {
                        let at = (rows.first + wy * rows.step) * pitch
                            + (columns.first + wx * columns.step) * c;
                        for (sum, &v) in sums.iter_mut().zip(&x[at..at + c]) {
                            *sum += S::from_f64(v.as_f64());
                        }
                    }
                }
                let factor = S::one() / S::from_f64((rows.counted * columns.counted) as f64);
                for (mean, &sum) in y.iter_mut().zip(&sums) {
                    *mean = T::from_f64((sum * factor).as_f64());
                }
            }
        }
    });
}

/// The gradient of an average-pool's input: each output's gradient, divided evenly over its window.
pub fn average_backward<T: Element>(p: &Pooled, dy: &[T], dx: &mut [T]) {
    let (c, row) = (p.channels, p.columns.output() * p.channels);
    let pitch = p.columns.input() * c;
    for_each_band(p, dx, |n, band, dx| {
        dx.fill(T::zero());
        for oy in p.rows.touching(&band) {
            let rows = p.rows.window(oy);
            let dy = &dy[(n * p.rows.output() + oy) * row..][..row];
            let touched = (0..rows.inside).map(|wy| rows.first + wy * rows.step);
            for y in touched.filter(|y| band.contains(y)) {
                for (ox, dy) in dy.chunks_exact(c).enumerate() {
                    let columns = p.columns.window(ox);
                    let factor = T::one() / T::from_f64((rows.counted * columns.counted) as f64);
                    let to = (y - band.start) * pitch + columns.first * c;
                    for wx in 0..columns.inside {
                        let dx = &mut dx[to + wx * columns.step * c..][..c];
                        for (sum, &gradient) in dx.iter_mut().zip(dy) {
                            *sum += gradient * factor;
                        }
                    }
                }
            }
        }
    });
}

/// Runs `f(image, rows, those rows of dx)` over bands of input rows. Each band belongs to one task, so
/// overlapping windows are summed in a fixed order.
fn for_each_band<T: Element>(
    p: &Pooled,
    dx: &mut [T],
    f: impl Fn(usize, Range<usize>, &mut [T]) + Sync,
) {
    let pitch = p.columns.input() * p.channels;
    // Windows may span more than there is; the limit also keeps the product small.
    let reach = p.rows.reach().min(p.rows.input());
    let band = (parallel::CHUNK / pitch.max(1)).max(reach);
    parallel::for_each_tile(dx, p.rows.input() * pitch, band * pitch, |n, tile, dx| {
        let top = tile * band;
        f(n, top..top + dx.len() / pitch, dx);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::geometry::Pool2dOptions;

    fn geometry(
        dims: [usize; 4],
        window: (usize, usize),
        stride: (usize, usize),
    ) -> Pool2dGeometry {
        Pool2dGeometry::new(&dims, Pool2dOptions::new(window).stride(stride)).unwrap()
    }

    #[test]
    fn first_maximum_wins_and_leftovers_are_dropped() {
        let g = geometry([1, 3, 5, 1], (2, 2), (2, 2));
        let x = [
            1.0, 7.0, 2.0, 2.0, 99.0, //
            7.0, 7.0, 2.0, 2.0, 99.0, //
            99.0, 99.0, 99.0, 99.0, 99.0,
        ];
        let (mut y, mut argmax) = ([0.0f64; 2], [9u8; 2]);
        max_forward(&g, &x, &mut y, &mut argmax);
        assert_eq!((y, argmax), ([7.0, 2.0], [1, 0]));
        let mut dx = [5.0; 15];
        max_backward(&g, &[10.0, 20.0], &argmax, &mut dx);
        let mut expected = [0.0; 15];
        (expected[1], expected[2]) = (10.0, 20.0);
        assert_eq!(dx, expected);
    }

    #[test]
    fn nan_is_noticed() {
        let g = geometry([1, 2, 2, 1], (2, 2), (2, 2));
        for place in 0..4 {
            let mut x = [1.0f32, 2.0, 3.0, 4.0];
            x[place] = f32::NAN;
            let (mut y, mut argmax) = ([0.0], [0u8]);
            max_forward(&g, &x, &mut y, &mut argmax);
            assert!(y[0].is_nan());
            assert_eq!(argmax[0] as usize, place);
        }
    }

    #[test]
    fn overlapping_windows_add_up_across_bands() {
        // One channel, and wide enough that a band is only a few rows high.
        let g = geometry([2, 61, 997, 3], (3, 3), (2, 1));
        let x: Vec<f64> = (0..2 * g.input_len()).map(|i| ((i * 7919) % 1009) as f64).collect();
        let outputs = 2 * g.output_len();
        let (mut y, mut argmax) = (vec![0.0; outputs], vec![0u32; outputs]);
        max_forward(&g, &x, &mut y, &mut argmax);
        let dy: Vec<f64> = (0..outputs).map(|i| (i % 13) as f64).collect();
        let mut dx = vec![f64::NAN; x.len()];
        max_backward(&g, &dy, &argmax, &mut dx);
        let mut expected = vec![0.0; x.len()];
        for n in 0..2 {
            for oy in 0..g.out_h {
                for ox in 0..g.out_w {
                    for c in 0..3 {
                        let at = |wy: usize, wx: usize| {
                            n * g.input_len() + ((oy * 2 + wy) * g.in_w + ox + wx) * 3 + c
                        };
                        let mut best = at(0, 0);
                        for wy in 0..3 {
                            for wx in 0..3 {
                                if x[at(wy, wx)] > x[best] {
                                    best = at(wy, wx);
                                }
                            }
                        }
                        let out = n * g.output_len() + (oy * g.out_w + ox) * 3 + c;
                        assert_eq!(y[out], x[best]);
                        expected[best] += dy[out];
                    }
                }
            }
        }
        assert!(dx == expected);
    }

    #[test]
    fn average_shares_out_evenly() {
        let g = geometry([1, 3, 3, 1], (2, 2), (1, 1));
        let x: Vec<f64> = (0..9).map(f64::from).collect();
        let mut y = [0.0; 4];
        average_forward(&g.pooled(), &x, &mut y);
        assert_eq!(y, [2.0, 3.0, 5.0, 6.0]);
        let mut dx = [0.0; 9];
        average_backward(&g.pooled(), &[4.0, 8.0, 12.0, 16.0], &mut dx);
        assert_eq!(dx, [1.0, 3.0, 2.0, 4.0, 10.0, 6.0, 3.0, 7.0, 4.0]);
    }
}

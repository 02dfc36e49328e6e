//! Max and average pooling, channels-last.
//!
//! The forward pass of a max-pool stores the argmax for each output: the index within the window,
//! counted row by row. The backward pass needs nothing else. Of equal numbers the first is the maximum.
//! A NaN replaces every number, so that it propagates instead of being hidden by the pooling. Padding is
//! never looked at: a window is what of it lies inside the input.
//!
//! The loops are called through [`Tables::pools`](super::Tables::pools): compiled with this crate. Those over the
//! channels of a pixel run for the machine's vectors: means, their gradient, and maxima in single precision of windows
//! of up to 256 elements, or without indices.

mod average;
mod max;

use super::Tables;
use super::geometry::{Pool2dGeometry, Pooled};
use super::parallel;
use crate::tensor::Element;
use bytemuck::Pod;
use std::ops::Range;

pub(super) use max::{relu_max, relu_max_rows, scatter_rows};

/// The argmax of a window: `u8` for windows of up to 256 elements, `u32` for larger ones.
pub trait WindowIndex: Pod + Send + Sync {
    /// From the index within the window, counted row by row.
    fn from_place(place: usize) -> Self;
    /// The index within the window, counted row by row.
    fn place(self) -> usize;
    /// The loops of a max-pool with such indices.
    fn loops<T: Element>(pools: Pools<T>) -> MaxPool<T, Self>;
}

impl WindowIndex for u8 {
    #[inline(always)]
    fn from_place(place: usize) -> Self {
        place as u8
    }
    #[inline(always)]
    fn place(self) -> usize {
        usize::from(self)
    }
    fn loops<T: Element>(pools: Pools<T>) -> MaxPool<T, Self> {
        pools.max
    }
}

impl WindowIndex for u32 {
    #[inline(always)]
    fn from_place(place: usize) -> Self {
        place as u32
    }
    #[inline(always)]
    fn place(self) -> usize {
        self as usize
    }
    fn loops<T: Element>(pools: Pools<T>) -> MaxPool<T, Self> {
        pools.max_of_large
    }
}

/// The argmax of an output that ReLU set to zero: it passes no gradient on.
pub const NO_ARGMAX: u8 = u8::MAX;

/// The geometry, `x`, and maxima and their indices to be written.
pub type MaxForward<T, I> = fn(&Pool2dGeometry, &[T], &mut [T], &mut [I]);

/// The geometry, the gradient of the maxima, their indices, and the gradient of `x` to be written.
pub type MaxBackward<T, I> = fn(&Pool2dGeometry, &[T], &[I], &mut [T]);

/// The windows, what is averaged or a gradient, and what is to be written.
pub type Average<T> = fn(&Pooled, &[T], &mut [T]);

/// The loops of max-pooling for one type of index.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // see their types
pub struct MaxPool<T: Element, I> {
    pub forward: MaxForward<T, I>,
    pub backward: MaxBackward<T, I>,
}

/// The loops for one element type.
#[derive(Debug, Clone, Copy)]
pub struct Pools<T: Element> {
    /// Windows of up to 256 elements.
    pub max: MaxPool<T, u8>,
    /// Larger windows.
    pub max_of_large: MaxPool<T, u32>,
    /// Maxima alone.
    pub maxima: fn(&Pool2dGeometry, &[T], &mut [T]),
    /// Means of the windows.
    pub average: Average<T>,
    /// The gradient of what was averaged.
    pub average_gradient: Average<T>,
}

impl<T: Element> Pools<T> {
    /// The functions of this folder.
    pub(super) const COMPILED: Self = Self {
        max: MaxPool { forward: max::forward, backward: max::backward },
        max_of_large: MaxPool { forward: max::forward, backward: max::backward },
        maxima: max::maxima,
        average: average::forward,
        average_gradient: average::backward,
    };
}

/// Pools `x`, writing maxima to `y` and their indices in the windows to `argmax` (both of the output's
/// size).
pub fn max_forward<T: Tables, I: WindowIndex>(
    g: &Pool2dGeometry,
    x: &[T],
    y: &mut [T],
    argmax: &mut [I],
) {
    (I::loops(T::pools()).forward)(g, x, y, argmax);
}

/// Pools `x`, writing maxima to `y`.
pub fn maxima<T: Tables>(g: &Pool2dGeometry, x: &[T], y: &mut [T]) {
    (T::pools().maxima)(g, x, y);
}

/// The gradient of a max-pool's input: each output's gradient goes to its maximum.
pub fn max_backward<T: Tables, I: WindowIndex>(
    g: &Pool2dGeometry,
    dy: &[T],
    argmax: &[I],
    dx: &mut [T],
) {
    (I::loops(T::pools()).backward)(g, dy, argmax, dx);
}

/// Means over the windows of `x`.
pub fn average_forward<T: Tables>(p: &Pooled, x: &[T], y: &mut [T]) {
    (T::pools().average)(p, x, y);
}

/// The gradient of an average-pool's input: each output's gradient, divided evenly over its window.
pub fn average_backward<T: Tables>(p: &Pooled, dy: &[T], dx: &mut [T]) {
    (T::pools().average_gradient)(p, dy, dx);
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
    use crate::kernels::geometry::{Padding, Pool2dOptions};

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

    /// Channels that fill vectors and do not, windows inside and over the border, and NaN: in single
    /// precision, which has vectors, as in double precision, which has none.
    #[test]
    fn vectors_agree_with_single_numbers() {
        let options = |window, stride| Pool2dOptions::new(window).stride(stride);
        let padded = options(3, 2).padding(Padding::symmetric(1));
        for channels in [1, 3, 4, 8, 15, 16, 17, 24, 33] {
            for options in [options(2, 2), options(3, 2), padded, options(17, 1)] {
                let g = Pool2dGeometry::new(&[2, 18, 19, channels], options).unwrap();
                let number = |i: usize| {
                    if i.is_multiple_of(401) { f64::NAN } else { (i * 7919 % 13) as f64 }
                };
                let x: Vec<f64> = (0..2 * g.input_len()).map(number).collect();
                agree::<u32>(&g, &x);
                if g.window_len() <= 256 {
                    agree::<u8>(&g, &x);
                }
            }
        }
    }

    fn agree<I: WindowIndex + Default + PartialEq>(g: &Pool2dGeometry, x: &[f64]) {
        let single: Vec<f32> = x.iter().map(|&v| v as f32).collect();
        let outputs = 2 * g.output_len();
        let (mut y, mut argmax) = (vec![0.0; outputs], vec![I::default(); outputs]);
        max_forward(g, x, &mut y, &mut argmax);
        let (mut y_single, mut argmax_single) =
            (vec![0.0f32; outputs], vec![I::default(); outputs]);
        max_forward(g, &single, &mut y_single, &mut argmax_single);
        let mut maxima_single = vec![0.0f32; outputs];
        maxima(g, &single, &mut maxima_single);
        for i in 0..outputs {
            let same = |v: f32| f64::from(v) == y[i] || v.is_nan() && y[i].is_nan();
            assert!(same(y_single[i]) && same(maxima_single[i]), "{g:?}, output {i}");
            assert!(argmax[i] == argmax_single[i], "{g:?}, output {i}");
        }
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

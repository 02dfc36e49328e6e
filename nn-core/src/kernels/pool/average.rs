//! Average pooling.

use super::for_each_band;
use crate::kernels::geometry::Pooled;
use crate::kernels::multiversion::{Multiversion, multiversion};
use crate::kernels::parallel;
use crate::tensor::Element;
use std::ops::Range;

/// Elements of a window from which on sums run in double precision.
const LONG: usize = 256;

/// [`average_forward`](super::average_forward).
pub(super) fn forward<T: Element>(p: &Pooled, x: &[T], y: &mut [T]) {
    if y.is_empty() {
        return; // its dimensions may be of any size
    }
    if p.rows.reach().saturating_mul(p.columns.reach()) < LONG {
        means::<T, T>(p, x, y);
    } else {
        means::<T, f64>(p, x, y);
    }
}

/// [`forward`] with sums of type `S`.
fn means<T: Element, S: Element>(p: &Pooled, x: &[T], y: &mut [T]) {
    let (c, row) = (p.channels, p.columns.output() * p.channels);
    let (pitch, image) = (p.columns.input() * c, p.rows.input() * p.columns.input() * c);
    // Large windows make few outputs from many inputs, which are what takes the time.
    let inputs = p.rows.reach().saturating_mul(pitch);
    let together = (parallel::CHUNK / inputs.max(1)).max(1);
    parallel::for_each_tile(y, p.rows.output() * row, together * row, |n, tile, y| {
        let mut sums = vec![S::zero(); c];
        let x = &x[n * image..][..image];
        multiversion(Means { p, x, first: tile * together, sums: &mut sums, y });
    });
}

/// The means of the windows of some rows, from row `first` of the output.
struct Means<'a, T, S> {
    p: &'a Pooled,
    x: &'a [T],
    first: usize,
    sums: &'a mut [S],
    y: &'a mut [T],
}

impl<T: Element, S: Element> Multiversion for Means<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { p, x, first, sums, y } = self;
        let (c, pitch) = (p.channels, p.columns.input() * p.channels);
        for (i, y) in y.chunks_exact_mut(p.columns.output() * c).enumerate() {
            let rows = p.rows.window(first + i);
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
                for (mean, &sum) in y.iter_mut().zip(sums.iter()) {
                    *mean = T::from_f64((sum * factor).as_f64());
                }
            }
        }
    }
}

/// [`average_backward`](super::average_backward).
pub(super) fn backward<T: Element>(p: &Pooled, dy: &[T], dx: &mut [T]) {
    for_each_band(p, dx, |n, band, dx| multiversion(Spread { p, n, band, dy, dx }));
}

/// The gradients of the rows `band` of image `n`.
struct Spread<'a, T> {
    p: &'a Pooled,
    n: usize,
    band: Range<usize>,
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Element> Multiversion for Spread<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { p, n, band, dy, dx } = self;
        let (c, row) = (p.channels, p.columns.output() * p.channels);
        let pitch = p.columns.input() * c;
        dx.fill(T::zero());
        for oy in p.rows.touching(&band) {
            let rows = p.rows.window(oy);
            let dy = &dy[(n * p.rows.output() + oy) * row..][..row];
            for wy in 0..rows.inside {
                let y = rows.first + wy * rows.step;
                if !band.contains(&y) {
                    continue;
                }
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
    }
}

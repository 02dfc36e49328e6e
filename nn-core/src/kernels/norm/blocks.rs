//! The loops of normalisation over blocks of rows, channel by channel.

use crate::kernels::multiversion::Multiversion;
use crate::tensor::Element;

/// A computation on each channel of some rows by itself.
pub(super) trait EachChannel {
    /// The number of channels.
    fn channels(&self) -> usize;

    /// Computes the `N` channels from `at` on, whose sums and coefficients stay in registers from row to
    /// row. Must be `#[inline(always)]`.
    fn run<const N: usize>(&mut self, at: usize);
}

/// Runs over all channels of some rows: sixteen at a time, a cache line of `f32`.
pub(super) struct Channels<C>(pub C);

impl<C: EachChannel> Multiversion for Channels<C> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (channels, mut at) = (self.0.channels(), 0);
        while at + 16 <= channels {
            self.0.run::<16>(at);
            at += 16;
        }
        if at + 8 <= channels {
            self.0.run::<8>(at);
            at += 8;
        }
        while at < channels {
            self.0.run::<1>(at);
            at += 1;
        }
    }
}

/// `N` elements from `at` on.
#[inline(always)]
fn lanes<T: Copy, const N: usize>(from: &[T], at: usize) -> [T; N] {
    let mut lanes = [from[at]; N];
    lanes.copy_from_slice(&from[at..at + N]);
    lanes
}

/// The means of the channels of some rows, and the sums of squared distances from them.
pub(super) struct BlockMoments<'a, T> {
    pub x: &'a [T],
    pub sums: &'a mut [f64],
}

impl<T: Element> EachChannel for BlockMoments<'_, T> {
    #[inline(always)]
    fn channels(&self) -> usize {
        self.sums.len() / 2
    }

    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let c = self.channels();
        let (mut mean, mut squares) = ([0.0; N], [0.0; N]);
        for row in self.x.chunks_exact(c) {
            let row = &row[at..at + N];
            for i in 0..N {
                mean[i] += row[i].as_f64();
            }
        }
        let rows = (self.x.len() / c) as f64;
        for i in 0..N {
            mean[i] /= rows;
        }
        for row in self.x.chunks_exact(c) {
            let row = &row[at..at + N];
            for i in 0..N {
                let distance = row[i].as_f64() - mean[i];
                squares[i] += distance * distance;
            }
        }
        self.sums[at..at + N].copy_from_slice(&mean);
        self.sums[c + at..c + at + N].copy_from_slice(&squares);
    }
}

/// `y = (x - mean) * scale + beta`.
pub(super) struct NormalizeBlock<'a, T> {
    pub x: &'a [T],
    pub mean: &'a [f64],
    pub scale: &'a [f64],
    pub beta: &'a [T],
    pub y: &'a mut [T],
}

impl<T: Element> EachChannel for NormalizeBlock<'_, T> {
    #[inline(always)]
    fn channels(&self) -> usize {
        self.mean.len()
    }

    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let c = self.channels();
        let (mean, scale) = (lanes::<_, N>(self.mean, at), lanes::<_, N>(self.scale, at));
        let beta = lanes::<_, N>(self.beta, at).map(T::as_f64);
        for (y, x) in self.y.chunks_exact_mut(c).zip(self.x.chunks_exact(c)) {
            let (y, x) = (&mut y[at..at + N], &x[at..at + N]);
            for i in 0..N {
                let distance = x[i].as_f64() - mean[i];
                y[i] = T::from_f64(distance * scale[i] + beta[i]);
            }
        }
    }
}

/// Of each channel of some rows the sum of `dy`, and that of `dy * (x - mean)`.
pub(super) struct BlockSums<'a, T> {
    pub x: &'a [T],
    pub dy: &'a [T],
    pub mean: &'a [f64],
    pub sums: &'a mut [f64],
}

impl<T: Element> EachChannel for BlockSums<'_, T> {
    #[inline(always)]
    fn channels(&self) -> usize {
        self.mean.len()
    }

    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let c = self.channels();
        let mean = lanes::<_, N>(self.mean, at);
        let (mut plain, mut weighted) = ([0.0; N], [0.0; N]);
        for (x, dy) in self.x.chunks_exact(c).zip(self.dy.chunks_exact(c)) {
            let (x, dy) = (&x[at..at + N], &dy[at..at + N]);
            for i in 0..N {
                let gradient = dy[i].as_f64();
                plain[i] += gradient;
                weighted[i] += gradient * (x[i].as_f64() - mean[i]);
            }
        }
        self.sums[at..at + N].copy_from_slice(&plain);
        self.sums[c + at..c + at + N].copy_from_slice(&weighted);
    }
}

/// `dx = factor * dy - offset - slope * (x - mean)`, with the three coefficients of each channel, in place
/// of `dy`.
pub(super) struct GradientBlock<'a, T> {
    pub x: &'a [T],
    pub mean: &'a [f64],
    pub coefficients: &'a [f64],
    pub dy: &'a mut [T],
}

impl<T: Element> EachChannel for GradientBlock<'_, T> {
    #[inline(always)]
    fn channels(&self) -> usize {
        self.mean.len()
    }

    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let c = self.channels();
        let mean = lanes::<_, N>(self.mean, at);
        let factor = lanes::<_, N>(self.coefficients, at);
        let offset = lanes::<_, N>(self.coefficients, c + at);
        let slope = lanes::<_, N>(self.coefficients, 2 * c + at);
        for (dy, x) in self.dy.chunks_exact_mut(c).zip(self.x.chunks_exact(c)) {
            let (dy, x) = (&mut dy[at..at + N], &x[at..at + N]);
            for i in 0..N {
                let distance = x[i].as_f64() - mean[i];
                let gradient = factor[i] * dy[i].as_f64();
                dy[i] = T::from_f64(gradient - offset[i] - slope[i] * distance);
            }
        }
    }
}

//! The loops of normalisation over blocks of rows, channel by channel.
//!
//! Rows are read one after the other, from end to end, as memory delivers them fastest; sums and coefficients
//! of all channels lie in the nearest cache. Few channels make short rows: several of them are taken as one
//! wide row, for which coefficients are repeated and sums are kept apart until the end ([`Width`]).

use crate::kernels::bounds::Bounds;
use crate::kernels::multiversion::Multiversion;
use crate::tensor::Element;

/// How many rows are taken as one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Width {
    pub channels: usize,
    pub repeats: usize,
}

impl Width {
    /// For rows of a block of at least `rows` rows.
    pub fn new(channels: usize, rows: usize) -> Self {
        // So many numbers are whole vectors, and not too many for the nearest cache.
        const LEAST: usize = 64;
        const MOST: usize = 1024;
        let mut repeats = 16 >> channels.trailing_zeros().min(4);
        while repeats * channels < LEAST {
            repeats *= 2;
        }
        let pays = repeats * channels <= MOST && repeats * 4 <= rows;
        Self { channels, repeats: if pays { repeats } else { 1 } }
    }

    /// The numbers of a wide row.
    pub fn len(self) -> usize {
        self.channels * self.repeats
    }

    /// Fills each part of `coefficients`, of a wide row each, with the numbers of `f`, one for each part.
    pub fn fill<T: Copy, const N: usize>(
        self,
        coefficients: &mut [T],
        f: impl Fn(usize) -> [T; N],
    ) {
        let len = self.len();
        for channel in 0..self.channels {
            for (part, value) in f(channel).into_iter().enumerate() {
                coefficients[part * len + channel] = value;
            }
        }
        for part in coefficients.chunks_exact_mut(len) {
            for at in (self.channels..len).step_by(self.channels) {
                part.copy_within(..self.channels, at);
            }
        }
    }

    /// Adds up what sums of a wide row have for each channel, in its first row.
    fn gather(self, sums: &mut [f64]) {
        let (first, rest) = sums[..self.len()].split_at_mut(self.channels);
        for more in rest.chunks_exact(self.channels) {
            first.iter_mut().zip(more).for_each(|(sum, &v)| *sum += v);
        }
    }
}

/// A computation on each channel of some rows by itself.
pub(super) trait EachChannel {
    /// Before the first row.
    fn start(&mut self) {}

    /// Computes `N` channels from `at` on, of the row that begins with element `row`. Must be
    /// `#[inline(always)]`.
    fn run<const N: usize>(&mut self, row: usize, at: usize);

    /// After the last row.
    fn finish(&mut self) {}
}

/// Runs over `len` numbers of rows: sixteen at a time, a cache line of `f32`.
pub(super) struct Channels<C> {
    pub width: Width,
    pub len: usize,
    pub each: C,
}

impl<C: EachChannel> Multiversion for Channels<C> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (wide, channels) = (self.width.len(), self.width.channels);
        let whole = self.len - self.len % wide;
        self.each.start();
        for row in (0..whole).step_by(wide) {
            self.row(row, wide);
        }
        for row in (whole..self.len).step_by(channels) {
            self.row(row, channels);
        }
        self.each.finish();
    }
}

impl<C: EachChannel> Channels<C> {
    #[inline(always)]
    fn row(&mut self, row: usize, len: usize) {
        let mut at = 0;
        while at + 16 <= len {
            self.each.run::<16>(row, at);
            at += 16;
        }
        if at + 8 <= len {
            self.each.run::<8>(row, at);
            at += 8;
        }
        while at < len {
            self.each.run::<1>(row, at);
            at += 1;
        }
    }
}

/// `N` elements from `at` on.
#[inline(always)]
fn lanes<T: Copy, const N: usize>(from: &[T], at: usize) -> [T; N] {
    // A reference to an array, so that it is loaded as a whole: pieces would wait for each other in memory.
    let Some(lanes) = from[at..].first_chunk() else { unreachable!("rows are whole") };
    *lanes
}

/// The means of the channels of some rows, and the sums of squared distances from them.
///
/// In one pass: the distances summed up are those from the first row, so that nothing is lost where a mean is
/// large.
pub(super) struct BlockMoments<'a, T> {
    pub width: Width,
    pub x: &'a [T],
    /// Two parts of the length of a wide row.
    pub sums: &'a mut [f64],
    /// A wide row.
    pub centre: &'a mut [f64],
}

impl<T: Element> EachChannel for BlockMoments<'_, T> {
    #[inline(always)]
    fn start(&mut self) {
        self.sums.fill(0.0);
        let x = self.x;
        self.width.fill(self.centre, |channel| [x[channel].as_f64()]);
    }

    #[inline(always)]
    fn run<const N: usize>(&mut self, row: usize, at: usize) {
        let second = self.width.len() + at;
        let centre = lanes::<_, N>(self.centre, at);
        let mut plain = lanes::<_, N>(self.sums, at);
        let mut squares = lanes::<_, N>(self.sums, second);
        let x = lanes::<_, N>(self.x, row + at);
        for i in 0..N {
            let distance = x[i].as_f64() - centre[i];
            plain[i] += distance;
            squares[i] += distance * distance;
        }
        self.sums[at..at + N].copy_from_slice(&plain);
        self.sums[second..second + N].copy_from_slice(&squares);
    }

    #[inline(always)]
    fn finish(&mut self) {
        let (c, len) = (self.width.channels, self.width.len());
        let (plain, squares) = self.sums.split_at_mut(len);
        self.width.gather(plain);
        self.width.gather(squares);
        let rows = (self.x.len() / c) as f64;
        for i in 0..c {
            let mean = plain[i] / rows;
            squares[i] = (squares[i] - plain[i] * mean).max(0.0);
            plain[i] = self.centre[i] + mean;
        }
    }
}

/// `y = (x - centre) * scale + shift`, within bounds.
pub(super) struct NormalizeBlock<'a, T> {
    pub width: Width,
    pub x: &'a [T],
    /// Centre, scale and shift, each of the length of a wide row.
    pub coefficients: &'a [T],
    pub bounds: Bounds<T>,
    pub y: &'a mut [T],
}

impl<T: Element> EachChannel for NormalizeBlock<'_, T> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, row: usize, at: usize) {
        let normal = Normal::<T, N>::read(self.coefficients, self.width.len(), at);
        let x = lanes::<_, N>(self.x, row + at);
        let y = &mut self.y[row + at..row + at + N];
        for i in 0..N {
            y[i] = self.bounds.clamp(normal.value(i, x[i]));
        }
    }
}

/// The coefficients of some channels.
struct Normal<T, const N: usize> {
    centre: [T; N],
    scale: [T; N],
    shift: [T; N],
}

impl<T: Element, const N: usize> Normal<T, N> {
    #[inline(always)]
    fn read(coefficients: &[T], len: usize, at: usize) -> Self {
        Self {
            centre: lanes(coefficients, at),
            scale: lanes(coefficients, len + at),
            shift: lanes(coefficients, 2 * len + at),
        }
    }

    #[inline(always)]
    fn value(&self, i: usize, x: T) -> T {
        (x - self.centre[i]) * self.scale[i] + self.shift[i]
    }
}

/// Of each channel of some rows the sum of `dy` where the value lies within bounds, and that of
/// `dy * (x - centre)`.
pub(super) struct BlockSums<'a, T> {
    pub width: Width,
    pub x: &'a [T],
    pub dy: &'a [T],
    /// As for [`NormalizeBlock`].
    pub coefficients: &'a [T],
    pub bounds: Bounds<T>,
    /// Two parts of the length of a wide row.
    pub sums: &'a mut [f64],
}

impl<T: Element> EachChannel for BlockSums<'_, T> {
    #[inline(always)]
    fn start(&mut self) {
        self.sums.fill(0.0);
    }

    #[inline(always)]
    fn run<const N: usize>(&mut self, row: usize, at: usize) {
        let second = self.width.len() + at;
        let normal = Normal::<T, N>::read(self.coefficients, self.width.len(), at);
        let mut plain = lanes::<_, N>(self.sums, at);
        let mut weighted = lanes::<_, N>(self.sums, second);
        let (x, dy) = (lanes::<_, N>(self.x, row + at), lanes::<_, N>(self.dy, row + at));
        let mut gradient = dy;
        for i in 0..N {
            gradient[i] = self.bounds.pass(normal.value(i, x[i]), dy[i]);
        }
        for i in 0..N {
            plain[i] += gradient[i].as_f64();
            let distance = x[i].as_f64() - normal.centre[i].as_f64();
            weighted[i] += gradient[i].as_f64() * distance;
        }
        self.sums[at..at + N].copy_from_slice(&plain);
        self.sums[second..second + N].copy_from_slice(&weighted);
    }

    #[inline(always)]
    fn finish(&mut self) {
        let (plain, weighted) = self.sums.split_at_mut(self.width.len());
        self.width.gather(plain);
        self.width.gather(weighted);
    }
}

/// `dx = dy * scale - (x - centre) * slope - rest`, in place of `dy`, which is 0 where the value is out
/// of bounds. In double precision: of gradients that nearly cancel, little is left.
pub(super) struct GradientBlock<'a, T> {
    pub width: Width,
    pub x: &'a [T],
    /// As for [`NormalizeBlock`].
    pub coefficients: &'a [T],
    /// Scale, slope and rest, each of the length of a wide row.
    pub slopes: &'a [f64],
    pub bounds: Bounds<T>,
    pub dy: &'a mut [T],
}

impl<T: Element> Multiversion for GradientBlock<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (wide, channels) = (self.width.len(), self.width.channels);
        let whole = self.x.len() - self.x.len() % wide;
        for row in (0..whole).step_by(wide) {
            self.row(row, wide);
        }
        for row in (whole..self.x.len()).step_by(channels) {
            self.row(row, channels);
        }
    }
}

impl<T: Element> GradientBlock<'_, T> {
    /// One plain loop, of which the compiler makes vectors of both precisions.
    #[inline(always)]
    fn row(&mut self, row: usize, len: usize) {
        let wide = self.width.len();
        let [centre, factor, shift] = [0, 1, 2].map(|i| &self.coefficients[i * wide..][..len]);
        let [scale, slope, rest] = [0, 1, 2].map(|i| &self.slopes[i * wide..][..len]);
        let (x, dy) = (&self.x[row..][..len], &mut self.dy[row..][..len]);
        for i in 0..len {
            let value = (x[i] - centre[i]) * factor[i] + shift[i];
            let gradient = self.bounds.pass(value, dy[i]).as_f64();
            let distance = x[i].as_f64() - centre[i].as_f64();
            dy[i] = T::from_f64(gradient * scale[i] - distance * slope[i] - rest[i]);
        }
    }
}

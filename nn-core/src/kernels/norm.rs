//! Normalisation: mean and variance of parts of an array, and what follows from them.
//!
//! One view serves batch, layer, group and instance normalisation: `samples` of `positions` of `channels`,
//! the channels in `groups` of equal size. Each group of each sample has a mean and a variance. Batch
//! normalisation sees the whole batch as one sample and each channel as a group; layer normalisation sees
//! each row as a sample of one position and one group.
//!
//! Means, variances, all sums and the gradients of blocks are computed in double precision. Variances are sums
//! of squared distances from the first row of a block, in one pass; blocks are merged with the formula of Chan,
//! Golub and LeVeque (1983). Values are in their own precision, as distances from the mean: what rounding takes off the mean
//! is added to the offset. So nothing cancels for large means, and memory is read once. Blocks depend on sizes
//! alone and are merged in order: the number of threads changes no bit.
//!
//! A ReLU behind a normalisation is a bound of its values. The backward pass computes them again to see which
//! ones it stopped, which takes less than to read them.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `multiversion`

mod blocks;
mod rows;

use super::bounds::Bounds;
use super::multiversion::{Multiversion, multiversion};
use super::parallel::{CHUNK, for_each_chunk, for_each_tile_of_two};
use crate::tensor::{BufferPool, Element};
use blocks::{BlockMoments, BlockSums, Channels, GradientBlock, NormalizeBlock, Width};
use rows::{RowGradient, RowMoments, RowNormalize};

/// How an array is seen; see above.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the names are the documentation
pub struct Parts {
    pub samples: usize,
    pub positions: usize,
    pub channels: usize,
    pub groups: usize,
}

/// The statistics of each group of each sample, and the settings per channel.
#[derive(Debug, Clone, Copy)]
pub struct Statistics<'a, T> {
    /// Means.
    pub mean: &'a [f64],
    /// `1 / sqrt(variance + epsilon)`.
    pub inverse: &'a [f64],
    /// Factor of each channel.
    pub gamma: &'a [T],
    /// Offset of each channel.
    pub beta: &'a [T],
    /// Of the values.
    pub bounds: Bounds<T>,
}

/// `x`, and means and variances to be written.
pub type Moments<T> = fn(Parts, &[T], &mut [f64], &mut [f64], &BufferPool<T>);

/// `x`, its statistics, and `y` to be written.
pub type Normalize<T> = fn(Parts, &[T], Statistics<'_, T>, &mut [T]);

/// `x`, its statistics, whether these are constants, the gradient, and the gradients of each channel's
/// factor and offset to be written. The gradient becomes that of `x`.
pub type Gradient<T> =
    fn(Parts, &[T], Statistics<'_, T>, bool, &mut [T], (&mut [f64], &mut [f64]), &BufferPool<T>);

/// The functions for one element type.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // see their types
pub struct Norms<T: Element> {
    pub moments: Moments<T>,
    pub normalize: Normalize<T>,
    pub gradient: Gradient<T>,
}

impl<T: Element> Norms<T> {
    /// The functions of this file.
    pub(super) const COMPILED: Self = Self { moments, normalize, gradient };
}

impl Parts {
    fn sample_len(&self) -> usize {
        self.positions * self.channels
    }

    fn group_len(&self) -> usize {
        self.channels / self.groups
    }

    /// Rows of a block: enough to be worth a task, and that merging the sums of all blocks takes little time.
    fn block(&self) -> usize {
        const BLOCKS: usize = 64;
        (CHUNK / self.channels).max(32).max(self.positions.div_ceil(BLOCKS))
    }

    fn width(&self) -> Width {
        Width::new(self.channels, self.block().min(self.positions))
    }

    fn blocks(&self) -> usize {
        self.positions.div_ceil(self.block())
    }

    /// Samples of one task.
    fn together(&self) -> usize {
        (CHUNK / self.sample_len()).max(1)
    }
}

impl<'a, T> Statistics<'a, T> {
    /// Those of some groups, counted over all samples.
    fn of(self, groups: std::ops::Range<usize>) -> Self {
        Self { mean: &self.mean[groups.clone()], inverse: &self.inverse[groups], ..self }
    }
}

impl<T: Element> Statistics<'_, T> {
    /// Centre, scale and shift of a channel, of statistics of one sample:
    /// `y = (x - centre) * scale + shift`.
    fn normal(&self, p: &Parts, channel: usize) -> [T; 3] {
        let scale = self.scale(p, channel);
        let shift = self.beta[channel].as_f64() - self.rounded_off(p, channel) * scale;
        [T::from_f64(self.mean[channel / p.group_len()]), T::from_f64(scale), T::from_f64(shift)]
    }

    fn scale(&self, p: &Parts, channel: usize) -> f64 {
        self.inverse[channel / p.group_len()] * self.gamma[channel].as_f64()
    }

    /// What the mean of a channel has beyond its centre.
    fn rounded_off(&self, p: &Parts, channel: usize) -> f64 {
        let mean = self.mean[channel / p.group_len()];
        mean - T::from_f64(mean).as_f64()
    }
}

fn moments<T: Element>(
    p: Parts,
    x: &[T],
    mean: &mut [f64],
    variance: &mut [f64],
    pool: &BufferPool<T>,
) {
    if x.is_empty() {
        return;
    }
    let (c, together) = (p.channels, p.together());
    let whole = (mean.len(), together * p.groups);
    for_each_tile_of_two(
        (mean, whole.0, whole.1),
        (variance, whole.0, whole.1),
        |_, task, mean, variance| {
            if p.positions == 1 {
                let x = &x[task * together * c..][..mean.len() * p.group_len()];
                return multiversion(RowMoments { len: p.group_len(), x, mean, variance });
            }
            let width = p.width();
            let len = width.len();
            let mut sums = pool.scratch_of::<f64>(p.blocks() * 3 * len);
            let outputs = mean.chunks_exact_mut(p.groups).zip(variance.chunks_exact_mut(p.groups));
            for (i, (mean, variance)) in outputs.enumerate() {
                let sample = task * together + i;
                let x = &x[sample * p.sample_len()..][..p.sample_len()];
                for_each_chunk(&mut sums, 3 * len, |block, sums| {
                    let x = rows_of_block(&p, x, block);
                    let (sums, centre) = sums.split_at_mut(2 * len);
                    let each = BlockMoments { width, x, sums, centre };
                    multiversion(Channels { width, len: x.len(), each });
                });
                let (total, rest) = sums.split_at_mut(3 * len);
                let mut rows = p.block().min(p.positions);
                for block in rest.chunks_exact(3 * len) {
                    let more = p.block().min(p.positions - rows);
                    multiversion(Merge {
                        width,
                        total,
                        rows: rows as f64,
                        block,
                        more: more as f64,
                    });
                    rows += more;
                }
                multiversion(GroupMoments { p, width, channels: total, mean, variance });
            }
        },
    );
}

/// The rows of a block of a sample `x`.
fn rows_of_block<'a, T>(p: &Parts, x: &'a [T], block: usize) -> &'a [T] {
    let from = block * p.block() * p.channels;
    &x[from..(from + p.block() * p.channels).min(x.len())]
}

/// Merges means and sums of squared distances of `more` rows into those of `rows`.
struct Merge<'a> {
    width: Width,
    total: &'a mut [f64],
    rows: f64,
    block: &'a [f64],
    more: f64,
}

impl Multiversion for Merge<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { width, total, rows, block, more } = self;
        let (mean, squares) = total.split_at_mut(width.len());
        let (of_block, squares_of_block) = block.split_at(width.len());
        let (share, weight) = (more / (rows + more), rows * more / (rows + more));
        for i in 0..width.channels {
            let distance = of_block[i] - mean[i];
            mean[i] += distance * share;
            squares[i] += squares_of_block[i] + distance * distance * weight;
        }
    }
}

/// Mean and variance of each group, from means and squared distances of the channels of a sample.
struct GroupMoments<'a> {
    p: Parts,
    width: Width,
    channels: &'a [f64],
    mean: &'a mut [f64],
    variance: &'a mut [f64],
}

impl Multiversion for GroupMoments<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { p, width, channels, mean, variance } = self;
        let (means, squares) = channels.split_at(width.len());
        let (len, rows) = (p.group_len(), p.positions as f64);
        for g in 0..p.groups {
            let (means, squares) = (&means[g * len..][..len], &squares[g * len..][..len]);
            let centre = sum(len, |i| means[i]) / len as f64;
            let apart = sum(len, |i| (means[i] - centre) * (means[i] - centre));
            let within = sum(len, |i| squares[i]);
            mean[g] = centre;
            variance[g] = (within + rows * apart) / (rows * len as f64);
        }
    }
}

/// The sum of `f(0)`, .., `f(len - 1)`, in eight interleaved sums: with one, each addition would wait for
/// the previous one.
#[inline(always)]
fn sum(len: usize, f: impl Fn(usize) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let whole = len - len % 8;
    for at in (0..whole).step_by(8) {
        for lane in 0..8 {
            sums[lane] += f(at + lane);
        }
    }
    for at in whole..len {
        sums[at - whole] += f(at);
    }
    sums.iter().sum()
}

fn normalize<T: Element>(p: Parts, x: &[T], s: Statistics<'_, T>, y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let (len, together, block) = (p.sample_len(), p.together(), p.block() * p.channels);
    for_each_chunk(y, len * together, |task, y| {
        if p.positions == 1 {
            let x = &x[task * together * len..][..y.len()];
            let first = task * together * p.groups;
            let s = s.of(first..first + y.len() / p.group_len());
            return multiversion(RowNormalize { p, x, s, y });
        }
        let width = p.width();
        let mut coefficients = vec![T::zero(); 3 * width.len()];
        for (i, y) in y.chunks_exact_mut(len).enumerate() {
            let sample = task * together + i;
            let s = s.of(sample * p.groups..(sample + 1) * p.groups);
            width.fill(&mut coefficients, |channel| s.normal(&p, channel));
            let (x, coefficients) = (&x[sample * len..][..len], &*coefficients);
            for_each_chunk(y, block, |i, y| {
                let x = rows_of_block(&p, x, i);
                let each = NormalizeBlock { width, x, coefficients, bounds: s.bounds, y };
                multiversion(Channels { width, len: x.len(), each });
            });
        }
    });
}

fn gradient<T: Element>(
    p: Parts,
    x: &[T],
    s: Statistics<'_, T>,
    constant: bool,
    dy: &mut [T],
    (d_gamma, d_beta): (&mut [f64], &mut [f64]),
    pool: &BufferPool<T>,
) {
    d_gamma.fill(0.0);
    d_beta.fill(0.0);
    if dy.is_empty() {
        return;
    }
    let (c, len, together) = (p.channels, p.sample_len(), p.together());
    let mut partial = pool.scratch_of::<f64>(p.samples.div_ceil(together) * 2 * c);
    let whole = (dy.len(), partial.len());
    for_each_tile_of_two(
        (dy, whole.0, len * together),
        (&mut partial, whole.1, 2 * c),
        |_, task, dy, partial| {
            partial.fill(0.0);
            if p.positions == 1 {
                let x = &x[task * together * len..][..dy.len()];
                let first = task * together * p.groups;
                let s = s.of(first..first + dy.len() / p.group_len());
                return multiversion(RowGradient { p, x, s, constant, dy, partial });
            }
            let (width, bounds) = (p.width(), s.bounds);
            let wide = width.len();
            let mut sums = pool.scratch_of::<f64>(p.blocks() * 2 * wide);
            let mut slopes = pool.scratch_of::<f64>(2 * c);
            let mut wide_slopes = pool.scratch_of::<f64>(3 * wide);
            let mut coefficients = vec![T::zero(); 3 * wide];
            for (i, dy) in dy.chunks_exact_mut(len).enumerate() {
                let sample = task * together + i;
                let s = s.of(sample * p.groups..(sample + 1) * p.groups);
                let x = &x[sample * len..][..len];
                width.fill(&mut coefficients, |channel| s.normal(&p, channel));
                let (normal, of_y) = (&*coefficients, &*dy);
                for_each_chunk(&mut sums, 2 * wide, |block, sums| {
                    let (x, dy) = (rows_of_block(&p, x, block), rows_of_block(&p, of_y, block));
                    let each = BlockSums { width, x, dy, coefficients: normal, bounds, sums };
                    multiversion(Channels { width, len: x.len(), each });
                });
                let (total, rest) = sums.split_at_mut(2 * wide);
                for block in rest.chunks_exact(2 * wide) {
                    total.iter_mut().zip(block).for_each(|(total, v)| *total += v);
                }
                let (plain, weighted) = total.split_at_mut(wide);
                for channel in 0..c {
                    // Those of distances from the mean, which the centre is but for rounding.
                    weighted[channel] -= s.rounded_off(&p, channel) * plain[channel];
                }
                let sums = (&plain[..c], &weighted[..c]);
                multiversion(GroupSlopes { p, s, constant, sums, partial, slopes: &mut slopes });
                let (slope, offset) = slopes.split_at(c);
                width.fill(&mut wide_slopes, |channel| {
                    let rounded_off = slope[channel] * s.rounded_off(&p, channel);
                    [s.scale(&p, channel), slope[channel], offset[channel] - rounded_off]
                });
                let (coefficients, slopes) = (&*coefficients, &*wide_slopes);
                for_each_chunk(dy, p.block() * c, |block, dy| {
                    let x = rows_of_block(&p, x, block);
                    multiversion(GradientBlock { width, x, coefficients, slopes, bounds, dy });
                });
            }
        },
    );
    for partial in partial.chunks_exact(2 * c) {
        for i in 0..c {
            d_beta[i] += partial[i];
            d_gamma[i] += partial[c + i];
        }
    }
}

/// From the sums of a sample its share in the gradients of `beta` and `gamma`, and the slope and the offset of
/// each channel: `dx = dy * scale - offset - (x - mean) * slope`.
struct GroupSlopes<'a, T> {
    p: Parts,
    /// Those of the sample.
    s: Statistics<'a, T>,
    constant: bool,
    /// Of each channel those of `dy` and of `dy * (x - mean)`.
    sums: (&'a [f64], &'a [f64]),
    partial: &'a mut [f64],
    slopes: &'a mut [f64],
}

impl<T: Element> Multiversion for GroupSlopes<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { p, s, constant, sums: (plain, weighted), partial, slopes } = self;
        let (c, len) = (p.channels, p.group_len());
        let count = (p.positions * len) as f64;
        for g in 0..p.groups {
            let (first, inverse) = (g * len, s.inverse[g]);
            let of = |sums: &[f64]| {
                let factor = |i: usize| s.gamma[first + i].as_f64() * inverse;
                if constant { 0.0 } else { sum(len, |i| factor(i) * sums[first + i]) / count }
            };
            let (offset, slope) = (of(plain), of(weighted) * inverse * inverse);
            for i in first..first + len {
                slopes[i] = slope;
                slopes[c + i] = offset;
                partial[i] += plain[i];
                partial[c + i] += weighted[i] * inverse;
            }
        }
    }
}

//! Normalisation: mean and variance of parts of an array, and what follows from them.
//!
//! One view serves batch, layer, group and instance normalisation: `samples` of `positions` of `channels`,
//! the channels in `groups` of equal size. Each group of each sample has a mean and a variance. Batch
//! normalisation sees the whole batch as one sample and each channel as a group; layer normalisation sees
//! each row as a sample of one position and one group.
//!
//! Everything is computed in double precision and rounded once. Variances are sums of squared distances
//! from the mean of a block of rows; blocks are merged with the formula of Chan, Golub and LeVeque (1983).
//! So nothing cancels for large means, and memory is read once. Blocks depend on sizes alone and are merged
//! in order: the number of threads changes no bit.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `multiversion`

mod blocks;
mod rows;

use super::multiversion::{Multiversion, multiversion};
use super::parallel::{CHUNK, for_each_chunk, for_each_tile_of_two};
use crate::tensor::{BufferPool, Element};
use blocks::{BlockMoments, BlockSums, Channels, GradientBlock, NormalizeBlock};
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
}

/// `x`, and means and variances to be written.
pub type Moments<T> = fn(Parts, &[T], &mut [f64], &mut [f64], &BufferPool<T>);

/// `x`, its statistics, `beta`, and `y` to be written.
pub type Normalize<T> = fn(Parts, &[T], Statistics<'_, T>, &[T], &mut [T]);

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

    /// Rows of a block: enough that its sums take little memory beside it, few enough to stay in cache.
    fn block(&self) -> usize {
        (CHUNK / self.channels).max(32)
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
            let mut sums = pool.scratch_of::<f64>(p.blocks() * 2 * c);
            let outputs = mean.chunks_exact_mut(p.groups).zip(variance.chunks_exact_mut(p.groups));
            for (i, (mean, variance)) in outputs.enumerate() {
                let sample = task * together + i;
                let x = &x[sample * p.sample_len()..][..p.sample_len()];
                for_each_chunk(&mut sums, 2 * c, |block, sums| {
                    let x = rows_of_block(&p, x, block);
                    multiversion(Channels(BlockMoments { x, sums }));
                });
                let (total, rest) = sums.split_at_mut(2 * c);
                let mut rows = p.block().min(p.positions);
                for block in rest.chunks_exact(2 * c) {
                    let more = p.block().min(p.positions - rows);
                    merge(total, rows as f64, block, more as f64);
                    rows += more;
                }
                multiversion(GroupMoments { p, channels: total, mean, variance });
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
fn merge(total: &mut [f64], rows: f64, block: &[f64], more: f64) {
    let c = total.len() / 2;
    let (mean, squares) = total.split_at_mut(c);
    let (share, weight) = (more / (rows + more), rows * more / (rows + more));
    for i in 0..c {
        let distance = block[i] - mean[i];
        mean[i] += distance * share;
        squares[i] += block[c + i] + distance * distance * weight;
    }
}

/// Mean and variance of each group, from means and squared distances of the channels of a sample.
struct GroupMoments<'a> {
    p: Parts,
    channels: &'a [f64],
    mean: &'a mut [f64],
    variance: &'a mut [f64],
}

impl Multiversion for GroupMoments<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { p, channels, mean, variance } = self;
        let (means, squares) = channels.split_at(p.channels);
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

fn normalize<T: Element>(p: Parts, x: &[T], s: Statistics<'_, T>, beta: &[T], y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let (len, together, block) = (p.sample_len(), p.together(), p.block() * p.channels);
    for_each_chunk(y, len * together, |task, y| {
        if p.positions == 1 {
            let x = &x[task * together * len..][..y.len()];
            let first = task * together * p.groups;
            let s = s.of(first..first + y.len() / p.group_len());
            return multiversion(RowNormalize { p, x, s, beta, y });
        }
        let mut coefficients = vec![0.0; 2 * p.channels];
        let (mean, scale) = coefficients.split_at_mut(p.channels);
        for (i, y) in y.chunks_exact_mut(len).enumerate() {
            let sample = task * together + i;
            let inverse = expand(&p, s, sample, mean);
            for (c, scale) in scale.iter_mut().enumerate() {
                *scale = inverse[c / p.group_len()] * s.gamma[c].as_f64();
            }
            let x = &x[sample * len..][..len];
            let (mean, scale) = (&*mean, &*scale);
            for_each_chunk(y, block, |i, y| {
                let x = rows_of_block(&p, x, i);
                multiversion(Channels(NormalizeBlock { x, mean, scale, beta, y }));
            });
        }
    });
}

/// Writes the mean of each channel of a sample, and returns the inverse deviations of its groups.
fn expand<'a, T>(p: &Parts, s: Statistics<'a, T>, sample: usize, mean: &mut [f64]) -> &'a [f64] {
    let groups = sample * p.groups..(sample + 1) * p.groups;
    for (mean, &of_group) in mean.chunks_exact_mut(p.group_len()).zip(&s.mean[groups.clone()]) {
        mean.fill(of_group);
    }
    &s.inverse[groups]
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
            let mut sums = pool.scratch_of::<f64>(p.blocks() * 2 * c);
            let mut coefficients = pool.scratch_of::<f64>(4 * c);
            for (i, dy) in dy.chunks_exact_mut(len).enumerate() {
                let sample = task * together + i;
                let x = &x[sample * len..][..len];
                let (mean, coefficients) = coefficients.split_at_mut(c);
                let inverse = expand(&p, s, sample, mean);
                let (mean, of_y) = (&*mean, &*dy);
                for_each_chunk(&mut sums, 2 * c, |block, sums| {
                    let (x, dy) = (rows_of_block(&p, x, block), rows_of_block(&p, of_y, block));
                    multiversion(Channels(BlockSums { x, dy, mean, sums }));
                });
                let (total, rest) = sums.split_at_mut(2 * c);
                for block in rest.chunks_exact(2 * c) {
                    total.iter_mut().zip(block).for_each(|(total, v)| *total += v);
                }
                multiversion(SampleGradient {
                    p,
                    inverse,
                    gamma: s.gamma,
                    constant,
                    sums: total,
                    partial,
                    coefficients,
                });
                let coefficients = &*coefficients;
                for_each_chunk(dy, p.block() * c, |block, dy| {
                    let x = rows_of_block(&p, x, block);
                    multiversion(Channels(GradientBlock { x, mean, coefficients, dy }));
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

/// From the sums of a sample its share in the gradients of `beta` and `gamma`, and the coefficients of
/// [`GradientBlock`].
struct SampleGradient<'a, T> {
    p: Parts,
    inverse: &'a [f64],
    gamma: &'a [T],
    constant: bool,
    sums: &'a [f64],
    partial: &'a mut [f64],
    coefficients: &'a mut [f64],
}

impl<T: Element> Multiversion for SampleGradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { p, inverse, gamma, constant, sums, partial, coefficients } = self;
        let (c, len) = (p.channels, p.group_len());
        let count = (p.positions * len) as f64;
        let (plain, weighted) = sums.split_at(c);
        for g in 0..p.groups {
            let (first, inverse) = (g * len, inverse[g]);
            let factor = |i: usize| gamma[first + i].as_f64() * inverse;
            let of = |sums: &[f64]| {
                if constant { 0.0 } else { sum(len, |i| factor(i) * sums[first + i]) / count }
            };
            let (offset, slope) = (of(plain), of(weighted) * inverse * inverse);
            for i in 0..len {
                coefficients[first + i] = factor(i);
                coefficients[c + first + i] = offset;
                coefficients[2 * c + first + i] = slope;
                partial[first + i] += plain[first + i];
                partial[c + first + i] += weighted[first + i] * inverse;
            }
        }
    }
}

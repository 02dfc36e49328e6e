//! Normalisation where each sample has one position: the rows of layer normalisation. The numbers of a group
//! lie side by side, so that each row is read while it is in cache.

use super::{Parts, Statistics, sum};
use crate::kernels::multiversion::Multiversion;
use crate::tensor::Element;

/// Mean and variance of each group of some rows.
pub(super) struct RowMoments<'a, T> {
    pub len: usize,
    pub x: &'a [T],
    pub mean: &'a mut [f64],
    pub variance: &'a mut [f64],
}

impl<T: Element> Multiversion for RowMoments<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { len, x, mean, variance } = self;
        for (i, x) in x.chunks_exact(len).enumerate() {
            let centre = sum(len, |j| x[j].as_f64()) / len as f64;
            let distance = |j: usize| x[j].as_f64() - centre;
            mean[i] = centre;
            variance[i] = sum(len, |j| distance(j) * distance(j)) / len as f64;
        }
    }
}

/// The mean of a row in its own precision, what rounding took off it, and the inverse deviation.
#[inline(always)]
fn normal<T: Element>(s: &Statistics<'_, T>, row: usize) -> (T, T, T) {
    let mean = T::from_f64(s.mean[row]);
    (mean, T::from_f64(s.mean[row] - mean.as_f64()), T::from_f64(s.inverse[row]))
}

/// `y = (x - mean) / deviation * gamma + beta` of some rows, within bounds.
pub(super) struct RowNormalize<'a, T> {
    pub p: Parts,
    pub x: &'a [T],
    /// Those of these rows.
    pub s: Statistics<'a, T>,
    pub y: &'a mut [T],
}

impl<T: Element> Multiversion for RowNormalize<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { p, x, s, y } = self;
        let len = p.group_len();
        for (i, (y, x)) in y.chunks_exact_mut(len).zip(x.chunks_exact(len)).enumerate() {
            let first = i % p.groups * len;
            let (gamma, beta) = (&s.gamma[first..][..len], &s.beta[first..][..len]);
            let (mean, rest, inverse) = normal(&s, i);
            for j in 0..len {
                let distance = x[j] - mean - rest;
                y[j] = s.bounds.clamp(distance * inverse * gamma[j] + beta[j]);
            }
        }
    }
}

/// The gradient of some rows, in place of `dy`, and their share in the gradients of `beta` and `gamma`, which is
/// added to `partial`.
pub(super) struct RowGradient<'a, T> {
    pub p: Parts,
    pub x: &'a [T],
    /// Those of these rows.
    pub s: Statistics<'a, T>,
    pub constant: bool,
    pub dy: &'a mut [T],
    pub partial: &'a mut [f64],
}

impl<T: Element> Multiversion for RowGradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { p, x, s, constant, dy, partial } = self;
        let len = p.group_len();
        let (d_beta, d_gamma) = partial.split_at_mut(p.channels);
        for (i, (dy, x)) in dy.chunks_exact_mut(len).zip(x.chunks_exact(len)).enumerate() {
            let first = i % p.groups * len;
            let (gamma, beta) = (&s.gamma[first..][..len], &s.beta[first..][..len]);
            let (d_beta, d_gamma) = (&mut d_beta[first..][..len], &mut d_gamma[first..][..len]);
            let (mean, rest, inverse) = normal(&s, i);
            for j in 0..len {
                let distance = (x[j] - mean - rest) * inverse;
                let gradient = s.bounds.pass(distance * gamma[j] + beta[j], dy[j]);
                d_beta[j] += gradient.as_f64();
                d_gamma[j] += (gradient * distance).as_f64();
                dy[j] = gradient * gamma[j];
            }
            let (mut offset, mut slope) = (T::zero(), T::zero());
            if !constant {
                let (count, distance) = (len as f64, |j: usize| (x[j] - mean - rest) * inverse);
                offset = T::from_f64(sum(len, |j| dy[j].as_f64()) / count);
                slope = T::from_f64(sum(len, |j| (dy[j] * distance(j)).as_f64()) / count);
            }
            for j in 0..len {
                let distance = (x[j] - mean - rest) * inverse;
                dy[j] = (dy[j] - offset - distance * slope) * inverse;
            }
        }
    }
}

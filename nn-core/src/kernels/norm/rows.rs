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

/// `y = (x - mean) / deviation * gamma + beta` of some rows.
pub(super) struct RowNormalize<'a, T> {
    pub p: Parts,
    pub x: &'a [T],
    /// Those of these rows.
    pub s: Statistics<'a, T>,
    pub beta: &'a [T],
    pub y: &'a mut [T],
}

impl<T: Element> Multiversion for RowNormalize<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { p, x, s, beta, y } = self;
        let len = p.group_len();
        for (i, (y, x)) in y.chunks_exact_mut(len).zip(x.chunks_exact(len)).enumerate() {
            let first = i % p.groups * len;
            let (gamma, beta) = (&s.gamma[first..][..len], &beta[first..][..len]);
            let (mean, inverse) = (s.mean[i], s.inverse[i]);
            for j in 0..len {
                let distance = x[j].as_f64() - mean;
                let scale = inverse * gamma[j].as_f64();
                y[j] = T::from_f64(distance * scale + beta[j].as_f64());
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
            let gamma = &s.gamma[first..][..len];
            let (d_beta, d_gamma) = (&mut d_beta[first..][..len], &mut d_gamma[first..][..len]);
            let (mean, inverse) = (s.mean[i], s.inverse[i]);
            let (mut offset, mut slope) = (0.0, 0.0);
            if !constant {
                let scaled = |j: usize| gamma[j].as_f64() * dy[j].as_f64();
                let factor = inverse / len as f64;
                offset = sum(len, scaled) * factor;
                slope = sum(len, |j| scaled(j) * (x[j].as_f64() - mean)) * factor;
                slope *= inverse * inverse;
            }
            for j in 0..len {
                let (gradient, distance) = (dy[j].as_f64(), x[j].as_f64() - mean);
                d_beta[j] += gradient;
                d_gamma[j] += gradient * distance * inverse;
                let scaled = gamma[j].as_f64() * inverse * gradient;
                dy[j] = T::from_f64(scaled - offset - slope * distance);
            }
        }
    }
}

//! The weight updates of optimisers, over plain slices.
//!
//! The loops are called through [`Kernels::updates`](super::Kernels::updates). So they are compiled with this
//! crate for each element type, for the machine's vectors, independently of the build settings of the crate that
//! trains. No product and sum are fused: every instruction set gives the same bits.

use super::multiversion::{Multiversion, multiversion};
use crate::tensor::Element;

/// The factors of a step of Adam (Kingma and Ba 2015), with the bias corrections in `rate`.
#[derive(Debug, Clone, Copy)]
pub struct AdamFactors<T> {
    /// `1 - beta1`.
    pub rate1: T,
    /// `1 - beta2`.
    pub rate2: T,
    /// The learning rate, corrected for the bias of both moments.
    pub rate: T,
    /// The learning rate times the weight decay of AdamW; 0 for Adam.
    pub decay: T,
    /// Keeps the denominator from being zero.
    pub epsilon: T,
}

/// Factors, weights, gradient, first and second moment.
pub type AdamUpdate<T> = fn(AdamFactors<T>, &mut [T], &[T], &mut [T], &mut [T]);

/// The factors of a step of gradient descent.
#[derive(Debug, Clone, Copy)]
pub struct SgdFactors<T> {
    /// The learning rate.
    pub rate: T,
    /// What the gradient gets of the weights: the derivative of half this factor times their square.
    pub decay: T,
    /// The decay rate of the velocity.
    pub momentum: T,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
}

impl<T: Element> SgdFactors<T> {
    /// The gradient with the weight's decay. Without any it has the bits it had.
    #[inline(always)]
    fn decayed(&self, w: T, g: T) -> T {
        if self.decay == T::zero() { g } else { g + w * self.decay }
    }
}

/// Factors, weights, gradient and velocity.
pub type MomentumUpdate<T> = fn(SgdFactors<T>, &mut [T], &[T], &mut [T]);

/// The updates for one element type. All slices of a call have the same length.
#[derive(Debug, Clone, Copy)]
pub struct Updates<T: Element> {
    /// A step of Adam or AdamW.
    pub adam: AdamUpdate<T>,
    /// A step of gradient descent without momentum: factors, weights and gradient.
    pub sgd: fn(SgdFactors<T>, &mut [T], &[T]),
    /// A step of gradient descent with momentum.
    pub momentum: MomentumUpdate<T>,
    /// A step of a moving average: the share that it moves, the average, and what it follows.
    pub follow: fn(T, &mut [T], &[T]),
}

impl<T: Element> Updates<T> {
    /// The functions of this file.
    pub(super) const COMPILED: Self =
        Self { adam: adam::<T>, sgd: sgd::<T>, momentum: momentum::<T>, follow: follow::<T> };
}

fn adam<T: Element>(step: AdamFactors<T>, w: &mut [T], g: &[T], m: &mut [T], v: &mut [T]) {
    multiversion(Adam { step, w, g, m, v });
}

fn sgd<T: Element>(step: SgdFactors<T>, w: &mut [T], g: &[T]) {
    multiversion(Sgd { step, w, g });
}

fn momentum<T: Element>(step: SgdFactors<T>, w: &mut [T], g: &[T], v: &mut [T]) {
    multiversion(Momentum { step, w, g, v });
}

fn follow<T: Element>(rate: T, slow: &mut [T], fast: &[T]) {
    multiversion(Follow { rate, slow, fast });
}

struct Adam<'a, T> {
    step: AdamFactors<T>,
    w: &'a mut [T],
    g: &'a [T],
    m: &'a mut [T],
    v: &'a mut [T],
}

impl<T: Element> Multiversion for Adam<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { step, w, g, m, v } = self;
        let AdamFactors { rate1, rate2, rate, decay, epsilon } = step;
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            *m += (g - *m) * rate1;
            *v += (g * g - *v) * rate2;
            *w -= *w * decay;
            *w -= *m * rate / (v.sqrt() + epsilon);
        }
    }
}

struct Sgd<'a, T> {
    step: SgdFactors<T>,
    w: &'a mut [T],
    g: &'a [T],
}

impl<T: Element> Multiversion for Sgd<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let step = self.step;
        for (w, &g) in self.w.iter_mut().zip(self.g) {
            *w -= step.decayed(*w, g) * step.rate;
        }
    }
}

struct Momentum<'a, T> {
    step: SgdFactors<T>,
    w: &'a mut [T],
    g: &'a [T],
    v: &'a mut [T],
}

impl<T: Element> Multiversion for Momentum<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let SgdFactors { rate, momentum, nesterov, .. } = self.step;
        for ((w, &g), v) in self.w.iter_mut().zip(self.g).zip(self.v) {
            let g = self.step.decayed(*w, g);
            *v = *v * momentum - g * rate;
            *w += if nesterov { *v * momentum - g * rate } else { *v };
        }
    }
}

struct Follow<'a, T> {
    rate: T,
    slow: &'a mut [T],
    fast: &'a [T],
}

impl<T: Element> Multiversion for Follow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (slow, &fast) in self.slow.iter_mut().zip(self.fast) {
            *slow += (fast - *slow) * self.rate;
        }
    }
}

//! One gradient per parameter, in the parameters' order.

use crate::autograd::{Gradient, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Tensor;

/// The gradients of a model's parameters, in the parameters' order; `None` for a parameter without
/// gradient.
///
/// For data parallelism, workers sum the gradients of their shares of a batch with
/// [`Gradients::add_assign`] and divide by the number of shares with [`Gradients::scale`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gradients<T: Kernels = f32>(Vec<Option<Gradient<T>>>);

impl<T: Kernels> Gradients<T> {
    /// Removes the gradients of `parameters` from `tape`, after its backward pass.
    pub fn take(tape: &mut Tape<T>, parameters: &[Var<T>]) -> Self {
        Self(parameters.iter().map(|parameter| tape.take_gradient(parameter)).collect())
    }

    /// The gradients, one entry per parameter.
    pub fn as_slice(&self) -> &[Option<Gradient<T>>] {
        &self.0
    }

    /// The gradient of parameter `i`, if it has one.
    pub fn get(&self, i: usize) -> Option<&Tensor<T>> {
        self.0.get(i).and_then(Option::as_ref).map(Gradient::tensor)
    }

    /// The number of parameters, with or without gradient.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the gradients of another worker.
    ///
    /// # Errors
    /// If they are not of the same model; nothing is changed then.
    pub fn add_assign(&mut self, other: &Self) -> Result<()> {
        let fits = |(a, b): (&Option<Gradient<T>>, &Option<Gradient<T>>)| match (a, b) {
            (Some(a), Some(b)) => a.shape() == b.shape(),
            _ => true,
        };
        if self.len() != other.len() || !self.0.iter().zip(&other.0).all(fits) {
            return Err(Error::shape(
                "sum of gradients",
                "gradients of the same parameters",
                format!("{} and {} of other shapes", self.len(), other.len()),
                "sum gradients of one model only",
            ));
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            match (mine, theirs) {
                (Some(sum), Some(more)) => sum.add(more),
                (slot @ None, Some(more)) => *slot = Some(more.clone()),
                (_, None) => {}
            }
        }
        Ok(())
    }

    /// Multiplies every gradient by `factor`.
    pub fn scale(&mut self, factor: f64) {
        let factor = T::from_f64(factor);
        self.0.iter_mut().flatten().for_each(|gradient| gradient.scale(factor));
    }

    /// The norm of all gradients together: the root of the sum of their squares, in f64.
    pub fn norm(&self) -> f64 {
        self.0.iter().flatten().map(Gradient::squares).sum::<f64>().sqrt()
    }

    /// Scales all gradients together so that their [norm](Gradients::norm) is `largest`, if it is above that;
    /// returns the norm before. The factor is `largest / (norm + 1e-6)`, as in PyTorch's `clip_grad_norm_`.
    pub fn clip_norm(&mut self, largest: f64) -> f64 {
        let norm = self.norm();
        let factor = largest / (norm + 1e-6);
        // Also where the norm is no number: what follows from it then shows.
        if factor.is_nan() || factor < 1.0 {
            self.scale(factor);
        }
        norm
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        self.0.iter().flatten().all(|gradient| gradient.tensor().is_finite())
    }
}

impl<T: Kernels, G: Into<Gradient<T>>> From<Vec<Option<G>>> for Gradients<T> {
    fn from(gradients: Vec<Option<G>>) -> Self {
        Self(gradients.into_iter().map(|gradient| gradient.map(Into::into)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradients(values: &[Option<&[f64]>]) -> Gradients<f64> {
        let tensor = |v: &[f64]| Tensor::from_vec([v.len()], v.to_vec()).unwrap();
        Gradients::from(values.iter().map(|v| v.map(tensor)).collect::<Vec<_>>())
    }

    #[test]
    fn workers_sum_and_average() {
        let mut sum = gradients(&[Some(&[1., 2.]), None, Some(&[3.]), None]);
        sum.add_assign(&gradients(&[Some(&[10., 20.]), Some(&[7.]), None, None])).unwrap();
        assert_eq!(sum, gradients(&[Some(&[11., 22.]), Some(&[7.]), Some(&[3.]), None]));
        sum.scale(0.5);
        assert_eq!(sum, gradients(&[Some(&[5.5, 11.]), Some(&[3.5]), Some(&[1.5]), None]));
    }

    #[test]
    fn gradients_of_another_model_are_refused_and_change_nothing() {
        let mut sum = gradients(&[Some(&[1.]), Some(&[1., 2.])]);
        let before = sum.clone();
        assert!(sum.add_assign(&gradients(&[Some(&[1.]), Some(&[1.])])).is_err());
        assert!(sum.add_assign(&gradients(&[Some(&[1.])])).is_err());
        assert_eq!(sum, before);
    }

    #[test]
    fn they_come_from_the_tape_in_order() {
        let mut tape = Tape::<f64>::new();
        let a = tape.leaf(Tensor::full([2], 3.0));
        let unused = tape.leaf(Tensor::full([1], 1.0));
        let b = tape.leaf(Tensor::full([2], 5.0));
        let product = tape.mul(&a, &b).unwrap();
        let loss = tape.sum(&product);
        tape.backward(&loss).unwrap();
        let taken = Gradients::take(&mut tape, &[b, unused, a]);
        assert_eq!(taken, gradients(&[Some(&[3., 3.]), None, Some(&[5., 5.])]));
        assert!(taken.is_finite());
    }
}

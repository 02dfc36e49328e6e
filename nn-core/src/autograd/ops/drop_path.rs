//! Stochastic depth (Huang et al., ECCV 2016), also called drop path: whole samples of a branch are
//! dropped in training, and the others scaled up, so that inference needs no scaling.

use super::dropout::check_rate;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::for_each_chunk;
use crate::rng::Rng;
use crate::tensor::Tensor;

struct DropPath<T> {
    /// The factor of each sample; 0 if it is dropped.
    factors: Vec<T>,
}

impl<T: Kernels> DropPath<T> {
    fn apply(&self, data: &mut [T]) {
        let len = data.len().checked_div(self.factors.len()).unwrap_or(0);
        for_each_chunk(data, len, |sample, data| {
            let factor = self.factors[sample];
            if factor == T::zero() {
                data.fill(factor); // also where there is infinity or NaN
            } else {
                data.iter_mut().for_each(|v| *v *= factor);
            }
        });
    }
}

impl<T: Kernels> Op<T> for DropPath<T> {
    fn name(&self) -> &'static str {
        "drop_path"
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        self.apply(gradient.as_mut_slice());
        inputs.accumulate(0, gradient)
    }
}

impl<T: Kernels> Tape<T> {
    /// Sets each sample of `x [batch, ..]` to zero with probability `rate` and divides the others by
    /// `1 - rate`, in place if `x` is not shared. For training only: on the branch of a residual block,
    /// before it is added.
    ///
    /// # Errors
    /// If `rate` is negative, or 1 or more, or `x` has no dimension.
    pub fn drop_path(&self, x: Var<T>, rate: f64, rng: &mut Rng) -> Result<Var<T>> {
        check_rate("drop_path", "samples", rate)?;
        let Some(&batch) = x.dims().first() else {
            return Err(Error::shape(
                "drop_path",
                "an input whose first dimension is the batch",
                x.shape(),
                "reshape the number to [1, 1]",
            ));
        };
        if rate == 0.0 {
            return Ok(x);
        }
        let (mut y, x) = x.take(self.pool());
        let scale = T::from_f64(1.0 / (1.0 - rate));
        // One draw per sample, in order: the choice depends only on `rng`.
        let factors = (0..batch).map(|_| if rng.uniform() < rate { T::zero() } else { scale });
        let op = DropPath { factors: if y.is_empty() { Vec::new() } else { factors.collect() } };
        op.apply(y.as_mut_slice());
        Ok(self.record(op, &[&x], y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused, sample};
    use super::*;
    use std::slice::from_ref;

    #[test]
    fn whole_samples_are_dropped_and_the_mean_stays() {
        for rate in [0.1, 0.5, 0.8] {
            let (n, len) = (5000, 3);
            let tape = Tape::<f64>::new();
            let x = tape.leaf(Tensor::full([n, len], 1.0));
            let y = tape.drop_path(x, rate, &mut Rng::new(3, 1)).unwrap();
            let scale = 1.0 / (1.0 - rate);
            let rows = || y.value().as_slice().chunks_exact(len);
            assert!(rows().all(|row| row == [0.0; 3] || row == [scale; 3]));
            let kept = rows().filter(|row| row[0] != 0.0).count() as f64;
            // Five standard deviations of a binomial count.
            let margin = 5.0 * (n as f64 * rate * (1.0 - rate)).sqrt();
            assert!((kept - (1.0 - rate) * n as f64).abs() < margin, "{kept} kept at rate {rate}");
        }
    }

    #[test]
    fn the_gradient_takes_the_same_way_as_the_value() {
        let x = sample([7, 5, 2], 1);
        check(from_ref(&x), |tape, x| tape.drop_path(x[0].clone(), 0.4, &mut Rng::new(1, 2)));
        let tape = Tape::<f64>::new();
        let broken = tape.leaf(Tensor::full([20, 2], f64::NAN));
        let y = tape.drop_path(broken, 0.5, &mut Rng::new(4, 0)).unwrap();
        assert!(y.value().as_slice().contains(&0.0), "a dropped sample is zero, whatever it was");
    }

    #[test]
    fn the_seed_decides() {
        let run = |seed| {
            let tape = Tape::<f64>::new();
            let x = tape.leaf(sample([64, 2], 1));
            tape.drop_path(x, 0.5, &mut Rng::new(seed, 0)).unwrap().value().clone()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn nothing_and_misfits() {
        let tape = Tape::<f32>::new();
        for dims in [[0, 3], [1 << 40, 0]] {
            let x = tape.leaf(Tensor::zeros(dims));
            assert_eq!(tape.drop_path(x, 0.5, &mut Rng::new(0, 0)).unwrap().dims(), dims);
        }
        for rate in [-0.1, 1.0, f64::NAN] {
            let x = tape.leaf(Tensor::zeros([2]));
            let outcome = tape.drop_path(x, rate, &mut Rng::new(0, 0));
            refused(outcome, &["drop_path", "rate", "below 1"]);
        }
        let number = tape.leaf(Tensor::scalar(1.0));
        let outcome = tape.drop_path(number, 0.5, &mut Rng::new(0, 0));
        refused(outcome, &["drop_path", "batch"]);
        let x = tape.leaf(Tensor::full([2], 1.5));
        let y = tape.drop_path(x.clone(), 0.0, &mut Rng::new(0, 0)).unwrap();
        assert_eq!(y.value(), x.value());
    }
}

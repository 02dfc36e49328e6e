//! Inverted dropout (Srivastava et al., JMLR 15, 2014): kept elements are scaled up during training, so
//! that inference needs no scaling.

use super::mask::Masked;
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::rng::Rng;

/// Checks a share of elements or samples to drop.
pub(super) fn check_rate(name: &str, what: &str, rate: f64) -> Result<()> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::setting(
        format!("{name}'s rate"),
        "at least 0 and below 1",
        rate,
        format!("pass the share of {what} to drop, such as 0.5"),
    ))
}

impl<T: Kernels> Tape<T> {
    /// Sets each element of `x` to zero with probability `rate` and divides the others by `1 - rate`,
    /// in place if `x` is not shared. For training only.
    ///
    /// # Errors
    /// If `rate` is negative, or 1 or more.
    pub fn dropout(&self, x: Var<T>, rate: f64, rng: &mut Rng) -> Result<Var<T>> {
        check_rate("dropout", "elements", rate)?;
        if rate == 0.0 {
            return Ok(x);
        }
        let (mut y, x) = x.take(self.pool());
        let scale = T::from_f64(1.0 / (1.0 - rate));
        // One draw per element, in order, on one thread: the mask depends only on `rng`.
        let dropped_below = (rate * 2f64.powi(32)) as u32;
        let keep = || rng.next_u32() >= dropped_below;
        let op = Masked::draw("dropout", y.len(), scale, self.pool(), keep);
        op.apply(y.as_mut_slice());
        Ok(self.record(op, &[&x], y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused, sample};
    use super::*;
    use crate::tensor::Tensor;
    use std::slice::from_ref;

    #[test]
    fn the_right_share_is_dropped_and_the_mean_stays() {
        for rate in [0.1, 0.5, 0.8] {
            let n = 40_000;
            let tape = Tape::<f64>::new();
            let x = tape.leaf(Tensor::full([n], 1.0));
            let y = tape.dropout(x, rate, &mut Rng::new(3, 1)).unwrap();
            let kept = y.value().as_slice().iter().filter(|&&v| v != 0.0).count() as f64;
            let expected = (1.0 - rate) * n as f64;
            // Five standard deviations of a binomial count.
            let margin = 5.0 * (n as f64 * rate * (1.0 - rate)).sqrt();
            assert!((kept - expected).abs() < margin, "{kept} of {n} kept at rate {rate}");
            let scale = 1.0 / (1.0 - rate);
            assert!(y.value().as_slice().iter().all(|&v| v == 0.0 || v == scale));
        }
    }

    #[test]
    fn the_gradient_takes_the_same_way_as_the_value() {
        let x = sample([7, 5], 1);
        check(from_ref(&x), |tape, x| tape.dropout(x[0].clone(), 0.4, &mut Rng::new(1, 2)));
        // Inputs of zero must not count as dropped.
        let mut tape = Tape::<f64>::new();
        let zeros = tape.leaf(Tensor::zeros([50]));
        let y = tape.dropout(zeros.clone(), 0.5, &mut Rng::new(4, 0)).unwrap();
        tape.backward_from(&y, Tensor::full([50], 1.0)).unwrap();
        let gradient = tape.grad(&zeros).unwrap().as_slice();
        assert!(gradient.contains(&2.0) && gradient.contains(&0.0));
    }

    #[test]
    fn the_seed_decides() {
        let run = |seed| {
            let tape = Tape::<f64>::new();
            let x = tape.leaf(sample([64], 1));
            tape.dropout(x, 0.5, &mut Rng::new(seed, 0)).unwrap().value().as_slice().to_vec()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn inference_draws_the_same_and_saves_nothing() {
        let training = Tape::<f64>::new();
        let inference = Tape::<f64>::inference(Default::default());
        let (a, b) = (training.leaf(sample([30], 2)), inference.constant(sample([30], 2)));
        let a = training.dropout(a, 0.3, &mut Rng::new(5, 0)).unwrap();
        let b = inference.dropout(b, 0.3, &mut Rng::new(5, 0)).unwrap();
        assert_eq!(a.value(), b.value());
        assert!(!b.requires_grad());
    }

    #[test]
    fn rates_out_of_range_are_refused() {
        let tape = Tape::<f32>::new();
        for rate in [-0.1, 1.0, f64::NAN] {
            let x = tape.leaf(Tensor::zeros([2]));
            refused(tape.dropout(x, rate, &mut Rng::new(0, 0)), &["rate", "below 1"]);
        }
        let x = tape.leaf(Tensor::full([2], 1.5));
        let y = tape.dropout(x.clone(), 0.0, &mut Rng::new(0, 0)).unwrap();
        assert_eq!(y.value(), x.value());
    }
}

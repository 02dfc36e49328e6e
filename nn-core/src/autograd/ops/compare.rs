//! Element-wise choices between two operands, with NumPy's broadcasting: the smaller, the larger, and by
//! a mask.

use super::broadcast::Broadcast;
use super::elementwise::update_from;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::kernels::parallel::{CHUNK, for_each_chunk};
use crate::tensor::{BufferPool, Shape, Tensor};
use std::sync::Arc;

/// The elements of operand `side`, repeated to the output's shape.
fn repeated<T: Kernels>(
    plan: &Broadcast,
    side: usize,
    x: &Tensor<T>,
    pool: &BufferPool<T>,
) -> Tensor<T> {
    let mut y = Tensor::uninit(plan.output(), pool);
    plan.zip(y.as_mut_slice(), side, x.as_slice(), |_, v| v);
    y
}

/// The smaller of two operands, or the larger.
struct Extremum<T: Kernels> {
    is_maximum: bool,
    plan: Broadcast,
    a: Arc<Tensor<T>>,
    b: Arc<Tensor<T>>,
}

impl<T: Kernels> Extremum<T> {
    fn name(is_maximum: bool) -> &'static str {
        if is_maximum { "maximum" } else { "minimum" }
    }

    /// The gradient of operand `side`, before the sum over repeated elements: all of it where the operand
    /// was chosen, half of it where both are equal. Where one is NaN, both get it.
    fn share(&self, side: usize, gradient: &Tensor<T>, pool: &BufferPool<T>) -> Tensor<T> {
        let (zero, half, one) = (T::zero(), T::from_f64(0.5), T::one());
        let smaller_loses = self.is_maximum == (side == 0);
        let mut share = repeated(&self.plan, 0, &self.a, pool);
        self.plan.zip(share.as_mut_slice(), 1, self.b.as_slice(), |a, b| {
            let loses = if smaller_loses { a < b } else { a > b };
            match loses {
                true => zero,
                false if a == b => half,
                false => one,
            }
        });
        update_from(share.as_mut_slice(), gradient.as_slice(), |share, g| {
            if share == zero { zero } else { share * g }
        });
        share
    }
}

impl<T: Kernels> Op<T> for Extremum<T> {
    fn name(&self) -> &'static str {
        Self::name(self.is_maximum)
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let pool = inputs.pool().clone();
        for side in 0..2 {
            if inputs.needs(side) {
                let share = self.share(side, &gradient, &pool);
                inputs.accumulate(side, self.plan.sum_to(side, share, &pool))?;
            }
        }
        Ok(())
    }
}

/// The choice of `a` where the mask is not 0, and of `b` elsewhere.
struct Select<T: Kernels> {
    mask: Arc<Tensor<T>>,
    /// The operands `[mask, a, b]`, each beside the output.
    plans: [Broadcast; 3],
}

impl<T: Kernels> Op<T> for Select<T> {
    fn name(&self) -> &'static str {
        "select"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let pool = inputs.pool().clone();
        for (i, is_a) in [(1, true), (2, false)] {
            if inputs.needs(i) {
                let mut share = gradient.clone_in(&pool);
                self.plans[0].zip(share.as_mut_slice(), 0, self.mask.as_slice(), |g, mask| {
                    if (mask != T::zero()) == is_a { g } else { T::zero() }
                });
                inputs.accumulate(i, self.plans[i].sum_to(0, share, &pool))?;
            }
        }
        Ok(())
    }
}

impl<T: Kernels> Tape<T> {
    /// The smaller of `a` and `b`, element by element, with broadcasting as in [`Tape::add`]. NaN counts as
    /// the smallest number. Where both are equal, each gets half of the gradient.
    ///
    /// # Errors
    /// If the shapes do not combine.
    pub fn minimum(&self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        self.extremum(false, a, b)
    }

    /// The larger of `a` and `b`, element by element, with broadcasting as in [`Tape::add`]. NaN counts as
    /// the largest number. Where both are equal, each gets half of the gradient.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f64>::new();
    /// let a = tape.leaf(Tensor::from_vec([3], vec![1., 2., 3.])?);
    /// let b = tape.leaf(Tensor::scalar(2.0));
    /// let y = tape.maximum(&a, &b)?;
    /// assert_eq!(y.value().as_slice(), [2., 2., 3.]);
    /// tape.backward(&tape.sum(&y))?;
    /// assert_eq!(tape.grad(&a).unwrap().as_slice(), [0., 0.5, 1.]);
    /// assert_eq!(tape.grad(&b).unwrap().item()?, 1.5);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not combine.
    pub fn maximum(&self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        self.extremum(true, a, b)
    }

    fn extremum(&self, is_maximum: bool, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        let plan = Broadcast::new(Extremum::<T>::name(is_maximum), a.shape(), b.shape())?;
        let mut y = repeated(&plan, 0, a.value(), self.pool());
        plan.zip(y.as_mut_slice(), 1, b.value().as_slice(), |a, b| {
            let a_wins = if is_maximum { a > b } else { a < b };
            if a_wins || a.is_nan() { a } else { b }
        });
        let op = Extremum { is_maximum, plan, a: a.share(), b: b.share() };
        Ok(self.record(op, &[a, b], y))
    }

    /// `a` where `mask` is not 0, and `b` elsewhere, element by element (NumPy's `where`). All three are
    /// broadcast as in [`Tape::add`]. No gradient flows to the mask.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let scores = tape.leaf(Tensor::from_vec([2, 2], vec![1., 2., 3., 4.])?);
    /// // Each position may look at earlier ones only.
    /// let seen = tape.constant(Tensor::from_vec([2, 2], vec![1., 0., 1., 1.])?);
    /// let hidden = tape.constant(Tensor::scalar(f32::NEG_INFINITY));
    /// let weights = tape.softmax(tape.select(&seen, &scores, &hidden)?)?;
    /// assert_eq!(weights.value().row(0), [1., 0.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not combine.
    pub fn select(&self, mask: &Var<T>, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        let name = "select";
        let both = Broadcast::new(name, a.shape(), b.shape())?;
        let all = Broadcast::new(name, mask.shape(), both.output())?;
        let output = all.output();
        let plan = |x: &Shape| Broadcast::new(name, x, output);
        let plans = [plan(mask.shape())?, plan(a.shape())?, plan(b.shape())?];
        let pool = self.pool();
        let in_full = |plan: &Broadcast, x: &Var<T>| match x.shape() == output {
            true => x.share(),
            false => Arc::new(repeated(plan, 0, x.value(), pool)),
        };
        let (masks, others) = (in_full(&plans[0], mask), in_full(&plans[2], b));
        let mut y = repeated(&plans[1], 0, a.value(), pool);
        for_each_chunk(y.as_mut_slice(), CHUNK, |i, y| {
            let pairs = masks.as_slice()[i * CHUNK..].iter().zip(&others.as_slice()[i * CHUNK..]);
            for (y, (&mask, &b)) in y.iter_mut().zip(pairs) {
                *y = if mask == T::zero() { b } else { *y };
            }
        });
        let op = Select { mask: mask.share(), plans };
        Ok(self.record(op, &[mask, a, b], y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;

    type Choice<T> = fn(&Tape<T>, &Var<T>, &Var<T>) -> Result<Var<T>>;

    fn choices<T: Kernels>() -> [Choice<T>; 2] {
        [Tape::minimum, Tape::maximum]
    }

    #[test]
    fn values_and_gradients_with_broadcasting() {
        let cases: [(&[usize], &[usize]); 6] = [
            (&[], &[]),
            (&[5], &[]),
            (&[2, 3], &[2, 3]),
            (&[2, 1, 3], &[4, 1]),
            (&[3], &[2, 2, 3]),
            (&[3, 1, 5], &[3, 4, 1]),
        ];
        for (a_dims, b_dims) in cases {
            let inputs = [sample(a_dims, 1), sample(b_dims, 2)];
            let [smaller, larger, sum] = [Tape::minimum, Tape::maximum, Tape::add]
                .map(|op| run::<f64>(&inputs, |tape, x| op(tape, &x[0], &x[1])));
            for ((&low, &high), &sum) in smaller[0].iter().zip(&larger[0]).zip(&sum[0]) {
                assert!(low <= high && low + high == sum);
            }
            for op in choices() {
                check(&inputs, |tape, x| op(tape, &x[0], &x[1]));
            }
            check(&inputs, |tape, x| {
                let mask = tape.constant(Tensor::from_fn([4, 1], |i| (i % 2) as f64));
                let smaller = tape.minimum(&x[0], &x[1])?;
                let four = tape.constant(Tensor::zeros([4, 1]));
                let smaller = tape.add(&smaller, &tape.reshape(four, [4, 1, 1, 1])?)?;
                let mask = tape.reshape(mask, [4, 1, 1, 1])?;
                tape.select(&mask, &smaller, &x[0])
            });
        }
    }

    #[test]
    fn ties_share_and_nan_is_noticed() {
        for (op, chosen) in choices::<f64>().into_iter().zip([1.0, 0.0]) {
            let mut tape = Tape::new();
            let nan = f64::NAN;
            let a = tape.leaf(Tensor::from_vec([4], vec![1.0, 2.0, nan, 0.0]).unwrap());
            let b = tape.leaf(Tensor::from_vec([4], vec![3.0, 2.0, 0.0, nan]).unwrap());
            let y = op(&tape, &a, &b).unwrap();
            assert!(y.value().as_slice()[2..].iter().all(|v| v.is_nan()));
            tape.backward(&tape.sum(&y)).unwrap();
            assert_eq!(tape.grad(&a).unwrap().as_slice(), [chosen, 0.5, 1.0, 1.0]);
            assert_eq!(tape.grad(&b).unwrap().as_slice(), [1.0 - chosen, 0.5, 1.0, 1.0]);
            // A variable and itself.
            let y = op(&tape, &a, &a).unwrap();
            tape.take_grad(&a);
            tape.backward(&tape.sum(&y)).unwrap();
            assert_eq!(tape.grad(&a).unwrap().as_slice()[..2], [1.0, 1.0]);
        }
    }

    #[test]
    fn select_chooses_and_passes_the_gradient_there() {
        let mut tape = Tape::<f64>::new();
        let mask = tape.leaf(Tensor::from_vec([2, 1], vec![0.0, -3.0]).unwrap());
        let a = tape.leaf(Tensor::from_vec([3], vec![1.0, 2.0, f64::INFINITY]).unwrap());
        let b = tape.leaf(Tensor::scalar(f64::NAN));
        let y = tape.select(&mask, &a, &b).unwrap();
        assert_eq!(y.dims(), [2, 3]);
        assert!(y.value().row(0).iter().all(|v| v.is_nan()), "what is chosen is not computed with");
        assert_eq!(y.value().row(1), [1.0, 2.0, f64::INFINITY]);
        let gradient = Tensor::from_fn([2, 3], |i| i as f64);
        tape.backward_from(&y, gradient).unwrap();
        assert_eq!(tape.grad(&a).unwrap().as_slice(), [3.0, 4.0, 5.0]);
        assert_eq!(tape.grad(&b).unwrap().item().unwrap(), 3.0);
        assert!(tape.grad(&mask).is_none());
        for dims in [[0, 3], [3, 0]] {
            let empty = tape.leaf(Tensor::zeros(dims));
            let one = tape.leaf(Tensor::scalar(1.0));
            assert_eq!(tape.select(&one, &empty, &one).unwrap().dims(), dims);
            assert_eq!(tape.maximum(&one, &empty).unwrap().dims(), dims);
        }
    }

    #[test]
    fn select_with_every_operand_repeated() {
        let inputs = [sample([3, 1, 2], 3), sample([4, 1], 4)];
        let select = |tape: &Tape<f64>, x: &[Var<f64>]| {
            let mask = tape.constant(Tensor::from_fn([5, 1, 1, 2], |i| (i % 3) as f64));
            tape.select(&mask, &x[0], &x[1])
        };
        check(&inputs, select);
        let y = &run(&inputs, select)[0];
        for (i, &y) in y.iter().enumerate() {
            let [n, j, k, l] = [i / 24, i / 8 % 3, i / 2 % 4, i % 2];
            let [a, b] = [inputs[0].as_slice()[j * 2 + l], inputs[1].as_slice()[k]];
            assert_eq!(y, if (n * 2 + l) % 3 == 0 { b } else { a });
        }
    }

    #[test]
    fn single_precision_and_threads() {
        let inputs = [sample([3, 40_000], 5), sample([3, 1], 6)];
        for (narrow, wide) in choices::<f32>().into_iter().zip(choices::<f64>()) {
            let results = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| run::<f32>(&inputs, |tape, x| narrow(tape, &x[0], &x[1])))
            };
            let one = results(1);
            assert!(one == results(2) && one == results(4));
            assert_close(&one, &run(&inputs, |tape, x| wide(tape, &x[0], &x[1])), 1e-6);
        }
    }

    #[test]
    fn shapes_that_do_not_combine_are_refused() {
        let tape = Tape::<f32>::new();
        let (a, b) = (tape.leaf(Tensor::zeros([2, 3])), tape.leaf(Tensor::zeros([2])));
        refused(tape.minimum(&a, &b), &["minimum", "[2, 3]", "[2]", "reshape"]);
        refused(tape.maximum(&a, &b), &["maximum"]);
        refused(tape.select(&b, &a, &a), &["select", "[2, 3]", "[2]"]);
        refused(tape.select(&a, &a, &b), &["select"]);
    }
}

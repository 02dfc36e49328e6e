//! Functions of one number: exponential, logarithm, powers, absolute value, the error function; and
//! the bounds of `clamp`.
//!
//! All take their input by value and overwrite it if it is not shared. The backward pass needs the
//! argument or the value; `clamp` saves one bit per element.

use super::mask::Masked;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::kernels::functions::Function;
use crate::kernels::parallel::for_each_piece;
use crate::tensor::Tensor;
use std::sync::Arc;

struct Apply<T: Kernels> {
    function: Function,
    /// The value or the argument: see [`Function::needs_value`].
    saved: Arc<Tensor<T>>,
}

impl<T: Kernels> Op<T> for Apply<T> {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        differentiate(self.function, gradient.as_mut_slice(), self.saved.as_slice());
        inputs.accumulate(0, gradient)
    }
}

/// Multiplies every gradient by the derivative at the saved value or argument: see [`Function::needs_value`].
pub(super) fn differentiate<T: Kernels>(function: Function, gradient: &mut [T], saved: &[T]) {
    let differentiate = T::functions().differentiate;
    for_each_piece(gradient, |start, gradient| {
        differentiate(function, gradient, &saved[start..][..gradient.len()]);
    });
}

impl<T: Kernels> Tape<T> {
    /// `e^x`, element by element.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f64>::new();
    /// let x = tape.leaf(Tensor::from_vec([2], vec![0.0, 1.0])?);
    /// let y = tape.exp(x.clone());
    /// assert_eq!(y.value().as_slice(), [1.0, 1f64.exp()]);
    /// tape.backward(&tape.sum(&y))?;
    /// assert_eq!(tape.grad(&x).unwrap(), y.value());
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn exp(&self, x: Var<T>) -> Var<T> {
        self.function(Function::Exp, x)
    }

    /// The natural logarithm, element by element: minus infinity at 0, NaN below.
    pub fn log(&self, x: Var<T>) -> Var<T> {
        self.function(Function::Log, x)
    }

    /// The square root, element by element: NaN below 0. The derivative at 0 is infinite; add a small
    /// number first where zeros occur.
    pub fn sqrt(&self, x: Var<T>) -> Var<T> {
        self.function(Function::Sqrt, x)
    }

    /// The absolute value, element by element. The derivative at 0 is 0.
    pub fn abs(&self, x: Var<T>) -> Var<T> {
        self.function(Function::Abs, x)
    }

    /// `x^2`, element by element.
    pub fn square(&self, x: Var<T>) -> Var<T> {
        self.function(Function::Square, x)
    }

    /// The error function, element by element: `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to
    /// `x`. The exact GELU is `x / 2 (1 + erf(x / sqrt(2)))`.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.constant(Tensor::from_vec([3], vec![-1.0, 0.0, 9.0])?);
    /// assert_eq!(tape.erf(x).value().as_slice(), [-0.8427008, 0.0, 1.0]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn erf(&self, x: Var<T>) -> Var<T> {
        self.function(Function::Erf, x)
    }

    /// `x` to the power `exponent`, element by element. NaN for a negative `x`, unless the exponent is a
    /// whole number. The derivative is `exponent x^(exponent - 1)`: infinite at 0 for exponents between 0
    /// and 1, and 0 everywhere for the exponent 0.
    pub fn powf(&self, x: Var<T>, exponent: f64) -> Var<T> {
        self.function(Function::Power(exponent), x)
    }

    /// `min(max(x, low), high)`, element by element; either bound may be infinite. As in NumPy and
    /// PyTorch, the result is `high` everywhere if `low` is above it. NaN stays NaN. The derivative is 1
    /// between the bounds and at them, and 0 elsewhere.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f32>::new();
    /// let x = tape.leaf(Tensor::from_vec([4], vec![-1., 0., 3., 7.])?);
    /// let y = tape.clamp(x.clone(), 0.0, 6.0);
    /// assert_eq!(y.value().as_slice(), [0., 0., 3., 6.]);
    /// tape.backward(&tape.sum(&y))?;
    /// assert_eq!(tape.grad(&x).unwrap().as_slice(), [0., 1., 1., 0.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn clamp(&self, x: Var<T>, low: f64, high: f64) -> Var<T> {
        let (low, high) = (T::from_f64(low), T::from_f64(high));
        let (mut y, x) = x.take(self.pool());
        let op = Masked::update("clamp", y.as_mut_slice(), self.pool(), |v| {
            let inside = low <= *v && *v <= high;
            // Not `max` and `min`, which drop NaN.
            if *v < low {
                *v = low;
            }
            if *v > high {
                *v = high;
            }
            inside
        });
        self.record(op, &[&x], y)
    }

    /// A function of one number; other families of ops have theirs among [`Function`], too.
    pub(crate) fn function(&self, function: Function, x: Var<T>) -> Var<T> {
        let needs_argument = !function.needs_value() && self.tracks(&[&x]);
        let argument = needs_argument.then(|| x.share());
        let (mut y, x) = x.take(self.pool());
        let apply = T::functions().apply;
        for_each_piece(y.as_mut_slice(), |_, y| apply(function, y));
        let y = Arc::new(y);
        let saved = argument.unwrap_or_else(|| Arc::clone(&y));
        self.record(Apply { function, saved }, &[&x], y)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, run, sample};
    use super::*;
    use crate::kernels::parallel::CHUNK;
    use std::slice::from_ref;

    type Unary<T> = fn(&Tape<T>, Var<T>) -> Var<T>;
    type Definition = fn(f64) -> f64;

    /// Functions of any number.
    fn everywhere<T: Kernels>() -> [(Unary<T>, Definition); 6] {
        [
            (Tape::exp, f64::exp),
            (Tape::abs, |x| if x < 0.0 { -x } else { x }),
            (Tape::square, |x| x * x),
            (Tape::erf, erf_by_series),
            (|tape, x| tape.powf(x, 3.0), |x| x * x * x),
            (|tape, x| tape.clamp(x, -0.5, 0.25), |x| x.clamp(-0.5, 0.25)),
        ]
    }

    /// Functions of positive numbers.
    fn above_zero<T: Kernels>() -> [(Unary<T>, Definition); 5] {
        [
            (Tape::log, |x| x.ln_1p() - (1.0 / x).ln_1p()),
            (Tape::sqrt, |x| (0.5 * x.ln()).exp()),
            (|tape, x| tape.powf(x, 0.3), |x| (0.3 * x.ln()).exp()),
            (|tape, x| tape.powf(x, -2.0), |x| 1.0 / (x * x)),
            (|tape, x| tape.powf(x, 0.0), |_| 1.0),
        ]
    }

    fn erf_by_series(x: f64) -> f64 {
        let (mut power, mut sum) = (x, x);
        for n in 1..80 {
            power *= -x * x / f64::from(n);
            sum += power / f64::from(2 * n + 1);
        }
        std::f64::consts::FRAC_2_SQRT_PI * sum
    }

    fn positive(dims: &[usize], seed: u64) -> Tensor<f64> {
        sample(dims, seed).map(|v| v.abs() + 0.05)
    }

    fn agrees(op: Unary<f64>, f: Definition, x: &Tensor<f64>) {
        let tape = Tape::new();
        let y = op(&tape, tape.leaf(x.clone())).value().as_slice().to_vec();
        assert_close(&[y], &[x.map(f).into_vec()], 1e-14);
        check(from_ref(x), |tape, x| Ok(op(tape, x[0].clone())));
        check(from_ref(x), |tape, x| {
            // `x[0]` is used twice, and the value in between is overwritten if nobody needs it.
            let doubled = tape.scale(x[0].clone(), 1.5);
            let y = op(tape, doubled);
            let y = tape.mul(&y, &x[0])?;
            Ok(tape.square(y))
        });
    }

    #[test]
    fn values_and_gradients() {
        let dims: [&[usize]; 4] = [&[], &[1], &[3, 5], &[2, 1, 3, 7]];
        for (seed, dims) in (1..).zip(dims) {
            for (op, f) in everywhere() {
                agrees(op, f, &sample(dims, seed));
            }
            for (op, f) in above_zero() {
                agrees(op, f, &positive(dims, seed));
            }
        }
    }

    /// The derivative of `op` at each of `x`.
    fn slopes(op: Unary<f64>, x: Vec<f64>) -> Vec<f64> {
        let mut tape = Tape::new();
        let x = tape.leaf(Tensor::from_vec([x.len()], x).unwrap());
        let y = op(&tape, x.clone());
        tape.backward(&tape.sum(&y)).unwrap();
        tape.grad(&x).unwrap().as_slice().to_vec()
    }

    #[test]
    fn kinks_and_edges() {
        let infinity = f64::INFINITY;
        assert_eq!(slopes(Tape::abs, vec![-2.0, -0.0, 0.0, 3.0]), [-1.0, 0.0, 0.0, 1.0]);
        assert_eq!(slopes(Tape::sqrt, vec![0.0, 4.0]), [infinity, 0.25]);
        assert_eq!(slopes(Tape::log, vec![0.0, 4.0]), [infinity, 0.25]);
        assert_eq!(slopes(|t, x| t.powf(x, 0.5), vec![0.0, 4.0]), [infinity, 0.25]);
        assert_eq!(slopes(|t, x| t.powf(x, 2.0), vec![0.0, -4.0]), [0.0, -8.0]);
        assert_eq!(slopes(|t, x| t.powf(x, 1.0), vec![0.0, -4.0]), [1.0, 1.0]);
        assert_eq!(slopes(|t, x| t.powf(x, 0.0), vec![0.0, f64::NAN]), [0.0, 0.0]);
        let bounds = vec![-1.5, -1.0, 0.0, 1.0, 1.5, f64::NAN];
        let clamped = slopes(|t, x| t.clamp(x, -1.0, 1.0), bounds);
        assert_eq!(clamped, [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
        let one_sided = slopes(|t, x| t.clamp(x, 0.0, f64::INFINITY), vec![-1.0, 0.0, 9.0]);
        assert_eq!(one_sided, [0.0, 1.0, 1.0]);
    }

    #[test]
    fn values_at_the_edges() {
        let tape = Tape::<f32>::new();
        let x =
            |values: &[f32]| tape.leaf(Tensor::from_vec([values.len()], values.to_vec()).unwrap());
        let infinity = f32::INFINITY;
        assert_eq!(tape.exp(x(&[-infinity, 1000.0])).value().as_slice(), [0.0, infinity]);
        assert_eq!(tape.log(x(&[0.0, infinity])).value().as_slice(), [-infinity, infinity]);
        assert_eq!(tape.erf(x(&[-infinity, infinity])).value().as_slice(), [-1.0, 1.0]);
        for y in [tape.log(x(&[-1.0])), tape.sqrt(x(&[-1.0])), tape.powf(x(&[-1.0]), 0.5)] {
            assert!(y.value().as_slice()[0].is_nan());
        }
        for y in [tape.clamp(x(&[f32::NAN]), 0.0, 1.0), tape.abs(x(&[f32::NAN]))] {
            assert!(y.value().as_slice()[0].is_nan(), "NaN must be noticed");
        }
        let crossed = tape.clamp(x(&[-9.0, 2.0, 9.0]), 5.0, 1.0);
        assert_eq!(crossed.value().as_slice(), [1.0; 3]);
        assert!(tape.exp(x(&[])).value().is_empty());
    }

    #[test]
    fn memory_is_reused_when_nobody_else_needs_it() {
        let tape = Tape::<f32>::new();
        for op in [Tape::exp, Tape::sqrt] {
            let x = tape.leaf(Tensor::full([8], 1.0));
            let before = x.value().as_slice().as_ptr();
            assert_eq!(op(&tape, x).value().as_slice().as_ptr(), before);
        }
        // The argument is kept for the backward pass, but not where there is none.
        let (x, c) = (tape.leaf(Tensor::full([8], 1.0)), tape.constant(Tensor::full([8], 1.0)));
        let (x_before, c_before) = (x.value().as_slice().as_ptr(), c.value().as_slice().as_ptr());
        assert_ne!(tape.log(x).value().as_slice().as_ptr(), x_before);
        assert_eq!(tape.log(c).value().as_slice().as_ptr(), c_before);
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let (any, positive) = ([sample([5, 7], 6)], [positive(&[5, 7], 7)]);
        for ((narrow, _), (wide, _)) in everywhere::<f32>().into_iter().zip(everywhere::<f64>()) {
            let narrow = run::<f32>(&any, |tape, x| Ok(narrow(tape, x[0].clone())));
            assert_close(&narrow, &run(&any, |tape, x| Ok(wide(tape, x[0].clone()))), 1e-6);
        }
        for ((narrow, _), (wide, _)) in above_zero::<f32>().into_iter().zip(above_zero::<f64>()) {
            let narrow = run::<f32>(&positive, |tape, x| Ok(narrow(tape, x[0].clone())));
            assert_close(&narrow, &run(&positive, |tape, x| Ok(wide(tape, x[0].clone()))), 1e-6);
        }
    }

    #[test]
    fn arrays_of_several_tasks() {
        let x = sample([2 * CHUNK + 3], 8);
        for (op, _) in everywhere::<f64>() {
            let results = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| run::<f64>(from_ref(&x), |tape, x| Ok(op(tape, x[0].clone()))))
            };
            let one = results(1);
            assert!(one == results(2) && one == results(4));
            let last = run::<f64>(
                &[Tensor::from_vec([1], vec![x.as_slice()[2 * CHUNK + 2]]).unwrap()],
                |tape, x| Ok(op(tape, x[0].clone())),
            );
            assert_eq!((one[0].last(), one[1].last()), (last[0].last(), last[1].last()));
        }
    }
}

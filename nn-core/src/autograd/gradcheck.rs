//! Gradient checks against central differences.
//!
//! For each input element `x`, the derivative of `f` is estimated as `(f(x + h) - f(x - h)) / 2h`, with
//! `h = eps^(1/3) max(1, |x|)`. In double precision about ten digits are right, so a relative error
//! above 1e-6 is a mistake, not noise. An output with several elements is reduced to a number by a
//! fixed random projection: every element has its own weight, so that errors in two of them do not
//! cancel.
//!
//! Keep inputs a few `h` away from kinks (ReLU at 0, ties of a maximum), where the derivative does not
//! exist. `f` must be deterministic: an op that draws random numbers must draw the same ones at each
//! call.

use super::{Tape, Var};
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::tensor::{BufferPool, Tensor};

/// Gradients below this are compared absolutely: the differences are not more precise.
const FLOOR: f64 = 1e-4;

/// The agreement of one input's gradient with central differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputReport {
    /// The largest difference of any element, relative to the input's largest gradient element:
    /// `max |a - n| / max(max |a|, max |n|, 1e-4)`; infinite if some gradient is not finite.
    pub relative_error: f64,
    /// The index, in row-major order, of the element with the largest difference.
    pub element: usize,
    /// Its gradient from the backward pass.
    pub analytic: f64,
    /// Its gradient from central differences.
    pub numeric: f64,
}

/// The agreement of all gradients with central differences, input by input.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientReport {
    /// One entry for each input, in order.
    pub inputs: Vec<InputReport>,
}

impl GradientReport {
    /// The largest relative error of any input.
    pub fn worst(&self) -> f64 {
        self.inputs.iter().map(|input| input.relative_error).fold(0.0, f64::max)
    }

    /// Returns an error if a relative error is `limit` or more.
    ///
    /// # Errors
    /// [`Error::Tape`], naming the first such input and its worst element.
    pub fn ensure(&self, limit: f64) -> Result<()> {
        match self.inputs.iter().position(|input| input.relative_error >= limit) {
            None => Ok(()),
            Some(i) => {
                let InputReport { relative_error, element, analytic, numeric } = self.inputs[i];
                Err(Error::Tape(format!(
                    "the gradient of element {element} of input {i} is {analytic}, but differences \
                     give {numeric}: relative error {relative_error:.1e}, allowed {limit:.1e}; \
                     look at the op's backward, and keep inputs away from kinks"
                )))
            }
        }
    }
}

/// Compares the gradients from `f`'s backward pass with central differences.
///
/// ```
/// use nn_core::Tensor;
/// use nn_core::autograd::gradcheck::gradcheck;
/// let x = Tensor::from_vec([2, 2], vec![0.1, -0.7, 1.3, 0.4])?;
/// let report = gradcheck(&[x], |tape, inputs| {
///     let square = tape.matmul(&inputs[0], &inputs[0])?;
///     Ok(tape.tanh(square))
/// })?;
/// report.ensure(1e-6)?;
/// # Ok::<(), nn_core::Error>(())
/// ```
///
/// # Errors
/// Those of `f`; if its output is not finite or depends on no input.
pub fn gradcheck(
    inputs: &[Tensor<f64>],
    f: impl Fn(&Tape<f64>, &[Var<f64>]) -> Result<Var<f64>>,
) -> Result<GradientReport> {
    differentiate(inputs, &f)
}

type Function<'a> = &'a dyn Fn(&Tape<f64>, &[Var<f64>]) -> Result<Var<f64>>;

/// [`gradcheck`], compiled once for all closures.
fn differentiate(inputs: &[Tensor<f64>], f: Function<'_>) -> Result<GradientReport> {
    let mut tape = Tape::new();
    let leaves: Vec<_> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let output = f(&tape, &leaves)?;
    if !output.value().is_finite() {
        return Err(Error::Tape(format!(
            "gradcheck: the output {:?} is not finite; choose other inputs",
            output.value()
        )));
    }
    let weights = projection(output.value());
    tape.backward_from(&output, weights.clone())?;

    let pool = BufferPool::new();
    let projected = |inputs: &[Tensor<f64>]| -> Result<f64> {
        let tape = Tape::inference(pool.clone());
        let constants: Vec<_> = inputs.iter().map(|x| tape.constant(x.clone())).collect();
        let output = f(&tape, &constants)?;
        if output.shape() != weights.shape() {
            return Err(Error::shape(
                "gradcheck",
                format!("an output of shape {} at every call", weights.shape()),
                output.shape(),
                "let the output's shape depend on the inputs' shapes only",
            ));
        }
        let terms = output.value().as_slice().iter().zip(weights.as_slice());
        Ok(terms.map(|(y, w)| y * w).sum())
    };

    let mut moved = inputs.to_vec();
    let mut reports = Vec::with_capacity(inputs.len());
    for (i, leaf) in leaves.iter().enumerate() {
        let mut numeric = vec![0.0; inputs[i].len()];
        for (j, slot) in numeric.iter_mut().enumerate() {
            let x = inputs[i].as_slice()[j];
            let h = f64::EPSILON.cbrt() * x.abs().max(1.0);
            let (above, below) = (x + h, x - h);
            moved[i].as_mut_slice()[j] = above;
            let high = projected(&moved)?;
            moved[i].as_mut_slice()[j] = below;
            let low = projected(&moved)?;
            moved[i].as_mut_slice()[j] = x;
            // x + h was rounded, so the actual step is used.
            *slot = (high - low) / (above - below);
        }
        let analytic = match tape.grad(leaf) {
            Some(gradient) => gradient.as_slice().to_vec(),
            None => vec![0.0; numeric.len()], // the output does not depend on this input
        };
        reports.push(compare(&analytic, &numeric));
    }
    Ok(GradientReport { inputs: reports })
}

/// A weight for each output element; 1 for a single number.
fn projection(output: &Tensor<f64>) -> Tensor<f64> {
    if output.len() == 1 {
        return Tensor::full(output.shape(), 1.0);
    }
    let mut rng = Rng::new(0x9e37_79b9, 0);
    Tensor::from_fn(output.shape(), |_| rng.uniform_in(-1.0, 1.0))
}

fn compare(analytic: &[f64], numeric: &[f64]) -> InputReport {
    let mut worst = InputReport { relative_error: 0.0, element: 0, analytic: 0.0, numeric: 0.0 };
    let size = analytic.iter().chain(numeric).fold(FLOOR, |size, v| size.max(v.abs()));
    for (element, (&analytic, &numeric)) in analytic.iter().zip(numeric).enumerate() {
        let relative = (analytic - numeric).abs() / size;
        let relative_error = if relative.is_nan() { f64::INFINITY } else { relative };
        if element == 0 || relative_error > worst.relative_error {
            worst = InputReport { relative_error, element, analytic, numeric };
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::{Backward, Op};

    /// A square whose backward pass is wrong by a factor.
    struct Square {
        x: Tensor<f64>,
        factor: f64,
    }

    impl Op<f64> for Square {
        fn name(&self) -> &'static str {
            "square"
        }

        fn backward(&self, g: Tensor<f64>, inputs: &mut Backward<'_, f64>) -> Result<()> {
            let dx = (0..g.len()).map(|i| self.factor * g.as_slice()[i] * self.x.as_slice()[i]);
            inputs.accumulate(0, Tensor::from_vec(g.shape(), dx.collect())?)
        }
    }

    fn check(factor: f64) -> GradientReport {
        let x = Tensor::from_vec([3], vec![0.5, -2.0, 30.0]).unwrap();
        gradcheck(&[x], |tape, inputs| {
            let x = &inputs[0];
            let op = Square { x: x.value().clone(), factor };
            Ok(tape.record(op, &[x], x.value().map(|v| v * v)))
        })
        .unwrap()
    }

    #[test]
    fn a_right_gradient_passes_and_a_slightly_wrong_one_does_not() {
        assert!(check(2.0).worst() < 1e-8, "{:?}", check(2.0));
        let wrong = check(2.00001);
        assert!((wrong.worst() - 5e-6).abs() < 1e-7, "{wrong:?}");
        let message = wrong.ensure(1e-6).unwrap_err().to_string();
        assert!(message.contains("input 0") && message.contains("1.0e-6"), "{message}");
        assert!(wrong.ensure(1e-5).is_ok());
    }

    #[test]
    fn a_gradient_that_is_no_number_is_the_worst_of_all() {
        assert_eq!(check(f64::NAN).worst(), f64::INFINITY);
    }

    #[test]
    fn an_input_without_influence_has_a_gradient_of_zero() {
        let inputs = [Tensor::full([2], 1.0), Tensor::full([2], 2.0)];
        let report = gradcheck(&inputs, |tape, inputs| Ok(tape.sum(&inputs[1]))).unwrap();
        assert_eq!(report.inputs[0].relative_error, 0.0);
        assert!(report.worst() < 1e-9);
    }

    #[test]
    fn an_output_that_is_not_finite_is_an_error() {
        let x = Tensor::full([1], 0.0);
        let outcome = gradcheck(&[x], |tape, inputs| tape.div(&inputs[0], &inputs[0]));
        assert!(outcome.unwrap_err().to_string().contains("not finite"));
    }
}

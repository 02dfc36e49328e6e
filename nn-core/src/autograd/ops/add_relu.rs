//! The sum of two values and its ReLU in one op: where branches of a residual network meet.

use super::elementwise::{combine, update};
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::kernels::pairs::Pair;
use crate::tensor::Tensor;
use std::sync::Arc;

struct AddRelu<T: Kernels> {
    /// The output. The next op usually saves it as well.
    y: Arc<Tensor<T>>,
}

impl<T: Kernels> Op<T> for AddRelu<T> {
    fn name(&self) -> &'static str {
        "add_relu"
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        update(Pair::Gate, gradient.as_mut_slice(), self.y.as_slice());
        if inputs.needs(0) && inputs.needs(1) {
            let copy = gradient.clone_in(inputs.pool());
            inputs.accumulate(0, copy)?;
        }
        inputs.accumulate(usize::from(inputs.needs(1)), gradient)
    }
}

impl<T: Kernels> Tape<T> {
    /// `relu(a + b)`, with broadcasting as in [`Tape::add`]: the same values and gradients. For equal
    /// shapes it is one op, with one pass over memory less.
    ///
    /// # Errors
    /// If the shapes do not combine.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let a = tape.leaf(Tensor::from_vec([2], vec![1., -3.])?);
    /// let b = tape.leaf(Tensor::from_vec([2], vec![2., 2.])?);
    /// assert_eq!(tape.add_relu(&a, &b)?.value().as_slice(), [3., 0.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn add_relu(&self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        if a.shape() != b.shape() {
            return Ok(self.relu(self.add(a, b)?));
        }
        let mut y = Tensor::uninit(a.shape(), self.pool());
        combine(Pair::AddRelu, y.as_mut_slice(), a.value().as_slice(), b.value().as_slice());
        let y = Arc::new(y);
        Ok(self.record(AddRelu { y: Arc::clone(&y) }, &[a, b], y))
    }
}

#[cfg(test)]
mod tests {
    use crate::autograd::ops::testing::{check, run, sample};

    #[test]
    fn gradients_agree_with_differences() {
        check(&[sample([3, 5], 1), sample([3, 5], 2)], |tape, x| tape.add_relu(&x[0], &x[1]));
        check(&[sample([3, 5], 1), sample([5], 2)], |tape, x| tape.add_relu(&x[0], &x[1]));
        check(&[sample([4], 3)], |tape, x| tape.add_relu(&x[0], &x[0]));
        let constant = sample([4], 4);
        check(&[sample([4], 3)], |tape, x| tape.add_relu(&tape.constant(constant.clone()), &x[0]));
    }

    #[test]
    fn it_has_the_bits_of_the_plain_ops() {
        let inputs = [sample([40, 1000], 5), sample([40, 1000], 6)];
        let fused = run::<f32>(&inputs, |tape, x| tape.add_relu(&x[0], &x[1]));
        let plain = run::<f32>(&inputs, |tape, x| Ok(tape.relu(tape.add(&x[0], &x[1])?)));
        assert_eq!(fused, plain);
    }
}

//! Sums and means.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::Result;
use crate::tensor::{Element, Shape, Tensor};

struct Sum {
    shape: Shape,
}

impl<T: Element> Op<T> for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        inputs.accumulate(0, Tensor::full(&self.shape, gradient.item()?))
    }
}

impl<T: Element> Tape<T> {
    /// The sum of all elements, a scalar.
    pub fn sum(&mut self, x: &Var<T>) -> Result<Var<T>> {
        let total = x.value().as_slice().iter().copied().sum();
        Ok(self.record(Sum { shape: x.shape().clone() }, &[x], Tensor::scalar(total)))
    }
}

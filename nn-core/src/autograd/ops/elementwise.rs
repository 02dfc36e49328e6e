//! Element-wise arithmetic, with broadcasting.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::Result;
use crate::tensor::{Element, Tensor};
use std::sync::Arc;

struct Mul<T: Element> {
    a: Arc<Tensor<T>>,
    b: Arc<Tensor<T>>,
}

impl<T: Element> Op<T> for Mul<T> {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        for (i, other) in [(0, &self.b), (1, &self.a)] {
            if inputs.needs(i) {
                let mut product = gradient.clone_in(inputs.pool());
                for (p, &o) in product.as_mut_slice().iter_mut().zip(other.as_slice()) {
                    *p *= o;
                }
                inputs.accumulate(i, product)?;
            }
        }
        Ok(())
    }
}

impl<T: Element> Tape<T> {
    /// `a * b`, element by element.
    pub fn mul(&mut self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        let mut product = a.value().clone_in(self.pool());
        for (p, &o) in product.as_mut_slice().iter_mut().zip(b.value().as_slice()) {
            *p *= o;
        }
        Ok(self.record(Mul { a: a.share(), b: b.share() }, &[a, b], product))
    }
}

//! A custom op: softplus, `ln(1 + exp(x))`, with its backward pass, and a gradient check against
//! finite differences.
//!
//! `cargo run --release -p nn-core --example own_op`

use nn_core::autograd::gradcheck::gradcheck;
use nn_core::autograd::{Backward, Op};
use nn_core::{Kernels, Result, Tape, Tensor, Var};
use std::sync::Arc;

/// The values that the backward pass needs.
struct Softplus<T: Kernels> {
    x: Arc<Tensor<T>>,
}

impl<T: Kernels> Op<T> for Softplus<T> {
    fn name(&self) -> &'static str {
        "softplus"
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        // The derivative is the sigmoid.
        for (g, &x) in gradient.as_mut_slice().iter_mut().zip(self.x.as_slice()) {
            *g /= T::one() + (-x).exp();
        }
        inputs.accumulate(0, gradient)
    }
}

/// The op, for any tape and precision.
fn softplus<T: Kernels>(tape: &Tape<T>, x: &Var<T>) -> Var<T> {
    // This form does not overflow for large values.
    let y = x.value().map(|v| v.max(T::zero()) + (-v.abs()).exp().ln_1p());
    tape.record(Softplus { x: x.share() }, &[x], y)
}

fn main() -> Result<()> {
    let mut tape = Tape::<f32>::new();
    let x = tape.leaf(Tensor::from_vec([5], vec![-100., -1., 0., 1., 100.])?);
    let y = softplus(&tape, &x);
    println!("softplus of {} is {:.3}", x.value(), y.value());
    tape.backward(&tape.sum(&y))?;
    println!("its derivative there is {:.3}", tape.grad(&x).expect("a leaf has a gradient"));

    // In double precision, which the check needs; the op is used in an expression like any other.
    let x = Tensor::from_vec([2, 2], vec![-1.3, 0.2, 0.9, 2.5])?;
    let report = gradcheck(&[x], |tape, inputs| tape.mul(&softplus(tape, &inputs[0]), &inputs[0]))?;
    report.ensure(1e-6)?;
    println!("the gradient differs from differences by {:.0e} at most", report.worst());
    Ok(())
}

//! Repetition: of whole dimensions, and of dimensions of length 1.

use super::broadcast::Broadcast;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::{Shape, Tensor};

struct BroadcastTo(Broadcast);

impl<T: Kernels> Op<T> for BroadcastTo {
    fn name(&self) -> &'static str {
        "broadcast_to"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let dx = self.0.sum_to(0, gradient, &inputs.pool().clone());
        inputs.accumulate(0, dx)
    }
}

impl<T: Kernels> Tape<T> {
    /// `x` repeated to `shape`: aligned at the last dimension, dimensions that are missing or 1 are repeated.
    /// Arithmetic does this by itself.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let row = tape.leaf(Tensor::from_vec([2], vec![1., 2.])?);
    /// assert_eq!(tape.broadcast_to(&row, [3, 2])?.value().as_slice(), [1., 2., 1., 2., 1., 2.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a dimension of `x` is neither 1 nor that of `shape`, or `shape` has fewer dimensions.
    pub fn broadcast_to(&self, x: &Var<T>, shape: impl Into<Shape>) -> Result<Var<T>> {
        let (name, shape) = ("broadcast_to", shape.into());
        shape.ensure_possible(name)?;
        let fits = |plan: &Broadcast| *plan.output() == shape;
        let Some(plan) = Broadcast::new(name, x.shape(), &shape).ok().filter(fits) else {
            return Err(Error::shape(
                name,
                format!("a shape that {} can be repeated to", x.shape()),
                &shape,
                "aligned at the last, each dimension of the input must be 1 or that of the shape",
            ));
        };
        let mut y = Tensor::uninit(shape, self.pool());
        plan.zip(y.as_mut_slice(), 0, x.value().as_slice(), |_, v| v);
        Ok(self.record(BroadcastTo(plan), &[x], y))
    }

    /// `x` several times along each dimension, `repeats` for each of them.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.leaf(Tensor::from_vec([1, 2], vec![1., 2.])?);
    /// let y = tape.tile(&x, &[2, 2])?;
    /// assert_eq!(y.value(), &Tensor::from_vec([2, 4], vec![1., 2., 1., 2., 1., 2., 1., 2.])?);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one number for each dimension, or the result is too large.
    pub fn tile(&self, x: &Var<T>, repeats: &[usize]) -> Result<Var<T>> {
        let (name, dims) = ("tile", x.dims());
        if repeats.len() != dims.len() {
            return Err(Error::shape(
                name,
                format!("{} repetitions for an input {}", dims.len(), x.shape()),
                format!("{repeats:?}"),
                "pass 1 for a dimension that stays, and reshape the input to add one",
            ));
        }
        let repeated = dims.iter().zip(repeats);
        let output: Vec<_> = repeated.map(|(&len, &n)| len.saturating_mul(n)).collect();
        Shape::from(&output[..]).ensure_possible(name)?;
        let mut y = x.clone();
        // The last dimension first: then the copies are long.
        for axis in (0..dims.len()).rev().filter(|&axis| repeats[axis] != 1) {
            let len = dims[axis];
            y = self.along(name, &y, axis, output[axis], T::zero(), |i| i % len);
        }
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;
    use std::slice::from_ref;

    #[test]
    fn tiles_of_any_dimensions() {
        let cases: [(&[usize], &[usize]); 6] = [
            (&[], &[]),
            (&[3], &[4]),
            (&[2, 3], &[1, 2]),
            (&[2, 3], &[3, 1]),
            (&[2, 1, 3], &[2, 3, 2]),
            (&[2, 3], &[0, 2]),
        ];
        for (dims, repeats) in cases {
            let x = sample(dims, 1);
            let y = run::<f64>(from_ref(&x), |tape, x| tape.tile(&x[0], repeats));
            let output: Vec<_> = dims.iter().zip(repeats).map(|(len, n)| len * n).collect();
            assert_eq!(y[0].len(), output.iter().product::<usize>());
            for (i, &v) in y[0].iter().enumerate() {
                let (mut rest, mut place, mut step) = (i, 0, 1);
                for axis in (0..dims.len()).rev() {
                    place += rest % output[axis] % dims[axis] * step;
                    rest /= output[axis];
                    step *= dims[axis];
                }
                assert_eq!(v, x.as_slice()[place]);
            }
            check(from_ref(&x), |tape, x| tape.tile(&x[0], repeats));
        }
    }

    #[test]
    fn broadcasting_is_adding_to_zeros() {
        let cases: [(&[usize], &[usize]); 6] = [
            (&[], &[2, 3]),
            (&[3], &[2, 3]),
            (&[2, 1], &[2, 3]),
            (&[2, 3], &[2, 3]),
            (&[1, 4, 1], &[5, 2, 4, 3]),
            (&[1], &[0]),
        ];
        for (dims, shape) in cases {
            let x = sample(dims, 2);
            let broadcast = |tape: &Tape<f64>, x: &[Var<f64>]| tape.broadcast_to(&x[0], shape);
            let added = run::<f64>(from_ref(&x), |tape, x| {
                tape.add(&x[0], &tape.constant(Tensor::zeros(shape)))
            });
            assert_eq!(run(from_ref(&x), broadcast), added);
            check(from_ref(&x), broadcast);
            let narrow = run::<f32>(from_ref(&x), |tape, x| tape.broadcast_to(&x[0], shape));
            assert_close(&narrow, &added, 1e-6);
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for (dims, shape) in
            [([30_000, 1], [30_000, 3]), ([1, 3], [30_000, 3]), ([1, 1], [1, 90_000])]
        {
            let x = sample(dims, 3);
            let results = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    run::<f32>(from_ref(&x), |tape, x| {
                        let y = tape.broadcast_to(&x[0], shape)?;
                        let y = tape.tanh(y);
                        tape.tile(&tape.mul(&y, &y)?, &[2, 3])
                    })
                })
            };
            let one = results(1);
            assert!(one == results(2) && one == results(4));
        }
    }

    #[test]
    fn what_cannot_be_repeated_is_refused() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 3]));
        for shape in [&[3][..], &[3, 3], &[2, 3, 1], &[2, 0]] {
            refused(tape.broadcast_to(&x, shape), &["broadcast_to", "[2, 3]"]);
        }
        let scalar = tape.leaf(Tensor::scalar(1.0));
        refused(tape.broadcast_to(&scalar, [1 << 40, 1 << 40]), &["broadcast_to", "at most"]);
        refused(tape.tile(&x, &[2]), &["tile", "[2, 3]", "[2]", "reshape"]);
        refused(tape.tile(&x, &[1 << 40, 1 << 40]), &["tile", "at most"]);
        refused(tape.tile(&x, &[usize::MAX, 2]), &["tile", "at most"]);
        let empty = tape.leaf(Tensor::zeros([0, 1]));
        assert_eq!(tape.tile(&empty, &[1, 1 << 55]).unwrap().dims(), [0, 1 << 55]);
    }
}

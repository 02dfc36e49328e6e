//! Helpers shared by the ops' tests.

use crate::autograd::gradcheck::gradcheck;
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::rng::Rng;
use crate::tensor::{Shape, Tensor};

/// Uniform numbers in [-1, 1), at least 0.01 away from the kink at 0.
pub fn sample(shape: impl Into<Shape>, seed: u64) -> Tensor<f64> {
    let mut rng = Rng::new(seed, 0);
    Tensor::from_fn(shape, |_| {
        let value = rng.uniform_in(-1.0, 1.0);
        if value.abs() < 0.01 { 0.01 } else { value }
    })
}

/// Checks the gradients of `f` at `inputs` to 1e-6.
pub fn check(inputs: &[Tensor<f64>], f: impl Fn(&Tape<f64>, &[Var<f64>]) -> Result<Var<f64>>) {
    gradcheck(inputs, f).unwrap().ensure(1e-6).unwrap();
}

/// The output of `f`, and the gradient of its sum with respect to each input, in double precision.
pub fn run<T: Kernels>(
    inputs: &[Tensor<f64>],
    f: impl Fn(&Tape<T>, &[Var<T>]) -> Result<Var<T>>,
) -> Vec<Vec<f64>> {
    let wide = |t: &Tensor<T>| t.as_slice().iter().map(|v| v.as_f64()).collect::<Vec<_>>();
    let mut tape = Tape::new();
    let leaves: Vec<_> = inputs.iter().map(|x| tape.leaf(x.cast())).collect();
    let output = f(&tape, &leaves).unwrap();
    let ones = Tensor::full(output.shape(), T::one());
    tape.backward_from(&output, ones).unwrap();
    let mut results = vec![wide(output.value())];
    results.extend(leaves.iter().map(|leaf| wide(tape.grad(leaf).unwrap())));
    results
}

/// Whether `narrow` is `wide` up to `tolerance` times the largest element of each array.
pub fn assert_close(narrow: &[Vec<f64>], wide: &[Vec<f64>], tolerance: f64) {
    assert_eq!(narrow.len(), wide.len());
    for (narrow, wide) in narrow.iter().zip(wide) {
        assert_eq!(narrow.len(), wide.len());
        let size = wide.iter().fold(1e-3, |size: f64, v| size.max(v.abs()));
        for (n, w) in narrow.iter().zip(wide) {
            assert!((n - w).abs() <= tolerance * size, "{n} and {w}");
        }
    }
}

/// The message of a result that must be an error, checked to contain each of `parts`.
pub fn refused<U>(outcome: Result<U>, parts: &[&str]) {
    let Err(error) = outcome else { panic!("must be refused") };
    assert!(
        matches!(error, Error::Shape { .. } | Error::Setting { .. } | Error::Data { .. }),
        "{error:?}"
    );
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

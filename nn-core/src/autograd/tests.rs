//! Tests of the tape itself, independent of the ops' mathematics.

use super::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::tensor::{BufferPool, Tensor};

fn ones(n: usize) -> Tensor<f64> {
    Tensor::full([n], 1.0)
}

/// `x^2`; only the tape keeps the intermediate values alive.
fn square(tape: &Tape<f64>, x: &Var<f64>) -> Var<f64> {
    tape.mul(x, x).unwrap()
}

fn message<U>(outcome: Result<U>) -> String {
    match outcome {
        Err(Error::Tape(message)) => message,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("must be refused"),
    }
}

#[test]
fn gradients_add_up_over_uses_and_over_passes() {
    let mut tape = Tape::new();
    let x = tape.leaf(Tensor::full([2], 3.0));
    let y = square(&tape, &x);
    let z = tape.add(&y, &x).unwrap();
    tape.backward_from_keeping(&z, ones(2)).unwrap();
    assert_eq!(tape.grad(&x).unwrap().as_slice(), [7.0; 2]);
    tape.backward_from(&z, ones(2)).unwrap();
    assert_eq!(tape.grad(&x).unwrap().as_slice(), [14.0; 2]);
    assert_eq!(tape.take_grad(&x).unwrap().as_slice(), [14.0; 2]);
    assert!(tape.grad(&x).is_none());
}

#[test]
fn a_retained_gradient_counts_each_pass_once() {
    let mut tape = Tape::new();
    let x = tape.leaf(Tensor::full([1], 3.0));
    let y = square(&tape, &x);
    let z = square(&tape, &y);
    tape.retain_grad(&y).unwrap();
    tape.backward_from_keeping(&z, ones(1)).unwrap();
    tape.backward_from(&z, ones(1)).unwrap();
    // dz/dy = 2 y = 18, twice; dz/dx = 4 x^3 = 108, twice.
    assert_eq!(tape.grad(&y).unwrap().as_slice(), [36.0]);
    assert_eq!(tape.grad(&x).unwrap().as_slice(), [216.0]);
    // In a third pass the saved data is gone: it returns an error and changes nothing.
    assert!(message(tape.backward_from(&y, ones(1))).contains("freed"));
    assert_eq!(tape.grad(&y).unwrap().as_slice(), [36.0]);
}

#[test]
fn only_what_the_output_depends_on_is_reached() {
    let mut tape = Tape::new();
    let (x, other) = (tape.leaf(ones(1)), tape.leaf(ones(1)));
    let y = square(&tape, &x);
    let unrelated = square(&tape, &other);
    tape.backward(&y).unwrap();
    assert!(tape.grad(&x).is_some() && tape.grad(&other).is_none());
    tape.backward(&unrelated).unwrap();
    assert!(tape.grad(&other).is_some());
}

#[test]
fn a_variable_from_before_the_tape_was_cleared_is_reported() {
    let mut tape = Tape::new();
    let x = tape.leaf(ones(1));
    tape.clear();
    let weight = tape.leaf(ones(1));
    let y = tape.mul(&x, &weight).unwrap();
    let text = message(tape.backward(&y));
    assert!(text.contains("mul") && text.contains("cleared"), "{text}");
    // The value itself can be used, as a constant.
    tape.clear();
    let (weight, x) = (tape.leaf(ones(1)), tape.constant(x.share()));
    let y = tape.mul(&x, &weight).unwrap();
    tape.backward(&y).unwrap();
    assert!(message(tape.retain_grad(&x)).contains("no gradient"));
}

#[test]
fn an_op_in_place_is_checked_for_its_origin_too() {
    let first = Tape::new();
    let mut second = Tape::new();
    let x = first.leaf(ones(1));
    let weight = second.leaf(ones(1));
    let y = second.relu(x);
    let z = second.add(&y, &weight).unwrap();
    assert!(message(second.backward(&z)).contains("relu"));
}

#[test]
fn inference_takes_variables_of_any_tape_and_records_none() {
    let training = Tape::new();
    let x = training.leaf(ones(1));
    let mut inference = Tape::inference(BufferPool::new());
    let leaf = inference.leaf(ones(1));
    let y = inference.add(&x, &leaf).unwrap();
    assert!(!y.requires_grad() && !inference.tracks(&[&x, &leaf]));
    assert!(message(inference.backward(&y)).contains("no gradient"));
}

#[test]
fn gradients_of_the_wrong_shape_are_refused() {
    struct Broken;
    impl Op<f64> for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }

        fn backward(&self, _: Tensor<f64>, inputs: &mut Backward<'_, f64>) -> Result<()> {
            inputs.accumulate(0, Tensor::zeros([3]))
        }
    }

    let mut tape = Tape::new();
    let x = tape.leaf(ones(2));
    let y = tape.record(Broken, &[&x], ones(2));
    let error = tape.backward_from(&y, ones(2)).unwrap_err().to_string();
    assert!(error.contains("broken") && error.contains("[2]") && error.contains("[3]"), "{error}");
    let y = square(&tape, &x);
    let error = tape.backward(&y).unwrap_err().to_string();
    assert!(error.contains("one element") && error.contains("[2]"), "{error}");
    assert!(tape.backward_from(&y, ones(3)).is_err());
}

#[test]
fn what_a_backward_has_used_goes_back_to_the_pool() {
    let pool = BufferPool::new();
    let mut tape = Tape::with_pool(pool.clone());
    let x = tape.leaf(ones(1000));
    let step = |tape: &mut Tape<f64>| {
        let y = square(tape, &x);
        let y = tape.tanh(y);
        let y = tape.sum(&y);
        tape.backward(&y).unwrap();
        tape.take_grad(&x);
    };
    step(&mut tape);
    let after_one = pool.bytes();
    step(&mut tape);
    assert!(after_one > 0 && pool.bytes() == after_one, "{after_one} and {}", pool.bytes());
}

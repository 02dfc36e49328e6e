//! A regression with a tape, a loss and an optimiser of one's own: capacity, rate and midpoint of logistic
//! growth, found from noisy measurements of which every tenth is wrong.
//!
//! `cargo run --release -p nn-core --example regression`

use nn_core::rng::Rng;
use nn_core::{Result, Tape, Tensor, Var};

/// Lion (Chen et al. 2023): steps of one length, in the direction of a momentum's sign.
struct Lion {
    momentum: Vec<f64>,
}

impl Lion {
    fn step(&mut self, weights: &mut [f64], gradients: &[f64], learning_rate: f64) {
        for ((w, g), m) in weights.iter_mut().zip(gradients).zip(&mut self.momentum) {
            *w -= learning_rate * (0.9 * *m + 0.1 * g).signum();
            *m = 0.99 * *m + 0.01 * g;
        }
    }
}

/// Growth over the times `t`: `capacity / (1 + exp(-rate (t - midpoint)))`.
fn growth(
    tape: &Tape<f64>,
    t: &Var<f64>,
    [capacity, rate, midpoint]: [&Var<f64>; 3],
) -> Result<Var<f64>> {
    (capacity * ((tape.expr(t) - midpoint) * rate).sigmoid()).var()
}

fn main() -> Result<()> {
    let truth = [8.0, 1.5, 4.0];
    let mut rng = Rng::new(27, 0);
    let times = Tensor::from_fn([200], |i| i as f64 / 20.0);
    let mut tape = Tape::new();
    let t = tape.constant(times.clone());
    let exact =
        growth(&tape, &t, truth.each_ref().map(|&v| tape.constant(Tensor::scalar(v))).each_ref())?;
    let mut measured = exact.value().clone();
    for (i, y) in measured.as_mut_slice().iter_mut().enumerate() {
        *y += if i % 10 == 0 { 20.0 } else { rng.uniform_in(-0.3, 0.3) };
    }

    let mut weights = [1.0, 1.0, 1.0];
    let mut lion = Lion { momentum: vec![0.0; 3] };
    for step in 0..2000 {
        tape.clear();
        let leaves = weights.map(|w| tape.leaf(Tensor::scalar(w)));
        let (t, y) = (tape.constant(times.clone()), tape.constant(measured.clone()));
        let predicted = growth(&tape, &t, leaves.each_ref())?;
        // Squares of small errors, and the size of large ones (the pseudo-Huber loss).
        let error = tape.expr(&predicted) - &y;
        let loss = ((error / 0.2).square() + 1.0).sqrt().mean().var()?;
        tape.backward(&loss)?;
        let mut gradients = [0.0; 3];
        for (gradient, leaf) in gradients.iter_mut().zip(&leaves) {
            *gradient = tape.grad(leaf).map_or(Ok(0.0), Tensor::item)?;
        }
        lion.step(&mut weights, &gradients, 0.01 * (1.0 - f64::from(step) / 2000.0));
        if step % 500 == 499 {
            println!("step {}: loss {:.4}, weights {weights:.3?}", step + 1, loss.value().item()?);
        }
    }
    assert!(
        weights.iter().zip(truth).all(|(w, truth)| (w - truth).abs() < 0.15),
        "close to {truth:?}"
    );
    Ok(())
}

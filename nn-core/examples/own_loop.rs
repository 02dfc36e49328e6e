//! A custom training loop for a regression, with gradients accumulated over two half batches,
//! gradient clipping, and a decaying learning rate.
//!
//! `cargo run --release -p nn-core --example own_loop`

use nn_core::layers::{Activation, Dense, OutputKind};
use nn_core::loss::Loss;
use nn_core::model::{Pass, Sequential};
use nn_core::optim::{Gradients, OptimizerConfig, Schedule};
use nn_core::rng::Rng;
use nn_core::{Result, Tape, Tensor};

/// The gradients and the loss of one batch.
fn gradients(
    model: &Sequential,
    tape: &mut Tape,
    rng: &mut Rng,
    (x, y): (Tensor, Tensor),
) -> Result<(Gradients, f32)> {
    tape.clear();
    let pass = model.forward(tape, tape.constant(x), Pass::training(rng))?;
    let loss = Loss::MeanSquaredError.apply(tape, &pass.output, &y)?;
    tape.backward(&loss)?;
    Ok((Gradients::take(tape, &pass.parameters), loss.value().item()?))
}

/// The global norm of all gradients.
fn norm(gradients: &Gradients) -> f64 {
    let tensors = (0..gradients.len()).filter_map(|i| gradients.get(i));
    let squares = tensors.flat_map(|t| t.as_slice()).map(|&g| f64::from(g) * f64::from(g));
    squares.sum::<f64>().sqrt()
}

fn main() -> Result<()> {
    let mut model = Sequential::builder([1])
        .layer(Dense::new(32).activation(Activation::Tanh))
        .layer(Dense::new(1))
        .output(OutputKind::Linear)
        .build(27)?;
    let mut optimizer = OptimizerConfig::adam().build()?;
    let schedule = Schedule::Cosine { epochs: 40, floor: 0.0 };
    let (mut tape, mut rng) = (Tape::new(), Rng::new(27, 1));
    let mut batch = Rng::new(27, 2);
    let mut draw = || {
        let x = Tensor::from_fn([16, 1], |_| batch.uniform_in(-1.0, 1.0) as f32);
        let y = x.map(|v| (3.0 * v).sin());
        (x, y)
    };
    let mut loss = 0.0;
    for epoch in 0..40 {
        let learning_rate = schedule.learning_rate(0.01, epoch, &[]);
        for _ in 0..50 {
            let (mut sum, first) = gradients(&model, &mut tape, &mut rng, draw())?;
            let (other, second) = gradients(&model, &mut tape, &mut rng, draw())?;
            sum.add_assign(&other)?;
            loss = (first + second) / 2.0;
            // The mean of the two halves, clipped to norm 1.
            sum.scale(0.5);
            let length = norm(&sum);
            if length > 1.0 {
                sum.scale(1.0 / length);
            }
            optimizer.step(model.parameters_mut(), &sum, learning_rate)?;
        }
        if epoch % 10 == 9 {
            println!("epoch {}: loss {loss:.5}", epoch + 1);
        }
    }
    let at = Tensor::from_vec([3, 1], vec![-0.5, 0.0, 0.5])?;
    println!("sin(3x) at {at} is about {:.3}", model.predict(at.clone())?);
    assert!(loss < 0.01);
    Ok(())
}

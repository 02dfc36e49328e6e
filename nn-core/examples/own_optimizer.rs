//! A regression with an optimiser of its own (RMSprop), trained by `Trainer` until the validation loss
//! no longer becomes lower.
//!
//! `cargo run --release -p nn-core --example own_optimizer`

use nn_core::layers::{Activation, Dense, OutputKind, Parameter};
use nn_core::loss::Loss;
use nn_core::model::Sequential;
use nn_core::optim::{Gradients, Optimizer};
use nn_core::rng::Rng;
use nn_core::train::{EpochDone, FitOptions, InMemory, Observer, Stop, Trainer};
use nn_core::{Result, Tensor};
use std::ops::ControlFlow;
use std::sync::Arc;

/// RMSprop (Hinton, 2012). To resume a run from a file, it would implement `state` and `load_state`.
#[derive(Debug, Default)]
struct RmsProp {
    squares: Vec<Vec<f32>>,
}

impl Optimizer<f32> for RmsProp {
    fn step(
        &mut self,
        parameters: &mut [Parameter],
        gradients: &Gradients,
        rate: f64,
    ) -> Result<()> {
        self.squares.resize_with(parameters.len(), Vec::new);
        for (i, parameter) in parameters.iter_mut().enumerate() {
            let Some(gradient) = gradients.get(i) else { continue };
            let squares = &mut self.squares[i];
            squares.resize(gradient.len(), 0.0);
            let weights = Arc::make_mut(&mut parameter.value).as_mut_slice();
            for ((w, g), square) in weights.iter_mut().zip(gradient.as_slice()).zip(squares) {
                *square = 0.9 * *square + 0.1 * g * g;
                *w -= rate as f32 * g / (square.sqrt() + 1e-7);
            }
        }
        Ok(())
    }
}

/// Stops when the validation loss has not become lower for 20 epochs.
struct Patience {
    lowest: f64,
    since: usize,
}

impl Observer for Patience {
    fn epoch_done(&mut self, epoch: &EpochDone) -> ControlFlow<Stop> {
        let loss = epoch.record.val_loss.unwrap_or(f64::NAN);
        self.since = if loss < self.lowest { 0 } else { self.since + 1 };
        self.lowest = self.lowest.min(loss);
        if self.since == 20 { ControlFlow::Break(Stop::Finish) } else { ControlFlow::Continue(()) }
    }
}

fn main() -> Result<()> {
    let mut rng = Rng::new(27, 0);
    let mut draw = |n: usize| {
        let x = Tensor::from_fn([n, 1], |_| rng.uniform_in(-1.0, 1.0) as f32);
        InMemory::new(x.clone(), x.map(|x| (3.0 * x).sin()))
    };
    let (train, validation) = (draw(400)?, draw(100)?);
    let model = Sequential::builder([1])
        .layer(Dense::new(32).activation(Activation::Tanh))
        .layer(Dense::new(1))
        .output(OutputKind::Linear)
        .build(27)?;
    let loss = Loss::MeanSquaredError;
    let options = FitOptions { epochs: 200, learning_rate: 0.005, loss, ..Default::default() };
    let mut trainer = Trainer::new(model, RmsProp::default(), options)?;
    let mut patience = Patience { lowest: f64::INFINITY, since: 0 };
    trainer.fit(&train, Some(&validation), &mut patience)?;
    println!("{} epochs, loss {:.5} at best", trainer.history().len(), patience.lowest);
    assert!(patience.lowest < 0.01);
    Ok(())
}

//! Our training step of the reference network, or its forward pass, for `compare.py`: one line of JSON,
//! in milliseconds.
//!
//! The same work as the peers do: 256x256x3, f32, batch 4 or `--batch N`; forward, backward and Adam, or
//! with `--forward` only a prediction. `--size N` takes other images.

use nn_core::model::ReferenceCnn;
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, Trainer};
use nn_core::{Result, Tensor};
use std::time::Instant;

const WARM_UP: usize = 3;
const STEPS: usize = 20;

fn main() -> Result<()> {
    let (batch, size) = (option("--batch").unwrap_or(4), option("--size").unwrap_or(256));
    let forward_only = std::env::args().any(|arg| arg == "--forward");
    let model = ReferenceCnn::new(2, size).build(27)?;
    let mut rng = Rng::new(27, 0);
    let images = || Tensor::from_fn([batch, size, size, 3], |_| rng.uniform_in(0.0, 255.0) as f32);
    if forward_only {
        let mut predictor = model.predictor();
        return time(images, |x| predictor.predict(x).map(drop));
    }
    let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, FitOptions::default())?;
    let labels: Vec<usize> = (0..batch).map(|i| i % 2).collect();
    time(images, |x| trainer.step(x, &labels, 0.001).map(drop))
}

/// Prints how long `run` takes for `images`.
fn time(
    mut images: impl FnMut() -> Tensor,
    mut run: impl FnMut(Tensor) -> Result<()>,
) -> Result<()> {
    let mut times = Vec::new();
    for step in 0..WARM_UP + STEPS {
        let x = images();
        let started = Instant::now();
        run(x)?;
        if step >= WARM_UP {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let (median, min) = (times[STEPS / 2], times[0]);
    println!("{{\"median_ms\": {median:.1}, \"min_ms\": {min:.1}}}");
    Ok(())
}

/// The number after `name` on the command line, if both are there.
fn option(name: &str) -> Option<usize> {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    args.nth(1)?.parse().ok()
}

//! Our training step of the reference network, for `compare.py`: one line of JSON, in milliseconds.
//!
//! The same work as the peers do: batch 4, 256x256x3, forward, backward, Adam, f32.

use nn_core::model::ReferenceCnn;
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, Trainer};
use nn_core::{Result, Tensor};
use std::time::Instant;

const WARM_UP: usize = 3;
const STEPS: usize = 20;

fn main() -> Result<()> {
    let model = ReferenceCnn::new(2, 256).build(27)?;
    let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, FitOptions::default())?;
    let mut rng = Rng::new(27, 0);
    let mut times = Vec::new();
    for step in 0..WARM_UP + STEPS {
        let x = Tensor::from_fn([4, 256, 256, 3], |_| rng.uniform_in(0.0, 255.0) as f32);
        let started = Instant::now();
        trainer.step(x, &[0, 1, 1, 0], 0.001)?;
        if step >= WARM_UP {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let (median, min) = (times[STEPS / 2], times[0]);
    println!("{{\"median_ms\": {median:.1}, \"min_ms\": {min:.1}}}");
    Ok(())
}

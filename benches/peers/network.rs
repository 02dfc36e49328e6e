//! One of our networks of `table.py`: a training step, or with `--forward` a prediction. One line of JSON, in
//! milliseconds.
//!
//! `network NAME BATCH [--forward]`; `networks.rs` has the networks. The number of threads is that of
//! `RAYON_NUM_THREADS`.

mod networks;

use networks::{CLASSES, network};
use nn_core::internals::peak;
use nn_core::kernels::isa;
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, Trainer};
use nn_core::{Error, Result, Tensor};
use std::time::Instant;

const WARM_UP: usize = 3;
const STEPS: usize = 20;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, batch, ..] = &args[..] else { return Err(usage("nothing")) };
    let batch: usize = batch.parse().map_err(|_| usage(batch))?;
    let forward = args.iter().any(|arg| arg == "--forward");
    let model = network(name)?;
    let mut rng = Rng::new(27, 0);
    let shape: Vec<usize> =
        std::iter::once(batch).chain(model.input_shape().dims().iter().copied()).collect();
    let x = Tensor::from_fn(shape, |_| rng.uniform_in(0.0, 1.0) as f32);
    let summary = model.summary();
    let first = summary.layers.iter().map(|layer| layer.multiply_adds).find(|&n| n > 0);
    let before = reset_peak();
    let times = if forward {
        let mut predictor = model.predictor();
        time(&x, |x| predictor.predict(x).map(drop))?
    } else {
        let adam = OptimizerConfig::adam().build()?;
        let mut trainer = Trainer::new(model, adam, FitOptions::default())?;
        let labels: Vec<usize> = (0..batch).map(|i| i % CLASSES).collect();
        time(&x, |x| trainer.step(x, &labels, 0.001).map(drop))?
    };
    let peak = memory("VmHWM:");
    println!(
        "{{\"median_ms\": {:.3}, \"min_ms\": {:.3}, \"parameters\": {}, \"multiply_adds\": {}, \
         \"first_multiply_adds\": {}, \"peak_gflops\": {:.1}, \"peak_mb\": {:.1}, \
         \"working_mb\": {:.1}}}",
        times[STEPS / 2],
        times[0],
        summary.trainable,
        summary.multiply_adds,
        first.unwrap_or(0),
        peak::measure(isa::active()) / 1e9,
        peak,
        peak - before,
    );
    Ok(())
}

/// The times of the timed runs, from the least to the greatest.
fn time(x: &Tensor, mut run: impl FnMut(Tensor) -> Result<()>) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for step in 0..WARM_UP + STEPS {
        let x = x.clone();
        let started = Instant::now();
        run(x)?;
        if step >= WARM_UP {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Makes the peak of the memory that of now, and returns it, in MB: what the network takes before it works.
fn reset_peak() -> f64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    memory("VmRSS:")
}

/// The memory of the process, in MB: `VmRSS:` that of now, `VmHWM:` its peak. 0 where the system does not say
/// (only Linux does).
fn memory(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.unwrap_or(0.0) / 1024.0
}

fn usage(received: &str) -> Error {
    Error::setting("the arguments", "NAME BATCH [--forward]", received, "see table.py")
}

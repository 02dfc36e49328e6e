//! `nn-cli bench`: the speed of training the built-in network on this machine, in total and by layer.

mod layers;
mod timing;

use crate::args::BenchArgs;
use crate::failure::Failure;
use crate::ui::{Console, Counter, table};
use layers::LayerTime;
use nn_core::internals::peak;
use nn_core::kernels::isa;
use nn_core::model::ReferenceCnn;
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, Trainer, check_batch_size};
use nn_core::{Error, Tensor};
use nn_study::config::check_image_size;
use nn_study::format;
use serde::Serialize;
use timing::Times;

/// The seed of weights and pixels.
const SEED: u64 = 27;

/// Two classes, as in the reference's task.
const CLASSES: usize = 2;

/// The number of untimed steps and passes: afterwards memory is mapped and buffers are allocated.
const WARM_UP: usize = 3;

/// The result, as printed by `--json`. Times are in milliseconds.
#[derive(Serialize)]
struct BenchResult {
    kernel: &'static str,
    threads: usize,
    batch_size: usize,
    image_size: usize,
    step_ms: Times,
    forward_ms: f64,
    /// The peak rate of multiplications and additions on registers only, with all threads, in 1e9 per
    /// second.
    peak_gflops: f64,
    layers: Vec<LayerTime>,
}

pub fn run(args: &BenchArgs, console: &Console) -> Result<(), Failure> {
    check_image_size(args.image_size)?;
    check_batch_size(args.batch_size)?;
    if args.steps == 0 {
        return Err(Failure::usage("steps must be at least 1, received 0; 20 are usual"));
    }
    let network = ReferenceCnn::new(CLASSES, args.image_size);
    let total = (2 + layers::count(&network)) * (args.steps + WARM_UP);
    let counter = Counter::items(console, "measuring", total as u64, "passes");
    let clock = timing::Clock { steps: args.steps, warm_up: WARM_UP, counter };

    let isa = isa::active();
    let peak_gflops = peak::measure(isa) / 1e9;
    let report = BenchResult {
        kernel: isa.name(),
        threads: rayon::current_num_threads(),
        batch_size: args.batch_size,
        image_size: args.image_size,
        step_ms: step(&network, args.batch_size, &clock)?,
        forward_ms: forward(&network, args.batch_size, &clock)?.median,
        peak_gflops,
        layers: layers::measure(&network, args.batch_size, &clock)?,
    };
    drop(clock);
    console.text(&report.to_text())?;
    console.json(&report)?;
    Ok(())
}

/// A batch of random images, with values from 0 to 255.
fn pixels(network: &ReferenceCnn, batch: usize) -> Tensor {
    let (height, width) = network.image_size;
    let mut rng = Rng::new(SEED, 0);
    let shape = [batch, height, width, network.channels];
    Tensor::from_fn(shape, |_| rng.uniform_in(0.0, 255.0) as f32)
}

/// Times complete training steps: forward, backward, Adam.
fn step(network: &ReferenceCnn, batch: usize, clock: &timing::Clock) -> Result<Times, Error> {
    let options = FitOptions::default();
    let learning_rate = options.learning_rate;
    let model = network.build(SEED)?;
    let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, options)?;
    let labels: Vec<usize> = (0..batch).map(|i| i % CLASSES).collect();
    let x = pixels(network, batch);
    clock.time(|| x.clone(), |x| trainer.step(x, &labels, learning_rate).map(drop))
}

/// Times predictions of a batch.
fn forward(network: &ReferenceCnn, batch: usize, clock: &timing::Clock) -> Result<Times, Error> {
    let model = network.build::<f32>(SEED)?;
    let x = pixels(network, batch);
    let mut predictor = model.predictor();
    clock.time(|| x.clone(), |x| predictor.predict(x).map(drop))
}

impl BenchResult {
    fn to_text(&self) -> String {
        let Self { kernel, threads, batch_size, image_size, peak_gflops, .. } = self;
        let threads = format::plural(*threads as u64, "thread");
        let mut out = format!(
            "built-in network, batch {batch_size}, {image_size}x{image_size} pixels, {kernel} kernels, \
             {threads}\n\n  \
             training step  {:.1} ms (fastest {:.1} ms)\n  \
             forward        {:.1} ms\n  \
             machine        {peak_gflops:.0} GFLOP/s at best, multiplying and adding in registers\n\n",
            self.step_ms.median, self.step_ms.min, self.forward_ms,
        );
        let header = ["layer", "pass", "ms", "GFLOP/s", "of the best"].map(String::from);
        let rows = self.layers.iter().map(|layer| {
            vec![
                layer.name.clone(),
                layer.pass.to_string(),
                format!("{:.2}", layer.ms),
                format!("{:.0}", layer.gflops),
                format!("{:.0} %", 100.0 * layer.gflops / peak_gflops),
            ]
        });
        for line in table::columns(&header, rows).lines() {
            out += &format!("  {line}\n");
        }
        out + "\n  Operations are counted as plain loops would need them. Kernels that skip zeros or \
               transform\n  need fewer, so they can look faster than the machine's best.\n"
    }
}

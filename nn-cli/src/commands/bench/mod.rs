//! `nn-cli bench`: the speed of training a network on this machine, in total and by layer.

mod graph;
mod layers;
mod opened;
mod passes;
mod timing;

use crate::args::BenchArgs;
use crate::config::{channels, image_size};
use crate::failure::Failure;
use crate::model::DEFAULT_IMAGE_SIZE;
use crate::ui::{Console, Counter, table};
use nn_core::data::Channels;
use nn_core::internals::peak;
use nn_core::kernels::isa;
use nn_core::model::{ReferenceCnn, Sequential};
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, Trainer, check_batch_size};
use nn_core::{Error, Tensor};
use nn_study::network::loss_for;
use nn_study::{Network, format};
use passes::LayerTime;
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
    /// The network, if it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<String>,
    step_ms: Times,
    forward_ms: Forward,
    /// The peak rate of multiplications and additions on registers only, with all threads, in 1e9 per
    /// second.
    peak_gflops: f64,
    layers: Vec<LayerTime>,
}

/// The time of a prediction: the median alone, unless a network was named.
#[derive(Serialize)]
#[serde(untagged)]
enum Forward {
    Median(f64),
    Times(Times),
}

impl Forward {
    fn median(&self) -> f64 {
        match self {
            Self::Median(median) | Self::Times(Times { median, .. }) => *median,
        }
    }
}

pub fn run(args: &BenchArgs, console: &Console) -> Result<(), Failure> {
    if args.steps == 0 {
        return Err(Failure::usage("steps must be at least 1, received 0; 20 are usual"));
    }
    if let Some(path) = &args.model {
        return opened::run(path, args, console);
    }
    let network = args.network.architecture.as_deref().map(Network::find).transpose()?;
    let named = network.as_ref().map(|network| network.name().to_string());
    let network = network.unwrap_or_default();
    let size = image_size(&network, args.image_size, DEFAULT_IMAGE_SIZE)?;
    network.check_image_size(size)?;
    check_batch_size(args.batch_size)?;
    let channels = channels(&network, args.network.channels, Channels::Rgb)?;
    let input = network.input(size, channels);
    let model = network.build(input, CLASSES, SEED)?;
    let reference = (network.is_reference() && channels == Channels::Rgb)
        .then(|| ReferenceCnn::new(CLASSES, size));
    let passes = match &reference {
        Some(reference) => layers::count(reference),
        None => graph::count(&model),
    };
    let total = (2 + passes) * (args.steps + WARM_UP);
    let counter = Counter::items(console, "measuring", total as u64, "passes");
    let clock = timing::Clock { steps: args.steps, warm_up: WARM_UP, counter };

    let isa = isa::active();
    let peak_gflops = peak::measure(isa) / 1e9;
    let report = BenchResult {
        kernel: isa.name(),
        threads: rayon::current_num_threads(),
        batch_size: args.batch_size,
        image_size: size,
        step_ms: step(&model, args.batch_size, &clock)?,
        forward_ms: match (forward(&model, args.batch_size, &clock)?, &named) {
            (times, None) => Forward::Median(times.median),
            (times, Some(_)) => Forward::Times(times),
        },
        architecture: named,
        peak_gflops,
        layers: match &reference {
            Some(reference) => layers::measure(reference, args.batch_size, &clock)?,
            None => graph::measure(&model, args.batch_size, &clock)?,
        },
    };
    drop(clock);
    console.text(&report.to_text())?;
    console.json(&report)?;
    Ok(())
}

/// A batch of random images, with values from 0 to 255.
fn pixels(input: &[usize], batch: usize) -> Tensor {
    let mut rng = Rng::new(SEED, 0);
    let shape: Vec<usize> = std::iter::once(batch).chain(input.iter().copied()).collect();
    Tensor::from_fn(shape, |_| rng.uniform_in(0.0, 255.0) as f32)
}

/// Times complete training steps: forward, backward, Adam.
fn step(model: &Sequential, batch: usize, clock: &timing::Clock) -> Result<Times, Error> {
    let options = FitOptions { loss: loss_for(model.output_kind()), ..FitOptions::default() };
    let learning_rate = options.learning_rate;
    let x = pixels(model.input_shape().dims(), batch);
    let labels: Vec<usize> = (0..batch).map(|i| i % CLASSES).collect();
    let mut trainer = Trainer::new(model.clone(), OptimizerConfig::adam().build()?, options)?;
    clock.time(|| x.clone(), |x| trainer.step(x, &labels, learning_rate).map(drop))
}

/// Times predictions of a batch.
fn forward(model: &Sequential, batch: usize, clock: &timing::Clock) -> Result<Times, Error> {
    let x = pixels(model.input_shape().dims(), batch);
    let mut predictor = model.predictor();
    clock.time(|| x.clone(), |x| predictor.predict(x).map(drop))
}

impl BenchResult {
    fn to_text(&self) -> String {
        let Self { kernel, threads, batch_size, image_size, peak_gflops, .. } = self;
        let threads = format::plural(*threads as u64, "thread");
        let network = match &self.architecture {
            Some(name) => format!("network {name}"),
            None => "built-in network".to_string(),
        };
        let mut out = format!(
            "{network}, batch {batch_size}, {image_size}x{image_size} pixels, {kernel} kernels, \
             {threads}\n\n  \
             training step  {:.1} ms (fastest {:.1} ms)\n  \
             forward        {:.1} ms\n  \
             machine        {peak_gflops:.0} GFLOP/s at best, multiplying and adding in registers\n\n",
            self.step_ms.median,
            self.step_ms.min,
            self.forward_ms.median(),
        );
        let header = ["layer", "pass", "ms", "GFLOP/s", "of best", "kernel"].map(String::from);
        // The instruction set stands above, and lines are short.
        let suffix = format!("-{kernel}");
        let rows = self.layers.iter().map(|layer| {
            let kernel = layer.kernel.unwrap_or_default();
            vec![
                layer.name.clone(),
                layer.pass.to_string(),
                format!("{:.2}", layer.ms),
                format!("{:.0}", layer.gflops),
                format!("{:.0} %", 100.0 * layer.gflops / peak_gflops),
                kernel.strip_suffix(&suffix).unwrap_or(kernel).to_string(),
            ]
        });
        for line in table::columns(&header, rows).lines() {
            out += &format!("  {line}\n");
        }
        let sum: f64 = self.layers.iter().map(|layer| layer.ms).sum();
        out += &format!("\n  These passes together take {sum:.1} ms.\n");
        out + "\n  Operations are counted as plain loops would need them. Kernels that skip zeros or \
               transform\n  need fewer, so they can look faster than the machine's best.\n"
    }
}

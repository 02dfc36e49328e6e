//! One of our networks of `table.py`: a training step, or with `--forward` a prediction. One line of JSON, in
//! milliseconds.
//!
//! `network NAME BATCH [--forward]`; the networks equal those of `torch_networks.py`. The number of threads is
//! that of `RAYON_NUM_THREADS`.

use nn_core::internals::peak;
use nn_core::kernels::isa;
use nn_core::layers::{
    Activation, Conv2D, Dense, Flatten, GlobalAveragePool2D, MaxPool2D, Padding,
};
use nn_core::model::{Sequential, networks};
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, Trainer};
use nn_core::{Error, Result, Tensor};
use std::time::Instant;

const WARM_UP: usize = 3;
const STEPS: usize = 20;
const CLASSES: usize = 10;

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
    let times = if forward {
        let mut predictor = model.predictor();
        time(&x, |x| predictor.predict(x).map(drop))?
    } else {
        let adam = OptimizerConfig::adam().build()?;
        let mut trainer = Trainer::new(model, adam, FitOptions::default())?;
        let labels: Vec<usize> = (0..batch).map(|i| i % CLASSES).collect();
        time(&x, |x| trainer.step(x, &labels, 0.001).map(drop))?
    };
    println!(
        "{{\"median_ms\": {:.3}, \"min_ms\": {:.3}, \"parameters\": {}, \"multiply_adds\": {}, \
         \"first_multiply_adds\": {}, \"peak_gflops\": {:.1}, \"peak_mb\": {:.1}}}",
        times[STEPS / 2],
        times[0],
        summary.trainable,
        summary.multiply_adds,
        first.unwrap_or(0),
        peak::measure(isa::active()) / 1e9,
        peak_memory(),
    );
    Ok(())
}

fn network(name: &str) -> Result<Sequential> {
    if let Some((known, size)) = name.rsplit_once('-') {
        let size: usize = size.parse().map_err(|_| usage(name))?;
        let (graph, logits) = networks::graph(known, [size, size, 3], CLASSES)?;
        return graph.build(logits, 27);
    }
    let conv = |filters, kernel: usize, stride: usize| {
        let side = kernel / 2;
        let padding = Padding::Explicit { top: side, bottom: side, left: side, right: side };
        Conv2D::new(filters, kernel).stride(stride).padding(padding).activation(Activation::Relu)
    };
    let dense = |units| Dense::new(units).activation(Activation::Relu);
    let builder = match name {
        "mnist" => Sequential::builder([28, 28, 1])
            .layer(conv(32, 5, 1))
            .layer(MaxPool2D::new(2))
            .layer(conv(64, 5, 1))
            .layer(MaxPool2D::new(2))
            .layer(Flatten {})
            .layer(dense(128)),
        "vgg" => {
            let mut builder = Sequential::builder([32, 32, 3]);
            for width in [32, 64, 128] {
                builder = builder.layer(conv(width, 3, 1)).layer(conv(width, 3, 1));
                builder = builder.layer(MaxPool2D::new(2));
            }
            builder.layer(Flatten {}).layer(dense(128))
        }
        "strided" | "pointwise" => {
            let (input, widths, kernel, stride) = match name {
                "strided" => ([128, 128, 3], [64, 128, 256, 256], 3, 2),
                _ => ([56, 56, 64], [256, 64, 256, 64], 1, 1),
            };
            let mut builder = Sequential::builder(input);
            for width in widths {
                builder = builder.layer(conv(width, kernel, stride));
            }
            builder.layer(GlobalAveragePool2D::new())
        }
        "mlp" => Sequential::builder([784]).layer(dense(512)).layer(dense(512)),
        _ => return Err(usage(name)),
    };
    builder.layer(Dense::new(CLASSES)).build(27)
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

/// The most memory the process had so far, in MB; 0 where the system does not say (only Linux does).
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.unwrap_or(0.0) / 1024.0
}

fn usage(received: &str) -> Error {
    let expected = "NAME BATCH [--forward], NAME one of mnist, vgg, strided, pointwise, mlp, or resnet18-64 and the like";
    Error::setting("network", expected, received, "see table.py")
}

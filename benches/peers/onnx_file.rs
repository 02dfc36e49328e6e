//! Times an ONNX file in our engine: one line of JSON, in milliseconds.
//!
//! `onnx_file FILE BATCH`, for a file that gives logits. The number of threads is that of `RAYON_NUM_THREADS`.

use nn_core::{Error, Result, Tape, Tensor};
use std::path::Path;
use std::time::Instant;

const WARM_UP: usize = 3;
const STEPS: usize = 20;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage =
        || Error::setting("the arguments", "FILE BATCH", args.join(" "), "see onnx_files.py");
    let [file, batch] = &args[..] else { return Err(usage()) };
    let batch = batch.parse().map_err(|_| usage())?;
    let started = Instant::now();
    let model = nn_onnx::read(Path::new(file))?.model;
    let opened = started.elapsed().as_secs_f64() * 1e3;
    let shape = model.input_shape().clone();
    let &[height, width, channels] = shape.dims() else { return Err(usage()) };
    // The numbers that the others take, which have channels first.
    let number = |i: usize| {
        let (sample, i) = (i / (height * width * channels), i % (height * width * channels));
        let (place, channel) = (i / channels, i % channels);
        let first = (sample * channels + channel) * height * width + place;
        (first * 37 % 101) as f32 / 101.0 - 0.5
    };
    let x = Tensor::from_fn([batch, height, width, channels], number);
    let mut predictor = model.predictor();
    let logits = model.infer(&Tape::new(), x.clone())?;
    let sum: f64 = logits.value().as_slice().iter().map(|&v| f64::from(v)).sum();
    let mut times = Vec::new();
    for step in 0..WARM_UP + STEPS {
        let x = x.clone();
        let started = Instant::now();
        predictor.predict(x)?;
        if step >= WARM_UP {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"open_ms\": {opened:.3}, \"median_ms\": {:.4}, \"min_ms\": {:.4}, \"sum\": {sum}}}",
        times[STEPS / 2],
        times[0]
    );
    Ok(())
}

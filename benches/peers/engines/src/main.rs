//! Times an ONNX file in tract or rten: one line of JSON, in milliseconds.
//!
//! `onnx-engines tract|rten FILE BATCH THREADS CHANNELS HEIGHT WIDTH`

use std::error::Error;
use std::time::Instant;

const WARM_UP: usize = 3;
const STEPS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [engine, file, sizes @ ..] = &args[..] else { return Err("ENGINE FILE SIZES".into()) };
    let sizes = sizes.iter().map(|size| size.parse()).collect::<Result<Vec<usize>, _>>()?;
    let [batch, threads, channels, height, width] = sizes[..] else { return Err("5 sizes".into()) };
    let shape = [batch, channels, height, width];
    let pixels =
        (0..shape.iter().product()).map(|i: usize| (i * 37 % 101) as f32 / 101.0 - 0.5).collect();
    match engine.as_str() {
        "tract" => tract(file, threads, shape, pixels),
        "rten" => rten(file, shape, pixels),
        _ => Err("tract or rten".into()),
    }
}

fn tract(
    file: &str,
    threads: usize,
    shape: [usize; 4],
    pixels: Vec<f32>,
) -> Result<(), Box<dyn Error>> {
    use tract_linalg::multithread::{Executor, set_default_executor};
    use tract_onnx::prelude::*;
    if threads > 1 {
        set_default_executor(Executor::multithread(threads));
    }
    let started = Instant::now();
    let model =
        tract_onnx::onnx().model_for_path(file)?.with_input_fact(0, f32::fact(shape).into())?;
    let model = model.into_optimized()?.into_runnable()?;
    let opened = started.elapsed().as_secs_f64() * 1e3;
    let x = Tensor::from_shape(&shape, &pixels)?;
    report(opened, || {
        let y = model.run(tvec!(x.clone().into()))?;
        let y = y[0].cast_to::<f32>()?;
        Ok(y.view().as_slice::<f32>()?.iter().map(|&v| f64::from(v)).sum())
    })
}

fn rten(file: &str, shape: [usize; 4], pixels: Vec<f32>) -> Result<(), Box<dyn Error>> {
    use rten_tensor::prelude::*;
    let started = Instant::now();
    let model = rten::Model::load_file(file)?;
    let opened = started.elapsed().as_secs_f64() * 1e3;
    let x = rten_tensor::NdTensor::from_data(shape, pixels);
    report(opened, || {
        let y: rten_tensor::Tensor<f32> = model.run_one(x.view().into(), None)?.try_into()?;
        Ok(y.iter().map(|&v| f64::from(v)).sum())
    })
}

/// Times `run`, which returns the sum of the outputs.
fn report(
    opened: f64,
    run: impl Fn() -> Result<f64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let (mut times, mut sum) = (Vec::new(), 0.0);
    for step in 0..WARM_UP + STEPS {
        let started = Instant::now();
        sum = run()?;
        if step >= WARM_UP {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let line = serde_json::json!({
        "open_ms": opened, "median_ms": times[STEPS / 2], "min_ms": times[0], "sum": sum,
    });
    println!("{line}");
    Ok(())
}

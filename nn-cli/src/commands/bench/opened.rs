//! Times a model from a file: opening it, and its predictions.

use super::timing::{Clock, Times};
use super::{WARM_UP, forward};
use crate::args::BenchArgs;
use crate::failure::Failure;
use crate::model;
use crate::ui::{Console, Counter};
use nn_core::kernels::isa;
use nn_core::train::check_batch_size;
use nn_study::format;
use serde::Serialize;
use std::path::Path;

/// How often a file is opened at most: large ones take their time.
const MOST_OPENINGS: usize = 5;

/// The result, as printed by `--json`. Times are in milliseconds.
#[derive(Serialize)]
struct Opened<'a> {
    kernel: &'static str,
    threads: usize,
    model: &'a Path,
    batch_size: usize,
    image_size: [usize; 2],
    parameters: usize,
    open_ms: Times,
    forward_ms: Times,
}

pub fn run(path: &Path, args: &BenchArgs, console: &Console) -> Result<(), Failure> {
    check_batch_size(args.batch_size)?;
    // The first time tells what is wrong, and reads the file from the disk.
    let opened = model::open(path, None, args.image_size.map(|size| (size, size)))?;
    let openings = args.steps.min(MOST_OPENINGS);
    let total = openings + args.steps + WARM_UP;
    let counter = Counter::items(console, "measuring", total as u64, "passes");
    let opening = Clock { steps: openings, warm_up: 0, counter };
    let mut failure = None;
    let open_ms = opening.time(
        || (),
        |()| {
            failure = model::open(path, None, args.image_size.map(|size| (size, size))).err();
            Ok(())
        },
    )?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let clock = Clock { steps: args.steps, warm_up: WARM_UP, counter: opening.counter };
    let [height, width] = [0, 1].map(|axis| opened.model.input_shape().dims()[axis]);
    let report = Opened {
        kernel: isa::active().name(),
        threads: rayon::current_num_threads(),
        model: path,
        batch_size: args.batch_size,
        image_size: [height, width],
        parameters: opened.model.parameter_count(),
        open_ms,
        forward_ms: forward(&opened.model, args.batch_size, &clock)?,
    };
    drop(clock);
    let text = format!(
        "{}, batch {}, {height}x{width} pixels, {} kernels, {}\n\n  \
         opening        {:.1} ms (fastest {:.1} ms), {} parameters\n  \
         forward        {:.1} ms (fastest {:.1} ms)\n",
        path.display(),
        args.batch_size,
        report.kernel,
        format::plural(report.threads as u64, "thread"),
        report.open_ms.median,
        report.open_ms.min,
        format::count(report.parameters as u64),
        report.forward_ms.median,
        report.forward_ms.min,
    );
    console.text(&text)?;
    console.json(&report)?;
    Ok(())
}

//! `nn-cli summary`: prints the table of layers.

use super::model;
use crate::args::SummaryArgs;
use crate::failure::Failure;
use crate::ui::Console;
use crate::ui::lines::width;
use nn_core::model::Sequential;
use nn_study::config::check_image_size;
use nn_study::format;
use nn_study::training::built_in;

pub fn run(args: &SummaryArgs, console: &Console) -> Result<(), Failure> {
    let network: Sequential = match &args.model {
        Some(path) => model::load(path, args.image_size)?.model,
        None => {
            let size = args.image_size.unwrap_or(model::DEFAULT_IMAGE_SIZE);
            check_image_size(size)?;
            // The seed of the weights does not matter for a summary.
            built_in(args.classes, size, 0)?
        }
    };
    let summary = network.summary();
    let framed = summary.to_string();
    let fits = |most: usize| framed.lines().all(|line| width(line) <= most);
    if console.columns().is_none_or(fits) {
        console.text(&framed)?;
    } else {
        let header = ["layer", "kind", "output", "parameters"].map(String::from);
        let rows = summary.layers.iter().map(|layer| {
            let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
            let parameters = format::count(layer.parameters as u64);
            vec![layer.name.clone(), layer.kind.to_string(), shape.join(" x "), parameters]
        });
        console.table(&header, rows, 3)?;
        console.text(&format!("\n{} parameters", format::count(summary.parameters as u64)))?;
    }
    console.json(&summary)?;
    Ok(())
}

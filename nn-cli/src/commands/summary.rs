//! `nn-cli summary`: the layer table.

use super::model;
use crate::args::SummaryArgs;
use crate::config::check_image_size;
use crate::failure::Failure;
use crate::training::built_in;
use crate::ui::Console;
use nn_core::model::Sequential;

pub fn run(args: &SummaryArgs, console: &Console) -> Result<(), Failure> {
    let network: Sequential = match &args.model {
        Some(path) => model::load(path, args.image_size)?.model,
        None => {
            let size = args.image_size.unwrap_or(model::DEFAULT_IMAGE_SIZE);
            check_image_size(size)?;
            // Which weights it starts from does not show in a summary.
            built_in(args.classes, size, 0)?
        }
    };
    let summary = network.summary();
    console.text(&summary.to_string())?;
    console.json(&summary)?;
    Ok(())
}

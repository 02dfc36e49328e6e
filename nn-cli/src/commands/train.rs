//! `nn-cli train`: from a folder of images to a run folder.

use crate::args::TrainArgs;
use crate::config::RunConfig;
use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::inspection::Inspection;
use crate::results;
use crate::run_folder::RunFolder;
use crate::training::{Progress, Run};
use crate::ui::{Console, table};

pub fn run(args: &TrainArgs, console: &Console) -> Result<(), Failure> {
    let config = RunConfig::from_args(args)?;
    let set = ImageSet::find(&config.data, &config.data_root, console)?;
    set.announce(console);
    let target = match &args.out {
        Some(target) => target.clone(),
        None => RunFolder::default_target(&set.name),
    };
    let folder = RunFolder::begin(&target, args.overwrite)?;

    let mut progress = Progress::new(console, config.fit.epochs);
    let run = Run::make(&config, &set, &mut progress, console)?;
    console.note("looking into the answers");
    let test = Inspection::make(&run.model, &set, &run.data.test, run.test.clone())?;
    results::write(folder.draft(), &run, &test)?;
    let target = folder.finish()?;

    let title = format!("{}, test images", set.describe());
    let (classes, confusion) = (&set.folder.classes[..], &run.test.confusion[..]);
    let shown = table::Evaluation { title: &title, loss: run.test.loss, classes, confusion };
    console.text(&format!("\n{}", table::evaluation(&shown)))?;
    console.note(&format!("\nwritten to {}", target.display()));
    console.json(&run.metrics())?;
    Ok(())
}

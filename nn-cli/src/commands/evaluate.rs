//! `nn-cli evaluate`: a trained model on a set of images.

use super::model::Classifier;
use crate::args::{EvaluateArgs, SplitName};
use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::images;
use crate::interrupt::Interruptible;
use crate::published::Kind;
use crate::ui::{Console, table};
use nn_core::data::Sample;
use nn_core::train::evaluate;
use serde::Serialize;
use std::path::PathBuf;

/// The result, as `--json` shows it.
#[derive(Serialize)]
struct Report<'a> {
    dataset: &'a str,
    kind: Kind,
    split: &'static str,
    model: PathBuf,
    loss: f64,
    accuracy: f64,
    n: usize,
    correct: usize,
    classes: &'a [String],
    confusion: &'a [Vec<u64>],
    skipped: Vec<String>,
}

pub fn run(args: &EvaluateArgs, console: &Console) -> Result<(), Failure> {
    let Some(data) = &args.data.data else {
        return Err(Failure::usage("no images to evaluate on; name a set or a folder with --data"));
    };
    let set = ImageSet::find(data, args.data.images.root(), console)?;
    set.announce(console);
    let classifier = Classifier::load(&args.model, Some(&set.folder.classes))?;
    let (split, samples) = choose(&set, args)?;
    if samples.is_empty() {
        return Err(Failure::usage(format!(
            "there are no {split} images in {}; choose another --split, or a larger \
             --validation-split than {}",
            set.name, args.validation_split
        )));
    }
    let size = classifier.image_size();
    let skip = args.data.images.skip_unreadable;
    let dataset = images::load(samples, &classifier.classes, size, skip, console)?;
    let loss = nn_core::loss::Loss::for_output(classifier.model.output_kind());
    let result = evaluate(&classifier.model, loss, &Interruptible(&dataset), args.batch_size)?;

    let title = format!("{}, {split} images", set.describe());
    let (classes, confusion) = (&classifier.classes[..], &result.confusion[..]);
    let shown = table::Evaluation { title: &title, loss: result.loss, classes, confusion };
    console.text(&table::evaluation(&shown))?;
    console.json(&Report {
        dataset: &set.name,
        kind: set.kind,
        split,
        model: classifier.path.clone(),
        loss: result.loss,
        accuracy: result.accuracy(),
        n: result.n,
        correct: result.correct,
        classes,
        confusion,
        skipped: dataset.skipped().iter().map(|s| set.relative(&s.path)).collect(),
    })?;
    Ok(())
}

/// The images asked for, and their name.
fn choose(set: &ImageSet, args: &EvaluateArgs) -> Result<(&'static str, Vec<Sample>), Failure> {
    let split = || set.folder.split(args.validation_split, args.seed);
    Ok(match args.split {
        None => set.test_samples(),
        Some(SplitName::All) => ("all", set.folder.samples()),
        Some(SplitName::Train) => ("train", split()?.train),
        Some(SplitName::Validation) => ("validation", split()?.validation),
        Some(SplitName::Test) => ("test", split()?.test),
    })
}

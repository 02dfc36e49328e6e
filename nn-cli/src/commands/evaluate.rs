//! `nn-cli evaluate`: a trained model on a set of images.

use super::model::Classifier;
use crate::args::{EvaluateArgs, SplitName};
use crate::audit;
use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::images;
use crate::interrupt::Interruptible;
use crate::published::Kind;
use crate::reading;
use crate::split_file;
use crate::treated;
use crate::ui::{Console, format, table};
use nn_core::audit::Listing;
use nn_core::data::{
    AlphaBackground, Part, PartFolder, PassedOver, Sample, Treated, check_validation_split,
};
use nn_core::train::evaluate;
use serde::Serialize;
use std::collections::HashSet;
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
    treated: &'a Treated,
    #[serde(skip_serializing_if = "Option::is_none")]
    without_twins: Option<WithoutTwins>,
    /// The folders of the user's split, if there is one.
    folders: &'a [PartFolder],
    /// What of the folder was not looked at.
    passed_over: Vec<PassedOver>,
}

/// The result on those images that have no copy in another split.
#[derive(Serialize)]
struct WithoutTwins {
    accuracy: f64,
    n: usize,
    correct: usize,
    /// The images left out.
    twins: Vec<String>,
}

pub fn run(args: &EvaluateArgs, console: &Console) -> Result<(), Failure> {
    let Some(data) = &args.data.data else {
        return Err(Failure::usage("no images to evaluate on; name a set or a folder with --data"));
    };
    let set = ImageSet::find_labelled(data, args.data.images.root(), &args.labels, console)?;
    set.announce(console);
    let draws =
        args.split_file.is_none() && args.split.is_some_and(|split| split != SplitName::All);
    reading::tell(&set.folder, draws.then_some((args.share(), args.seed)), console);
    reading::tell_unused_share(&set.folder, args.validation_split, console);
    let classifier = Classifier::load(&args.model, Some(&set.folder.classes))?;
    let (split, samples) = choose(&set, args, console)?;
    if samples.is_empty() {
        return Err(Failure::usage(format!(
            "there are no {split} images in {} that have a class ({}); choose another --split{}",
            set.name,
            set.folder.arrangement(),
            match set.folder.no_share_for_validation() {
                None if split == "validation" =>
                    format!(", or a larger --validation-split than {}", args.share()),
                _ => String::new(),
            }
        )));
    }
    let samples = of_model(samples, &set, &classifier, console)?;
    let twins = match args.without_twins {
        true => Some(twins(&set, split, args, classifier.alpha_background, console)?),
        false => None,
    };
    let reading = classifier.reading(args.data.images.skip_unreadable);
    let dataset = images::load(samples, &classifier.classes, reading, console)?;
    treated::tell(dataset.treated(), console);
    let loss = nn_core::loss::Loss::for_output(classifier.model.output_kind());
    let result = evaluate(&classifier.model, loss, &Interruptible(&dataset), args.batch_size)?;

    let title = format!("{}, {split} images", set.describe());
    let (classes, confusion) = (&classifier.classes[..], &result.confusion[..]);
    let shown = table::Evaluation { title: &title, loss: result.loss, classes, confusion };
    console.text(&table::evaluation(&shown))?;
    let without_twins = match twins {
        Some(twins) => {
            let of = |right: usize, n: usize| format::accuracy(right as u64, n as u64);
            let known = |i: usize| twins.contains(&dataset.samples()[i].path);
            let kept: Vec<usize> = (0..result.n).filter(|&i| !known(i)).collect();
            let right = |i: &&usize| result.predicted[**i] == dataset.labels()[**i];
            let (n, correct) = (kept.len(), kept.iter().filter(right).count());
            let names: Vec<String> = (0..result.n)
                .filter(|&i| known(i))
                .map(|i| set.relative(&dataset.samples()[i].path))
                .collect();
            let left_out = format::plural(names.len() as u64, "image");
            console.text(&format!(
                "  with all of them         {}\n  without copies of others {}\n\n  left out, for {}: \
                 {}{}",
                of(result.correct, result.n),
                of(correct, n),
                "there is a copy in another split",
                left_out,
                names.iter().map(|name| format!("\n    {name}")).collect::<String>(),
            ))?;
            let accuracy = if n > 0 { correct as f64 / n as f64 } else { f64::NAN };
            Some(WithoutTwins { accuracy, n, correct, twins: names })
        }
        None => None,
    };
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
        treated: dataset.treated(),
        without_twins,
        folders: set.folder.parts(),
        passed_over: set.folder.passed_over_in_training(),
    })?;
    Ok(())
}

/// The images asked for, and their name.
fn choose(
    set: &ImageSet,
    args: &EvaluateArgs,
    console: &Console,
) -> Result<(&'static str, Vec<Sample>), Failure> {
    let part = match args.split {
        None if args.split_file.is_some() => Part::Test,
        None => return set.test_samples(),
        Some(SplitName::All) => return Ok(("all", set.folder.samples())),
        Some(SplitName::Train) => Part::Train,
        Some(SplitName::Validation) => Part::Validation,
        Some(SplitName::Test) => Part::Test,
    };
    let samples = match &args.split_file {
        Some(file) => split_file::read(file, set, console)?.into_part(part),
        None => set.folder.samples_for(part, args.share(), args.seed)?,
    };
    Ok((part.name(), samples))
}

/// The samples with the labels that the model has for their classes. There may be classes that it knows
/// and the folder does not hold, which is said.
fn of_model(
    mut samples: Vec<Sample>,
    set: &ImageSet,
    classifier: &Classifier,
    console: &Console,
) -> Result<Vec<Sample>, Failure> {
    let known = &classifier.classes;
    for sample in &mut samples {
        let class = &set.folder.classes[sample.label];
        let label = known.iter().position(|known| known == class);
        sample.label =
            label.ok_or_else(|| Failure::failed(format!("the model knows no {class}")))?;
    }
    let missing = known
        .iter()
        .enumerate()
        .filter(|(label, _)| samples.iter().all(|sample| sample.label != *label));
    let missing: Vec<&str> = missing.map(|(_, class)| class.as_str()).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        console.warn(&format!("no images of {missing}: the accuracy is that on the other classes"));
    }
    Ok(samples)
}

/// The files that have a copy in another split.
///
/// # Errors
/// If the images looked at are not a split, or the user interrupts.
fn twins(
    set: &ImageSet,
    split: &str,
    args: &EvaluateArgs,
    alpha_background: AlphaBackground,
    console: &Console,
) -> Result<HashSet<PathBuf>, Failure> {
    if split == "all" {
        return Err(Failure::usage(
            "--without-twins leaves out what has a copy in another split, and all images are asked \
             for; name one, say --split test",
        ));
    }
    check_validation_split(args.share())?;
    let mut listing = Listing::of(set.folder.clone(), args.share(), args.seed);
    if let Some(file) = &args.split_file {
        listing.assign(&split_file::read(file, set, console)?);
    }
    let found = audit::examine(&listing, args.seed, alpha_background, console)?;
    Ok(audit::copied_elsewhere(&listing, &found))
}

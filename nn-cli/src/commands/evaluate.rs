//! `nn-cli evaluate`: evaluates a trained model on a set of images.

use crate::args::{EvaluateArgs, SplitName};
use crate::config;
use crate::datasets::{self, Place};
use crate::failure::Failure;
use crate::model::{self, Classifier};
use crate::reading;
use crate::ui::{Console, scores, table};
use nn_core::audit::{Listing, duplicated_elsewhere};
use nn_core::data::{
    AlphaBackground, Part, PartFolder, PassedOver, Sample, Treated, check_validation_split,
};
use nn_core::train::evaluate;
use nn_study::audit::{WithoutDuplicates, examine};
use nn_study::config::{CONFIG_FILE, RunConfig};
use nn_study::format;
use nn_study::network::loss_for;
use nn_study::observer::Interruptible;
use nn_study::scores::Scores;
use nn_study::seen::{BySeen, Seen, UsedBy};
use nn_study::training::read_split;
use nn_study::{Evaluation, ImageSet, Kind, Observer, images, run_folder, stats};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;

/// The result, as printed by `--json`.
#[derive(Serialize)]
struct Evaluated<'a> {
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
    #[serde(flatten)]
    scores: Scores,
    skipped: Vec<String>,
    treated: &'a Treated,
    /// The accuracy by the split in which the model's run used the images, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_seen: Option<BySeen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    without_twins: Option<WithoutTwins>,
    /// The folders of the user's split, if there is one.
    folders: &'a [PartFolder],
    /// Entries of the folder that were ignored.
    passed_over: Vec<PassedOver>,
}

/// The result on the images without a duplicate in another split. The names are part of the JSON format.
#[derive(Serialize)]
struct WithoutTwins {
    accuracy: f64,
    n: usize,
    correct: usize,
    /// The images left out.
    twins: Vec<String>,
}

pub fn run(args: &EvaluateArgs, console: &Console) -> Result<(), Failure> {
    let is_open = is_open(args);
    let args = &of_run(args, console)?;
    let Some(data) = &args.data.data else {
        return Err(Failure::usage(
            "no images to evaluate on: this model does not tell what it was trained on; name a data \
             set or a folder with --data",
        ));
    };
    let set = datasets::find(data, args.data.images.root(), &args.labels, console)?;
    let made = UsedBy::of(&args.model.model, console);
    let by_run = by_run(&set, args, made.as_ref().filter(|_| is_open));
    let draws = args.split_file.is_none()
        && by_run.is_none()
        && args.split.is_some_and(|split| split != SplitName::All);
    reading::tell(&set.folder, draws.then_some((args.share(), args.seed())), console);
    reading::tell_unused_share(&set.folder, args.validation_split, console);
    let classifier = Classifier::load(&args.model, Some(&set.folder.classes), console)?;
    let (split, samples, seen) = match by_run {
        Some(chosen) => {
            console.note("note: split as the model's run had it");
            chosen
        }
        None => choose(&set, args, made.as_ref(), console)?,
    };
    if samples.is_empty() {
        let arrangement = set.folder.arrangement();
        if split == "all" {
            return Err(Failure::usage(format!(
                "no image in {} has a class ({arrangement}): give it class folders, or a table of what the \
                 images show with --labels; `predict` needs neither",
                set.name
            )));
        }
        return Err(Failure::usage(format!(
            "there are no {split} images in {} that have a class ({arrangement}); choose another --split{}",
            set.name,
            match set.folder.no_share_for_validation() {
                None if split == "validation" =>
                    format!(", or a larger --validation-split than {}", args.share()),
                _ => String::new(),
            }
        )));
    }
    let samples = of_model(samples, &set, &classifier, console)?;
    let elsewhere = match args.without_twins {
        true => Some(with_duplicates(
            &set,
            split,
            args,
            made.as_ref().filter(|_| is_open),
            classifier.alpha_background,
            console,
        )?),
        false => None,
    };
    let reading = classifier.reading(args.data.images.skip_unreadable);
    let dataset = images::load(samples, &classifier.classes, reading, console)?;
    console.treated(dataset.treated());
    let loss = loss_for(classifier.model.output_kind());
    let result: Evaluation = {
        let images = Interruptible { images: &dataset, observer: console };
        evaluate(&classifier.model, loss, &images, args.batch_size)?.try_into()?
    };

    let right = result.hits();
    let paths = dataset.samples().iter().map(|sample| sample.path.as_path());
    let by_seen = seen.map(|seen| BySeen::count(paths.zip(right), &seen));
    let of_them = by_seen.as_ref().map(BySeen::title).unwrap_or_default();
    let title = format!("{}, {split} images{of_them}", set.describe());
    let (classes, confusion) = (&classifier.classes[..], &result.confusion[..]);
    let judged = Scores::new(&result, classes)?;
    let headline = scores::headline(&judged, &stats::Guessing::of_confusion(classes, confusion));
    let (headline, loss) = (&headline[..], result.loss);
    let accuracy = &stats::accuracy_of(confusion);
    let shown = table::Evaluation { title: &title, headline, loss, accuracy, classes, confusion };
    console.text(&table::evaluation(&shown, console.columns()))?;
    console.text(&format!("\n{}", scores::scores(&judged, console.columns())))?;
    if let Some(lines) = by_seen.as_ref().and_then(BySeen::lines) {
        console.text(&lines)?;
    }
    if let (Some(by_seen), Some(made)) = (&by_seen, &made) {
        let warning = by_seen.warning(&made.name(), args.split == Some(SplitName::Train));
        warning.into_iter().for_each(|warning| console.warn(&warning));
    }
    let without_twins = match elsewhere {
        Some(elsewhere) => {
            let of = |right: usize, n: usize| stats::accuracy(right as u64, n as u64);
            let paths = dataset.samples().iter().map(|sample| &sample.path);
            let images = paths.map(|path| (set.relative(path), elsewhere.contains(path)));
            let found = WithoutDuplicates::of(std::slice::from_ref(&result), images);
            let WithoutDuplicates { duplicates, n, correct, accuracy } = found;
            console.text(&format!(
                "  with all of them         {}\n  without copies of others {}\n\n  left out, for {}: \
                 {}{}",
                of(result.correct, result.images()),
                of(correct, n),
                "there is a copy in another split",
                format::plural(duplicates.len() as u64, "image"),
                duplicates.iter().map(|name| format!("\n    {name}")).collect::<String>(),
            ))?;
            let accuracy = accuracy.map_or(f64::NAN, |accuracy| accuracy.mean);
            Some(WithoutTwins { accuracy, n, correct, twins: duplicates })
        }
        None => None,
    };
    console.json(&Evaluated {
        dataset: &set.name,
        kind: set.kind,
        split,
        model: classifier.path.clone(),
        loss: result.loss,
        accuracy: result.accuracy(),
        n: result.images(),
        correct: result.correct,
        classes,
        confusion,
        scores: judged,
        skipped: dataset.skipped().iter().map(|s| set.relative(&s.path)).collect(),
        treated: dataset.treated(),
        by_seen,
        without_twins,
        folders: set.folder.parts(),
        passed_over: set.folder.passed_over_in_training(),
    })?;
    Ok(())
}

/// Completes `args` from the model's run: without `--data`, its data, labels and split table; in any case
/// the seed and share of its split, unless given.
///
/// # Errors
/// If the run's data cannot be found any more, or its settings cannot be read.
fn of_run(args: &EvaluateArgs, console: &Console) -> Result<EvaluateArgs, Failure> {
    // A missing model is reported before missing data.
    model::located(&args.model.model)?;
    let mut args = args.clone();
    let Some(run) = run_folder::of_model(&args.model.model) else { return Ok(args) };
    let config = RunConfig::read(&run.join(CONFIG_FILE))?;
    if args.data.data.is_none() {
        let name = format::clean(&config.data);
        let root = args.data.images.data_root.get_or_insert_with(|| config.data_root.clone());
        if !Place::is_there(&config.data, root) {
            return Err(Failure::usage(format!(
                "the run in {} was trained on {name}, which is not here; say where it is with --data",
                run.display()
            )));
        }
        console.note(&format!("on {name}, which the run in {} was trained on", run.display()));
        if args.labels.labels.is_none() {
            args.labels = config::label_args(&config);
        }
        args.data.data = Some(config.data);
        args.data.images.skip_unreadable |= config.skip_unreadable;
        if args.split_file.is_none() && args.split != Some(SplitName::All) {
            args.split_file = config.split;
        }
    }
    args.seed = args.seed.or(Some(config.fit.seed));
    // A default share is not set, so that no warning says that it is unused.
    if args.validation_split.is_none() && config.validation_split != args.share() {
        args.validation_split = Some(config.validation_split);
    }
    Ok(args)
}

/// The name of the split, its images, and how the model's run used them, if that is known.
type Chosen = (&'static str, Vec<Sample>, Option<Seen>);

/// The images of the requested split, divided as in the model's run, if the run knows them all and the
/// folders leave the division to a random draw.
fn by_run(set: &ImageSet, args: &EvaluateArgs, made: Option<&UsedBy>) -> Option<Chosen> {
    let part = part(args.split?)?;
    let folder = &set.folder;
    let is_drawn =
        folder.is_drawn() || part != Part::Test && folder.no_share_for_validation().is_none();
    let samples = match folder.is_drawn() {
        true => folder.samples(),
        // Training and validation images, which are drawn from one folder.
        false => folder.samples_for(Part::Train, 0.0, 0).ok()?,
    };
    let (samples, seen) = made.filter(|_| is_drawn)?.divided(&samples, part)?;
    Some((part.name(), samples, Some(seen)))
}

/// Whether no option says how the images are divided.
fn is_open(args: &EvaluateArgs) -> bool {
    args.split_file.is_none() && args.seed.is_none() && args.validation_split.is_none()
}

/// The split with that name; `None` for all.
fn part(name: SplitName) -> Option<Part> {
    match name {
        SplitName::Train => Some(Part::Train),
        SplitName::Validation => Some(Part::Validation),
        SplitName::Test => Some(Part::Test),
        SplitName::All => None,
    }
}

/// The requested images. For a folder without split, those that the model's run has not seen.
fn choose(
    set: &ImageSet,
    args: &EvaluateArgs,
    made: Option<&UsedBy>,
    console: &Console,
) -> Result<Chosen, Failure> {
    let (name, samples) = match (args.split, &args.split_file) {
        (Some(SplitName::All), _) => ("all", set.folder.samples()),
        (None, None) => match (set.test_samples()?, made) {
            (("all", samples), Some(made)) => {
                let (name, samples, seen) = made.unseen(samples, console);
                return Ok((name, samples, Some(seen)));
            }
            (chosen, _) => chosen,
        },
        (named, file) => {
            let part = named.and_then(part).unwrap_or(Part::Test);
            let samples = match file {
                Some(file) => read_split(file, set, console)?.into_part(part),
                None => set.folder.samples_for(part, args.share(), args.seed())?,
            };
            (part.name(), samples)
        }
    };
    let seen = made.map(|made| made.seen(&samples));
    Ok((name, samples, seen))
}

/// The samples with the model's label indices. Warns about classes of the model without images.
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

/// The files that have a duplicate in another split.
///
/// # Errors
/// If the images are not of one split, or the user interrupts.
fn with_duplicates(
    set: &ImageSet,
    split: &str,
    args: &EvaluateArgs,
    made: Option<&UsedBy>,
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
    let mut listing = Listing::of(set.folder.clone(), args.share(), args.seed());
    let is_drawn = set.folder.is_drawn();
    if let (Some(made), true) = (made, is_drawn) {
        listing.assign(&made.split(&set.folder.samples()));
    } else if let Some(file) = &args.split_file {
        listing.assign(&read_split(file, set, console)?);
    }
    let found = examine(&listing, args.seed(), alpha_background, console)?;
    Ok(duplicated_elsewhere(&listing.items, &found.groups))
}

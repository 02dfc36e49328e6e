//! `nn-cli train`: trains a model on a folder of images and writes a run folder.

mod folds;

use crate::args::TrainArgs;
use crate::backbone;
use crate::config;
use crate::datasets;
use crate::failure::Failure;
use crate::out::default_target;
use crate::reading;
use crate::ui::{Console, scores, table};
use nn_core::Error;
use nn_core::data::Layout;
use nn_core::train::{CHECKPOINT_FILE, Checkpoint, History, PREVIOUS_CHECKPOINT_FILE};
use nn_study::config::RunConfig;
use nn_study::format;
use nn_study::open_run::{OpenRun, Start, no_checkpoint};
use nn_study::results::{self, is_written};
use nn_study::run_folder::{self, METRICS_FILE};
use nn_study::stats::{self, Guessing};
use nn_study::training::{Note, Task};
use nn_study::{ImageSet, Outputs};
use std::fs;
use std::path::{Path, PathBuf};

pub fn run(args: &TrainArgs, console: &Console) -> Result<(), Failure> {
    match &args.out {
        Some(target) if args.resume => resume(args, target, console),
        _ => begin(args, console),
    }
}

fn begin(args: &TrainArgs, console: &Console) -> Result<(), Failure> {
    let mut config = config::from_args(args)?;
    if let (Some(made_with), Some(now)) = (config.note_kernel(), &config.kernel) {
        console.warn(&format!(
            "the run in the configuration was made with {made_with} kernels, this one computes with \
             {now}: not to the same bits, which over some epochs can lead to other results; \
             --kernel {made_with} repeats it, where the machine has that"
        ));
    }
    let open = |target: &Path| {
        folds::check_kind(target, config.folds.is_some())?;
        OpenRun::begin(target, args.overwrite)
    };
    // An unusable output folder is reported before images are searched or rendered.
    let folder = args.out.as_deref().map(open).transpose()?;
    let set = find(&config, args, console)?;
    let folder = match folder {
        Some(folder) => folder,
        None => open(&default_target(&set.run_name(), console))?,
    };
    if config.folds.is_some() {
        return folds::make(&config, &set, (folder, false), outputs(args), console);
    }
    make(&config, &set, folder, (None, outputs(args)), console)
}

/// Resumes the run in `target`.
fn resume(args: &TrainArgs, target: &Path, console: &Console) -> Result<(), Failure> {
    let (folder, start) = OpenRun::resume(target)?;
    let start = match start {
        Start::Settings(began) | Start::Finished(began) if began.folds.is_some() => {
            return folds::resume(&began, args, (folder, target), console);
        }
        other => other,
    };
    let (config, from) = match start {
        Start::Checkpoint(latest) => {
            if let Some(damage) = &latest.damaged {
                console.warn(&format!("{damage}; going on from the checkpoint before it"));
            }
            let note = Note::read(&latest.checkpoint)?;
            let config = config::resumed(&note.config, args, target)?;
            let made = note.history(&latest.checkpoint);
            if is_finished(&note.config, &config, &made, target)? {
                return tell_finished(&config, target, console);
            }
            (config.going_on(), Some(latest.checkpoint))
        }
        Start::Settings(config) => {
            console.note("the run was never saved, so it begins again");
            let mut config = config::resumed(&config, args, target)?;
            config.note_kernel();
            (config, None)
        }
        Start::Finished(config) => {
            let config = config::resumed(&config, args, target)?;
            if results::is_finished(&target.join(METRICS_FILE), &config) {
                return tell_finished(&config, target, console);
            }
            return Err(no_checkpoint(target, &config).into());
        }
        Start::Nothing if args.data.data.is_none() => {
            let problem = "there is no run to go on with";
            let remedy = "name its folder with --out, or begin one with --data";
            return Err(Error::file(target, problem, remedy).into());
        }
        Start::Nothing => {
            let mut config = config::from_args(args)?;
            config.note_kernel();
            (config, None)
        }
    };
    let set = find(&config, args, console)?;
    if config.folds.is_some() {
        return folds::make(&config, &set, (folder, false), outputs(args), console);
    }
    make(&config, &set, folder, (from, outputs(args)), console)
}

/// Finds the images and checks that they can be trained on.
pub(super) fn find(
    config: &RunConfig,
    args: &TrainArgs,
    console: &Console,
) -> Result<ImageSet, Failure> {
    let (data, root) = (&config.data, &config.data_root);
    let set = datasets::find(data, root, &config::label_args(config), console)?;
    let by_table = config.split.is_some();
    let is_drawn = !by_table && config.folds.is_none();
    let drawn = is_drawn.then_some((config.validation_split, config.fit.seed));
    reading::tell(&set.folder, drawn, console);
    if config.folds.is_some() {
        folds::tell_validation(&set.folder, console);
        return Ok(set);
    }
    let share = args.settings.validation_split;
    match (share, by_table) {
        (Some(share), true) => console.warn(&format!(
            "--validation-split {share} is not used: --split says which image is for what"
        )),
        _ => reading::tell_unused_share(&set.folder, share, console),
    }
    // A table may define the split if the folders do not.
    if !by_table || set.folder.classes.len() < 2 {
        set.folder.ready_to_train().map_err(|error| match set.folder.layout {
            Layout::Flat => or_labels(error),
            _ => error,
        })?;
    }
    Ok(set)
}

/// Adds a hint about `--labels` to an error about a folder without classes.
fn or_labels(error: Error) -> Error {
    match error {
        Error::File { path, problem, remedy } => {
            let remedy = format!("{remedy}; or a table of what they show: --labels FILE.csv");
            Error::File { path, problem, remedy }
        }
        other => other,
    }
}

/// Whether all epochs are trained, or training stopped early, and all results are written: with the settings
/// `began` that the run had so far. It is an error to ask for fewer epochs than were trained.
fn is_finished(
    began: &RunConfig,
    config: &RunConfig,
    history: &History,
    target: &Path,
) -> Result<bool, Failure> {
    let (made, asked) = (history.len(), config.epochs());
    if made > asked {
        return Err(Failure::usage(format!(
            "{} {}: the run in {} has made {made} already; ask for more, or begin a \
             new run in another folder",
            config.epochs_option(),
            config.fine_tuning().map_or(config.fit.epochs, |part| part.epochs),
            target.display()
        )));
    }
    // Neither more epochs nor another patience than before may train a run further that stopped early.
    let written = |config| is_written(&target.join(METRICS_FILE), config, history);
    Ok(config.is_done(history)
        && (written(config) || (config.has_stopped_early(history) && written(began))))
}

fn tell_finished(config: &RunConfig, target: &Path, console: &Console) -> Result<(), Failure> {
    let path = target.join(METRICS_FILE);
    let history = results::read_history(&path).unwrap_or_default();
    let epochs = format::plural(history.len() as u64, "epoch");
    let (how, remedy) = match config.has_stopped_early(&history) {
        true if config.fine_tuning().is_none() => {
            ("stopped early", "ask for more patience with --early-stopping".to_string())
        }
        true => ("stopped early", "begin a new run with more patience".into()),
        false => ("is finished", format!("ask for more with {}", config.epochs_option())),
    };
    console.note(&format!(
        "{}: the run {how}, with {epochs}; to train it further, {remedy}",
        target.display()
    ));
    show_metrics(target, console)
}

/// Prints the `metrics.json` in `target` as the result.
fn show_metrics(target: &Path, console: &Console) -> Result<(), Failure> {
    let path = target.join(METRICS_FILE);
    let metrics = fs::read(&path).map_err(Error::io("read", &path))?;
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).map_err(Failure::failed)?;
    Ok(console.json(&metrics)?)
}

/// The size of the checkpoints in the folders of finished runs, in words; empty if there are none.
fn to_go_on(folders: &[PathBuf]) -> String {
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let both = [CHECKPOINT_FILE, PREVIOUS_CHECKPOINT_FILE];
    let all = folders.iter().flat_map(|folder| both.map(|name| folder.join(name)));
    match all.map(size).sum() {
        0 => String::new(),
        size => format!(
            " ({} of it to train it further; --keep-checkpoints 0 keeps none)",
            format::bytes(size)
        ),
    }
}

/// What the run leaves beside its results.
fn outputs(args: &TrainArgs) -> Outputs {
    Outputs { checkpoints: args.keep_checkpoints, tensorboard: args.tensorboard }
}

/// Makes the run, resuming it from a checkpoint if there is one, and writes its results.
fn make(
    config: &RunConfig,
    set: &ImageSet,
    folder: OpenRun,
    (from, outputs): (Option<Checkpoint>, Outputs),
    console: &Console,
) -> Result<(), Failure> {
    let backbone = backbone::open(config, console)?;
    let task = Task { config, set, backbone: backbone.as_ref() };
    let hint = folder.with_resume_hint();
    let (run, target) = nn_study::make_run(task, folder, from, outputs, console).map_err(hint)?;
    let title = format!("{}, {} images", set.describe(), run.data.tested_on);
    let (classes, confusion) = (&set.folder.classes[..], &run.test.confusion[..]);
    let headline = scores::headline(&run.scores, &Guessing::of_confusion(classes, confusion));
    let (headline, loss) = (&headline[..], run.test.loss);
    let accuracy = &stats::accuracy_of(confusion);
    let shown = table::Evaluation { title: &title, headline, loss, accuracy, classes, confusion };
    let (answers, scores) = (
        table::evaluation(&shown, console.columns()),
        scores::scores(&run.scores, console.columns()),
    );
    console.text(&format!("\n{answers}\n{scores}"))?;
    run.warnings.iter().for_each(|warning| warning.tell(console));
    console.note(&format!(
        "\nwritten to {}{}",
        run_folder::written(&target),
        to_go_on(std::slice::from_ref(&target))
    ));
    console.json(&run.metrics())?;
    Ok(())
}

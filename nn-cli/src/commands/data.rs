//! `nn-cli data`: the named sets on disk, and training images as a network sees them.

mod preview;

use crate::args::{DataCommand, DataRootArgs, FetchArgs, RenderArgs};
use crate::failure::Failure;
use crate::hints;
use crate::interrupt;
use crate::ui::{Console, Counter};
use nn_photographs::{FetchOptions, Manifest, Outcome, Progress, SetReport, SetState, Source};
use nn_study::{Kind, format};
use nn_synthetic::{Marker, SyntheticSet};
use serde::Serialize;
use std::path::PathBuf;

pub fn run(command: &DataCommand, console: &Console) -> Result<(), Failure> {
    match command {
        DataCommand::List(args) => list(args, console),
        DataCommand::Fetch(args) => fetch(args, console),
        DataCommand::Verify(args) => verify(args, console),
        DataCommand::Render(args) => render(args, console),
        DataCommand::Preview(args) => preview::run(args, console),
    }
}

/// A named set, as printed by `list`.
#[derive(Serialize)]
struct Listed {
    name: String,
    kind: Kind,
    /// `None` for a name without a folder, for which the stand-in is rendered on demand.
    path: Option<PathBuf>,
    images: usize,
}

fn list(args: &DataRootArgs, console: &Console) -> Result<(), Failure> {
    let report = nn_photographs::verify(Manifest::published(), &args.data_root)?;
    let mut sets = Vec::new();
    for set in report.sets {
        let marker = Marker::read(&set.path)?;
        let on_disk = set.path.is_dir();
        sets.push(Listed {
            kind: match set.state {
                _ if marker.is_some() => Kind::StandIn,
                SetState::Published => Kind::Published,
                SetState::Different => Kind::Folder,
                SetState::Absent => Kind::StandIn,
            },
            images: match SyntheticSet::from_name(&set.name) {
                Some(synthetic) if marker.is_some() || !on_disk => {
                    nn_synthetic::specs(synthetic).len()
                }
                _ => set.ok + set.changed.len() + set.extra.len(),
            },
            path: on_disk.then_some(set.path),
            name: set.name,
        });
    }
    let header = ["set", "images", "what it is", "where"].map(String::from);
    let rows = sets.iter().map(|set| {
        let what = match (set.kind, &set.path) {
            (Kind::Published, _) => "published photographs",
            (Kind::Folder, _) => "a folder that is not as published; see `data verify`",
            (Kind::StandIn, Some(_)) => "STAND-IN: drawn animals",
            (Kind::StandIn, None) => "STAND-IN: drawn when asked for",
        };
        let path = set.path.as_ref().map_or("-".to_string(), |path| path.display().to_string());
        vec![set.name.clone(), set.images.to_string(), what.to_string(), path]
    });
    console.table(&header, rows, 1)?;
    console.json(&sets)?;
    Ok(())
}

fn verify(args: &DataRootArgs, console: &Console) -> Result<(), Failure> {
    let report = nn_photographs::verify(Manifest::published(), &args.data_root)?;
    let mut text = String::new();
    for set in &report.sets {
        text += &verdict(set);
    }
    console.text(&text)?;
    console.json(&report)?;
    if report.is_complete() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} does not hold all published photographs; get them with `nn-cli data fetch`",
        args.data_root.display()
    )))
}

/// A line about the set, and a line for each missing, changed or extra file.
fn verdict(set: &SetReport) -> String {
    if set.missing.len() == set.files {
        return format!("{}: not there\n", set.name);
    }
    let mut text = format!("{}: {} of {} photographs as published\n", set.name, set.ok, set.files);
    for (what, files) in
        [("missing", &set.missing), ("changed", &set.changed), ("not published", &set.extra)]
    {
        for file in files {
            text += &format!("  {what}: {}\n", format::clean(file));
        }
    }
    text
}

fn fetch(args: &FetchArgs, console: &Console) -> Result<(), Failure> {
    let mut options = FetchOptions::new(&args.root.data_root);
    options.overwrite = args.overwrite;
    options.source = match (&args.from, &args.url) {
        (Some(path), _) => Source::Path(path.clone()),
        (None, Some(url)) => Source::Url(url.clone()),
        (None, None) => Source::Default,
    };
    let (mut download, mut unpack) = (None, None);
    let report = nn_photographs::fetch(Manifest::published(), &options, &mut |progress| {
        match progress {
            Progress::Downloading { bytes, total } => download
                .get_or_insert_with(|| Counter::bytes(console, "downloading", total.unwrap_or(0)))
                .set(bytes),
            Progress::Unpacking { files, total } => unpack
                .get_or_insert_with(|| {
                    Counter::items(console, "verifying", total as u64, "photographs")
                })
                .set(files as u64),
        }
        interrupt::check()
    })?;
    drop((download, unpack));
    let header = ["set", "photographs", "", "where"].map(String::from);
    let rows = report.sets.iter().map(|set| {
        let outcome = match set.outcome {
            Outcome::AlreadyThere => "was there already",
            Outcome::Fetched => "fetched and verified",
            Outcome::Replaced => "replaced and verified",
        };
        let path = set.path.display().to_string();
        vec![set.name.clone(), set.files.to_string(), outcome.to_string(), path]
    });
    console.table(&header, rows, 1)?;
    console.json(&report)?;
    Ok(())
}

/// A rendered set, as printed by `--json`.
#[derive(Serialize)]
struct Rendered {
    name: &'static str,
    kind: Kind,
    path: PathBuf,
    images: usize,
    seed: u64,
    size: u32,
}

fn render(args: &RenderArgs, console: &Console) -> Result<(), Failure> {
    let mut sets = Vec::new();
    for name in &args.names {
        let names = SyntheticSet::ALL.map(SyntheticSet::name);
        let set = SyntheticSet::from_name(name).ok_or_else(|| {
            let meant = hints::did_you_mean(name, names);
            let names = names.join(", ");
            Failure::usage(format!("there is no stand-in set {name:?}; there are {names}{meant}"))
        })?;
        sets.push(set);
    }
    if sets.is_empty() {
        sets = SyntheticSet::ALL.to_vec();
    }
    let root = args.out.as_ref().unwrap_or(&args.root.data_root);
    let mut rendered = Vec::new();
    for set in sets {
        let path = root.join(set.name());
        let images = nn_synthetic::specs(set).len();
        let counter = Counter::items(console, set.name(), images as u64, "pictures");
        nn_synthetic::render(set, args.seed, &path, args.size, &|_| {
            counter.add(1);
            interrupt::flow()
        })?;
        let (name, kind) = (set.name(), Kind::StandIn);
        rendered.push(Rendered { name, kind, path, images, seed: args.seed, size: args.size });
    }
    let header = ["set", "pictures", "what it is", "where"].map(String::from);
    let rows = rendered.iter().map(|set| {
        let what = "STAND-IN: drawn animals, not photographs".to_string();
        vec![set.name.to_string(), set.images.to_string(), what, set.path.display().to_string()]
    });
    console.table(&header, rows, 1)?;
    console.json(&rendered)?;
    Ok(())
}

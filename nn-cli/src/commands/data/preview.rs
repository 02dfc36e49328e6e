//! `nn-cli data preview`: a contact sheet of training images as a network sees them.

use crate::args::PreviewArgs;
use crate::config;
use crate::datasets;
use crate::failure::Failure;
use crate::reading;
use crate::ui::Console;
use nn_core::Error;
use nn_core::data::{Dataset, Rgb8};
use nn_core::tensor::BufferPool;
use nn_core::train::Examples;
use nn_figures::overlays::{SheetRow, encode, rgb_image, sheet};
use nn_study::Observer;
use nn_study::config::RunConfig;
use nn_study::images::{self, Reading};
use nn_study::training::augmented;
use serde::Serialize;
use std::path::PathBuf;

/// What was drawn, as printed by `--json`.
#[derive(Serialize)]
struct Drawn {
    out: PathBuf,
    images: Vec<String>,
    epochs: usize,
    augment: String,
}

pub fn run(args: &PreviewArgs, console: &Console) -> Result<(), Failure> {
    if args.out.exists() && !args.overwrite {
        let remedy = "name another file, or replace it with --overwrite";
        return Err(Error::file(&args.out, "exists already", remedy).into());
    }
    let mut settings = RunConfig { data: args.data.clone(), ..RunConfig::default() };
    settings.fit.seed = args.seed.unwrap_or(settings.fit.seed);
    settings.image_size = args.image_size.unwrap_or(settings.image_size);
    settings.channels = args.channels.unwrap_or(settings.channels);
    settings.skip_unreadable = args.from.skip_unreadable;
    config::seen(&mut settings, &args.seen)?;
    let set = datasets::find(&args.data, args.from.root(), &args.labels, console)?;
    let drawn = (settings.validation_split, settings.fit.seed);
    reading::tell(&set.folder, Some(drawn), console);
    let samples = set.folder.split(drawn.0, drawn.1)?.train;
    let train = images::load(samples, &set.folder.classes, Reading::of(&settings), console)?;
    console.treated(train.treated());
    let augmented = augmented(&settings, &train, drawn.1, console)?;

    let pool = BufferPool::new();
    let shown = spread(train.len(), args.images);
    let mut columns = vec!["as it is".to_string()];
    let mut seen = vec![pictures(&train, augmented.batch(&shown, &pool)?.inputs.as_slice())?];
    for epoch in 1..=args.epochs {
        columns.push(format!("epoch {epoch}"));
        let batch = augmented.training_batch(&shown, epoch, &pool)?;
        seen.push(pictures(&train, batch.inputs.as_slice())?);
    }
    let names: Vec<String> =
        shown.iter().map(|&i| set.relative(&train.samples()[i].path)).collect();
    let rows: Vec<SheetRow> = (names.iter().enumerate())
        .map(|(i, name)| SheetRow {
            text: nn_study::format::clean(name),
            images: seen.iter().map(|column| column[i].clone()).collect(),
        })
        .collect();
    let (height, width) = train.image_size();
    let augment = match settings.augment.to_string() {
        none if none.is_empty() => "no augmentation".into(),
        augment => augment,
    };
    let (channels, resize, seed) = (settings.channels, settings.resize, drawn.1);
    let note = format!("{width} x {height} pixels, {channels}, {resize}; {augment}; seed {seed}");
    let picture = sheet(&set.describe(), &note, &columns, &rows)?;
    let bytes = encode(&picture)?;
    nn_core::files::write_atomically(&args.out, |file| file.write_all(&bytes))?;
    console.note(&format!("written to {}", args.out.display()));
    let (out, epochs) = (args.out.clone(), args.epochs);
    console.json(&Drawn { out, images: names, epochs, augment: settings.augment.to_string() })?;
    Ok(())
}

/// `most` of `len` indices, evenly spread: classes lie one after the other.
fn spread(len: usize, most: usize) -> Vec<usize> {
    let count = most.min(len);
    (0..count).map(|i| (2 * i + 1) * len / (2 * count)).collect()
}

/// Images of a batch as pictures.
fn pictures(of: &Dataset, batch: &[f32]) -> Result<Vec<image::RgbImage>, Failure> {
    let ((height, width), channels) = (of.image_size(), of.channels().count());
    let picture = |image: &[f32]| Ok(rgb_image(Rgb8::of_values(height, width, channels, image)?)?);
    batch.chunks_exact(height * width * channels).map(picture).collect()
}

//! `nn-cli predict`: class and probabilities for images.

use super::images;
use super::model::Classifier;
use crate::args::PredictArgs;
use crate::failure::Failure;
use crate::interrupt;
use crate::ui::{Console, format, table};
use nn_core::data::{decode_file, is_image, resize_bilinear};
use nn_core::train::{class_probabilities, most_probable};
use nn_core::{Error, Tensor};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One image's prediction, as `--json` shows it.
#[derive(Serialize)]
struct Prediction {
    file: String,
    label: String,
    probabilities: BTreeMap<String, f64>,
}

/// Images that go through the network together.
const BATCH: usize = 4;

pub fn run(args: &PredictArgs, console: &Console) -> Result<(), Failure> {
    let classifier = Classifier::load(&args.model, None)?;
    let files = find_images(&args.images)?;
    let mut predictions = Vec::new();
    for batch in files.chunks(BATCH) {
        interrupt::check()?;
        predictions.extend(predict(&classifier, batch, args.skip_unreadable, console)?);
    }
    if predictions.is_empty() {
        return Err(Failure::failed(format!(
            "none of the {} could be read; see the warnings above",
            format::plural(files.len() as u64, "image")
        )));
    }
    let mut header = vec!["image".to_string(), "class".to_string()];
    header.extend(classifier.classes.iter().cloned());
    let rows = predictions.iter().map(|prediction| {
        let mut row = vec![prediction.file.clone(), prediction.label.clone()];
        let share = |class: &String| format::percent(prediction.probabilities[class]);
        row.extend(classifier.classes.iter().map(share));
        row
    });
    console.text(&table::columns(&header, rows))?;
    console.json(&predictions)?;
    Ok(())
}

fn predict(
    classifier: &Classifier,
    files: &[PathBuf],
    skip_unreadable: bool,
    console: &Console,
) -> Result<Vec<Prediction>, Failure> {
    let (height, width) = classifier.image_size();
    let (mut pixels, mut readable) = (Vec::new(), Vec::new());
    for file in files {
        match decode_file(file).and_then(|image| resize_bilinear(&image, height, width)) {
            Ok(image) => {
                pixels.extend(image);
                readable.push(file);
            }
            Err(error) if skip_unreadable => console.warn(&format!("skipped: {error}")),
            Err(error) => return Err(images::or_skip(error).into()),
        }
    }
    if readable.is_empty() {
        return Ok(Vec::new());
    }
    let batch = Tensor::from_vec([readable.len(), height, width, 3], pixels)?;
    let output = classifier.model.predict(batch)?;
    let prediction = |(i, file): (usize, &&PathBuf)| {
        let row = class_probabilities(output.row(i));
        Prediction {
            file: file.display().to_string(),
            label: classifier.classes[most_probable(&row)].clone(),
            probabilities: classifier.classes.iter().cloned().zip(row).collect(),
        }
    };
    Ok(readable.iter().enumerate().map(prediction).collect())
}

/// The files named, and the images in the folders named, at any depth, sorted folder by folder.
fn find_images(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            walk(path, &mut files)?;
            if files.len() == before {
                let remedy = "name a folder with images (bmp, gif, jpeg, jpg, png, webp)";
                return Err(Error::file(path, "no image in this folder", remedy).into());
            }
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = fs::read_dir(dir).map_err(Error::io("read", dir))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(Error::io("read", dir))?.path());
    }
    paths.sort();
    for path in paths {
        // Links to folders are not followed, so that a loop of them ends.
        let is_real_dir = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        if is_real_dir {
            walk(&path, files)?;
        } else if is_image(&path) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

//! `nn-cli predict`: class and probabilities for images.

use super::model::Classifier;
use crate::args::PredictArgs;
use crate::failure::Failure;
use crate::images::{self, Found};
use crate::interrupt;
use crate::published::Kind;
use crate::treated;
use crate::ui::{Console, format};
use nn_core::data::{Treated, Treatment};
use nn_core::train::{class_probabilities, most_probable};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One image's prediction, as `--json` shows it.
#[derive(Serialize)]
struct Prediction {
    file: String,
    label: String,
    probabilities: BTreeMap<String, f64>,
    /// What the named set is that the image was found in, if it was found in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    /// What was done to the image when it was read, if anything was.
    #[serde(skip_serializing_if = "Treatment::is_none")]
    treatment: Treatment,
}

pub fn run(args: &PredictArgs, console: &Console) -> Result<(), Failure> {
    let classifier = Classifier::load(&args.model, None)?;
    let found = images::find(&args.images, &args.from, console)?;
    let files = &found.files;
    let (mut predictions, mut treated) = (Vec::new(), classifier.treated());
    for batch in files.chunks(images::BATCH) {
        interrupt::check()?;
        predictions.extend(predict(&classifier, (batch, &found), args, &mut treated, console)?);
    }
    treated::tell(&treated, console);
    if predictions.is_empty() {
        return Err(images::none_readable(files.len()));
    }
    let mut header = vec!["image".to_string(), "class".to_string()];
    header.extend(classifier.classes.iter().cloned());
    let rows = predictions.iter().map(|prediction| {
        let mut row = vec![prediction.file.clone(), prediction.label.clone()];
        let share = |class: &String| format::percent(prediction.probabilities[class]);
        row.extend(classifier.classes.iter().map(share));
        row
    });
    console.table(&header, rows, 2)?;
    console.json(&predictions)?;
    Ok(())
}

fn predict(
    classifier: &Classifier,
    (files, found): (&[PathBuf], &Found),
    args: &PredictArgs,
    treated: &mut Treated,
    console: &Console,
) -> Result<Vec<Prediction>, Failure> {
    let reading = classifier.reading(args.from.skip_unreadable);
    let Some(batch) = images::read(files, reading, console)? else {
        return Ok(Vec::new());
    };
    batch.treatments.iter().for_each(|treatment| treated.add(treatment));
    let output = classifier.model.predict(batch.pixels)?;
    let prediction = |(i, file): (usize, &&Path)| {
        let row = class_probabilities(output.row(i));
        Prediction {
            file: found.shown(file),
            kind: found.kind(file),
            label: classifier.classes[most_probable(&row)].clone(),
            probabilities: classifier.classes.iter().cloned().zip(row).collect(),
            treatment: batch.treatments[i],
        }
    };
    Ok(batch.files.iter().enumerate().map(prediction).collect())
}

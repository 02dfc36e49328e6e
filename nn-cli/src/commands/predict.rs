//! `nn-cli predict`: classes and probabilities of images.

mod shown;
mod tensor;

use self::shown::Csv;
use crate::args::PredictArgs;
use crate::failure::Failure;
use crate::images::{self, Found};
use crate::interrupt;
use crate::model::Classifier;
use crate::ui::Console;
use nn_core::data::{Treated, Treatment};
use nn_core::files::write_atomically;
use nn_core::model::Sequential;
use nn_core::tensor::BufferPool;
use nn_core::train::{class_probabilities, most_probable};
use nn_core::{Error, Tape, Tensor};
use nn_study::Kind;
use nn_study::Observer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One image's prediction, as printed by `--json`.
#[derive(Serialize)]
struct Prediction {
    file: String,
    label: String,
    probabilities: BTreeMap<String, f64>,
    /// With `--logits`: the numbers before softmax or sigmoid.
    #[serde(skip_serializing_if = "Option::is_none")]
    logits: Option<Vec<f32>>,
    /// With `--top`: the most probable classes, in descending order.
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<Vec<Answer>>,
    /// The origin of the named set that contains the image, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    /// What was changed in the image when it was read, if anything.
    #[serde(skip_serializing_if = "Treatment::is_none")]
    treatment: Treatment,
}

/// A class and its probability.
#[derive(Serialize)]
struct Answer {
    class: String,
    probability: f64,
}

impl Prediction {
    /// The `n` most probable classes; equal ones are sorted by name.
    fn best(&self, n: usize) -> Vec<(&str, f64)> {
        let all = self.probabilities.iter().map(|(class, &p)| (class.as_str(), p));
        let mut all: Vec<(&str, f64)> = all.collect();
        // The predicted class comes first, also if another is equally probable.
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then((b.0 == self.label).cmp(&(a.0 == self.label))));
        all.truncate(n);
        all
    }
}

pub fn run(args: &PredictArgs, console: &Console) -> Result<(), Failure> {
    if let Some(path) = &args.tensor.tensor {
        return tensor::run(path, args, console);
    }
    let classifier = Classifier::load(&args.model, None, console)?;
    let (csv, images) = Csv::of(args, console.is_json())?;
    let found = images::find(&images, &args.from, console)?;
    let files = &found.files;
    let (mut predictions, mut treated) = (Vec::new(), classifier.treated());
    for batch in files.chunks(images::BATCH) {
        interrupt::check()?;
        predictions.extend(predict(&classifier, (batch, &found), args, &mut treated, console)?);
    }
    console.treated(&treated);
    if predictions.is_empty() {
        return Err(images::none_readable(files.len()));
    }
    let (classes, top) = (&classifier.classes, args.top);
    let (header, rows) = shown::table(&predictions, classes, top);
    match csv {
        Csv::None => console.table(&header, rows, 2)?,
        Csv::Stdout => {
            let table = shown::csv(&predictions, classes, top).map_err(Failure::failed)?;
            console.text(&String::from_utf8_lossy(&table))?;
        }
        Csv::File(path) => {
            let table = shown::csv(&predictions, classes, top).map_err(Failure::failed)?;
            write_atomically(&path, |file| file.write_all(&table))?;
            console.table(&header, rows, 2)?;
            console.note(&format!("\nwritten to {}", path.display()));
        }
    }
    console.json(&predictions)?;
    Ok(())
}

/// A network's answers to a batch.
struct Outputs {
    /// Before softmax or sigmoid.
    logits: Tensor,
    /// What [`class_probabilities`] reads.
    probabilities: Tensor,
}

impl Outputs {
    fn of(model: &Sequential, batch: Tensor) -> Result<Self, Error> {
        let tape = Tape::inference(BufferPool::for_inference());
        let logits = model.infer(&tape, batch)?;
        let values = logits.value().clone();
        let probabilities = model.probabilities(&tape, logits)?.value().clone();
        Ok(Self { logits: values, probabilities })
    }
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
    let Outputs { logits, probabilities } = Outputs::of(&classifier.model, batch.pixels)?;
    let prediction = |(i, file): (usize, &&Path)| {
        let row = class_probabilities(probabilities.row(i));
        let mut prediction = Prediction {
            file: found.shown(file),
            kind: found.kind(file),
            label: classifier.classes[most_probable(&row)].clone(),
            probabilities: classifier.classes.iter().cloned().zip(row).collect(),
            logits: args.logits.then(|| logits.row(i).to_vec()),
            top: None,
            treatment: batch.treatments[i],
        };
        prediction.top = args.top.map(|top| {
            let best = prediction.best(top).into_iter();
            best.map(|(class, probability)| Answer { class: class.into(), probability }).collect()
        });
        prediction
    };
    Ok(batch.files.iter().enumerate().map(prediction).collect())
}

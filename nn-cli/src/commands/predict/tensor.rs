//! Predictions for a tensor in place of images.

use super::Outputs;
use crate::args::PredictArgs;
use crate::failure::Failure;
use crate::images::BATCH;
use crate::interrupt;
use crate::model::Classifier;
use crate::tensors;
use crate::ui::Console;
use nn_core::train::{class_probabilities, most_probable};
use nn_study::format::{self, class_name};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// One sample's prediction, as printed by `--json`.
#[derive(Serialize)]
struct Predicted {
    index: usize,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    logits: Option<Vec<f32>>,
    probabilities: BTreeMap<String, f64>,
}

pub fn run(path: &Path, args: &PredictArgs, console: &Console) -> Result<(), Failure> {
    if args.csv.is_some() || args.top.is_some() {
        return Err(Failure::usage(
            "--csv and --top are for images; with --tensor, use --json, which has all numbers",
        ));
    }
    let Classifier { model, classes, .. } = Classifier::of_tensors(&args.model, console)?;
    let tensor = tensors::read(path, &model)?;
    let count = tensor.dims()[0];
    let mut predicted = Vec::new();
    for first in (0..count).step_by(BATCH) {
        interrupt::check()?;
        let samples = first..count.min(first + BATCH);
        let batch = tensors::channels_last(&tensor, samples.clone())?;
        let Outputs { logits, probabilities } = Outputs::of(&model, batch)?;
        predicted.extend(samples.enumerate().map(|(i, index)| {
            let row = class_probabilities(probabilities.row(i));
            Predicted {
                index,
                label: classes[most_probable(&row)].clone(),
                logits: args.logits.then(|| logits.row(i).to_vec()),
                probabilities: classes.iter().cloned().zip(row).collect(),
            }
        }));
    }
    let header = ["sample", "class", "probability"].map(String::from);
    let rows = predicted.iter().map(|one| {
        let share = format::percent(one.probabilities[&one.label]);
        vec![one.index.to_string(), class_name(&one.label), share]
    });
    console.table(&header, rows, 2)?;
    console.json(&predicted)?;
    Ok(())
}

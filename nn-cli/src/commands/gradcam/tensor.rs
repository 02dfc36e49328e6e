//! Heat maps for a tensor in place of images: their numbers alone.

use super::{Method, class};
use crate::args::GradcamArgs;
use crate::failure::Failure;
use crate::images::BATCH;
use crate::interrupt;
use crate::model::Classifier;
use crate::npy;
use crate::tensors;
use crate::ui::Console;
use nn_core::explain::Target;
use nn_staging::{Policy, Stage};
use nn_study::format;
use nn_study::run_folder::ELSEWHERE;
use serde::Serialize;
use std::path::Path;

/// One sample's map of one class, as printed by `--json`.
#[derive(Serialize)]
struct Explained {
    index: usize,
    class: String,
    /// Its logit.
    score: f64,
    probability: f64,
    predicted: String,
    method: &'static str,
    layer: Option<String>,
    /// The file of the map as computed.
    raw: String,
}

pub fn run(path: &Path, args: &GradcamArgs, console: &Console) -> Result<(), Failure> {
    if args.check {
        return Err(Failure::usage("--check goes with images; leave it away with --tensor"));
    }
    let classifier = Classifier::of_tensors(&args.model, console)?;
    let (model, classes) = (&classifier.model, &classifier.classes);
    let targets = match &args.class {
        None => vec![Target::Predicted],
        Some(typed) => targets(typed, classes)?,
    };
    let method = Method::of(args, &classifier)?;
    let tensor = tensors::read(path, model)?;
    let policy = Policy::AddFiles { overwrite: args.overwrite };
    let stage = Stage::open(&args.out, policy, ELSEWHERE)?;
    let count = tensor.dims()[0];
    let mut explained = Vec::new();
    for first in (0..count).step_by(BATCH) {
        let samples = first..count.min(first + BATCH);
        let batch = tensors::channels_last(&tensor, samples.clone())?;
        for &target in &targets {
            interrupt::check()?;
            let targets = vec![target; samples.len()];
            let found = method.explainer.explain(model, &batch, &targets)?;
            for (index, found) in samples.clone().zip(found) {
                let name = format!("{index}.{}.npy", found.class);
                stage.folder().write(&name, npy::encode(&found.map))?;
                explained.push(Explained {
                    index,
                    class: classes[found.class].clone(),
                    score: found.score,
                    probability: found.outputs[found.class],
                    predicted: classes[found.predicted].clone(),
                    method: method.name,
                    layer: method.layer.clone(),
                    raw: stage.target().join(&name).display().to_string(),
                });
            }
        }
    }
    stage.commit()?;
    explained.sort_by_key(|one| one.index);
    let header = ["sample", "class", "probability", "map"].map(String::from);
    let rows = explained.iter().map(|one| {
        let share = format::percent(one.probability);
        vec![one.index.to_string(), one.class.clone(), share, one.raw.clone()]
    });
    console.table(&header, rows, 2)?;
    console.note(&method.describe());
    console.json(&explained)?;
    Ok(())
}

/// The classes `typed`: the name of one, or names and indices with commas.
fn targets(typed: &str, classes: &[String]) -> Result<Vec<Target>, Failure> {
    if let Ok(target) = class(typed, classes) {
        return Ok(vec![target]);
    }
    let one = |typed: &str| match class(typed, classes) {
        Ok(target) => Ok(target),
        Err(unknown) => match typed.parse() {
            Ok(index) if index < classes.len() => Ok(Target::Class(index)),
            _ => Err(unknown),
        },
    };
    typed.split(',').map(str::trim).map(one).collect()
}

//! Predictions as tables, for people and as CSV.

use super::Prediction;
use crate::args::PredictArgs;
use crate::failure::Failure;
use nn_core::data::is_image;
use nn_study::format::{self, class_name};
use std::path::{Path, PathBuf};

/// Up to this many classes, each has its own column.
const COLUMNS: usize = 5;

/// The number of classes shown of each image if there are more.
const SHOWN: usize = 3;

/// The destination of the CSV.
#[derive(Debug, PartialEq, Eq)]
pub enum Csv {
    None,
    Stdout,
    File(PathBuf),
}

impl Csv {
    /// The destination of the CSV, and all images. `--csv` consumes the argument after it as its file; if
    /// that is an image or a folder, it is counted as an image and the CSV goes to stdout.
    ///
    /// # Errors
    /// If no images are left, or two results would be written to stdout.
    pub fn of(args: &PredictArgs, json: bool) -> Result<(Self, Vec<PathBuf>), Failure> {
        let mut images = args.images.clone();
        let csv = match &args.csv {
            None => Self::None,
            Some(None) => Self::Stdout,
            Some(Some(file)) if file == Path::new("-") => Self::Stdout,
            Some(Some(file)) if file.is_dir() || is_image(file) => {
                images.push(file.clone());
                Self::Stdout
            }
            Some(Some(file)) => Self::File(file.clone()),
        };
        match &csv {
            Self::File(file) if images.is_empty() => Err(Failure::usage(format!(
                "no images to predict: --csv took {} for the file to write; put --csv last",
                file.display()
            ))),
            _ if images.is_empty() => Err(Failure::usage("no images to predict; name some")),
            Self::Stdout if json => Err(Failure::usage(
                "--csv and --json would both write to standard output; name a file: --csv FILE",
            )),
            _ => Ok((csv, images)),
        }
    }
}

/// The predictions as CSV: file, predicted class, and the probability of each class. With `top`, only the
/// most probable classes, each with its probability.
///
/// # Errors
/// If the table cannot be written.
pub fn csv(
    predictions: &[Prediction],
    classes: &[String],
    top: Option<usize>,
) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let number = |p: f64| format!("{p:.6}");
    match top {
        None => {
            let header = ["file", "predicted"].into_iter();
            table.write_record(header.chain(classes.iter().map(String::as_str)))?;
            for one in predictions {
                let shares = classes.iter().map(|class| number(one.probabilities[class]));
                table.write_record(
                    [one.file.clone(), one.label.clone()].into_iter().chain(shares),
                )?;
            }
        }
        Some(top) => {
            let top = top.min(classes.len());
            let mut header: Vec<String> =
                ["file", "predicted", "probability"].map(String::from).into();
            for i in 2..=top {
                header.extend([format!("class_{i}"), format!("probability_{i}")]);
            }
            table.write_record(header)?;
            for one in predictions {
                let best = one.best(top).into_iter();
                let cells = best.flat_map(|(class, p)| [class.to_string(), number(p)]);
                table.write_record([one.file.clone()].into_iter().chain(cells))?;
            }
        }
    }
    table.into_inner().map_err(|error| error.into_error().into())
}

/// Header and rows of the table for people: a column for each class, or the most probable classes if there
/// are many or `top` is given.
pub fn table(
    predictions: &[Prediction],
    classes: &[String],
    top: Option<usize>,
) -> (Vec<String>, Vec<Vec<String>>) {
    let mut header = vec!["image".to_string(), "class".to_string()];
    let cells = |one: &Prediction| vec![one.file.clone(), class_name(&one.label)];
    if top.is_none() && classes.len() <= COLUMNS {
        header.extend(classes.iter().map(|class| class_name(class)));
        let rows = predictions.iter().map(|one| {
            let shares = classes.iter().map(|class| format::percent(one.probabilities[class]));
            cells(one).into_iter().chain(shares).collect()
        });
        return (header, rows.collect());
    }
    let top = top.unwrap_or(SHOWN);
    header.push("probability".into());
    if top > 1 {
        header.push("next".into());
    }
    let rows = predictions.iter().map(|one| {
        let best = one.best(top);
        let told =
            |&(class, p): &(&str, f64)| format!("{} {}", class_name(class), format::percent(p));
        let mut row = cells(one);
        row.extend(best.first().map(|&(_, p)| format::percent(p)));
        if top > 1 {
            row.push(best[1..].iter().map(told).collect::<Vec<_>>().join(", "));
        }
        row
    });
    (header, rows.collect())
}

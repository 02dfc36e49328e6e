//! The split of each image as a table (`split.csv`) with the columns `file`, `label` and `split`.
//!
//! Every training run writes one, as does the repair of an audit; training can read one instead of
//! drawing a split. Files are relative to the data folder, with forward slashes; the split is
//! `train`, `validation` or `test`, or [`NONE`] for an image that is left out on purpose.

use super::{ImageFolder, Part, Split, relative};
use crate::files::read_limited;
use crate::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// The size of the largest table that is read, in bytes: about a line for each of a million images.
const MAX_TABLE_BYTES: u64 = 256 << 20;

const REMEDY: &str = "pass a split.csv that a run or `nn-cli audit --repair` wrote for this folder";

/// What a table says of an image that is left out on purpose.
pub const NONE: &str = "none";

/// The name of the table in an output folder.
pub const SPLIT_FILE: &str = "split.csv";

/// Formats the table of these files, labels and splits.
///
/// # Errors
/// If memory cannot be allocated.
pub fn table(rows: impl IntoIterator<Item = (String, String, &'static str)>) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::io("write", Path::new(SPLIT_FILE))(error.into());
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["file", "label", "split"]).map_err(failed)?;
    for (file, label, split) in rows {
        table.write_record([&file, &label, split]).map_err(failed)?;
    }
    table.into_inner().map_err(|error| failed(error.into_error().into()))
}

/// Splits the images of `folder` as the table at `path` says; errors name the folder `name`. Also
/// returns the number of images that are not in the table, and so are left out without a word of it.
///
/// # Errors
/// If the table cannot be read, names a file that is not in the folder, names a file twice, has
/// another class than the file's folder, has an unknown split, or leaves training, or both
/// validation and test, without images.
pub fn read(path: &Path, name: &str, folder: &ImageFolder) -> Result<(Split, usize)> {
    divide(&read_limited(path, MAX_TABLE_BYTES, REMEDY)?, path, name, folder)
}

/// The split of each file in the table at `path`.
///
/// # Errors
/// If it cannot be read, or is not such a table.
pub fn parts(path: &Path) -> Result<HashMap<String, Part>> {
    let refuse =
        |line: u64, problem: &str| Error::file(path, format!("line {line}: {problem}"), REMEDY);
    let content = read_limited(path, MAX_TABLE_BYTES, REMEDY)?;
    let mut table = csv::Reader::from_reader(&content[..]);
    let header = table.headers().map_err(|error| refuse(1, &error.to_string()))?.clone();
    let column = |name: &str| {
        let at = header.iter().position(|cell| cell == name);
        at.ok_or_else(|| refuse(1, &format!("there is no column {name}")))
    };
    let (file_at, split_at) = (column("file")?, column("split")?);
    let mut parts = HashMap::new();
    for (number, row) in table.records().enumerate() {
        let line = number as u64 + 2;
        let row = row.map_err(|error| refuse(line, &error.to_string()))?;
        let part = Part::from_name(row.get(split_at).unwrap_or_default())
            .ok_or_else(|| refuse(line, "the split is none of train, validation and test"))?;
        parts.insert(row.get(file_at).unwrap_or_default().to_string(), part);
    }
    Ok(parts)
}

/// Splits the images of `folder` as the table says; errors name the table `path` and the folder
/// `name`. Also returns the number of images that are not in the table.
///
/// # Errors
/// Those of [`read`], except for errors of reading.
pub fn divide(
    table: &[u8],
    path: &Path,
    name: &str,
    folder: &ImageFolder,
) -> Result<(Split, usize)> {
    let refuse =
        |line: u64, problem: String| Error::file(path, format!("line {line}: {problem}"), REMEDY);
    let samples = folder.samples();
    let mut left: HashMap<String, _> =
        samples.into_iter().map(|sample| (relative(&folder.root, &sample.path), sample)).collect();
    let mut split = Split::default();
    let mut table = csv::Reader::from_reader(table);
    let header: Vec<String> =
        table.headers().map_err(|e| refuse(1, e.to_string()))?.iter().map(String::from).collect();
    let column = |name: &str| {
        let at = header.iter().position(|cell| cell == name);
        at.ok_or_else(|| refuse(1, format!("there is no column {name:?}, only {header:?}")))
    };
    let (file_at, label_at, split_at) = (column("file")?, column("label")?, column("split")?);
    for (number, row) in table.records().enumerate() {
        let line = number as u64 + 2;
        let row = row.map_err(|error| refuse(line, error.to_string()))?;
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let (file, label, part) = (cell(file_at), cell(label_at), cell(split_at));
        let Some(sample) = left.remove(file) else {
            return Err(refuse(
                line,
                format!("{file:?} is not an image of {name}, or is listed twice"),
            ));
        };
        let class = &folder.classes[sample.label];
        if class != label {
            return Err(refuse(line, format!("{file} is of class {class}, not {label:?}")));
        }
        match Part::from_name(part) {
            Some(Part::Train) => split.train.push(sample),
            Some(Part::Validation) => split.validation.push(sample),
            Some(Part::Test) => split.test.push(sample),
            None if part == NONE => {}
            None => {
                let expected = "expected train, validation, test or none";
                return Err(refuse(line, format!("{file} is for {part:?}; {expected}")));
            }
        }
    }
    if split.train.is_empty() {
        return Err(refuse(1, "no image is for train".into()));
    }
    if split.test.is_empty() && split.validation.is_empty() {
        return Err(refuse(1, "no image is for test, nor for validation".into()));
    }
    Ok((split, left.len()))
}

//! Which image is for what, as a table (`split.csv`): columns `file`, `label` and `split`.
//!
//! Every training run writes one, so does the repair of an audit, and training can be told to divide images by
//! it. Files are given below the data folder, with forward slashes; the split is `train`, `validation` or
//! `test`.

use super::{ImageFolder, Part, Split, relative};
use crate::files::read_limited;
use crate::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// The largest table that is read, in bytes: a line for each of a million images.
const MAX_TABLE_BYTES: u64 = 256 << 20;

const REMEDY: &str = "pass a split.csv that a run or `nn-cli audit --repair` wrote for this folder";

/// The name of such a table in a folder that this program wrote.
pub const SPLIT_FILE: &str = "split.csv";

/// The content of the table of these files, labels and splits.
///
/// # Errors
/// If there is no memory for it.
pub fn table(rows: impl IntoIterator<Item = (String, String, &'static str)>) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::io("write", Path::new(SPLIT_FILE))(error.into());
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["file", "label", "split"]).map_err(failed)?;
    for (file, label, split) in rows {
        table.write_record([&file, &label, split]).map_err(failed)?;
    }
    table.into_inner().map_err(|error| failed(error.into_error().into()))
}

/// Divides the images of `folder` as the table at `path` says; errors call the folder `name`. Returns also
/// how many of the images are not in the table, and so left out.
///
/// # Errors
/// If the table cannot be read, names a file that is not in the folder or is there twice, another class than
/// the file's, or a split that is none, or leaves training without images, or both validation and test.
pub fn read(path: &Path, name: &str, folder: &ImageFolder) -> Result<(Split, usize)> {
    divide(&read_limited(path, MAX_TABLE_BYTES, REMEDY)?, path, name, folder)
}

/// What the table at `path` says each file was used for.
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

/// Divides the images of `folder` as the table says; errors call the table `path` and the folder
/// `name`. Returns also how many images are not in the table.
///
/// # Errors
/// Those of [`read`] that do not come from reading.
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
            None => {
                let expected = "expected train, validation or test";
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

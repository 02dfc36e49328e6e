//! Labels from a table: `--labels FILE` gives the classes of the images in a folder.
//!
//! `columns` finds the columns by their names, `files` the images that the rows name. Errors name line and
//! column.

mod columns;
mod files;

pub use self::columns::Asked;
use self::columns::Columns;
use self::files::Files;
use crate::args::LabelArgs;
use nn_core::data::{
    Content, FolderImage, ImageFolder, Part, PassedOver, Reason, images_below, sniff,
};
use nn_core::files::read_limited;
use nn_core::{Error, Result};
use nn_study::format;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// The largest table that is read, in bytes: a line for each of a million images.
const MAX_TABLE_BYTES: u64 = 256 << 20;

const REMEDY: &str = "expected a CSV table with a line for each image: its file, and its class";

/// A folder whose images got labels from a table.
pub struct Labelled {
    pub folder: ImageFolder,
    /// The columns that were used, in words.
    pub note: String,
    /// What images belong to, by their path, if a column with it was asked for.
    pub groups: HashMap<PathBuf, String>,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    line: u64,
    file: String,
    /// `None` if the cell is empty.
    class: Option<String>,
    part: Option<Part>,
    /// What the image belongs to, if a column with it was asked for.
    group: Option<String>,
}

/// Reads the folder `root` with the labels of the table that `args` name; `None` if they name none.
///
/// # Errors
/// If folder or table cannot be read, a column is not found, a row contradicts another or names several
/// images, or no image has a class.
pub fn read(args: &LabelArgs, root: &Path) -> Result<Option<Labelled>> {
    read_grouped(args, None, root)
}

/// [`read`], with what images belong to in the column `group`, if it is given.
pub fn read_grouped(
    args: &LabelArgs,
    group: Option<&str>,
    root: &Path,
) -> Result<Option<Labelled>> {
    let Some(path) = &args.labels else { return Ok(None) };
    if !path.exists() && root.join(path).is_file() {
        return Err(Error::file(
            path,
            "there is no such file here, but there is one in the folder of images",
            format!("pass --labels {}", root.join(path).display()),
        ));
    }
    let table = read_limited(path, MAX_TABLE_BYTES, REMEDY)?;
    let (images, passed_over) = images_below(root)?;
    let asked = Asked { label: args.label_column.as_deref(), group };
    label(&table, asked, path, root, images, passed_over).map(Some)
}

/// [`read`] for a table and a list of images that were already read; `path` is the table's name in errors.
pub fn label(
    table: &[u8],
    asked: Asked<'_>,
    path: &Path,
    root: &Path,
    images: Vec<PathBuf>,
    mut passed_over: Vec<PassedOver>,
) -> Result<Labelled> {
    let table = Table { path, text: text(table, path)? };
    let (columns, rows) = table.read(asked)?;
    let files = Files::new(root, &images);
    let mut found: Vec<Option<&Row>> = vec![None; images.len()];
    let mut missing = Vec::new();
    for row in &rows {
        let refuse = |problem: String| table.refuse_at(row.line, &columns.file.name, problem);
        let Some(image) = files.find(&row.file).map_err(refuse)? else {
            missing.push(row);
            continue;
        };
        match found[image] {
            Some(before)
                if (&before.class, before.part, &before.group)
                    != (&row.class, row.part, &row.group) =>
            {
                return Err(refuse(format!(
                    "{} is {} here and {} in line {}",
                    files.name(image),
                    told(row),
                    told(before),
                    before.line
                )));
            }
            _ => found[image] = Some(row),
        }
    }
    if let (Some(first), true) = (missing.first(), found.iter().all(Option::is_none)) {
        let there = images.first().map_or("none".into(), |_| files.name(0).to_string());
        return Err(table.refuse_at(
            first.line,
            &columns.file.name,
            format!(
                "no image of {} is called {:?}, nor as any of the {} says (the first there: {there})",
                root.display(),
                first.file,
                format::plural(rows.len() as u64, "line"),
            ),
        ));
    }
    passed_over.extend(
        missing.iter().map(|row| PassedOver { path: row.file.clone(), reason: Reason::Missing }),
    );
    let names = found.iter().flatten().filter_map(|row| row.class.as_deref());
    let classes: Vec<String> =
        names.collect::<BTreeSet<_>>().into_iter().map(String::from).collect();
    let divided = found.iter().flatten().any(|row| row.part.is_some());
    let mut labelled = Vec::new();
    for (i, (image, row)) in images.iter().zip(&found).enumerate() {
        let class = row.and_then(|row| row.class.as_ref());
        let label = class.and_then(|class| classes.binary_search(class).ok());
        let part = row.and_then(|row| row.part).filter(|_| label.is_some());
        if divided && label.is_some() && part.is_none() {
            let path = files.name(i).to_string();
            passed_over.push(PassedOver { path, reason: Reason::NoPartInTable });
        } else {
            labelled.push(FolderImage { path: image.clone(), label, part });
        }
    }
    if classes.is_empty() {
        let problem = "no line has both an image of the folder and a class";
        return Err(Error::file(path, problem, REMEDY));
    }
    let note = format!("labels from {}: {}", path.display(), columns.describe());
    let groups = images.iter().zip(&found);
    let groups = groups.filter_map(|(image, row)| Some((image.clone(), (*row)?.group.clone()?)));
    let groups = groups.collect();
    let folder = ImageFolder::labelled(root, classes, labelled, passed_over);
    Ok(Labelled { folder, note, groups })
}

/// The content of a row: `cat, for the test`.
fn told(row: &Row) -> String {
    let class = row.class.as_deref().unwrap_or("without a class");
    let part = row.part.map(|part| format!(", {}", part.purpose()));
    let group = row.group.as_ref().map(|group| format!(", of {group}"));
    format!("{class}{}{}", part.unwrap_or_default(), group.unwrap_or_default())
}

/// The text of a table's file.
///
/// # Errors
/// If the file is not text: what it is instead.
fn text<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str> {
    let refuse = |problem: String| Error::file(path, problem, REMEDY);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match sniff(bytes) {
        Content::Other("a ZIP archive") => {
            let problem = "this is a ZIP archive, or a workbook of Excel";
            return Err(Error::file(path, problem, "save the table as CSV (UTF-8)"));
        }
        Content::Image(format) => {
            return Err(refuse(format!("this is a {} image, not a table", format.name())));
        }
        Content::UnreadImage(what) | Content::Other(what) => {
            return Err(refuse(format!("this is {what}, not a table")));
        }
        Content::Unknown => {}
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let problem = format!("line {line}: this is not UTF-8 text");
        Error::file(path, problem, "save the table as CSV (UTF-8)")
    })?;
    if text.trim().is_empty() {
        return Err(refuse("the table is empty".into()));
    }
    Ok(text)
}

/// A table as text, with its path for errors.
struct Table<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Table<'_> {
    fn refuse(&self, line: u64, problem: impl Display) -> Error {
        Error::file(self.path, format!("line {line}: {problem}"), REMEDY)
    }

    fn refuse_at(&self, line: u64, column: &str, problem: impl Display) -> Error {
        let problem = format!("line {line}, column {column}: {problem}");
        Error::file(self.path, problem, "correct this line, or take it out")
    }

    /// The columns, and the parsed rows.
    fn read(&self, asked: Asked<'_>) -> Result<(Columns, Vec<Row>)> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter(self.text))
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(self.text.as_bytes());
        let header = reader.headers().map_err(|error| self.refuse(1, error))?.clone();
        let mut records = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| {
                let line = error.position().map_or(0, csv::Position::line);
                self.refuse(line, error)
            })?;
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != header.len() {
                return Err(self.refuse(
                    line,
                    format!("there are {} cells, but {} columns", record.len(), header.len()),
                ));
            }
            records.push((line, record));
        }
        let columns =
            Columns::find(&header, &records, asked).map_err(|problem| self.refuse(1, problem))?;
        let mut rows = Vec::with_capacity(records.len());
        for (line, record) in &records {
            let refuse =
                |(column, problem): (String, String)| self.refuse_at(*line, &column, problem);
            rows.push(columns.row(*line, record).map_err(refuse)?);
        }
        if rows.is_empty() {
            return Err(self.refuse(1, "there is no line after that with the names of the columns"));
        }
        Ok((columns, rows))
    }
}

/// The delimiter: the most frequent of comma, semicolon and tab in the first line.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    // Of equally frequent ones the last: the comma.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

#[cfg(test)]
mod tests;

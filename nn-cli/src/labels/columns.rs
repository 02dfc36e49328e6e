//! Identifies the columns of a table of labels by their names.

use super::Row;
use csv::StringRecord;
use nn_core::data::Part;

/// Names of the column with the files, in order of preference; letter case and separators are ignored.
const FILES: [&str; 17] = [
    "file",
    "filename",
    "filepath",
    "path",
    "imagepath",
    "imagefile",
    "imagefilename",
    "image",
    "imagename",
    "imageid",
    "img",
    "imgname",
    "imgid",
    "photo",
    "picture",
    "id",
    "name",
];

/// Names of the column with the classes.
const LABELS: [&str; 14] = [
    "label",
    "class",
    "category",
    "target",
    "labels",
    "classname",
    "classlabel",
    "labelname",
    "categoryname",
    "species",
    "breed",
    "diagnosis",
    "dx",
    "y",
];

/// Names of the column with the splits.
const SPLITS: [&str; 4] = ["split", "subset", "partition", "set"];

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    at: usize,
    pub name: String,
}

/// The columns that the user names.
#[derive(Clone, Copy, Default)]
pub struct Asked<'a> {
    /// That with the classes.
    pub label: Option<&'a str>,
    /// That with what images belong to.
    pub group: Option<&'a str>,
}

/// The column or columns with the classes.
#[derive(Debug, PartialEq, Eq)]
enum Label {
    /// One column with the names of the classes.
    Names(Column),
    /// One column for each class (one-hot): 1 for the image's class, 0 for the others.
    OneHot(Vec<Column>),
}

/// The columns that are used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub file: Column,
    label: Label,
    split: Option<Column>,
    group: Option<Column>,
}

impl Columns {
    /// Finds the columns by name; the classes and the groups are in the columns `asked` for, if there are any. If no column has a
    /// known name for classes, the only other column contains them, or the other columns are one-hot with 1
    /// or 0.
    ///
    /// # Errors
    /// If a column is missing: which one, and the columns that exist.
    pub fn find(
        header: &StringRecord,
        records: &[(u64, StringRecord)],
        asked: Asked<'_>,
    ) -> Result<Self, String> {
        let columns: Vec<Column> = header
            .iter()
            .enumerate()
            .map(|(at, name)| Column { at, name: name.to_string() })
            .filter(|column| !column.name.is_empty())
            .collect();
        let there = || {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            names.join(", ")
        };
        let named = |names: &[&str]| {
            let find = |name: &&str| columns.iter().find(|column| plain(&column.name) == **name);
            names.iter().find_map(find).cloned()
        };
        let find = |name: &str| {
            let exact = columns.iter().find(|column| column.name == name);
            let alike = || columns.iter().find(|column| plain(&column.name) == plain(name));
            let column = exact.or_else(alike).cloned();
            column.ok_or_else(|| format!("there is no column {name}, only {}", there()))
        };
        let given = asked.label.map(find).transpose()?;
        let group = asked.group.map(find).transpose()?;
        let taken =
            |column: &&str| given.as_ref().is_some_and(|given| plain(&given.name) == **column);
        let free: Vec<&str> = FILES.into_iter().filter(|name| !taken(name)).collect();
        let file = named(&free).ok_or_else(|| {
            format!(
                "no column is called file, filename, image, image_id, path or id; there are {}: the first \
                 line must name the columns",
                there()
            )
        })?;
        let split =
            named(&SPLITS).filter(|split| ![&given, &group].contains(&&Some(split.clone())));
        let taken = [Some(&file), split.as_ref(), group.as_ref()];
        let others = columns.iter().filter(|column| !taken.contains(&Some(*column)));
        let others: Vec<Column> = others.cloned().collect();
        let label = match given.or_else(|| named(&LABELS)) {
            Some(column) => Label::Names(column),
            None => match &others[..] {
                [only] => Label::Names(only.clone()),
                several if several.len() > 1 && are_flags(several, records) => {
                    Label::OneHot(several.to_vec())
                }
                _ => {
                    return Err(format!(
                        "no column is called label, class, category or target; there are {}: name one with \
                         --label-column",
                        there()
                    ));
                }
            },
        };
        Ok(Self { file, label, split, group })
    }

    /// The columns and their use: `files in image_id, classes in dx, split in subset`.
    pub fn describe(&self) -> String {
        let mut told = format!("files in column {}, ", self.file.name);
        told += &match &self.label {
            Label::Names(column) => format!("classes in {}", column.name),
            Label::OneHot(columns) => format!("one column for each of {} classes", columns.len()),
        };
        if let Some(split) = &self.split {
            told += &format!(", split in {}", split.name);
        }
        if let Some(group) = &self.group {
            told += &format!(", groups in {}", group.name);
        }
        told
    }

    /// Parses a row.
    ///
    /// # Errors
    /// The column, and the problem in it.
    pub fn row(&self, line: u64, record: &StringRecord) -> Result<Row, (String, String)> {
        let cell = |column: &Column| record.get(column.at).unwrap_or_default();
        let file = cell(&self.file).to_string();
        if file.is_empty() {
            return Err((self.file.name.clone(), "there is no file name".into()));
        }
        let class = match &self.label {
            Label::Names(column) => Some(cell(column)).filter(|class| !class.is_empty()),
            Label::OneHot(columns) => {
                let mut of = columns.iter().filter(|column| flag(cell(column)) == Some(true));
                match (of.next(), of.next()) {
                    (Some(one), Some(other)) => {
                        let problem = format!(
                            "{file} is {} and {}: one class is expected",
                            one.name, other.name
                        );
                        return Err((other.name.clone(), problem));
                    }
                    (one, _) => one.map(|column| column.name.as_str()),
                }
            }
        };
        let part = match &self.split {
            Some(column) if !cell(column).is_empty() => {
                let part = Part::of_folder(cell(column));
                Some(part.ok_or_else(|| {
                    let problem = format!(
                        "{file} is for {:?}; expected train, validation or test",
                        cell(column)
                    );
                    (column.name.clone(), problem)
                })?)
            }
            _ => None,
        };
        let group = self.group.as_ref().map(cell).filter(|group| !group.is_empty());
        let group = group.map(String::from);
        Ok(Row { line, file, class: class.map(String::from), part, group })
    }
}

/// A name in lower case without separators.
fn plain(name: &str) -> String {
    name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Whether each cell of these columns is a flag: yes or no.
fn are_flags(columns: &[Column], records: &[(u64, StringRecord)]) -> bool {
    let is_flag = |(_, record): &(u64, StringRecord)| {
        columns.iter().all(|column| flag(record.get(column.at).unwrap_or_default()).is_some())
    };
    !records.is_empty() && records.iter().all(is_flag)
}

fn flag(cell: &str) -> Option<bool> {
    match cell {
        "1" | "1.0" => Some(true),
        "0" | "0.0" | "" => Some(false),
        _ => None,
    }
}

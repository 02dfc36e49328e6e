//! Which files an audit looks at, and what each is for.
//!
//! Unlike training, an audit takes a folder as it is: classes may be missing from a split, a class
//! may be empty. What is wrong is told, not refused.

use crate::data::folder::{folders, images};
use crate::data::{ImageFolder, Split, check_validation_split};
use crate::error::{Error, Result};
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What an image is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// It changes the weights.
    Train,
    /// It is looked at after each epoch.
    Validation,
    /// It is kept for the end.
    Test,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Its name: `train`, `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The part of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// An image file and its place in the experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it lies.
    pub path: PathBuf,
    /// Its path below the folder, with forward slashes.
    pub file: String,
    /// Its class, as an index into [`Listing::classes`].
    pub label: usize,
    /// What it is used for; none where the folder cannot be split.
    pub part: Option<Part>,
}

/// The images of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The folder.
    pub root: PathBuf,
    /// The names of all classes, sorted, whichever split they are in.
    pub classes: Vec<String>,
    /// The images.
    pub items: Vec<Item>,
    /// Why the folder cannot be trained on as it is, if so.
    pub problem: Option<String>,
}

/// Names of folders that hold a split, and which.
const SPLIT_FOLDERS: [(&str, Part); 5] = [
    ("train", Part::Train),
    ("val", Part::Validation),
    ("valid", Part::Validation),
    ("validation", Part::Validation),
    ("test", Part::Test),
];

impl Listing {
    /// Lists the images under `root`: class folders, perhaps within `train/`, `test/` and the like.
    /// Where the folder can be trained on, each image is in the split that training with this
    /// validation share and seed would put it in ([`ImageFolder::split`]).
    ///
    /// # Errors
    /// A folder that is missing or cannot be read, one without any image, or a validation share out
    /// of its range.
    pub fn scan(root: &Path, validation: f64, seed: u64) -> Result<Self> {
        check_validation_split(validation)?;
        let mut classes: Vec<String> = Vec::new();
        let mut found: Vec<(PathBuf, String, Option<Part>)> = Vec::new();
        std::fs::metadata(root).map_err(Error::io("read", root))?;
        let mut add = |folder: &Path, part: Option<Part>| -> Result<()> {
            for (name, path) in folders(folder)? {
                found.extend(images(&path)?.into_iter().map(|image| (image, name.clone(), part)));
                classes.push(name);
            }
            Ok(())
        };
        let parts: Vec<(PathBuf, Part)> = SPLIT_FOLDERS
            .iter()
            .map(|(name, part)| (root.join(name), *part))
            .filter(|(path, _)| folders(path).is_ok_and(|inside| !inside.is_empty()))
            .collect();
        if parts.is_empty() {
            add(root, None)?;
        }
        for (path, part) in &parts {
            add(path, Some(*part))?;
        }
        if found.is_empty() {
            return Err(Error::file(
                root,
                "there are no images in class folders in it",
                "expected one sub-folder per class, or train/ and test/ with such sub-folders",
            ));
        }
        classes.sort();
        classes.dedup();
        let label = |name: &String| classes.binary_search(name).unwrap_or_default();
        let items = found.into_iter().map(|(path, name, part)| Item {
            file: relative(root, &path),
            label: label(&name),
            part,
            path,
        });
        let mut listing =
            Self { root: root.to_path_buf(), items: items.collect(), classes, problem: None };
        match ImageFolder::scan(root).and_then(|folder| folder.split(validation, seed)) {
            Ok(split) => listing.assign(&split),
            Err(error) => listing.problem = Some(error.to_string()),
        }
        Ok(listing)
    }

    /// Puts each image into the part that `split` says, and those it does not name into none.
    pub fn assign(&mut self, split: &Split) {
        let sets = [&split.train, &split.validation, &split.test];
        let parts: HashMap<&Path, Part> = sets
            .into_iter()
            .zip(Part::ALL)
            .flat_map(|(samples, part)| samples.iter().map(move |s| (s.path.as_path(), part)))
            .collect();
        for item in &mut self.items {
            item.part = parts.get(item.path.as_path()).copied();
        }
    }
}

/// `path` below `root`, with forward slashes.
fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = path.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

//! A set of images, and what is known about it.

use nn_core::Result;
use nn_core::data::{ImageFolder, Part, Sample, relative};
use serde::Serialize;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What the images of a set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The published photographs, to the byte.
    Published,
    /// Drawn animals that stand in for the photographs.
    StandIn,
    /// Any other images.
    Folder,
}

/// An image folder, and what is known about it.
pub struct ImageSet {
    /// The name to show: the set's, or the folder's.
    pub name: String,
    /// Published photographs, the stand-in, or some folder.
    pub kind: Kind,
    /// The folder; for a set that is rendered when it is asked for, the path it would have.
    pub path: PathBuf,
    /// Classes and files.
    pub folder: ImageFolder,
    /// Where the images lie, if they are to be removed with the set.
    pub rendered: Option<TempDir>,
}

impl ImageSet {
    /// The images to measure a model on, and what they are: those in the folder for the test where there
    /// is one, else those for validation, else all.
    ///
    /// # Errors
    /// If there are two folders for it.
    pub fn test_samples(&self) -> Result<(&'static str, Vec<Sample>)> {
        for part in [Part::Test, Part::Validation] {
            if self.folder.has(part) {
                return Ok((part.name(), self.folder.samples_for(part, 0.0, 0)?));
            }
        }
        Ok(("all", self.folder.samples()))
    }

    /// What a run on this set is called unless told otherwise: as the folder is, whatever is in it.
    pub fn run_name(&self) -> String {
        folder_name(&self.path)
    }

    /// A file's path below the set's folder, with forward slashes.
    pub fn relative(&self, path: &Path) -> String {
        relative(&self.folder.root, path)
    }

    /// What every output that speaks of this set says about it.
    pub fn describe(&self) -> String {
        describe(&self.name, self.kind, &self.path)
    }
}

/// What every output that speaks of the images of this name, kind and path says about them.
pub fn describe(name: &str, kind: Kind, path: &Path) -> String {
    match kind {
        Kind::Published => format!("{name} (published photographs)"),
        Kind::StandIn => format!("{name} (STAND-IN: drawn animals, not photographs)"),
        Kind::Folder => format!("{name} (folder {})", path.display()),
    }
}

/// A folder's name as it was asked for, or its own where the path ends in `.` or `..`.
pub fn folder_name(path: &Path) -> String {
    let absolute = || path.canonicalize().ok()?.file_name().map(ToOwned::to_owned);
    match path.file_name().map(ToOwned::to_owned).or_else(absolute) {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    }
}

/// What the animals of `class` stand on in the set `name` of the experiment; none of a set or a class that is
/// not known.
pub fn known_ground(name: &str, kind: Kind, class: &str) -> Option<&'static str> {
    if kind == Kind::Folder {
        return None;
    }
    match (name, class) {
        ("same_backgrounds", "husky" | "wolf") => Some("white"),
        ("different_backgrounds", "husky") | ("background_swap", "wolf") => Some("grass"),
        ("different_backgrounds", "wolf") | ("background_swap", "husky") => Some("snow"),
        _ => None,
    }
}

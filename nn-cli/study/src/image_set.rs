//! A set of images with its name and origin.

use nn_core::Result;
use nn_core::data::{ImageFolder, Part, Sample, relative};
use serde::Serialize;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The origin of a set's images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The published photographs, byte for byte.
    Published,
    /// The synthetic set: drawn animals instead of the photographs.
    StandIn,
    /// Any other images.
    Folder,
}

/// An image folder with its name and origin.
pub struct ImageSet {
    /// The name to show: that of the set, or of the folder.
    pub name: String,
    /// The origin of the images.
    pub kind: Kind,
    /// The folder's path; for a set rendered on demand, the path it would have.
    pub path: PathBuf,
    /// Classes and files.
    pub folder: ImageFolder,
    /// The temporary folder of a set rendered on demand, removed when this is dropped.
    pub rendered: Option<TempDir>,
}

impl ImageSet {
    /// The images to evaluate a model on, and the name of their split: those of the test folder if there is
    /// one, else of the validation folder, else all.
    ///
    /// # Errors
    /// If there are two such folders.
    pub fn test_samples(&self) -> Result<(&'static str, Vec<Sample>)> {
        for part in [Part::Test, Part::Validation] {
            if self.folder.has(part) {
                return Ok((part.name(), self.folder.samples_for(part, 0.0, 0)?));
            }
        }
        Ok(("all", self.folder.samples()))
    }

    /// The default name of a run on this set: the folder's name.
    pub fn run_name(&self) -> String {
        folder_name(&self.path)
    }

    /// The path of a file relative to the set's folder, with forward slashes.
    pub fn relative(&self, path: &Path) -> String {
        relative(&self.folder.root, path)
    }

    /// The description of this set that every output shows.
    pub fn describe(&self) -> String {
        describe(&self.name, self.kind, &self.path)
    }
}

/// The description of images with this name, kind and path that every output shows.
pub fn describe(name: &str, kind: Kind, path: &Path) -> String {
    match kind {
        Kind::Published => format!("{name} (published photographs)"),
        Kind::StandIn => format!("{name} (STAND-IN: drawn animals, not photographs)"),
        Kind::Folder => format!("{name} (folder {})", path.display()),
    }
}

/// The folder's name as the user gave it, or its real name if the path ends in `.` or `..`.
pub fn folder_name(path: &Path) -> String {
    let absolute = || path.canonicalize().ok()?.file_name().map(ToOwned::to_owned);
    match path.file_name().map(ToOwned::to_owned).or_else(absolute) {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    }
}

/// The background of `class` in the set `name` of the experiment; `None` for an unknown set or class.
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

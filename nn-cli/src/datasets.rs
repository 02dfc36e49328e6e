//! Finds image sets by name or path, and describes them.

use crate::args::LabelArgs;
use crate::failure::Failure;
use crate::hints;
use crate::interrupt;
use crate::labels;
use crate::ui::{Console, Counter};
use nn_core::Error;
use nn_core::data::{ImageFolder, is_image, relative};
use nn_study::image_set::{ImageSet, Kind, describe, folder_name};
use nn_synthetic::{Marker, SyntheticSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Finds `data`: a folder at that path, else a set with that name under `root`, else the stand-in with that
/// name. Its images get the labels of `labels`, if given.
///
/// # Errors
/// If none of these exists, or the folder contains no usable images; those of [`labels::read`].
pub fn find(
    data: &str,
    root: &Path,
    labels: &LabelArgs,
    console: &Console,
) -> Result<ImageSet, Failure> {
    let place = Place::find(data, root, console)?;
    let folder = place.read(labels, console)?;
    place.announce(console);
    let Place { name, kind, path, rendered, .. } = place;
    Ok(ImageSet { name, kind, path, folder, rendered })
}

/// The place of an image set, before its files are read.
pub struct Place {
    /// The name to show: that of the set, or of the folder.
    pub name: String,
    /// The origin of the images.
    pub kind: Kind,
    /// The folder's path; for a stand-in rendered on demand, the path it would have.
    pub path: PathBuf,
    /// The folder to read.
    pub folder: PathBuf,
    /// The temporary folder of a stand-in rendered on demand, removed on drop.
    rendered: Option<TempDir>,
}

impl Place {
    /// Reads the folder: its classes come from its subfolders or from `labels`. Reports which columns were
    /// used.
    ///
    /// # Errors
    /// Those of [`ImageFolder::scan`] and of [`labels::read`].
    pub fn read(&self, labels: &LabelArgs, console: &Console) -> Result<ImageFolder, Failure> {
        let Some(labelled) = labels::read(labels, &self.folder)? else {
            return Ok(ImageFolder::scan(&self.folder)?);
        };
        console.note(&format!("note: {}", labelled.note));
        Ok(labelled.folder)
    }

    /// The description of these images that every output shows.
    pub fn describe(&self) -> String {
        describe(&self.name, self.kind, &self.path)
    }

    /// Tells the user if the images are drawings.
    pub fn announce(&self, console: &Console) {
        if self.kind == Kind::StandIn {
            console.note(&format!(
                "{}: the photographs are not on disk, so drawn animals stand in for them \
                 (`nn-cli data fetch` downloads the photographs)",
                self.name
            ));
        }
    }

    /// Finds `data`: a folder at that path, else a set with that name under `root`, else the stand-in with
    /// that name.
    ///
    /// # Errors
    /// If none of these exists.
    pub fn find(data: &str, root: &Path, console: &Console) -> Result<Self, Failure> {
        Self::locate(data, "folder", root, console)
    }

    /// Whether `data` is a folder or the name of a set.
    pub fn is_there(data: &str, root: &Path) -> bool {
        Path::new(data).exists()
            || root.join(data).is_dir()
            || SyntheticSet::from_name(data).is_some()
    }

    fn locate(data: &str, what: &str, root: &Path, console: &Console) -> Result<Self, Failure> {
        let direct = Path::new(data);
        let named = root.join(data);
        if direct.components().count() == 1 && named.is_dir() {
            Self::at(&named)
        } else if direct.exists() {
            Self::at(direct)
        } else if let Some(set) = SyntheticSet::from_name(data) {
            Self::render(set, named, console)
        } else {
            Err(not_found(data, what, root))
        }
    }

    /// The folder at `path`.
    fn at(path: &Path) -> Result<Self, Failure> {
        if path.is_file()
            && let Some(hint) = hints::file_as_folder(path)
        {
            let problem = "expected a folder of images, found a file";
            return Err(Failure::usage(Error::file(path, problem, hint)));
        }
        let kind = if Marker::read(path)?.is_some() {
            Kind::StandIn
        } else if nn_photographs::identify(path).is_some() {
            Kind::Published
        } else {
            Kind::Folder
        };
        let name = folder_name(path);
        let path = path.to_path_buf();
        Ok(Self { name, kind, folder: path.clone(), path, rendered: None })
    }

    /// Finds the folder of single images, like [`Place::find`].
    ///
    /// # Errors
    /// If no such folder or set exists.
    pub fn find_images(path: &Path, root: &Path, console: &Console) -> Result<Self, Failure> {
        match path.to_str() {
            _ if is_image(path) && !path.exists() => Err(no_image(path)),
            Some(name) => Self::locate(name, "image or folder", root, console),
            None => Self::at(path),
        }
    }

    /// The name to show of a file in this folder; for a stand-in rendered on demand, its path within the
    /// set.
    pub fn shown(&self, file: &Path) -> String {
        match self.rendered {
            Some(_) => format!("{}/{}", self.name, relative(&self.folder, file)),
            None => file.display().to_string(),
        }
    }

    fn render(set: SyntheticSet, path: PathBuf, console: &Console) -> Result<Self, Failure> {
        let rendered = tempfile::Builder::new()
            .prefix("nn-stand-in-")
            .tempdir()
            .map_err(Error::io("create a folder in", &std::env::temp_dir()))?;
        let dir = rendered.path().join(set.name());
        let total = nn_synthetic::specs(set).len() as u64;
        let counter = Counter::items(console, "rendering the stand-in", total, "pictures");
        let (seed, size) = (nn_synthetic::DEFAULT_SEED, nn_synthetic::DEFAULT_SIZE);
        nn_synthetic::render(set, seed, &dir, size, &|_| {
            counter.add(1);
            interrupt::flow()
        })?;
        drop(counter);
        let name = set.name().to_string();
        Ok(Self { name, kind: Kind::StandIn, path, folder: dir, rendered: Some(rendered) })
    }
}

/// The error for a name that is neither a folder nor a data set.
fn not_found(data: &str, what: &str, root: &Path) -> Failure {
    let names = SyntheticSet::ALL.map(SyntheticSet::name);
    let path = Path::new(data);
    let folder = path.file_name().and_then(OsStr::to_str).unwrap_or(data);
    // If a path to a missing set was given, suggest the set's name.
    let same = names.iter().find(|name| **name == folder);
    let is_name = path.components().count() == 1;
    let lying = fs::read_dir(root).into_iter().flatten().flatten();
    let lying: Vec<String> = lying
        .filter(|entry| is_name && entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let known = names.into_iter().filter(|_| is_name).chain(lying.iter().map(String::as_str));
    let advice = match (same, hints::similar(data, known).as_slice()) {
        (Some(name), _) if path.parent() == Some(root) => format!(
            "the photographs are not on disk; pass the name alone, {name}, for drawn animals in their \
             place, or get the photographs with `nn-cli data fetch`"
        ),
        (Some(name), _) => format!("to use the data set of that name, pass {name} alone"),
        (None, []) => hints::path(data)
            .unwrap_or_else(|| format!("pass a folder of images, or one of {}", names.join(", "))),
        (None, found) => format!("did you mean {}?", found.join(" or ")),
    };
    let told = match is_name && !data.contains(['\\', ':', '~', '*', '?', '[']) {
        true => format!("there is no {what} and no data set {data}"),
        false => format!("there is no {what} {data}"),
    };
    Failure::usage(format!("{told}; {advice}"))
}

/// The error for an image that does not exist.
fn no_image(path: &Path) -> Failure {
    let typed = path.display().to_string();
    let advice = hints::path(&typed).unwrap_or_else(|| {
        "check the path, or go on without such images with --skip-unreadable".into()
    });
    Failure::usage(format!("there is no image {typed}; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_study::experiment::{Arm, SWAPPED};
    use nn_study::image_set::known_ground;
    use nn_synthetic::{Ground, Species};

    #[test]
    fn the_study_knows_the_sets_that_are_rendered() {
        for set in SyntheticSet::ALL {
            for species in [Species::Husky, Species::Wolf] {
                let ground = match set.ground(species) {
                    Ground::Grass => "grass",
                    Ground::Snow => "snow",
                    Ground::White => "white",
                };
                let known = |kind| known_ground(set.name(), kind, species.name());
                assert_eq!(known(Kind::StandIn), Some(ground));
                assert_eq!((known(Kind::Published), known(Kind::Folder)), (Some(ground), None));
            }
        }
        for name in Arm::ALL.map(Arm::set).into_iter().chain([SWAPPED]) {
            assert!(SyntheticSet::from_name(name).is_some(), "{name}");
        }
    }
}

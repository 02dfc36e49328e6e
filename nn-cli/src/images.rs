//! Finds and decodes images for a command; reports progress and skipped files.

use crate::args::ImageArgs;
use crate::datasets::Place;
use crate::failure::Failure;
use crate::hints;
use crate::reading;
use crate::ui::Console;
use nn_core::data::{
    EXTENSIONS, PassedOver, Rgb8, Treatment, decode_file_on, images_below, is_image, network_input,
    summary,
};
use nn_core::{Error, Tensor};
use nn_study::images::{Reading, or_skip};
use nn_study::{Kind, format};
use std::fs;
use std::path::{Path, PathBuf};

/// The default number of images per forward pass.
pub const BATCH: usize = 4;

/// Some images, decoded and as input of the network.
pub struct Batch<'a> {
    pub files: Vec<&'a Path>,
    pub images: Vec<Rgb8>,
    /// What was changed in each image when it was read.
    pub treatments: Vec<Treatment>,
    /// `[files.len(), height, width, channels]`.
    pub pixels: Tensor,
}

/// Decodes `files` for a network; `None` if none of them could be read.
///
/// # Errors
/// If an image cannot be read and unreadable ones are not skipped.
pub fn read<'a>(
    files: &'a [PathBuf],
    reading: Reading,
    console: &Console,
) -> Result<Option<Batch<'a>>, Failure> {
    let Reading { size: (height, width), channels, resize, alpha_background, skip_unreadable } =
        reading;
    let (mut readable, mut images, mut pixels) = (Vec::new(), Vec::new(), Vec::new());
    let mut treatments = Vec::new();
    for file in files {
        let decoded = decode_file_on(file, alpha_background).and_then(|decoded| {
            Ok((network_input(&decoded.image, channels, resize, height, width)?, decoded))
        });
        match decoded {
            Ok((resized, decoded)) => {
                readable.push(file.as_path());
                images.push(decoded.image);
                treatments.push(decoded.treatment);
                pixels.extend(resized);
            }
            Err(error) if skip_unreadable => console.warn(&format!("skipped: {error}")),
            Err(error) => return Err(or_skip(error).into()),
        }
    }
    if readable.is_empty() {
        return Ok(None);
    }
    let pixels = Tensor::from_vec([readable.len(), height, width, channels.count()], pixels)?;
    Ok(Some(Batch { files: readable, images, treatments, pixels }))
}

/// The error if none of `count` images could be read.
pub fn none_readable(count: usize) -> Failure {
    Failure::failed(format!(
        "none of the {} could be read; see the warnings above",
        format::plural(count as u64, "image")
    ))
}

/// The images that the user named.
pub struct Found {
    /// The files, in the order in which they were named.
    pub files: Vec<PathBuf>,
    places: Vec<Place>,
}

impl Found {
    /// The name to show of a file: its path, or its path within a stand-in rendered on demand.
    pub fn shown(&self, file: &Path) -> String {
        let place = self.places.iter().find(|place| file.starts_with(&place.folder));
        match place {
            Some(place) => place.shown(file),
            None => file.display().to_string(),
        }
    }

    /// The origin of the set that contains a file; `None` if it is in no set.
    pub fn kind(&self, file: &Path) -> Option<Kind> {
        let place = self.places.iter().find(|place| file.starts_with(&place.folder));
        place.map(|place| place.kind).filter(|kind| *kind != Kind::Folder)
    }
}

/// The named files, and all images in and below the named folders and data sets, each folder's own images
/// first. Reports the origin of the sets, and what was ignored.
///
/// # Errors
/// If a name does not exist, a folder cannot be read, or it contains no image.
pub fn find(paths: &[PathBuf], from: &ImageArgs, console: &Console) -> Result<Found, Failure> {
    let (mut files, mut places, mut passed_over) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        // A broken link exists, but cannot be read. With `--skip-unreadable`, an image may be missing.
        let is_there = fs::symlink_metadata(path).is_ok() && !path.is_dir();
        if is_there || (!path.exists() && from.skip_unreadable && is_image(path)) {
            if let Some(hint) = hints::file_as_folder(path) {
                let problem = "expected an image, or a folder of images";
                return Err(Failure::usage(Error::file(path, problem, hint)));
            }
            files.push(path.clone());
            continue;
        }
        let place = Place::find_images(path, from.root(), console)?;
        if place.kind != Kind::Folder {
            console.note(&place.describe());
        }
        let (images, left) = images_below(&place.folder)?;
        if images.is_empty() {
            let left = summary(&left).map(|left| format!(" (not looked at: {left})"));
            return Err(Error::file(
                path,
                format!("no image in this folder{}", left.unwrap_or_default()),
                format!("name a folder with images ({})", EXTENSIONS.join(", ")),
            )
            .into());
        }
        files.extend(images);
        let within = |one: PassedOver| PassedOver {
            path: path.join(&one.path).display().to_string(),
            reason: one.reason,
        };
        passed_over.extend(left.into_iter().map(within));
        places.push(place);
    }
    reading::tell_passed_over(&passed_over, console);
    Ok(Found { files, places })
}

//! The training images as a run's augmentation changes them.

use crate::config::RunConfig;
use crate::images::{self, Reading};
use crate::{Observer, StudyError, format};
use nn_core::Error;
use nn_core::data::augment::{Backgrounds, Kind};
use nn_core::data::{Dataset, ResizeMode, Sample, images_below};
use nn_core::train::Augmented;
use std::path::Path;

/// The images of `train`, changed as `config` says, in ways that follow from `seed`. Tells how many may get another background.
///
/// # Errors
/// If the augmentation does not fit the images, or a picture of a background cannot be read.
pub fn augmented<'a>(
    config: &RunConfig,
    train: &'a Dataset,
    seed: u64,
    observer: &dyn Observer,
) -> Result<Augmented<'a>, StudyError> {
    let augmented = Augmented::new(train, config.augment, seed)?;
    if config.augment.strength(Kind::Background) == 0.0 {
        return Ok(augmented);
    }
    let pictures = config.backgrounds.as_deref().map(|folder| pictures(folder, config, observer));
    let pictures = pictures.transpose()?;
    let counter = observer.count("finding subjects in", train.len() as u64, "images");
    let progress = |done: usize, _: usize| {
        counter.set(done as u64);
        observer.check()
    };
    let backgrounds = match pictures {
        Some(pictures) => Backgrounds::of_pictures(train, pictures, progress)?,
        None => Backgrounds::own(train, progress)?,
    };
    drop(counter);
    let without = train.len() - backgrounds.found();
    if without > 0 {
        observer.note(&format!(
            "{} of {} training images keep their background: what is the subject in them is not sure",
            without,
            train.len()
        ));
    }
    Ok(augmented.backgrounds(backgrounds))
}

/// The pictures in a folder, as large as the images; of another shape, their middle.
fn pictures(
    folder: &Path,
    config: &RunConfig,
    observer: &dyn Observer,
) -> Result<Dataset, StudyError> {
    let (paths, passed_over) = images_below(folder)?;
    if paths.is_empty() {
        let problem = "there are no pictures of backgrounds in it";
        let remedy = "name a folder of pictures with --backgrounds, or leave the option away";
        return Err(Error::file(folder, problem, remedy).into());
    }
    if !passed_over.is_empty() {
        let files = format::plural(passed_over.len() as u64, "file");
        observer.note(&format!("{}: {files} passed over", folder.display()));
    }
    let samples = paths.into_iter().map(|path| Sample { path, label: 0 }).collect();
    let reading = Reading { resize: ResizeMode::Crop.into(), ..Reading::of(config) };
    Ok(images::load(samples, &["background".to_string()], reading, observer)?)
}

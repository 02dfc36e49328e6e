//! Decoding images for a network.

use crate::config::RunConfig;
use crate::{Observer, format};
use nn_core::data::{AlphaBackground, Channels, Dataset, DatasetOptions, Resize, Sample};
use nn_core::{Error, Result};

/// How images are decoded for a network.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Height and width that images are resized to.
    pub size: (usize, usize),
    /// The channels in which images are read.
    pub channels: Channels,
    /// How images of another shape are resized.
    pub resize: Resize,
    /// The colour that transparent images are composited onto.
    pub alpha_background: AlphaBackground,
    /// Whether unreadable images are skipped.
    pub skip_unreadable: bool,
}

impl Reading {
    /// The settings for a network that is trained with `config`.
    pub fn of(config: &RunConfig) -> Self {
        let [height, width, _] = config.input();
        Self {
            size: (height, width),
            channels: config.channels,
            resize: config.resize,
            alpha_background: config.alpha_background,
            skip_unreadable: config.skip_unreadable,
        }
    }
}

/// Decodes `samples` for a network. The caller reports what was changed in the images.
///
/// # Errors
/// If an image cannot be read and unreadable ones are not skipped, or the observer stops it.
pub fn load(
    samples: Vec<Sample>,
    classes: &[String],
    reading: Reading,
    observer: &dyn Observer,
) -> Result<Dataset> {
    let Reading { size: (height, width), channels, resize, alpha_background, skip_unreadable } =
        reading;
    let counter = observer.count("decoding", samples.len() as u64, "images");
    let options = DatasetOptions {
        height,
        width,
        channels,
        resize,
        skip_unreadable,
        alpha_background,
        ..DatasetOptions::default()
    };
    let dataset = Dataset::load_with(samples, classes.to_vec(), &options, |done, _| {
        counter.set(done as u64);
        observer.check()
    })
    .map_err(|error| if skip_unreadable { error } else { or_skip(error) })?;
    drop(counter);
    for skipped in dataset.skipped() {
        observer.warn(&format!("skipped: {}", format::clean(&skipped.reason)));
    }
    Ok(dataset)
}

/// Adds a hint about `--skip-unreadable` to an error about an image.
pub fn or_skip(error: Error) -> Error {
    match error {
        Error::File { path, problem, remedy } => Error::File {
            path,
            problem,
            remedy: format!("{remedy}, or go on without such images with --skip-unreadable"),
        },
        Error::Io { path, source, .. } => Error::File {
            path,
            problem: format!("this image cannot be read: {source}"),
            remedy: "check the path, or go on without such images with --skip-unreadable".into(),
        },
        other => other,
    }
}

/// The default number of images per forward pass.
pub const BATCH: usize = 4;

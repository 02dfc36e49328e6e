//! Decoding images for a command, with progress and with what was skipped said.

use crate::failure::Failure;
use crate::interrupt;
use crate::ui::{Console, Counter, format};
use nn_core::Error;
use nn_core::data::{Dataset, DatasetOptions, Sample};

/// Decodes `samples` for a network of this image size.
///
/// # Errors
/// If an image cannot be read and such are not skipped, or the user interrupts.
pub fn load(
    samples: Vec<Sample>,
    classes: &[String],
    (height, width): (usize, usize),
    skip_unreadable: bool,
    console: &Console,
) -> Result<Dataset, Failure> {
    let counter = Counter::items(console, "decoding", samples.len() as u64, "images");
    let options = DatasetOptions { height, width, skip_unreadable, ..DatasetOptions::default() };
    let dataset = Dataset::load_with(samples, classes.to_vec(), &options, |done, _| {
        counter.set(done as u64);
        interrupt::check()
    })
    .map_err(|error| if skip_unreadable { error } else { or_skip(error) })?;
    drop(counter);
    for skipped in dataset.skipped() {
        console.warn(&format!("skipped: {}", format::clean(&skipped.reason)));
    }
    Ok(dataset)
}

/// Tells of `--skip-unreadable` in an error about an image.
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

//! What fuzzing calls: the program's readers of files from unknown sources, content in, result or error out.
//!
//! The fuzz targets in `tests/fuzz` and the tests that replay what they found call these functions. Images
//! and models are read by `nn-core`, manifests and archives by `nn-photographs`: their targets call those.

use crate::labels;
use nn_core::Result;
use nn_core::data::split_file;
use nn_core::data::{ImageFolder, Split};
use nn_study::config::RunConfig;
use std::path::Path;

/// Reads the content of a `config.toml`, checks it as training does, and returns what a run would
/// record of it.
///
/// # Errors
/// If it is no configuration, or a setting is out of range: the message for the user.
pub fn config(text: &str) -> std::result::Result<String, String> {
    let config = RunConfig::parse(text).map_err(|problem| problem.to_string())?;
    config.check().and_then(|()| config.to_toml()).map_err(|failure| failure.to_string())
}

/// Divides the images of `folder` as a `split.csv` says; returns also how many it leaves out.
///
/// # Errors
/// If the table cannot be read, or is not one of this folder.
pub fn split(table: &[u8], folder: &ImageFolder) -> Result<(Split, usize)> {
    split_file::divide(table, Path::new("split.csv"), "the folder", folder)
}

/// Labels the images `names` of the folder `photos` as a table says.
///
/// # Errors
/// If the table cannot be read, contradicts itself, or is not one of these images.
pub fn labels(table: &[u8], names: &[&str]) -> Result<ImageFolder> {
    let root = Path::new("photos");
    let images = names.iter().map(|name| root.join(name)).collect();
    let labelled = labels::label(table, None, Path::new("labels.csv"), root, images, Vec::new());
    labelled.map(|labelled| labelled.folder)
}

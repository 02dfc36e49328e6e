//! The readers of files that may come from anybody, each by itself: content in, answer or error out.
//!
//! Fuzzing enters here, and so do the tests that replay what it found (`tests/fuzz`). Images and
//! models have their doors in `nn-core`.

use crate::config::RunConfig;
use crate::labels;
use crate::split_file;
use nn_core::Result;
use nn_core::data::{ImageFolder, Split};
use nn_photographs::{Limits, Manifest};
use std::io::Cursor;
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

/// Reads a manifest of published files and returns how many it lists.
///
/// # Errors
/// If a line is not a checksum and a path.
pub fn manifest(text: &str) -> Result<usize> {
    Manifest::parse(text, Path::new("MANIFEST.sha256")).map(|manifest| manifest.entries().len())
}

/// Reads an archive as `data fetch` does, of which no file may be larger than `file_bytes` and all
/// together not larger than `unpacked_bytes`, and calls `visit` for each file.
///
/// # Errors
/// If it is no archive, damaged, too large, or holds what a published one does not; and whatever
/// `visit` returns.
pub fn archive(
    content: &[u8],
    file_bytes: u64,
    unpacked_bytes: u64,
    visit: &mut dyn FnMut(&str, Vec<u8>) -> Result<()>,
) -> Result<()> {
    let limits = Limits { file_bytes, unpacked_bytes, ..Limits::default() };
    let origin = Path::new("archive");
    nn_photographs::read_archive(Cursor::new(content), origin, &limits, &|_| true, visit)
}

//! Entry points for fuzzing: parsers of files from untrusted sources, from content to result or error.
//!
//! The fuzz targets in `tests/fuzz`, and the tests that replay their findings, call these functions. Images
//! and models are read by `nn-core`, manifests and archives by `nn-photographs`: their fuzz targets call
//! those directly.

use crate::model::settings::Classes;
use crate::model::{beside, classes};
use crate::{labels, npy};
use nn_core::data::split_file;
use nn_core::data::{ImageFolder, Resize, Split};
use nn_core::{Result, Tensor};
use nn_study::Network;
use nn_study::config::RunConfig;
use nn_study::network::{Purpose, to_toml};
use std::path::Path;

/// Parses the content of a `config.toml`, checks it as training does, and returns what a run would record.
///
/// # Errors
/// If it is not a configuration, or a setting is out of range: the message for the user.
pub fn config(text: &str) -> std::result::Result<String, String> {
    let config = RunConfig::parse(text).map_err(|problem| problem.to_string())?;
    config.check().and_then(|()| config.to_toml()).map_err(|failure| failure.to_string())
}

/// Parses a file of `--architecture`, and returns the network as `summary --toml` prints it.
///
/// # Errors
/// If it does not describe a network: the message for the user.
pub fn architecture(text: &str) -> std::result::Result<String, String> {
    let network = Network::parse(text, Path::new("network.toml"));
    let Network::Described(described) = network.map_err(|failure| failure.to_string())? else {
        return Err("a built-in network".into());
    };
    let architecture = described.architecture([32, 32, 3], 2);
    let written = architecture.and_then(|network| to_toml(&network, Purpose::ThisNetwork));
    written.map_err(|failure| failure.to_string())
}

/// Divides the images of `folder` by a `split.csv`; returns also the number of images it leaves out.
///
/// # Errors
/// If the table cannot be read, or does not belong to this folder.
pub fn split(table: &[u8], folder: &ImageFolder) -> Result<(Split, usize)> {
    split_file::divide(table, Path::new("split.csv"), "the folder", folder)
}

/// Labels the images `names` of the folder `photos` by a table.
///
/// # Errors
/// If the table cannot be read, contradicts itself, or does not belong to these images.
pub fn labels(table: &[u8], names: &[&str]) -> Result<ImageFolder> {
    let root = Path::new("photos");
    let images = names.iter().map(|name| root.join(name)).collect();
    let labelled = labels::label(
        table,
        labels::Asked::default(),
        Path::new("labels.csv"),
        root,
        images,
        Vec::new(),
    );
    labelled.map(|labelled| labelled.folder)
}

/// Reads an array of NumPy.
///
/// # Errors
/// If it is none, or not one of `f32` in rows.
pub fn npy(path: &Path) -> Result<Tensor> {
    npy::read(path)
}

/// The content of a file that [`npy`] reads.
pub fn npy_of(tensor: &Tensor) -> Vec<u8> {
    npy::encode(tensor)
}

/// What the files beside a model say: how pixels are scaled, how images get their size, and how many classes have
/// names.
///
/// # Errors
/// If one cannot be understood, or they contradict each other: the message for the user.
pub fn beside(model: &Path) -> std::result::Result<(String, String, usize), String> {
    let settings = beside::read(model, false).map_err(|failure| failure.to_string())?;
    let pixels = settings.preprocessing();
    let pixels = pixels.map_or("none".to_string(), |(preprocessing, _)| preprocessing.to_string());
    let (resize, _) = settings.resize(Resize::default()).map_err(|failure| failure.to_string())?;
    let names = match settings.classes.map(|said| said.value) {
        Some(Classes::Names(names)) => names.len(),
        Some(Classes::File(_)) | None => 0,
    };
    Ok((pixels, resize.to_string(), names))
}

/// The names of classes, each made different from all others.
pub fn told_apart(names: Vec<String>) -> Vec<String> {
    classes::told_apart(names)
}

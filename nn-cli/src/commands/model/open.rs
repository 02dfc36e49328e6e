//! Opens model files of every kind.

use super::{classes, preprocessing};
use crate::failure::Failure;
use crate::hints;
use nn_core::Error;
use nn_core::data::{Channels, ResizeMode};
use nn_core::model::{self, ModelFile, Preprocessing, Sequential};
use nn_onnx::ReadOptions;
use nn_study::run_folder::MODEL_FILE;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The content of a model file of any kind.
pub struct Opened {
    pub model: Sequential,
    /// The classes' names, if the file says them.
    pub classes: Option<Vec<String>>,
    /// Additional metadata of our own files.
    pub notes: BTreeMap<String, String>,
    /// The file that was opened.
    pub path: PathBuf,
    /// What an ONNX file says more.
    pub onnx: Option<Onnx>,
}

/// What an ONNX file says beside the network.
pub struct Onnx {
    /// The layer of each node and value of the file.
    pub layers: BTreeMap<String, String>,
    /// What was found and done while reading, in sentences.
    pub notes: Vec<String>,
    /// What its metadata says about pixels.
    pub preprocessing: Option<(Preprocessing, ResizeMode)>,
}

/// Opens the model at `path`: a file, or a run folder that holds one. `architecture` names the network of weights
/// of torchvision or timm.
///
/// # Errors
/// If there is no model, it cannot be read, or it takes no images.
pub fn open(
    path: &Path,
    architecture: Option<&str>,
    image_size: Option<usize>,
) -> Result<Opened, Failure> {
    let path = located(path)?;
    let opened = match (is_onnx(&path), architecture) {
        (true, Some(network)) => {
            return Err(Failure::usage(format!(
                "--architecture {network}: {} is an ONNX file, which says its network itself; leave the option \
                 away",
                path.display()
            )));
        }
        (true, None) => open_onnx(path, image_size)?,
        (false, Some(network)) => ours(model::load_as(&path, network, image_size)?, path),
        (false, None) => ours(model::load(&path, image_size)?, path),
    };
    match channels(&opened.model) {
        Some(_) => Ok(opened),
        None => Err(Error::file(
            &opened.path,
            format!(
                "is a model of inputs {:?}, not of images [height, width, 3] in colour or [height, width, 1] \
                 in grey",
                opened.model.input_shape().dims()
            ),
            "use a classifier of images",
        )
        .into()),
    }
}

/// The channels in which a model takes images; `None` if its inputs are no images.
pub fn channels(model: &Sequential) -> Option<Channels> {
    match model.input_shape().dims() {
        [_, _, channels] => Channels::from_count(*channels),
        _ => None,
    }
}

/// The number of classes that a model tells apart.
pub fn class_count(model: &Sequential) -> usize {
    match model.output_shape().dims() {
        [1] => 2,
        dims => dims.iter().product(),
    }
}

fn ours(file: ModelFile, path: PathBuf) -> Opened {
    let ModelFile { model, classes, notes } = file;
    Opened { model, classes, notes, path, onnx: None }
}

fn open_onnx(path: PathBuf, image_size: Option<usize>) -> Result<Opened, Failure> {
    let input_size = image_size.map(|size| (size, size));
    let options = ReadOptions { input_size, ..ReadOptions::default() };
    let imported = nn_onnx::read_with(&path, &options).map_err(|error| match error {
        Error::File { path, problem, remedy } if remedy.contains("input size") => {
            Error::File { path, problem, remedy: format!("{remedy}: --image-size 224") }
        }
        other => other,
    })?;
    let notes = imported.notes();
    let metadata = imported.report.metadata;
    let classes = classes::in_metadata(&metadata, class_count(&imported.model));
    let preprocessing = preprocessing::in_metadata(&metadata, &path)?;
    let onnx = Onnx { layers: imported.layers, notes, preprocessing };
    Ok(Opened { model: imported.model, classes, notes: BTreeMap::new(), path, onnx: Some(onnx) })
}

/// Whether a file is an ONNX model, by its ending or its first bytes.
fn is_onnx(path: &Path) -> bool {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx")) {
        return true;
    }
    let mut first = [0; 9];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut first));
    // A message of protobuf: its first field is the version of the format, the next has a text, the graph or
    // an operator set. A safetensors file has its header's `{` there.
    let [0x08, 1..=31, next, .., last] = first else { return false };
    read.is_ok() && [0x12, 0x1a, 0x22, 0x32, 0x3a, 0x42].contains(&next) && last != b'{'
}

/// The file that holds the model at `path`, a file or a run folder.
///
/// # Errors
/// If there is none, or it was written by another program.
pub fn located(path: &Path) -> Result<PathBuf, Failure> {
    let shown = path.display();
    if path.is_dir() {
        let file = path.join(MODEL_FILE);
        let advice = || hints::folder_without_model(path);
        return match file.exists() {
            true => Ok(file),
            false => Err(Failure::usage(format!(
                "{shown}: no {MODEL_FILE} in this folder; {}",
                advice()
            ))),
        };
    }
    if !path.exists() {
        return Err(Failure::usage(format!("there is no model {shown}; {}", hints::model(path))));
    }
    match hints::other_model(path) {
        Some(what) => Err(Failure::usage(format!("{shown} {what}"))),
        None => Ok(path.to_path_buf()),
    }
}

//! Opens model files of every kind.

use super::settings::{Pixels, Said, Settings};
use super::{beside, classes};
use crate::failure::Failure;
use crate::hints;
use nn_core::Error;
use nn_core::data::{AlphaBackground, Channels, Resampling, Resize, ResizeMode};
use nn_core::model::safetensors::TensorFile;
use nn_core::model::{self, ModelFile, Preprocessing, Sequential};
use nn_onnx::ReadOptions;
use nn_study::run_folder::{ALPHA_BACKGROUND_NOTE, MODEL_FILE, RESIZE_NOTE};
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
    /// What a file beside the model says, and the metadata of an ONNX file.
    pub said: Settings,
    /// How images are resized unless something else is said.
    pub resize: Resize,
    /// Whether these are weights as torchvision or timm publish them.
    pub is_published: bool,
}

/// What an ONNX file says beside the network.
pub struct Onnx {
    /// The layer of each node and value of the file.
    pub layers: BTreeMap<String, String>,
    /// What was found and done while reading, in sentences.
    pub notes: Vec<String>,
}

/// Opens the model at `path`: a file, or a run folder that holds one. `architecture` names the network of weights
/// of torchvision or timm; `input_size` is a height and width.
///
/// # Errors
/// If there is no model, it cannot be read, or it takes no images; if a file beside it cannot be understood.
pub fn open(
    path: &Path,
    architecture: Option<&str>,
    input_size: Option<(usize, usize)>,
) -> Result<Opened, Failure> {
    let path = located(path)?;
    let is_onnx = is_onnx(&path);
    if let (true, Some(network)) = (is_onnx, architecture) {
        return Err(Failure::usage(format!(
            "--architecture {network}: {} is an ONNX file, which says its network itself; leave the option \
             away",
            path.display()
        )));
    }
    let is_ours = !is_onnx && is_ours(&path);
    let said = beside::read(&path, is_ours)?;
    let size = input_size.or(said.input_size.as_ref().map(|size| size.value));
    let opened = match is_onnx {
        true => open_onnx(path, size, said)?,
        false => {
            let size = size.or(said.usual_size).map(|size| square(size, &path)).transpose()?;
            let file = match architecture {
                Some(network) => model::load_as(&path, network, size)?,
                None => model::load(&path, size)?,
            };
            ours(file, path, said, !is_ours)?
        }
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

/// Whether the model at `path`, a file or a run folder, says which network it is: an ONNX file or one of ours.
///
/// # Errors
/// If there is no model.
pub fn says_its_network(path: &Path) -> Result<bool, Failure> {
    let path = located(path)?;
    Ok(is_onnx(&path) || is_ours(&path))
}

/// Whether the model at `path`, a file or a run folder, is one of ours, which say the size of their images.
pub fn says_its_size(path: &Path) -> bool {
    located(path).is_ok_and(|path| !is_onnx(&path) && is_ours(&path))
}

/// Whether a safetensors file says its network, as ours do.
fn is_ours(path: &Path) -> bool {
    // Whatever is wrong with it is told when it is opened.
    TensorFile::open(path).is_ok_and(|file| file.metadata("nn.architecture").is_some())
}

/// The side of a square.
fn square((height, width): (usize, usize), path: &Path) -> Result<usize, Failure> {
    match height == width {
        true => Ok(height),
        false => Err(Failure::usage(format!(
            "the input size {height}x{width}: {} takes squares; give one number of pixels",
            path.display()
        ))),
    }
}

impl Opened {
    /// The colour that transparent images were laid on in training, if the file says it.
    ///
    /// # Errors
    /// If it is no colour.
    pub fn alpha_background(&self) -> Result<Option<AlphaBackground>, Failure> {
        Ok(self.notes.get(ALPHA_BACKGROUND_NOTE).map(|text| text.parse()).transpose()?)
    }
}

/// Height and width of the images that a model takes; 0 if it takes none.
pub fn image_size(model: &Sequential) -> (usize, usize) {
    match model.input_shape().dims() {
        [height, width, ..] => (*height, *width),
        _ => (0, 0),
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

fn ours(
    file: ModelFile,
    path: PathBuf,
    said: Settings,
    is_foreign: bool,
) -> Result<Opened, Failure> {
    let ModelFile { model, classes, notes } = file;
    let is_published = is_foreign && model.front().next().is_some();
    let resize = match notes.get(RESIZE_NOTE) {
        Some(text) => text.parse()?,
        None if is_published => {
            let is_bicubic = model.name().contains("efficientnet");
            let resampling = if is_bicubic { Resampling::Bicubic } else { Resampling::Bilinear };
            Resize::from(ResizeMode::Crop).resampling(resampling)
        }
        None => Resize::default(),
    };
    Ok(Opened { model, classes, notes, path, onnx: None, said, resize, is_published })
}

fn open_onnx(
    path: PathBuf,
    input_size: Option<(usize, usize)>,
    said: Settings,
) -> Result<Opened, Failure> {
    let read = |input_size| {
        let options = ReadOptions { input_size, ..ReadOptions::default() };
        nn_onnx::read_with(&path, &options)
    };
    let takes_any = |error: &Error| matches!(error, Error::File { remedy, .. } if remedy.contains("input size"));
    let imported = match read(input_size) {
        Err(error) if takes_any(&error) && said.usual_size.is_some() => read(said.usual_size),
        read => read,
    };
    let imported = imported.map_err(|error| match error {
        Error::File { path, problem, remedy } if remedy.contains("input size") => {
            Error::File { path, problem, remedy: format!("{remedy}: --input-size 224") }
        }
        other => other,
    })?;
    let notes = imported.notes();
    let classes = imported.class_names.map(classes::told_apart);
    let said = said.or(in_metadata(imported.preprocessing, imported.resize));
    let onnx = Some(Onnx { layers: imported.layers, notes });
    let (notes, resize) = (BTreeMap::new(), Resize::default());
    Ok(Opened {
        model: imported.model,
        classes,
        notes,
        path,
        onnx,
        said,
        resize,
        is_published: false,
    })
}

/// What an ONNX file's metadata says about pixels.
fn in_metadata(preprocessing: Option<Preprocessing>, resize: Option<Resize>) -> Settings {
    const BY: &str = "its metadata";
    let pixels = preprocessing.map(|preprocessing| {
        let resize = resize.unwrap_or_default();
        Said::new(Pixels { preprocessing, resize }, BY)
    });
    let resize = resize.map(|resize| Settings::of_resize(resize, BY)).unwrap_or_default();
    Settings { pixels, ..resize }
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

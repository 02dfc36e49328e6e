//! Loads trained models for the commands that use one.

use crate::args::ModelArgs;
use crate::failure::Failure;
use crate::hints;
use nn_core::Error;
use nn_core::data::{AlphaBackground, Channels, Treated};
use nn_core::model::{self, ModelFile, Sequential};
use nn_study::images::Reading;
use nn_study::run_folder::{ALPHA_BACKGROUND_NOTE, MODEL_FILE};
use std::path::{Path, PathBuf};

/// The image size of a model for which it is not known.
pub const DEFAULT_IMAGE_SIZE: usize = 256;

/// Loads the model at `path`: a file, or a run folder that holds one. `architecture` names the network of weights
/// of torchvision or timm.
///
/// # Errors
/// If there is no model, or it is not an image classifier.
pub fn load(
    path: &Path,
    architecture: Option<&str>,
    image_size: Option<usize>,
) -> Result<ModelFile, Failure> {
    let path = located(path)?;
    let file = match architecture {
        Some(network) => model::load_as(&path, network, image_size)?,
        None => model::load(&path, image_size)?,
    };
    match channels(&file.model) {
        Some(_) => Ok(file),
        None => Err(Error::file(
            &path,
            format!(
                "is a model of inputs {:?}, not of images [height, width, 3] in colour or [height, width, 1] \
                 in grey",
                file.model.input_shape().dims()
            ),
            "use a model that `nn-cli train` wrote",
        )
        .into()),
    }
}

/// The channels in which a model takes images; `None` if its inputs are no images.
fn channels(model: &Sequential) -> Option<Channels> {
    match model.input_shape().dims() {
        [_, _, channels] => Channels::from_count(*channels),
        _ => None,
    }
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

/// A trained model with the names of its classes.
pub struct Classifier {
    pub model: Sequential,
    pub classes: Vec<String>,
    pub path: PathBuf,
    /// The colour that transparent images are composited onto: the requested one, or that of the training.
    pub alpha_background: AlphaBackground,
}

impl Classifier {
    /// Loads the model. If its file does not name the classes, they are `known`, or else their indices.
    ///
    /// # Errors
    /// If the file cannot be read, or one of the `known` classes is not among those in the file.
    pub fn load(args: &ModelArgs, known: Option<&[String]>) -> Result<Self, Failure> {
        let file = load(&args.model, args.architecture.as_deref(), args.image_size)?;
        let outputs = match file.model.output_shape().dims() {
            [1] => 2,
            dims => dims.iter().product(),
        };
        let classes = match (&file.classes, known) {
            (Some(classes), _) => classes.clone(),
            (None, Some(known)) => known.to_vec(),
            (None, None) => (0..outputs).map(|class| class.to_string()).collect(),
        };
        let fits = classes.len() == outputs
            && known.is_none_or(|known| known.iter().all(|class| classes.contains(class)));
        if fits {
            let noted =
                file.notes.get(ALPHA_BACKGROUND_NOTE).map(|text| text.parse()).transpose()?;
            let alpha_background = args.alpha_background.or(noted).unwrap_or_default();
            let path = args.model.clone();
            return Ok(Self { model: file.model, classes, path, alpha_background });
        }
        let told = match file.classes {
            Some(classes) => format!("the classes {}", hints::some_of(&classes)),
            None => format!("{outputs} classes"),
        };
        let unknown = known.unwrap_or(&[]).iter().filter(|class| !classes.contains(class));
        let unknown: Vec<String> = unknown.cloned().collect();
        let images = match unknown.is_empty() {
            true => format!("the images are of {}", hints::some_of(known.unwrap_or(&[]))),
            false => format!(
                "the images are of {}: it does not know {}",
                hints::some_of(known.unwrap_or(&[])),
                hints::some_of(&unknown)
            ),
        };
        Err(Error::file(
            &args.model,
            format!("the model tells apart {told}, {images}"),
            "use images of the same classes, in folders of the same names",
        )
        .into())
    }

    /// How images are decoded for this model.
    pub fn reading(&self, skip_unreadable: bool) -> Reading {
        Reading {
            size: self.image_size(),
            channels: channels(&self.model).unwrap_or_default(),
            alpha_background: self.alpha_background,
            skip_unreadable,
        }
    }

    /// Counters, all 0, of what is changed in images when they are read for this model.
    pub fn treated(&self) -> Treated {
        Treated::on(self.alpha_background)
    }

    /// Height and width of the model's input.
    pub fn image_size(&self) -> (usize, usize) {
        match self.model.input_shape().dims() {
            [height, width, ..] => (*height, *width),
            _ => (0, 0),
        }
    }
}

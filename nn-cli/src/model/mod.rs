//! Loads trained models for the commands that use one.

pub mod beside;
pub mod classes;
mod hub;
mod json;
mod open;
pub mod preprocessing;
pub mod settings;

pub use open::{
    Opened, channels, class_count, image_size, located, open, says_its_network, says_its_size,
};

use self::preprocessing::Prepared;
use self::settings::{Classes, Said, Settings};
use crate::args::{ElsewhereArgs, ModelArgs};
use crate::failure::Failure;
use crate::hints;
use crate::ui::Console;
use nn_core::Error;
use nn_core::data::{AlphaBackground, Resize, Treated};
use nn_core::model::Sequential;
use nn_study::images::Reading;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The image size of a model for which it is not known.
pub const DEFAULT_IMAGE_SIZE: usize = 256;

/// A trained model with the names of its classes.
pub struct Classifier {
    /// Takes pixels from 0 to 255; with [`Classifier::of_tensors`], what comes after preprocessing.
    pub model: Sequential,
    pub classes: Vec<String>,
    pub path: PathBuf,
    /// The colour that transparent images are composited onto: the requested one, or that of the training.
    pub alpha_background: AlphaBackground,
    /// How images of another shape are resized.
    pub resize: Resize,
    /// The layer of each node and value of an ONNX file.
    layers: BTreeMap<String, String>,
}

impl Classifier {
    /// Loads a model that is to look at images. If its file does not name the classes, they are `known`, or else
    /// their indices. Tells what preprocessing a file of another program gets.
    ///
    /// # Errors
    /// If the file cannot be read, one of the `known` classes is not among those in the file, or it is not known how
    /// the network takes pixels.
    pub fn load(
        args: &ModelArgs,
        known: Option<&[String]>,
        console: &Console,
    ) -> Result<Self, Failure> {
        let (opened, settings) = opened(&args.model, &args.elsewhere, console)?;
        let Prepared { model, resize, told, .. } = Prepared::of(&opened, &settings)?;
        if let Some(told) = told {
            console.note(&told);
        }
        let is_named = opened.classes.is_some() || settings.classes.is_some();
        if opened.onnx.is_some() && !is_named && known.is_some() {
            console.note(
                "classes: the folders' names in alphabetical order, as the file names none; say another order \
                 with --classes",
            );
        }
        if let Some(said) = settings.classes.as_ref().filter(|said| said.by != "--classes") {
            console.note(&format!("classes: as {} names them", said.by));
        }
        Self::new(opened, model, (resize, &settings), args, known)
    }

    /// Loads a model for tensors that are preprocessed already: the layers in front that do so are taken off. Tells
    /// which.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of_tensors(args: &ModelArgs, console: &Console) -> Result<Self, Failure> {
        let (opened, settings) = opened(&args.model, &args.elsewhere, console)?;
        let mut model = opened.model.clone();
        // Those of an ONNX file are part of what was exported.
        let front: Vec<_> = model.front().collect();
        if opened.onnx.is_none() && !front.is_empty() {
            console.note(&format!("the tensor goes in behind {}", front.join(" and ")));
            model = model.without_front();
        }
        Self::new(opened, model, (Resize::default(), &settings), args, None)
    }

    fn new(
        opened: Opened,
        model: Sequential,
        (resize, settings): (Resize, &Settings),
        args: &ModelArgs,
        known: Option<&[String]>,
    ) -> Result<Self, Failure> {
        let outputs = open::class_count(&model);
        let named = class_names(&opened, settings)?;
        let classes = match (&named, known) {
            (Some(classes), _) => classes.clone(),
            (None, Some(known)) => known.to_vec(),
            (None, None) => (0..outputs).map(|class| class.to_string()).collect(),
        };
        let fits = classes.len() == outputs
            && known.is_none_or(|known| known.iter().all(|class| classes.contains(class)));
        if fits {
            let noted = opened.alpha_background()?;
            let alpha_background = args.alpha_background.or(noted).unwrap_or_default();
            let layers = opened.onnx.map(|onnx| onnx.layers).unwrap_or_default();
            let path = args.model.clone();
            return Ok(Self { model, classes, path, alpha_background, resize, layers });
        }
        let told = match named {
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
            channels: open::channels(&self.model).unwrap_or_default(),
            resize: self.resize,
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
        image_size(&self.model)
    }

    /// The layer of this name, or that of a node or value of this name of the ONNX file.
    pub fn layer<'a>(&'a self, name: &'a str) -> &'a str {
        let is_own = self.model.layers().any(|(layer, _)| layer == name);
        let meant = self.layers.get(name).filter(|_| !is_own);
        meant.map_or(name, String::as_str)
    }
}

/// Opens a model, and says how images are brought to it as far as the command line, a file beside the model or its own
/// file do.
pub fn opened(
    model: &Path,
    elsewhere: &ElsewhereArgs,
    console: &Console,
) -> Result<(Opened, Settings), Failure> {
    let asked = Settings::of_args(elsewhere)?;
    let size = asked.input_size.as_ref().map(|size| size.value);
    let opened = open(model, elsewhere.architecture.as_deref(), size)?;
    let settings = asked.or(opened.said.clone());
    settings.warnings.iter().for_each(|warning| console.warn(warning));
    Ok((opened, settings))
}

/// The names of a model's classes, as the settings or else its own file say.
///
/// # Errors
/// If the settings name more or fewer than it has, or their file cannot be read.
pub fn class_names(opened: &Opened, settings: &Settings) -> Result<Option<Vec<String>>, Failure> {
    let outputs = class_count(&opened.model);
    match &settings.classes {
        None => Ok(opened.classes.clone()),
        Some(Said { value: Classes::File(path), .. }) => classes::read(path, outputs).map(Some),
        Some(Said { value: Classes::Names(names), by }) => {
            classes::checked(names.clone(), outputs, by).map(Some)
        }
    }
}

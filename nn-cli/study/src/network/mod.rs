//! The network of a run: a built-in one by its name, or one that a file describes.
//!
//! `description` is what such a file says, `read` reads it, `build` makes an architecture of it, and
//! `write` writes an architecture as such a file.

mod build;
mod description;
mod read;
mod write;

pub use description::Description;
pub use write::{Purpose, to_toml};

use crate::StudyError;
use crate::similar::did_you_mean;
use nn_core::Error;
use nn_core::data::Channels;
use nn_core::files::read_limited;
use nn_core::layers::{LayerKinds, OutputKind};
use nn_core::loss::Loss;
use nn_core::model::{ReferenceCnn, Sequential, networks};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::path::Path;

/// The largest file of an architecture that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The largest image size that is accepted; larger ones are probably a mistake. At this size the reference's
/// weights, their gradients and Adam's moments take 2 GB, and the activations of a batch of four images more.
const MAX_IMAGE_SIZE: usize = 1024;

/// The name of the network that is trained unless another one is asked for.
const REFERENCE: &str = "reference";

/// The network of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Network {
    /// A built-in network, by its name.
    BuiltIn(String),
    /// A network that a file describes.
    Described(Box<Description>),
}

impl Default for Network {
    fn default() -> Self {
        Self::BuiltIn(REFERENCE.into())
    }
}

/// The names of the built-in networks.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    networks::NAMES.into_iter().map(|(name, _)| name)
}

impl Network {
    /// The network `typed` by a user: the name of a built-in one, or a file.
    ///
    /// # Errors
    /// If there is no such name or file, or the file does not describe a network.
    pub fn find(typed: &str) -> Result<Self, StudyError> {
        if built_in().any(|name| name == typed) {
            return Ok(Self::BuiltIn(typed.into()));
        }
        let path = Path::new(typed);
        if path.is_file() {
            return Self::read(path);
        }
        let known: Vec<_> = built_in().collect();
        let meant = did_you_mean(typed, known.iter().copied());
        let problem = match path.is_dir() {
            true => "is a folder, not a file that describes a network".to_string(),
            false => {
                format!(
                    "is no file, and no built-in network; there are {}{meant}",
                    known.join(", ")
                )
            }
        };
        Err(StudyError::invalid(format!("--architecture {typed} {problem}")))
    }

    /// Reads a file that describes a network.
    ///
    /// # Errors
    /// If it cannot be read, is too large, or does not describe a network.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let remedy = "pass a TOML file with [[layers]], as `nn-cli summary --toml` prints it";
        let text = read_limited(path, MAX_FILE_BYTES, remedy)?;
        let text = String::from_utf8(text).map_err(|_| {
            Error::file(path, "is not text, so it does not describe a network", remedy)
        })?;
        Self::parse(&text, path)
    }

    /// Parses the content of the file at `path`.
    ///
    /// # Errors
    /// If it does not describe a network.
    pub fn parse(text: &str, path: &Path) -> Result<Self, StudyError> {
        let description = read::description(text, path)?;
        description.check()?;
        Ok(Self::Described(Box::new(description)))
    }

    /// Whether it is the network that is trained unless another one is asked for.
    pub fn is_reference(&self) -> bool {
        *self == Self::default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn(name) => name,
            Self::Described(description) => description.name(),
        }
    }

    /// The shape of its input, if the file says so: `[height, width, channels]`.
    pub fn fixed_input(&self) -> Option<[usize; 3]> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Described(description) => description.input,
        }
    }

    /// The shape of its input, `[height, width, channels]`: that of its file, or else this size and these
    /// channels.
    pub fn input(&self, size: usize, channels: Channels) -> [usize; 3] {
        self.fixed_input().unwrap_or([size, size, channels.count()])
    }

    /// The loss that its output asks for, with images of classes.
    ///
    /// # Errors
    /// If the file that describes it is wrong.
    pub fn loss(&self) -> Result<Loss, StudyError> {
        Ok(match self {
            Self::BuiltIn(_) => Loss::CategoricalCrossentropy,
            Self::Described(description) => {
                loss_for(description.architecture([1, 1, 1], 2)?.output)
            }
        })
    }

    /// The smallest image that it may be asked to work on, in pixels; whether its layers can is seen
    /// when it is built.
    pub fn smallest_image(&self) -> usize {
        if self.is_reference() { ReferenceCnn::SMALLEST_IMAGE } else { 1 }
    }

    /// Checks an image size.
    ///
    /// # Errors
    /// If it is out of range.
    pub fn check_image_size(&self, size: usize) -> Result<(), StudyError> {
        let smallest = self.smallest_image();
        if (smallest..=MAX_IMAGE_SIZE).contains(&size) {
            return Ok(());
        }
        Err(Error::setting(
            "'--image-size <PIXELS>': the image size",
            format!("from {smallest} to {MAX_IMAGE_SIZE} for the network {}", self.name()),
            format!("'{size}'"),
            "256 is the reference's",
        )
        .into())
    }

    /// The network, with parameters drawn from `seed`.
    ///
    /// # Errors
    /// If it does not accept such images, or the file that describes it is wrong.
    pub fn build(
        &self,
        input: [usize; 3],
        classes: usize,
        seed: u64,
    ) -> Result<Sequential, StudyError> {
        match self {
            Self::BuiltIn(name) => networks::graph(name, input, classes)
                .and_then(|(graph, output)| graph.build(output, seed))
                .map_err(StudyError::invalid),
            Self::Described(description) => description
                .architecture(input, classes)?
                .graph(&LayerKinds::built_in())
                .and_then(|(graph, output)| graph.build(output, seed))
                .map_err(|error| description.misfit(error)),
        }
    }

    /// The network as a classifier of these classes, with parameters drawn from `seed`.
    ///
    /// # Errors
    /// Those of [`Network::build`]; if its outputs are not one per class.
    pub fn classifier(
        &self,
        input: [usize; 3],
        classes: usize,
        seed: u64,
    ) -> Result<Sequential, StudyError> {
        if classes < 2 {
            let remedy = "a classifier needs something to tell apart";
            let error = Error::setting("the number of classes", "2 or more", classes, remedy);
            return Err(StudyError::invalid(error));
        }
        let model = self.build(input, classes, seed)?;
        match self {
            Self::BuiltIn(_) => {}
            Self::Described(description) => description.check_classes(&model, classes)?,
        }
        Ok(model)
    }
}

/// The loss of a classifier with this output kind: plain numbers are taken as logits.
pub fn loss_for(output: OutputKind) -> Loss {
    match output {
        OutputKind::Sigmoid => Loss::BinaryCrossentropy,
        _ => Loss::CategoricalCrossentropy,
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Network;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a network, or a table with its layers")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Network, E> {
                if built_in().any(|known| known == name) {
                    return Ok(Network::BuiltIn(name.into()));
                }
                let known: Vec<_> = built_in().collect();
                let known = known.join(", ");
                Err(E::custom(format!("there is no network {name}; there are {known}")))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Network, A::Error> {
                let description = Description::deserialize(MapAccessDeserializer::new(map))?;
                description.check().map_err(de::Error::custom)?;
                Ok(Network::Described(Box::new(description)))
            }
        }

        from.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests;

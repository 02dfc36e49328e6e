//! What a file says about a network.

use crate::StudyError;
use nn_core::Error;
use nn_core::layers::OutputKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;

/// The word for the number of classes in place of a number.
pub const CLASSES: &str = "classes";

/// A network as a file describes it: its layers with the settings that were given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The network's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Height, width and channels of its images; by default those of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<[usize; 3]>,
    /// The output kind; by default softmax, or what the last layer ends in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputKind>,
    /// The layers whose values are outputs, the main one first; by default the last layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Vec<String>>,
    /// Its layers, in the order in which they are computed.
    pub layers: Vec<LayerEntry>,
    /// Where it was read.
    #[serde(skip)]
    pub origin: Origin,
}

/// A layer as a file describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerEntry {
    /// Its name; by default that of its kind with a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its kind.
    pub kind: String,
    /// The names of what it takes; by default the layer before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Vec<String>>,
    /// Its other settings.
    #[serde(flatten)]
    pub settings: BTreeMap<String, serde_json::Value>,
}

/// The file and the lines in which a description stood, for messages. Two descriptions are the same
/// wherever they were read.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The file; none in a run's settings.
    pub path: Option<PathBuf>,
    /// The line of each key at the top.
    pub top: BTreeMap<String, usize>,
    /// The line in which each layer begins, and those of its keys.
    pub layers: Vec<(usize, BTreeMap<String, usize>)>,
}

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A place in a description.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// A key at the top.
    Top(&'a str),
    /// A layer, by its index and its name in messages.
    Layer(usize, &'a str),
    /// A key of a layer.
    Key(usize, &'a str, &'a str),
}

impl Origin {
    /// The error about what is wrong in a place.
    pub fn refuse(&self, place: Place<'_>, problem: impl Display, remedy: &str) -> StudyError {
        let (line, layer) = match place {
            Place::Top(key) => (self.top.get(key), None),
            Place::Layer(i, name) => (self.layers.get(i).map(|layer| &layer.0), Some(name)),
            Place::Key(i, name, key) => {
                let line = self.layers.get(i).map(|(first, keys)| keys.get(key).unwrap_or(first));
                (line, Some(name))
            }
        };
        let line = line.map(|line| format!("line {line}, "));
        let line = line.unwrap_or_default();
        let layer = layer.map(|layer| format!("layer {layer}: ")).unwrap_or_default();
        let problem = format!("{line}{layer}{problem}");
        match &self.path {
            Some(path) => Error::file(path, problem, remedy).into(),
            None => {
                StudyError::invalid(format!("the network of these settings: {problem}; {remedy}"))
            }
        }
    }
}

impl Description {
    /// The network's name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("network")
    }
}

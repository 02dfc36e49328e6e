//! Makes an architecture of a description. What is wrong is told with its line and key.

use super::description::{CLASSES, Description, LayerEntry, Place};
use crate::StudyError;
use crate::similar::did_you_mean;
use nn_core::Error;
use nn_core::layers::{Layer, LayerConfig, LayerKinds, OutputKind};
use nn_core::model::{Architecture, LayerNames, NamedLayer, Sequential};
use std::collections::HashSet;
use std::sync::Arc;

/// The name of the model's input.
const INPUT: &str = "input";

/// The number of classes with which a description is checked before the real one is known.
const SOME_CLASSES: usize = 2;

impl Description {
    /// Checks all that does not depend on the images: kinds, settings, names and connections.
    ///
    /// # Errors
    /// If something is wrong, with its line and key.
    pub(super) fn check(&self) -> Result<(), StudyError> {
        self.architecture([1, 1, 1], SOME_CLASSES).map(drop)
    }

    /// The architecture for images `[height, width, channels]`, unless the description says which, and
    /// this number of classes.
    ///
    /// # Errors
    /// If something is wrong, with its line and key.
    pub fn architecture(
        &self,
        input: [usize; 3],
        classes: usize,
    ) -> Result<Architecture, StudyError> {
        if self.layers.is_empty() {
            let remedy = "`nn-cli summary --toml` prints an example";
            return Err(self.origin.refuse(Place::Top("layers"), "there are no layers", remedy));
        }
        let kinds = LayerKinds::<f32>::built_in();
        let made = (0..self.layers.len()).map(|i| self.layer(i, classes, &kinds));
        let made: Vec<(LayerConfig, Arc<dyn Layer<f32>>)> = made.collect::<Result<_, _>>()?;
        let names = self.names(made.iter().map(|(_, layer)| layer.name_prefix()))?;
        self.check_connections(&names)?;
        let layers = names.into_iter().zip(&self.layers).zip(made);
        let layers = layers.map(|((name, entry), (layer, _))| {
            let inputs = entry.inputs.clone();
            NamedLayer { name, layer, inputs }
        });
        let mut architecture = Architecture {
            name: self.name().into(),
            input: self.input.unwrap_or(input).into(),
            layers: layers.collect(),
            outputs: self.outputs.clone(),
            output: OutputKind::Softmax,
        };
        if let Err(error) = architecture.take_output(self.output, &kinds) {
            return Err(self.wrong_output(&architecture, error));
        }
        Ok(architecture)
    }

    /// The layer of an entry.
    fn layer(
        &self,
        i: usize,
        classes: usize,
        kinds: &LayerKinds,
    ) -> Result<(LayerConfig, Arc<dyn Layer<f32>>), StudyError> {
        let entry = &self.layers[i];
        let shown = self.shown(i);
        let Some(known) = kinds.settings(&entry.kind) else {
            let all: Vec<_> = kinds.names().collect();
            let meant = did_you_mean(&entry.kind, all.iter().copied());
            let problem = format!("there is no kind {:?}{meant}", entry.kind);
            let remedy = format!("the kinds are {}", all.join(", "));
            return Err(self.origin.refuse(Place::Key(i, &shown, "kind"), problem, &remedy));
        };
        let mut keys = entry.settings.keys();
        if let Some(key) = keys.find(|key| !known.contains(&key.as_str())) {
            let all: Vec<_> = ["name", "kind", "inputs"].iter().chain(known).copied().collect();
            let meant = did_you_mean(key, all.iter().copied());
            let problem = format!("unknown key {key}, expected one of {}{meant}", all.join(", "));
            let remedy = "correct it, or leave it out";
            return Err(self.origin.refuse(Place::Key(i, &shown, key), problem, remedy));
        }
        let config = entry.config(classes);
        match kinds.layer(config.clone()) {
            Ok(layer) => Ok((layer.config().unwrap_or(config), layer)),
            Err(error) => {
                let (key, problem) = culprit(&config, &error, kinds);
                let place = match key {
                    Some(key) => Place::Key(i, &shown, key),
                    None => Place::Layer(i, &shown),
                };
                let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
                let remedy = format!("the settings of {} are {}", entry.kind, known.join(", "));
                Err(self.origin.refuse(place, format!("{key}{problem}"), &remedy))
            }
        }
    }

    /// The layer in messages: `stem (Conv2D)`, or its number.
    fn shown(&self, i: usize) -> String {
        let LayerEntry { name, kind, .. } = &self.layers[i];
        match name {
            Some(name) => format!("{name} ({kind})"),
            None => format!("{} ({kind})", i + 1),
        }
    }

    /// The layers' names: given ones unchanged, others from prefix and counter.
    fn names(&self, prefixes: impl Iterator<Item = String>) -> Result<Vec<String>, StudyError> {
        let mut names = LayerNames::default();
        names.take(INPUT);
        for (i, entry) in self.layers.iter().enumerate() {
            let Some(name) = &entry.name else { continue };
            if !names.take(name) {
                let problem = match name.as_str() {
                    INPUT => "input is the name of the network's input".to_string(),
                    name => format!("another layer is named {name}, too"),
                };
                let place = Place::Key(i, &self.shown(i), "name");
                let remedy = "give each layer a name of its own, or none";
                return Err(self.origin.refuse(place, problem, remedy));
            }
        }
        let named = self.layers.iter().zip(prefixes).map(|(entry, prefix)| match &entry.name {
            Some(name) => name.clone(),
            None => names.count(prefix),
        });
        Ok(named.collect())
    }

    /// Checks that layers take values of earlier ones, and that outputs are layers.
    fn check_connections(&self, names: &[String]) -> Result<(), StudyError> {
        let mut known = HashSet::from([INPUT]);
        for (i, entry) in self.layers.iter().enumerate() {
            let earlier = || names[..i].iter().map(String::as_str).chain([INPUT]);
            for input in entry.inputs.iter().flatten() {
                if known.contains(input.as_str()) {
                    continue;
                }
                let problem = match names[i..].contains(input) {
                    true => format!("inputs: {input} stands here or below, not above"),
                    false => format!(
                        "inputs: there is no layer {input} above{}",
                        did_you_mean(input, earlier())
                    ),
                };
                let above: Vec<_> = earlier().collect();
                let remedy = format!("name layers above this one: {}", above.join(", "));
                let place = Place::Key(i, &self.shown(i), "inputs");
                return Err(self.origin.refuse(place, problem, &remedy));
            }
            if entry.inputs.as_ref().is_some_and(Vec::is_empty) {
                let place = Place::Key(i, &self.shown(i), "inputs");
                let remedy = "name layers above this one, or leave inputs out for the one before";
                return Err(self.origin.refuse(place, "inputs is an empty list", remedy));
            }
            known.insert(&names[i]);
        }
        for output in self.outputs.iter().flatten() {
            if !names.contains(output) {
                let meant = did_you_mean(output, names.iter().map(String::as_str));
                let problem = format!("outputs: there is no layer {output}{meant}");
                return Err(self.origin.refuse(Place::Top("outputs"), problem, "name layers"));
            }
        }
        Ok(())
    }

    /// The error for an output that is not what it is said to be, with the line of its layer.
    fn wrong_output(&self, architecture: &Architecture, error: Error) -> StudyError {
        let at = self.output_layer(architecture);
        let mut settings = architecture.layers[at].layer.settings();
        let shown = self.shown(at);
        match settings.find(|(name, _)| ["activation", "function"].contains(name)) {
            Some((setting, value)) => {
                let problem =
                    format!("{setting} is {}: {error}", value.as_str().unwrap_or_default());
                let remedy = "change it, or `output`";
                self.origin.refuse(Place::Key(at, &shown, setting), problem, remedy)
            }
            None => self.origin.refuse(Place::Layer(at, &shown), error, "change it, or `output`"),
        }
    }

    /// The index of the layer that computes the main output.
    fn output_layer(&self, architecture: &Architecture) -> usize {
        let named = self.outputs.as_ref().and_then(|outputs| outputs.first());
        let at = named.and_then(|name| architecture.layers.iter().position(|l| l.name == *name));
        at.unwrap_or(architecture.layers.len().saturating_sub(1))
    }

    /// The error for layers that do not fit together, with the line of the layer that it names.
    pub(super) fn misfit(&self, error: Error) -> StudyError {
        let kinds = LayerKinds::<f32>::built_in();
        let text = error.to_string();
        let made = (0..self.layers.len()).map(|i| self.layer(i, SOME_CLASSES, &kinds));
        let prefixes = made.map(|made| made.map_or_else(|_| String::new(), |m| m.1.name_prefix()));
        let names = self.names(prefixes).unwrap_or_default();
        let at = names.iter().zip(&self.layers).position(|(name, entry)| {
            text.starts_with(&format!("{name} ({})", entry.kind))
                || text.starts_with(&format!("{name}."))
        });
        match (at, error) {
            (Some(i), Error::Shape { expected, received, remedy, .. }) => {
                let shown = format!("{} ({})", names[i], self.layers[i].kind);
                let problem = format!("expected {expected}, received {received}");
                self.origin.refuse(Place::Layer(i, &shown), problem, &remedy)
            }
            (Some(i), Error::Setting { what, expected, received, remedy }) => {
                let shown = format!("{} ({})", names[i], self.layers[i].kind);
                let what = what.trim_start_matches(&shown).trim_start_matches(": ");
                let what = if what.is_empty() { "it" } else { what };
                let problem = format!("{what} must be {expected}, received {received}");
                self.origin.refuse(Place::Layer(i, &shown), problem, &remedy)
            }
            (_, error) => {
                let remedy = "change the layers or the image size";
                self.origin.refuse(Place::Top("layers"), error, remedy)
            }
        }
    }

    /// Checks that a model of this description has one output per class.
    pub(super) fn check_classes(
        &self,
        model: &Sequential,
        classes: usize,
    ) -> Result<(), StudyError> {
        let fits = match *model.output_shape().dims() {
            [1] => model.output_kind() == OutputKind::Sigmoid && classes == 2,
            [outputs] => outputs == classes,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let output = model.outputs().next().unwrap_or_default();
        let at = model.layers().position(|(name, _)| name == output);
        let at = at.unwrap_or(self.layers.len() - 1).min(self.layers.len() - 1);
        let problem = format!(
            "its output has the shape {}, but there are {classes} classes",
            model.output_shape()
        );
        let remedy = "end in a Dense layer with units = \"classes\"";
        Err(self.origin.refuse(Place::Key(at, &self.shown(at), "units"), problem, remedy))
    }
}

impl LayerEntry {
    /// The layer's configuration for this number of classes.
    fn config(&self, classes: usize) -> LayerConfig {
        let empty = serde_json::json!({ "kind": self.kind });
        let config: LayerConfig = serde_json::from_value(empty)
            .unwrap_or_else(|_| unreachable!("a kind alone is the configuration of a layer"));
        self.settings.iter().fold(config, |config, (key, value)| match value.as_str() {
            Some(CLASSES) => config.with(key, classes),
            _ => config.with(key, value.clone()),
        })
    }
}

/// The setting that makes a layer unreadable, and what is wrong with it: without it, there is another
/// error or none.
fn culprit<'a>(
    config: &'a LayerConfig,
    error: &Error,
    kinds: &LayerKinds,
) -> (Option<&'a str>, String) {
    let told = |error: &Error| match error {
        Error::Setting { received, .. } => received.clone(),
        other => other.to_string(),
    };
    let problem = told(error);
    let mut keys = config.settings().map(|(key, _)| key);
    let key = keys.find(|key| {
        let without = kinds.layer(config.clone().without(key));
        without.err().is_none_or(|other| told(&other) != problem)
    });
    (key, in_words(&problem))
}

/// What serde says, in words of the file.
fn in_words(problem: &str) -> String {
    let Some((received, expected)) = problem.split_once(", expected ") else {
        return problem.replace('`', "");
    };
    let received = received
        .trim_start_matches("invalid type: ")
        .trim_start_matches("invalid value: ")
        .trim_start_matches("invalid length ")
        .replace('`', "");
    let expected = match expected {
        "usize" | "u64" | "u32" => "a whole number, 0 or more".to_string(),
        "f64" | "f32" => "a number".to_string(),
        other => other.replace('`', ""),
    };
    format!("expected {expected}, received {received}")
}

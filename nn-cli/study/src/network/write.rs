//! Writes an architecture as a file that people can read and change.

use super::description::CLASSES;
use crate::StudyError;
use nn_core::layers::{LayerConfig, LayerKinds};
use nn_core::model::{Architecture, NamedLayer};
use serde_json::Value;
use std::fmt::Write as _;

/// What a file is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To build this very network again: with the size of its images and its number of classes.
    ThisNetwork,
    /// To train such a network on any images: their size and the number of classes are the data's.
    AnyData {
        /// The number of classes for which the network was built.
        classes: usize,
    },
}

/// The text of a file that describes the network.
///
/// # Errors
/// If a setting has no form in TOML.
pub fn to_toml(architecture: &Architecture, purpose: Purpose) -> Result<String, StudyError> {
    let mut out = String::new();
    let mut put = |line: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{line}");
    };
    put(format!("name = {}", text(&architecture.name)));
    if purpose == Purpose::ThisNetwork {
        put(format!("input = {:?}", architecture.input));
    }
    put(format!("output = \"{}\"", architecture.output.name()));
    if let Some(outputs) = &architecture.outputs {
        put(format!("outputs = {}", texts(outputs)));
    }
    let kinds = LayerKinds::<f32>::built_in();
    let main = architecture.outputs.as_ref().and_then(|outputs| outputs.first());
    let last = architecture.layers.last().map(|layer| &layer.name);
    let main = main.or(last);
    for NamedLayer { name, layer, inputs } in &architecture.layers {
        put(String::new());
        put("[[layers]]".into());
        put(format!("name = {}", text(name)));
        put(format!("kind = {}", text(layer.kind())));
        if let Some(inputs) = inputs {
            put(format!("inputs = {}", texts(inputs)));
        }
        let is_output = main == Some(name);
        for (key, value) in given(layer, &kinds) {
            let value = match purpose {
                Purpose::AnyData { classes } if is_output && counts(&key, &value, classes) => {
                    text(CLASSES)
                }
                _ => toml::Value::try_from(&value).map_err(StudyError::failed)?.to_string(),
            };
            put(format!("{} = {value}", self::key(&key)));
        }
    }
    Ok(out)
}

/// Whether a setting of the last layer is the number of classes.
fn counts(key: &str, value: &Value, classes: usize) -> bool {
    ["units", "filters"].contains(&key) && value.as_u64() == Some(classes as u64)
}

/// The settings of a layer that a file must give, in their shortest form.
fn given(layer: &LayerConfig, kinds: &LayerKinds) -> Vec<(String, Value)> {
    let reads_the_same = |other: LayerConfig| {
        kinds.layer(other).is_ok_and(|read| read.config().as_ref() == Some(layer))
    };
    let mut written = layer.clone();
    for (key, value) in layer.settings() {
        let without = written.clone().without(key);
        if reads_the_same(without.clone()) {
            written = without;
        } else if let Some(short) = short(value) {
            let shorter = written.clone().with(key, short);
            if reads_the_same(shorter.clone()) {
                written = shorter;
            }
        }
    }
    written.settings().map(|(key, value)| (key.to_string(), value.clone())).collect()
}

/// A shorter form of a setting: one number for two equal ones, and as PyTorch has it for the padding of
/// opposite sides.
fn short(value: &Value) -> Option<Value> {
    let both = |a: &Value, b: &Value| match a == b {
        true => a.clone(),
        false => Value::from(vec![a.clone(), b.clone()]),
    };
    if let [a, b] = value.as_array().map_or(&[][..], Vec::as_slice) {
        return (a == b && a.is_u64()).then(|| a.clone());
    }
    let sides = value.get("explicit")?;
    let (top, left) = (sides.get("top")?, sides.get("left")?);
    let is_symmetric = sides.get("bottom")? == top && sides.get("right")? == left;
    is_symmetric.then(|| both(top, left))
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.into() } else { text(name) }
}

fn text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn texts(all: &[String]) -> String {
    let all: Vec<String> = all.iter().map(|one| text(one)).collect();
    format!("[{}]", all.join(", "))
}

//! Reads the description of a network from TOML.

use super::description::{Description, LayerEntry, Origin, Place};
use crate::StudyError;
use crate::similar::did_you_mean;
use nn_core::Error;
use nn_core::layers::OutputKind;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Value;
use toml::de::{DeTable, DeValue};

/// The keys at the top of a file.
const TOP: [&str; 5] = ["name", "input", "output", "outputs", "layers"];

/// Parses the content of the file at `path`. The kinds and settings of layers are not checked yet.
pub fn description(text: &str, path: &Path) -> Result<Description, StudyError> {
    let table: toml::Table = toml::from_str(text).map_err(|problem| {
        let line = problem.span().map(|span| format!("line {}, ", line_of(text, span.start)));
        let line = line.unwrap_or_default();
        Error::file(
            path,
            format!("{line}is not TOML: {}", problem.message().trim().replace('\n', ", ")),
            "write it like the files that `nn-cli summary --toml` prints",
        )
    })?;
    let reader = Reader { origin: origin(text, path) };
    reader.description(table)
}

/// The number of the line at an offset.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|&&b| b == b'\n').count()
}

/// The lines of keys and layers.
fn origin(text: &str, path: &Path) -> Origin {
    let mut origin = Origin { path: Some(path.into()), ..Origin::default() };
    let Ok(table) = DeTable::parse(text) else { return origin };
    for (key, value) in table.get_ref() {
        let line = line_of(text, key.span().start);
        origin.top.insert(key.get_ref().to_string(), line);
        if key.get_ref() != "layers" {
            continue;
        }
        let DeValue::Array(layers) = value.get_ref() else { continue };
        for layer in layers {
            let keys: BTreeMap<String, usize> = match layer.get_ref() {
                DeValue::Table(keys) => keys
                    .iter()
                    .map(|(key, _)| (key.get_ref().to_string(), line_of(text, key.span().start)))
                    .collect(),
                _ => BTreeMap::new(),
            };
            origin.layers.push((line_of(text, layer.span().start), keys));
        }
    }
    origin
}

struct Reader {
    origin: Origin,
}

impl Reader {
    fn description(self, mut table: toml::Table) -> Result<Description, StudyError> {
        for key in table.keys() {
            if !TOP.contains(&key.as_str()) {
                let problem = format!(
                    "unknown key {key}, expected one of {}{}",
                    TOP.join(", "),
                    did_you_mean(key, TOP)
                );
                let remedy = "settings of a layer stand below its [[layers]]";
                return Err(self.origin.refuse(Place::Top(key), problem, remedy));
            }
        }
        let name = self.top(&mut table, "name", "a text", text)?;
        let input = self.top(&mut table, "input", "[height, width, channels]", input)?;
        let output = self.top(&mut table, "output", "softmax, sigmoid or linear", output)?;
        let outputs = self.top(&mut table, "outputs", "a list of layers' names", texts)?;
        let layers = match table.remove("layers") {
            Some(Value::Array(layers)) if !layers.is_empty() => layers,
            other => {
                let received =
                    other.map_or_else(|| "none".into(), |value| format!("layers = {value}"));
                let problem =
                    format!("expected layers, each below a line [[layers]], received {received}");
                let remedy = "`nn-cli summary --toml` prints an example";
                return Err(self.origin.refuse(Place::Top("layers"), problem, remedy));
            }
        };
        let layers = layers.into_iter().enumerate();
        let layers = layers.map(|(i, layer)| self.layer(i, layer)).collect::<Result<_, _>>()?;
        Ok(Description { name, input, output, outputs, layers, origin: self.origin })
    }

    /// Takes a key at the top, if it is there.
    fn top<T>(
        &self,
        table: &mut toml::Table,
        key: &str,
        expected: &str,
        read: fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, StudyError> {
        let Some(value) = table.remove(key) else { return Ok(None) };
        read(&value).map(Some).ok_or_else(|| {
            let problem = format!("{key} must be {expected}, received {value}");
            self.origin.refuse(Place::Top(key), problem, "change it, or leave it out")
        })
    }

    fn layer(&self, i: usize, layer: Value) -> Result<LayerEntry, StudyError> {
        let number = (i + 1).to_string();
        let Value::Table(mut table) = layer else {
            let problem = format!("expected a table of settings, received {layer}");
            return Err(self.origin.refuse(Place::Layer(i, &number), problem, "write [[layers]]"));
        };
        let refuse = |key: &str, expected: &str, value: &Value| {
            let problem = format!("{key} must be {expected}, received {value}");
            let place = Place::Key(i, &number, key);
            self.origin.refuse(place, problem, "change it, or leave it out")
        };
        let mut take = |key: &str| table.remove(key);
        let name = match take("name") {
            None => None,
            Some(value) => Some(
                text(&value)
                    .filter(|name| !name.is_empty())
                    .ok_or_else(|| refuse("name", "a text that is not empty", &value))?,
            ),
        };
        let inputs = match take("inputs") {
            None => None,
            Some(value) => Some(
                texts(&value)
                    .or_else(|| text(&value).map(|one| vec![one]))
                    .ok_or_else(|| refuse("inputs", "a list of earlier layers' names", &value))?,
            ),
        };
        let kind = match take("kind") {
            Some(value) => {
                text(&value).ok_or_else(|| refuse("kind", "a text, such as \"Conv2D\"", &value))?
            }
            None => {
                let place = Place::Layer(i, name.as_deref().unwrap_or(&number));
                let remedy = "add it, for example kind = \"Conv2D\"";
                return Err(self.origin.refuse(place, "it has no kind", remedy));
            }
        };
        let mut settings = BTreeMap::new();
        for (key, value) in table {
            let json = serde_json::to_value(&value).map_err(StudyError::failed)?;
            settings.insert(key, json);
        }
        Ok(LayerEntry { name, kind, inputs, settings })
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(String::from)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(text).collect()
}

fn input(value: &Value) -> Option<[usize; 3]> {
    let dims: Option<Vec<usize>> = value
        .as_array()?
        .iter()
        .map(|dim| {
            dim.as_integer().and_then(|dim| usize::try_from(dim).ok()).filter(|&dim| dim > 0)
        })
        .collect();
    dims?.try_into().ok()
}

fn output(value: &Value) -> Option<OutputKind> {
    match value.as_str()? {
        "softmax" => Some(OutputKind::Softmax),
        "sigmoid" => Some(OutputKind::Sigmoid),
        "linear" => Some(OutputKind::Linear),
        _ => None,
    }
}

//! Data for the macros of `parts.html`: formatted texts and positions.

use super::places;
use crate::StudyError;
use crate::config::RunConfig;
use crate::format::{self, percent, sentence};
use crate::scores::Scores;
use crate::stats::{Guessing, Interval, UNIFORM};
use nn_core::model::Summary;

/// A table; the first cell of each row is its header.
#[derive(Default)]
pub struct Table {
    pub caption: String,
    pub header: Vec<String>,
    /// How many of the first columns contain text, not numbers.
    pub text: usize,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(caption: impl Into<String>, header: &[&str], text: usize) -> Self {
        let header = header.iter().map(|cell| cell.to_string()).collect();
        Self { caption: caption.into(), header, text, rows: Vec::new() }
    }
}

/// An accuracy: the number, and its position between 0 and 100 % on a strip.
pub struct Score {
    pub title: String,
    pub set: String,
    pub accuracy: String,
    pub detail: String,
    pub note: String,
    /// The accuracy of guessing, if it depends on the way of guessing.
    pub guessed: Option<String>,
    /// A description of the strip, in words.
    pub described: String,
    pub mean: String,
    pub low: String,
    pub width: String,
    /// The baselines of guessing: CSS class and position.
    pub guessing: Vec<(&'static str, String)>,
    pub notebook: Option<String>,
    pub seeds: Vec<String>,
}

/// The inputs of a [`Score`].
pub struct Scored<'a> {
    pub title: &'a str,
    pub set: String,
    pub accuracy: f64,
    pub interval: Interval,
    /// Such as `18 of 20 right`.
    pub detail: String,
    pub note: String,
    pub guessing: Guessing,
    pub notebook: Option<f64>,
    /// The accuracy of each seed, where there are several.
    pub seeds: Vec<f64>,
}

impl Scored<'_> {
    /// A balanced accuracy on the images of `set`.
    pub fn balanced(accuracy: f64, interval: Interval, set: String, scores: &Scores) -> Self {
        let tested = scores.per_class.iter().filter(|class| class.scores.support > 0).count();
        Self {
            title: "Balanced accuracy",
            set,
            accuracy,
            interval,
            detail: format!("the mean over {tested} classes"),
            note: "Each class counts alike, however many images it has".into(),
            guessing: Guessing {
                largest: 1.0 / tested as f64,
                uniform: 1.0 / tested as f64,
                class: String::new(),
            },
            notebook: None,
            seeds: Vec::new(),
        }
    }

    /// Formats the texts and positions.
    pub fn show(self) -> Score {
        let accuracy = percent(self.accuracy);
        let interval = format!("95 % interval {}", self.interval);
        let told = self.guessing.told();
        let marks = self.guessing.marks().into_iter();
        Score {
            title: self.title.to_string(),
            set: self.set,
            described: format!("{accuracy}, {interval}; {told}. {}", self.note),
            guessed: (!self.guessing.is_even()).then(|| sentence(&told)),
            accuracy,
            detail: format!("{}; {interval}", self.detail),
            note: self.note,
            mean: place(self.accuracy),
            low: place(self.interval.low),
            width: place(self.interval.high - self.interval.low),
            guessing: marks.map(|(name, at)| (look(name), place(at))).collect(),
            notebook: self.notebook.map(place),
            seeds: self.seeds.into_iter().map(place).collect(),
        }
    }
}

/// The baselines of guessing by CSS class and name, without duplicates.
pub fn guessing_key<'a>(
    all: impl IntoIterator<Item = &'a Guessing>,
) -> Vec<(&'static str, &'static str)> {
    let mut key = Vec::new();
    for (name, _) in all.into_iter().flat_map(Guessing::marks) {
        if !key.contains(&(look(name), name)) {
            key.push((look(name), name));
        }
    }
    key
}

/// The CSS class of the baseline with that name.
fn look(name: &str) -> &'static str {
    if name == UNIFORM { "uniform" } else { "chance" }
}

/// A share as a CSS length in percent.
pub fn place(share: f64) -> String {
    if share.is_finite() { format!("{:.2}", share.clamp(0.0, 1.0) * 100.0) } else { "0".into() }
}

/// A model's layers.
pub fn layers(model: &Summary) -> Table {
    let caption = format!(
        "The network: {} parameters in {} layers; shapes are height, width, channels",
        format::count(model.parameters as u64),
        model.layers.len()
    );
    let mut table = Table::new(caption, &["layer", "kind", "output shape", "parameters"], 2);
    table.rows.extend(model.layers.iter().map(|layer| {
        let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
        vec![
            layer.name.clone(),
            layer.kind.to_string(),
            shape.join(" × "),
            format::count(layer.parameters as u64),
        ]
    }));
    table
}

/// The settings of a run by name, without the paths of its files.
///
/// # Errors
/// If the settings cannot be written as TOML.
pub fn settings(config: &RunConfig) -> Result<Vec<(String, String)>, StudyError> {
    let mut all = by_name(&config.to_toml()?);
    all.retain(|(name, _)| name != "data root");
    for (name, value) in &mut all {
        match name.as_str() {
            "data" => *value = places::shown(config.data.as_ref(), &config.data_root),
            "split" => *value = config.split.as_deref().map(places::name).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(all)
}

/// Settings by name, from the content of `config.toml`.
fn by_name(toml: &str) -> Vec<(String, String)> {
    fn walk(prefix: &str, table: &toml::Table, out: &mut Vec<(String, String)>) {
        for (key, value) in table {
            let name = key.replace('_', " ");
            let name = match (prefix, key.as_str()) {
                ("", _) => name,
                (_, "kind") => prefix.to_string(),
                _ => format!("{prefix} {name}"),
            };
            match value {
                toml::Value::Table(inner) if key == "fit" => walk("", inner, out),
                toml::Value::Table(inner) => walk(&name, inner, out),
                toml::Value::String(text) => out.push((name, text.clone())),
                other => out.push((name, other.to_string())),
            }
        }
    }
    let mut out = Vec::new();
    // TOML that was just written can be parsed; if not, nothing is shown.
    if let Ok(table) = toml.parse::<toml::Table>() {
        walk("", &table, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_on_the_strip() {
        let all = [0.0, 0.345678, 1.0, -2.0, 7.0, f64::NAN].map(place);
        assert_eq!(all, ["0.00", "34.57", "100.00", "0.00", "100.00", "0"]);
    }

    #[test]
    fn settings_are_told_by_their_own_names() {
        let toml = "image_size = 64\n[fit]\nepochs = 3\n[fit.schedule]\nkind = \"step\"\nevery = 2\n\
                    [optimizer]\nkind = \"adam\"\nbeta1 = 0.9\n";
        let all = by_name(toml);
        for (name, value) in [
            ("image size", "64"),
            ("epochs", "3"),
            ("schedule", "step"),
            ("schedule every", "2"),
            ("optimizer", "adam"),
            ("optimizer beta1", "0.9"),
        ] {
            assert!(all.contains(&(name.into(), value.into())), "{name} in {all:?}");
        }
    }
}

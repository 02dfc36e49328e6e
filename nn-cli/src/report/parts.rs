//! What the macros of `parts.html` show: texts and positions, ready to be put in place.

use crate::plots::{self, ConfusionSpec, CurvesSpec, Series};
use crate::ui::format::{self, percent};
use crate::ui::stats::Interval;

/// A table; the first cell of each row is its header.
#[derive(Default)]
pub struct Table {
    pub caption: String,
    pub header: Vec<String>,
    /// How many of the first columns are words, not numbers.
    pub text: usize,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows yet.
    pub fn new(caption: impl Into<String>, header: &[&str], text: usize) -> Self {
        let header = header.iter().map(|cell| cell.to_string()).collect();
        Self { caption: caption.into(), header, text, rows: Vec::new() }
    }
}

/// An accuracy: the number, and where it lies between 0 and 100 %.
pub struct Score {
    pub title: String,
    pub set: String,
    pub accuracy: String,
    pub detail: String,
    pub note: String,
    /// The strip in words.
    pub described: String,
    pub mean: String,
    pub low: String,
    pub width: String,
    pub chance: String,
    pub notebook: Option<String>,
    pub seeds: Vec<String>,
}

/// What a [`Score`] is made of.
pub struct Scored<'a> {
    pub title: &'a str,
    pub set: String,
    pub accuracy: f64,
    pub interval: Interval,
    /// Such as `18 of 20 right`.
    pub detail: String,
    pub note: String,
    pub chance: f64,
    pub notebook: Option<f64>,
    /// The accuracy of each seed, where there are several.
    pub seeds: Vec<f64>,
}

impl Scored<'_> {
    /// Puts it into words and places.
    pub fn show(self) -> Score {
        let accuracy = percent(self.accuracy);
        let interval = format!("95 % interval {}", format::interval(self.interval));
        Score {
            title: self.title.to_string(),
            set: self.set,
            described: format!("{accuracy}, {interval}. {}", self.note),
            accuracy,
            detail: format!("{}; {interval}", self.detail),
            note: self.note,
            mean: place(self.accuracy),
            low: place(self.interval.low),
            width: place(self.interval.high - self.interval.low),
            chance: place(self.chance),
            notebook: self.notebook.map(place),
            seeds: self.seeds.into_iter().map(place).collect(),
        }
    }
}

/// A share as a length in percent, for a style.
pub fn place(share: f64) -> String {
    if share.is_finite() { format!("{:.2}", share.clamp(0.0, 1.0) * 100.0) } else { "0".into() }
}

/// Training curves, drawn and as values.
pub struct Curves {
    pub title: String,
    pub subtitle: String,
    pub loss: String,
    pub accuracy: String,
    pub values: Table,
}

impl Curves {
    /// Draws `spec`.
    pub fn draw(spec: &CurvesSpec) -> Self {
        let [loss, accuracy] = plots::panels(spec);
        let named = |what: &str, all: &[Series]| {
            all.iter().map(|series| format!("{} {what}", series.name)).collect::<Vec<_>>()
        };
        let mut header = vec!["epoch".to_string()];
        header.extend(named("loss", &spec.loss));
        header.extend(named("accuracy", &spec.accuracy));
        let epochs = spec.loss.iter().map(|series| series.values.len()).max().unwrap_or(0);
        let rows = (0..epochs).map(|epoch| {
            let value = |series: &Series| series.values.get(epoch).copied().unwrap_or(f64::NAN);
            let mut row = vec![(epoch + 1).to_string()];
            row.extend(spec.loss.iter().map(|series| format::loss(value(series))));
            row.extend(spec.accuracy.iter().map(|series| percent(value(series))));
            row
        });
        let caption = format!("{}, epoch by epoch", spec.title);
        let values = Table { caption, header, text: 1, rows: rows.collect() };
        let (title, subtitle) = (spec.title.clone(), spec.subtitle.clone());
        Self { title, subtitle, loss, accuracy, values }
    }
}

/// A confusion matrix, drawn.
pub struct Matrix {
    pub title: String,
    pub subtitle: String,
    pub svg: String,
}

impl Matrix {
    /// Draws `spec`, with its title as text of the page.
    pub fn draw(spec: &ConfusionSpec) -> Self {
        let bare = ConfusionSpec { title: String::new(), stand_in: false, ..spec.clone() };
        let svg = plots::confusion(&bare);
        Self { title: spec.title.clone(), subtitle: spec.subtitle.clone(), svg }
    }
}

/// Settings by name, from a run's `config.toml`.
pub fn settings(toml: &str) -> Vec<(String, String)> {
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
    // What was just written as TOML can be read as TOML; if not, there is nothing to show.
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
        let all = settings(toml);
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

    #[test]
    fn curves_come_with_their_values() {
        let spec = CurvesSpec {
            title: "t".into(),
            loss: vec![Series::new("training", vec![0.5, f64::NAN])],
            accuracy: vec![Series::new("training", vec![0.75])],
            ..CurvesSpec::default()
        };
        let drawn = Curves::draw(&spec);
        assert_eq!(drawn.values.header, ["epoch", "training loss", "training accuracy"]);
        assert_eq!(drawn.values.rows[0], ["1", "0.5000", "75.0 %"]);
        assert_eq!(drawn.values.rows[1], ["2", "\u{2013}", "\u{2013}"]);
    }
}

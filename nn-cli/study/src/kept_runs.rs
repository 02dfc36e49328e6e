//! Finds the runs in a folder and reads them for lists and comparisons. Broken and unfinished runs are
//! listed as such and do not stop the others from being read.

use crate::config::CONFIG_FILE;
use crate::run_folder::{METRICS_FILE, size};
use nn_core::Error;
use nn_core::files::read_limited;
use nn_core::train::{CHECKPOINT_FILE, EpochRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The largest `metrics.json` that is read, in bytes. Ten epochs take about ten thousand.
const MAX_METRICS_BYTES: u64 = 64 << 20;

/// The search depth below a folder: the runs of an experiment are two levels below its folder.
const DEPTH: usize = 3;

/// A run's folder, and what is known about the run.
#[derive(Debug, Serialize)]
pub struct KeptRun {
    /// The path relative to the searched folder.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// Whether the run is finished, unfinished or broken.
    pub state: State,
    /// Why the run is broken or unfinished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The results of a finished run.
    #[serde(flatten)]
    pub result: Option<RunResult>,
    /// When its results were written, in UTC: `2026-03-01T14:05:00Z`.
    pub finished: Option<String>,
    /// The size of the folder on disk, in bytes.
    pub bytes: u64,
    /// When its metrics were written.
    #[serde(skip)]
    pub written: Option<SystemTime>,
    /// Its settings, by names with dots.
    #[serde(skip)]
    pub settings: BTreeMap<String, String>,
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has all its results.
    Finished,
    /// It was stopped, or is still running.
    Unfinished,
    /// Its files cannot be read.
    Broken,
}

/// The results of a finished run.
#[derive(Debug, Serialize)]
pub struct RunResult {
    /// The name of the set it was trained on.
    pub dataset: String,
    /// The origin of that set's images.
    pub kind: String,
    /// The number of trained epochs.
    pub epochs: usize,
    /// The accuracy on the test images, from 0 to 1; NaN without any.
    pub accuracy: f64,
    /// The mean loss on the test images.
    pub loss: f64,
    /// The number of test images.
    pub n: u64,
    /// The number of them that were classified correctly.
    pub correct: u64,
    /// The accuracy on the validation images after the epoch whose weights were kept.
    pub val_accuracy: Option<f64>,
    /// The duration of all epochs, in seconds.
    pub seconds: f64,
}

/// The part of `metrics.json` that is needed here.
#[derive(Deserialize)]
struct Metrics {
    dataset: Dataset,
    #[serde(default)]
    config: Value,
    history: Vec<EpochRecord>,
    /// Not in runs of version 0.1.0, which kept the last epoch.
    #[serde(default)]
    kept: Option<Kept>,
    test: Test,
    /// The folds of a cross-validation, which have their own histories.
    #[serde(default)]
    folds: Vec<FoldResult>,
    #[serde(default)]
    environment: Value,
}

#[derive(Deserialize)]
struct FoldResult {
    epochs: usize,
    seconds: f64,
}

#[derive(Deserialize)]
struct Dataset {
    name: String,
    kind: String,
}

#[derive(Deserialize)]
struct Kept {
    val_accuracy: Option<f64>,
}

#[derive(Deserialize)]
struct Test {
    loss: Option<f64>,
    n: u64,
    correct: u64,
}

/// Whether a folder looks like that of a run, complete or not.
pub fn is_run(folder: &Path) -> bool {
    let there = |name: &str| folder.join(name).is_file();
    there(METRICS_FILE) || there(CHECKPOINT_FILE) || there(CONFIG_FILE)
}

/// The runs in `folder`, sorted by name, including those of experiments.
///
/// # Errors
/// If the folder cannot be read.
pub fn find(folder: &Path) -> Result<Vec<KeptRun>, Error> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    look(entries, "", DEPTH, &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn look(entries: fs::ReadDir, above: &str, depth: usize, found: &mut Vec<KeptRun>) {
    for entry in entries.flatten() {
        let own = entry.file_name().to_string_lossy().into_owned();
        if own.starts_with('.') || !entry.path().is_dir() {
            continue;
        }
        let name = format!("{above}{own}");
        if is_run(&entry.path()) {
            found.push(KeptRun::read(&entry.path(), name));
        } else if depth > 1
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Ok(entries) = fs::read_dir(entry.path())
        {
            look(entries, &format!("{name}/"), depth - 1, found);
        }
    }
}

impl KeptRun {
    /// Reads the run in `path`.
    pub fn read(path: &Path, name: String) -> Self {
        let mut run = Self {
            name,
            path: path.to_path_buf(),
            state: State::Finished,
            problem: None,
            result: None,
            finished: None,
            bytes: size(path),
            written: None,
            settings: BTreeMap::new(),
        };
        let file = path.join(METRICS_FILE);
        if !file.exists() {
            run.state = State::Unfinished;
            run.problem = Some(match path.join(CHECKPOINT_FILE).exists() {
                true => "unfinished".into(),
                false => "begun, and never saved".into(),
            });
            return run;
        }
        run.written = fs::metadata(&file).and_then(|metadata| metadata.modified()).ok();
        match metrics(&file) {
            Ok(metrics) => {
                run.finished = run.written.map(|time| utc(time) + "Z");
                for (name, value) in [("", &metrics.config), ("environment.", &metrics.environment)]
                {
                    flatten(name, value, &mut run.settings);
                }
                run.result = Some(metrics.result());
            }
            Err(problem) => {
                run.state = State::Broken;
                run.problem = Some(format!("broken: {problem}"));
            }
        }
        run
    }
}

impl Metrics {
    fn result(self) -> RunResult {
        let Test { loss, n, correct } = self.test;
        RunResult {
            dataset: self.dataset.name,
            kind: self.dataset.kind,
            epochs: self.folds.iter().map(|fold| fold.epochs).fold(self.history.len(), usize::max),
            accuracy: if n > 0 { correct as f64 / n as f64 } else { f64::NAN },
            loss: loss.unwrap_or(f64::NAN),
            n,
            correct,
            val_accuracy: match self.kept {
                Some(kept) => kept.val_accuracy,
                None => self.history.last().and_then(|epoch| epoch.val_accuracy),
            },
            seconds: self.history.iter().map(|epoch| epoch.seconds).sum::<f64>()
                + self.folds.iter().map(|fold| fold.seconds).sum::<f64>(),
        }
    }
}

fn metrics(file: &Path) -> Result<Metrics, String> {
    let bytes = read_limited(file, MAX_METRICS_BYTES, "").map_err(|error| match error {
        Error::Io { source, .. } => format!("{METRICS_FILE} cannot be read: {source}"),
        _ => format!("{METRICS_FILE} is too large"),
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|problem| format!("{METRICS_FILE} is not one of a run ({problem})"))
}

/// Flattens nested settings to names with dots.
fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(parts) => {
            for (part, value) in parts {
                let dot = if name.is_empty() || name.ends_with('.') { "" } else { "." };
                flatten(&format!("{name}{dot}{part}"), value, into);
            }
        }
        Value::String(text) => drop(into.insert(name.into(), text.clone())),
        Value::Null => {}
        other => drop(into.insert(name.into(), other.to_string())),
    }
}

/// `2026-03-01T14:05:00`, in UTC.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a number of days after 1970-01-01 in the Gregorian calendar: Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms" (2021), `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00"),
            (951_827_696, "2000-02-29T12:34:56"),
            (1_709_251_199, "2024-02-29T23:59:59"),
            (1_772_373_900, "2026-03-01T14:05:00"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn settings_get_dotted_names() {
        let mut found = BTreeMap::new();
        let config = serde_json::json!({"fit": {"epochs": 3, "loss": "x"}, "a": null, "b": [1]});
        flatten("", &config, &mut found);
        let found: Vec<_> = found.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(found, ["b=[1]", "fit.epochs=3", "fit.loss=x"]);
    }

    #[test]
    fn broken_and_unfinished_runs_are_told() {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in [
            ("a/metrics.json", "{"),
            ("b/checkpoint.safetensors", "x"),
            ("c/config.toml", ""),
            ("other/notes.txt", "x"),
            ("experiment/runs/leaky-1/metrics.json", "[]"),
            (".hidden/metrics.json", "{"),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let found = find(dir.path()).unwrap();
        let told: Vec<_> = found.iter().map(|run| (run.name.as_str(), run.state)).collect();
        let expected = [
            ("a", State::Broken),
            ("b", State::Unfinished),
            ("c", State::Unfinished),
            ("experiment/runs/leaky-1", State::Broken),
        ];
        assert_eq!(told, expected);
        assert!(found[0].problem.as_ref().unwrap().contains("metrics.json"), "{found:?}");
    }
}

//! `nn-cli runs`: lists the runs, and compares some of them.

use crate::args::{RunOrder, RunsArgs};
use crate::failure::Failure;
use crate::hints::{self, RUNS};
use crate::ui::Console;
use nn_study::format;
use nn_study::kept_runs::{self, KeptRun, State};
use nn_study::stats::wilson;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The width in columns that the complete table needs.
const ALL_COLUMNS: usize = 76;

pub fn run(args: &RunsArgs, console: &Console) -> Result<(), Failure> {
    match &args.runs[..] {
        [] => list(Path::new(RUNS), args, console),
        [one] if !one.exists() => compare(std::slice::from_ref(one), console),
        [one] if kept_runs::is_run(one) => compare(std::slice::from_ref(one), console),
        [folder] => list(folder, args, console),
        several => compare(several, console),
    }
}

fn list(folder: &Path, args: &RunsArgs, console: &Console) -> Result<(), Failure> {
    let mut runs = match folder.exists() || !args.runs.is_empty() {
        true => kept_runs::find(folder)?,
        false => Vec::new(),
    };
    sort(&mut runs, args.sort);
    if runs.is_empty() {
        let folder = folder.display();
        console.note(&format!("no runs in {folder}; `nn-cli train` writes them to {RUNS}/NAME"));
        return Ok(console.json(&runs)?);
    }
    let header =
        ["run", "data", "epochs", "accuracy", "of", "size", "kind", "written"].map(String::from);
    let narrow = console.columns().is_some_and(|most| most < ALL_COLUMNS);
    let shown = header.len() - if narrow { 2 } else { 0 };
    let rows = runs.iter().map(|run| {
        let mut row = vec![run.name.clone()];
        match &run.result {
            Some(result) => row.extend([
                result.dataset.clone(),
                result.epochs.to_string(),
                format::percent(result.accuracy),
                result.n.to_string(),
            ]),
            None => {
                let state = if run.state == State::Broken { "broken" } else { "unfinished" };
                row.extend([state, "–", "–", "–"].map(String::from));
            }
        }
        let kind = run.result.as_ref().map_or("–", |result| &result.kind);
        row.extend([format::bytes(run.bytes), kind.to_string(), day(run)]);
        row.truncate(shown);
        row
    });
    console.table(&header[..shown], rows, 2)?;
    let total = runs.iter().map(|run| run.bytes).sum();
    console.note(&format!(
        "\n{} in {}, {}",
        format::plural(runs.len() as u64, "run"),
        folder.display(),
        format::bytes(total)
    ));
    if narrow {
        console.note("a wider terminal, and --json, also tell the kind of data and the day");
    }
    for run in runs.iter().filter(|run| run.state == State::Broken) {
        console.warn(&format!("{}: {}", run.name, run.problem.as_deref().unwrap_or_default()));
    }
    for run in runs.iter().filter(|run| run.state == State::Unfinished) {
        let path = run.path.display().to_string();
        let path = nn_study::shell::quoted(&path);
        console.note(&format!("to go on with {}: nn-cli train --resume --out {path}", run.name));
    }
    Ok(console.json(&runs)?)
}

/// The date on which the results were written.
fn day(run: &KeptRun) -> String {
    let day = run.finished.as_ref().and_then(|time| time.get(..10));
    day.unwrap_or("–").to_string()
}

fn sort(runs: &mut [KeptRun], order: RunOrder) {
    // The runs are sorted by name already; the sorts are stable.
    match order {
        RunOrder::Name => {}
        RunOrder::Date => runs.sort_by_key(|run| Reverse(run.written)),
        RunOrder::Size => runs.sort_by_key(|run| Reverse(run.bytes)),
        RunOrder::Accuracy => {
            let accuracy =
                |run: &KeptRun| run.result.as_ref().map_or(-1.0, |result| result.accuracy);
            runs.sort_by(|a, b| accuracy(b).total_cmp(&accuracy(a)));
        }
    }
}

/// A comparison of runs, as printed by `--json`.
#[derive(Serialize)]
struct Compared<'a> {
    runs: &'a [KeptRun],
    /// The settings that differ between the runs, each with its value in each run.
    settings: BTreeMap<&'a str, Vec<Option<&'a str>>>,
}

fn compare(named: &[PathBuf], console: &Console) -> Result<(), Failure> {
    let runs: Vec<KeptRun> = named
        .iter()
        .map(|typed| {
            let path = located(typed)?;
            Ok(KeptRun::read(&path, typed.display().to_string()))
        })
        .collect::<Result<_, Failure>>()?;
    let settings = differing(&runs);
    let mut header = vec![String::new()];
    header.extend(runs.iter().map(|run| run.name.clone()));
    let told = |name: &str, value: &dyn Fn(&KeptRun) -> Option<String>| {
        let mut row = vec![name.to_string()];
        row.extend(runs.iter().map(|run| value(run).unwrap_or_else(|| "–".into())));
        row
    };
    let result = |name: &str, value: &dyn Fn(&kept_runs::RunResult) -> String| {
        told(name, &|run| run.result.as_ref().map(value))
    };
    let mut rows = Vec::new();
    if runs.iter().any(|run| run.problem.is_some()) {
        rows.push(told("state", &|run| run.problem.clone().or_else(|| Some("finished".into()))));
    }
    rows.extend([
        result("data", &|run| run.dataset.clone()),
        result("kind", &|run| run.kind.clone()),
        result("epochs", &|run| run.epochs.to_string()),
        result("test accuracy", &|run| {
            format!("{} ({} of {})", format::percent(run.accuracy), run.correct, run.n)
        }),
        result("95 % interval", &|run| wilson(run.correct, run.n).to_string()),
        result("test loss", &|run| format::loss(run.loss)),
        result("validation accuracy", &|run| {
            run.val_accuracy.map_or_else(|| "–".into(), format::percent)
        }),
        result("training time", &|run| format::clock(Duration::from_secs_f64(run.seconds))),
        told("written", &|run| Some(day(run))),
        told("size", &|run| Some(format::bytes(run.bytes))),
    ]);
    for (name, values) in &settings {
        let mut row = vec![name.to_string()];
        row.extend(values.iter().map(|value| value.unwrap_or("–").to_string()));
        rows.push(row);
    }
    console.table(&header, rows, 1)?;
    if runs.len() > 1 && settings.is_empty() && runs.iter().all(|run| run.result.is_some()) {
        console.note("\nthe settings are the same");
    }
    Ok(console.json(&Compared { runs: &runs, settings })?)
}

/// The settings that differ between the runs.
fn differing(runs: &[KeptRun]) -> BTreeMap<&str, Vec<Option<&str>>> {
    let read = || runs.iter().filter(|run| run.result.is_some());
    let names = read().flat_map(|run| run.settings.keys()).map(String::as_str);
    let values =
        |name: &str| runs.iter().map(|run| run.settings.get(name).map(String::as_str)).collect();
    let differs = |name: &&str| {
        let mut values = read().map(|run| run.settings.get(*name));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    names.filter(differs).map(|name| (name, values(name))).collect()
}

/// The folder of a run, given as a path or as a name in `runs`.
fn located(typed: &Path) -> Result<PathBuf, Failure> {
    let named = Path::new(RUNS).join(typed);
    let candidates = [typed.to_path_buf(), named];
    if let Some(found) = candidates.iter().find(|path| kept_runs::is_run(path)) {
        return Ok(found.clone());
    }
    let shown = typed.display();
    Err(Failure::usage(match typed.is_dir() {
        true => {
            format!("{shown} is not a run's folder; name one run, or this folder alone for a list")
        }
        false => format!("there is no run {shown}; {}", hints::model(typed)),
    }))
}

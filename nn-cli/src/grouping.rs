//! Which images belong together, by a column of the table of labels or by their names.

use crate::config::label_args;
use crate::failure::Failure;
use crate::labels;
use crate::ui::Console;
use nn_study::config::RunConfig;
use nn_study::folds::Names;
use nn_study::{ImageSet, format};
use regex_lite::Regex;

/// What the images of `set` belong to, as the settings of the folds say: one list for the column, one for the pattern.
///
/// # Errors
/// If the column or the pattern cannot be used, or no name matches it.
pub fn names(config: &RunConfig, set: &ImageSet, console: &Console) -> Result<Vec<Names>, Failure> {
    let Some(folds) = &config.folds else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    if let Some(column) = &folds.group_column {
        let read = labels::read_grouped(&label_args(config), Some(column), &set.folder.root)?;
        let Some(labelled) = read else {
            return Err(Failure::usage(format!(
                "--group-column {column}: it is a column of the table of labels; name that with --labels"
            )));
        };
        console.note(&format!("note: {}", labelled.note));
        let all_of = set.folder.samples();
        let left = all_of.iter().filter(|sample| !labelled.groups.contains_key(&sample.path));
        tell_alone(left.count(), &format!("column {column} is empty for"), console);
        all.push(labelled.groups);
    }
    if let Some(pattern) = &folds.group_pattern {
        all.push(matched(pattern, set, console)?);
    }
    Ok(all)
}

/// What the names of images match.
fn matched(pattern: &str, set: &ImageSet, console: &Console) -> Result<Names, Failure> {
    let refuse = |problem: String| Failure::usage(format!("--group-pattern {pattern}: {problem}"));
    let regex = Regex::new(pattern).map_err(|problem| {
        refuse(format!("this is no regular expression that is understood: {problem}"))
    })?;
    let samples = set.folder.samples();
    let name = |file: &str| {
        let shown = match pattern.contains('/') {
            true => file,
            false => file.rsplit('/').next().unwrap_or(file),
        };
        let found = regex.captures(shown)?;
        let group = found.get(1).or(found.get(0))?;
        Some(group.as_str().to_string())
    };
    let mut names = Names::new();
    for sample in &samples {
        if let Some(name) = name(&set.relative(&sample.path)) {
            names.insert(sample.path.clone(), name);
        }
    }
    if names.is_empty() {
        let first = samples.first().map_or(String::new(), |sample| set.relative(&sample.path));
        return Err(refuse(format!(
            "no name of an image matches it (the first image: {first}); check the pattern, or leave it away"
        )));
    }
    tell_alone(samples.len() - names.len(), &format!("{pattern} does not match"), console);
    Ok(names)
}

/// Says how many images have no group.
fn tell_alone(count: usize, why: &str, console: &Console) {
    if count > 0 {
        console.note(&format!(
            "note: {why} {}: each by itself, unless it is a copy of another",
            format::plural(count as u64, "image")
        ));
    }
}

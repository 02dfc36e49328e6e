//! The names of a network's classes, where its own file does not have them as ours do.

use crate::failure::Failure;
use nn_core::Error;
use nn_core::files::read_limited;
use std::collections::BTreeSet;
use std::path::Path;

/// The largest file of names that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads the names of `count` classes from a file, one a line.
///
/// # Errors
/// If it cannot be read, is no text, or has another number of lines.
pub fn read(path: &Path, count: usize) -> Result<Vec<String>, Failure> {
    let remedy = "give a text file with the name of one class on each line";
    let text = read_limited(path, MAX_FILE_BYTES, remedy)?;
    let text = String::from_utf8(text).map_err(|_| Error::file(path, "is not text", remedy))?;
    let names = lines(&text);
    if names.len() != count {
        let problem = format!("has {} lines, the network {count} classes", names.len());
        return Err(Error::file(path, problem, "give the names of this network's classes").into());
    }
    Ok(told_apart(names))
}

/// The names of `count` classes that a file beside the model, `by`, lists.
///
/// # Errors
/// If there are more or fewer.
pub fn checked(names: Vec<String>, count: usize, by: &str) -> Result<Vec<String>, Failure> {
    if names.len() != count {
        return Err(Failure::usage(format!(
            "{by} names {} classes, and the network has {count}; change it, or give the names with --classes",
            names.len()
        )));
    }
    Ok(told_apart(names))
}

/// The lines of a text, without empty ones at its end.
fn lines(text: &str) -> Vec<String> {
    text.trim_end().trim_start_matches('\u{feff}').lines().map(|line| line.trim().into()).collect()
}

/// Names of which none is there twice or empty: ImageNet has two classes `crane`, which become `crane (134)` and
/// `crane (517)`.
pub fn told_apart(mut names: Vec<String>) -> Vec<String> {
    // A name with its index may be that of another class, which then gets its own; each ends in more brackets.
    loop {
        let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for name in &names {
            if name.is_empty() || !seen.insert(name.clone()) {
                twice.insert(name.clone());
            }
        }
        if twice.is_empty() {
            return names;
        }
        for (index, name) in names.iter_mut().enumerate() {
            if twice.contains(name) {
                *name = format!("{name} ({index})").trim_start().into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_get_their_index() {
        let names = ["crane", "husky", "crane", ""].map(String::from).to_vec();
        assert_eq!(told_apart(names), ["crane (0)", "husky", "crane (2)", "(3)"]);
        let names = ["crane (1)", "crane", "crane"].map(String::from).to_vec();
        assert_eq!(told_apart(names), ["crane (1) (0)", "crane (1) (1)", "crane (2)"]);
    }
}

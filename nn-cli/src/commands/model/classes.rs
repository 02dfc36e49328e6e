//! The names of a network's classes, where its own file does not have them as ours do.

use crate::failure::Failure;
use nn_core::Error;
use nn_core::files::read_limited;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The largest file of names that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Keys under which exporters note the classes in an ONNX file's metadata.
const KEYS: [&str; 6] = ["nn.classes", "classes", "class_names", "labels", "names", "character"];

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

/// The names of `count` classes in an ONNX file's metadata: a list as JSON, a dictionary from 0 on as Python prints
/// it, or lines.
pub fn in_metadata(metadata: &BTreeMap<String, String>, count: usize) -> Option<Vec<String>> {
    let found = KEYS.iter().filter_map(|key| metadata.get(*key)).map(|text| names(text));
    found.into_iter().find(|names| names.len() == count).map(told_apart)
}

fn names(text: &str) -> Vec<String> {
    if let Ok(list) = serde_json::from_str(text) {
        return list;
    }
    let dictionary = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    dictionary.map_or_else(|| lines(text), of_dictionary)
}

/// The values of `0: 'tench', 1: "Siberian husky"`; empty if it is written in another way.
fn of_dictionary(text: &str) -> Vec<String> {
    let (mut rest, mut names) = (text.trim(), Vec::new());
    while !rest.is_empty() {
        let value = rest.split_once(':').and_then(|(key, value)| {
            let index: usize = key.trim().trim_matches(['\'', '"']).parse().ok()?;
            (index == names.len()).then(|| value.trim_start())
        });
        let quote = value.and_then(|value| value.chars().next());
        let quoted = quote.filter(|quote| ['\'', '"'].contains(quote)).zip(value);
        let Some((name, after)) = quoted.and_then(|(quote, value)| value[1..].split_once(quote))
        else {
            return Vec::new();
        };
        names.push(name.to_owned());
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    names
}

/// The lines of a text, without empty ones at its end.
fn lines(text: &str) -> Vec<String> {
    text.trim_end().trim_start_matches('\u{feff}').lines().map(|line| line.trim().into()).collect()
}

/// Names of which none is there twice or empty: ImageNet has two classes `crane`, which become `crane (134)` and
/// `crane (517)`.
fn told_apart(mut names: Vec<String>) -> Vec<String> {
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
    fn names_are_found_as_exporters_write_them() {
        let found = |key: &str, text: &str| {
            in_metadata(&BTreeMap::from([(key.to_string(), text.to_string())]), 2)
        };
        let expected = Some(vec!["a cat".to_string(), "dog".to_string()]);
        for (key, text) in [
            ("nn.classes", "[\"a cat\", \"dog\"]"),
            ("names", "{0: 'a cat', 1: 'dog'}"),
            ("names", "{ \"0\": \"a cat\", \"1\": \"dog\", }"),
            ("character", "a cat\ndog\n"),
        ] {
            assert_eq!(found(key, text), expected, "{text}");
        }
        for (key, text) in [
            ("other", "a\nb"),
            ("names", "{0: 'a'}"),
            ("names", "{1: 'a', 0: 'b'}"),
            ("names", "{0: 'a', 1: 'b"),
            ("names", "{0: é, 1: é}"),
            ("labels", "[1, 2]"),
        ] {
            assert_eq!(found(key, text), None, "{text}");
        }
    }

    #[test]
    fn equal_names_get_their_index() {
        let names = ["crane", "husky", "crane", ""].map(String::from).to_vec();
        assert_eq!(told_apart(names), ["crane (0)", "husky", "crane (2)", "(3)"]);
        let names = ["crane (1)", "crane", "crane"].map(String::from).to_vec();
        assert_eq!(told_apart(names), ["crane (1) (0)", "crane (1) (1)", "crane (2)"]);
    }
}

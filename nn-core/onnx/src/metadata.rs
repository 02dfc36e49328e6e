//! What a file says of its model beside the graph. What we write has the keys of our own model file, `model.safetensors`:
//!
//! ```text
//! nn.version        1, the version of these entries
//! nn.classes        the classes' names in the outputs' order, as JSON
//! nn.image_size     height x width of the images, as in 256x256
//! nn.preprocessing  what is done to pixels before the model's input, as JSON
//! nn.resize         how images get their size, as in `squash` or `crop bicubic 0.95`: see [`Resize`]
//! nn.output         what the file gives: logits, probabilities, or values
//! nn.output_kind    what logits become: softmax or sigmoid; linear for values
//! ```
//!
//! Of what others write the names of classes are read, where there are as many as classes.

use crate::literal;
use crate::refusal::{Refusal, Result};
use nn_core::data::Resize;
use nn_core::layers::OutputKind;
use nn_core::model::{Model, Preprocessing};
use std::collections::BTreeMap;

/// The entries of a file.
pub type Metadata = BTreeMap<String, String>;

pub const VERSION: &str = "nn.version";
pub const CLASSES: &str = "nn.classes";
pub const IMAGE_SIZE: &str = "nn.image_size";
pub const PREPROCESSING: &str = "nn.preprocessing";
pub const RESIZE: &str = "nn.resize";
pub const OUTPUT: &str = "nn.output";
pub const OUTPUT_KIND: &str = "nn.output_kind";

/// The version of these entries.
pub const OWN_VERSION: &str = "1";

/// Where others keep the names of classes: Ultralytics a dictionary of Python in `names`, EdgeFirst a list in `labels`,
/// PaddleOCR lines in `character`.
const FOREIGN: [&str; 5] = ["classes", "class_names", "labels", "names", "character"];

/// Whether we wrote the file.
///
/// # Errors
/// If it was a later version.
pub fn is_ours(metadata: &Metadata) -> Result<bool> {
    match metadata.get(VERSION).map(String::as_str) {
        None => Ok(false),
        Some(OWN_VERSION) => Ok(true),
        Some(other) => Err(Refusal::new(
            format!("its metadata have {VERSION} {other:?}, and {OWN_VERSION} is known"),
            "read it with a newer version of this program",
        )),
    }
}

fn not_understood(key: &str, text: &str) -> Refusal {
    let start: String = text.chars().take(200).collect();
    let problem = format!("its metadata have {key} {start:?}, which cannot be understood");
    Refusal::new(problem, "take the entry out of the file, or write it as the documentation says")
}

/// The preprocessing, in JSON or by the name of a preset, and how images get their size.
///
/// # Errors
/// If an entry is there and cannot be understood.
pub fn preprocessing(metadata: &Metadata) -> Result<(Option<Preprocessing>, Option<Resize>)> {
    let written = |text: &String| {
        let preset = Preprocessing::preset(text).ok();
        let read = || serde_json::from_str(text).ok();
        preset.or_else(read).ok_or_else(|| not_understood(PREPROCESSING, text))
    };
    let mode = |text: &String| text.parse().map_err(|_| not_understood(RESIZE, text));
    let preprocessing = metadata.get(PREPROCESSING).map(written).transpose()?;
    Ok((preprocessing, metadata.get(RESIZE).map(mode).transpose()?))
}

/// What the outputs mean.
///
/// # Errors
/// If it is none of the words that are known.
pub fn output_kind(metadata: &Metadata) -> Result<Option<OutputKind>> {
    let Some(text) = metadata.get(OUTPUT_KIND) else { return Ok(None) };
    let kinds = [OutputKind::Softmax, OutputKind::Sigmoid, OutputKind::Linear];
    let found = kinds.into_iter().find(|kind| kind.name() == text);
    found.map(Some).ok_or_else(|| not_understood(OUTPUT_KIND, text))
}

/// The names of the classes, if there are as many as the model tells apart.
pub fn class_names(metadata: &Metadata, model: &Model) -> Option<Vec<String>> {
    let names = |key: &str| {
        let text = metadata.get(key)?;
        let lines = || text.trim_end().lines().map(String::from).collect();
        literal::texts(text).or_else(|| (key == "character").then(lines))
    };
    let mut lists = std::iter::once(CLASSES).chain(FOREIGN).filter_map(names);
    lists.find(|names| names_fit(names.len(), model))
}

/// Whether these are as many names as the model tells classes apart: one sigmoid tells two.
pub fn names_fit(names: usize, model: &Model) -> bool {
    let is_one_sigmoid = model.output_kind() == OutputKind::Sigmoid && model.classes() == 1;
    names == model.classes() && names > 0 || is_one_sigmoid && names == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::layers::Dense;

    fn entries<const N: usize>(entries: [(&str, &str); N]) -> Metadata {
        entries.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn what_is_written_is_read() {
        for preset in Preprocessing::presets().map(|(name, _)| name) {
            let pixels = Preprocessing::preset(preset).unwrap();
            let text = serde_json::to_string(&pixels).unwrap();
            for text in [text.as_str(), preset] {
                let metadata = entries([(PREPROCESSING, text), (RESIZE, "crop bicubic 0.95")]);
                let (found, resize) = preprocessing(&metadata).unwrap();
                let expected: Resize = "crop bicubic 0.95".parse().unwrap();
                assert_eq!((found.as_ref(), resize), (Some(&pixels), Some(expected)));
            }
        }
        let metadata = entries([(VERSION, "1"), (OUTPUT_KIND, "sigmoid")]);
        assert_eq!(output_kind(&metadata), Ok(Some(OutputKind::Sigmoid)));
        assert_eq!(is_ours(&metadata), Ok(true));
        let foreign = entries([("preprocessing", "?"), ("output_kind", "?"), ("version", "8.3")]);
        assert_eq!(preprocessing(&foreign), Ok((None, None)));
        assert_eq!((output_kind(&foreign), is_ours(&foreign)), (Ok(None), Ok(false)));
    }

    #[test]
    fn what_is_not_understood_is_told() {
        let text = |refusal: Refusal| refusal.problem;
        let of = |key, value| entries([(key, value)]);
        let told = [
            text(preprocessing(&of(PREPROCESSING, "{}")).unwrap_err()),
            text(preprocessing(&of(RESIZE, "zoom")).unwrap_err()),
            text(output_kind(&of(OUTPUT_KIND, "maybe")).unwrap_err()),
            text(is_ours(&of(VERSION, "2")).unwrap_err()),
        ];
        for (told, part) in told.iter().zip(["{}", "zoom", "maybe", "\"2\""]) {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn class_names_count_if_there_is_one_for_each_output() {
        let names = |metadata: Metadata, classes| {
            let model = Model::builder([3]).layer(Dense::new(classes));
            class_names(&metadata, &model.output(OutputKind::Sigmoid).build(1).unwrap())
        };
        let found = Some(vec!["husky".to_owned(), "wolf".to_owned()]);
        assert_eq!(names(entries([("names", "{0: 'husky', 1: 'wolf'}")]), 2), found);
        assert_eq!(names(entries([("labels", r#"["husky", "wolf"]"#)]), 2), found);
        assert_eq!(names(entries([("character", "husky\nwolf\n")]), 2), found);
        assert_eq!(names(entries([("labels", "husky\nwolf\n")]), 2), None);
        assert_eq!(names(entries([("names", "{0: 'husky', 1: 'wolf'}")]), 3), None);
        assert_eq!(names(entries([("names", "{0: 'husky', 1: 'wolf'}")]), 1), found);
        // The first key that fits counts.
        let both = entries([("classes", "['a', 'b', 'c']"), ("names", "['husky', 'wolf']")]);
        assert_eq!(names(both, 2), found);
        assert_eq!(names(Metadata::new(), 1), None);
    }
}

//! Weights that lie in a file beside the model. The model says where, so it is not trusted: nothing outside its
//! folder is read.

use crate::proto::Entry;
use crate::refusal::{Refusal, Result};
use nn_core::files::folder_of;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

/// The files beside a model that were opened.
#[derive(Debug)]
pub struct ExternalData<'a> {
    /// The model's folder; `None` for a model that is no file.
    folder: Option<&'a Path>,
    files: HashMap<String, File>,
}

impl<'a> ExternalData<'a> {
    pub fn beside(model: &'a Path) -> Self {
        Self { folder: Some(folder_of(model)), files: HashMap::new() }
    }

    /// For a model that is no file.
    pub fn none() -> Self {
        Self { folder: None, files: HashMap::new() }
    }

    /// The `len` bytes that `entries` describe.
    pub fn read(&mut self, entries: &[Entry], len: usize) -> Result<Vec<u8>> {
        let entry = |key: &str| entries.iter().find(|entry| entry.key == key);
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(entry) => entry.value.parse::<u64>().map(Some).map_err(|_| {
                let problem = format!("the {key} of its data is {:?}, no number", entry.value);
                Refusal::new(problem, "the file is damaged; export the model again")
            }),
        };
        let Some(location) = entry("location").map(|entry| entry.value.as_str()) else {
            let problem = "its numbers lie in another file, without a place";
            return Err(Refusal::new(problem, "the file is damaged; export the model again"));
        };
        let (offset, said) = (number("offset")?.unwrap_or(0), number("length")?);
        if let Some(said) = said.filter(|&said| said != len as u64) {
            let problem =
                format!("its shape needs {len} bytes of {location:?}, which gives {said}");
            return Err(Refusal::new(problem, "the file is damaged; export the model again"));
        }
        let unreadable = |error: std::io::Error| {
            Refusal::new(
                format!("its numbers cannot be read from {location:?}: {error}"),
                "put the file with the weights beside the model, under the name it had at export",
            )
        };
        let file = self.file(location)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if offset.checked_add(len as u64).is_none_or(|end| end > size) {
            let problem =
                format!("{location:?} has {size} bytes, but {len} are to be read from {offset} on");
            return Err(Refusal::new(problem, "the file is cut off; copy it again"));
        }
        file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    fn file(&mut self, location: &str) -> Result<&mut File> {
        if !self.files.contains_key(location) {
            let file = self.open(location)?;
            self.files.insert(location.to_owned(), file);
        }
        self.files.get_mut(location).ok_or_else(|| escapes(location))
    }

    /// Opens a file of the model's folder, or below it.
    fn open(&self, location: &str) -> Result<File> {
        let Some(folder) = self.folder else {
            let problem = format!("its numbers lie in {location:?}, but the model is no file");
            return Err(Refusal::new(problem, "read it from its path"));
        };
        let relative = Path::new(location);
        let is_inside =
            |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if location.is_empty() || !relative.components().all(is_inside) {
            return Err(escapes(location));
        }
        let missing = |error: std::io::Error| {
            Refusal::new(
                format!(
                    "its numbers lie in {location:?} beside the model, which cannot be opened: {error}"
                ),
                "copy the file with the weights together with the model",
            )
        };
        // A link may lead elsewhere.
        let folder = folder.canonicalize().map_err(missing)?;
        let path = folder.join(relative).canonicalize().map_err(missing)?;
        if !path.starts_with(&folder) || !path.is_file() {
            return Err(escapes(location));
        }
        File::open(path).map_err(missing)
    }
}

fn escapes(location: &str) -> Refusal {
    Refusal::new(
        format!(
            "its numbers are said to lie in {location:?}, which is no file in the model's folder"
        ),
        "do not trust this file; a model's weights lie beside it",
    )
}

//! Matches the file names of a table with the images of a folder.

use nn_core::data::relative;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The images of a folder, indexed by the forms in which a table may name them.
pub(super) struct Files {
    /// The paths relative to the folder, with forward slashes.
    names: Vec<String>,
    paths: Index,
    /// Paths without extensions.
    stems: Index,
    /// File names without folders.
    bare: Index,
    bare_stems: Index,
}

/// The indices of the images with a name.
type Index = HashMap<String, Vec<usize>>;

impl Files {
    pub fn new(root: &Path, images: &[PathBuf]) -> Self {
        let names: Vec<String> = images.iter().map(|image| relative(root, image)).collect();
        let index = |name: fn(&str) -> &str| {
            let mut index = Index::new();
            for (i, path) in names.iter().enumerate() {
                index.entry(name(path).to_string()).or_default().push(i);
            }
            index
        };
        Self {
            paths: index(|path| path),
            stems: index(without_extension),
            bare: index(last),
            bare_stems: index(|path| without_extension(last(path))),
            names,
        }
    }

    /// An image's path relative to the folder.
    pub fn name(&self, image: usize) -> &str {
        &self.names[image]
    }

    /// The image that `cell` names: by its path relative to the folder or to a parent of the folder, else
    /// by its file name alone; with or without extension. `None` if there is no such image.
    ///
    /// # Errors
    /// If it names several images.
    pub fn find(&self, cell: &str) -> Result<Option<usize>, String> {
        let cell = cell.replace('\\', "/");
        let cell = cell.trim_start_matches("./").trim_start_matches('/');
        let starts = std::iter::once(0).chain(cell.match_indices('/').map(|(at, _)| at + 1));
        for start in starts {
            for index in [&self.paths, &self.stems] {
                if let Some(found) = index.get(&cell[start..]) {
                    return self.only(cell, found).map(Some);
                }
            }
        }
        for index in [&self.bare, &self.bare_stems] {
            if let Some(found) = index.get(last(cell)) {
                return self.only(cell, found).map(Some);
            }
        }
        Ok(None)
    }

    fn only(&self, cell: &str, found: &[usize]) -> Result<usize, String> {
        match found {
            [one] => Ok(*one),
            several => Err(format!(
                "{cell} may be {} or {}; give the path below the folder, with its extension",
                self.names[several[0]],
                self.names[several.get(1).copied().unwrap_or(several[0])]
            )),
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path without the extension of its file name, if there is one.
fn without_extension(path: &str) -> &str {
    let name = path.len() - last(path).len();
    match path[name..].rfind('.') {
        Some(dot) if dot > 0 => &path[..name + dot],
        _ => path,
    }
}

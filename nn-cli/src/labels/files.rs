//! Which image of a folder a table means.

use nn_core::data::relative;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The images of a folder by all that they may be called.
pub(super) struct Files {
    /// Their paths below the folder, with forward slashes.
    names: Vec<String>,
    paths: Index,
    /// Without their extensions.
    stems: Index,
    /// Without the folders they lie in.
    bare: Index,
    bare_stems: Index,
}

/// Which images have a name.
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

    /// An image's path below the folder.
    pub fn name(&self, image: usize) -> &str {
        &self.names[image]
    }

    /// The image that `cell` means: by its path below the folder, or that from further up, then by its name
    /// alone; with its extension or without.
    ///
    /// # Errors
    /// If it may be one of several.
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

/// A path without the extension of its last name, if that has one.
fn without_extension(path: &str) -> &str {
    let name = path.len() - last(path).len();
    match path[name..].rfind('.') {
        Some(dot) if dot > 0 => &path[..name + dot],
        _ => path,
    }
}

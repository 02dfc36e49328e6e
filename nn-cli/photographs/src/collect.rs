//! Copies wanted photographs from a folder or an archive into staged folders, matched by checksum.

use crate::archive::{read_files, unusable};
use crate::limits::Limits;
use crate::manifest::{Checksum, Entry, checksum};
use crate::progress::Progress;
use nn_core::{Error, Result};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A photograph that is wanted.
pub struct WantedFile<'a> {
    /// Its line of the manifest.
    pub entry: &'a Entry,
    /// The path to write it to.
    pub path: PathBuf,
}

/// Copies the wanted files out of one source.
pub struct Collector<'a> {
    files: Vec<WantedFile<'a>>,
    /// Indices into `files` by checksum: several where the same photograph was published more than once.
    by_checksum: HashMap<Checksum, Vec<usize>>,
    written: Vec<bool>,
    /// Files of the source that have a wanted file's path but different content.
    changed: Vec<String>,
    progress: &'a mut dyn FnMut(Progress) -> Result<()>,
}

impl<'a> Collector<'a> {
    /// Prepares to collect `files`. `progress` is called during [`Self::collect`] and stops it by returning
    /// an error.
    pub fn new(
        files: Vec<WantedFile<'a>>,
        progress: &'a mut dyn FnMut(Progress) -> Result<()>,
    ) -> Self {
        let mut by_checksum = HashMap::<_, Vec<_>>::new();
        for (index, file) in files.iter().enumerate() {
            by_checksum.entry(file.entry.checksum).or_default().push(index);
        }
        let written = vec![false; files.len()];
        Self { files, by_checksum, written, changed: Vec::new(), progress }
    }

    /// Writes all wanted files from `source`, a folder or an archive; errors name `origin`.
    ///
    /// # Errors
    /// If the source cannot be read, exceeds `limits` or lacks a wanted file; if the disk is full; and any
    /// error of `progress`.
    pub fn collect(mut self, source: &Path, origin: &Path, limits: &Limits) -> Result<()> {
        let extensions: Vec<String> =
            self.files.iter().filter_map(|file| extension(&file.entry.path)).collect();
        let wanted = |name: &str| extension(name).is_some_and(|own| extensions.contains(&own));
        read_files(source, origin, limits, &wanted, &mut |name, content| {
            self.take(name, &content)
        })?;
        let missing: Vec<&str> = self
            .files
            .iter()
            .zip(&self.written)
            .filter_map(|(file, written)| (!written).then_some(file.entry.path.as_str()))
            .collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let changed = match self.changed.first() {
            Some(name) => format!("; {} with another content, such as {name}", self.changed.len()),
            None => String::new(),
        };
        let (count, all) = (missing.len(), self.files.len());
        let problem = format!("lacks {count} of the {all} photographs, such as {first}{changed}");
        Err(unusable(origin, problem))
    }

    /// Writes `content` to every wanted path with its checksum; `name` is used for messages only.
    fn take(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let Some(indices) = self.by_checksum.get(&checksum(content)) else {
            if self.files.iter().any(|file| is_suffix(name, &file.entry.path)) {
                self.changed.push(name.to_owned());
            }
            return Ok(());
        };
        for &index in indices {
            if !self.written[index] {
                write_synced(&self.files[index].path, content)?;
                self.written[index] = true;
            }
        }
        let files = self.written.iter().filter(|written| **written).count();
        (self.progress)(Progress::Unpacking { files, total: self.files.len() })
    }
}

/// A name's extension in lower case.
fn extension(name: &str) -> Option<String> {
    Some(Path::new(name).extension()?.to_str()?.to_ascii_lowercase())
}

/// Whether `name` ends with `path` as whole components: `top/a/b.jpg` ends with `a/b.jpg`, but `aa/b.jpg`
/// does not.
fn is_suffix(name: &str, path: &str) -> bool {
    name.strip_suffix(path).is_some_and(|above| above.is_empty() || above.ends_with('/'))
}

fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(Error::io("write", path))
}

//! A folder and everything below it: images, subfolders, and skipped entries.
//!
//! Files are judged by their names and, where these are not conclusive, by their first bytes (`file_kind`).
//! Hidden entries and files that operating systems create are ignored. Output of `nn-cli` is skipped.

use super::file_kind;
use super::own_output;
use super::passed_over::{Collector, Reason};
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

/// The content of a folder.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub path: PathBuf,
    /// The images directly in it, sorted as byte strings.
    pub images: Vec<PathBuf>,
    /// Its subfolders, sorted as byte strings.
    pub folders: Vec<Tree>,
    /// Whether it is a symbolic link to a folder.
    linked: bool,
    /// Its description, if `nn-cli` wrote it; its content is then not read.
    own: Option<&'static str>,
    passed_over: Vec<(PathBuf, Reason)>,
}

impl Tree {
    /// Reads the folder `path`. Symbolic links to folders are followed on the first `links` levels,
    /// unless they lead to a folder that contains them.
    ///
    /// # Errors
    /// If it, or a folder below it, cannot be read.
    pub fn read(path: &Path, links: usize) -> Result<Self> {
        Self::read_named(path, links, names(path)?)
    }

    fn read_named(path: &Path, links: usize, names: Vec<(OsString, FileType)>) -> Result<Self> {
        let mut tree = Self { path: path.to_path_buf(), ..Self::default() };
        for (name, kind) in names {
            let (path, linked) = (path.join(name), kind.is_symlink());
            let target = if linked { fs::metadata(&path).ok() } else { None };
            let kind = target.map_or(kind, |target| target.file_type());
            if kind.is_dir() && linked && (links == 0 || leads_back(&path)) {
                tree.passed_over.push((path, Reason::Link));
            } else if kind.is_dir() {
                tree.folders.push(Self { linked, ..Self::read_below(&path, links)? });
            } else if kind.is_file() {
                match file_kind::no_image(&path) {
                    None => tree.images.push(path),
                    Some(reason) => tree.passed_over.push((path, reason)),
                }
            } else if kind.is_symlink() && file_kind::is_image(&path) {
                // A broken link with the name of an image is an unreadable image.
                tree.images.push(path);
            } else {
                let reason = if kind.is_symlink() { Reason::DeadLink } else { Reason::Special };
                tree.passed_over.push((path, reason));
            }
        }
        Ok(tree)
    }

    /// Reads a subfolder.
    fn read_below(path: &Path, links: usize) -> Result<Self> {
        let names = names(path)?;
        match own_output::folder(|mark| names.iter().any(|(name, _)| name == mark)) {
            Some(own) => Ok(Self { path: path.to_path_buf(), own: Some(own), ..Self::default() }),
            None => Self::read_named(path, links.saturating_sub(1), names),
        }
    }

    /// Its name, with invalid Unicode replaced.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether there is an image in it, at any depth. Linked subfolders are not counted, since
    /// their content does not belong to a class.
    pub fn has_images(&self) -> bool {
        let in_folder = |folder: &Self| !folder.linked && folder.has_images();
        !self.images.is_empty() || self.folders.iter().any(in_folder)
    }

    /// Whether it contains class folders: folders with images.
    pub fn has_classes(&self) -> bool {
        self.folders.iter().any(Self::has_images)
    }

    /// Its subfolders with images.
    pub fn filled(&self) -> impl Iterator<Item = &Self> {
        self.folders.iter().filter(|folder| folder.has_images())
    }

    /// Whether it is empty.
    pub fn is_void(&self) -> bool {
        self.images.is_empty() && self.folders.is_empty() && self.passed_over.is_empty()
    }

    /// Whether it contains output of `nn-cli`, which explains why there are no images.
    fn holds_own(&self) -> bool {
        let own = |(_, reason): &(PathBuf, Reason)| *reason == Reason::OwnPicture;
        self.own.is_some()
            || self.passed_over.iter().any(own)
            || self.folders.iter().any(Self::holds_own)
    }

    /// Reports the skipped entries directly in it, without those of its subfolders.
    pub fn tell_own(&mut self, collector: &mut Collector) {
        for (path, reason) in self.passed_over.drain(..) {
            match reason {
                Reason::Link => collector.folder(&path, reason),
                reason => collector.file(&path, reason),
            }
        }
    }

    /// All its images, those directly in it before those of its subfolders; reports the skipped
    /// entries. If it has no images, the folder itself is reported with the reason `empty`.
    pub fn into_images(mut self, collector: &mut Collector, empty: Reason) -> Vec<PathBuf> {
        let mut images = Vec::new();
        if let Some(own) = self.own {
            collector.folder(&self.path, Reason::OwnFolder(own));
        } else if !self.has_images() && !self.holds_own() {
            collector.folder(&self.path, empty);
            self.take_into(&mut images, collector, false);
        } else {
            self.take_into(&mut images, collector, true);
        }
        images
    }

    fn take_into(
        &mut self,
        images: &mut Vec<PathBuf>,
        collector: &mut Collector,
        tell_empty: bool,
    ) {
        self.tell_own(collector);
        images.append(&mut self.images);
        for mut folder in self.folders.drain(..) {
            if let Some(own) = folder.own {
                collector.folder(&folder.path, Reason::OwnFolder(own));
            } else if folder.linked {
                collector.folder(&folder.path, Reason::Link);
            } else {
                let told = tell_empty && !folder.has_images() && !folder.holds_own();
                if told {
                    collector.folder(&folder.path, Reason::Empty);
                }
                folder.take_into(images, collector, tell_empty && !told);
            }
        }
    }
}

/// The entries of a folder, without the ignored ones, sorted as byte strings.
fn names(folder: &Path) -> Result<Vec<(OsString, FileType)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let name = entry.file_name();
        if !file_kind::is_junk(&name) {
            let kind = entry.file_type().map_err(Error::io("read", &entry.path()))?;
            names.push((name, kind));
        }
    }
    names.sort_by(|(a, _), (b, _)| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    Ok(names)
}

/// Whether a link leads to a folder that contains it.
fn leads_back(link: &Path) -> bool {
    let place = link.parent().map(Path::canonicalize);
    match (link.canonicalize(), place) {
        (Ok(target), Some(Ok(place))) => place.starts_with(target),
        _ => false,
    }
}

//! Writes a repaired split, in which duplicates are in the same split.

use crate::StudyError;
use crate::run_folder;
use nn_core::Error;
use nn_core::audit::{Item, Listing, Part, Report, repaired};
use nn_core::data::split_file::{self, SPLIT_FILE};
use nn_core::files::write_atomically;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The output format of a repaired split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairAs {
    /// A table for `train --split`.
    Manifest,
    /// A folder with `train/` and `test/` that contains copies of the images.
    Copy,
    /// The same folder with hard links instead of copies.
    Hardlink,
}

/// The result of a repair.
pub struct Repaired {
    /// The table to train with.
    pub table: PathBuf,
    /// The folder to train on, if one was written.
    pub folder: Option<PathBuf>,
    /// The number of images that moved to another split.
    pub moved: usize,
}

/// Fails if `out` exists already: checked before an audit, which may take long.
///
/// # Errors
/// If `out` exists.
pub fn check_free(out: &Path) -> Result<(), StudyError> {
    if out.symlink_metadata().is_ok() {
        return Err(Error::file(out, "exists already", "choose another --repair").into());
    }
    Ok(())
}

/// Fails if a class has lost all its training or test images. This may happen because a group of duplicates
/// that is spread over splits moves to training as a whole.
fn check_complete(
    listing: &Listing,
    unreadable: &HashSet<&str>,
    kept: &[(&Item, &str, Part)],
) -> Result<(), StudyError> {
    let readable = listing.items.iter().filter(|item| !unreadable.contains(item.file.as_str()));
    let had: HashSet<(Part, usize)> =
        readable.filter_map(|item| Some((item.part?, item.label?))).collect();
    let has: HashSet<(Part, usize)> =
        kept.iter().filter_map(|(item, _, part)| Some((*part, item.label?))).collect();
    for (part, name) in [(Part::Test, "test"), (Part::Train, "training")] {
        let is_lost = |label: usize| had.contains(&(part, label)) && !has.contains(&(part, label));
        let classes = listing.classes.iter().enumerate();
        let lost: Vec<&str> =
            classes.filter(|(label, _)| is_lost(*label)).map(|(_, class)| class.as_str()).collect();
        if !lost.is_empty() {
            return Err(StudyError::failed(format!(
                "the repaired split would have no {name} images of {}: all of them have copies in other \
                 splits, and no image without a copy can take their place; add images of such classes, or \
                 remove copies by hand",
                lost.join(", ")
            )));
        }
    }
    Ok(())
}

/// Writes the repaired split of `listing` to `out`, without the images that cannot be read or have no
/// class.
///
/// # Errors
/// If the folder has no split, a class would lose its training or test images, `out` exists, or a file
/// cannot be written.
pub fn write(
    listing: &Listing,
    report: &Report,
    seed: u64,
    out: &Path,
    how: RepairAs,
) -> Result<Repaired, StudyError> {
    if let Some(problem) = &listing.problem {
        return Err(StudyError::failed(format!(
            "nothing to repair, for there is no split: {problem}"
        )));
    }
    check_free(out)?;
    let unreadable: HashSet<&str> = report.unreadable().collect();
    let is_readable = |item: &Item| !unreadable.contains(item.file.as_str());
    let parts = repaired(&listing.items, &report.groups, is_readable, seed);
    // Images without a class cannot be trained on.
    let class = |item: &Item| Some(listing.classes[item.label?].as_str());
    let kept: Vec<(&Item, &str, Part)> = listing
        .items
        .iter()
        .zip(&parts)
        .filter_map(|(item, part)| Some((item, class(item)?, (*part)?)))
        .collect();
    check_complete(listing, &unreadable, &kept)?;
    let moved = kept.iter().filter(|(item, _, part)| item.part != Some(*part)).count();
    let row = |file: String, class: &str, part: Part| (file, class.to_string(), part.name());
    if how == RepairAs::Manifest {
        let rows = kept.iter().map(|(item, class, part)| row(item.file.clone(), class, *part));
        let table = split_file::table(rows)?;
        write_atomically(out, |file| file.write_all(&table))?;
        return Ok(Repaired { table: out.to_path_buf(), folder: None, moved });
    }
    let stage = run_folder::stage(out, false)?;
    let (mut names, mut rows) = (Names::default(), Vec::new());
    let has_validation = listing.folders.iter().any(|folder| folder.part == Part::Validation);
    for (item, class, part) in kept {
        let half = match part {
            Part::Test => "test",
            Part::Validation if has_validation => "val",
            // Without a folder for validation, the table assigns validation images from train/.
            Part::Train | Part::Validation => "train",
        };
        let name = names.free(&format!("{half}/{class}"), &item.path);
        let within = stage.folder().folder(half)?.folder(class)?;
        match how {
            RepairAs::Hardlink => within.hard_link(&name, &item.path)?,
            _ => within.copy(&name, &item.path)?,
        }
        rows.push(row(format!("{half}/{class}/{name}"), class, part));
    }
    let table = split_file::table(rows)?;
    stage.folder().write(SPLIT_FILE, table)?;
    let folder = stage.commit()?.path().to_path_buf();
    Ok(Repaired { table: folder.join(SPLIT_FILE), folder: Some(folder), moved })
}

/// The file names used in the new folders. Names that differ only in case are the same on some file
/// systems.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// For each name that was requested several times, the number of requests so far.
    wanted: HashMap<String, usize>,
}

impl Names {
    /// The file's own name, or the first of `NAME-2`, `NAME-3`, ... that is unused in the folder.
    fn free(&mut self, folder: &str, path: &Path) -> String {
        let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let (own, stem) = (text(path.file_name()), text(path.file_stem()));
        let extension =
            path.extension().map_or_else(String::new, |e| format!(".{}", text(Some(e))));
        let key = |name: &str| format!("{folder}/{name}").to_lowercase();
        let count = self.wanted.entry(key(&own)).or_default();
        loop {
            *count += 1;
            let name = match *count {
                1 => own.clone(),
                i => format!("{stem}-{i}{extension}"),
            };
            if self.taken.insert(key(&name)) {
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Names;
    use std::path::Path;

    #[test]
    fn names_differ_in_more_than_case() {
        let mut names = Names::default();
        let mut free = |folder: &str, name: &str| names.free(folder, Path::new(name));
        assert_eq!(free("train/cat", "x/Tom.JPG"), "Tom.JPG");
        assert_eq!(free("train/cat", "y/tom.jpg"), "tom-2.jpg");
        assert_eq!(free("train/Cat", "TOM.jpg"), "TOM-3.jpg");
        assert_eq!(free("test/cat", "tom.jpg"), "tom.jpg");
        assert_eq!(free("train/cat", "tom-4.jpg"), "tom-4.jpg");
        assert_eq!(free("train/cat", "tom.jpg"), "tom-5.jpg");
        assert_eq!([free("train/cat", "scan"), free("train/cat", "scan")], ["scan", "scan-2"]);
    }
}

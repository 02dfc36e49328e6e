//! Writing a split in which no copies are divided.

use crate::args::RepairAs;
use crate::failure::Failure;
use crate::run_folder::RunFolder;
use crate::split_file::{self, SPLIT_FILE};
use nn_core::Error;
use nn_core::audit::{Item, Listing, Part, Report, repaired};
use nn_core::files::write_atomically;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What a repair did.
pub struct Repaired {
    /// The table to train with.
    pub table: PathBuf,
    /// The folder to train on, if one was made.
    pub folder: Option<PathBuf>,
    /// Images that changed their split.
    pub moved: usize,
}

/// Refuses a split in which a class has no training or no test images any more: a group of copies that is
/// divided goes to training whole.
fn check_complete(
    listing: &Listing,
    unreadable: &HashSet<&str>,
    kept: &[(&Item, &str, Part)],
) -> Result<(), Failure> {
    for (part, name) in [(Part::Test, "test"), (Part::Train, "training")] {
        let lost: Vec<&str> = listing
            .classes
            .iter()
            .enumerate()
            .filter(|(label, class)| {
                let had = |item: &&Item| {
                    item.label == Some(*label)
                        && item.part == Some(part)
                        && !unreadable.contains(item.file.as_str())
                };
                let has = kept.iter().any(|(_, of, to)| of == class && *to == part);
                listing.items.iter().any(|item| had(&item)) && !has
            })
            .map(|(_, class)| class.as_str())
            .collect();
        if !lost.is_empty() {
            return Err(Failure::failed(format!(
                "the repaired split would have no {name} images of {}: all of them have copies in other \
                 splits, and no image without a copy can take their place; add images of such classes, or \
                 remove copies by hand",
                lost.join(", ")
            )));
        }
    }
    Ok(())
}

/// Writes the repaired split of `listing` to `out`, without the images that cannot be read.
///
/// # Errors
/// If the folder cannot be split at all, a class would lose its training or test images, `out` is there
/// already, or a file cannot be written.
pub fn write(
    listing: &Listing,
    report: &Report,
    seed: u64,
    out: &Path,
    how: RepairAs,
) -> Result<Repaired, Failure> {
    if let Some(problem) = &listing.problem {
        return Err(Failure::failed(format!(
            "nothing to repair, for there is no split: {problem}"
        )));
    }
    if out.exists() {
        return Err(Error::file(out, "exists already", "choose another --repair").into());
    }
    let parts = repaired(&listing.items, &report.groups, seed);
    let unreadable: HashSet<&str> = report.unreadable().collect();
    // Nobody can train on an image without a class.
    let class = |item: &Item| Some(listing.classes[item.label?].as_str());
    let kept: Vec<(&Item, &str, Part)> = listing
        .items
        .iter()
        .zip(&parts)
        .filter(|(item, _)| !unreadable.contains(item.file.as_str()))
        .filter_map(|(item, part)| Some((item, class(item)?, (*part)?)))
        .collect();
    check_complete(listing, &unreadable, &kept)?;
    let moved = kept.iter().filter(|(item, _, part)| item.part != Some(*part)).count();
    let row = |file: String, class: &str, part: Part| (file, class.to_string(), part.name());
    if how == RepairAs::Manifest {
        let rows = kept.iter().map(|(item, class, part)| row(item.file.clone(), class, *part));
        let table = split_file::table(rows).map_err(Failure::failed)?;
        write_atomically(out, |file| file.write_all(&table))?;
        return Ok(Repaired { table: out.to_path_buf(), folder: None, moved });
    }
    let folder = RunFolder::begin(out, false)?;
    let (mut taken, mut rows) = (HashSet::new(), Vec::new());
    let has_validation = listing.folders.iter().any(|folder| folder.part == Part::Validation);
    for (item, class, part) in kept {
        let half = match part {
            Part::Test => "test",
            Part::Validation if has_validation => "val",
            // Without a folder of their own, they are taken out of train/ by the table.
            Part::Train | Part::Validation => "train",
        };
        let name = free_name(&item.path, |name| taken.insert((half, item.label, name.to_string())));
        let within = folder.draft().folder(half)?.folder(class)?;
        within.place(&name, &item.path, how == RepairAs::Hardlink)?;
        rows.push(row(format!("{half}/{class}/{name}"), class, part));
    }
    let table = split_file::table(rows).map_err(Failure::failed)?;
    folder.draft().write(SPLIT_FILE, table)?;
    let folder = folder.finish()?;
    Ok(Repaired { table: folder.join(SPLIT_FILE), folder: Some(folder), moved })
}

/// The file's own name, or the first of `NAME-2`, `NAME-3`, ... that `take` accepts.
fn free_name(path: &Path, mut take: impl FnMut(&str) -> bool) -> String {
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, extension) = (text(path.file_stem()), text(path.extension()));
    let numbered = |i: usize| match i {
        1 => format!("{stem}.{extension}"),
        i => format!("{stem}-{i}.{extension}"),
    };
    (1..).map(numbered).find(|name| take(name)).unwrap_or_default()
}

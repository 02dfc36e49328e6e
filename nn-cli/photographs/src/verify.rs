//! Compares folders with the published sets: every file present, unchanged, and no other image.
//!
//! An additional image counts as much as a missing one, because training would use it. Other files
//! (a licence, a note) and anything in dot-folders do not, because image folders skip them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nn_core::data::is_image;
use nn_core::{Error, Result};
use rayon::prelude::*;
use serde::Serialize;

use crate::manifest::{Checksum, Manifest, checksum};
use crate::state::SetState;

/// One set compared with the manifest. Paths are relative to the set's folder, with forward slashes.
#[derive(Clone, Debug, Serialize)]
pub struct SetReport {
    /// The set's name.
    pub name: String,
    /// The folder that was checked.
    pub path: PathBuf,
    /// The verdict.
    #[serde(rename = "kind")]
    pub state: SetState,
    /// How many files the manifest lists.
    pub files: usize,
    /// How many of them are present and match.
    pub ok: usize,
    /// Listed files that are missing.
    pub missing: Vec<String>,
    /// Listed files whose content differs.
    pub changed: Vec<String>,
    /// Images and folders that are not listed (folders end in `/`).
    pub extra: Vec<String>,
}

/// All sets of a data root compared with the manifest.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The data root.
    pub root: PathBuf,
    /// One entry per set, in the manifest's order.
    pub sets: Vec<SetReport>,
}

impl VerifyReport {
    /// Whether every set matches the published one.
    pub fn is_complete(&self) -> bool {
        self.sets.iter().all(|set| set.state == SetState::Published)
    }
}

/// Compares every set under the data root `root` with the manifest. A missing root or set is not an error:
/// all its files are reported missing, and its state is absent.
///
/// # Errors
/// If a file or folder exists but cannot be read.
pub fn verify(manifest: &Manifest, root: &Path) -> Result<VerifyReport> {
    let sets = manifest
        .sets()
        .into_iter()
        .map(|name| verify_set(manifest, name, &root.join(name)))
        .collect::<Result<_>>()?;
    Ok(VerifyReport { root: root.to_path_buf(), sets })
}

/// Compares the folder `dir` with the set `name`.
///
/// # Errors
/// If a file or folder exists but cannot be read.
pub fn verify_set(manifest: &Manifest, name: &str, dir: &Path) -> Result<SetReport> {
    enum Found {
        Ok,
        Missing,
        Changed,
    }
    let entries: Vec<_> = manifest.set(name).collect();
    // Files are hashed in parallel; the results keep the manifest's order.
    let found: Vec<Found> = entries
        .par_iter()
        .map(|entry| {
            let path = dir.join(entry.path_in_set());
            match fs::read(&path) {
                Ok(bytes) if checksum(&bytes) == entry.checksum => Ok(Found::Ok),
                Ok(_) => Ok(Found::Changed),
                Err(error) => match error.kind() {
                    ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(Found::Missing),
                    ErrorKind::IsADirectory => Ok(Found::Changed),
                    _ => Err(Error::io("read", &path)(error)),
                },
            }
        })
        .collect::<Result<_>>()?;
    let (mut ok, mut missing, mut changed) = (0, Vec::new(), Vec::new());
    for (entry, found) in entries.iter().zip(found) {
        match found {
            Found::Ok => ok += 1,
            Found::Missing => missing.push(entry.path_in_set().to_owned()),
            Found::Changed => changed.push(entry.path_in_set().to_owned()),
        }
    }
    let extra = extra_in(manifest, name, dir)?;
    let state = if !dir.exists() {
        SetState::Absent
    } else if ok > 0 && ok == entries.len() && extra.is_empty() {
        SetState::Published
    } else {
        SetState::Different
    };
    Ok(SetReport {
        name: name.to_owned(),
        path: dir.to_path_buf(),
        state,
        files: entries.len(),
        ok,
        missing,
        changed,
        extra,
    })
}

/// Which published set the folder `dir` contains, whatever its name; `None` if it contains none, or if it
/// cannot be read completely.
///
/// Sets may have the same file names and differ only in content, so each file is hashed once and compared
/// with every set that lists it.
pub fn identify(dir: &Path) -> Option<&'static str> {
    let manifest = Manifest::published();
    let has_its_files = |name: &str| {
        manifest.set(name).all(|entry| dir.join(entry.path_in_set()).is_file())
            && extra_in(manifest, name, dir).is_ok_and(|extra| extra.is_empty())
    };
    let candidates: Vec<&str> =
        manifest.sets().into_iter().filter(|name| has_its_files(name)).collect();
    let listed = candidates.iter().flat_map(|name| manifest.set(name));
    let files: BTreeSet<&str> = listed.map(|entry| entry.path_in_set()).collect();
    let hash = |file: &&'static str| Some((*file, checksum(&fs::read(dir.join(file)).ok()?)));
    let hashes: HashMap<&str, Checksum> =
        files.into_iter().collect::<Vec<_>>().par_iter().map(hash).collect::<Option<_>>()?;
    let matches = |name: &str| manifest.set(name).all(|e| hashes[e.path_in_set()] == e.checksum);
    candidates.into_iter().find(|name| matches(name))
}

/// The images and folders below `dir` that the manifest does not list for the set, sorted.
fn extra_in(manifest: &Manifest, name: &str, dir: &Path) -> Result<Vec<String>> {
    let files: HashSet<&str> = manifest.set(name).map(|entry| entry.path_in_set()).collect();
    let mut folders = HashSet::from([""]);
    for file in &files {
        folders.extend(file.match_indices('/').map(|(at, _)| &file[..at]));
    }

    let mut extra = Vec::new();
    let mut waiting = vec![String::new()];
    while let Some(folder) = waiting.pop() {
        let path = dir.join(&folder);
        let listing = match fs::read_dir(&path) {
            Ok(listing) => listing,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                continue;
            }
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        for item in listing {
            let item = item.map_err(Error::io("read", &path))?;
            let file_name = item.file_name().to_string_lossy().into_owned();
            let separator = if folder.is_empty() { "" } else { "/" };
            let relative = format!("{folder}{separator}{file_name}");
            // Follows links, as reading the images does.
            if item.path().is_dir() {
                if folders.contains(relative.as_str()) {
                    waiting.push(relative);
                } else if !file_name.starts_with('.') {
                    extra.push(relative + "/");
                }
            } else if !files.contains(relative.as_str()) && is_image(&item.path()) {
                extra.push(relative);
            }
        }
    }
    extra.sort();
    Ok(extra)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{photographs, small_set};

    #[test]
    fn a_faithful_copy_is_published_and_every_difference_is_named() {
        let small = small_set();
        let dir = tempfile::tempdir().unwrap();
        let absent = verify(&small.manifest, dir.path()).unwrap();
        assert!(!absent.is_complete());
        assert_eq!((absent.sets[0].state, absent.sets[0].missing.len()), (SetState::Absent, 2));

        small.write_to(dir.path());
        fs::write(dir.path().join("swap/LICENSE"), "not an image").unwrap();
        fs::create_dir(dir.path().join("swap/.cache")).unwrap();
        let report = verify(&small.manifest, dir.path()).unwrap();
        assert!(report.is_complete(), "{report:?}");
        assert_eq!((report.sets[0].ok, report.sets[1].ok), (2, 3));

        fs::write(dir.path().join("leaky/train/a/a_1.jpg"), "other").unwrap();
        fs::remove_file(dir.path().join("leaky/train/b/b_1.jpg")).unwrap();
        fs::write(dir.path().join("leaky/train/b/more.PNG"), "").unwrap();
        fs::create_dir(dir.path().join("leaky/train/c")).unwrap();
        let report = verify(&small.manifest, dir.path()).unwrap();
        assert_eq!(report.sets[0].state, SetState::Published);
        let leaky = &report.sets[1];
        assert_eq!((leaky.name.as_str(), leaky.state, leaky.ok), ("leaky", SetState::Different, 1));
        assert_eq!(leaky.changed, ["train/a/a_1.jpg"]);
        assert_eq!(leaky.missing, ["train/b/b_1.jpg"]);
        assert_eq!(leaky.extra, ["train/b/more.PNG", "train/c/"]);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["sets"][1]["kind"], "folder");
        assert_eq!(serde_json::to_value(SetState::Absent).unwrap(), "stand-in");
    }

    #[test]
    fn one_extra_image_makes_it_a_folder() {
        let small = small_set();
        let dir = tempfile::tempdir().unwrap();
        small.write_to(dir.path());
        fs::write(dir.path().join("swap/a/again.jpg"), "x").unwrap();
        let swap = verify_set(&small.manifest, "swap", &dir.path().join("swap")).unwrap();
        assert_eq!((swap.ok, swap.state), (swap.files, SetState::Different));
    }

    #[test]
    fn a_name_that_was_never_published_is_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let kind =
            |name: &str, dir: &Path| verify_set(Manifest::published(), name, dir).unwrap().state;
        assert_eq!(kind("mine", dir.path()), SetState::Different);
        assert_eq!(kind("same_backgrounds", &dir.path().join("none")), SetState::Absent);
        assert_eq!(identify(dir.path()), None);
        assert_eq!(identify(&dir.path().join("none")), None);
    }

    #[test]
    fn the_photographs_are_recognised_under_any_name() {
        let Some(root) = photographs() else { return };
        let start = std::time::Instant::now();
        let report = verify(Manifest::published(), &root).unwrap();
        println!("240 photographs in {:?}", start.elapsed());
        assert!(report.is_complete(), "{report:?}");
        for name in Manifest::published().sets() {
            assert_eq!(identify(&root.join(name)), Some(name));
        }
        // The two training sets have the same file names; only the content tells them apart.
        let other = verify_set(
            Manifest::published(),
            "different_backgrounds",
            &root.join("same_backgrounds"),
        );
        assert_eq!(other.unwrap().state, SetState::Different);
    }
}

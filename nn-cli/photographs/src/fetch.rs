//! Fetches the published photographs and puts them in place, set by set.
//!
//! Invariants for every source, also if a fetch is interrupted at any point:
//! - a file is written only if its checksum is in the manifest, and under the manifest's path, not
//!   the archive's;
//! - a set appears under its final name only when all wanted sets are complete and synced to the disk
//!   (see `nn_staging`), so a partial set is never visible;
//! - a download is kept in `ROOT/.fetch`, which afterwards contains one that can be resumed, or is removed.

use crate::collect::{Collector, WantedFile};
use crate::download;
use crate::fetch_folder::FetchFolder;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::progress::Progress;
use crate::source::{Source, default_url};
use crate::state::SetState;
use crate::verify::{SetReport, verify_set};
use nn_core::{Error, Result};
use nn_staging::{Policy, Stage};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// What to fetch, from where to where.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// The data root; created if it is missing.
    pub root: PathBuf,
    /// Where the photographs come from.
    pub source: Source,
    /// The sets wanted; all if empty.
    pub sets: Vec<String>,
    /// Whether a folder in a set's place that is not that set may be replaced.
    pub overwrite: bool,
    /// Limits on what the source may send.
    pub limits: Limits,
}

impl FetchOptions {
    /// Fetches all sets into `root` from the published archive and replaces nothing.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            source: Source::Default,
            sets: Vec::new(),
            overwrite: false,
            limits: Limits::default(),
        }
    }
}

/// What happened to a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was there already, all checksums matching.
    AlreadyThere,
    /// It was put in place.
    Fetched,
    /// It was put in place of another folder.
    Replaced,
}

/// A set that is in place now.
#[derive(Clone, Debug, Serialize)]
pub struct FetchedSet {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// The number of its files.
    pub files: usize,
    /// What happened to it.
    pub outcome: Outcome,
}

/// What [`fetch()`] did.
#[derive(Clone, Debug, Serialize)]
pub struct FetchReport {
    /// The data root.
    pub root: PathBuf,
    /// The address, folder or archive; `None` if nothing was needed from it.
    pub source: Option<String>,
    /// Size of the download, if there was one.
    pub downloaded_bytes: Option<u64>,
    /// How much of it an earlier run had downloaded.
    pub resumed_from: Option<u64>,
    /// The sets asked for, all of them in place.
    pub sets: Vec<FetchedSet>,
}

/// Puts those sets of `manifest` in place that `options` asks for. `progress` is called during the work and
/// stops it by returning an error, which is returned unchanged.
///
/// Sets that match the published ones are left alone; if all match, the source is not used.
///
/// # Errors
/// If a set is unknown, a folder in a set's place is not that set and `overwrite` is not set, or the source
/// cannot be read or reached, is rejected (see `archive`), or lacks a file of a wanted set; no set has
/// changed then. If a folder cannot be written; each set is then either complete or unchanged.
pub fn fetch(
    manifest: &Manifest,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<FetchReport> {
    let root = options.root.as_path();
    if let Source::Url(url) = &options.source {
        download::parse_url(url)?;
    }
    let names = wanted_sets(manifest, &options.sets)?;
    let there = |sets: &[FetchedSet]| sets.iter().all(|set| set.outcome == Outcome::AlreadyThere);
    let mut sets = Vec::new();
    for name in names {
        sets.push(plan(manifest, options, name)?);
    }
    // If there is nothing to fetch, the data root may be read-only.
    if there(&sets) {
        return Ok(untouched(root, sets));
    }
    let folder = FetchFolder::open(root)?;
    // Another fetch may have finished before this one locked the folder.
    for set in sets.iter_mut().filter(|set| set.outcome != Outcome::AlreadyThere) {
        *set = plan(manifest, options, &set.name)?;
    }
    let mut report = untouched(root, sets);
    if there(&report.sets) {
        return Ok(report);
    }

    let mut get = |url: String| {
        let download = download::download(&url, folder.path(), &options.limits, progress)?;
        Ok((download.path.clone(), PathBuf::from(url), Some(download)))
    };
    let (path, origin, downloaded) = match &options.source {
        Source::Default => get(default_url())?,
        Source::Url(url) => get(url.clone())?,
        Source::Path(path) => (path.clone(), path.clone(), None),
    };
    let mut stages = Vec::new();
    let mut files = Vec::new();
    for set in report.sets.iter().filter(|set| set.outcome != Outcome::AlreadyThere) {
        let stage = open_stage(set)?;
        files.extend(manifest.set(&set.name).map(|entry| WantedFile {
            entry,
            path: stage.folder().path().join(entry.path_in_set()),
        }));
        stages.push(stage);
    }
    let unpacked = Collector::new(files, progress).collect(&path, &origin, &options.limits);
    if let Err(Error::File { .. }) = &unpacked
        && downloaded.is_some()
    {
        // The archive itself is bad, so resuming its download would fail again.
        download::discard(folder.path());
    }
    unpacked?;
    for stage in stages {
        stage.commit()?;
    }
    if let Some(download) = &downloaded {
        report.downloaded_bytes = Some(download.bytes);
        report.resumed_from = (download.resumed_from > 0).then_some(download.resumed_from);
        download::discard(folder.path());
    }
    report.source = Some(origin.display().to_string());
    Ok(report)
}

fn wanted_sets<'a>(manifest: &'a Manifest, asked: &[String]) -> Result<Vec<&'a str>> {
    let all = manifest.sets();
    if let Some(unknown) = asked.iter().find(|name| !all.contains(&name.as_str())) {
        let known = format!("one of {}", all.join(", "));
        return Err(Error::setting(
            "the set to fetch",
            known,
            unknown,
            "name one of these, or none",
        ));
    }
    let wanted = |name: &&str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    Ok(all.into_iter().filter(wanted).collect())
}

/// Decides what to do about the set `name`, given what is in its place.
fn plan(manifest: &Manifest, options: &FetchOptions, name: &str) -> Result<FetchedSet> {
    let report = verify_set(manifest, name, &options.root.join(name))?;
    let outcome = match report.state {
        SetState::Published => Outcome::AlreadyThere,
        // Replacing an empty folder loses nothing.
        SetState::Different if is_empty(&report.path) => Outcome::Fetched,
        SetState::Different if options.overwrite => Outcome::Replaced,
        SetState::Different => return Err(in_the_way(&report)),
        SetState::Absent => Outcome::Fetched,
    };
    let (name, path, files) = (report.name, report.path, report.files);
    Ok(FetchedSet { name, path, files, outcome })
}

/// Opens the stage from which a set is put in place.
fn open_stage(set: &FetchedSet) -> Result<Stage> {
    let policy = match set.outcome {
        // The user asked for it with `overwrite`.
        Outcome::Replaced => Policy::ReplaceFolder { may_replace: |_| Ok(()) },
        _ => Policy::NewFolder,
    };
    Stage::open(&set.path, policy, "replace it with --overwrite")
}

/// The report of a fetch that used no source.
fn untouched(root: &Path, sets: Vec<FetchedSet>) -> FetchReport {
    let root = root.to_path_buf();
    FetchReport { root, source: None, downloaded_bytes: None, resumed_from: None, sets }
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut listing| listing.next().is_none())
}

fn in_the_way(set: &SetReport) -> Error {
    let problem = format!(
        "is there, but is not the published set ({} of {} files match, {} missing, {} changed, {} \
         more than published)",
        set.ok,
        set.files,
        set.missing.len(),
        set.changed.len(),
        set.extra.len()
    );
    Error::file(&set.path, problem, "move it away, or replace it with --overwrite")
}

#[cfg(test)]
mod tests;

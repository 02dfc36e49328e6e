//! Gets the published photographs and puts them in place, set by set.
//!
//! Invariants, whatever the source and wherever it stops:
//! - a file is written only if its checksum is in the manifest, and under the manifest's path, not
//!   the archive's;
//! - a set appears under its final name by one rename of a complete, synced folder, so a partial
//!   set never lies there;
//! - all else happens in `ROOT/.fetch`, which afterwards holds a resumable download or is gone.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use nn_core::{Error, Result};
use serde::Serialize;

use crate::archive::{read_files, unusable};
use crate::download;
use crate::kind::Kind;
use crate::limits::Limits;
use crate::manifest::{Checksum, Entry, Manifest, checksum};
use crate::progress::Progress;
use crate::source::{Source, default_url};
use crate::staging::Staging;
use crate::verify::{SetReport, verify_set};

/// What to fetch, from where to where.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// The data root; made if need be.
    pub root: PathBuf,
    /// Where the photographs come from.
    pub source: Source,
    /// The sets wanted; all if empty.
    pub sets: Vec<String>,
    /// Whether a folder that is in a set's place but is not that set may be replaced.
    pub overwrite: bool,
    /// Bounds on what the source may do.
    pub limits: Limits,
}

impl FetchOptions {
    /// All sets into `root` from the published archive, replacing nothing.
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

/// What became of a set.
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
    /// What became of it.
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
    /// How much of it was there from an earlier run.
    pub resumed_from: Option<u64>,
    /// The sets asked for, all of them in place.
    pub sets: Vec<FetchedSet>,
}

/// Puts the sets of `manifest` that `options` asks for in place. `progress` is told how far it is
/// and stops it by returning an error, which comes back unchanged.
///
/// Sets that are there as published are left alone; if all are, the source is not touched.
///
/// # Errors
/// An unknown set; a folder in a set's place that is not it, without `overwrite`; a source that
/// cannot be read or reached, is refused (see `archive`), or lacks a file of a wanted set. Then no
/// set changed. A folder that cannot be written; then each set is wholly there or as it was.
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
    // Asked first, because a data root that needs nothing may well be read-only, and again once
    // it is ours, because what a killed fetch had moved away may have come back.
    let sets = plan(manifest, options, &names)?;
    if there(&sets) {
        return Ok(untouched(root, sets));
    }
    let work = Staging::open(root)?;
    let mut report = untouched(root, plan(manifest, options, &names)?);
    if there(&report.sets) {
        return Ok(report);
    }
    let open = |set: &&FetchedSet| set.outcome != Outcome::AlreadyThere;
    let needed: Vec<&FetchedSet> = report.sets.iter().filter(open).collect();

    let mut get = |url: String| {
        let download = download::download(&url, &work.dir, &options.limits, progress)?;
        Ok((download.path.clone(), PathBuf::from(url), Some(download)))
    };
    let (path, origin, downloaded) = match &options.source {
        Source::Default => get(default_url())?,
        Source::Url(url) => get(url.clone())?,
        Source::Path(path) => (path.clone(), path.clone(), None),
    };
    let wanted = |entry: &&Entry| needed.iter().any(|set| set.name == entry.set());
    let staging = work.staging();
    let mut collector =
        Collector::new(manifest.entries().iter().filter(wanted).collect(), staging, progress);
    let unpacked = collector.collect(&path, &origin, &options.limits);
    if let Err(Error::File { .. }) = &unpacked
        && downloaded.is_some()
    {
        // The archive itself is bad, so going on with it another time would fail again.
        download::discard(&work.dir);
    }
    unpacked?;
    for set in &needed {
        work.install(&set.name, set.outcome == Outcome::Replaced)?;
    }
    if let Some(download) = &downloaded {
        report.downloaded_bytes = Some(download.bytes);
        report.resumed_from = (download.resumed_from > 0).then_some(download.resumed_from);
        download::discard(&work.dir);
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

/// What is to become of each set, given what is in its place.
fn plan(manifest: &Manifest, options: &FetchOptions, names: &[&str]) -> Result<Vec<FetchedSet>> {
    let mut sets = Vec::new();
    for name in names {
        let report = verify_set(manifest, name, &options.root.join(name))?;
        let outcome = match report.kind {
            Kind::Published => Outcome::AlreadyThere,
            // An empty folder holds nothing anyone would miss.
            Kind::Folder if is_empty(&report.path) => Outcome::Fetched,
            Kind::Folder if options.overwrite => Outcome::Replaced,
            Kind::Folder => return Err(in_the_way(&report)),
            Kind::Synthetic => Outcome::Fetched,
        };
        let (name, path, files) = (report.name, report.path, report.files);
        sets.push(FetchedSet { name, path, files, outcome });
    }
    Ok(sets)
}

/// The report of a fetch that took nothing from its source.
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

/// Gathers the wanted files of a source in the staging folder.
struct Collector<'a> {
    entries: Vec<&'a Entry>,
    /// A photograph that was published twice is found once and put in both places.
    by_checksum: HashMap<Checksum, Vec<usize>>,
    placed: Vec<bool>,
    /// Files that bear a wanted file's path, but not its content.
    changed: Vec<String>,
    staging: PathBuf,
    progress: &'a mut dyn FnMut(Progress) -> Result<()>,
}

impl<'a> Collector<'a> {
    fn new(
        entries: Vec<&'a Entry>,
        staging: PathBuf,
        progress: &'a mut dyn FnMut(Progress) -> Result<()>,
    ) -> Self {
        let mut by_checksum = HashMap::<_, Vec<_>>::new();
        for (index, entry) in entries.iter().enumerate() {
            by_checksum.entry(entry.checksum).or_default().push(index);
        }
        let placed = vec![false; entries.len()];
        Self { entries, by_checksum, placed, changed: Vec::new(), staging, progress }
    }

    /// Stages all wanted files, or fails.
    fn collect(&mut self, path: &Path, origin: &Path, limits: &Limits) -> Result<()> {
        let extensions: Vec<String> = self.entries.iter().filter_map(|e| ending(&e.path)).collect();
        let wanted = |name: &str| ending(name).is_some_and(|ending| extensions.contains(&ending));
        read_files(path, origin, limits, &wanted, &mut |name, content| self.take(name, &content))?;
        let missing: Vec<&str> = self
            .entries
            .iter()
            .zip(&self.placed)
            .filter_map(|(entry, placed)| (!placed).then_some(entry.path.as_str()))
            .collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let changed = match self.changed.first() {
            Some(name) => format!("; {} with another content, such as {name}", self.changed.len()),
            None => String::new(),
        };
        let (count, all) = (missing.len(), self.entries.len());
        let problem = format!("lacks {count} of the {all} photographs, such as {first}{changed}");
        Err(unusable(origin, problem))
    }

    /// Stages `content` wherever its checksum belongs; `name` matters for the error alone.
    fn take(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let Some(places) = self.by_checksum.get(&checksum(content)) else {
            if self.entries.iter().any(|entry| is_suffix(name, &entry.path)) {
                self.changed.push(name.to_owned());
            }
            return Ok(());
        };
        for &place in places {
            if !self.placed[place] {
                write_synced(&self.staging.join(&self.entries[place].path), content)?;
                self.placed[place] = true;
            }
        }
        let files = self.placed.iter().filter(|placed| **placed).count();
        (self.progress)(Progress::Unpacking { files, total: self.entries.len() })
    }
}

/// A name's extension in lower case.
fn ending(name: &str) -> Option<String> {
    Some(Path::new(name).extension()?.to_str()?.to_ascii_lowercase())
}

/// Whether `name` ends in the whole of `path`: `top/a/b.jpg` in `a/b.jpg`, `aa/b.jpg` not.
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

#[cfg(test)]
mod tests;

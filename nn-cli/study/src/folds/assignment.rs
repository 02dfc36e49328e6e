//! Which image is in which fold, drawn from a set or read from a table.

use super::together::Together;
use crate::config::{FoldsConfig, RunConfig};
use crate::training::read_split;
use crate::{ImageSet, Observer, StudyError, audit, format};
use nn_core::Error;
use nn_core::audit::{Divided, Item, Listing, subjects_apart};
use nn_core::data::{DisjointSets, Grouped, Part, Sample, split_file};
use nn_core::files::read_limited;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The table in the folder of a cross-validation: the fold of each image, and its group.
pub const FOLDS_FILE: &str = "folds.csv";

/// The columns of the table.
const HEADER: [&str; 4] = ["file", "label", "group", "fold"];

/// The largest table that is read, in bytes: a line for each of a million images.
const MAX_BYTES: u64 = 256 << 20;

/// The name of what an image belongs to, by its path: images with the same name stay together.
pub type Names = HashMap<PathBuf, String>;

/// The images of a cross-validation, in their order.
pub struct Assignment {
    /// The images, sorted by class and path.
    pub images: Vec<Assigned>,
    /// The number of folds.
    pub folds: usize,
    /// Images that cannot be read, which are in no fold.
    pub skipped: Vec<(String, usize)>,
}

/// An image in a fold.
pub struct Assigned {
    /// Its file and class.
    pub sample: Sample,
    /// Its file, relative to the set's folder.
    pub file: String,
    /// Its group: the place of the first image of it.
    pub group: usize,
    /// Its fold, counted from 0.
    pub fold: usize,
}

impl Assignment {
    /// Divides the images of `set` that are not for the test into folds. Copies stay together, and so do images that
    /// have the same name in one of `names`.
    ///
    /// # Errors
    /// If the images cannot be divided ([`Grouped::folds`]), or the observer stops it.
    pub fn draw(
        set: &ImageSet,
        config: &RunConfig,
        settings: &FoldsConfig,
        names: &[Names],
        observer: &dyn Observer,
    ) -> Result<Self, StudyError> {
        let all = to_fold(set, config, observer)?;
        let listing = listing(set, &all);
        let found = audit::examine(&listing, config.fit.seed, config.alpha_background, observer)?;
        let mut sets = DisjointSets::new(all.len());
        found.groups.iter().enumerate().for_each(|(i, &root)| sets.join(i, root));
        for names in names {
            let mut first: HashMap<&str, usize> = HashMap::new();
            for (i, sample) in all.iter().enumerate() {
                if let Some(name) = names.get(&sample.path) {
                    let first = *first.entry(name).or_insert(i);
                    sets.join(i, first);
                }
            }
        }
        // Where unreadable images are an error, training says which and why.
        let unreadable: HashSet<&str> =
            found.unreadable().filter(|_| config.skip_unreadable).collect();
        let (mut samples, mut files) = (Vec::new(), Vec::new());
        let (mut groups, mut skipped) = (Vec::new(), Vec::new());
        let mut first: HashMap<usize, usize> = HashMap::new();
        for (i, (sample, item)) in all.into_iter().zip(&listing.items).enumerate() {
            if unreadable.contains(item.file.as_str()) {
                skipped.push((item.file.clone(), sample.label));
                continue;
            }
            groups.push(*first.entry(sets.root(i)).or_insert(samples.len()));
            samples.push(sample);
            files.push(item.file.clone());
        }
        if !skipped.is_empty() {
            let names: Vec<&str> = skipped.iter().map(|(file, _)| file.as_str()).collect();
            observer.warn(&format!("skipped, as they cannot be read: {}", names.join(", ")));
        }
        let labels: Vec<usize> = samples.iter().map(|sample| sample.label).collect();
        let grouped = Grouped { labels: &labels, groups: &groups, classes: &set.folder.classes };
        let fold = grouped.folds(settings.count, config.fit.seed)?;
        if names.is_empty() {
            let named = files.iter().map(String::as_str).zip(fold.iter().map(|fold| Some(*fold)));
            if let Some(warning) = subjects_apart(named, "fold") {
                observer.warn(&format!(
                    "{warning}; keep them together with --group-pattern or --group-column"
                ));
            }
            if found.summary.scene_images > 0 {
                observer.note(&format!(
                    "note: {} share a scene or a template with others, without being copies, and are divided \
                     like all images (`nn-cli audit` shows them; --group-pattern keeps such images together)",
                    format::plural(found.summary.scene_images as u64, "image")
                ));
            }
        }
        let assigned = samples.into_iter().zip(files).zip(groups.into_iter().zip(fold));
        let assigned =
            assigned.map(|((sample, file), (group, fold))| Assigned { sample, file, group, fold });
        Ok(Self { images: assigned.collect(), folds: settings.count, skipped })
    }

    /// What was divided, in words: `5 folds of 16 images; 3 groups of images stay together (7 images)`.
    pub fn describe(&self) -> String {
        let sizes = (0..self.folds).map(|fold| self.of(fold).count());
        let (least, most) = (sizes.clone().min().unwrap_or(0), sizes.max().unwrap_or(0));
        let range = match least == most {
            true => most.to_string(),
            false => format!("{least} to {most}"),
        };
        let groups = Together::of(self.images.iter().map(|image| image.group));
        let (several, images) = groups.told();
        let together = match groups.several {
            0 => String::new(),
            1 => format!("; {several} of images that belong together is not divided ({images})"),
            _ => format!("; {several} of images that belong together are not divided ({images})"),
        };
        format!("{} folds of {range} images{together}", self.folds)
    }

    /// The images of a fold.
    pub fn of(&self, fold: usize) -> impl Iterator<Item = &Assigned> {
        self.images.iter().filter(move |image| image.fold == fold)
    }

    /// The content of [`FOLDS_FILE`].
    ///
    /// # Errors
    /// If memory cannot be allocated.
    pub fn table(&self, classes: &[String]) -> Result<Vec<u8>, StudyError> {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(HEADER).map_err(StudyError::failed)?;
        for Assigned { sample, file, group, fold } in &self.images {
            let (group, fold) = (&self.images[*group].file, (fold + 1).to_string());
            let row = [file, &classes[sample.label], group, &fold];
            table.write_record(row).map_err(StudyError::failed)?;
        }
        for (file, label) in &self.skipped {
            let row = [file, &classes[*label], file, split_file::NONE];
            table.write_record(row).map_err(StudyError::failed)?;
        }
        table.into_inner().map_err(StudyError::failed)
    }

    /// Reads the table at `path` of the images of `set`, with `folds` folds.
    ///
    /// # Errors
    /// If it cannot be read, or is not such a table of these images.
    pub fn read(path: &Path, set: &ImageSet, folds: usize) -> Result<Self, StudyError> {
        let remedy =
            "put the images and the table back as they were, or begin anew in another folder";
        let refuse = |line: usize, problem: String| {
            StudyError::from(Error::file(path, format!("line {line}: {problem}"), remedy))
        };
        let content = read_limited(path, MAX_BYTES, remedy)?;
        let mut table = csv::Reader::from_reader(&content[..]);
        if table.headers().map_err(|error| refuse(1, error.to_string()))? != HEADER[..] {
            return Err(refuse(1, format!("expected the columns {}", HEADER.join(","))));
        }
        let mut samples: HashMap<String, Sample> = set
            .folder
            .samples()
            .into_iter()
            .map(|sample| (set.relative(&sample.path), sample))
            .collect();
        let mut place: HashMap<String, usize> = HashMap::new();
        let mut images: Vec<Assigned> = Vec::new();
        let mut skipped = Vec::new();
        for (number, row) in table.records().enumerate() {
            let line = number + 2;
            let row = row.map_err(|error| refuse(line, error.to_string()))?;
            let cell = |at: usize| row.get(at).unwrap_or_default();
            let (file, label, group) = (cell(0).to_string(), cell(1), cell(2));
            let Some(sample) = samples.remove(&file) else {
                let problem = format!("{file:?} is not an image of {} any more", set.name);
                return Err(refuse(line, problem));
            };
            if set.folder.classes[sample.label] != label {
                let problem = format!("{file} is not of class {label:?} any more");
                return Err(refuse(line, problem));
            }
            if cell(3) == split_file::NONE {
                skipped.push((file, sample.label));
                continue;
            }
            let fold = cell(3).parse::<usize>().ok().filter(|fold| (1..=folds).contains(fold));
            let Some(fold) = fold else {
                let problem = format!("{:?} is no fold from 1 to {folds}", cell(3));
                return Err(refuse(line, problem));
            };
            place.insert(file.clone(), images.len());
            // The first image of a group stands before the others.
            let Some(&group) = place.get(group) else {
                return Err(refuse(line, format!("the group {group:?} is no image before it")));
            };
            images.push(Assigned { sample, file, group, fold: fold - 1 });
        }
        Ok(Self { images, folds, skipped })
    }

    /// The table of the split of a run that is tested on `fold`: of the other images, about `share` of each class
    /// validate. Images of `set` that are in no fold are left out.
    ///
    /// # Errors
    /// If the share is out of range, or memory cannot be allocated.
    pub fn split(
        &self,
        fold: usize,
        set: &ImageSet,
        share: f64,
        seed: u64,
    ) -> Result<Vec<u8>, StudyError> {
        let classes = &set.folder.classes;
        let others: Vec<&Assigned> =
            self.images.iter().filter(|image| image.fold != fold).collect();
        let labels: Vec<usize> = others.iter().map(|image| image.sample.label).collect();
        let groups: Vec<usize> = others.iter().map(|image| image.group).collect();
        let grouped = Grouped { labels: &labels, groups: &groups, classes };
        let held = grouped.holdout(share, seed)?;
        let named = |file: String, sample: &Sample, split: &'static str| {
            (file, classes[sample.label].clone(), split)
        };
        let row =
            |image: &Assigned, part: Part| named(image.file.clone(), &image.sample, part.name());
        let used = others.iter().zip(held).map(|(image, held)| match held {
            true => row(image, Part::Validation),
            false => row(image, Part::Train),
        });
        let tested = self.of(fold).map(|image| row(image, Part::Test));
        let known: HashSet<&Path> =
            self.images.iter().map(|image| image.sample.path.as_path()).collect();
        let samples = set.folder.samples();
        let others = samples.iter().filter(|sample| !known.contains(sample.path.as_path()));
        let left = others.map(|sample| named(set.relative(&sample.path), sample, split_file::NONE));
        Ok(split_file::table(used.chain(tested).chain(left))?)
    }
}

/// The images that are divided: all but those of the test.
fn to_fold(
    set: &ImageSet,
    config: &RunConfig,
    observer: &dyn Observer,
) -> Result<Vec<Sample>, StudyError> {
    let (mut samples, left) = match &config.split {
        Some(table) => {
            let split = read_split(table, set, observer)?;
            ([split.train, split.validation].concat(), split.test.len())
        }
        None => set.folder.samples_to_fold()?,
    };
    samples.sort_by(|a, b| (a.label, &a.path).cmp(&(b.label, &b.path)));
    let classes = &set.folder.classes;
    let is_there = |class: usize| samples.iter().any(|sample| sample.label == class);
    if let Some(class) = (0..classes.len()).find(|&class| !is_there(class)) {
        let remedy = "expected images of each class that are not for the test";
        let problem = format!("class {} has no images to divide into folds", classes[class]);
        return Err(Error::file(&set.path, problem, remedy).into());
    }
    if left > 0 {
        observer.note(&format!(
            "note: {} for the test {} out of the folds",
            format::plural(left as u64, "image"),
            if left == 1 { "stays" } else { "stay" },
        ));
    }
    Ok(samples)
}

/// The images as an audit takes them.
fn listing(set: &ImageSet, samples: &[Sample]) -> Listing {
    let item = |sample: &Sample| Item {
        path: sample.path.clone(),
        file: set.relative(&sample.path),
        label: Some(sample.label),
        part: None,
    };
    Listing {
        root: set.folder.root.clone(),
        classes: set.folder.classes.clone(),
        items: samples.iter().map(item).collect(),
        divided: Divided::Nobody,
        problem: None,
        folders: Vec::new(),
        arrangement: set.folder.arrangement(),
        remarks: Vec::new(),
        passed_over: Vec::new(),
    }
}

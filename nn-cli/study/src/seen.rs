//! Which images a model's run was trained, validated and tested on. Images are identified by their content,
//! using the checksums and the split table in the run's folder.

use crate::checksum::{Checksum, checksum};
use crate::training::contents::{self, CHECKSUMS_FILE};
use crate::{Observer, run_folder, stats};
use nn_core::data::split_file::{self, SPLIT_FILE};
use nn_core::data::{Part, Sample, Split};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The images that a run used, by content.
pub struct UsedBy {
    folder: PathBuf,
    /// The split of each checksum. If the same content was used several times, the split with most
    /// influence on the model counts: training, then validation, then test.
    parts: HashMap<Checksum, Part>,
}

/// The split in which the run used each image; images unknown to the run are missing.
pub type Seen = HashMap<PathBuf, Part>;

/// Correct predictions on the images that the run was trained on, validated on, and on all others.
#[derive(Debug, Serialize)]
pub struct BySeen {
    train: Share,
    validation: Share,
    others: Share,
}

#[derive(Debug, Default, Serialize)]
struct Share {
    n: usize,
    correct: usize,
}

impl UsedBy {
    /// Reads what the run used whose model is at `model`; `None` if the model is not in a run's folder.
    /// Warns if the run's tables cannot be read.
    pub fn of(model: &Path, observer: &dyn Observer) -> Option<Self> {
        let folder = run_folder::of_model(model)?;
        let table = folder.join(SPLIT_FILE);
        match parts_by_content(&table, &folder.join(CHECKSUMS_FILE)) {
            Ok(parts) => Some(Self { folder, parts }),
            Err(error) => {
                observer.warn(&format!(
                    "it is not known which images the model was trained on: {error}"
                ));
                None
            }
        }
    }

    /// The split in which the run used each of these images. Unknown and unreadable files are missing.
    pub fn seen(&self, samples: &[Sample]) -> Seen {
        let part = |sample: &Sample| {
            let sum = checksum(&sample.path).ok()?;
            Some((sample.path.clone(), *self.parts.get(&sum)?))
        };
        samples.par_iter().filter_map(part).collect()
    }

    /// From all images of a folder without split, those that the run was neither trained nor validated on,
    /// with a name for them. Returns all images if the run has seen none of them or all.
    pub fn unseen(
        &self,
        samples: Vec<Sample>,
        observer: &dyn Observer,
    ) -> (&'static str, Vec<Sample>, Seen) {
        let seen = self.seen(&samples);
        let of = |part: Part| samples.iter().filter(|s| seen.get(&s.path) == Some(&part)).count();
        let (trained, validated) = (of(Part::Train), of(Part::Validation));
        let left = samples.len() - trained - validated;
        if trained + validated == 0 || left == 0 {
            return ("all", samples, seen);
        }
        observer.note(&format!(
            "note: {trained} of these images trained {} and {validated} validated it; measured on the other \
             {left} (--split all takes all)",
            self.name(),
        ));
        let name = if of(Part::Test) == left { "test" } else { "unseen" };
        let is_new =
            |s: &Sample| !matches!(seen.get(&s.path), Some(Part::Train | Part::Validation));
        (name, samples.into_iter().filter(is_new).collect(), seen)
    }

    /// The images that the run used for `part`; `None` if the run does not know all of `samples`.
    pub fn divided(&self, samples: &[Sample], part: Part) -> Option<(Vec<Sample>, Seen)> {
        let seen = self.seen(samples);
        let all = samples.iter().all(|sample| seen.contains_key(&sample.path));
        let of = |sample: &&Sample| seen.get(&sample.path) == Some(&part);
        all.then(|| (samples.iter().filter(of).cloned().collect(), seen.clone()))
    }

    /// The images in the run's split, without those it does not know.
    pub fn split(&self, samples: &[Sample]) -> Split {
        let seen = self.seen(samples);
        let of = |part: Part| {
            let of_part = samples.iter().filter(|sample| seen.get(&sample.path) == Some(&part));
            of_part.cloned().collect()
        };
        Split { train: of(Part::Train), validation: of(Part::Validation), test: of(Part::Test) }
    }

    /// The path of the run's folder, as text.
    pub fn name(&self) -> String {
        self.folder.display().to_string()
    }
}

/// The split of each checksum, from a run's split table and its checksums; of several splits the one with
/// most influence: training before validation before test.
fn parts_by_content(table: &Path, checksums: &Path) -> nn_core::Result<HashMap<Checksum, Part>> {
    let by_file: HashMap<String, Part> = split_file::parts(table)?
        .into_iter()
        .map(|(file, part)| (contents::escaped(&file).1, part))
        .collect();
    let mut parts = HashMap::new();
    for (sum, file) in contents::read(checksums)? {
        if let Some(&part) = by_file.get(&file) {
            parts
                .entry(sum)
                .and_modify(|known: &mut Part| *known = part.min(*known))
                .or_insert(part);
        }
    }
    Ok(parts)
}

impl BySeen {
    /// Counts predictions by the split in which the run used each image.
    pub fn count<'a>(answers: impl Iterator<Item = (&'a Path, bool)>, seen: &Seen) -> Self {
        let mut counts = Self {
            train: Share::default(),
            validation: Share::default(),
            others: Share::default(),
        };
        for (path, is_right) in answers {
            let share = match seen.get(path) {
                Some(Part::Train) => &mut counts.train,
                Some(Part::Validation) => &mut counts.validation,
                Some(Part::Test) | None => &mut counts.others,
            };
            share.n += 1;
            share.correct += usize::from(is_right);
        }
        counts
    }

    /// A suffix for the name of the images in a title.
    pub fn title(&self) -> String {
        match (self.train.n, self.validation.n + self.others.n) {
            (0, _) => String::new(),
            (_, 0) => ", all of them seen in training".into(),
            (n, _) => format!(", {n} of them seen in training"),
        }
    }

    /// The accuracy on each group, if there are several and one of them was trained on.
    pub fn lines(&self) -> Option<String> {
        let told = |(name, share): (&str, &Share)| {
            let accuracy = stats::accuracy(share.correct as u64, share.n as u64);
            (share.n > 0).then(|| format!("  {name:<22} {accuracy}\n"))
        };
        let kinds = [
            ("seen in training", &self.train),
            ("seen in validation", &self.validation),
            ("others", &self.others),
        ];
        let lines: Vec<String> = kinds.into_iter().filter_map(told).collect();
        (self.train.n > 0 && lines.len() > 1).then(|| format!("\n{}", lines.concat()))
    }

    /// A warning if some of the images were trained on, so that the accuracy says little about new images;
    /// none if the user asked for training images (`asked`).
    pub fn warning(&self, run: &str, asked: bool) -> Option<String> {
        let all = self.train.n + self.validation.n + self.others.n;
        (self.train.n > 0 && !asked).then(|| {
            format!(
                "{} of these {all} images were in the training of {run}: what it scores on them does not say \
                 how it does on new ones",
                self.train.n,
            )
        })
    }
}

//! Which of the images that a model is measured on were used to make it. They are recognised by their contents,
//! from the tables that the model's run wrote.

use crate::training::contents::{self, CHECKSUMS_FILE, Checksum, checksum};
use crate::{Observer, run_folder, stats};
use nn_core::data::split_file::{self, SPLIT_FILE};
use nn_core::data::{Part, Sample, Split};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What a run used which image for.
pub struct UsedBy {
    folder: PathBuf,
    /// By checksum; of an image that was there several times what taught most.
    parts: HashMap<Checksum, Part>,
}

/// The images of which it is known what the run used them for.
pub type Seen = HashMap<PathBuf, Part>;

/// How many are right of those the run was trained on, validated on, and of all others.
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
    /// The run whose model lies at `model`; none if it lies in no run's folder. Says so if its table does
    /// not tell.
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

    /// What the run used these images for, of those it knows. Files that cannot be read are known to nobody.
    pub fn seen(&self, samples: &[Sample]) -> Seen {
        let part = |sample: &Sample| {
            let sum = checksum(&sample.path).ok()?;
            Some((sample.path.clone(), *self.parts.get(&sum)?))
        };
        samples.par_iter().filter_map(part).collect()
    }

    /// Of all images of a folder that is not split, those the run has not seen, and what they are called; all,
    /// if it has seen none or all.
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

    /// The images that the run used for `part`, where it knows all of them; none if it does not.
    pub fn divided(&self, samples: &[Sample], part: Part) -> Option<(Vec<Sample>, Seen)> {
        let seen = self.seen(samples);
        let all = samples.iter().all(|sample| seen.contains_key(&sample.path));
        let of = |sample: &&Sample| seen.get(&sample.path) == Some(&part);
        all.then(|| (samples.iter().filter(of).cloned().collect(), seen.clone()))
    }

    /// The images as the run divided them, without those it does not know.
    pub fn split(&self, samples: &[Sample]) -> Split {
        let seen = self.seen(samples);
        let of = |part: Part| {
            let of_part = samples.iter().filter(|sample| seen.get(&sample.path) == Some(&part));
            of_part.cloned().collect()
        };
        Split { train: of(Part::Train), validation: of(Part::Validation), test: of(Part::Test) }
    }

    /// Its folder, for people.
    pub fn name(&self) -> String {
        self.folder.display().to_string()
    }
}

/// What a run used each content for, by its table and its checksums; of one that was there several times what
/// taught most: training before validation before test.
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
    /// Counts answers by what the run used each image for.
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

    /// What follows the name of the images in a title.
    pub fn title(&self) -> String {
        match (self.train.n, self.validation.n + self.others.n) {
            (0, _) => String::new(),
            (_, 0) => ", all of them seen in training".into(),
            (n, _) => format!(", {n} of them seen in training"),
        }
    }

    /// The accuracy on each kind, if there are several and one of them was trained on.
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

    /// That a number on such images is no measure, if so; `asked` if training images were asked for.
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

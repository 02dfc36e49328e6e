//! What was found, for people and as JSON.

use super::candidates::Candidate;
use super::matching::Matching;
use super::ranking::Score;
use crate::failure::Failure;
use crate::ui::Console;
use nn_study::stats::Interval;
use nn_study::{ImageSet, format};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// How many ways the table has at least; those that cannot be told from the best are all in it.
const SHOWN: usize = 8;

/// What was found.
pub struct Found<'a> {
    pub set: &'a ImageSet,
    pub model: &'a Path,
    pub classes: &'a [String],
    pub matching: &'a Matching,
    pub candidates: &'a [Candidate],
    pub scores: &'a [Score],
    /// Indices of candidates, the best first.
    pub order: &'a [usize],
    /// Those that cannot be told from the best, in order.
    pub near: &'a [usize],
    pub images: usize,
    /// The accuracy of guessing, if right answers are known.
    pub chance: Option<f64>,
}

/// The result, as printed by `--json`.
#[derive(Serialize)]
pub struct Report<'a> {
    model: &'a Path,
    dataset: &'a str,
    n: usize,
    /// The classes of the model for each folder; empty where none matches.
    folders: BTreeMap<&'a str, Vec<&'a str>>,
    /// Whether classes were known, so that accuracy and cross-entropy are.
    labelled: bool,
    /// Whether the best is better than guessing.
    fits: bool,
    /// The best first.
    ways: Vec<Way>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<&'a Path>,
}

#[derive(Serialize)]
struct Way {
    /// `null` for what is said of the model already.
    options: Option<String>,
    preset: Option<&'static str>,
    channels: Option<&'static str>,
    resize: &'static str,
    interpolation: &'static str,
    accuracy: Option<f64>,
    accuracy_interval: Option<Interval>,
    cross_entropy: Option<f64>,
    cross_entropy_interval: Option<Interval>,
    /// Without labels: the mutual information of image and answer, in nats.
    information: Option<f64>,
    /// Whether it cannot be told from the best.
    as_good: bool,
}

impl Found<'_> {
    pub fn best(&self) -> &Candidate {
        &self.candidates[self.order[0]]
    }

    /// Whether the best is better than guessing, as far as that is known.
    pub fn fits(&self) -> bool {
        let accuracy = self.scores[self.order[0]].accuracy();
        match (accuracy, self.chance) {
            (Some((_, interval)), Some(chance)) => interval.low > chance,
            _ => true,
        }
    }

    fn is_as_good(&self, way: usize) -> bool {
        way == self.order[0] || self.near.contains(&way)
    }

    /// The options of a way, in words.
    fn named(&self, way: usize) -> String {
        self.candidates[way].options().unwrap_or_else(|| "(as its files say)".into())
    }

    pub fn print(&self, console: &Console) -> Result<(), Failure> {
        let labelled = self.chance.is_some();
        let images = format::plural(self.images as u64, "image");
        console.text(&format!(
            "{}, {images}, {} ways\n",
            self.set.describe(),
            self.candidates.len()
        ))?;
        let measured: &[&str] = match labelled {
            true => &["accuracy", "95 % interval", "cross-entropy", "95 % interval"],
            false => &["information", "95 % interval"],
        };
        let header: Vec<String> =
            ["options", ""].iter().chain(measured).map(|name| name.to_string()).collect();
        let shown = SHOWN.max(1 + self.near.len()).min(self.order.len());
        let rows = self.order[..shown].iter().map(|&way| {
            let score = &self.scores[way];
            let number = |value: f64| format!("{value:.3}");
            let ends = |interval: Option<Interval>, sign: f64| {
                let Some(Interval { low, high }) = interval else { return String::new() };
                let (low, high) = if sign < 0.0 { (-high, -low) } else { (low, high) };
                format!("{} to {}", number(low), number(high))
            };
            let mark = match (way == self.order[0], self.is_as_good(way)) {
                (true, _) => "best",
                (_, true) => "as good",
                _ => "",
            };
            let mut row = vec![self.named(way), mark.into()];
            match score.accuracy() {
                Some((accuracy, interval)) => row.extend([
                    format::percent(accuracy),
                    interval.to_string(),
                    number(score.cost()),
                    ends(score.cost_interval(), 1.0),
                ]),
                None => row.extend([number(-score.cost()), ends(score.cost_interval(), -1.0)]),
            }
            row
        });
        console.table(&header, rows, 2)?;
        if shown < self.order.len() {
            console.text(&format!("and {} that fit worse", self.order.len() - shown))?;
        }
        console.text(&format!("\n{}", self.verdict()))?;
        Ok(())
    }

    fn verdict(&self) -> String {
        let best = self.order[0];
        if !self.fits() {
            return format!(
                "None fits: the best is no better than guessing ({}). Are the classes of the images those of the \
                 model, in its order? Say them with --classes or --map",
                format::percent(self.chance.unwrap_or_default())
            );
        }
        let mut told = match self.candidates[best].preset {
            Some(_) => format!("Fits best: {}", self.named(best)),
            None => "Fits best: what its own file or the one beside it says already".into(),
        };
        let same = |&&way: &&usize| {
            let (a, b) = (&self.candidates[way], &self.candidates[best]);
            (a.preset, a.bgr) == (b.preset, b.bgr)
        };
        match (self.near.len(), self.near.iter().filter(same).count()) {
            (0, _) => {}
            (all, same) if all == same => {
                told += "\nHow images are resized makes no difference that these images can tell.";
            }
            (all, _) => {
                told += &format!(
                    "\nThese images cannot tell {all} other ways from it; more images may (--most-images), or what \
                     the model's makers say."
                );
            }
        }
        if self.chance.is_none() {
            told += "\nThis is weak evidence: no folder has the name of a class, so answers were compared by how much \
                     they differ from image to image, right or wrong. Name classes with --classes, or --map.";
        }
        told
    }

    pub fn report<'a>(&'a self, written: Option<&'a Path>) -> Report<'a> {
        let names = |classes: &Vec<usize>| classes.iter().map(|&i| &*self.classes[i]).collect();
        let folders = self.set.folder.classes.iter().map(String::as_str);
        let way = |&way: &usize| {
            let (candidate, score) = (&self.candidates[way], &self.scores[way]);
            let accuracy = score.accuracy();
            let labelled = accuracy.is_some();
            Way {
                options: candidate.options(),
                preset: candidate.preset,
                channels: candidate.preset.map(|_| candidate.channels()),
                resize: candidate.resize.mode.name(),
                interpolation: candidate.resize.resampling.name(),
                accuracy: accuracy.map(|accuracy| accuracy.0),
                accuracy_interval: accuracy.map(|accuracy| accuracy.1),
                cross_entropy: labelled.then(|| score.cost()),
                cross_entropy_interval: score.cost_interval().filter(|_| labelled),
                information: (!labelled).then(|| -score.cost()),
                as_good: self.is_as_good(way),
            }
        };
        Report {
            model: self.model,
            dataset: &self.set.name,
            n: self.images,
            folders: folders.zip(self.matching.classes.iter().map(names)).collect(),
            labelled: self.chance.is_some(),
            fits: self.fits(),
            ways: self.order.iter().map(way).collect(),
            written,
        }
    }
}

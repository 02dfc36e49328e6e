//! Can the class be told from the file, without looking at what it shows?
//!
//! Each fact about a file (its size, its encoding, its border, a mark, ..) is asked for each class
//! against the rest, and for all classes at once; see `permutations` for how, and how chance is kept
//! out: one p-value holds for all facts, questions and classes together. A leak is *strong* if it is no
//! chance and if its effect is worth it, *weak* if it is no chance but little is given away.
//!
//! The effect is the difference between the share of the class that a question is true of and that of
//! all other images, so it does not depend on how many images a class has. As the question was chosen
//! for being the best of many, small effects look a little larger than they are.

mod bins;
mod class_sets;
mod effect;
mod fact;
mod facts;
mod file_names;
mod mark_test;
mod marks;
mod permutations;
mod pictures;
mod sampling;
mod telling;
mod verdict;

pub use file_names::subjects_across_splits;

use super::file_facts::FileFacts;
use super::luma::Luma;
use bins::Binned;
use fact::{FILE_SIZE, GROUPS, MARK, Source};
use facts::facts;
use file_names::Names;
use mark_test::of_marks;
use permutations::{Tested, outcome};
use rayon::prelude::*;
use sampling::drawn;
use serde::Serialize;
use std::sync::OnceLock;
use telling::TestedFacts;

/// The error rate of the whole test: how often labels that mean nothing are said to show anywhere.
pub const LEVEL: f64 = 0.01;
/// The most images looked at; of more, some are drawn by the seed, all of small classes among them.
const MOST: usize = 3_000;
/// The shorter side below which the subject fills an image, in pixels.
const TINY: usize = 64;
/// The formats whose files are shorter for being compressed more.
const LOSSY: [&str; 2] = ["jpeg", "webp"];
/// Images a class must have to take part.
const LEAST_IN_CLASS: usize = 4;
/// Families of tests whose p-values are corrected for each other (Bonferroni): facts, and marks.
const FAMILIES: f64 = 2.0;
/// How much is given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// No more than chance gives.
    None,
    /// More than chance gives, but little.
    Weak,
    /// Enough to be learned instead of what the pictures show.
    Strong,
}

/// What a group of facts tells of the class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelLeak {
    /// The group: `image size`, `format`, `file size`, `mark`, `corners`, `border`, `sharpness`,
    /// `mean colour`, `tone` or `file name`.
    pub group: &'static str,
    /// Share of images whose class the best fact tells right, of all classes at once, classes counting
    /// alike.
    pub accuracy: f64,
    /// What guessing would give: one over the number of classes.
    pub chance: f64,
    /// How often shuffled labels do as well anywhere: a p-value corrected for all tests.
    pub p: f64,
    /// How much is given away.
    pub strength: Strength,
    /// Whether it is a strong leak that a network can learn from and that the subject is rarely the
    /// reason of: not `mean colour`, `tone` or `file name`.
    pub alarm: bool,
    /// Whether it should stop a pipeline: an alarm, but not of `sharpness`.
    pub gate: bool,
    /// Whether all facts of the group are the same in all images, so that there is nothing to tell.
    pub constant: bool,
    /// The class that is given away most, if any is.
    pub class: Option<String>,
    /// All classes that are given away as strongly, the most first.
    pub classes: Vec<String>,
    /// Whether `classes` have in common what all others lack, and `shares` are those of the set.
    pub as_set: bool,
    /// What is true of that class and not of others, in words.
    pub fact: String,
    /// The share of that class of which it is true, and the share of all other images.
    pub shares: [f64; 2],
    /// Their difference.
    pub effect: f64,
    /// Its 95 % interval.
    pub interval: [f64; 2],
    /// All of it in words; empty if nothing is given away.
    pub reason: String,
}

/// An image that takes part.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Its facts.
    pub facts: &'a FileFacts,
    /// Its file, below the folder.
    pub file: &'a str,
    /// Its class.
    pub label: usize,
}

/// Tests each group of facts. The images must not contain duplicates, for one tells the class of the
/// other; see [`super::Report::groups`]. `picture` is the small picture of an image. Empty if there are not two
/// classes with enough images.
pub fn test(
    images: &[Image],
    classes: &[String],
    picture: impl Fn(usize) -> Option<Luma> + Sync,
    seed: u64,
) -> Vec<LabelLeak> {
    let all_labels: Vec<usize> = images.iter().map(|image| image.label).collect();
    let everyone: Vec<usize> = (0..images.len()).collect();
    let chosen = drawn(&everyone, &all_labels, classes.len(), MOST, seed);
    let labels: Vec<usize> = chosen.iter().map(|&i| all_labels[i]).collect();
    let mut present = labels.clone();
    present.sort_unstable();
    present.dedup();
    if present.len() < 2 {
        return Vec::new();
    }
    let chosen_facts: Vec<&FileFacts> = chosen.iter().map(|&i| images[i].facts).collect();
    let files: Vec<&str> = chosen.iter().map(|&i| images[i].file).collect();
    let facts = facts(&chosen_facts, &Names::new(&files, &labels, classes));
    let binned = in_parallel(facts.len(), |number| Some((number, Binned::new(&facts[number])?)));
    let binned: Vec<(usize, Binned)> = binned.into_iter().flatten().collect();
    let tested: Vec<Tested> =
        binned.iter().map(|(_, binned)| Tested { binned, class: None }).collect();
    let found = outcome(&tested, &labels, classes.len(), (seed, 0));
    let half = chosen_facts.len() / 2;
    let count = |is: &dyn Fn(&FileFacts) -> bool| chosen_facts.iter().filter(|f| is(f)).count();
    let set = Set {
        labels: &labels,
        classes,
        chance: 1.0 / present.len() as f64,
        are_tiny: count(&|facts| facts.width.min(facts.height) < TINY) > half,
        are_lossless: count(&|facts| !LOSSY.contains(&facts.encoding.format.as_str())) > half,
    };
    let tests = TestedFacts { facts: &facts, binned: &binned, outcome: &found, set: &set };
    let leak = |group| match group {
        MARK => of_marks(images, &chosen, &picture, &set, seed),
        _ => tests.leak(group),
    };
    (0..GROUPS.len()).map(leak).collect()
}

/// What the tests of a set have in common.
struct Set<'a> {
    labels: &'a [usize],
    classes: &'a [String],
    chance: f64,
    /// Whether most images are so small that the subject fills them.
    are_tiny: bool,
    /// Whether most files are as long as what they show is intricate.
    are_lossless: bool,
}

impl Set<'_> {
    /// Whether the subject itself makes such facts differ: digits of 28 x 28 pixels reach the border in
    /// their own way, and a PNG of a one is shorter than that of an eight.
    fn is_of_the_subject(&self, group: usize) -> bool {
        match GROUPS[group].source {
            Source::Picture | Source::Mark => self.are_tiny,
            Source::File => group == FILE_SIZE && (self.are_tiny || self.are_lossless),
            Source::Name => false,
        }
    }
}

/// `f` of 0, 1, .. up to `n`, on all threads. The loop is compiled once, whatever comes out of `f`.
fn in_parallel<T: Send + Sync>(n: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    fn each(n: usize, f: &(dyn Fn(usize) + Sync)) {
        (0..n).into_par_iter().for_each(f);
    }
    let results: Vec<OnceLock<T>> = (0..n).map(|_| OnceLock::new()).collect();
    each(n, &|i| {
        results[i].get_or_init(|| f(i));
    });
    results.into_iter().filter_map(OnceLock::into_inner).collect()
}

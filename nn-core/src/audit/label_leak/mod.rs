//! Label leakage: can the class be predicted from the file, without recognising its content?
//!
//! Each fact about a file (its size, its encoding, its border, a mark, ..) is tested for each class
//! against the rest, and for all classes at once. `permutations` describes the permutation test;
//! its p-values are corrected for all facts, questions and classes together. A leak is *strong* if
//! it is significant and the effect is large, *weak* if it is significant but the effect is small.
//!
//! The effect is the difference between the shares of the class and of all other images for which a
//! question is true, so it does not depend on the sizes of the classes. Since the best of many
//! questions is selected, small effects are slightly overestimated.

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

pub use file_names::subjects_apart;

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

/// The error rate of the whole test: the probability of any leak being reported for random labels.
pub const LEVEL: f64 = 0.01;
/// The maximum number of images tested; of more, a sample is drawn by the seed, with all images of
/// small classes.
const MOST: usize = 3_000;
/// The shorter side below which the subject fills an image, in pixels.
const TINY: usize = 64;
/// The formats with lossy compression.
const LOSSY: [&str; 2] = ["jpeg", "webp"];
/// The minimum number of images of a class that is tested.
const LEAST_IN_CLASS: usize = 4;
/// The number of families of tests whose p-values are corrected for each other (Bonferroni): facts,
/// and marks.
const FAMILIES: f64 = 2.0;
/// The strength of a leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// Not significant.
    None,
    /// Significant, but small.
    Weak,
    /// Large enough for a network to learn it instead of the content of the pictures.
    Strong,
}

/// The result for a group of facts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelLeak {
    /// The group: `image size`, `format`, `file size`, `mark`, `corners`, `border`, `sharpness`,
    /// `mean colour`, `tone` or `file name`.
    pub group: &'static str,
    /// The balanced accuracy over all classes if the best fact is used to predict the class.
    pub accuracy: f64,
    /// The accuracy of guessing: one over the number of classes.
    pub chance: f64,
    /// The p-value of the permutation test, corrected for all tests.
    pub p: f64,
    /// The strength of the leak.
    pub strength: Strength,
    /// Whether it is a strong leak that a network can learn, and that the subject rarely explains:
    /// never for `mean colour`, `tone` or `file name`.
    pub alarm: bool,
    /// Whether it should stop a pipeline: an alarm, except for `sharpness`.
    pub gate: bool,
    /// Whether all facts of the group are the same in all images, so that nothing can leak.
    pub constant: bool,
    /// The class that leaks most, if any leaks.
    pub class: Option<String>,
    /// All classes that leak about as strongly, the most first.
    pub classes: Vec<String>,
    /// Whether the property is shared by all of `classes` and by no others, and `shares` are those
    /// of the set.
    pub as_set: bool,
    /// The property of that class that others lack, in words.
    pub fact: String,
    /// The share of that class that has the property, and the share of all other images.
    pub shares: [f64; 2],
    /// Their difference.
    pub effect: f64,
    /// Its 95 % confidence interval.
    pub interval: [f64; 2],
    /// A summary in words; empty if there is no leak.
    pub reason: String,
}

/// An image that is tested.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Its facts.
    pub facts: &'a FileFacts,
    /// The path of its file relative to the folder.
    pub file: &'a str,
    /// Its class.
    pub label: usize,
}

/// Tests each group of facts. The images must not contain duplicates, since one would predict the
/// class of the other; see [`super::Report::groups`]. `picture` returns the small picture of an
/// image. The result is empty if there are not two classes with enough images.
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

/// The properties of a set that all its tests need.
struct Set<'a> {
    labels: &'a [usize],
    classes: &'a [String],
    chance: f64,
    /// Whether most images are so small that the subject fills them.
    are_tiny: bool,
    /// Whether most files are compressed without loss, so that their sizes depend on the content.
    are_lossless: bool,
}

impl Set<'_> {
    /// Whether the subject itself explains differences in this group: digits of 28 x 28 pixels
    /// touch the border, and the PNG of a one is smaller than that of an eight.
    fn is_of_the_subject(&self, group: usize) -> bool {
        match GROUPS[group].source {
            Source::Picture | Source::Mark => self.are_tiny,
            Source::File => group == FILE_SIZE && (self.are_tiny || self.are_lossless),
            Source::Name => false,
        }
    }
}

/// `f` of 0, 1, .. up to `n`, computed on all threads. The parallel loop is compiled once for all `T`.
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

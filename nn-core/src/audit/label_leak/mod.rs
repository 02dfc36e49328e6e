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
mod facts;
mod file_names;
mod marks;
mod permutations;

pub use file_names::subjects_across_splits;

use super::file_facts::FileFacts;
use super::luma::Luma;
use crate::rng::Rng;
use bins::{Binned, Question};
use class_sets::{ClassSet, best_set};
use effect::{Effect, accuracy, effect};
use facts::{FILE_SIZE, Fact, GROUPS, MARK, Source, Values, facts};
use file_names::Names;
use marks::{Mark, marks};
use permutations::{Best, Outcome, Tested, outcome, tolerance};
use rayon::prelude::*;
use serde::Serialize;
use std::sync::OnceLock;

/// The error rate of the whole test: how often labels that mean nothing are said to show anywhere.
pub const LEVEL: f64 = 0.01;
/// The most images looked at; of more, some are drawn by the seed, all of small classes among them.
const MOST: usize = 3_000;
/// The most pictures in which marks are looked for.
const MOST_PICTURES: usize = 1_000;
/// The shorter side below which the subject fills an image, in pixels.
const TINY: usize = 64;
/// The formats whose files are shorter for being compressed more.
const LOSSY: [&str; 2] = ["jpeg", "webp"];
/// Images a class must have to take part.
const LEAST_IN_CLASS: usize = 4;
/// Families of tests whose p-values are corrected for each other (Bonferroni): facts, and marks.
const FAMILIES: f64 = 2.0;
/// The share of the largest effect from which on a class is given away as strongly: of those that lack
/// what one class has, each is a little.
const AS_STRONGLY: f64 = 0.6;
/// By how much more a set of classes must be given away than any class alone for the set to be told.
const SET_TELLS_MORE: f64 = 0.05;
/// The stream of the seed that images are drawn by.
const STREAM: u64 = 0x6472_6177 << 32;

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
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// Its facts.
    pub facts: &'a FileFacts,
    /// Its file, below the folder.
    pub file: &'a str,
    /// Its class.
    pub label: usize,
}

/// Tests each group of facts. The images must not contain twins, for a twin tells the class of the
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
    let mut leaks: Vec<LabelLeak> = (0..GROUPS.len())
        .filter(|&group| group != MARK)
        .map(|group| of_group(group, &facts, &binned, &found, &set))
        .collect();
    leaks.insert(MARK, of_marks(images, &chosen, picture, &set, seed));
    leaks
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

/// At most so many of `images`, in a drawn order; those of small classes are kept whole, those of too
/// small ones left out.
fn drawn(images: &[usize], labels: &[usize], classes: usize, most: usize, seed: u64) -> Vec<usize> {
    let mut counts = vec![0; classes];
    images.iter().for_each(|&i| counts[labels[i]] += 1);
    let counts: Vec<usize> =
        counts.into_iter().map(|k| if k < LEAST_IN_CLASS { 0 } else { k }).collect();
    let total = |bound: usize| counts.iter().map(|&k| k.min(bound)).sum::<usize>();
    let (mut low, mut high) = (LEAST_IN_CLASS, images.len().max(LEAST_IN_CLASS));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if total(middle) <= most { low = middle } else { high = middle - 1 }
    }
    let mut left: Vec<usize> = counts.iter().map(|&k| k.min(low)).collect();
    let mut order = images.to_vec();
    Rng::new(seed, STREAM).shuffle(&mut order);
    order.retain(|&i| {
        let take = left[labels[i]] > 0;
        left[labels[i]] -= usize::from(take);
        take
    });
    order
}

/// What must be gained for a leak to be strong: the difference between the shares, or the way from
/// chance to certainty.
fn worth(source: Source) -> f64 {
    match source {
        Source::File | Source::Mark | Source::Name => 0.15,
        // What is shown makes these differ, too.
        Source::Picture => 0.5,
    }
}

/// A fact, a question about it and a class of which it is true.
struct Telling {
    fact: usize,
    class: usize,
    question: Question,
    score: f32,
    effect: Effect,
}

fn of_group(
    group: usize,
    facts: &[Fact],
    binned: &[(usize, Binned)],
    found: &Outcome,
    set: &Set,
) -> LabelLeak {
    let source = GROUPS[group].source;
    let own: Vec<usize> =
        (0..binned.len()).filter(|&i| facts[binned[i].0].group == group).collect();
    // Of equal ones, that which is true of fewer images says more.
    let rank = |telling: &Telling| {
        let binned = &binned[telling.fact].1;
        let Telling { question, fact, .. } = *telling;
        (binned.size(question), question.not, binned.lacks(question), fact)
    };
    let better = |a: &Telling, b: &Telling| {
        let equal = (a.score - b.score).abs() <= tolerance(b.score);
        if equal { rank(a) < rank(b) } else { a.score > b.score }
    };
    let first = |all: Vec<Telling>| {
        all.into_iter().reduce(|best, next| if better(&next, &best) { next } else { best })
    };
    let material = |telling: &Telling| {
        let least = GROUPS[group].material;
        least == 0.0 || gap(&facts[binned[telling.fact].0], set.labels, telling.class) >= least
    };
    let best_of = |class: usize| {
        let told = |&fact: &usize| {
            let Best { score, question } = found.facts[fact].classes[class]?;
            let effect = effect(&binned[fact].1, question, set.labels, class);
            Some(Telling { fact, class, question, score, effect })
        };
        let (matters, little): (Vec<Telling>, Vec<Telling>) =
            own.iter().filter_map(told).partition(material);
        first(matters).map(|best| (best, true)).or_else(|| Some((first(little)?, false)))
    };
    let (matters, little): (Vec<_>, Vec<_>) =
        (0..set.classes.len()).filter_map(best_of).partition(|(_, matters)| *matters);
    let matter = !matters.is_empty();
    let told = if matter { matters } else { little };
    let mut telling: Vec<Telling> = told.into_iter().map(|(telling, _)| telling).collect();
    telling.sort_by(|a, b| b.score.total_cmp(&a.score));
    if let Some(best) = (0..telling.len())
        .reduce(|best, next| if better(&telling[next], &telling[best]) { next } else { best })
    {
        telling[..=best].rotate_right(1);
    }
    let together = own
        .iter()
        .map(|&fact| (found.facts[fact].most(), fact))
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    let (p, right) = match together {
        Some((score, fact)) => (
            (FAMILIES * found.p(score)).min(1.0),
            accuracy(&binned[fact].1, set.labels, set.classes.len()),
        ),
        None => (1.0, set.chance),
    };
    let gain = if matter { (right - set.chance) / (1.0 - set.chance) } else { 0.0 };
    let words = |telling: &Telling| {
        let (number, binned) = &binned[telling.fact];
        binned.words(telling.question, &facts[*number])
    };
    let sure = |telling: &&Telling| FAMILIES * found.p(telling.score) <= LEVEL;
    let given: Vec<&Telling> = telling
        .iter()
        .filter(sure)
        .filter(|telling| matter && telling.effect.difference >= worth(source))
        .collect();
    let best = telling.first().map(|t| (t, words(t)));
    let mut leak = leak(group, own.is_empty(), (right, gain, p), best, &given, set);
    // Only of what an image has or has not: other numbers are rarely the same in several classes.
    let told = |fact: &usize| {
        binned[*fact].1.ranks.is_none() && FAMILIES * found.p(found.facts[*fact].most()) <= LEVEL
    };
    let most = own
        .iter()
        .filter(|_| source == Source::File)
        .filter(|fact| told(fact))
        .filter_map(|&fact| Some((fact, best_set(&binned[fact].1, set.labels, set.classes.len())?)))
        .reduce(
            |best, next| {
                if next.1.effect.difference > best.1.effect.difference { next } else { best }
            },
        );
    if let Some((fact, most)) = most
        && most.effect.difference >= worth(source)
        && most.effect.difference >= leak.effect + SET_TELLS_MORE
    {
        let words = binned[fact].1.words(most.question, &facts[binned[fact].0]);
        leak.give_set(&most, words, set);
    }
    leak
}

impl LabelLeak {
    /// A set of classes is given away, more than any of them alone.
    fn give_set(&mut self, set: &ClassSet, fact: String, of: &Set) {
        let Effect { within, elsewhere, difference, interval } = set.effect;
        (self.shares, self.effect, self.interval) = ([within, elsewhere], difference, interval);
        self.strength = Strength::Strong;
        let own = GROUPS.iter().find(|group| group.name == self.group);
        self.alarm = own.is_some_and(|group| group.alarm);
        self.gate = own.is_some_and(|group| group.alarm && group.gate);
        self.classes = set.classes.iter().map(|&class| of.classes[class].clone()).collect();
        self.class = self.classes.first().cloned();
        self.as_set = true;
        let names = match &self.classes[..] {
            [a, b, c] => format!("{a}, {b} and {c}"),
            [a, b, rest @ ..] if !rest.is_empty() => format!("{a}, {b} and {} more", rest.len()),
            all => all.join(" and "),
        };
        let [within, elsewhere] = self.shares.map(percent);
        self.reason = format!("{fact}: {within} of {names}, {elsewhere} of the others");
        self.fact = fact;
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// The difference between the medians of a class and of the others.
fn gap(fact: &Fact, labels: &[usize], class: usize) -> f64 {
    let (Values::Numbers(numbers) | Values::Days(numbers)) = &fact.values else {
        return f64::INFINITY;
    };
    let median = |own: bool| {
        let of = numbers.iter().zip(labels).filter(|(_, label)| (**label == class) == own);
        let mut values: Vec<f64> = of.map(|(value, _)| *value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    (median(true) - median(false)).abs()
}

fn leak(
    group: usize,
    constant: bool,
    (accuracy, gain, p): (f64, f64, f64),
    best: Option<(&Telling, String)>,
    given: &[&Telling],
    set: &Set,
) -> LabelLeak {
    let source = GROUPS[group].source;
    let strength = match p <= LEVEL {
        false => Strength::None,
        true if !given.is_empty() || gain >= worth(source) => Strength::Strong,
        true => Strength::Weak,
    };
    let mut leak = LabelLeak {
        group: GROUPS[group].name,
        accuracy,
        chance: set.chance,
        p,
        strength,
        alarm: strength == Strength::Strong && GROUPS[group].alarm && !set.is_of_the_subject(group),
        gate: false,
        constant,
        class: None,
        classes: Vec::new(),
        as_set: false,
        fact: String::new(),
        shares: [0.0; 2],
        effect: 0.0,
        interval: [0.0; 2],
        reason: String::new(),
    };
    leak.gate = leak.alarm && GROUPS[group].gate;
    let Some((telling, fact)) = best else { return leak };
    let Effect { within, elsewhere, difference, interval } = telling.effect;
    (leak.shares, leak.effect, leak.interval) = ([within, elsewhere], difference, interval);
    if strength == Strength::None {
        return leak;
    }
    let class = &set.classes[telling.class];
    let others = match set.labels.iter().find(|&&label| label != telling.class) {
        Some(&other) if set.chance == 0.5 => set.classes[other].clone(),
        _ => "the others".into(),
    };
    leak.class = Some(class.clone());
    let most = given.iter().map(|telling| telling.effect.difference).fold(0.0, f64::max);
    let as_strongly = |telling: &&&Telling| telling.effect.difference >= AS_STRONGLY * most;
    leak.classes = given
        .iter()
        .filter(as_strongly)
        .map(|telling| set.classes[telling.class].clone())
        .collect();
    leak.reason =
        format!("{fact}: {} of {class}, {} of {others}", percent(within), percent(elsewhere));
    leak.fact = fact;
    leak
}

/// Looks for marks; see [`marks`].
fn of_marks(
    images: &[Image],
    chosen: &[usize],
    picture: impl Fn(usize) -> Option<Luma> + Sync,
    set: &Set,
    seed: u64,
) -> LabelLeak {
    let labels: Vec<usize> = images.iter().map(|image| image.label).collect();
    let looked_at = drawn(chosen, &labels, set.classes.len(), MOST_PICTURES, seed);
    let pictures = in_parallel(looked_at.len(), |k| Some((looked_at[k], picture(looked_at[k])?)));
    let pictures: Vec<(usize, Luma)> = pictures.into_iter().flatten().collect();
    let labels: Vec<usize> = pictures.iter().map(|&(i, _)| images[i].label).collect();
    let mut scale: Vec<[usize; 2]> =
        pictures.iter().map(|&(i, _)| [images[i].facts.width, images[i].facts.height]).collect();
    scale.sort_unstable();
    let scale = scale.get(scale.len() / 2).copied().unwrap_or_default();
    let pictures: Vec<Luma> = pictures.into_iter().map(|(_, picture)| picture).collect();
    let (mut shown, mut asked) = (Vec::new(), Vec::new());
    let mut seen = vec![0; set.classes.len()];
    for (i, &label) in labels.iter().enumerate() {
        let half = if seen[label] % 2 == 0 { &mut shown } else { &mut asked };
        half.push(i);
        seen[label] += 1;
    }
    let found = marks(&pictures, &labels, set.classes.len(), (&shown, &asked));
    let binned: Vec<Binned> = found.iter().map(Mark::binned).collect();
    let tested: Vec<Tested> = binned
        .iter()
        .zip(&found)
        .map(|(binned, mark)| Tested { binned, class: Some(mark.class) })
        .collect();
    let labels: Vec<usize> = asked.iter().map(|&i| labels[i]).collect();
    let outcome = outcome(&tested, &labels, set.classes.len(), (seed, 1));
    let set = Set { labels: &labels, ..*set };
    let mut telling: Vec<Telling> = found
        .iter()
        .enumerate()
        .filter_map(|(fact, mark)| {
            let best = outcome.facts[fact].classes[mark.class]?;
            let effect = effect(&binned[fact], best.question, &labels, mark.class);
            let (question, score) = (best.question, best.score);
            Some(Telling { fact, class: mark.class, question, score, effect })
        })
        .collect();
    telling.sort_by(|a, b| b.score.total_cmp(&a.score));
    // Pictures of different things are told apart by what they show, but not as clearly.
    let separate = |telling: &&Telling| {
        let Mark { scores, class, .. } = &found[telling.fact];
        separation(scores, &labels, *class, |i| binned[telling.fact].holds(telling.question, i))
    };
    telling.retain(|telling| separate(&telling) >= found[telling.fact].separate);
    let p = telling.first().map_or(1.0, |best| (FAMILIES * outcome.p(best.score)).min(1.0));
    let words = |telling: &Telling| {
        let Mark { place, size, .. } = &found[telling.fact];
        let [wide, tall] = [0, 1].map(|i: usize| (size[i] * scale[i] as f64).round());
        format!("a mark {place}, about {wide} x {tall} px")
    };
    let given: Vec<&Telling> = telling
        .iter()
        .filter(|t| {
            FAMILIES * outcome.p(t.score) <= LEVEL && t.effect.difference >= worth(Source::Mark)
        })
        .collect();
    let right = telling.first().map_or(set.chance, |best| {
        let mut binned = Binned::of_numbers(&found[best.fact].scores);
        binned.questions.clear();
        accuracy(&binned, &labels, set.classes.len())
    });
    let best = telling.first().map(|best| (best, words(best)));
    leak(MARK, false, (right, 0.0, p), best, &given, &set)
}

/// How far the median of the images of `class` that bear a mark lies above the mean of the other classes,
/// in their standard deviations.
fn separation(
    scores: &[f64],
    labels: &[usize],
    class: usize,
    bears: impl Fn(usize) -> bool,
) -> f64 {
    let rest: Vec<f64> =
        (0..scores.len()).filter(|&i| labels[i] != class).map(|i| scores[i]).collect();
    let mut own: Vec<f64> =
        (0..scores.len()).filter(|&i| labels[i] == class && bears(i)).map(|i| scores[i]).collect();
    own.sort_by(f64::total_cmp);
    let n = rest.len().max(1) as f64;
    let mean = rest.iter().sum::<f64>() / n;
    let variance = rest.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n;
    let Some(median) = own.get(own.len() / 2) else { return 0.0 };
    (median - mean) / variance.sqrt().max(1e-9)
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

//! Can the class be told from the file, without looking at what it shows?
//!
//! For each group of facts (size, format, file length, mean colour, border) a simple classifier is
//! asked: the class most common among an image's nearest neighbours, each image left out of its own
//! vote. Classes count alike, however many images they have. Whether the answer is better than
//! chance is seen by asking again after the labels are shuffled, many times: neighbours do not depend
//! on labels, so that costs next to nothing; and once enough shuffles have done as well, the rest is
//! left out, which leaves the p-value valid. A group is an alarm if hardly any shuffle does as well,
//! counted against all groups together (Bonferroni), and if it gains more than a trifle.
//!
//! P. Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 2005; M. Ojala and G. C.
//! Garriga, "Permutation tests for studying classifier performance", 2010; J. Besag and P. Clifford,
//! "Sequential Monte Carlo p-values", 1991.

use super::file_facts::FileFacts;
use crate::kernels::widest::{Loops, widest};
use crate::rng::Rng;
use rayon::prelude::*;
use serde::Serialize;

/// The error rate of the whole test: how often labels that mean nothing raise any alarm.
pub const LEVEL: f64 = 0.01;
/// Shuffles of the labels, at most.
const SHUFFLES: usize = 1_999;
/// Shuffles that do as well, after which no more are needed to call it chance.
const ENOUGH: usize = 40;
/// Neighbours that vote.
const NEIGHBOURS: usize = 7;
/// The most images looked at; more are drawn from by the seed.
const MOST: usize = 2_000;
/// The way from chance to certainty that must be gained to be worth an alarm.
const WORTH: f64 = 0.15;
/// Images a class must have to take part.
const LEAST_IN_CLASS: usize = 4;
/// The stream of the seed used here.
const STREAM: u64 = 0x6c65_616b << 32;

/// What a group of facts tells of the class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelLeak {
    /// The group: `image size`, `format`, `file size`, `mean colour` or `border`.
    pub group: &'static str,
    /// Share of images whose class was told right, classes counting alike.
    pub accuracy: f64,
    /// What guessing would give: one over the number of classes.
    pub chance: f64,
    /// How often shuffled labels do as well, times the number of groups, at most 1.
    pub p: f64,
    /// Whether it is an alarm.
    pub alarm: bool,
    /// What tells most, in words.
    pub reason: String,
}

/// One fact of every image.
struct Fact {
    name: &'static str,
    unit: &'static str,
    values: Vec<Value>,
}

enum Value {
    Number(f64),
    Word {
        is: String,
        /// For people, who may be told the same of different words.
        shown: String,
    },
}

impl Value {
    fn word(is: String) -> Self {
        Self::Word { shown: is.clone(), is }
    }
}

/// Tests each group of facts. The images must not contain twins, for a twin tells the class of the
/// other; see [`super::groups`]. Empty if there are not two classes with enough images.
pub fn test(
    facts: &[&FileFacts],
    labels: &[usize],
    classes: &[String],
    seed: u64,
) -> Vec<LabelLeak> {
    let mut counts = vec![0; classes.len()];
    labels.iter().for_each(|&label| counts[label] += 1);
    let mut chosen: Vec<usize> =
        (0..facts.len()).filter(|&i| counts[labels[i]] >= LEAST_IN_CLASS).collect();
    // In a drawn order, so that equals among neighbours are not taken class by class.
    Rng::new(seed, STREAM).shuffle(&mut chosen);
    chosen.truncate(MOST);
    let labels: Vec<usize> = chosen.iter().map(|&i| labels[i]).collect();
    let facts: Vec<&FileFacts> = chosen.iter().map(|&i| facts[i]).collect();
    let mut present = labels.clone();
    present.sort_unstable();
    present.dedup();
    if present.len() < 2 {
        return Vec::new();
    }
    let groups = groups(&facts);
    let tests = groups.len() as f64;
    groups
        .par_iter()
        .enumerate()
        .map(|(number, (group, facts))| {
            let neighbours = nearest(facts, labels.len());
            let accuracy = told(&neighbours, &labels, classes.len());
            let mut rng = Rng::new(seed, STREAM + 1 + number as u64);
            let mut shuffled = labels.clone();
            let (mut shuffles, mut as_well) = (0, 0);
            while shuffles < SHUFFLES && as_well < ENOUGH {
                rng.shuffle(&mut shuffled);
                shuffles += 1;
                let chance = told(&neighbours, &shuffled, classes.len());
                as_well += usize::from(chance >= accuracy - 1e-12);
            }
            let share = if as_well == ENOUGH {
                ENOUGH as f64 / shuffles as f64
            } else {
                (as_well + 1) as f64 / (SHUFFLES + 1) as f64
            };
            let p = (share * tests).min(1.0);
            let chance = 1.0 / present.len() as f64;
            let alarm = p <= LEVEL && accuracy - chance >= WORTH * (1.0 - chance);
            let reason = if alarm { reason(facts, &labels, classes) } else { String::new() };
            LabelLeak { group, accuracy, chance, p, alarm, reason }
        })
        .collect()
}

fn groups(images: &[&FileFacts]) -> Vec<(&'static str, Vec<Fact>)> {
    type Number = fn(&FileFacts) -> f64;
    type Word = fn(&FileFacts) -> String;
    let number = |name, unit, value: Number| Fact {
        name,
        unit,
        values: images.iter().map(|facts| Value::Number(value(facts))).collect(),
    };
    let word = |name, value: Word| Fact {
        name,
        unit: "",
        values: images.iter().map(|facts| Value::word(value(facts))).collect(),
    };
    let tables = |facts: &&FileFacts| Value::Word {
        is: facts.encoding.tables.to_string(),
        shown: facts.encoding.compression(),
    };
    vec![
        (
            "image size",
            vec![
                number("width", " px", |f| f.width as f64),
                number("height", " px", |f| f.height as f64),
                number("aspect", "", |f| f.width as f64 / f.height as f64),
            ],
        ),
        (
            "format",
            vec![
                word("format", |f| f.encoding.format.clone()),
                number("JPEG quality", "", |f| f64::from(f.encoding.quality)),
                Fact { name: "compression", unit: "", values: images.iter().map(tables).collect() },
                word("progressive", |f| f.encoding.progressive.to_string()),
                word("EXIF", |f| f.encoding.exif.to_string()),
                word("camera", |f| f.encoding.camera.clone()),
            ],
        ),
        (
            "file size",
            vec![
                number("file size", " bytes", |f| f.bytes as f64),
                number("bytes per pixel", "", |f| f.bytes as f64 / (f.width * f.height) as f64),
            ],
        ),
        (
            "mean colour",
            vec![
                number("mean red", "", |f| f.mean[0]),
                number("mean green", "", |f| f.mean[1]),
                number("mean blue", "", |f| f.mean[2]),
            ],
        ),
        (
            "border",
            vec![
                number("red of the border", "", |f| f.ring[0]),
                number("green of the border", "", |f| f.ring[1]),
                number("blue of the border", "", |f| f.ring[2]),
                number("spread of red in the border", "", |f| f.ring[3]),
                number("spread of green in the border", "", |f| f.ring[4]),
                number("spread of blue in the border", "", |f| f.ring[5]),
            ],
        ),
    ]
}

/// Each fact between 0 and 1: a number by its rank, equals sharing theirs; a word by its own number.
fn scaled(fact: &Fact) -> (bool, Vec<f32>) {
    let n = fact.values.len();
    let mut order: Vec<usize> = (0..n).collect();
    let compare = |&i: &usize, &j: &usize| match (&fact.values[i], &fact.values[j]) {
        (Value::Number(x), Value::Number(y)) => x.total_cmp(y),
        (Value::Word { is: x, .. }, Value::Word { is: y, .. }) => x.cmp(y),
        _ => std::cmp::Ordering::Equal,
    };
    order.sort_by(compare);
    let mut ranks = vec![0.0; n];
    let mut start = 0;
    for equal in order.chunk_by(|i, j| compare(i, j).is_eq()) {
        let middle = start as f32 + (equal.len() - 1) as f32 / 2.0;
        equal.iter().for_each(|&i| ranks[i] = middle / (n.max(2) - 1) as f32);
        start += equal.len();
    }
    (matches!(fact.values.first(), Some(Value::Word { .. })), ranks)
}

/// The nearest neighbours of each image, by the sum of squared differences; words differ by 1.
fn nearest(facts: &[Fact], n: usize) -> Vec<Vec<u32>> {
    let columns: Vec<(bool, Vec<f32>)> = facts.iter().map(scaled).collect();
    let neighbours = |i: usize| {
        let distances = widest(Distances { columns: &columns, from: i, n });
        let mut others: Vec<(f32, u32)> = distances.into_iter().zip(0..).collect();
        others.swap_remove(i);
        let k = NEIGHBOURS.min(others.len());
        let by_distance = |x: &(f32, u32), y: &(f32, u32)| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1));
        if k < others.len() {
            others.select_nth_unstable_by(k, by_distance);
            others.truncate(k);
        }
        others.into_iter().map(|(_, j)| j).collect()
    };
    (0..n).into_par_iter().map(neighbours).collect()
}

/// The distances of one image from all.
struct Distances<'a> {
    columns: &'a [(bool, Vec<f32>)],
    from: usize,
    n: usize,
}

impl Loops for Distances<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run(self) -> Vec<f32> {
        let mut distances = vec![0.0; self.n];
        for (is_word, values) in self.columns {
            let own = values[self.from];
            for (distance, value) in distances.iter_mut().zip(values) {
                let difference = own - value;
                let square = difference * difference;
                let differs = if difference != 0.0 { 1.0 } else { 0.0 };
                *distance += if *is_word { differs } else { square };
            }
        }
        distances
    }
}

/// The share of images whose neighbours tell their class, the mean over classes. A neighbour's vote
/// counts one over the number of images of its class, the image in question left out.
fn told(neighbours: &[Vec<u32>], labels: &[usize], classes: usize) -> f64 {
    let mut counts = vec![0.0_f64; classes];
    labels.iter().for_each(|&label| counts[label] += 1.0);
    let mut right = vec![0.0_f64; classes];
    let mut votes = vec![0.0_f64; classes];
    for (i, neighbours) in neighbours.iter().enumerate() {
        votes.fill(0.0);
        for &j in neighbours {
            let label = labels[j as usize];
            let others = counts[label] - f64::from(u8::from(label == labels[i]));
            votes[label] += 1.0 / others.max(1.0);
        }
        let own = votes[labels[i]];
        let most = votes.iter().copied().fold(0.0, f64::max);
        if own >= most - 1e-12 {
            // A tie is a guess between those that tie.
            let tied = votes.iter().filter(|&&vote| vote >= most - 1e-12).count();
            right[labels[i]] += 1.0 / tied as f64;
        }
    }
    let shares = right.iter().zip(&counts).filter(|(_, count)| **count > 0.0);
    let (sum, n) = shares.fold((0.0, 0), |(sum, n), (right, count)| (sum + right / count, n + 1));
    sum / f64::from(n.max(1))
}

/// The fact that tells classes apart best by itself, and what it is for those it tells most.
fn reason(facts: &[Fact], labels: &[usize], classes: &[String]) -> String {
    let single = |fact: &Fact| {
        let neighbours = nearest(std::slice::from_ref(fact), labels.len());
        told(&neighbours, labels, classes.len())
    };
    let best = facts.iter().map(|fact| (single(fact), fact)).max_by(|x, y| x.0.total_cmp(&y.0));
    let Some((_, fact)) = best else { return String::new() };
    let mut typical: Vec<(f64, String)> = Vec::new();
    let mut named: Vec<(&str, &str)> = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let of_class = || (0..labels.len()).filter(|&i| labels[i] == label);
        let mut numbers: Vec<f64> = of_class()
            .filter_map(|i| if let Value::Number(x) = fact.values[i] { Some(x) } else { None })
            .collect();
        if !numbers.is_empty() {
            numbers.sort_by(f64::total_cmp);
            let median = numbers[numbers.len() / 2];
            let digits = if median.abs() < 10.0 { 2 } else { 0 };
            typical.push((median, format!("{class} {median:.digits$}{}", fact.unit)));
            continue;
        }
        let mut words: Vec<(&str, &str)> = of_class()
            .filter_map(|i| {
                let Value::Word { is, shown } = &fact.values[i] else { return None };
                Some((is.as_str(), shown.as_str()))
            })
            .collect();
        words.sort_unstable();
        let common = words.chunk_by(|a, b| a.0 == b.0).max_by_key(|run| run.len());
        if let Some(run) = common {
            let share = 100 * run.len() / words.len();
            let shown = if run[0].1.is_empty() { "none" } else { run[0].1 };
            // Different tables may read alike.
            let alike = named.iter().any(|(is, read)| *read == shown && *is != run[0].0);
            let another = if alike { " with other tables" } else { "" };
            named.push((run[0].0, shown));
            typical.push((share as f64, format!("{class} {shown}{another} ({share} %)")));
        }
    }
    typical.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (Some(low), Some(high)) = (typical.first(), typical.last()) else { return String::new() };
    format!("{}: {}; {}", fact.name, low.1, high.1)
}

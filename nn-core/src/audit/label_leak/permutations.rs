//! The permutation test: the association of each fact with each class, and its distribution under
//! random labels.
//!
//! For each question about a fact and each class, the score is minus the logarithm of the one-sided p-value
//! of Fisher's exact test: the probability that as many images of the class, or more, answer yes. Each fact
//! has one more score for all classes at once: minus the logarithm of the p-value of the Kruskal-Wallis
//! test (numbers) or of Pearson's chi-squared test (words). These scores only rank the tests. The
//! significance comes from comparing the largest score with the largest of all scores for shuffled labels:
//! P. H. Westfall and S. S. Young, "Resampling-based multiple testing", 1993 (single-step maxT). A p-value
//! is never 0: B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", 2010.

use super::bins::{Binned, MOST_BINS, Question};
use super::in_parallel;
use crate::rng::Rng;
use std::collections::HashMap;

/// The maximum number of permutations.
pub const SHUFFLES: usize = 999;
/// The number of permutations between two checks of the stopping rule.
const ROUND: usize = 50;
/// The number of permutations that reach the score of the labels, after which the test stops: J.
/// Besag and P. Clifford, "Sequential Monte Carlo p-values", 1991.
const ENOUGH: usize = 25;
/// The random stream used here.
const STREAM: u64 = 0x6c65_616b << 32;

/// A fact that is tested.
pub struct Tested<'a> {
    /// Its bins.
    pub binned: &'a Binned,
    /// The class that it refers to; `None` for all classes.
    pub class: Option<usize>,
}

/// The question with the highest score for a class and a fact.
#[derive(Debug, Clone, Copy)]
pub struct Best {
    /// Its score.
    pub score: f32,
    /// The question.
    pub question: Question,
}

/// The scores of a fact with the given labels.
pub struct Scored {
    /// For each class, the best question.
    pub classes: Vec<Option<Best>>,
    /// The score of the test of all classes at once.
    pub together: f32,
}

impl Scored {
    /// The largest of these scores.
    pub fn most(&self) -> f32 {
        self.classes.iter().flatten().map(|best| best.score).fold(self.together, f32::max)
    }
}

/// The scores with the given labels, and the largest scores with shuffled ones.
pub struct Outcome {
    /// For each fact.
    pub facts: Vec<Scored>,
    /// The largest score of each permutation.
    chance: Vec<f32>,
}

impl Outcome {
    /// The p-value of a score: the share of permutations whose largest score reaches it. It is
    /// corrected for all facts, questions and classes.
    pub fn p(&self, score: f32) -> f64 {
        let as_well =
            self.chance.iter().filter(|&&chance| chance >= score - tolerance(score)).count();
        (as_well + 1) as f64 / (self.chance.len() + 1) as f64
    }
}

/// Scores `facts` of images with these `labels` (below `classes`). `family` distinguishes the
/// random streams of tests with the same seed.
pub fn outcome(
    facts: &[Tested],
    labels: &[usize],
    classes: usize,
    (seed, family): (u64, u64),
) -> Outcome {
    let scorer = Scorer::new(facts, labels, classes);
    let plain: Vec<u32> = labels.iter().map(|&label| (label * MOST_BINS) as u32).collect();
    let mut work = vec![0_u32; classes * MOST_BINS];
    let scored: Vec<Scored> =
        (0..facts.len()).map(|fact| scorer.scored(fact, &plain, &mut work)).collect();
    let most = scored.iter().map(Scored::most).fold(0.0, f32::max);
    let mut chance: Vec<f32> = Vec::new();
    let mut as_well = 0;
    while chance.len() < SHUFFLES && as_well < ENOUGH && !facts.is_empty() {
        let round = chance.len()..(chance.len() + ROUND).min(SHUFFLES);
        let shuffle = |number: usize| {
            let mut rng = Rng::new(seed, STREAM + (family << 16) + number as u64);
            let mut shuffled = plain.clone();
            rng.shuffle(&mut shuffled);
            let mut work = vec![0_u32; classes * MOST_BINS];
            (0..facts.len()).map(|fact| scorer.most(fact, &shuffled, &mut work)).fold(0.0, f32::max)
        };
        let scores = in_parallel(round.len(), |i| shuffle(round.start + i));
        as_well += scores.iter().filter(|&&score| score >= most - tolerance(most)).count();
        chance.extend(scores);
    }
    Outcome { facts: scored, chance }
}

/// The difference between two scores that is within rounding error.
pub fn tolerance(score: f32) -> f32 {
    1e-3 + 1e-5 * score
}

/// Everything that does not change when labels are shuffled.
struct Scorer<'a> {
    facts: &'a [Tested<'a>],
    /// The number of images of each class.
    counts: Vec<usize>,
    /// For each fact, question and class, the offset in `scores` of the scores for 0, 1, .. images.
    places: Vec<Vec<u32>>,
    scores: Vec<f32>,
}

impl<'a> Scorer<'a> {
    fn new(facts: &'a [Tested<'a>], labels: &[usize], classes: usize) -> Self {
        let n = labels.len();
        let mut counts = vec![0; classes];
        labels.iter().for_each(|&label| counts[label] += 1);
        let mut distinct: Vec<usize> = counts.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let mut sizes: Vec<usize> = facts
            .iter()
            .flat_map(|fact| fact.binned.questions.iter().map(|&q| fact.binned.size(q)))
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        let logarithms = LogFactorials::new(n);
        let tables = in_parallel(sizes.len(), |i| -> Vec<f32> {
            distinct.iter().flat_map(|&k| logarithms.tails(sizes[i], k)).collect()
        });
        let mut starts: HashMap<(usize, usize), u32> = HashMap::new();
        let mut scores = Vec::new();
        for (&size, table) in sizes.iter().zip(&tables) {
            let mut at = scores.len();
            for &k in &distinct {
                starts.insert((size, k), at as u32);
                at += k + 1;
            }
            scores.extend_from_slice(table);
        }
        let places = facts
            .iter()
            .map(|fact| {
                let place = |&question: &Question| {
                    let size = fact.binned.size(question);
                    let starts = &starts;
                    counts.iter().map(move |&k| starts[&(size, k)])
                };
                fact.binned.questions.iter().flat_map(place).collect()
            })
            .collect();
        Self { facts, counts, places, scores }
    }

    /// Counts the images of each class in each bin; `labels` are multiplied by [`MOST_BINS`].
    fn count(&self, fact: usize, labels: &[u32], work: &mut [u32]) {
        work.fill(0);
        for (&label, &bin) in labels.iter().zip(&self.facts[fact].binned.bins) {
            work[label as usize + usize::from(bin)] += 1;
        }
    }

    /// Calls `each(class, question, score)` for all questions, from cumulative counts over the bins.
    #[inline(always)]
    fn each(&self, fact: usize, work: &mut [u32], mut each: impl FnMut(usize, usize, f32)) {
        let Tested { binned, class } = &self.facts[fact];
        let classes = self.counts.len();
        for label in 0..classes {
            if self.counts[label] == 0 || class.is_some_and(|class| class != label) {
                continue;
            }
            let mut up_to = [0_u32; MOST_BINS + 1];
            let mut sum = 0;
            let bins = &work[label * MOST_BINS..][..MOST_BINS];
            for bin in 0..MOST_BINS {
                sum += bins[bin];
                up_to[bin + 1] = sum;
            }
            for (number, question) in binned.questions.iter().enumerate() {
                let within = up_to[question.to] - up_to[question.from];
                let yes = if question.not { sum - within } else { within };
                let place = self.places[fact][number * classes + label] + yes;
                each(label, number, self.scores[place as usize]);
            }
        }
    }

    fn most(&self, fact: usize, labels: &[u32], work: &mut [u32]) -> f32 {
        self.count(fact, labels, work);
        let mut most = self.together(fact, work);
        self.each(fact, work, |_, _, score| most = if score > most { score } else { most });
        most
    }

    fn scored(&self, fact: usize, labels: &[u32], work: &mut [u32]) -> Scored {
        self.count(fact, labels, work);
        let binned = self.facts[fact].binned;
        let mut classes: Vec<Option<Best>> = vec![None; self.counts.len()];
        let together = self.together(fact, work);
        self.each(fact, work, |label, number, score| {
            let question = binned.questions[number];
            // On ties, the question that is true for fewer images is more specific.
            let rank = |question| (binned.size(question), question.not);
            let better = classes[label].is_none_or(|best| {
                let equal = (score - best.score).abs() <= tolerance(best.score);
                if equal { rank(question) < rank(best.question) } else { score > best.score }
            });
            if better {
                classes[label] = Some(Best { score, question });
            }
        });
        Scored { classes, together }
    }

    /// The score of the test of all classes at once.
    fn together(&self, fact: usize, work: &[u32]) -> f32 {
        let Tested { binned, class } = &self.facts[fact];
        let present = self.counts.iter().filter(|&&count| count > 0).count();
        let n = binned.bins.len() as f64;
        if class.is_some() || present < 2 {
            return 0.0;
        }
        let rows = self.counts.iter().zip(work.chunks_exact(MOST_BINS)).filter(|(k, _)| **k > 0);
        if let Some(ranks) = &binned.ranks {
            let middle = (n + 1.0) / 2.0;
            let (mut between, mut within) = (0.0, 0.0);
            for (&count, bins) in rows {
                let sum: f64 =
                    bins.iter().zip(ranks).map(|(&k, rank)| f64::from(k) * (rank - middle)).sum();
                between += sum * sum / count as f64;
            }
            for (&size, rank) in binned.sizes.iter().zip(ranks) {
                within += size as f64 * (rank - middle).powi(2);
            }
            return chi_squared((n - 1.0) * between / within.max(1e-9), (present - 1) as f64);
        }
        let least = self.counts.iter().filter(|&&k| k > 0).min().copied().unwrap_or(0) as f64;
        let rarest = binned.sizes.iter().min().copied().unwrap_or(0) as f64;
        if least * rarest < n {
            return 0.0; // Expected counts below one: the approximation does not hold.
        }
        let mut sum = 0.0;
        for (&count, bins) in rows {
            for (&k, &size) in bins.iter().zip(&binned.sizes) {
                let expected = count as f64 * size as f64 / n;
                sum += (f64::from(k) - expected).powi(2) / expected;
            }
        }
        let freedom = (present - 1) * (binned.sizes.len() - 1);
        chi_squared(sum * (n - 1.0) / n, freedom as f64)
    }
}

/// Minus the logarithm of the upper tail probability of the chi-squared distribution, after E. B.
/// Wilson and M. M. Hilferty, "The distribution of chi-square", 1931, and P. O. Börjesson and C. E.
/// Sundberg, "Simple approximations of the error function Q(x)", 1979.
fn chi_squared(value: f64, freedom: f64) -> f32 {
    let spread = 2.0 / (9.0 * freedom);
    let z = ((value / freedom).cbrt() - (1.0 - spread)) / spread.sqrt();
    if z <= 0.0 {
        return 0.0;
    }
    let tail = (2.0 * std::f64::consts::PI).sqrt() * (0.661 * z + 0.339 * (z * z + 5.51).sqrt());
    (z * z / 2.0 + tail.ln()) as f32
}

/// Logarithms of 0!, 1!, ..
struct LogFactorials(Vec<f64>);

impl LogFactorials {
    fn new(n: usize) -> Self {
        let mut sum = 0.0;
        let mut logarithms = vec![0.0];
        logarithms.extend((1..=n).map(|i| {
            sum += (i as f64).ln();
            sum
        }));
        Self(logarithms)
    }

    /// For `a` from 0 to `k`: minus the logarithm of the upper tail of the hypergeometric
    /// distribution, the probability that of `k` images drawn from all, at least `a` are among
    /// `size` given ones. 0 up to the mean.
    fn tails(&self, size: usize, k: usize) -> Vec<f32> {
        let n = self.0.len() - 1;
        let mut tails = vec![0.0; k + 1];
        let choose = |n: usize, k: usize| self.0[n] - self.0[k] - self.0[n - k];
        let all = choose(n, k);
        let mean = (k * size).div_ceil(n.max(1));
        let most = k.min(size);
        let mut tail = f64::NEG_INFINITY;
        for a in (mean..=most).rev() {
            if k - a > n - size {
                break;
            }
            let here = choose(size, a) + choose(n - size, k - a) - all;
            tail = here + (tail - here).exp().ln_1p();
            tails[a] = -tail.min(0.0) as f32;
        }
        tails
    }
}

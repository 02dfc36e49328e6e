//! The test for marks: are candidate marks from one half of the images present in the other half?

use super::bins::Binned;
use super::effect::{Effect, accuracy};
use super::fact::{MARK, Source};
use super::marks::{Mark, marks, separation};
use super::permutations::{Outcome, Tested, outcome};
use super::pictures::Pictures;
use super::sampling::drawn;
use super::verdict::Findings;
use super::verdict::Telling;
use super::{FAMILIES, Image, LEVEL, LabelLeak, Set, in_parallel};
use crate::audit::luma::Luma;
use crate::kernels::parallel::join;

/// The maximum number of pictures that are searched for marks.
const MOST_PICTURES: usize = 1_000;
/// The number of tests: each half of the images is tested in turn.
const HALVES: f64 = 2.0;

/// Searches and tests marks; see [`marks`].
pub fn of_marks(
    images: &[Image],
    chosen: &[usize],
    picture: impl Fn(usize) -> Option<Luma> + Sync,
    set: &Set,
    seed: u64,
) -> LabelLeak {
    let classes = set.classes.len();
    let labels: Vec<usize> = images.iter().map(|image| image.label).collect();
    let looked_at = drawn(chosen, &labels, classes, MOST_PICTURES, seed);
    let pictures = in_parallel(looked_at.len(), |k| Some((looked_at[k], picture(looked_at[k])?)));
    let (looked_at, pictures): (Vec<usize>, Vec<Luma>) = pictures.into_iter().flatten().unzip();
    let labels: Vec<usize> = looked_at.iter().map(|&i| images[i].label).collect();
    let mut sizes: Vec<[usize; 2]> =
        looked_at.iter().map(|&i| [images[i].facts.width, images[i].facts.height]).collect();
    sizes.sort_unstable();
    let size = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    let pictures = Pictures::new(&pictures);
    let mut halves = [Vec::new(), Vec::new()];
    let mut seen = vec![0; classes];
    for (i, &label) in labels.iter().enumerate() {
        halves[seen[label] % 2].push(i);
        seen[label] += 1;
    }
    let test = |shown: usize| {
        let halves = (&halves[shown][..], &halves[1 - shown][..]);
        HalfTest::new(&pictures, &labels, classes, halves, (seed, 1 + shown as u64))
    };
    let (one, other) = join(|| test(0), || test(1));
    let better = if other.p() < one.p() { other } else { one };
    better.leak(set, size)
}

/// The candidate marks of one half of the images, tested on the other half.
struct HalfTest {
    marks: Vec<Mark>,
    binned: Vec<Binned>,
    /// The labels of the tested images.
    labels: Vec<usize>,
    outcome: Outcome,
    /// The marks that indicate a class, the best first.
    telling: Vec<Telling>,
}

impl HalfTest {
    fn new(
        pictures: &Pictures,
        labels: &[usize],
        classes: usize,
        (shown, asked): (&[usize], &[usize]),
        seed: (u64, u64),
    ) -> Self {
        let marks = marks(pictures, labels, classes, (shown, asked));
        let binned: Vec<Binned> = marks.iter().map(Mark::binned).collect();
        let of_class = |(binned, mark): (_, &Mark)| Tested { binned, class: Some(mark.class) };
        let tested: Vec<Tested> = binned.iter().zip(&marks).map(of_class).collect();
        let labels: Vec<usize> = asked.iter().map(|&i| labels[i]).collect();
        let outcome = outcome(&tested, &labels, classes, seed);
        let mut telling: Vec<Telling> = Vec::new();
        for (fact, mark) in marks.iter().enumerate() {
            let Some(best) = outcome.facts[fact].classes[mark.class] else { continue };
            let (question, score, class) = (best.question, best.score, mark.class);
            let scores = |wanted: &dyn Fn(usize) -> bool| -> Vec<f64> {
                (0..labels.len()).filter(|&i| wanted(i)).map(|i| mark.scores[i]).collect()
            };
            let bearers = scores(&|i| labels[i] == class && binned[fact].holds(question, i));
            let others = scores(&|i| labels[i] != class);
            if separation(bearers, &others) >= mark.separate {
                let effect = Effect::new(&binned[fact], question, &labels, class);
                let is_given = p_of(&outcome, score) <= LEVEL && effect.is_strong(Source::Mark);
                let matters = true;
                telling.push(Telling { fact, class, question, score, effect, matters, is_given });
            }
        }
        telling.sort_by(|a, b| b.score.total_cmp(&a.score));
        Self { marks, binned, labels, outcome, telling }
    }

    fn p(&self) -> f64 {
        self.telling.first().map_or(1.0, |best| p_of(&self.outcome, best.score))
    }

    /// The verdict; `size` is the typical width and height of the images in pixels.
    fn leak(&self, set: &Set, size: [usize; 2]) -> LabelLeak {
        let words = |telling: &Telling| {
            let Mark { place, size: share, .. } = &self.marks[telling.fact];
            let [wide, tall] = [0, 1].map(|i: usize| (share[i] * size[i] as f64).round());
            format!("a mark {place}, about {wide} x {tall} px")
        };
        let accuracy = |best: &Telling| {
            let binned = &self.binned[best.fact];
            accuracy(binned, &self.labels, set.classes.len())
        };
        let best = self.telling.first();
        Findings {
            group: MARK,
            constant: false,
            accuracy: best.map_or(set.chance, accuracy),
            gain: 0.0,
            p: self.p(),
            best: best.map(|best| (best, words(best))),
            given: self.telling.iter().filter(|telling| telling.is_given).collect(),
        }
        .told(&Set { labels: &self.labels, ..*set })
    }
}

/// The p-value of a score, corrected for both halves and for the test of other facts.
fn p_of(outcome: &Outcome, score: f32) -> f64 {
    (HALVES * FAMILIES * outcome.p(score)).min(1.0)
}

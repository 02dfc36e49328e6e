//! Selection of the question that predicts a class best, among the facts of a group.

use super::bins::{Binned, Question};
use super::class_sets::{ClassSet, best_set};
use super::effect::{Effect, accuracy, least_gain};
use super::fact::{Fact, GROUPS, Source};
use super::permutations::{Best, Outcome, tolerance};
use super::verdict::{Findings, Telling};
use super::{FAMILIES, LEVEL, LabelLeak, Set};
use std::cmp::Ordering;

/// The minimum gain of a set of classes over any single class for the set to be reported.
const SET_TELLS_MORE: f64 = 0.05;

/// The facts of a set of images, and their scores.
pub struct TestedFacts<'a> {
    /// All facts.
    pub facts: &'a [Fact],
    /// The facts that are not constant, in bins, with their indices in `facts`.
    pub binned: &'a [(usize, Binned)],
    /// The scores of `binned`.
    pub outcome: &'a Outcome,
    /// The images.
    pub set: &'a Set<'a>,
}

impl TestedFacts<'_> {
    /// The result for a group of facts.
    pub fn leak(&self, group: usize) -> LabelLeak {
        let source = GROUPS[group].source;
        let own: Vec<usize> =
            (0..self.binned.len()).filter(|&i| self.fact(i).group == group).collect();
        let telling = self.of_each_class(&own);
        let matter = telling.first().is_some_and(|best| best.matters);
        let (p, accuracy) = self.of_all_classes(&own);
        let chance = self.set.chance;
        let leak = Findings {
            group,
            constant: own.is_empty(),
            accuracy,
            gain: if matter { (accuracy - chance) / (1.0 - chance) } else { 0.0 },
            p,
            best: telling.first().map(|best| (best, self.words(best.fact, best.question))),
            given: telling.iter().filter(|telling| telling.is_given).collect(),
        }
        .told(self.set);
        match self.of_a_set_of_classes(&own) {
            Some((fact, set))
                if set.effect.difference >= least_gain(source)
                    && set.effect.difference >= leak.effect + SET_TELLS_MORE =>
            {
                leak.of_set(&set, self.words(fact, set.question), self.set)
            }
            _ => leak,
        }
    }

    fn fact(&self, number: usize) -> &Fact {
        &self.facts[self.binned[number].0]
    }

    fn words(&self, fact: usize, question: Question) -> String {
        self.binned[fact].1.words(question, self.fact(fact))
    }

    fn p(&self, score: f32) -> f64 {
        (FAMILIES * self.outcome.p(score)).min(1.0)
    }

    /// The best question for each class, the best of all first. Differences that are too small to
    /// be relevant are only used if there are no relevant ones.
    fn of_each_class(&self, own: &[usize]) -> Vec<Telling> {
        let best = (0..self.set.classes.len()).filter_map(|class| self.best_of_class(own, class));
        let (matters, little): (Vec<Telling>, Vec<Telling>) = best.partition(|t| t.matters);
        let mut telling = if matters.is_empty() { little } else { matters };
        telling.sort_by(|a, b| b.score.total_cmp(&a.score));
        let best = (0..telling.len()).reduce(|best, next| {
            if self.is_better(&telling[next], &telling[best]) { next } else { best }
        });
        if let Some(best) = best {
            telling[..=best].rotate_right(1);
        }
        telling
    }

    fn best_of_class(&self, own: &[usize], class: usize) -> Option<Telling> {
        let telling = own.iter().filter_map(|&fact| self.best_question(fact, class));
        telling.reduce(|best, next| if self.is_better(&next, &best) { next } else { best })
    }

    fn best_question(&self, fact: usize, class: usize) -> Option<Telling> {
        let Best { score, question } = self.outcome.facts[fact].classes[class]?;
        let (about, binned) = (self.fact(fact), &self.binned[fact].1);
        let effect = Effect::new(binned, question, self.set.labels, class);
        let least = about.material();
        let matters = least == 0.0 || about.gap(|image| binned.holds(question, image)) >= least;
        let is_strong = effect.is_strong(GROUPS[about.group].source);
        let is_given = matters && is_strong && self.p(score) <= LEVEL;
        Some(Telling { fact, class, question, score, effect, matters, is_given })
    }

    /// Orders by relevance, then by strength, then by score. On ties, the question that is true for
    /// fewer images is better, since it is more specific.
    fn is_better(&self, a: &Telling, b: &Telling) -> bool {
        let worth = |telling: &Telling| (telling.matters, telling.is_given);
        let rank = |telling: &Telling| {
            let binned = &self.binned[telling.fact].1;
            let question = telling.question;
            (binned.size(question), question.not, binned.lacks(question), telling.fact)
        };
        let equal = (a.score - b.score).abs() <= tolerance(b.score);
        match worth(a).cmp(&worth(b)) {
            Ordering::Equal if equal => rank(a) < rank(b),
            Ordering::Equal => a.score > b.score,
            different => different == Ordering::Greater,
        }
    }

    /// The p-value of the fact with the highest score, and the accuracy of its predictions.
    fn of_all_classes(&self, own: &[usize]) -> (f64, f64) {
        let scores = own.iter().map(|&fact| (self.outcome.facts[fact].most(), fact));
        match scores.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))) {
            Some((score, fact)) => {
                let binned = &self.binned[fact].1;
                (self.p(score), accuracy(binned, self.set.labels, self.set.classes.len()))
            }
            None => (1.0, self.set.chance),
        }
    }

    /// The set of classes with the largest effect of a category. Numbers are not used, since they
    /// are rarely the same in several classes.
    fn of_a_set_of_classes(&self, own: &[usize]) -> Option<(usize, ClassSet)> {
        let sets = own.iter().filter_map(|&fact| {
            let binned = &self.binned[fact].1;
            let of_file = GROUPS[self.fact(fact).group].source == Source::File;
            let is_sure = self.p(self.outcome.facts[fact].most()) <= LEVEL;
            let asked = of_file && binned.ranks.is_none() && is_sure;
            let set = asked.then(|| best_set(binned, self.set.labels, self.set.classes.len()));
            Some((fact, set.flatten()?))
        });
        sets.reduce(
            |best, next| {
                if next.1.effect.difference > best.1.effect.difference { next } else { best }
            },
        )
    }
}

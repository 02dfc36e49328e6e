//! The strength of the leak in a group of facts, and its description.

use super::bins::Question;
use super::class_sets::ClassSet;
use super::effect::{Effect, least_gain};
use super::fact::GROUPS;
use super::{LEVEL, LabelLeak, Set, Strength};

/// The share of the largest effect from which a class counts as leaking as strongly. Each class
/// that lacks a property of one other class leaks a little.
const AS_STRONGLY: f64 = 0.6;

/// A question about a fact that predicts a class.
pub struct Telling {
    /// The fact's index among the tested facts.
    pub fact: usize,
    /// The class.
    pub class: usize,
    /// The question.
    pub question: Question,
    /// The score of the question for the class.
    pub score: f32,
    /// The effect size.
    pub effect: Effect,
    /// Whether the difference is large enough to be relevant.
    pub matters: bool,
    /// Whether it is relevant, strong and significant.
    pub is_given: bool,
}

/// The test results of a group.
pub struct Findings<'a> {
    /// The group, as an index into [`GROUPS`].
    pub group: usize,
    /// Whether its facts are the same in all images.
    pub constant: bool,
    /// See [`LabelLeak::accuracy`].
    pub accuracy: f64,
    /// The accuracy above chance, relative to the largest possible gain.
    pub gain: f64,
    /// See [`LabelLeak::p`].
    pub p: f64,
    /// The best question, and its description.
    pub best: Option<(&'a Telling, String)>,
    /// The strong and significant questions, the best for each class.
    pub given: Vec<&'a Telling>,
}

impl Findings<'_> {
    /// The verdict with its description.
    pub fn told(self, set: &Set) -> LabelLeak {
        let group = GROUPS[self.group];
        let strength = match self.p <= LEVEL {
            false => Strength::None,
            true if !self.given.is_empty() => Strength::Strong,
            true if self.gain >= least_gain(group.source) => Strength::Strong,
            true => Strength::Weak,
        };
        let is_strong = strength == Strength::Strong;
        let alarm = is_strong && group.alarm && !set.is_of_the_subject(self.group);
        let mut leak = LabelLeak {
            group: group.name,
            accuracy: self.accuracy,
            chance: set.chance,
            p: self.p,
            strength,
            alarm,
            gate: alarm && group.gate,
            constant: self.constant,
            class: None,
            classes: Vec::new(),
            as_set: false,
            fact: String::new(),
            shares: [0.0; 2],
            effect: 0.0,
            interval: [0.0; 2],
            reason: String::new(),
        };
        let Some((telling, fact)) = self.best else { return leak };
        leak.take(&telling.effect);
        if strength == Strength::None {
            return leak;
        }
        let class = &set.classes[telling.class];
        let others = match set.labels.iter().find(|&&label| label != telling.class) {
            Some(&other) if set.chance == 0.5 => set.classes[other].clone(),
            _ => "the others".into(),
        };
        let most = self.given.iter().map(|t| t.effect.difference).fold(0.0, f64::max);
        let as_strongly = self.given.iter().filter(|t| t.effect.difference >= AS_STRONGLY * most);
        leak.classes = as_strongly.map(|t| set.classes[t.class].clone()).collect();
        leak.class = Some(class.clone());
        let [within, elsewhere] = leak.shares.map(percent);
        leak.reason = format!("{fact}: {within} of {class}, {elsewhere} of {others}");
        leak.fact = fact;
        leak
    }
}

impl LabelLeak {
    fn take(&mut self, effect: &Effect) {
        self.shares = [effect.within, effect.elsewhere];
        (self.effect, self.interval) = (effect.difference, effect.interval);
    }

    /// The verdict for a set of classes whose effect exceeds that of any single class.
    pub(super) fn of_set(mut self, set: &ClassSet, fact: String, of: &Set) -> Self {
        self.take(&set.effect);
        self.strength = Strength::Strong;
        let group = GROUPS.iter().find(|group| group.name == self.group);
        self.alarm = group.is_some_and(|group| group.alarm);
        self.gate = group.is_some_and(|group| group.alarm && group.gate);
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
        self
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

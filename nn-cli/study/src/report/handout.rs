//! A worksheet with exercises about an experiment: one A4 page, to be printed. The answers are on the
//! experiment's own page.

use super::base::Base;
use super::samples::Samples;
use crate::StudyError;
use crate::experiment::{Measured, Parts};
use crate::format::{class_name, percent};
use crate::stats::{Guessing, wilson};
use askama::Template;

/// The page of the exercises.
#[derive(Template)]
#[template(path = "handout.html")]
pub struct HandoutPage {
    base: Base,
    samples: Vec<Samples>,
    exercises: Vec<Exercise>,
}

/// One exercise, and the lines for the answer.
struct Exercise {
    text: String,
    lines: Vec<()>,
}

impl HandoutPage {
    /// Creates the exercises about an experiment.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn new(parts: &Parts<'_>) -> Result<Self, StudyError> {
        let title = "Right for the wrong reason?".to_string();
        let mut base = Base::new("Exercises on data leakage", title, String::new());
        base = base.about(&parts.sets);
        base.sections.clear();
        let mut samples = Samples::of_experiment(parts)?;
        samples.iter_mut().for_each(Samples::one_of_each);
        let exercise = |(text, lines): (String, usize)| Exercise { text, lines: vec![(); lines] };
        let exercises = exercises(parts).into_iter().map(exercise).collect();
        Ok(Self { base, samples, exercises })
    }
}

/// `18 of 20`: correct predictions and images of the first seed's model.
fn counted(measured: &Measured) -> (u64, u64) {
    measured.evaluations.first().map_or((0, 0), |e| (e.correct as u64, e.images() as u64))
}

/// The exercises, each with the number of lines for its answer.
fn exercises(parts: &Parts<'_>) -> Vec<(String, usize)> {
    let comparison = parts.comparison;
    let ((leaky, tested), (clean, of)) = (counted(&comparison.leaky), counted(&comparison.clean));
    vec![
        (
            "Look at the pictures with the leak. By what rule can you tell the classes apart without looking \
             at the animal?"
                .into(),
            1,
        ),
        (
            format!(
                "A network was trained on such pictures. It classifies {leaky} of {tested} test images of the \
                 same kind correctly. What is its accuracy? What accuracy do you expect with swapped \
                 backgrounds, and why?"
            ),
            2,
        ),
        (
            "What accuracy would a program have that always gives the same answer? Why is every accuracy \
             compared with it?"
                .into(),
            2,
        ),
        (
            format!(
                "A second network was trained on pictures without the leak and classifies {clean} of {of} \
                 correctly. With p = accuracy and n = number of images, p ± 2·√(p(1−p)/n) is roughly its 95 % \
                 interval. Compute it. Does it exclude guessing?"
            ),
            2,
        ),
        ("Which of the five kinds of leakage do the pictures with the leak have?".into(), 1),
        (
            "In a heat map 70 % of the heat lies on the background, which is 64 % of the picture. Does the \
             network look at the background? What would you compare with?"
                .into(),
            2,
        ),
        (
            "Plan a data set for telling these classes apart outdoors: how do you choose training and test \
             images, and what do you check before training?"
                .into(),
            3,
        ),
    ]
}

/// The answers, in the order of the exercises.
pub fn answers(parts: &Parts<'_>) -> Vec<String> {
    let comparison = parts.comparison;
    let ((leaky, tested), (clean, of)) = (counted(&comparison.leaky), counted(&comparison.clean));
    let (swapped, swaps) = counted(&comparison.swap);
    let share = |right: u64, all: u64| percent(right as f64 / all.max(1) as f64);
    let (p, n) = (clean as f64 / of.max(1) as f64, of.max(1) as f64);
    let spread = 2.0 * (p * (1.0 - p) / n).sqrt();
    let rows = comparison.rows();
    let guessing = |row: usize| -> Guessing { parts.guessing(&rows[row]) };
    let excluded = match (
        p - spread > guessing(2).largest,
        wilson(clean, of).is_above(guessing(2).largest),
    ) {
        (true, true) => "It excludes guessing.",
        (false, false) => "It does not exclude guessing.",
        _ => {
            "With so few images the rough interval and Wilson\u{2019}s disagree on guessing, so nothing is shown."
        }
    };
    let classes: Vec<String> =
        parts.sets[0].folder.classes.iter().map(|class| class_name(class)).collect();
    vec![
        format!("By the background: it differs between {} and tells the class.", classes.join(" and ")),
        format!(
            "{leaky} of {tested} is {}. With swapped backgrounds it was right on {swapped} of {swaps} ({}). If the \
             background decides, swapping it turns right answers into wrong ones; if the animal decides, \
             nothing changes.",
            share(leaky, tested),
            share(swapped, swaps)
        ),
        format!(
            "The share of the class it answers with: {} on the first test set. A model that scores no more may \
             have learned nothing. With 95 huskies and 5 wolves, always answering \u{201c}husky\u{201d} scores 95 %.",
            percent(guessing(0).largest)
        ),
        format!(
            "{} ± {:.0} percentage points. {excluded} Wilson\u{2019}s interval, which this page uses, is {}; it is \
             better for few images and near 0 or 100 %.",
            share(clean, of),
            spread * 100.0,
            wilson(clean, of).to_string()
        ),
        "The third, a shortcut: the background gives the class away, in the test images as well.".into(),
        "Not shown: heat spread evenly would put 64 % on the background too. Compare with that share, over many \
         images and seeds, and test on swapped backgrounds."
            .into(),
        "For example: each class on the same backgrounds, equally often; test images from other places, days \
         and animals than the training images; an audit for copies and for anything that gives the class away; \
         the test set used once, at the end."
            .into(),
    ]
}

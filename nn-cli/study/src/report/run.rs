//! The page of a training run.

use super::base::{self, Base};
use super::curves::Curves;
use super::gallery::{Gallery, View, heat_note, views, worst};
use super::matrix::Matrix;
use super::parts::{Score, Scored, Table, guessing_key, layers, settings};
use super::places;
use super::scores::ScoreSection;
use super::shares::{self, Shares};
use crate::Environment;
use crate::StudyError;
use crate::format::{self, clean, percent, sentence};
use crate::inspection::Inspection;
use crate::stats::{Guessing, wilson};
use crate::training::{Kept, Run};
use askama::Template;
use nn_core::data::summary;
use nn_figures::plots::ConfusionSpec;

/// A training run as a page.
#[derive(Template)]
#[template(path = "run.html")]
pub struct RunPage {
    base: Base,
    /// The warnings of the run.
    warnings: Vec<String>,
    scores: Vec<Score>,
    shares: Vec<Shares>,
    shares_note: String,
    sets: Table,
    credit: Option<&'static str>,
    guessing: Vec<(&'static str, &'static str)>,
    curves: Curves,
    matrix: Matrix,
    scored: ScoreSection,
    heat_note: String,
    views: Vec<View>,
    gallery: Gallery,
    worst: Table,
    layers: Table,
    commands: Vec<String>,
    facts: Vec<(String, String)>,
}

impl RunPage {
    /// Creates the page of `run`, whose test images were inspected as `test`.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn new(run: &Run<'_>, test: &Inspection) -> Result<Self, StudyError> {
        let (set, name) = (run.set, clean(&run.set.name));
        let (correct, n) = (run.test.correct as u64, run.test.images() as u64);
        let kept = run.kept.as_ref().and_then(Kept::text);
        let kept = kept.map_or(String::new(), |text| format!(" {}.", sentence(&text)));
        let balanced = run.scores.balanced_accuracy.filter(|_| run.scores.imbalanced);
        let lede = format!(
            "After {} of training the network classifies {} of {} correctly ({}){}.{kept}",
            format::plural(run.history.len() as u64, "epoch"),
            format::count(correct),
            format::plural(n, &format!("{} image", run.data.tested_on)),
            percent(run.test.accuracy()),
            balanced.map_or(String::new(), |balanced| {
                format!(
                    "; as one class has most of them, its balanced accuracy says more: {}",
                    percent(balanced)
                )
            }),
        );
        let mut base = Base::new("Training run", format!("Training on {name}"), lede).about(&[set]);
        base.sections.insert(3, ("scores", "Scores"));
        let score = Scored {
            title: match run.data.tested_on {
                "test" => "Accuracy on the test images",
                _ => "Accuracy on the validation images",
            },
            set: name.clone(),
            accuracy: run.test.accuracy(),
            interval: wilson(correct, n),
            detail: format!("{correct} of {n} right"),
            note: format!("Test loss (cross-entropy): {}", format::loss(run.test.loss)),
            guessing: Guessing::of_confusion(&set.folder.classes, &run.test.confusion),
            notebook: None,
            seeds: Vec::new(),
        };
        let tested = sentence(&format!("{} images", run.data.tested_on));
        let mut facts = settings(run.config)?;
        facts.push(("parameters".into(), format::count(run.model.parameter_count() as u64)));
        facts.extend(Environment::here().facts());
        facts.push(("folders".into(), set.folder.arrangement()));
        let passed_over = summary(&set.folder.passed_over_in_training());
        facts.extend(passed_over.map(|line| ("not looked at".into(), clean(&line))));
        Ok(Self {
            base,
            warnings: run.warnings.iter().map(|warning| sentence(&warning.text)).collect(),
            guessing: guessing_key([&score.guessing]),
            scores: balanced_score(run).into_iter().chain([score]).map(Scored::show).collect(),
            shares: Shares::new("Heat on the background", &[test]).into_iter().collect(),
            shares_note: shares::note(&[test]),
            sets: images(&[run]),
            credit: base::credit(&[set]),
            curves: Curves::draw(&run.curves(), &run.guessing()),
            matrix: Matrix::draw(&ConfusionSpec { title: tested.clone(), ..run.confusion() }),
            scored: ScoreSection::new(&run.scores, &run.score_curves()?),
            heat_note: heat_note(test.method, run.config.channels),
            views: views(&test.classes),
            gallery: Gallery::new("gallery-test", &tested, test)?,
            worst: worst(&[(run.data.tested_on, test)]),
            layers: layers(&run.model.summary()),
            commands: vec!["nn-cli train --config config.toml --out again".into()],
            facts,
        })
    }
}

/// The balanced accuracy, which is the headline where one class has most of the images.
fn balanced_score<'a>(run: &Run<'_>) -> Option<Scored<'a>> {
    let accuracy = run.scores.balanced_accuracy.filter(|_| run.scores.imbalanced)?;
    let interval = *run.scores.intervals.get("balanced_accuracy")?;
    Some(Scored::balanced(accuracy, interval, clean(&run.set.name), &run.scores))
}

/// A table of the number of images in each split.
fn images(runs: &[&Run<'_>]) -> Table {
    let header = ["set", "what it is", "classes", "training", "validation", "test"];
    let mut table = Table::new("What the images were used for", &header, 3);
    table.rows.extend(runs.iter().map(|run| {
        let count = |data: &nn_core::data::Dataset| data.len().to_string();
        let classes: Vec<String> =
            run.set.folder.classes.iter().map(|class| format::class_name(class)).collect();
        vec![
            clean(&places::shown(&run.set.path, &run.config.data_root)),
            base::kind(run.set.kind).into(),
            classes.join(", "),
            count(&run.data.train),
            count(&run.data.validation),
            run.data.kept_for_test().to_string(),
        ]
    }));
    table
}

//! The page of a training run.

use super::base::{self, Base};
use super::experiment::sentence;
use super::gallery::{Gallery, HEAT_NOTE, Shares, View, shares_note, views, worst};
use super::parts::{Curves, Matrix, Score, Scored, Table, settings};
use crate::failure::Failure;
use crate::inspection::Inspection;
use crate::plots::ConfusionSpec;
use crate::results::Environment;
use crate::training::Run;
use crate::ui::format::{self, clean, percent};
use crate::ui::stats::wilson;
use askama::Template;
use nn_core::data::summary;

/// A training run as a page.
#[derive(Template)]
#[template(path = "run.html")]
pub struct RunPage {
    base: Base,
    /// What the run's numbers show to those who know how to read them.
    warnings: Vec<String>,
    score: Score,
    shares: Vec<Shares>,
    shares_note: String,
    sets: Table,
    credit: Option<&'static str>,
    curves: Curves,
    matrix: Matrix,
    heat_note: &'static str,
    views: Vec<View>,
    gallery: Gallery,
    worst: Table,
    commands: Vec<String>,
    facts: Vec<(String, String)>,
}

impl RunPage {
    /// The page of `run`, whose test images were looked into.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn new(run: &Run<'_>, test: &Inspection) -> Result<Self, Failure> {
        let (set, name) = (run.set, clean(&run.set.name));
        let (correct, n) = (run.test.correct as u64, run.test.n as u64);
        let lede = format!(
            "After {} the network is right on {} of {}.",
            format::plural(run.history.len() as u64, "epoch"),
            percent(run.test.accuracy()),
            format::plural(n, &format!("{} image", run.data.tested_on)),
        );
        let base = Base::new("Training run", format!("Training on {name}"), lede).about(&[set]);
        let mean = test.mean_share();
        let score = Scored {
            title: match run.data.tested_on {
                "test" => "Accuracy on the test images",
                _ => "Accuracy on the validation images",
            },
            set: name.clone(),
            accuracy: run.test.accuracy(),
            interval: wilson(correct, n),
            detail: format!("{correct} of {n} right"),
            note: format!("Loss {}", format::loss(run.test.loss)),
            chance: 1.0 / set.folder.classes.len() as f64,
            notebook: None,
            seeds: Vec::new(),
        };
        let tested = sentence(&format!("{} images", run.data.tested_on));
        let mut facts = settings(&run.config.to_toml()?);
        facts.push(("parameters".into(), format::count(run.model.parameter_count() as u64)));
        facts.extend(Environment::here().facts());
        facts.push(("read".into(), set.folder.arrangement()));
        let passed_over = summary(&set.folder.passed_over_in_training());
        facts.extend(passed_over.map(|line| ("not looked at".into(), clean(&line))));
        Ok(Self {
            base,
            warnings: run.warnings.iter().map(|warning| sentence(&warning.text)).collect(),
            score: score.show(),
            shares: Shares::new("Heat on the background", test, mean.as_ref())
                .into_iter()
                .collect(),
            shares_note: shares_note(mean.iter()),
            sets: images(&[run]),
            credit: base::credit(&[set]),
            curves: Curves::draw(&run.curves()),
            matrix: Matrix::draw(&ConfusionSpec { title: tested.clone(), ..run.confusion() }),
            heat_note: HEAT_NOTE,
            views: views(&test.classes),
            gallery: Gallery::new("gallery-test", &tested, test)?,
            worst: worst(&[(run.data.tested_on, test)]),
            commands: vec!["nn-cli train --config config.toml --out again".into()],
            facts,
        })
    }
}

/// Which images the runs used for what.
fn images(runs: &[&Run<'_>]) -> Table {
    let header = ["set", "what it is", "classes", "found in", "training", "validation", "test"];
    let mut table = Table::new("Images by what they were used for", &header, 4);
    table.rows.extend(runs.iter().map(|run| {
        let count = |data: &nn_core::data::Dataset| data.len().to_string();
        let classes: Vec<String> =
            run.set.folder.classes.iter().map(|class| format::class_name(class)).collect();
        vec![
            clean(&run.set.name),
            base::kind(run.set.kind).into(),
            classes.join(", "),
            clean(&run.set.path.display().to_string()),
            count(&run.data.train),
            count(&run.data.validation),
            run.data.kept_for_test().to_string(),
        ]
    }));
    table
}

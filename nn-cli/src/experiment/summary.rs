//! The experiment's result: as JSON, and as a table for people.

use super::conclusions::{Conclusions, Evidence};
use super::leaks::{Leaks, LeaksSummary};
use super::measured::{Comparison, Row, SeedScore};
use crate::config::RunConfig;
use crate::datasets::ImageSet;
use crate::inspection::{MeanShare, not_counted};
use crate::results::Environment;
use crate::ui::format::{self, percent, plural};
use crate::ui::lines::broken;
use crate::ui::stats::{Guessing, Interval};
use crate::ui::table::columns_within;
use nn_core::data::PassedOver;
use nn_figures::plots::{ComparisonRow, ComparisonSpec};
use nn_photographs::Kind;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of `experiment.json`'s layout.
const SCHEMA: u32 = 1;

/// The content of `experiment.json`.
#[derive(Serialize)]
pub struct Summary<'a> {
    schema: u32,
    seeds: &'a [u64],
    leaky: Part<'a>,
    swap: Part<'a>,
    clean: Part<'a>,
    audit: Audit<'a>,
    conclusions: &'a Conclusions,
    config: &'a RunConfig,
    jobs: usize,
    /// What of the sets' folders was not looked at.
    passed_over: Vec<PassedOver>,
    environment: Environment,
}

/// What an audit of the two sets that were trained on finds.
#[derive(Serialize)]
struct Audit<'a> {
    leaky: LeaksSummary<'a>,
    clean: LeaksSummary<'a>,
}

/// One of the three measurements.
#[derive(Serialize)]
struct Part<'a> {
    dataset: &'a str,
    kind: Kind,
    /// Mean over the seeds.
    accuracy: f64,
    /// Standard deviation from seed to seed.
    deviation: Option<f64>,
    interval: Interval,
    n: usize,
    classes: &'a [String],
    notebook: f64,
    background: &'a MeanShare,
    runs: Vec<SeedScore>,
}

/// What the summary is made of.
pub struct Parts<'a> {
    pub seeds: &'a [u64],
    pub comparison: &'a Comparison,
    /// The sets of the three rows, in their order.
    pub sets: [&'a ImageSet; 3],
    /// The heat on the background of the three rows, over all seeds.
    pub background: &'a [MeanShare; 3],
    /// The leaks in the sets of the leaky and of the clean model.
    pub leaks: &'a [Leaks; 2],
    pub config: &'a RunConfig,
    /// Runs made at the same time.
    pub jobs: usize,
}

impl Parts<'_> {
    /// What all three sets are, if they are the same.
    pub fn kind(&self) -> Option<Kind> {
        let [first, rest @ ..] = self.sets.map(|set| set.kind);
        rest.iter().all(|kind| *kind == first).then_some(first)
    }

    /// What guessing would score on the images of a row.
    pub fn guessing(&self, row: &Row<'_>) -> Guessing {
        Guessing::of_confusion(&self.sets[0].folder.classes, &row.measured.confusion())
    }

    /// What can be concluded.
    pub fn conclusions(&self) -> Conclusions {
        let [_, swap, clean] = self.comparison.rows().map(|row| self.guessing(&row));
        Conclusions::draw(&Evidence {
            comparison: self.comparison,
            without_copies: self.leaks.each_ref().map(|leaks| leaks.without_copies.as_ref()),
            seeds: self.seeds.len(),
            classes: &self.sets[0].folder.classes,
            kind: self.kind(),
            guessing: [&swap, &clean],
        })
    }

    /// The content of `experiment.json`.
    pub fn summary<'a>(&'a self, conclusions: &'a Conclusions) -> Summary<'a> {
        let rows = self.comparison.rows();
        let part = |i: usize| self.part(&rows[i], self.sets[i], &self.background[i]);
        Summary {
            schema: SCHEMA,
            seeds: self.seeds,
            leaky: part(0),
            swap: part(1),
            clean: part(2),
            audit: Audit { leaky: self.leaks[0].summary(), clean: self.leaks[1].summary() },
            conclusions,
            config: self.config,
            jobs: self.jobs,
            passed_over: self.sets.iter().flat_map(|set| passed_over(set)).collect(),
            environment: Environment::here(),
        }
    }

    /// The comparison as a picture.
    pub fn picture(&self) -> ComparisonSpec {
        let several = self.seeds.len() > 1;
        let row = |(row, set): (&Row<'_>, &&ImageSet)| ComparisonRow {
            name: row.title.to_string(),
            detail: format!("{}, {}", set.name, plural(row.measured.images() as u64, "image")),
            accuracy: row.measured.accuracy.mean,
            interval: row.measured.accuracy.interval.ends(),
            each: if several { row.measured.accuracies() } else { Vec::new() },
            reference: row.notebook_accuracy(),
            baselines: self.guessing(row).baselines(),
        };
        let seeds = self.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        ComparisonSpec {
            title: "Accuracy with leakage and without".into(),
            subtitle: format!("{} {seeds}", if several { "seeds" } else { "seed" }),
            synthetic: self.sets.iter().any(|set| set.kind == Kind::Synthetic),
            rows: self.comparison.rows().iter().zip(&self.sets).map(row).collect(),
            reference: "the notebook".into(),
        }
    }

    fn part<'a>(&'a self, row: &Row<'a>, set: &'a ImageSet, background: &'a MeanShare) -> Part<'a> {
        let arm = if row.key == "clean" { "clean" } else { "leaky" };
        let runs = self.seeds.iter().zip(&row.measured.evaluations).map(|(&seed, evaluation)| {
            SeedScore::new(seed, format!("runs/{arm}-{seed}"), evaluation)
        });
        let accuracy = row.measured.accuracy;
        Part {
            dataset: &set.name,
            kind: set.kind,
            accuracy: accuracy.mean,
            deviation: accuracy.deviation,
            interval: accuracy.interval,
            n: row.measured.images(),
            classes: &set.folder.classes,
            notebook: row.notebook_accuracy(),
            background,
            runs: runs.collect(),
        }
    }
}

/// What of the set's folder was not looked at, below the folder of all sets.
fn passed_over(set: &ImageSet) -> impl Iterator<Item = PassedOver> {
    set.folder
        .passed_over_in_training()
        .into_iter()
        .map(|one| PassedOver { path: format!("{}/{}", set.name, one.path), reason: one.reason })
}

/// The comparison and what follows from it, in lines of at most `most` columns.
pub fn table(
    comparison: &Comparison,
    background: &[MeanShare; 3],
    seeds: &[u64],
    conclusions: &Conclusions,
    most: usize,
) -> String {
    let columns =
        |header: &[String], lines: Vec<Vec<String>>| columns_within(Some(most), header, lines, 1);
    let several = seeds.len() > 1;
    let own: &[&str] = if several { &["images", "mean", "spread"] } else { &["right", "accuracy"] };
    let header = [&[""], own, &["95 % interval", "notebook"]].concat();
    let header: Vec<String> = header.into_iter().map(String::from).collect();
    let rows = comparison.rows();
    let lines = rows.iter().map(|row| {
        let accuracy = row.measured.accuracy;
        let (images, mean) = (row.measured.images(), percent(accuracy.mean));
        let mut line = vec![row.title.to_string()];
        match accuracy.deviation {
            Some(deviation) => {
                line.extend([images.to_string(), mean, format!("± {:.1}", deviation * 100.0)]);
            }
            None => line.extend([format!("{} of {images}", row.measured.correct()), mean]),
        }
        line.push(format::interval(accuracy.interval));
        line.push(format!("{:.0} %", row.notebook_accuracy() * 100.0));
        line
    });
    let mut out = columns(&header, lines.collect()) + "\n";
    if several {
        out += "\nEach seed\n\n";
        let header = std::iter::once(String::new()).chain(seeds.iter().map(u64::to_string));
        let lines = rows.iter().map(|row| {
            let scores = row.measured.evaluations.iter().map(|e| percent(e.accuracy()));
            std::iter::once(row.title.to_string()).chain(scores).collect()
        });
        out += &(columns(&header.collect::<Vec<_>>(), lines.collect()) + "\n");
    }
    out += &heat_table(&rows, background, most);
    for (title, sentences) in [
        ("What we can conclude", &conclusions.may),
        ("What we cannot conclude", &conclusions.may_not),
    ] {
        if sentences.is_empty() {
            continue;
        }
        out += &format!("\n{title}\n");
        for sentence in sentences {
            out += &(broken(&format!("  - {}", format::clean(sentence)), most) + "\n");
        }
    }
    out
}

/// Answers of more classes share a line.
const CLASSES_APART: usize = 3;

/// How much of the heat lies on the background, for each answer; empty if no map has a share to tell.
fn heat_table(rows: &[Row<'_>; 3], background: &[MeanShare; 3], most: usize) -> String {
    let line = |row: &Row<'_>, answer: String, images: usize, heat: f64, area: f64| {
        vec![row.title.to_string(), answer, images.to_string(), percent(heat), percent(area)]
    };
    let mut lines = Vec::new();
    for (row, mean) in rows.iter().zip(background) {
        if mean.by_answer.len() <= CLASSES_APART {
            lines.extend(
                mean.by_answer.iter().map(|of| {
                    line(row, format::class_name(&of.class), of.images, of.heat, of.area)
                }),
            );
        } else if let (Some(heat), Some(area)) = (mean.heat, mean.area) {
            lines.push(line(row, "all".into(), mean.images, heat, area));
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let header = ["", "answer", "maps", "heat on background", "background"].map(String::from);
    let table = columns_within(Some(most), &header, lines, 2);
    let mut out = format!("\nWhere the heat lies (Grad-CAM)\n\n{table}\n");
    let mut without = BTreeMap::new();
    for (&reason, n) in background.iter().flat_map(|mean| &mean.without) {
        *without.entry(reason).or_default() += n;
    }
    if !without.is_empty() {
        out += &(broken(&not_counted(&without), most) + "\n");
    }
    out
}

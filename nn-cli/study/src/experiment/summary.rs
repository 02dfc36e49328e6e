//! The result of an experiment: as JSON, and as a picture.

use super::conclusions::{Conclusions, Evidence};
use super::leaks::{Leaks, LeaksSummary};
use super::measured::{Comparison, Row, SeedScore};
use super::plan::label;
use super::{Arm, Tried, Way};
use crate::Environment;
use crate::ImageSet;
use crate::Kind;
use crate::config::RunConfig;
use crate::format::plural;
use crate::inspection::MeanShare;
use crate::stats::{Guessing, Interval};
use nn_core::data::PassedOver;
use nn_figures::plots::{ComparisonRow, ComparisonSpec};
use serde::Serialize;

/// The version of `experiment.json`'s layout.
const SCHEMA: u32 = 1;

/// The content of `experiment.json`.
#[derive(Serialize)]
pub struct Summary<'a> {
    schema: u32,
    seeds: &'a [u64],
    leaky: Measurement<'a>,
    swap: Measurement<'a>,
    clean: Measurement<'a>,
    /// What was tried against the leak.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tried: Vec<TriedMeasurements<'a>>,
    audit: Audit<'a>,
    conclusions: &'a Conclusions,
    config: &'a RunConfig,
    jobs: usize,
    /// Entries of the sets' folders that were ignored.
    passed_over: Vec<PassedOver>,
    environment: Environment,
}

/// The audits of the two sets that models were trained on.
#[derive(Serialize)]
struct Audit<'a> {
    leaky: LeaksSummary<'a>,
    clean: LeaksSummary<'a>,
}

/// One of the three measurements.
#[derive(Serialize)]
struct Measurement<'a> {
    dataset: &'a str,
    kind: Kind,
    /// The mean over the seeds.
    accuracy: f64,
    /// The standard deviation over the seeds.
    deviation: Option<f64>,
    interval: Interval,
    n: usize,
    classes: &'a [String],
    notebook: f64,
    background: &'a MeanShare,
    runs: Vec<SeedScore>,
}

/// The three measurements of a way to train.
#[derive(Serialize)]
struct TriedMeasurements<'a> {
    way: &'static str,
    title: &'static str,
    leaky: Measurement<'a>,
    swap: Measurement<'a>,
    clean: Measurement<'a>,
}

/// The inputs of the summary.
pub struct Parts<'a> {
    /// The seeds of the runs.
    pub seeds: &'a [u64],
    /// The three measurements.
    pub comparison: &'a Comparison,
    /// The sets of the three rows, in the order of the rows.
    pub sets: [&'a ImageSet; 3],
    /// The heat on the background for the three rows, over all seeds.
    pub background: &'a [MeanShare; 3],
    /// What was tried against the leak, beside the network alone.
    pub tried: &'a [Tried],
    /// The leaks in the sets of the leaky and of the clean model.
    pub leaks: &'a [Leaks; 2],
    /// The settings all runs share.
    pub config: &'a RunConfig,
    /// The number of runs made in parallel.
    pub jobs: usize,
}

impl Parts<'_> {
    /// The kind of the images, if it is the same for all three sets.
    pub fn kind(&self) -> Option<Kind> {
        let [first, rest @ ..] = self.sets.map(|set| set.kind);
        rest.iter().all(|kind| *kind == first).then_some(first)
    }

    /// The accuracy of guessing on the images of a row.
    pub fn guessing(&self, row: &Row<'_>) -> Guessing {
        Guessing::of_confusion(&self.sets[0].folder.classes, &row.measured.confusion())
    }

    /// The conclusions from the numbers.
    pub fn conclusions(&self) -> Conclusions {
        let [_, swap, clean] = self.comparison.rows().map(|row| self.guessing(&row));
        Conclusions::draw(&Evidence {
            comparison: self.comparison,
            without_duplicates: self
                .leaks
                .each_ref()
                .map(|leaks| leaks.without_duplicates.as_ref()),
            seeds: self.seeds.len(),
            classes: &self.sets[0].folder.classes,
            kind: self.kind(),
            guessing: [&swap, &clean],
            tried: self.tried,
        })
    }

    /// The content of `experiment.json`.
    pub fn summary<'a>(&'a self, conclusions: &'a Conclusions) -> Summary<'a> {
        let rows = self.comparison.rows();
        let part = |i: usize| self.part(Way::Plain, &rows[i], self.sets[i], &self.background[i]);
        let tried = self.tried.iter().map(|tried| {
            let rows = tried.comparison.rows();
            let part = |i| self.part(tried.way, &rows[i], self.sets[i], &tried.background[i]);
            let (way, title) = (tried.way.name(), tried.way.title());
            TriedMeasurements { way, title, leaky: part(0), swap: part(1), clean: part(2) }
        });
        Summary {
            schema: SCHEMA,
            seeds: self.seeds,
            leaky: part(0),
            swap: part(1),
            clean: part(2),
            tried: tried.collect(),
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
            synthetic: self.sets.iter().any(|set| set.kind == Kind::StandIn),
            rows: self.comparison.rows().iter().zip(&self.sets).map(row).collect(),
            reference: "the notebook".into(),
        }
    }

    fn part<'a>(
        &'a self,
        way: Way,
        row: &Row<'a>,
        set: &'a ImageSet,
        background: &'a MeanShare,
    ) -> Measurement<'a> {
        let arm = if row.key == "clean" { Arm::Clean } else { Arm::Leaky };
        let runs = self.seeds.iter().zip(&row.measured.evaluations).map(|(&seed, evaluation)| {
            SeedScore::new(seed, format!("runs/{}", label(way, arm, seed)), evaluation)
        });
        let accuracy = row.measured.accuracy;
        Measurement {
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

/// The ignored entries of the set's folder, with paths relative to the folder of all sets.
fn passed_over(set: &ImageSet) -> impl Iterator<Item = PassedOver> {
    set.folder
        .passed_over_in_training()
        .into_iter()
        .map(|one| PassedOver { path: format!("{}/{}", set.name, one.path), reason: one.reason })
}

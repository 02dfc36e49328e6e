//! The page of an experiment.

use super::base::{self, Base};
use super::curves::Curves;
use super::gallery::{Gallery, View, heat_note, views, worst};
use super::handout;
use super::leaks::{SetLeaks, label_table};
use super::matrix::Matrix;
use super::parts::{Score, Scored, Table, guessing_key, layers, settings};
use super::places;
use super::samples::Samples;
use super::shares::{self, Shares};
use super::tried::{LookedInto, TriedSection};
use crate::Environment;
use crate::StudyError;
use crate::experiment::{Conclusions, Parts};
use crate::format::{self, class_name, clean, percent, sentence};
use crate::inspection::Inspection;
use crate::shell::DATA_ROOT;
use crate::stats::Guessing;
use crate::text::leaks as leak_text;
use askama::Template;
use nn_core::model::Summary;
use nn_figures::plots::{ConfusionSpec, CurvesSpec};

/// An experiment as a page.
#[derive(Template)]
#[template(path = "experiment.html")]
pub struct ExperimentPage<'a> {
    base: Base,
    samples: Vec<Samples>,
    headline: String,
    scores: Vec<Score>,
    /// The baselines of guessing: CSS class and name.
    guessing: Vec<(&'static str, &'static str)>,
    /// What a dot on a strip is, where there are several.
    dots: &'static str,
    conclusions: &'a Conclusions,
    seeds: Option<Table>,
    tried: Option<TriedSection>,
    sets: Table,
    credit: Option<&'static str>,
    leaks: Vec<SetLeaks>,
    label_leaks: Table,
    leaks_key: &'static str,
    curves: Vec<Curves>,
    matrices: Vec<Matrix>,
    heat_note: String,
    shares: Vec<Shares>,
    shares_note: String,
    views: Vec<View>,
    leaky: Gallery,
    swap: Gallery,
    clean: Gallery,
    worst: Table,
    layers: Table,
    answers: Vec<String>,
    repeat_note: &'static str,
    commands: Vec<String>,
    facts: Vec<(String, String)>,
}

/// The data of the page.
pub struct Told<'a> {
    /// The measurements and what they were made on.
    pub parts: &'a Parts<'a>,
    /// What can be concluded from them.
    pub conclusions: &'a Conclusions,
    /// The inspections of the first seed's models: for the three measurements in their order.
    pub first: [&'a Inspection; 3],
    /// The inspections of all seeds' models.
    pub looked: [Vec<&'a Inspection>; 3],
    /// The inspections of what was tried against the leak.
    pub tried: Vec<LookedInto<'a>>,
    /// The training curves and guessing baselines of the leaky and of the clean model.
    pub curves: [(CurvesSpec, Guessing); 2],
    /// The numbers of training and validation images of the three sets, if any.
    pub used: [Option<(usize, usize)>; 3],
    /// The layers of the networks.
    pub model: Summary,
    /// The command line that repeats the experiment.
    pub command: String,
}

impl<'a> ExperimentPage<'a> {
    /// Creates the page.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn new(told: &Told<'a>) -> Result<Self, StudyError> {
        let parts = told.parts;
        let rows = parts.comparison.rows();
        let several = parts.seeds.len() > 1;
        let [leaky, swap, clean] = told.first;
        let mut facts = settings(parts.config)?;
        facts.retain(|(name, _)| name != "data" && name != "seed");
        facts.push(("seeds".into(), list(parts.seeds)));
        facts.push(("runs at once".into(), parts.jobs.to_string()));
        facts.extend(Environment::here().facts());
        let [leaky_score, _, clean_score] = rows.each_ref().map(|row| row.measured.accuracy.mean);
        let titles = rows.each_ref().map(|row| row.title);
        let shares = (0..3).filter_map(|i| Shares::new(&sentence(titles[i]), &told.looked[i]));
        let seed_note = if several {
            format!(" The maps below are of the models of seed {}.", parts.seeds[0])
        } else {
            String::new()
        };
        Ok(Self {
            base: head(told),
            samples: Samples::of_experiment(parts)?,
            headline: headline(parts),
            scores: scores(parts),
            guessing: guessing_key(&rows.each_ref().map(|row| parts.guessing(row))),
            dots: if several { "one seed" } else { "" },
            conclusions: told.conclusions,
            seeds: several.then(|| each_seed(parts)),
            tried: TriedSection::new(parts, &told.tried)?,
            sets: sets(told),
            credit: base::credit(&parts.sets),
            leaks: vec![
                SetLeaks::new("leaky", parts.sets[0], &parts.leaks[0], leaky_score),
                SetLeaks::new("clean", parts.sets[2], &parts.leaks[1], clean_score),
            ],
            label_leaks: label_table(&[
                (parts.sets[0], &parts.leaks[0]),
                (parts.sets[2], &parts.leaks[1]),
            ]),
            leaks_key: leak_text::LEAK_NOTE,
            curves: told
                .curves
                .iter()
                .map(|(spec, guessing)| Curves::draw(spec, guessing))
                .collect(),
            matrices: matrices(parts),
            heat_note: heat_note(leaky.method, parts.config.channels) + &seed_note,
            shares: shares.collect(),
            shares_note: shares::note(&told.looked.concat()),
            views: views(&leaky.classes),
            leaky: Gallery::new("gallery-leaky", "Leaky model, own test set", leaky)?,
            swap: Gallery::new("gallery-swap", "Leaky model, backgrounds swapped", swap)?,
            clean: Gallery::new("gallery-clean", "Clean model, own test set", clean)?,
            worst: worst(&[
                ("leaky, test", leaky),
                ("leaky, swapped", swap),
                ("clean, test", clean),
            ]),
            layers: layers(&told.model),
            answers: handout::answers(parts),
            repeat_note: repeat_note(&told.command),
            commands: vec![told.command.clone()],
            facts,
        })
    }
}

fn head(told: &Told<'_>) -> Base {
    let seeds = format::plural(told.parts.seeds.len() as u64, "seed");
    let kicker = format!("Experiment on data leakage, {seeds}");
    let lede = "A network learns to tell classes apart from images whose background gives the class away. \
                What has it learned?"
        .to_string();
    let mut base =
        Base::new(&kicker, "Right for the wrong reason?".into(), lede).about(&told.parts.sets);
    base.sections.splice(0..0, [("data", "The data"), ("leakage", "What leakage is")]);
    base.sections.insert(3, ("leaks", "Audit"));
    if !told.tried.is_empty() {
        let heat = base.sections.iter().position(|(id, _)| *id == "heat");
        let at = heat.map_or(base.sections.len(), |heat| heat + 1);
        base.sections.insert(at, ("tried", "Against the leak"));
    }
    base.sections.push(("handout", "Hand-out"));
    base
}

/// A note about the command line.
fn repeat_note(command: &str) -> &'static str {
    if command.contains(DATA_ROOT) {
        "DATA_ROOT stands for the folder that holds the three sets."
    } else {
        "In a folder whose folder data holds the three sets, or without them, on drawn images:"
    }
}

/// The result in three numbers.
fn headline(parts: &Parts<'_>) -> String {
    let [own, swap, clean] = parts.comparison.rows().map(|row| row.measured.accuracy.mean);
    format!(
        "Trained where the background gives the class away, the network scores {}. With the \
         backgrounds swapped it scores {}. Trained on one background for all classes, it scores {}.",
        percent(own),
        percent(swap),
        percent(clean)
    )
}

fn scores(parts: &Parts<'_>) -> Vec<Score> {
    let rows = parts.comparison.rows();
    let score = |(row, set): (&crate::experiment::Row<'_>, &&crate::ImageSet)| {
        let accuracy = row.measured.accuracy;
        let (correct, n) = (row.measured.correct(), row.measured.images());
        let detail = match accuracy.deviation {
            Some(deviation) => format!(
                "mean over {} on {}, spread ±{:.1} points",
                format::plural(parts.seeds.len() as u64, "seed"),
                format::plural(n as u64, "image"),
                deviation * 100.0
            ),
            None => format!("{correct} of {n} right"),
        };
        Scored {
            title: &sentence(row.title),
            set: clean(&set.name),
            accuracy: accuracy.mean,
            interval: accuracy.interval,
            detail,
            note: format!(
                "Test loss {}. The notebook\u{2019}s accuracy: {:.0} %",
                format::loss(row.measured.loss()),
                row.notebook_accuracy() * 100.0
            ),
            guessing: parts.guessing(row),
            notebook: Some(row.notebook_accuracy()),
            seeds: if parts.seeds.len() > 1 { row.measured.accuracies() } else { Vec::new() },
        }
        .show()
    };
    rows.iter().zip(&parts.sets).map(score).collect()
}

fn each_seed(parts: &Parts<'_>) -> Table {
    let seeds: Vec<String> = parts.seeds.iter().map(|seed| format!("seed {seed}")).collect();
    let mut header = vec!["accuracy"];
    header.extend(seeds.iter().map(String::as_str));
    header.extend(["mean", "spread", "95 % interval", "mean loss"]);
    let caption = "Accuracy of each seed. Spread: standard deviation over the seeds, in percentage points. The \
                   interval covers the choice of seeds and of test images. Loss: cross-entropy on the test \
                   images";
    let mut table = Table::new(caption, &header, 1);
    for row in parts.comparison.rows() {
        let accuracy = row.measured.accuracy;
        let mut cells = vec![row.title.to_string()];
        cells.extend(row.measured.evaluations.iter().map(|e| percent(e.accuracy())));
        let spread = accuracy.deviation.map_or("–".into(), |d| format!("±{:.1}", d * 100.0));
        cells.extend([percent(accuracy.mean), spread, accuracy.interval.to_string()]);
        cells.push(format::loss(row.measured.loss()));
        table.rows.push(cells);
    }
    table
}

fn sets(told: &Told<'_>) -> Table {
    let header = ["set", "what it is", "used for", "training", "validation", "test"];
    let mut table = Table::new("What the images were used for", &header, 3);
    let uses = ["leaky model", "leaky model, second test", "clean model"];
    for (i, set) in told.parts.sets.iter().enumerate() {
        let n = told.first[i].evaluation.images();
        let count = |n: Option<usize>| n.map_or("–".into(), |n| n.to_string());
        table.rows.push(vec![
            clean(&places::shown(&set.path, &told.parts.config.data_root)),
            base::kind(set.kind).into(),
            uses[i].into(),
            count(told.used[i].map(|used| used.0)),
            count(told.used[i].map(|used| used.1)),
            n.to_string(),
        ]);
    }
    table
}

fn matrices(parts: &Parts<'_>) -> Vec<Matrix> {
    let several = parts.seeds.len() > 1;
    let matrix = |row: &crate::experiment::Row<'_>| {
        let subtitle = match row.measured.accuracy.deviation {
            Some(_) => format!("answers of {} seeds, summed", parts.seeds.len()),
            None => format!("{} of {} right", row.measured.correct(), row.measured.images()),
        };
        Matrix::draw(&ConfusionSpec {
            title: sentence(row.title),
            // A non-empty subtitle is needed: otherwise the figure would show an accuracy that treats all
            // answers as independent.
            subtitle: if several { subtitle } else { subtitle + "." },
            synthetic: false,
            interval: None,
            classes: parts.sets[0].folder.classes.iter().map(|name| class_name(name)).collect(),
            counts: row.measured.confusion(),
        })
    };
    parts.comparison.rows().iter().map(matrix).collect()
}

fn list(seeds: &[u64]) -> String {
    seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

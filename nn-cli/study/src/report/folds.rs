//! The page of a cross-validation.

use super::base::{self, Base};
use super::curves::Curves;
use super::matrix::Matrix;
use super::parts::{Score, Scored, Table, guessing_key, layers, settings};
use super::scores::ScoreSection;
use crate::Environment;
use crate::StudyError;
use crate::folds::{CrossValidation, Fold};
use crate::format::{self, class_name, clean, percent, plural, sentence};
use crate::stats::wilson;
use askama::Template;
use nn_core::data::summary;
use nn_figures::plots::ConfusionSpec;

/// How many wrong answers are listed.
const WORST: usize = 20;

/// A cross-validation as a page.
#[derive(Template)]
#[template(path = "folds.html")]
pub struct FoldsPage {
    base: Base,
    warnings: Vec<String>,
    scores: Vec<Score>,
    guessing: Vec<(&'static str, &'static str)>,
    folds: Vec<FoldRow>,
    together: String,
    curves: Curves,
    matrix: Matrix,
    scored: ScoreSection,
    worst: Table,
    layers: Table,
    credit: Option<&'static str>,
    commands: Vec<String>,
    facts: Vec<(String, String)>,
}

/// The row of a fold, with a link to its own page.
struct FoldRow {
    number: usize,
    cells: Vec<String>,
}

impl FoldsPage {
    /// Creates the page of `of`.
    ///
    /// # Errors
    /// If the settings cannot be written.
    pub fn new(of: &CrossValidation<'_>) -> Result<Self, StudyError> {
        let (set, name) = (of.set, clean(&of.set.name));
        let (correct, n) = (of.all.correct as u64, of.all.images() as u64);
        let (low, high) = of.range();
        let lede = format!(
            "{} networks, each trained without one of {} folds, classify {} of {} correctly ({}); each image was \
             answered by the network that had not seen it. The accuracy of single folds lies between {} and {}: so much \
             depends on which images are in a test.",
            of.folds.len(),
            of.folds.len(),
            format::count(correct),
            plural(n, "image"),
            percent(of.all.accuracy()),
            percent(low),
            percent(high),
        );
        let mut base = Base::new("Cross-validation", format!("Cross-validation on {name}"), lede);
        base = base.about(&[set]);
        base.sections = vec![
            ("result", "Result"),
            ("folds", "Folds"),
            ("training", "Training"),
            ("answers", "Confusion matrix"),
            ("scores", "Scores"),
            ("errors", "Worst errors"),
            ("images", "Network"),
            ("repeat", "Repeat it"),
        ];
        let guessing = of.guessing();
        let score = Scored {
            title: "Accuracy on images not seen",
            set: name,
            accuracy: of.all.accuracy(),
            interval: of.interval(),
            detail: format!("{correct} of {n} right"),
            note: "Dots are the folds".into(),
            guessing: guessing.clone(),
            notebook: None,
            seeds: of.folds.iter().map(|fold| fold.evaluation.accuracy()).collect(),
        };
        let balanced = of.scores.balanced_accuracy.filter(|_| of.scores.imbalanced);
        let balanced = balanced.zip(of.scores.intervals.get("balanced_accuracy"));
        let balanced = balanced.map(|(accuracy, interval)| {
            Scored::balanced(accuracy, *interval, clean(&set.name), &of.scores)
        });
        let mut facts = settings(of.config)?;
        facts.extend(Environment::here().facts());
        facts.push(("folders".into(), set.folder.arrangement()));
        let passed_over = summary(&set.folder.passed_over_in_training());
        facts.extend(passed_over.map(|line| ("not looked at".into(), clean(&line))));
        let mut scored = ScoreSection::new(&of.scores, &of.score_curves()?);
        scored.words.push(
            "Areas under curves are means over the folds, since probabilities of different networks do not compare; \
             all other numbers are those of all answers together."
                .into(),
        );
        let matrix = ConfusionSpec { title: "Images of all folds".into(), ..of.confusion() };
        Ok(Self {
            base,
            warnings: of.warnings.iter().map(|warning| sentence(&warning.text)).collect(),
            guessing: guessing_key([&score.guessing]),
            scores: balanced.into_iter().chain([score]).map(Scored::show).collect(),
            folds: of.folds.iter().enumerate().map(|(at, fold)| row(at, fold)).collect(),
            together: together(of),
            curves: Curves::draw(&of.curves(), &guessing),
            matrix: Matrix::draw(&matrix),
            scored,
            worst: worst(of),
            layers: layers(&of.folds[0].model),
            credit: base::credit(&[set]),
            commands: vec!["nn-cli train --config config.toml --out again".into()],
            facts,
        })
    }
}

fn row(at: usize, fold: &Fold) -> FoldRow {
    let [train, validation, test] = fold.images;
    let of = &fold.evaluation;
    let interval = wilson(of.correct as u64, of.images() as u64);
    let cells = vec![
        train.to_string(),
        validation.to_string(),
        test.to_string(),
        format!("{} ({interval})", percent(of.accuracy())),
        format::loss(of.loss),
        fold.epoch_kept().unwrap_or_default(),
    ];
    FoldRow { number: at + 1, cells }
}

/// Which images were kept together, in words.
fn together(of: &CrossValidation<'_>) -> String {
    let how = match of.config.folds.as_ref() {
        Some(folds) if folds.group_column.is_some() || folds.group_pattern.is_some() => {
            "Copies, and images of the same group,"
        }
        _ => "Copies",
    };
    let together = of.together();
    let (groups, images) = together.told();
    let found = match together.several {
        0 => "none were found".to_string(),
        _ => format!("{groups}, {images} in all; intervals count such images together"),
    };
    format!(
        "{how} are always in the same fold, so that no network is tested on what it has seen in another form: {found}. \
         The interval of a fold is that of its own images. The spread of the folds is not that of the whole: \
         their networks share most of their training images."
    )
}

/// The wrong answers, the most confident first.
fn worst(of: &CrossValidation<'_>) -> Table {
    let header = ["file", "fold", "true class", "answer", "probability of the answer"];
    let caption = format!("Wrong answers, the most confident first, at most {WORST}");
    let mut table = Table::new(caption, &header, 4);
    let sure = |i: usize| of.all.probabilities[i][of.all.predicted[i]];
    let mut wrong: Vec<usize> =
        (0..of.images.len()).filter(|&i| of.all.predicted[i] != of.all.labels[i]).collect();
    wrong.sort_by(|&a, &b| sure(b).total_cmp(&sure(a)));
    let class = |class: usize| class_name(&of.set.folder.classes[class]);
    table.rows.extend(wrong.into_iter().take(WORST).map(|i| {
        vec![
            clean(&of.images[i].file),
            (of.images[i].fold + 1).to_string(),
            class(of.all.labels[i]),
            class(of.all.predicted[i]),
            percent(sure(i)),
        ]
    }));
    table
}

//! What the folds of a cross-validation answered together.

use super::assignment::Assignment;
use super::fold::{Fold, merged};
use super::together::Together;
use crate::config::RunConfig;
use crate::figures::{curves_of, of_scores};
use crate::run_folder::fold_name;
use crate::scores::{Arranged, Scores};
use crate::stats::{Guessing, Interval, wilson};
use crate::training::{Kept, Task, Warning};
use crate::{Environment, Evaluation, ImageSet, Kind, StudyError, format};
use nn_core::data::{PartFolder, PassedOver, Treated};
use nn_core::metrics::{ClassCounts, confusion_matrix};
use nn_core::train::{Classification, History};
use nn_figures::plots::{ConfusionSpec, CurvesSpec, SquareSpec};
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// The version of the schema of `metrics.json`.
const SCHEMA: u32 = 1;

/// A cross-validation whose runs are finished.
pub struct CrossValidation<'a> {
    /// The settings.
    pub config: &'a RunConfig,
    /// The images.
    pub set: &'a ImageSet,
    /// The folds, in their order.
    pub folds: Vec<Fold>,
    /// The images that were tested, in the order of their answers.
    pub images: Vec<Tested>,
    /// What was answered to all images, to each by the network that has not seen it.
    pub all: Evaluation,
    /// What metrics say of it.
    pub scores: Scores,
    /// The warnings of the folds, those of one kind together.
    pub warnings: Vec<Warning>,
    /// The files that could not be read.
    pub skipped: Vec<String>,
}

/// A tested image.
pub struct Tested {
    /// Its file, relative to the set's folder.
    pub file: String,
    /// Its fold, counted from 0.
    pub fold: usize,
    /// Its group: the images with this number belong together.
    pub group: usize,
}

impl<'a> CrossValidation<'a> {
    /// Joins the answers of `folds`, in the order of the images of `assignment`. Images that could not be read are
    /// missing.
    ///
    /// # Errors
    /// If the answers do not fit together.
    pub fn new(
        task: Task<'a>,
        assignment: Assignment,
        folds: Vec<Fold>,
    ) -> Result<Self, StudyError> {
        let Task { config, set, .. } = task;
        let mut answers: HashMap<&Path, (usize, usize)> = HashMap::new();
        for (at, fold) in folds.iter().enumerate() {
            for (row, path) in fold.tested.iter().enumerate() {
                answers.insert(path, (at, row));
            }
        }
        let (mut images, mut labels, mut predicted, mut probabilities) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for image in assignment.images {
            let Some(&(fold, row)) = answers.get(image.sample.path.as_path()) else { continue };
            let of = &folds[fold].evaluation;
            labels.push(of.labels[row]);
            predicted.push(of.predicted[row]);
            probabilities.push(of.probabilities[row].clone());
            images.push(Tested { file: image.file, fold, group: image.group });
        }
        let classes = &set.folder.classes;
        let confusion = confusion_matrix(&labels, &predicted, classes.len())?;
        let correct = labels.iter().zip(&predicted).filter(|(a, b)| a == b).count();
        let sum: f64 =
            folds.iter().map(|fold| fold.evaluation.loss * fold.evaluation.images() as f64).sum();
        let loss = sum / labels.len().max(1) as f64;
        let classification =
            Classification { correct, confusion, labels, predicted, probabilities };
        let all = Evaluation { loss, classification };
        let groups: Vec<usize> = images.iter().map(|image| image.group).collect();
        let networks: Vec<usize> = images.iter().map(|image| image.fold).collect();
        let arranged = Arranged { groups: Some(&groups), networks: Some(&networks) };
        let scores = Scores::arranged(&all, classes, arranged)?;
        let warnings = merged(&folds);
        let skipped = assignment.skipped.into_iter().map(|(file, _)| file).collect();
        Ok(Self { config, set, folds, images, all, scores, warnings, skipped })
    }

    /// The 95 % interval of the accuracy, by groups of images that belong together.
    pub fn interval(&self) -> Interval {
        let known = self.scores.intervals.get("accuracy").copied();
        known.unwrap_or_else(|| wilson(0, 0))
    }

    /// How many images belong together.
    pub fn together(&self) -> Together {
        Together::of(self.images.iter().map(|image| image.group))
    }

    /// The lowest and the highest accuracy of a fold.
    pub fn range(&self) -> (f64, f64) {
        let accuracies = self.folds.iter().map(|fold| fold.evaluation.accuracy());
        accuracies.fold((1.0, 0.0), |(low, high), one| (one.min(low), one.max(high)))
    }

    /// The accuracy for people: `71.0 % (71 of 100; 95 % interval 61 to 79 %; folds 60 to 85 %)`.
    pub fn accuracy(&self) -> String {
        let (low, high) = self.range();
        format!(
            "{} ({} of {}; 95 % interval {}; folds {})",
            format::percent(self.all.accuracy()),
            self.all.correct,
            self.all.images(),
            self.interval(),
            Interval { low, high },
        )
    }

    /// What was changed in the images when they were read.
    pub fn treated(&self) -> Treated {
        // Each fold reads all images.
        self.folds
            .first()
            .map_or_else(|| Treated::on(self.config.alpha_background), |fold| fold.treated.clone())
    }

    /// Loss and accuracy over the epochs: the mean of the folds, with their range.
    pub fn curves(&self) -> CurvesSpec {
        let histories: Vec<&History> = self.folds.iter().map(|fold| &fold.history).collect();
        CurvesSpec {
            title: format!("Training on {}", self.set.name),
            subtitle: format!(
                "mean of {} folds; the bands reach from the lowest to the highest",
                self.folds.len()
            ),
            synthetic: self.set.kind == Kind::StandIn,
            ..curves_of(&histories, &self.guessing())
        }
    }

    /// The accuracy of guessing.
    pub fn guessing(&self) -> Guessing {
        Guessing::of_confusion(&self.set.folder.classes, &self.all.confusion)
    }

    /// The confusion matrix of all answers.
    pub fn confusion(&self) -> ConfusionSpec {
        let classes = self.set.folder.classes.iter();
        ConfusionSpec {
            title: format!("{}, {} folds", self.set.name, self.folds.len()),
            subtitle: String::new(),
            synthetic: self.set.kind == Kind::StandIn,
            interval: Some(self.interval().ends()),
            classes: classes.map(|name| format::class_name(name)).collect(),
            counts: self.all.confusion.clone(),
        }
    }

    /// The reliability curve; those of ROC would compare probabilities of different networks.
    ///
    /// # Errors
    /// If the evaluation does not fit together.
    pub fn score_curves(&self) -> Result<Vec<(&'static str, SquareSpec)>, StudyError> {
        let title = format!("{}, {} folds", self.set.name, self.folds.len());
        let is_drawn = self.set.kind == Kind::StandIn;
        let mut all = of_scores(&self.all, &self.scores, &title, is_drawn)?;
        all.retain(|(name, _)| !matches!(*name, "roc" | "precision-recall"));
        Ok(all)
    }

    /// The content of `metrics.json`.
    pub fn metrics(&self) -> Metrics<'_> {
        let (lowest, highest) = self.range();
        Metrics {
            schema: SCHEMA,
            dataset: DatasetMetrics {
                name: &self.set.name,
                kind: self.set.kind,
                path: self.set.path.display().to_string(),
                classes: &self.set.folder.classes,
                images: self.images.len(),
                groups: self.together().all,
                folders: self.set.folder.parts(),
                skipped: &self.skipped,
                treated: self.treated(),
            },
            parameters: self.folds.first().map_or(0, |fold| fold.model.parameters),
            config: self.config,
            history: [],
            test: TestMetrics {
                split: "folds",
                loss: self.all.loss,
                accuracy: self.all.accuracy(),
                n: self.all.images(),
                correct: self.all.correct,
                confusion: &self.all.confusion,
                lowest_fold: lowest,
                highest_fold: highest,
                scores: &self.scores,
            },
            folds: self
                .folds
                .iter()
                .enumerate()
                .map(|(at, fold)| FoldMetrics::of(at, fold))
                .collect(),
            warnings: &self.warnings,
            passed_over: self.set.folder.passed_over_in_training(),
            environment: Environment::here(),
        }
    }
}

/// The content of the `metrics.json` of a cross-validation.
#[derive(Serialize)]
pub struct Metrics<'a> {
    schema: u32,
    dataset: DatasetMetrics<'a>,
    parameters: usize,
    config: &'a RunConfig,
    /// Each fold has its own.
    history: [(); 0],
    test: TestMetrics<'a>,
    folds: Vec<FoldMetrics<'a>>,
    warnings: &'a [Warning],
    passed_over: Vec<PassedOver>,
    environment: Environment,
}

#[derive(Serialize)]
struct DatasetMetrics<'a> {
    name: &'a str,
    kind: Kind,
    path: String,
    classes: &'a [String],
    images: usize,
    /// Groups of images that belong together; an image without others is one, too.
    groups: usize,
    folders: &'a [PartFolder],
    skipped: &'a [String],
    treated: Treated,
}

#[derive(Serialize)]
struct TestMetrics<'a> {
    split: &'static str,
    loss: f64,
    accuracy: f64,
    n: usize,
    correct: usize,
    confusion: &'a [Vec<u64>],
    lowest_fold: f64,
    highest_fold: f64,
    #[serde(flatten)]
    scores: &'a Scores,
}

#[derive(Serialize)]
struct FoldMetrics<'a> {
    fold: usize,
    folder: String,
    train: usize,
    validation: usize,
    test: usize,
    loss: f64,
    accuracy: f64,
    balanced_accuracy: Option<f64>,
    correct: usize,
    epochs: usize,
    seconds: f64,
    kept: Option<&'a Kept>,
}

impl<'a> FoldMetrics<'a> {
    fn of(at: usize, fold: &'a Fold) -> Self {
        let [train, validation, test] = fold.images;
        let counts = ClassCounts::of_confusion(&fold.evaluation.confusion);
        Self {
            fold: at + 1,
            folder: fold_name(at),
            train,
            validation,
            test,
            loss: fold.evaluation.loss,
            accuracy: fold.evaluation.accuracy(),
            balanced_accuracy: counts.ok().and_then(|counts| counts.balanced_accuracy()),
            correct: fold.evaluation.correct,
            epochs: fold.history.len(),
            seconds: fold.history.iter().map(|epoch| epoch.seconds).sum(),
            kept: fold.kept.as_ref(),
        }
    }
}

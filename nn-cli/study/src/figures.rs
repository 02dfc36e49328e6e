//! The data of a run's figures: training curves and confusion matrix.

mod scores;

pub use scores::of_scores;

use crate::Kind;
use crate::StudyError;
use crate::format::class_name;
use crate::stats::{Guessing, wilson};
use crate::training::{Run, Splits};
use nn_core::train::{EpochRecord, History};
use nn_figures::plots::{ConfusionSpec, CurvesSpec, Series, SquareSpec};

impl Run<'_> {
    fn is_synthetic(&self) -> bool {
        self.set.kind == Kind::StandIn
    }

    /// Loss and accuracy over the epochs.
    pub fn curves(&self) -> CurvesSpec {
        CurvesSpec {
            title: format!("Training on {}", self.set.name),
            subtitle: format!(
                "{} training and {} validation images, seed {}",
                self.data.train.len(),
                self.data.validation.len(),
                self.config.fit.seed
            ),
            synthetic: self.is_synthetic(),
            ..curves_of(&[&self.history], &self.guessing())
        }
    }

    /// The accuracy of guessing on the validation images, or on the training images if there are none.
    pub fn guessing(&self) -> Guessing {
        let Splits { train, validation, .. } = &self.data;
        let images = if validation.is_empty() { train } else { validation };
        let labels = images.samples().iter().map(|sample| sample.label);
        Guessing::of_labels(&self.set.folder.classes, labels)
    }

    /// ROC, precision-recall and reliability curves of the test images, by the names of their files.
    ///
    /// # Errors
    /// If the evaluation does not fit together.
    pub fn score_curves(&self) -> Result<Vec<(&'static str, SquareSpec)>, StudyError> {
        let title = format!("{}, {} images", self.set.name, self.data.tested_on);
        Ok(of_scores(&self.test, &self.scores, &title, self.is_synthetic())?)
    }

    /// The confusion matrix of the test images.
    pub fn confusion(&self) -> ConfusionSpec {
        ConfusionSpec {
            title: format!("{}, {} images", self.set.name, self.data.tested_on),
            subtitle: String::new(),
            synthetic: self.is_synthetic(),
            interval: Some(wilson(self.test.correct as u64, self.test.images() as u64).ends()),
            classes: self.set.folder.classes.iter().map(|name| class_name(name)).collect(),
            counts: self.test.confusion.clone(),
        }
    }
}

/// The curves of one run; of several runs their mean, with a band from the lowest value to the highest.
pub fn curves_of(histories: &[&History], guessing: &Guessing) -> CurvesSpec {
    let series = |name: &str, value: fn(&EpochRecord) -> Option<f64>| {
        let values = |history: &&History| {
            history.iter().map(|record| value(record).unwrap_or(f64::NAN)).collect()
        };
        Series::over_runs(name, &histories.iter().map(values).collect::<Vec<_>>())
    };
    let mut loss = vec![series("training", |r| Some(r.loss))];
    let mut accuracy = vec![series("training", |r| r.accuracy)];
    if histories.iter().any(|history| history.iter().any(|r| r.val_loss.is_some())) {
        loss.push(series("validation", |r| r.val_loss));
        accuracy.push(series("validation", |r| r.val_accuracy));
    }
    CurvesSpec { loss, accuracy, baselines: guessing.baselines(), ..CurvesSpec::default() }
}

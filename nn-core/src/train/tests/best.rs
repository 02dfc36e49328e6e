//! Early stopping, and the weights of the best epoch.

use super::super::*;
use super::{Points, StopAfter, options, outcome, trainer};
use crate::error::Error;
use crate::optim::OptimizerConfig;
use std::ops::ControlFlow;
use std::path::Path;

/// A run on points without a rule: it learns them by heart, so that the validation gets worse.
fn overfitting(epochs: usize, early_stopping: Option<usize>, keep: Keep) -> Trainer {
    let options = FitOptions { early_stopping, keep, ..options(epochs) };
    trainer(OptimizerConfig::adam(), options)
}

fn fit(mut trainer: Trainer) -> Trainer {
    trainer.fit(&Points::new(10), Some(&Points::new(6)), &mut Silent).unwrap();
    trainer
}

/// Keeps the weights and the validation loss of every epoch, as a caller can.
#[derive(Default)]
struct Epochs(Vec<(f64, Vec<Vec<f32>>)>);

fn weights(model: &crate::model::Model) -> Vec<Vec<f32>> {
    model.parameters().iter().map(|p| p.value.as_slice().to_vec()).collect()
}

impl Observer for Epochs {
    fn epoch_done(&mut self, done: &EpochDone) -> ControlFlow<Stop> {
        self.0.push((done.record.val_loss.unwrap(), weights(done.model)));
        ControlFlow::Continue(())
    }
}

#[test]
fn the_best_epoch_is_kept_and_training_ends_when_patience_does() {
    let mut epochs = Epochs::default();
    let mut trainer = overfitting(60, Some(4), Keep::Best);
    trainer.fit(&Points::new(10), Some(&Points::new(6)), &mut epochs).unwrap();
    let history = trainer.history();
    let best = (0..epochs.0.len()).min_by(|&a, &b| epochs.0[a].0.total_cmp(&epochs.0[b].0));
    let best = best.unwrap();
    assert!(best > 0 && history.len() < 60, "no sample of a run that stops early: {history:?}");
    assert_eq!(history.len(), best + 1 + 4);
    assert_eq!(best_epoch(history), Some(&history[best]));
    assert_eq!(weights(trainer.model()), epochs.0[best].1);
    assert_ne!(weights(trainer.model()), epochs.0.last().unwrap().1);
    let found = trainer.evaluate(&Points::new(6)).unwrap();
    assert_eq!(Some(found.loss), history[best].val_loss);
    let kept = weights(trainer.model());
    assert_eq!(weights(&trainer.into_model()), kept);

    // The same run that keeps the last weights.
    let last = fit(overfitting(60, Some(4), Keep::Last));
    assert_eq!(last.history().len(), epochs.0.len());
    assert_eq!(weights(last.model()), epochs.0.last().unwrap().1);
}

fn resumed(folder: &Path, trainer: Trainer) -> Trainer {
    let mut checkpoints = Checkpoints::new(folder);
    let latest = checkpoints.latest().unwrap().unwrap();
    assert!(latest.damaged.is_none());
    let mut trainer = trainer.resume(latest.checkpoint).unwrap();
    trainer.save_to(checkpoints, "");
    trainer
}

/// The last weights, behind those that are kept.
fn all(mut trainer: Trainer) -> impl PartialEq + std::fmt::Debug {
    let last = weights(trainer.model_mut());
    (outcome(&trainer), last)
}

#[test]
fn a_run_that_is_killed_at_any_step_keeps_the_same_weights() {
    let make = || overfitting(60, Some(4), Keep::Best);
    let unbroken = fit(make());
    let steps = unbroken.history().len() * 3;
    let unbroken = all(unbroken);
    for step in 1..=steps {
        let folder = tempfile::tempdir().unwrap();
        let mut first = make();
        first.save_to(Checkpoints::new(folder.path()), "");
        first.fit(&Points::new(10), Some(&Points::new(6)), &mut StopAfter(step)).unwrap_err();
        drop(first);
        assert_eq!(all(fit(resumed(folder.path(), make()))), unbroken, "after {step} steps");
    }
}

#[test]
fn a_run_that_ended_goes_on_from_its_last_weights() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = overfitting(60, Some(2), Keep::Best);
    first.save_to(Checkpoints::new(folder.path()), "");
    let stopped = fit(first).history().len();
    assert!(stopped < 50);
    // More epochs do not help a run that ran out of patience.
    assert_eq!(
        fit(resumed(folder.path(), overfitting(70, Some(2), Keep::Best))).history().len(),
        stopped
    );
    let longer = fit(resumed(folder.path(), overfitting(stopped + 5, Some(60), Keep::Best)));
    assert_eq!(all(longer), all(fit(overfitting(stopped + 5, Some(60), Keep::Best))));
    // Without early stopping more epochs are enough.
    let folder = tempfile::tempdir().unwrap();
    let mut first = overfitting(9, None, Keep::Best);
    first.save_to(Checkpoints::new(folder.path()), "");
    drop(fit(first));
    let longer = fit(resumed(folder.path(), overfitting(14, None, Keep::Best)));
    assert_eq!(all(longer), all(fit(overfitting(14, None, Keep::Best))));
}

#[test]
fn what_is_kept_cannot_change_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = overfitting(3, None, Keep::Last);
    first.save_to(Checkpoints::new(folder.path()), "");
    drop(fit(first));
    let latest = Checkpoints::new(folder.path()).latest().unwrap().unwrap();
    let error = overfitting(5, None, Keep::Best).resume(latest.checkpoint).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }), "{error}");
}

#[test]
fn a_setting_that_needs_a_validation_says_so() {
    for (mut trainer, what) in [
        (overfitting(5, Some(2), Keep::Last), "early stopping"),
        (overfitting(5, None, Keep::Best), "best epoch"),
    ] {
        for validation in [None, Some(&Points::new(0) as &dyn Examples)] {
            let error = trainer.fit(&Points::new(10), validation, &mut Silent).unwrap_err();
            assert!(matches!(error, Error::Data { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(what) && text.contains("keep some samples"), "{text}");
        }
    }
    let options = FitOptions { early_stopping: Some(0), ..options(1) };
    assert!(options.check().unwrap_err().to_string().contains("patience"));
}

#[test]
fn epochs_without_a_finite_loss_are_never_the_best() {
    let record = |epoch, val_loss| EpochRecord {
        epoch,
        loss: 1.0,
        accuracy: None,
        val_loss,
        val_accuracy: None,
        seconds: 0.0,
    };
    assert_eq!(best_epoch(&[]), None);
    assert_eq!(best_epoch(&[record(1, None), record(2, Some(f64::NAN))]), None);
    let history =
        [record(1, Some(f64::NAN)), record(2, Some(0.5)), record(3, Some(0.5)), record(4, None)];
    assert_eq!(best_epoch(&history).unwrap().epoch, 2);
    let options = FitOptions { early_stopping: Some(2), ..options(10) };
    assert!(options.has_stopped_early(&history) && options.is_done(&history));
    assert!(!options.is_done(&history[..3]));
    // Of a history that is a part of a longer one the epochs are counted alike.
    let part = history.map(|record| record.after(7));
    assert!(options.has_stopped_early(&part) && !options.is_done(&part[..3]));
    // At the last epoch a run is finished, not stopped.
    let options = FitOptions { epochs: 4, ..options };
    assert!(!options.has_stopped_early(&history) && options.is_done(&history));
}

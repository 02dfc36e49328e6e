//! Accumulated gradients, averaged weights, and settings that do not fit.

use super::super::*;
use super::{Points, StopAfter, fit, options, outcome, trainer};
use crate::error::Error;
use crate::kernels::Kernels;
use crate::layers::{BatchNormalization, Dense, OutputKind};
use crate::loss::Loss;
use crate::model::{Model, SequentialBuilder};
use crate::optim::{Decayed, OptimizerConfig, Schedule};

/// A run without dropout, which draws anew for each batch.
fn plain<T: Kernels>(batch_size: usize, accumulate: usize) -> Trainer<T> {
    let model = SequentialBuilder::new([3]).layer(Dense::new(5)).layer(Dense::new(2)).build(27);
    let regularization =
        Regularization { class_weights: Some(vec![0.5, 2.0]), ..Default::default() };
    let options = FitOptions { batch_size, accumulate, regularization, ..options(4) };
    Trainer::new(model.unwrap(), OptimizerConfig::adam().build().unwrap(), options).unwrap()
}

#[test]
fn a_step_of_several_batches_is_one_of_a_larger_batch() {
    let points = Points::new(22);
    let run = |mut trainer: Trainer<f64>| {
        trainer.fit(&points, Some(&Points::new(6)), &mut Silent).unwrap();
        outcome(&trainer)
    };
    let ((large, history), (small, same)) = (run(plain(8, 1)), run(plain(2, 4)));
    for (a, b) in large.iter().flatten().zip(small.iter().flatten()) {
        assert!((a - b).abs() < 1e-10, "{a} {b}");
    }
    for (a, b) in history.iter().zip(&same) {
        assert!((a.loss - b.loss).abs() < 1e-10 && a.accuracy == b.accuracy, "{a:?} {b:?}");
    }
    // Without accumulation the steps are others.
    let (other, _) = run(plain(2, 1));
    assert!(large.iter().flatten().zip(other.iter().flatten()).any(|(a, b)| (a - b).abs() > 1e-3));
}

/// Everything at once, on a network with state and dropout.
fn everything() -> Trainer {
    let model = SequentialBuilder::new([3])
        .layer(Dense::new(5))
        .layer(BatchNormalization::new())
        .layer(crate::layers::Dropout::new(0.3))
        .layer(Dense::new(2))
        .build(27);
    let regularization = Regularization {
        label_smoothing: 0.1,
        class_weights: Some(vec![0.5, 2.0]),
        clip_norm: Some(0.5),
        ema: Some(0.9),
    };
    let options = FitOptions {
        batch_size: 2,
        accumulate: 2,
        warmup: 1.5,
        schedule: Schedule::Plateau { patience: 1, factor: 0.5, floor: 0.0 },
        early_stopping: Some(3),
        keep: Keep::Best,
        regularization,
        ..options(12)
    };
    Trainer::new(model.unwrap(), OptimizerConfig::adam().build().unwrap(), options).unwrap()
}

#[test]
fn a_run_with_every_setting_goes_on_to_the_same_bits() {
    let (train, validation) = (Points::new(10), Points::new(6));
    let all = |mut trainer: Trainer| {
        let last: Vec<_> =
            trainer.model_mut().parameters().iter().map(|p| p.value.clone()).collect();
        (outcome(&trainer), last)
    };
    let mut unbroken = everything();
    unbroken.fit(&train, Some(&validation), &mut Silent).unwrap();
    let steps = unbroken.history().len() * 3;
    let unbroken = all(unbroken);
    for step in 1..=steps {
        let folder = tempfile::tempdir().unwrap();
        let mut first = everything();
        first.save_to(Checkpoints::new(folder.path()), "");
        first.fit(&train, Some(&validation), &mut StopAfter(step)).unwrap_err();
        drop(first);
        let latest = Checkpoints::new(folder.path()).latest().unwrap().unwrap();
        let mut second = everything().resume(latest.checkpoint).unwrap();
        second.fit(&train, Some(&validation), &mut Silent).unwrap();
        assert_eq!(all(second), unbroken, "after {step} steps");
    }
}

#[test]
fn the_average_is_what_is_validated_and_left() {
    let regularization = Regularization { ema: Some(0.9), ..Default::default() };
    let options = FitOptions { regularization, ..options(3) };
    let mut averaged: Trainer = trainer(OptimizerConfig::adam(), options);
    let validation = Points::new(6);
    averaged.fit(&Points::new(10), Some(&validation), &mut Silent).unwrap();
    let loss = averaged.history().last().unwrap().val_loss;
    assert_eq!(Some(averaged.evaluate(&validation).unwrap().loss), loss);
    let weights = |model: &Model| model.parameters()[0].value.as_slice().to_vec();
    let (average, last) = (weights(averaged.model()), weights(averaged.model_mut()));
    assert_ne!(average, last);
    // What is trained is what is trained without.
    let mut without: Trainer = trainer(OptimizerConfig::adam(), super::options(3));
    without.fit(&Points::new(10), Some(&validation), &mut Silent).unwrap();
    assert_eq!(weights(without.model()), last);
    assert_eq!(weights(&averaged.into_model()), average);
}

#[test]
fn validation_measures_the_plain_loss() {
    let regularization = Regularization {
        label_smoothing: 0.5,
        class_weights: Some(vec![1.0, 10.0]),
        ..Default::default()
    };
    let mut trainer: Trainer =
        trainer(OptimizerConfig::adam(), FitOptions { regularization, ..options(1) });
    let validation = Points::new(6);
    trainer.fit(&Points::new(10), Some(&validation), &mut Silent).unwrap();
    let plain = evaluate(trainer.model(), Loss::default(), &validation, 4).unwrap().loss;
    assert_eq!(trainer.history()[0].val_loss, Some(plain));
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let with = |change: fn(&mut Regularization)| {
        let mut regularization = Regularization::default();
        change(&mut regularization);
        FitOptions { regularization, ..options(1) }
    };
    for (options, says) in [
        (with(|r| r.label_smoothing = 1.0), "label smoothing must be"),
        (with(|r| r.label_smoothing = f64::NAN), "label smoothing must be"),
        (with(|r| r.class_weights = Some(vec![1.0, -1.0])), "weight of a class must be"),
        (with(|r| r.class_weights = Some(vec![1.0; 3])), "class weights must be 2"),
        (with(|r| r.clip_norm = Some(0.0)), "norm of the gradient must be"),
        (with(|r| r.ema = Some(1.0)), "averaged weights must be"),
        (FitOptions { accumulate: 0, ..super::options(1) }, "batches per step must be"),
        (FitOptions { warmup: -1.0, ..super::options(1) }, "warm-up"),
    ] {
        let model = SequentialBuilder::new([3]).layer(Dense::new(2)).build(27).unwrap();
        let adam = OptimizerConfig::adam().build().unwrap();
        let error = Trainer::<f32>::new(model, adam, options).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let options = FitOptions { loss: Loss::MeanSquaredError, ..with(|r| r.label_smoothing = 0.1) };
    let model = SequentialBuilder::new([3]).layer(Dense::new(2)).output(OutputKind::Linear);
    let adam = OptimizerConfig::adam().build().unwrap();
    let error = Trainer::<f32>::new(model.build(27).unwrap(), adam, options).unwrap_err();
    assert!(error.to_string().contains("a cross-entropy"), "{error}");
}

#[test]
fn settings_that_are_not_used_are_not_stored() {
    let text = serde_json::to_string(&FitOptions::default()).unwrap();
    let before = r#"{"epochs":10,"batch_size":4,"learning_rate":0.001,"schedule":{"kind":"constant"},"loss":"categorical_crossentropy","seed":27}"#;
    assert_eq!(text, before);
    assert_eq!(serde_json::from_str::<FitOptions>(before).unwrap(), FitOptions::default());
    let Trainer { state, .. } = everything();
    let text = serde_json::to_string(&state.options).unwrap();
    assert_eq!(serde_json::from_str::<FitOptions>(&text).unwrap(), state.options);
}

#[test]
fn balanced_weights_give_each_class_the_same_share() {
    assert_eq!(balanced_weights(&[1, 0, 1, 1, 2, 1], 3), [2.0, 0.5, 2.0]);
    assert_eq!(balanced_weights(&[1, 1], 3), [0.0, 1.0 / 3.0, 0.0]);
    assert_eq!(balanced_weights(&[], 2), [0.0, 0.0]);
}

#[test]
fn a_run_goes_on_with_the_settings_of_its_optimizer() {
    use OptimizerConfig::{Adam, AdamW, Sgd};
    let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-7);
    let adam = Adam { beta1, beta2, epsilon };
    let all = Decayed::All;
    let adamw = |weight_decay, decayed| AdamW { beta1, beta2, epsilon, weight_decay, decayed };
    let sgd = |momentum, nesterov| Sgd { momentum, nesterov, weight_decay: 0.0, decayed: all };
    let decaying =
        |weight_decay| Sgd { momentum: 0.9, nesterov: false, weight_decay, decayed: all };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c");
    for (then, now, values) in [
        (adam, Adam { beta1: 0.8, beta2, epsilon }, ["beta1 0.9", "beta1 0.8"]),
        (adam, Adam { beta1, beta2: 0.99, epsilon }, ["beta2 0.999", "beta2 0.99"]),
        (adam, Adam { beta1, beta2, epsilon: 0.5 }, ["epsilon 0.0000001", "epsilon 0.5"]),
        (adamw(0.004, all), adamw(0.25, all), ["decay 0.004", "decay 0.25"]),
        (
            adamw(0.5, all),
            adamw(0.5, Decayed::Weights),
            ["decay 0.5", "decay 0.5 of weights alone"],
        ),
        (decaying(0.0), decaying(0.25), ["momentum 0.9", "decay 0.25"]),
        (sgd(0.9, false), sgd(0.5, false), ["momentum 0.9", "momentum 0.5"]),
        (sgd(0.9, false), sgd(0.9, true), ["nesterov false", "nesterov true"]),
    ] {
        fit(trainer::<f32>(then, options(1))).save(&path, "").unwrap();
        let go_on =
            |with| trainer::<f32>(with, options(2)).resume(Checkpoint::open(&path).unwrap());
        let message = go_on(now).unwrap_err().to_string();
        assert!(values.iter().all(|value| message.contains(value)), "{message}");
        assert!(go_on(then).is_ok());
    }
}

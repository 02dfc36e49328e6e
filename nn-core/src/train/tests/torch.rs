//! Training beside PyTorch: schedules, clipping, smoothed labels, class weights, weight decay, averaged weights.

use super::super::regularization::RegularizedLoss;
use super::super::*;
use crate::autograd::Tape;
use crate::layers::{Activation, BatchNormalization, Dense};
use crate::loss::{Loss, Targets};
use crate::model::{Model, SequentialBuilder};
use crate::optim::{Decayed, OptimizerConfig, Schedule};
use crate::tensor::Tensor;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The fixture written by `tests/fixtures/torch/make_training.py`.
#[derive(Deserialize)]
struct Torch {
    schedules: BTreeMap<String, Vec<f64>>,
    losses: BTreeMap<String, LossOf>,
    runs: BTreeMap<String, Run>,
}

#[derive(Deserialize)]
struct LossOf {
    loss: f64,
    gradient: Vec<f64>,
}

#[derive(Deserialize)]
struct Run {
    norms: Vec<f64>,
    state: Vec<Vec<f64>>,
}

fn torch() -> Torch {
    let text = include_str!("../../../../tests/fixtures/torch/training.json");
    serde_json::from_str(text).unwrap()
}

/// The numbers of the script.
fn wave<const N: usize>(dims: [usize; N], start: f64) -> Tensor<f64> {
    Tensor::from_fn(dims, |i| (start + 1.3 * i as f64).sin())
}

#[track_caller]
fn assert_close(ours: &[f64], torch: &[f64], what: &str) {
    assert_eq!(ours.len(), torch.len(), "{what}");
    for (a, b) in ours.iter().zip(torch) {
        assert!((a - b).abs() < 1e-12, "{what}: {ours:?} and {torch:?}");
    }
}

#[test]
fn schedules_are_those_of_pytorch() {
    let torch = torch().schedules;
    let losses =
        [0.9, 0.8, 0.81, 0.8, 0.85, 0.7, 0.71, 0.72, 0.73, 0.69, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7];
    for (name, schedule) in [
        ("restarts", Schedule::CosineRestarts { epochs: 4, longer: 1, floor: 0.1 }),
        ("longer", Schedule::CosineRestarts { epochs: 3, longer: 2, floor: 0.0 }),
        ("plateau", Schedule::Plateau { patience: 2, factor: 0.25, floor: 0.01 }),
    ] {
        let torch = &torch[name];
        let rate = |epoch| schedule.learning_rate(0.5, epoch, &losses[..epoch]);
        assert_close(&(0..torch.len()).map(rate).collect::<Vec<_>>(), torch, name);
    }
    // Six steps are one and a half epochs of four.
    let options = FitOptions { warmup: 1.5, learning_rate: 0.5, ..FitOptions::default() };
    let record = |i: usize| EpochRecord {
        epoch: i + 1,
        loss: 1.0,
        accuracy: None,
        val_loss: None,
        val_accuracy: None,
        seconds: 0.0,
    };
    let history: Vec<EpochRecord> = (0..3).map(record).collect();
    let rate = |step: usize| options.rate_at(&history[..step / 4], step % 4, 4);
    assert_close(&(0..9).map(rate).collect::<Vec<_>>(), &torch["warmup"], "warmup");
}

#[test]
fn smoothed_and_weighted_losses_are_those_of_pytorch() {
    let torch = torch().losses;
    let labels: &[usize] = &[0, 2, 1, 1, 0];
    let exps = wave([5, 3], 7.0).map(f64::exp);
    let row = |i: usize| exps.row(i).iter().sum::<f64>();
    let soft = Tensor::from_fn([5, 3], |i| exps.as_slice()[i] / row(i / 3));
    let (categorical, binary) = (Loss::CategoricalCrossentropy, Loss::BinaryCrossentropy);
    let three = Some(vec![0.5, 2.0, 1.25]);
    let ones: &[usize] = &[0, 1, 1, 0, 1];
    for (name, loss, label_smoothing, class_weights, targets) in [
        ("smoothed", categorical, 0.1, None, Targets::Classes(labels)),
        ("soft_smoothed", categorical, 0.1, None, Targets::Values(&soft)),
        ("weighted", categorical, 0.0, three.clone(), Targets::Classes(labels)),
        ("both", categorical, 0.1, three, Targets::Classes(labels)),
        ("binary", binary, 0.1, Some(vec![0.5, 2.0]), Targets::Classes(ones)),
    ] {
        let settings = Regularization { label_smoothing, class_weights, ..Default::default() };
        let outputs = if loss == binary { 1 } else { 3 };
        let mut tape = Tape::new();
        let logits = tape.leaf(wave([5, outputs], 1.0).map(|v| 2.0 * v));
        let loss = RegularizedLoss { loss, settings: &settings };
        let found = loss.apply(&tape, &logits, targets).unwrap();
        let value = found.value().item().unwrap();
        tape.backward(&found).unwrap();
        let gradient = tape.take_gradient(&logits).unwrap();
        let torch = &torch[name];
        assert_close(&[value], &[torch.loss], name);
        assert_close(gradient.tensor().as_slice(), &torch.gradient, name);
    }
}

fn network() -> Model<f64> {
    let model = SequentialBuilder::new([3])
        .layer(Dense::new(4).bias(false))
        .layer(BatchNormalization::new())
        .layer(Activation::Relu)
        .layer(Dense::new(3))
        .build(27);
    let mut model: Model<f64> = model.unwrap();
    let trained = model.parameters().iter().filter(|p| p.is_trained());
    let shapes: Vec<_> = trained.map(|p| (p.name.clone(), p.value.shape().clone())).collect();
    for (k, (name, shape)) in shapes.into_iter().enumerate() {
        let value = Tensor::from_fn(shape, |i| 0.5 * (k as f64 + 1.3 * i as f64).sin());
        model.set(&name, value).unwrap();
    }
    model
}

#[test]
fn six_steps_are_those_of_pytorch() {
    let torch = torch().runs;
    let sgd = |momentum, nesterov, weight_decay| OptimizerConfig::Sgd {
        momentum,
        nesterov,
        weight_decay,
        decayed: Decayed::Weights,
    };
    let adamw = OptimizerConfig::AdamW {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-30,
        weight_decay: 0.5,
        decayed: Decayed::Weights,
    };
    let plain = Regularization::default();
    let clipped = Regularization { clip_norm: Some(0.4), ..plain.clone() };
    let averaged = Regularization { ema: Some(0.3), ..plain.clone() };
    for (name, optimizer, rate, regularization) in [
        ("clipped", sgd(0.0, false, 0.0), 0.125, &clipped),
        ("averaged", sgd(0.0, false, 0.0), 0.125, &averaged),
        ("decayed", sgd(0.0, false, 0.25), 0.125, &plain),
        ("decayed_momentum", sgd(0.875, false, 0.25), 0.125, &plain),
        ("decayed_nesterov", sgd(0.875, true, 0.25), 0.125, &plain),
        ("decayed_adamw", adamw, 0.0625, &plain),
    ] {
        let torch = &torch[name];
        let regularization = regularization.clone();
        let options = FitOptions { regularization, ..FitOptions::default() };
        let mut trainer = Trainer::new(network(), optimizer.build().unwrap(), options).unwrap();
        let labels: Vec<usize> = (0..8).map(|i| i % 3).collect();
        for step in 0..6 {
            trainer.step(wave([8, 3], 0.1 * step as f64), &labels[..], rate).unwrap();
        }
        for (ours, torch) in trainer.model().parameters().iter().zip(&torch.state) {
            assert_close(ours.value.as_slice(), torch, &format!("{name}: {}", ours.name));
        }
        // Some steps are clipped, some are not.
        let shorter = torch.norms.iter().filter(|&&norm| norm < 0.4).count();
        assert!(torch.norms.is_empty() || (1..6).contains(&shorter), "{:?}", torch.norms);
    }
}

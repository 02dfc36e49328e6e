//! Objectives, targets, optimisers, observers and layers with state that are not built in.

use super::super::*;
use super::{StopAfter, options, outcome};
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::layers::{
    Activation, Dense, Dropout, Forward, Layer, LayerSpec, OutputKind, Parameter, ParameterSpec,
    single,
};
use crate::loss::{Loss, OwnedTargets, Targets};
use crate::model::{GraphBuilder, Model, Output, Pass, Sequential, SequentialBuilder};
use crate::optim::{Gradients, Optimizer, OptimizerConfig};
use crate::tensor::{Shape, Tensor};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Subtracts a running mean of what passes through: a layer with state.
#[derive(Debug)]
struct Centre;

impl LayerSpec for Centre {
    fn kind(&self) -> &'static str {
        "Centre"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        single("Centre", inputs).cloned()
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let shape = single("Centre", inputs)?.clone();
        Ok(vec![ParameterSpec::state("running_mean", shape, Initializer::Zeros)])
    }
}

impl Layer<f32> for Centre {
    fn forward(&self, cx: &mut Forward<'_, f32>, x: Vec<Var>, own: &[Var]) -> Result<Var> {
        let x = single("Centre", x)?;
        if !cx.training {
            return cx.tape.sub(&x, &own[0]);
        }
        let mean = cx.tape.mean_axis(&x, 0, false)?;
        let pairs = own[0].value().as_slice().iter().zip(mean.value().as_slice());
        let running = pairs.map(|(old, new)| 0.9 * old + 0.1 * new).collect();
        cx.update_state(&own[0], Tensor::from_vec(own[0].shape(), running)?)?;
        cx.tape.sub(&x, &mean)
    }
}

fn numbers() -> InMemory {
    let x = Tensor::from_fn([10, 3], |i| 5.0 + (i as f32).sin());
    InMemory::new(x, (0..10).map(|i| i % 2).collect::<Vec<usize>>()).unwrap()
}

fn with_state(epochs: usize) -> Trainer {
    let model = SequentialBuilder::new([3]).layer(Centre).layer(Dense::new(2)).build(27).unwrap();
    Trainer::new(model, OptimizerConfig::adam().build().unwrap(), options(epochs)).unwrap()
}

fn state(trainer: &Trainer) -> &[f32] {
    trainer.model().get("centre1.running_mean").unwrap().value.as_slice()
}

#[test]
fn a_layer_with_state_learns_it_and_evaluation_leaves_it() {
    let mut trainer = with_state(20);
    trainer.fit(&numbers(), None, &mut Silent).unwrap();
    // 60 steps: all but 0.9^60 of the mean.
    assert!(
        state(&trainer).iter().all(|&mean| (4.0..6.0).contains(&mean)),
        "{:?}",
        state(&trainer)
    );
    let before = state(&trainer).to_vec();
    trainer.evaluate(&numbers()).unwrap();
    evaluate(trainer.model(), Loss::CategoricalCrossentropy, &numbers(), 3).unwrap();
    assert_eq!(state(&trainer), before);
}

#[test]
fn a_stopped_run_with_state_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let mut unbroken = with_state(3);
    unbroken.fit(&numbers(), Some(&numbers()), &mut Silent).unwrap();
    for steps in [1, 3, 5, 8] {
        let mut first = with_state(3);
        first.save_to(Checkpoints::new(folder.path()), "");
        first.fit(&numbers(), Some(&numbers()), &mut StopAfter(steps)).unwrap_err();
        drop(first);
        let latest = Checkpoints::new(folder.path()).latest().unwrap().unwrap();
        let mut second = with_state(3).resume(latest.checkpoint).unwrap();
        second.fit(&numbers(), Some(&numbers()), &mut Silent).unwrap();
        assert_eq!(outcome(&second), outcome(&unbroken), "{steps}");
    }
}

/// `y = 2 x1 - x2` with [`SignSgd`].
fn line() -> InMemory {
    let x = Tensor::from_fn([16, 2], |i| ((i * 7) % 11) as f32 / 11.0);
    let y = Tensor::from_fn([16, 1], |i| 2.0 * x.row(i)[0] - x.row(i)[1]);
    InMemory::new(x, y).unwrap()
}

#[derive(Debug)]
struct SignSgd;

impl Optimizer<f32> for SignSgd {
    fn step(
        &mut self,
        parameters: &mut [Parameter],
        gradients: &Gradients,
        rate: f64,
    ) -> Result<()> {
        for (i, parameter) in parameters.iter_mut().enumerate() {
            let Some(gradient) = gradients.get(i) else { continue };
            let weights = Arc::make_mut(&mut parameter.value).as_mut_slice();
            weights
                .iter_mut()
                .zip(gradient.as_slice())
                .for_each(|(w, g)| *w -= rate as f32 * g.signum());
        }
        Ok(())
    }
}

fn linear() -> Model {
    SequentialBuilder::new([2]).layer(Dense::new(1)).build(27).unwrap()
}

fn regression(epochs: usize) -> FitOptions {
    FitOptions { loss: Loss::MeanSquaredError, ..options(epochs) }
}

#[test]
fn a_regression_has_no_accuracy_and_an_own_optimizer_learns_it() {
    let settings = FitOptions { learning_rate: 0.005, ..regression(100) };
    let mut trainer = Trainer::new(linear(), SignSgd, settings).unwrap();
    trainer.fit(&line(), Some(&line()), &mut Silent).unwrap();
    let last = trainer.history().last().unwrap();
    assert_eq!((last.accuracy, last.val_accuracy), (None, None));
    assert!(last.val_loss.unwrap() < 0.01, "{last:?}");
    let found = trainer.evaluate(&line()).unwrap();
    assert_eq!((found.n, found.classification), (16, None));
    assert_eq!(Some(found.loss), last.val_loss);
    let text = serde_json::to_string(last).unwrap();
    assert!(!text.contains("\"accuracy\""), "{text}");
    // Its checkpoint goes on with it, and not with another.
    let path = tempfile::tempdir().unwrap();
    let path = path.path().join("c");
    trainer.save(&path, "").unwrap();
    let settings = |epochs| FitOptions { learning_rate: 0.005, ..regression(epochs) };
    let on = Trainer::new(linear(), SignSgd, settings(101)).unwrap();
    let mut on = on.resume(Checkpoint::open(&path).unwrap()).unwrap();
    on.fit(&line(), Some(&line()), &mut Silent).unwrap();
    assert_eq!(on.history().len(), 101);
    let sgd = OptimizerConfig::sgd().build().unwrap();
    let other = Trainer::new(linear(), sgd, settings(101)).unwrap();
    assert!(other.resume(Checkpoint::open(&path).unwrap()).is_err());
}

/// The mean absolute error.
struct Absolute;

impl Objective for Absolute {
    fn loss(&self, tape: &Tape, output: &Output, targets: Targets<'_>) -> Result<Var> {
        let Targets::Values(values) = targets else {
            return Err(Error::data("absolute error", "values", "classes", "pass a tensor"));
        };
        let difference = tape.sub(&output.output, &tape.constant(values.clone()))?;
        tape.mean(&tape.abs(difference))
    }

    fn name(&self) -> &str {
        "absolute"
    }
}

#[test]
fn a_run_goes_on_with_the_objective_it_began_with() {
    let adam = || OptimizerConfig::adam().build().unwrap();
    let make =
        |epochs| Trainer::with_objective(linear(), adam(), Absolute, options(epochs)).unwrap();
    let mut trainer = make(2);
    trainer.fit(&line(), None, &mut Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c");
    trainer.save(&path, "").unwrap();
    let mut on = make(3).resume(Checkpoint::open(&path).unwrap()).unwrap();
    on.fit(&line(), None, &mut Silent).unwrap();
    let mut unbroken = make(3);
    unbroken.fit(&line(), None, &mut Silent).unwrap();
    assert_eq!(outcome(&on), outcome(&unbroken));
    let other =
        Trainer::new(linear(), adam(), FitOptions { loss: Loss::MeanSquaredError, ..options(3) });
    assert!(other.unwrap().resume(Checkpoint::open(&path).unwrap()).is_err());
    let other = |tape: &Tape, output: &Output, _: Targets<'_>| tape.mean(&output.output);
    let other = Trainer::with_objective(linear(), adam(), other, options(3)).unwrap();
    let message = other.resume(Checkpoint::open(&path).unwrap()).unwrap_err().to_string();
    assert!(message.contains("absolute") && message.contains("own"), "{message}");
}

#[test]
fn two_outputs_have_two_targets() {
    let mut graph = GraphBuilder::<f32>::new([2]);
    let hidden = graph.layer(Dense::new(8).activation(Activation::Tanh), graph.input());
    let class = graph.layer(Dense::new(2), hidden);
    let value = graph.layer(Dense::new(1), hidden);
    graph.also_output(value);
    let model = graph.build(class, 27).unwrap();
    let x = line().inputs().clone();
    let classes: Vec<usize> = (0..16).map(|i| usize::from(x.row(i)[0] > x.row(i)[1])).collect();
    let targets = vec![classes.into(), line().targets().clone()];
    let examples = InMemory::new(x, OwnedTargets::Several(targets)).unwrap();
    let both = |tape: &Tape, output: &Output, targets: Targets<'_>| {
        let Targets::Several([classes, values]) = targets else {
            return Err(Error::data("both", "two targets", "others", "pass classes and values"));
        };
        let class = Loss::CategoricalCrossentropy.apply(tape, &output.output, classes)?;
        let value = Loss::MeanSquaredError.apply(tape, &output.also[0], values)?;
        tape.add(&class, &value)
    };
    let adam = OptimizerConfig::adam().build().unwrap();
    let mut trainer = Trainer::with_objective(model, adam, both, options(30)).unwrap();
    trainer.fit(&examples, None, &mut Silent).unwrap();
    let found = trainer.evaluate(&examples).unwrap();
    // The accuracy is that of the main output.
    assert!(found.loss < 0.3 && found.accuracy() > Some(0.9), "{found:?}");
    let predictions = found.classification.unwrap();
    assert_eq!((predictions.labels.len(), predictions.confusion.len()), (16, 2));
}

/// Stops the run in one way after an epoch, keeping what it sees.
struct At {
    epoch: usize,
    stop: Stop,
    seen: Option<(Model, Vec<f32>)>,
}

impl Observer for At {
    fn step_done(&mut self, done: &StepDone) -> ControlFlow<Stop> {
        assert_eq!(done.output.dims(), [done.step.samples, 2]);
        assert!(done.also.is_empty());
        let right = (0..done.step.samples).filter(|&i| done.output.value().row(i).len() == 2);
        assert_eq!(right.count(), done.step.samples);
        ControlFlow::Continue(())
    }

    fn epoch_done(&mut self, done: &EpochDone) -> ControlFlow<Stop> {
        let weights = done.model.get("dense1.weight").unwrap().value.as_slice().to_vec();
        self.seen = Some((done.model.clone(), weights));
        if done.record.epoch == self.epoch {
            return ControlFlow::Break(self.stop);
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn an_observer_stops_a_run_as_a_success_or_an_interruption() {
    let mut unbroken = with_state(4);
    unbroken.fit(&numbers(), None, &mut Silent).unwrap();
    for stop in [Stop::Finish, Stop::Interrupt] {
        let folder = tempfile::tempdir().unwrap();
        let mut trainer = with_state(4);
        trainer.save_to(Checkpoints::new(folder.path()), "");
        let mut at = At { epoch: 2, stop, seen: None };
        let ended = trainer.fit(&numbers(), None, &mut at);
        match stop {
            Stop::Finish => assert!(ended.is_ok()),
            Stop::Interrupt => assert!(matches!(ended, Err(Error::Interrupted))),
        }
        assert_eq!(trainer.history().len(), 2);
        // A clone keeps the weights of its time.
        let (model, weights) = at.seen.unwrap();
        trainer.fit(&numbers(), None, &mut Silent).unwrap();
        assert_eq!(model.get("dense1.weight").unwrap().value.as_slice(), weights);
        assert_eq!(outcome(&trainer), outcome(&unbroken));
    }
}

#[test]
fn a_model_can_be_changed_between_steps() {
    let mut trainer = with_state(1);
    for parameter in trainer.model_mut().parameters_mut() {
        parameter.trainable &= parameter.name != "dense1.weight";
    }
    let weights = |trainer: &Trainer| trainer.model().get("dense1.weight").unwrap().value.clone();
    let before = weights(&trainer);
    trainer.fit(&numbers(), None, &mut Silent).unwrap();
    assert_eq!(weights(&trainer), before);
    assert_ne!(trainer.model().get("dense1.bias").unwrap().value.as_slice(), [0.0; 2]);
}

#[test]
fn layers_are_frozen_and_thawed_between_steps_with_the_same_bits_after_a_resume() {
    let make = |optimizer: OptimizerConfig| {
        let model = SequentialBuilder::new([3]).layer(Dense::new(4)).layer(Dense::new(2));
        Trainer::new(model.build(27).unwrap(), optimizer.build().unwrap(), options(9)).unwrap()
    };
    let freeze = |trainer: &mut Trainer, layer: &str| {
        for parameter in trainer.model_mut().parameters_mut() {
            parameter.trainable = !parameter.name.starts_with(layer);
        }
    };
    let step = |trainer: &mut Trainer| {
        let x = Tensor::from_fn([4, 3], |i| (i as f32).sin());
        trainer.step(x, &[0, 1, 1, 0], 0.05).unwrap();
    };
    let values = |trainer: &Trainer, layer: &str| -> Vec<Vec<f32>> {
        let parameters = trainer.model().layer_parameters(layer).unwrap();
        parameters.iter().map(|p| p.value.as_slice().to_vec()).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c");
    for optimizer in super::OPTIMIZERS {
        // The layer that is frozen before each step: dense2 from the start, so that it gets its moments
        // late, and dense1 after it was trained.
        let frozen = ["dense2", "none", "dense1", "dense1", "none", "dense2"];
        let mut unbroken = make(optimizer());
        for layer in frozen {
            freeze(&mut unbroken, layer);
            let before = ["dense1", "dense2"].map(|layer| values(&unbroken, layer));
            step(&mut unbroken);
            for (name, before) in ["dense1", "dense2"].into_iter().zip(before) {
                assert_eq!(values(&unbroken, name) == before, name == layer, "{name}, {layer}");
            }
        }
        for stop in 1..frozen.len() {
            let mut first = make(optimizer());
            for layer in &frozen[..stop] {
                freeze(&mut first, layer);
                step(&mut first);
            }
            first.save(&path, "").unwrap();
            let mut second = make(optimizer());
            freeze(&mut second, frozen[stop - 1]);
            let mut second = second.resume(Checkpoint::open(&path).unwrap()).unwrap();
            for layer in &frozen[stop..] {
                freeze(&mut second, layer);
                step(&mut second);
            }
            assert_eq!(outcome(&second), outcome(&unbroken), "{stop}");
        }
    }
    // What was never trained has no moments to go on with.
    let mut trainer = make(OptimizerConfig::adam());
    freeze(&mut trainer, "dense2");
    step(&mut trainer);
    trainer.save(&path, "").unwrap();
    let thawed = make(OptimizerConfig::adam()).resume(Checkpoint::open(&path).unwrap());
    let message = thawed.unwrap_err().to_string();
    assert!(message.contains("dense2") && message.contains("frozen"), "{message}");
}

#[test]
fn probabilities_that_the_network_keeps_are_no_logits() {
    let with = |loss| {
        let model = SequentialBuilder::new([3])
            .layer(Dense::new(2).activation(Activation::Softmax))
            .layer(Dropout::new(0.5))
            .output(OutputKind::Linear);
        let options = FitOptions { loss, ..options(1) };
        Trainer::<f32>::new(model.build(1)?, OptimizerConfig::adam().build()?, options)
    };
    let message = with(Loss::CategoricalCrossentropy).unwrap_err().to_string();
    assert!(message.contains("logits") && message.contains("keeps its softmax"), "{message}");
    assert!(with(Loss::MeanSquaredError).is_ok());
}

/// Takes the first two samples of a batch.
#[derive(Debug)]
struct FirstTwo;

impl LayerSpec for FirstTwo {
    fn kind(&self) -> &'static str {
        "FirstTwo"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        single("FirstTwo", inputs).cloned()
    }
}

impl Layer<f32> for FirstTwo {
    fn forward(&self, cx: &mut Forward<'_, f32>, x: Vec<Var>, _: &[Var]) -> Result<Var> {
        cx.tape.slice(&single("FirstTwo", x)?, 0, 0..2)
    }
}

#[test]
fn a_layer_that_changes_the_batch_is_named() {
    let model = SequentialBuilder::new([3]).layer(FirstTwo).layer(Dense::new(2)).build(27).unwrap();
    let adam = OptimizerConfig::adam().build().unwrap();
    let mut trainer = Trainer::new(model, adam, options(1)).unwrap();
    let message = trainer.step(Tensor::zeros([4, 3]), &[0, 1, 0, 1], 0.1).unwrap_err().to_string();
    assert!(message.contains("firsttwo1 (FirstTwo)") && message.contains("[2, 3]"), "{message}");
    assert!(trainer.step(Tensor::zeros([2, 3]), &[0, 1], 0.1).is_ok());
}

#[test]
fn state_that_is_thawed_with_everything_stays_state() {
    let mut all = with_state(2);
    all.model_mut().parameters_mut().iter_mut().for_each(|parameter| parameter.trainable = true);
    let mut usual = with_state(2);
    for trainer in [&mut all, &mut usual] {
        trainer.fit(&numbers(), None, &mut Silent).unwrap();
    }
    assert_eq!(outcome(&all), outcome(&usual));
}

#[test]
fn state_of_another_model_changes_nothing() {
    let pass = |layers: usize| {
        let mut builder = SequentialBuilder::new([3]);
        for i in 0..layers {
            builder = builder.named(format!("centre{}", layers - i), Centre);
        }
        let model = builder.layer(Dense::new(2)).build(27).unwrap();
        let (tape, mut rng) = (Tape::new(), crate::rng::Rng::new(1, 0));
        let x = tape.constant(Tensor::full([2, 3], 1.0));
        let state = model.forward(&tape, x, Pass::training(&mut rng)).unwrap().state;
        (model, state)
    };
    let ((mut one, _), (_, two)) = (pass(1), pass(2));
    let before = one.parameters()[0].value.clone();
    let message = one.update_state(two).unwrap_err().to_string();
    assert!(message.contains("centre2.running_mean"), "{message}");
    assert_eq!(one.parameters()[0].value, before);
    // Two passes from the same state.
    let (mut model, first) = pass(1);
    let second = first.clone();
    model.update_state(first).unwrap();
    let message = model.update_state(second).unwrap_err().to_string();
    assert!(message.contains("before the next one"), "{message}");
}

#[test]
fn a_run_that_is_finished_early_with_weights_that_are_no_numbers_has_failed() {
    struct Finish;
    impl Observer for Finish {
        fn step_done(&mut self, _: &StepDone) -> ControlFlow<Stop> {
            ControlFlow::Break(Stop::Finish)
        }
    }
    let options = FitOptions { learning_rate: 1e38, ..options(1) };
    let model = SequentialBuilder::new([3]).layer(Dense::new(2)).build(27).unwrap();
    let sgd = OptimizerConfig::sgd().build().unwrap();
    let mut trainer: Trainer = Trainer::new(model, sgd, options).unwrap();
    let x = Tensor::from_fn([10, 3], |i| 1e3 * (1.0 + i as f32));
    let far = InMemory::new(x, (0..10).map(|i| i % 2).collect::<Vec<usize>>()).unwrap();
    let error = trainer.fit(&far, None, &mut Finish).unwrap_err();
    assert!(matches!(error, Error::NonFinite { epoch: 1, step: 1, .. }), "{error}");
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let mut trainer = Trainer::new(linear(), SignSgd, regression(1)).unwrap();
    let x = || Tensor::zeros([4, 2]);
    assert!(trainer.step(x(), &Tensor::zeros([3, 1]), 0.1).is_err());
    assert!(trainer.step(x(), &[0, 1], 0.1).is_err());
    let classifier: Sequential = SequentialBuilder::new([2]).layer(Dense::new(3)).build(1).unwrap();
    let mut trainer = Trainer::new(classifier, SignSgd, options(1)).unwrap();
    assert!(trainer.step(x(), &[0, 1, 2, 3], 0.1).is_err());
    // One-hot and soft labels train, without an accuracy.
    let soft = Tensor::from_fn([4, 3], |i| [0.5, 0.25, 0.25][i % 3]);
    assert_eq!(trainer.step(x(), &soft, 0.1).unwrap().correct, None);
    assert!(trainer.step(x(), &[0, 1, 2, 0], 0.1).unwrap().correct.is_some());
    // A categorical loss needs an output per class.
    assert!(Trainer::new(linear(), SignSgd, options(1)).is_err());
}

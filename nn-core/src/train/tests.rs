//! Runs that are stopped and resumed.

mod best;
mod own;
mod regularized;
mod torch;

use super::*;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{Activation, Add, Dense, Dropout};
use crate::loss::Loss;
use crate::model::{GraphBuilder, SequentialBuilder};
use crate::optim::{Decayed, OptimizerConfig};
use crate::tensor::{BufferPool, Tensor};
use std::cell::Cell;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use tempfile::TempDir;

/// Points of two classes by a formula; reading them can be interrupted.
struct Points {
    len: usize,
    /// Batches until the run is interrupted.
    patience: Cell<usize>,
}

impl Points {
    fn new(len: usize) -> Self {
        Self { len, patience: Cell::new(usize::MAX) }
    }
}

impl<T: Kernels> Examples<T> for Points {
    fn len(&self) -> usize {
        self.len
    }

    fn batch(&self, indices: &[usize], _: &BufferPool<T>) -> Result<Batch<T>> {
        let Some(left) = self.patience.get().checked_sub(1) else {
            return Err(Error::Interrupted);
        };
        self.patience.set(left);
        let x = Tensor::from_fn([indices.len(), 3], |i| {
            T::from_f64(((indices[i / 3] * 3 + i % 3) as f64).sin())
        });
        let labels: Vec<usize> = indices.iter().map(|i| i % 2).collect();
        Ok((x, labels).into())
    }
}

/// Stops after this many steps.
struct StopAfter(usize);

impl<T: Kernels> Observer<T> for StopAfter {
    fn step_done(&mut self, _: &StepDone<T>) -> ControlFlow<Stop> {
        self.0 -= 1;
        if self.0 == 0 { ControlFlow::Break(Stop::Interrupt) } else { ControlFlow::Continue(()) }
    }
}

const OPTIMIZERS: [fn() -> OptimizerConfig; 4] =
    [OptimizerConfig::adam, OptimizerConfig::adamw, OptimizerConfig::sgd, || {
        OptimizerConfig::Sgd {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 0.0,
            decayed: Decayed::All,
        }
    }];

/// Ten points in batches of four: three steps per epoch.
fn options(epochs: usize) -> FitOptions {
    FitOptions { epochs, learning_rate: 0.05, ..FitOptions::default() }
}

fn trainer<T: Kernels>(optimizer: OptimizerConfig, options: FitOptions) -> Trainer<T> {
    let model = SequentialBuilder::new([3])
        .layer(Dense::new(5).activation(Activation::Relu))
        .layer(Dropout::new(0.3))
        .layer(Dense::new(2))
        .build(27);
    Trainer::new(model.unwrap(), optimizer.build().unwrap(), options).unwrap()
}

fn adam(epochs: usize) -> Trainer {
    trainer(OptimizerConfig::adam(), options(epochs))
}

/// The outcome of a run without its times: parameters and history.
fn outcome<T: Kernels>(trainer: &Trainer<T>) -> (Vec<Vec<T>>, Vec<EpochRecord>) {
    let weights =
        trainer.model().parameters().iter().map(|p| p.value.as_slice().to_vec()).collect();
    let timeless = |record: &EpochRecord| EpochRecord { seconds: 0.0, ..*record };
    (weights, trainer.history().iter().map(timeless).collect())
}

/// Trains to the end.
fn fit<T: Kernels>(mut trainer: Trainer<T>) -> Trainer<T> {
    trainer.fit(&Points::new(10), Some(&Points::new(6)), &mut Silent).unwrap();
    trainer
}

/// Stops after `steps` steps and resumes from the saved file.
fn broken<T: Kernels>(make: impl Fn() -> Trainer<T>, steps: usize) -> Trainer<T> {
    let folder = tempfile::tempdir().unwrap();
    let mut first = make();
    first.save_to(Checkpoints::new(folder.path()), "");
    let stopped = first.fit(&Points::new(10), Some(&Points::new(6)), &mut StopAfter(steps));
    assert!(matches!(stopped, Err(Error::Interrupted)));
    assert_eq!(first.position(), (1 + (steps - 1) / 3, 1 + (steps - 1) % 3));
    let latest = Checkpoints::new(folder.path()).latest().unwrap().unwrap();
    assert!(latest.damaged.is_none());
    fit(make().resume(latest.checkpoint).unwrap())
}

#[test]
fn a_run_stopped_at_any_step_goes_on_to_the_same_bits() {
    for optimizer in OPTIMIZERS {
        let make = || trainer::<f32>(optimizer(), options(3));
        let unbroken = fit(make());
        for steps in 1..=9 {
            assert_eq!(outcome(&broken(make, steps)), outcome(&unbroken), "{steps}");
        }
    }
    let make = || trainer::<f64>(OptimizerConfig::adam(), options(3));
    assert_eq!(outcome(&broken(make, 5)), outcome(&fit(make())));
}

/// Records the metrics reported after each step, and stops after a number of steps.
struct Noted(Vec<StepRecord>, StopAfter);

impl Observer for Noted {
    fn step_done(&mut self, done: &StepDone) -> ControlFlow<Stop> {
        self.0.push(done.so_far);
        self.1.step_done(done)
    }
}

#[test]
fn an_epoch_that_goes_on_counts_from_its_beginning() {
    let points = Points::new(10);
    let noted = |trainer: &mut Trainer, steps: usize| {
        let mut noted = Noted(Vec::new(), StopAfter(steps));
        let _ = trainer.fit(&points, None, &mut noted);
        noted.0
    };
    let unbroken = noted(&mut adam(1), 9);
    assert_eq!(unbroken.iter().map(|so_far| so_far.samples).collect::<Vec<_>>(), [4, 8, 10]);
    let folder = tempfile::tempdir().unwrap();
    let mut first = adam(1);
    first.save_to(Checkpoints::new(folder.path()), "");
    let mut told = noted(&mut first, 2);
    let latest = Checkpoints::new(folder.path()).latest().unwrap().unwrap();
    let mut second = adam(1).resume(latest.checkpoint).unwrap();
    told.extend(noted(&mut second, 9));
    assert_eq!(told, unbroken);
    let (last, record) = (unbroken[2], second.history().last().unwrap());
    assert_eq!((last.loss, last.accuracy()), (record.loss, record.accuracy));
    assert!(record.accuracy.is_some());
}

#[test]
fn a_run_stopped_while_validating_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = adam(3);
    first.save_to(Checkpoints::new(folder.path()), "");
    let validation = Points::new(6);
    validation.patience.set(3);
    let stopped = first.fit(&Points::new(10), Some(&validation), &mut Silent);
    assert!(matches!(stopped, Err(Error::Interrupted)));
    assert_eq!(first.position(), (2, 3));
    let unbroken = outcome(&fit(adam(3)));
    let latest = Checkpoints::new(folder.path()).latest().unwrap().unwrap();
    assert_eq!(outcome(&fit(adam(3).resume(latest.checkpoint).unwrap())), unbroken);
    // The same without a file.
    assert_eq!(outcome(&fit(first)), unbroken);
}

/// A folder with the checkpoints of two epochs.
fn two_epochs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = adam(2);
    trainer.save_to(Checkpoints::new(folder.path()), "a note, \"quoted\"");
    fit(trainer);
    folder
}

fn newest(folder: &Path) -> Checkpoint {
    Checkpoint::open(&folder.join(CHECKPOINT_FILE)).unwrap()
}

#[test]
fn two_checkpoints_are_kept_and_more_epochs_equal_a_longer_run() {
    let folder = two_epochs();
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [PREVIOUS_CHECKPOINT_FILE, CHECKPOINT_FILE]);
    let before = Checkpoint::open(&folder.path().join(PREVIOUS_CHECKPOINT_FILE)).unwrap();
    assert_eq!(before.history().len(), 1);
    let latest = newest(folder.path());
    assert_eq!((latest.note(), latest.history().len()), ("a note, \"quoted\"", 2));
    assert_eq!(latest.options(), &options(2));
    let longer = outcome(&fit(adam(4)));
    assert_eq!(outcome(&fit(adam(4).resume(latest).unwrap())), longer);
    assert_eq!(outcome(&fit(adam(4).resume(before).unwrap())), longer);
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let unbroken = outcome(&fit(adam(2)));
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes.clear(),
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes[300] ^= 64,
    ];
    for damage in damages {
        let folder = two_epochs();
        let (path, previous) =
            (folder.path().join(CHECKPOINT_FILE), folder.path().join(PREVIOUS_CHECKPOINT_FILE));
        let harm = |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            damage(&mut bytes);
            fs::write(path, bytes).unwrap();
        };
        harm(&path);
        let mut checkpoints = Checkpoints::new(folder.path());
        let latest = checkpoints.latest().unwrap().unwrap();
        let warning = latest.damaged.unwrap().to_string();
        assert!(warning.contains(CHECKPOINT_FILE), "{warning}");
        assert_eq!(latest.checkpoint.history().len(), 1);
        // The next save keeps this one as the previous one, not the damaged one.
        let mut trainer = adam(2).resume(latest.checkpoint).unwrap();
        trainer.save_to(checkpoints, "");
        assert_eq!(outcome(&fit(trainer)), unbroken);
        assert_eq!(Checkpoint::open(&previous).unwrap().history().len(), 1);

        harm(&path);
        harm(&previous);
        let message = Checkpoints::new(folder.path()).latest().unwrap_err().to_string();
        assert!(message.contains("so is the one before it"), "{message}");
        assert!(message.contains("begin the run again"), "{message}");
    }
}

#[test]
fn a_program_that_died_between_two_renames_lost_nothing() {
    let folder = two_epochs();
    fs::remove_file(folder.path().join(CHECKPOINT_FILE)).unwrap();
    let partial = folder.path().join(format!(".{CHECKPOINT_FILE}abc.partial"));
    fs::write(&partial, "half").unwrap();
    let mut checkpoints = Checkpoints::new(folder.path());
    assert!(checkpoints.exist());
    let latest = checkpoints.latest().unwrap().unwrap();
    assert!(latest.damaged.is_none() && !partial.exists());
    assert_eq!(latest.checkpoint.history().len(), 1);

    // Checkpoints of another run are replaced, not kept as the previous one.
    let folder = two_epochs();
    let mut other = adam(1);
    other.save_to(Checkpoints::new(folder.path()), "another");
    fit(other);
    assert_eq!(newest(folder.path()).note(), "another");
    assert!(!folder.path().join(PREVIOUS_CHECKPOINT_FILE).exists());

    let nothing = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(nothing.path());
    assert!(checkpoints.latest().unwrap().is_none() && !checkpoints.exist());
}

#[test]
fn a_run_goes_on_as_it_began_or_not_at_all() {
    let folder = two_epochs();
    let resume = |trainer: Trainer| {
        let message = trainer.resume(newest(folder.path())).err().unwrap().to_string();
        assert!(!message.is_empty());
        message
    };
    let with = |change: fn(&mut FitOptions)| {
        let mut options = options(3);
        change(&mut options);
        resume(trainer(OptimizerConfig::adam(), options))
    };
    assert!(with(|o| o.seed = 1).contains("seed: 1"));
    assert!(with(|o| o.batch_size = 5).contains("batch_size: 5"));
    assert!(with(|o| o.epochs = 1).contains("at least 2"));
    let sgd = resume(trainer(OptimizerConfig::sgd(), options(3)));
    assert!(sgd.contains("adam") && sgd.contains("sgd"), "{sgd}");
    let model = |units| {
        let model = SequentialBuilder::new([3]).layer(Dense::new(units)).layer(Dense::new(2));
        Trainer::new(model.build(1).unwrap(), OptimizerConfig::adam().build().unwrap(), options(3))
    };
    let message = resume(model(6).unwrap());
    assert!(message.contains(r#""units":5"#) && message.contains(r#""units":6"#), "{message}");
    let f64s = trainer::<f64>(OptimizerConfig::adam(), options(3));
    assert!(f64s.resume(newest(folder.path())).err().unwrap().to_string().contains("F32"));

    // In the middle of an epoch, the number of samples must be the same.
    let mut stopped = adam(2);
    stopped.fit(&Points::new(10), None, &mut StopAfter(2)).unwrap_err();
    let path = folder.path().join("here");
    stopped.save(&path, "").unwrap();
    let mut on = adam(2).resume(Checkpoint::open(&path).unwrap()).unwrap();
    let message = on.fit(&Points::new(11), None, &mut Silent).unwrap_err().to_string();
    assert!(message.contains("10 samples") && message.contains("11"), "{message}");
}

#[test]
fn a_run_goes_on_with_the_network_it_began_with() {
    let with = |rate, last: Activation| {
        let model = SequentialBuilder::new([3])
            .name(format!("named {rate}"))
            .layer(Dense::new(5).activation(last))
            .layer(Dropout::new(rate))
            .layer(Dense::new(2))
            .build(27);
        let adam = OptimizerConfig::adam().build().unwrap();
        Trainer::<f32>::new(model.unwrap(), adam, options(3)).unwrap()
    };
    let folder = two_epochs();
    let resume = |trainer: Trainer| trainer.resume(newest(folder.path()));
    assert!(resume(with(0.3, Activation::Relu)).is_ok(), "the model's name does not matter");
    for (other, words) in [
        (with(0.5, Activation::Relu), [r#""rate":0.3"#, r#""rate":0.5"#]),
        (with(0.3, Activation::Tanh), ["relu", "tanh"]),
    ] {
        let message = resume(other).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}

#[test]
fn a_checkpoint_of_another_run_is_never_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    adam(1).save(&folder.path().join(CHECKPOINT_FILE), "another run").unwrap();
    let previous = folder.path().join(PREVIOUS_CHECKPOINT_FILE);
    // The first save fails: what it would replace cannot be removed.
    std::fs::create_dir(&previous).unwrap();
    let mut checkpoints = Checkpoints::new(folder.path());
    let trainer = adam(1);
    checkpoints.save(&trainer.state, "this run").unwrap();
    assert!(checkpoints.wait().is_err());
    std::fs::remove_dir(&previous).unwrap();
    checkpoints.save(&trainer.state, "this run").unwrap();
    checkpoints.wait().unwrap();
    assert_eq!(newest(folder.path()).note(), "this run");
    assert!(!previous.exists(), "the other run's");
}

#[test]
fn a_run_that_ends_with_weights_that_are_no_numbers_has_failed() {
    let model = SequentialBuilder::new([3]).layer(Dense::new(2)).build(27).unwrap();
    // One step, whose loss is that before its update.
    let options = FitOptions { batch_size: 16, learning_rate: 1e38, ..options(1) };
    let mut trainer: Trainer =
        Trainer::new(model, OptimizerConfig::sgd().build().unwrap(), options).unwrap();
    let x = Tensor::from_fn([16, 3], |i| 1e3 * (1.0 + i as f32));
    let examples = InMemory::new(x, (0..16).map(|i| i % 2).collect::<Vec<usize>>()).unwrap();
    let error = trainer.fit(&examples, None, &mut Silent).unwrap_err();
    assert!(matches!(error, Error::NonFinite { epoch: 1, step: 1, .. }), "{error}");
    assert!(error.to_string().contains("dense1."), "{error}");
}

#[test]
fn weights_that_are_no_numbers_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = adam(1);
    trainer.save_to(Checkpoints::new(folder.path()), "");
    let bias = Tensor::full([2], f32::NAN);
    trainer.state.model.set("dense2.bias", bias).unwrap();
    assert!(trainer.fit(&Points::new(10), None, &mut Silent).is_err());
    Checkpoints::new(folder.path()).save(&trainer.state, "").unwrap();
    assert!(!Checkpoints::new(folder.path()).exist());
}

#[test]
fn a_place_that_cannot_be_written_stops_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = adam(2);
    trainer.save_to(Checkpoints::new(&folder.path().join("missing")), "");
    let message = trainer.fit(&Points::new(10), None, &mut Silent).unwrap_err().to_string();
    assert!(message.contains("missing") && message.contains(CHECKPOINT_FILE), "{message}");
    // After an error, the trainer still has the trained state.
    assert_eq!(trainer.history().len(), 1);
}

#[test]
fn a_dead_layer_is_named() {
    let mut model = adam(1).into_model();
    assert_eq!(silent_layer(&model, &Points::new(10), 8).unwrap(), None);
    // Biases so low that the ReLU outputs 0 for every sample.
    let bias = &mut model.parameters_mut()[1];
    bias.value = std::sync::Arc::new(Tensor::from_fn([5], |_| -100.0));
    let first = model.layers().next().unwrap().0.to_string();
    assert_eq!(silent_layer(&model, &Points::new(10), 8).unwrap(), Some(first));
    assert_eq!(silent_layer(&model, &Points::new(0), 8).unwrap(), None);
}

#[test]
fn a_dead_branch_beside_a_skip_connection_is_no_dead_layer() {
    let mut graph = GraphBuilder::<f32>::new([3]);
    let x = graph.named("stem", Dense::new(4), graph.input());
    let y = graph.named("branch", Dense::new(4).activation(Activation::Relu), x);
    let sum = graph.named("sum", Add::new(), [x, y]);
    let hidden = graph.named("hidden", Dense::new(4).activation(Activation::Relu), sum);
    let out = graph.named("out", Dense::new(2), hidden);
    let mut model = graph.build(out, 27).unwrap();
    let low = || Tensor::from_fn([4], |_| -100.0);
    model.set("branch.bias", low()).unwrap();
    assert_eq!(silent_layer(&model, &Points::new(10), 8).unwrap(), None);
    // A layer that all ways pass is one.
    model.set("hidden.bias", low()).unwrap();
    assert_eq!(silent_layer(&model, &Points::new(10), 8).unwrap().as_deref(), Some("hidden"));
}

#[test]
fn many_outputs_are_evaluated_without_a_table_of_their_square() {
    // The confusion matrix of this many classes would have 320 GB.
    let wide = 200_000;
    let model = SequentialBuilder::new([1]).layer(Dense::new(wide)).build(27).unwrap();
    let x = || Tensor::<f32>::zeros([3, 1]);
    let values = InMemory::new(x(), Tensor::full([3, wide], 2.0)).unwrap();
    let found = evaluate(&model, Loss::MeanSquaredError, &values, 2).unwrap();
    assert_eq!((found.loss, found.n, found.classification), (4.0, 3, None));
    let classes = InMemory::new(x(), vec![0, 1, 2]).unwrap();
    let loss = Loss::CategoricalCrossentropy;
    let message = evaluate(&model, loss, &classes, 2).unwrap_err().to_string();
    assert!(message.contains("200000") && message.contains("32768"), "{message}");
    // Many classes that are possible, of which few occur.
    let model = SequentialBuilder::new([1]).layer(Dense::new(2000)).build(27).unwrap();
    let found = evaluate(&model, loss, &classes, 2).unwrap().classification.unwrap();
    assert_eq!((found.labels, found.confusion.len()), (vec![0, 1, 2], 2000));
    assert_eq!(found.confusion.iter().flatten().sum::<u64>(), 3);
}

/// Leaves out the last example of a batch, or repeats it.
struct Careless {
    rows: fn(usize) -> usize,
}

impl Examples for Careless {
    fn len(&self) -> usize {
        8
    }

    fn batch(&self, indices: &[usize], _: &BufferPool<f32>) -> Result<Batch> {
        let rows = (self.rows)(indices.len());
        Ok((Tensor::zeros([rows, 3]), vec![0; rows]).into())
    }
}

#[test]
fn another_number_of_examples_than_asked_for_is_refused() {
    for rows in [(|n| n - 1) as fn(usize) -> usize, |n| n + 1] {
        let mut trainer = adam(1);
        let careless = Careless { rows };
        let refused = [
            trainer.fit(&careless, None, &mut Silent).unwrap_err(),
            trainer.evaluate(&careless).unwrap_err(),
            silent_layer(trainer.model(), &careless, 8).unwrap_err(),
        ];
        for error in refused {
            assert!(error.to_string().contains("one for each index"), "{error}");
        }
        assert_eq!(trainer.position(), (1, 0));
    }
}

//! `nn-cli train`: from a folder of images to a run folder.

use super::{images, model};
use crate::args::TrainArgs;
use crate::config::RunConfig;
use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::interrupt::{self, Interruptible};
use crate::results::{self, Run};
use crate::run_folder::RunFolder;
use crate::ui::{Console, TrainingProgress, format, table};
use nn_core::Error;
use nn_core::data::Dataset;
use nn_core::train::{EpochRecord, Evaluation, Examples, Observer, StepRecord, Trainer};
use std::ops::ControlFlow;

pub fn run(args: &TrainArgs, console: &Console) -> Result<(), Failure> {
    let config = RunConfig::from_args(args)?;
    let set = ImageSet::find(&config.data, &config.data_root, console)?;
    set.announce(console);
    let target = match &args.out {
        Some(target) => target.clone(),
        None => RunFolder::default_target(&set.name),
    };
    let folder = RunFolder::begin(&target, args.overwrite)?;

    let network = model::built_in(set.folder.classes.len(), config.image_size, config.fit.seed)?;
    let data = Splits::load(&set, &config, console)?;
    let mut trainer = Trainer::new(network, config.optimizer.build()?, config.fit.clone())?;
    console.note(&format!(
        "training on {}: {} images, {} for validation, {} for the test, {} parameters",
        set.describe(),
        data.train.len(),
        data.validation.len(),
        data.test.len(),
        format::count(trainer.model().parameter_count() as u64),
    ));
    let mut progress = Progress::new(console, config.fit.epochs);
    let validation = (!data.validation.is_empty()).then_some(Interruptible(&data.validation));
    let validation = validation.as_ref().map(|images| images as &dyn Examples);
    trainer.fit(&data.train, validation, &mut progress)?;
    drop(progress);

    let test = trainer.evaluate(&Interruptible(&data.test))?;
    if !test.loss.is_finite() {
        return Err(diverged(&test, &config));
    }
    let run = Run {
        config: &config,
        set: &set,
        data: &data,
        history: trainer.history(),
        test: &test,
        parameters: trainer.model().parameter_count(),
    };
    folder.save_model(trainer.model(), &set.folder.classes)?;
    results::write(&folder, &run)?;
    let target = folder.finish()?;

    let title = format!("{}, test images", set.describe());
    let (classes, confusion) = (&set.folder.classes[..], &test.confusion[..]);
    let shown = table::Evaluation { title: &title, loss: test.loss, classes, confusion };
    console.text(&format!("\n{}", table::evaluation(&shown)))?;
    console.note(&format!("\nwritten to {}", target.display()));
    console.json(&run.metrics())?;
    Ok(())
}

/// Training that only the test images show to have failed.
fn diverged(test: &Evaluation, config: &RunConfig) -> Failure {
    Failure::failed(format!(
        "after {} the loss on the test images is {}; lower --learning-rate, which was {}",
        format::plural(config.fit.epochs as u64, "epoch"),
        test.loss,
        config.fit.learning_rate,
    ))
}

/// The images of a run, by what they are for.
pub struct Splits {
    /// They change the weights.
    pub train: Dataset,
    /// They are looked at after each epoch.
    pub validation: Dataset,
    /// They are kept for the end.
    pub test: Dataset,
}

impl Splits {
    /// Divides and decodes the images of `set`.
    fn load(set: &ImageSet, config: &RunConfig, console: &Console) -> Result<Self, Failure> {
        let split = set.folder.split(config.validation_split, config.fit.seed)?;
        let load = |samples| {
            let size = (config.image_size, config.image_size);
            images::load(samples, &set.folder.classes, size, config.skip_unreadable, console)
        };
        let data = Self {
            train: load(split.train)?,
            validation: load(split.validation)?,
            test: load(split.test)?,
        };
        // Known only now, if unreadable images were skipped; said before anything is trained.
        if config.fit.batch_size > data.train.len() {
            return Err(Error::setting(
                "batch size",
                format!("at most {}, the number of training images", data.train.len()),
                config.fit.batch_size,
                "choose a smaller one with --batch-size",
            )
            .into());
        }
        Ok(data)
    }

    /// The three sets and their names.
    pub fn named(&self) -> [(&'static str, &Dataset); 3] {
        [("train", &self.train), ("validation", &self.validation), ("test", &self.test)]
    }
}

/// Shows a run on the console, and hands it the user's Ctrl-C.
struct Progress<'a> {
    bars: TrainingProgress<'a>,
    samples: usize,
    loss: f64,
    correct: usize,
}

impl<'a> Progress<'a> {
    fn new(console: &'a Console, epochs: usize) -> Self {
        let bars = TrainingProgress::new(console, epochs);
        Self { bars, samples: 0, loss: 0.0, correct: 0 }
    }
}

impl Observer for Progress<'_> {
    fn epoch_started(&mut self, epoch: usize, steps: usize) {
        (self.samples, self.loss, self.correct) = (0, 0.0, 0);
        self.bars.epoch_started(epoch, steps);
    }

    fn step_done(&mut self, step: &StepRecord) -> ControlFlow<()> {
        self.samples += step.samples;
        self.loss += step.loss * step.samples as f64;
        self.correct += step.correct;
        let n = self.samples as f64;
        self.bars.batch_done(self.samples, self.loss / n, self.correct as f64 / n);
        interrupt::flow()
    }

    fn epoch_done(&mut self, record: &EpochRecord) {
        self.bars.epoch_done(record);
    }
}

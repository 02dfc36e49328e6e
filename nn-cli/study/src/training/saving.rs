//! What a run saves beside weights and history, and whether it may be resumed: only with the settings and on the
//! images it began with.

use super::Splits;
use super::contents::{Checksum, Contents, hex};
use crate::ImageSet;
use crate::StudyError;
use crate::config::RunConfig;
use crate::{Observer, format};
use nn_core::Error;
use nn_core::data::Dataset;
use nn_core::kernels::isa;
use nn_core::train::{Checkpoint, Checkpoints, Trainer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Where a run is saved, and what it goes on from.
pub struct Saving {
    /// The files.
    pub checkpoints: Checkpoints,
    /// Where it stopped, if it is not new.
    pub from: Option<Checkpoint>,
    /// The command that goes on with it.
    pub command: String,
}

/// What is saved beside weights, moments and history.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The settings of the run.
    pub config: RunConfig,
    images: Identity,
    /// The kernels, whose last bits differ.
    kernel: String,
}

/// Which images a run is about: their places in the set, their classes and their contents.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    classes: Vec<String>,
    train: PartIdentity,
    validation: PartIdentity,
    test: PartIdentity,
}

/// The images for one purpose, in their order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartIdentity {
    images: usize,
    sha256: String,
}

impl Saving {
    /// Makes `trainer` save itself, after taking it to where the run stopped.
    ///
    /// # Errors
    /// If the images are not those the run began with, or cannot be read.
    pub fn begin(
        self,
        mut trainer: Trainer,
        config: &RunConfig,
        set: &ImageSet,
        (data, contents): (&Splits, &Contents),
        observer: &dyn Observer,
    ) -> Result<Trainer, StudyError> {
        let kernel = isa::active().name().to_string();
        let note =
            Note { config: config.clone(), images: Identity::of(set, data, contents), kernel };
        if let Some(checkpoint) = self.from {
            Note::read(&checkpoint)?.allows(&note, &checkpoint, observer)?;
            trainer = trainer.resume(checkpoint)?;
            observer.note(&format!("going on {}", place(&trainer)));
        }
        let text = serde_json::to_string(&note).map_err(StudyError::failed)?;
        trainer.save_to(self.checkpoints, text);
        Ok(trainer)
    }
}

/// How to go on with a run that the user stopped.
pub fn stopped(trainer: &Trainer, command: &str) -> StudyError {
    StudyError::Stopped(format!("{}; to go on: {command}", place(trainer)))
}

/// Where a run stands.
fn place(trainer: &Trainer) -> String {
    match trainer.position() {
        (1, 0) => "before the first epoch".into(),
        (epoch, 0) => format!("after epoch {}", epoch - 1),
        (epoch, step) => {
            format!("in epoch {epoch}, after {}", format::plural(step as u64, "step"))
        }
    }
}

impl Note {
    /// The note in a checkpoint.
    ///
    /// # Errors
    /// If it is not one of this program's.
    pub fn read(checkpoint: &Checkpoint) -> Result<Self, StudyError> {
        serde_json::from_str(checkpoint.note()).map_err(|problem| {
            let problem = format!("the settings in it cannot be understood: {problem}");
            let remedy = "go on with the version of this program that wrote it, or begin a new run";
            Error::file(checkpoint.path(), problem, remedy).into()
        })
    }

    /// Whether a run with this note can go on with what is there `now`.
    fn allows(
        &self,
        now: &Self,
        from: &Checkpoint,
        observer: &dyn Observer,
    ) -> Result<(), StudyError> {
        if let Some(difference) = self.images.difference(&now.images) {
            let remedy = "put the images back as they were, or begin a new run in another folder";
            let problem = format!("this run cannot go on: {difference}");
            return Err(Error::file(from.path(), problem, remedy).into());
        }
        if self.kernel != now.kernel {
            observer.warn(&format!(
                "the run began with {} kernels; with {} it goes on as well, but not to the same \
                 bits",
                self.kernel, now.kernel
            ));
        }
        Ok(())
    }
}

impl Identity {
    /// Of the images of a run.
    fn of(set: &ImageSet, data: &Splits, contents: &Contents) -> Self {
        let part = |dataset: &Dataset, sums: &[Checksum]| {
            let mut all = Sha256::new();
            for (sample, sum) in dataset.samples().iter().zip(sums) {
                let name = set.relative(&sample.path);
                // The name's length tells it from what follows.
                all.update((name.len() as u64).to_le_bytes());
                all.update(name);
                all.update((sample.label as u64).to_le_bytes());
                all.update(sum);
            }
            PartIdentity { images: dataset.len(), sha256: hex(&all.finalize()) }
        };
        Self {
            classes: set.folder.classes.clone(),
            train: part(&data.train, &contents.train),
            validation: part(&data.validation, &contents.validation),
            test: part(&data.test, &contents.test),
        }
    }

    /// What changed between then and now, in words.
    fn difference(&self, now: &Self) -> Option<String> {
        if self.classes != now.classes {
            return Some(format!(
                "it began with the classes {}, now there are {}",
                self.classes.join(", "),
                now.classes.join(", ")
            ));
        }
        let parts = [
            ("training", &self.train, &now.train),
            ("validation", &self.validation, &now.validation),
            ("test", &self.test, &now.test),
        ];
        let (name, then, now) = parts.into_iter().find(|(_, then, now)| then != now)?;
        Some(if then.images == now.images {
            format!(
                "its {name} images have changed: there are {} as before, but under other names or \
                 with other contents",
                now.images
            )
        } else {
            let images = format::plural(then.images as u64, &format!("{name} image"));
            format!("it began with {images}, now there are {}", now.images)
        })
    }
}

//! What a checkpoint stores besides weights and history, and whether a run may be resumed: only with the
//! settings and the images it began with.

use super::contents::Contents;
use super::splits::Splits;
use super::task::Task;
use crate::ImageSet;
use crate::StudyError;
use crate::checksum::{Checksum, hex};
use crate::config::RunConfig;
use crate::{Observer, format};
use nn_core::Error;
use nn_core::data::Dataset;
use nn_core::kernels::isa;
use nn_core::train::{Checkpoint, Checkpoints, History, Trainer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Where checkpoints of a run are saved, and what it is resumed from.
pub struct Saving {
    /// The checkpoint files.
    pub checkpoints: Checkpoints,
    /// The checkpoint to resume from; `None` for a new run.
    pub from: Option<Checkpoint>,
    /// The command line that resumes the run.
    pub command: String,
    /// The folder of the run.
    pub folder: PathBuf,
}

/// The note stored in a checkpoint, besides weights, moments and history.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The settings of the run.
    pub config: RunConfig,
    images: Identity,
    /// The name of the kernels; others may differ in the last bits.
    kernel: String,
    /// The part of the training.
    #[serde(default, skip_serializing_if = "Stage::is_whole")]
    pub stage: Stage,
    /// The epochs of the parts before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: History,
}

/// A part of a training, as a checkpoint remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The network as a whole.
    #[default]
    Whole,
    /// The layers behind the frozen ones.
    Head,
    /// All layers, once the head is trained.
    FineTuning,
}

impl Stage {
    /// Whether it is the only part.
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}

/// The images of a run: their paths within the set, their classes and contents.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    classes: Vec<String>,
    train: PartIdentity,
    validation: PartIdentity,
    test: PartIdentity,
    /// The pictures of backgrounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backgrounds: Option<PartIdentity>,
}

/// The number of images of a split, and a hash over them in order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartIdentity {
    images: usize,
    sha256: String,
}

impl Saving {
    /// For the next part of the same training, which begins.
    pub fn again(&self) -> Self {
        let (command, folder) = (self.command.clone(), self.folder.clone());
        Self { checkpoints: Checkpoints::new(&folder), from: None, command, folder }
    }

    /// Restores `trainer` from the checkpoint, if there is one, and makes it save checkpoints with this note.
    ///
    /// # Errors
    /// If the images are not those that the run began with, or cannot be read.
    pub fn begin(
        self,
        mut trainer: Trainer,
        note: Note,
        observer: &dyn Observer,
    ) -> Result<Trainer, StudyError> {
        if let Some(checkpoint) = self.from {
            Note::read(&checkpoint)?.allows(&note, &checkpoint, observer)?;
            trainer = trainer.resume(checkpoint)?;
            observer.note(&format!("going on {}", place(&trainer, note.before.len())));
        }
        let text = serde_json::to_string(&note).map_err(StudyError::failed)?;
        trainer.save_to(self.checkpoints, text);
        Ok(trainer)
    }
}

/// The error for a run that the user stopped: says how to resume it.
pub fn stopped(trainer: &Trainer, before: usize, command: &str) -> StudyError {
    StudyError::Stopped(format!("{}; to go on: {command}", place(trainer, before)))
}

/// The position of a run, `before` epochs before those of its trainer, in words.
fn place(trainer: &Trainer, before: usize) -> String {
    let (epoch, step) = trainer.position();
    match (before + epoch, step) {
        (1, 0) => "before the first epoch".into(),
        (epoch, 0) => format!("after epoch {}", epoch - 1),
        (epoch, step) => {
            format!("in epoch {epoch}, after {}", format::plural(step as u64, "step"))
        }
    }
}

/// The epochs of the parts `before`, and those of the part behind them.
pub fn joined(before: &History, part: &History) -> History {
    let part = part.iter().map(|epoch| epoch.after(before.len()));
    before.iter().copied().chain(part).collect()
}

impl Note {
    /// For the part `stage` of a training, behind the epochs `before`.
    pub fn new(
        task: Task<'_>,
        data: &Splits,
        contents: &Contents,
        (stage, before): (Stage, History),
    ) -> Self {
        let kernel = isa::active().name().to_string();
        let images = Identity::of(task.set, data, contents);
        Self { config: task.config.clone(), images, kernel, stage, before }
    }

    /// Reads the note in a checkpoint.
    ///
    /// # Errors
    /// If it is not a note of this program.
    pub fn read(checkpoint: &Checkpoint) -> Result<Self, StudyError> {
        serde_json::from_str(checkpoint.note()).map_err(|problem| {
            let problem = format!("the settings in it cannot be understood: {problem}");
            let remedy = "go on with the version of this program that wrote it, or begin a new run";
            Error::file(checkpoint.path(), problem, remedy).into()
        })
    }

    /// The epochs of all parts up to the checkpoint that this note lies in.
    pub fn history(&self, checkpoint: &Checkpoint) -> History {
        joined(&self.before, checkpoint.history())
    }

    /// Checks that a run with this note can be resumed with the note `now`.
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

impl PartIdentity {
    /// The identity of images with these names, classes and checksums.
    fn of(images: impl Iterator<Item = (String, usize, Checksum)>) -> Self {
        let (mut all, mut count) = (Sha256::new(), 0);
        for (name, label, sum) in images {
            // The length separates the name from the data that follows.
            all.update((name.len() as u64).to_le_bytes());
            all.update(name);
            all.update((label as u64).to_le_bytes());
            all.update(sum);
            count += 1;
        }
        Self { images: count, sha256: hex(&all.finalize()) }
    }
}

impl Identity {
    /// The identity of a run's images.
    fn of(set: &ImageSet, data: &Splits, contents: &Contents) -> Self {
        let part = |dataset: &Dataset, sums: &[Checksum]| {
            let samples = dataset.samples().iter().zip(sums);
            let one = samples.map(|(sample, sum)| (set.relative(&sample.path), sample.label, *sum));
            PartIdentity::of(one)
        };
        let pictures = contents.backgrounds.iter().map(|(name, sum)| (name.clone(), 0, *sum));
        Self {
            classes: set.folder.classes.clone(),
            train: part(&data.train, &contents.train),
            validation: part(&data.validation, &contents.validation),
            test: part(&data.test, &contents.test),
            backgrounds: (!contents.backgrounds.is_empty()).then(|| PartIdentity::of(pictures)),
        }
    }

    /// What changed between the two, in words; `None` if nothing.
    fn difference(&self, now: &Self) -> Option<String> {
        if self.classes != now.classes {
            return Some(format!(
                "it began with the classes {}, now there are {}",
                self.classes.join(", "),
                now.classes.join(", ")
            ));
        }
        // Checkpoints of older versions know nothing of them.
        if self.backgrounds.is_some() && self.backgrounds != now.backgrounds {
            return Some("the pictures of backgrounds (--backgrounds) have changed".into());
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

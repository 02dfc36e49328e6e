//! The parts of a training: a network as a whole, or with a pretrained backbone first its classifier, on what the
//! frozen layers make of the images, and then all of it.

use super::augmented::augmented;
use super::contents::Contents;
use super::saving::{self, Note, Saving, Stage};
use super::splits::Splits;
use super::task::Task;
use crate::backbone::{Backbone, BackboneConfig, Freeze};
use crate::observer::{Interruptible, Watched};
use crate::{Observer, StudyError, format};
use nn_core::Error;
use nn_core::data::Dataset;
use nn_core::model::Sequential;
use nn_core::train::{
    Examples, FeatureOptions, Features, FitOptions, History, Keep, Trainer, best_epoch,
};

/// What a training led to.
pub struct Trained {
    /// The network.
    pub model: Sequential,
    /// Loss and accuracy of each epoch, of all parts.
    pub history: History,
}

/// A training and what it is made on.
pub struct Training<'a> {
    pub task: Task<'a>,
    pub data: &'a Splits,
    pub contents: &'a Contents,
    pub observer: &'a dyn Observer,
}

impl Training<'_> {
    /// Trains `network` on the images, and tells of it.
    ///
    /// # Errors
    /// As [`Run::make`](super::Run::make).
    pub fn of_network(
        &self,
        network: Sequential,
        saving: Option<Saving>,
    ) -> Result<Trained, StudyError> {
        let options = self.weighted(self.task.config.fit.clone());
        let part = Part { stage: Stage::Whole, before: History::new(), options };
        let trainer = self.part_on_images(network, part, saving)?;
        let history = trainer.history().clone();
        Ok(Trained { model: trainer.into_model(), history })
    }

    /// Trains the classifier that `backbone` gets, and what else its settings say.
    ///
    /// # Errors
    /// As [`Run::make`](super::Run::make); if the backbone cannot be divided as its settings say.
    pub fn of_backbone(
        &self,
        backbone: &Backbone,
        settings: &BackboneConfig,
        saving: Option<Saving>,
    ) -> Result<Trained, StudyError> {
        let (classes, fit) = (self.task.set.folder.classes.len(), &self.task.config.fit);
        let mut model = backbone.classifier(classes, fit.seed)?;
        let last = match &settings.freeze {
            Freeze::None => None,
            Freeze::All => model.features().map(String::from),
            Freeze::Through(layer) => Some(layer.clone()),
        };
        let Some(last) = last else {
            self.tell_statistics(model.freeze_statistics());
            return self.of_network(model, saving);
        };
        let from = saving.as_ref().and_then(|saving| saving.from.as_ref());
        let (stage, before) = match from.map(Note::read).transpose()? {
            Some(note) => (note.stage, note.before),
            None => (Stage::Head, History::new()),
        };
        let again = saving.as_ref().map(Saving::again);
        let untrained = model.clone();
        let (trained, saving) = match stage {
            Stage::FineTuning => (Trained { model, history: before }, saving),
            _ => (self.head(model, &last, saving)?, again),
        };
        let Some(options) = self.task.config.fine_tuning() else { return Ok(trained) };
        let head = (stage != Stage::FineTuning).then(|| trained.model.clone());
        let first = trained.history.len();
        let mut tuned = self.fine_tuned(trained, options, saving)?;
        let best = best_epoch(&tuned.history).filter(|_| fit.keep == Keep::Best);
        if best.is_some_and(|best| best.epoch <= first) {
            // A resumed run has only the second part's weights; the first part gives the same bits again.
            tuned.model = match head {
                Some(model) => model,
                None => self.head(untrained, &last, None)?.model,
            };
        }
        Ok(tuned)
    }

    /// Trains what lies behind the layer `last` of the network, on the outputs of that layer.
    fn head(
        &self,
        mut model: Sequential,
        last: &str,
        saving: Option<Saving>,
    ) -> Result<Trained, StudyError> {
        let (frozen, mut head) = model.clone().split_at(last)?;
        let options = self.weighted(self.task.config.fit.clone());
        let part = Part { stage: Stage::Head, before: History::new(), options };
        self.observer.note(&format!(
            "the {} parameters of the layers up to {last} are frozen, {} are trained",
            format::count(frozen.parameter_count() as u64),
            format::count(head.parameter_count() as u64)
        ));
        if !self.task.config.augment.is_none() {
            // The images are others in each epoch, and so is what the frozen layers make of them.
            let mut partly = model.clone();
            partly.set_trainable_through(last, false)?;
            self.tell_statistics(partly.freeze_statistics());
            let trainer = self.part_on_images(partly, part, saving)?;
            model.set_all(trainer.model())?;
            return Ok(Trained { model, history: trainer.history().clone() });
        }
        self.tell_statistics(head.freeze_statistics());
        let train = self.features(&frozen, &self.data.train)?;
        let validation = self.features(&frozen, &self.data.validation)?;
        let trainer = self.part(head, part, (&train, &validation), saving)?;
        model.set_all(trainer.model())?;
        Ok(Trained { model, history: trainer.history().clone() })
    }

    /// The outputs of the frozen layers for these images.
    fn features<'a>(
        &'a self,
        frozen: &'a Sequential,
        images: &'a Dataset,
    ) -> Result<Features<'a>, StudyError> {
        let counter = self.observer.count("looking at", images.len() as u64, "images");
        let features = Features::compute(frozen, images, FeatureOptions::default(), |done, _| {
            counter.set(done as u64);
            self.observer.check()
        })?;
        if features.recomputed() > 0 {
            self.observer.note(&format!(
                "note: what the frozen layers make of {} fits neither in memory nor on the disk, so it is \
                 computed in each epoch",
                format::plural(features.recomputed() as u64, "image")
            ));
        }
        Ok(features)
    }

    /// Trains all layers of a network whose head is trained.
    fn fine_tuned(
        &self,
        trained: Trained,
        options: FitOptions,
        saving: Option<Saving>,
    ) -> Result<Trained, StudyError> {
        let Trained { mut model, history: before } = trained;
        self.tell_statistics(model.freeze_statistics());
        let options = self.weighted(options);
        let part = Part { stage: Stage::FineTuning, before: before.clone(), options };
        let trainer = self.part_on_images(model, part, saving)?;
        let history = saving::joined(&before, trainer.history());
        Ok(Trained { model: trainer.into_model(), history })
    }

    /// The options of a part, with the weights of the classes of these images.
    fn weighted(&self, options: FitOptions) -> FitOptions {
        let Task { config, set, .. } = self.task;
        config.weighted(options, self.data.train.labels(), set.folder.classes.len())
    }

    fn tell_statistics(&self, frozen: usize) {
        if frozen > 0 {
            self.observer.note(&format!(
                "{} stay as the backbone was trained, with their statistics",
                format::plural(frozen as u64, "batch normalisation")
            ));
        }
    }

    /// Trains a network on the images themselves.
    fn part_on_images(
        &self,
        network: Sequential,
        part: Part,
        saving: Option<Saving>,
    ) -> Result<Trainer, StudyError> {
        let Splits { train, validation, .. } = self.data;
        let validation = Interruptible { images: validation, observer: self.observer };
        if self.task.config.augment.is_none() {
            return self.part(network, part, (train, &validation), saving);
        }
        let augmented = augmented(self.task.config, train, part.options.seed, self.observer)?;
        self.part(network, part, (&augmented, &validation), saving)
    }

    /// Trains a network.
    fn part(
        &self,
        network: Sequential,
        part: Part,
        (train, validation): (&dyn Examples, &dyn Examples),
        saving: Option<Saving>,
    ) -> Result<Trainer, StudyError> {
        let (config, observer) = (self.task.config, self.observer);
        let learning_rate = part.options.learning_rate;
        let rate = match part.stage {
            Stage::FineTuning => "--fine-tune-rate",
            _ => "--learning-rate",
        };
        let mut trainer = Trainer::new(network, config.optimizer.build()?, part.options)?;
        let command = saving.as_ref().map(|saving| saving.command.clone());
        let before = part.before.len();
        if let Some(saving) = saving {
            let note = Note::new(self.task, self.data, self.contents, (part.stage, part.before));
            trainer = saving.begin(trainer, note, observer)?;
        }
        let mut display = observer.training("", config.epochs());
        let mut progress = Watched { display: &mut *display, observer, before };
        let fitted = trainer.fit(train, Some(validation), &mut progress);
        display.finish();
        fitted.map_err(|error| match (error, command) {
            (Error::Interrupted, Some(command)) => saving::stopped(&trainer, before, &command),
            (error @ Error::NonFinite { .. }, _) => {
                StudyError::failed(format!("{error} ({rate} was {learning_rate})"))
            }
            (error, _) => error.into(),
        })?;
        Ok(trainer)
    }
}

/// A part of a training.
struct Part {
    stage: Stage,
    /// The epochs of the parts before it.
    before: History,
    options: FitOptions,
}

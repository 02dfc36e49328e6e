//! `checkpoint.safetensors`: the complete state of an unfinished run, in one file.
//!
//! Tensors are the model's parameters, `model.NAME`, those of the best epoch so far if they are kept,
//! `best.NAME`, their average if there is one, `average.NAME`, and the optimiser's state, `optimizer.KIND.NAME`; the last one, `xxh3`, is the checksum of everything before it. The metadata holds
//!
//! ```text
//! nn.checkpoint   settings, position in the run, history, as JSON
//! nn.note         the caller's note
//! nn.optimizer    the optimiser's settings (not in version 0.1.0)
//! nn.network      the network's architecture, as JSON (not in version 0.1.0, nor with layers that cannot be
//!                 stored)
//! ```
//!
//! All randomness in training is derived from seed, epoch and step ([`rng::stream`]), so these
//! three are the state of the random number generator.
//!
//! [`rng::stream`]: crate::rng::stream

use super::best::Best;
use super::state::{EpochSoFar, TrainerState};
use super::{FitOptions, History, Keep};
use crate::error::{Error, Result};
use crate::files::{FileDraft, Spare};
use crate::kernels::Kernels;
use crate::model::safetensors::{TensorFile, draft_with_checksum};
use crate::model::{Architecture, Model, NamedLayer};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const VERSION: u32 = 1;

/// The most steps a run can have: the number of random streams reserved for them.
const MOST_STEPS: u64 = 1 << 32;

/// The metadata with the optimiser's settings. They stand beside the state, so that programs of before read
/// the file as well.
const OPTIMIZER: &str = "nn.optimizer";

/// The metadata with the network's architecture, likewise.
const NETWORK: &str = "nn.network";

/// The content of a checkpoint besides the tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u32,
    options: FitOptions,
    optimizer: String,
    optimizer_step: u64,
    /// The name of the objective, unless it is the loss of the options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    objective: Option<String>,
    steps: u64,
    history: History,
    epoch: EpochSoFar,
    /// The best epoch so far, if its weights are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    best: Option<usize>,
}

impl State {
    /// Whether the position, the history and the epoch kept are possible together.
    fn is_possible(&self) -> bool {
        let best = self.options.keep.epoch(&self.history).map(|best| best.epoch);
        let kept = if self.options.keep == Keep::Best { best } else { None };
        self.steps.max(self.optimizer_step) < MOST_STEPS
            && self.epoch.is_possible(self.options.step_samples())
            && self.best == kept
    }
}

/// A checkpoint, open for reading.
#[derive(Debug)]
pub struct Checkpoint {
    file: TensorFile,
    state: State,
}

impl Checkpoint {
    /// Opens a checkpoint and verifies its checksum, which reads the whole file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::File`] if it is damaged, truncated, or no checkpoint.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = TensorFile::open(path)?;
        file.verify()?;
        let refuse = |problem: String| {
            let remedy = "pass a checkpoint that this version of the program wrote";
            Error::file(path, problem, remedy)
        };
        let Some(text) = file.metadata("nn.checkpoint") else {
            return Err(refuse("is no checkpoint of a training run".into()));
        };
        let state: State = serde_json::from_str(text)
            .map_err(|e| refuse(format!("its nn.checkpoint cannot be understood: {e}")))?;
        if state.version != VERSION {
            return Err(refuse(format!("is of version {}, not {VERSION}", state.version)));
        }
        if !state.is_possible() {
            return Err(refuse("says that it was at a step that no run has".into()));
        }
        Ok(Self { file, state })
    }

    /// The note that the caller saved with it.
    pub fn note(&self) -> &str {
        self.file.metadata("nn.note").unwrap_or_default()
    }

    /// The settings of the run.
    pub fn options(&self) -> &FitOptions {
        &self.state.options
    }

    /// The epochs that were complete.
    pub fn history(&self) -> &History {
        &self.state.history
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Checks that the run of `trainer`, with its settings, can continue from this checkpoint.
    fn check<T: Kernels>(&self, trainer: &TrainerState<T>) -> Result<()> {
        let State { options, optimizer, history, .. } = &self.state;
        let epochs = trainer.options.epochs;
        let asked = FitOptions {
            epochs: options.epochs,
            early_stopping: options.early_stopping,
            ..trainer.options.clone()
        };
        if asked != *options {
            return Err(Error::setting(
                "the settings of a run that goes on",
                format!("those it began with, {options:?}"),
                format!("{asked:?}"),
                "change only the number of epochs and the patience, or begin a new run",
            ));
        }
        if epochs < history.len() {
            return Err(Error::setting(
                "epochs",
                format!("at least {}, as many as the run has made", history.len()),
                epochs,
                "ask for more, or begin a new run",
            ));
        }
        let (then, now) = (self.state.objective.as_deref(), trainer.own_objective_name());
        if then != now {
            let name = |own: Option<&str>| own.unwrap_or(options.loss.name()).to_string();
            return Err(Error::setting(
                "the objective of a run that goes on",
                name(then),
                name(now),
                "use the one it began with, or begin a new run",
            ));
        }
        if optimizer != trainer.optimizer.name() {
            return Err(Error::setting(
                "the optimizer of a run that goes on",
                optimizer,
                trainer.optimizer.name(),
                "use the one it began with, or begin a new run",
            ));
        }
        let now = trainer.optimizer.settings();
        match self.file.metadata(OPTIMIZER) {
            Some(then) if then != now => Err(Error::setting(
                format!("the settings of the optimizer {optimizer} of a run that goes on"),
                format!("{then:?}, which it began with"),
                format!("{now:?}"),
                "use those it began with, or begin a new run",
            )),
            // Version 0.1.0 did not store them.
            _ => self.check_network(&trainer.model),
        }
    }

    /// Checks that the network is the one that the run began with, as far as both can be stored.
    fn check_network<T: Kernels>(&self, model: &Model<T>) -> Result<()> {
        let (Some(then), Ok(now)) = (self.file.metadata(NETWORK), model.architecture()) else {
            return Ok(());
        };
        let then: Architecture = serde_json::from_str(then).map_err(|e| {
            let problem = format!("its {NETWORK} cannot be understood: {e}");
            Error::file(self.path(), problem, "pass a checkpoint that this program wrote")
        })?;
        match first_difference(&then, &now) {
            None => Ok(()),
            Some((then, now)) => Err(Error::setting(
                "the network of a run that goes on",
                format!("the one it began with: {then}"),
                now,
                "build the network as it was, or begin a new run",
            )),
        }
    }

    /// Loads the checkpoint into `trainer`.
    pub(super) fn fill<T: Kernels>(mut self, trainer: &mut TrainerState<T>) -> Result<()> {
        self.check(trainer)?;
        let names = self.file.names();
        self.fill_model("model", &mut trainer.model)?;
        let best = match self.state.best {
            Some(epoch) => {
                let mut model = trainer.model.clone();
                self.fill_model("best", &mut model)?;
                Some(Best { epoch, model })
            }
            None => None,
        };
        if let Some(average) = &mut trainer.average {
            self.fill_model("average", average)?;
        }
        let mut remembered = Vec::new();
        for name in names.iter().filter_map(|name| name.strip_prefix("optimizer.")) {
            remembered.push((name.to_string(), self.file.read(&format!("optimizer.{name}"))?));
        }
        let State { optimizer_step, steps, history, epoch, .. } = self.state;
        let parameters = trainer.model.parameters();
        trainer.optimizer.load_state(optimizer_step, remembered, parameters)?;
        (trainer.steps, trainer.history, trainer.epoch) = (steps, history, epoch);
        trainer.best = best;
        Ok(())
    }

    /// Gives `model` the tensors `SET.NAME` of the file: one at a time, so that hardly anything is in memory
    /// twice.
    fn fill_model<T: Kernels>(&mut self, set: &str, model: &mut Model<T>) -> Result<()> {
        let names = self.file.names();
        let prefix = format!("{set}.");
        let mut left: BTreeSet<&str> =
            names.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
        for i in 0..model.parameters().len() {
            let name = model.parameters()[i].name.clone();
            left.remove(name.as_str());
            let value: Tensor<T> = self.file.read(&format!("{prefix}{name}"))?;
            model.set(&name, value)?;
        }
        match left.first() {
            None => Ok(()),
            Some(name) => Err(Error::file(
                self.file.path(),
                format!("holds {name}, which the model does not have"),
                "go on with the model it was saved from",
            )),
        }
    }
}

/// What differs between two networks, apart from their names, as JSON; `None` if nothing does.
fn first_difference(then: &Architecture, now: &Architecture) -> Option<(String, String)> {
    let layers = |i: usize| (then.layers.get(i), now.layers.get(i));
    let count = then.layers.len().max(now.layers.len());
    if let Some((then, now)) = (0..count).map(layers).find(|(then, now)| then != now) {
        let text = |layer: Option<&NamedLayer>| layer.map_or("no more layers".into(), json);
        return Some((text(then), text(now)));
    }
    let ends = |of: &Architecture| (json(&of.input), json(&of.outputs), json(&of.output));
    let text = |(input, outputs, kind)| format!("input {input}, outputs {outputs}, kind {kind}");
    (ends(then) != ends(now)).then(|| (text(ends(then)), text(ends(now))))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Writes a checkpoint up to, but without, the fsync; reuses the spare file if there is one.
pub(super) fn draft<T: Kernels>(
    trainer: &TrainerState<T>,
    path: &Path,
    note: &str,
    spare: Option<Spare>,
) -> Result<FileDraft> {
    let remembered = trainer.optimizer.state();
    let state = State {
        version: VERSION,
        options: trainer.options.clone(),
        optimizer: trainer.optimizer.name().into(),
        optimizer_step: remembered.step,
        objective: trainer.own_objective_name().map(Into::into),
        steps: trainer.steps,
        history: trainer.history.clone(),
        epoch: trainer.epoch,
        best: trainer.best.as_ref().map(|best| best.epoch),
    };
    let state = serde_json::to_string(&state).map_err(|problem| {
        Error::Internal(format!("the checkpoint cannot be written as JSON: {problem}"))
    })?;
    let mut metadata = BTreeMap::from([
        ("nn.checkpoint".to_string(), state),
        ("nn.note".into(), note.into()),
        (OPTIMIZER.into(), trainer.optimizer.settings()),
    ]);
    // Layers of other crates may have no configuration; the shapes of the parameters are compared anyway.
    if let Ok(network) = trainer.model.architecture()
        && let Ok(network) = serde_json::to_string(&network)
    {
        metadata.insert(NETWORK.into(), network);
    }
    let named = |prefix: &str, name: &str| format!("{prefix}.{name}");
    let best = trainer.best.as_ref().map(|best| &best.model);
    let models =
        [("model", Some(&trainer.model)), ("best", best), ("average", trainer.average.as_ref())];
    let models = models.into_iter().flat_map(|(set, model)| {
        let parameters = model.into_iter().flat_map(Model::parameters);
        parameters.map(move |p| (named(set, &p.name), p.value.as_ref()))
    });
    let remembered = remembered.tensors.into_iter();
    let remembered = remembered.map(|(name, tensor)| (named("optimizer", &name), tensor));
    let tensors: Vec<_> = models.chain(remembered).collect();
    let tensors = tensors.iter().map(|(name, tensor)| (name.as_str(), *tensor));
    draft_with_checksum(path, tensors, &metadata, spare)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form in which version 0.1.0 stored the state of a classifier; `tests/released.rs` reads a
    /// whole file.
    const RELEASED: &str = r#"{"version":1,"options":{"epochs":3,"batch_size":4,"learning_rate":0.05,"schedule":{"kind":"constant"},"loss":"categorical_crossentropy","seed":27},"optimizer":"adam","optimizer_step":5,"steps":5,"history":[{"epoch":1,"loss":0.75,"accuracy":0.5,"val_loss":0.5,"val_accuracy":1.0,"seconds":0.25}],"epoch":{"step":2,"samples":10,"loss":4.5,"correct":3,"seconds":0.125}}"#;

    #[test]
    fn the_state_of_a_classifier_is_read_and_written_as_it_was() {
        let state: State = serde_json::from_str(RELEASED).unwrap();
        assert_eq!(state.history[0].accuracy, Some(0.5));
        assert_eq!(state.epoch.correct(), Some(3));
        assert_eq!(state.objective, None);
        assert_eq!(serde_json::to_string(&state).unwrap(), RELEASED);
    }
}

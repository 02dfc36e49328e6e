//! A run from its settings to the results in its folder.

use crate::inspection::{Inspection, PICTURES};
use crate::open_run::OpenRun;
use crate::training::{Run, Saving, Task};
use crate::{Observer, StudyError, results, tensorboard};
use nn_core::train::Checkpoint;
use std::path::PathBuf;

/// What a run leaves in its folder beside its results.
#[derive(Debug, Clone, Copy)]
pub struct Outputs {
    /// How many checkpoints stay.
    pub checkpoints: u8,
    /// Whether event files for TensorBoard are written.
    pub tensorboard: bool,
}

impl Outputs {
    /// The options that ask for them, where they are not the usual ones.
    pub(crate) fn options(self) -> String {
        let mut options = String::new();
        if self.checkpoints != 1 {
            options += &format!(" --keep-checkpoints {}", self.checkpoints);
        }
        if self.tensorboard {
            options += " --tensorboard";
        }
        options
    }
}

/// Makes the run of `task` in `folder`, resuming it from the checkpoint `from` if there is one, and writes its results.
/// Returns also the path of the folder.
///
/// # Errors
/// Those of [`Run::make`] and [`Inspection::make`]; if a file cannot be written.
pub fn make_run<'a>(
    task: Task<'a>,
    mut folder: OpenRun,
    from: Option<Checkpoint>,
    outputs: Outputs,
    observer: &dyn Observer,
) -> Result<(Run<'a>, PathBuf), StudyError> {
    let command = folder.command(&outputs.options());
    folder.note(task.config)?;
    let checkpoints = folder.take_checkpoints();
    let target = folder.target().to_path_buf();
    let saving = Saving { checkpoints, from, command: command.clone(), folder: target };
    let run = Run::make(task, Some(saving), observer)?;
    observer.note("looking into the answers");
    let pictures = folder.folder().folder(PICTURES)?;
    let evaluation = run.test.clone();
    let images = &run.data.test;
    let test = Inspection::make(&run.model, task.set, images, evaluation, &pictures, observer);
    let test = test.map_err(|error| match error {
        StudyError::Interrupted => {
            StudyError::Stopped(format!("after the training; to go on: {command}"))
        }
        other => other,
    })?;
    results::write(folder.folder(), &run, &test)?;
    if outputs.tensorboard {
        tensorboard::write(folder.folder(), &run.history)?;
    }
    let target = folder.finish(outputs.checkpoints)?;
    if !outputs.tensorboard {
        tensorboard::remove(&target)?;
    }
    Ok((run, target))
}

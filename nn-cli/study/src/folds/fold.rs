//! What is kept of the run of a fold.

use crate::training::{Kept, Run, Warning};
use crate::{Evaluation, format};
use nn_core::data::Treated;
use nn_core::model::Summary;
use nn_core::train::History;
use std::path::PathBuf;

/// What is kept of the run of a fold.
pub struct Fold {
    /// The number of images it was trained on, validated on and tested on.
    pub images: [usize; 3],
    /// The tested images, in the order of their answers.
    pub tested: Vec<PathBuf>,
    /// What it answered to them.
    pub evaluation: Evaluation,
    /// Loss and accuracy of each epoch.
    pub history: History,
    /// The epoch whose weights it has.
    pub kept: Option<Kept>,
    /// The warnings of its run.
    pub warnings: Vec<Warning>,
    /// What was changed in its images when they were read.
    pub treated: Treated,
    /// The layers of its network.
    pub model: Summary,
}

impl Fold {
    /// What is kept of `run`.
    pub fn of(run: Run<'_>) -> Self {
        let [train, validation, test] =
            [&run.data.train, &run.data.validation, &run.data.test].map(|data| data.len());
        Self {
            images: [train, validation, test],
            tested: run.data.test.samples().iter().map(|sample| sample.path.clone()).collect(),
            kept: run.kept,
            treated: run.data.treated(),
            model: run.model.summary(),
            evaluation: run.test,
            history: run.history,
            warnings: run.warnings,
        }
    }

    /// The epoch whose weights were kept, of how many: `8 of 10`; `None` if it has not made an epoch.
    pub fn epoch_kept(&self) -> Option<String> {
        Some(format!("{} of {}", self.kept.as_ref()?.epoch, self.history.len()))
    }
}

/// How many warnings of one kind there are is told, not each of them.
pub(super) fn merged(folds: &[Fold]) -> Vec<Warning> {
    let mut all: Vec<(Warning, usize, usize)> = Vec::new();
    for (fold, warning) in
        folds.iter().enumerate().flat_map(|(at, fold)| fold.warnings.iter().map(move |w| (at, w)))
    {
        match all.iter_mut().find(|(known, ..)| known.kind == warning.kind) {
            Some((known, _, count)) => {
                known.is_early &= warning.is_early;
                *count += 1;
            }
            None => all.push((warning.clone(), fold, 1)),
        }
    }
    let told = |(warning, fold, count): (Warning, usize, usize)| {
        let others = match count {
            1 => String::new(),
            more => format!(" (and {} likewise)", format::plural(more as u64 - 1, "other fold")),
        };
        Warning { text: format!("fold {}{others}: {}", fold + 1, warning.text), ..warning }
    };
    all.into_iter().map(told).collect()
}

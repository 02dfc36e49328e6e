//! Applies the options for schedules and for what a step does beside descending the loss.

use super::set;
use crate::args::{ScheduleName, SettingArgs, TrainingArgs};
use crate::failure::Failure;
use nn_core::optim::{Decayed, OptimizerConfig, Schedule};
use nn_core::train::Keep;
use nn_study::config::{ClassWeights, RunConfig};

/// Applies the options, except those of the schedule.
///
/// # Errors
/// If there is a weight decay for an optimiser without one.
pub fn merge(config: &mut RunConfig, given: &TrainingArgs) -> Result<(), Failure> {
    let fit = &mut config.fit;
    if given.early_stopping.is_some() {
        (fit.early_stopping, fit.keep) = (given.early_stopping, Keep::Best);
    }
    set(&mut fit.keep, given.keep.map(Keep::from));
    set(&mut fit.warmup, given.warmup.map(|warmup| warmup.epochs(fit.epochs)));
    set(&mut fit.accumulate, given.accumulate);
    let regularization = &mut fit.regularization;
    set(&mut regularization.label_smoothing, given.label_smoothing);
    set(&mut regularization.clip_norm, given.clip_norm.map(Some));
    set(&mut regularization.ema, given.ema.map(Some));
    set(&mut config.class_weights, given.class_weights.map(ClassWeights::from));
    let Some(decay) = given.weight_decay else { return Ok(()) };
    match &mut config.optimizer {
        OptimizerConfig::AdamW { weight_decay, decayed, .. }
        | OptimizerConfig::Sgd { weight_decay, decayed, .. } => {
            (*weight_decay, *decayed) = (decay, Decayed::Weights);
            Ok(())
        }
        _ => Err(Failure::usage(format!(
            "--weight-decay {decay}: the optimizer adam has none; choose --optimizer adamw, which is adam with \
             decoupled weight decay, or sgd"
        ))),
    }
}

/// The schedule of a run of `epochs` epochs, from that of its settings, which were made for `before` epochs, and the
/// options: one that spans all epochs spans the new ones.
///
/// # Errors
/// If an option does not fit the schedule.
pub fn schedule(
    given: Schedule,
    before: usize,
    epochs: usize,
    settings: &SettingArgs,
) -> Result<Schedule, Failure> {
    let named = settings.schedule.or_else(|| spanning(given, before));
    let mut schedule = named.map_or(given, |name| usual(name, epochs));
    let TrainingArgs { schedule_epochs, schedule_factor, .. } = settings.training;
    match &mut schedule {
        Schedule::Step { every: length, .. }
        | Schedule::Cosine { epochs: length, .. }
        | Schedule::CosineRestarts { epochs: length, .. }
        | Schedule::Plateau { patience: length, .. } => set(length, schedule_epochs),
        _ => {
            if let Some(n) = schedule_epochs {
                return Err(unused(
                    &format!("--schedule-epochs {n}"),
                    "step, cosine, cosine-restarts or plateau",
                ));
            }
        }
    }
    let Some(x) = schedule_factor else { return Ok(schedule) };
    match &mut schedule {
        Schedule::Step { factor, .. } | Schedule::Plateau { factor, .. } => *factor = x,
        Schedule::CosineRestarts { longer, .. } if x >= 1.0 && x.fract() == 0.0 => {
            *longer = x as usize;
        }
        Schedule::CosineRestarts { .. } => {
            return Err(Failure::usage(format!(
                "--schedule-factor {x}: each cosine is a whole number of times as long as the one before, such as 2"
            )));
        }
        _ => {
            let option = format!("--schedule-factor {x}");
            return Err(unused(&option, "step, cosine-restarts or plateau"));
        }
    }
    Ok(schedule)
}

fn unused(option: &str, schedules: &str) -> Failure {
    Failure::usage(format!("{option} is for --schedule {schedules}; add one, or leave it away"))
}

/// The name of a schedule that spans `epochs`, as [`usual`] makes it.
fn spanning(given: Schedule, epochs: usize) -> Option<ScheduleName> {
    let names = [
        ScheduleName::Constant,
        ScheduleName::Step,
        ScheduleName::Cosine,
        ScheduleName::CosineRestarts,
    ];
    names.into_iter().find(|&name| usual(name, epochs) == given)
}

fn usual(name: ScheduleName, epochs: usize) -> Schedule {
    match name {
        ScheduleName::Constant => Schedule::Constant,
        ScheduleName::Step => Schedule::Step { every: epochs.div_ceil(3), factor: 0.1 },
        ScheduleName::Cosine => Schedule::Cosine { epochs, floor: 0.0 },
        ScheduleName::CosineRestarts => {
            Schedule::CosineRestarts { epochs: epochs.div_ceil(3), longer: 1, floor: 0.0 }
        }
        ScheduleName::Plateau => Schedule::Plateau { patience: 5, factor: 0.1, floor: 0.0 },
    }
}

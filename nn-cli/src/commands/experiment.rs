//! `nn-cli experiment`: compares training with and without leakage.

mod table;

use crate::args::{ExperimentArgs, LabelArgs};
use crate::backbone;
use crate::command_line::command_line;
use crate::config;
use crate::datasets;
use crate::failure::Failure;
use crate::out::default_target;
use crate::reading;
use crate::ui::Console;
use crate::ui::lines::TEXT;
use nn_core::data::Part;
use nn_study::backbone::Freeze;
use nn_study::config::RunConfig;
use nn_study::experiment::{Arm, Plan, SWAPPED};
use nn_study::{Experiment, ExperimentSets, Observer, run_folder};

pub fn run(args: &ExperimentArgs, console: &Console) -> Result<(), Failure> {
    let settings = |arm: Arm| settings(arm, args);
    let plan = Plan::new(settings, args.seeds.into(), args.settings.validation_split)?;
    let target = match &args.out {
        Some(target) => target.clone(),
        None => default_target("experiment", console),
    };
    let stage = run_folder::stage(&target, args.overwrite)?;
    let sets = find(&plan, console)?;
    let jobs = args.jobs.map(usize::from);
    let backbone = plan.runs.iter().find(|run| run.config.backbone.is_some());
    let backbone = backbone.map(|run| backbone::open(&run.config, console)).transpose()?.flatten();
    let experiment =
        Experiment::make(&plan, &sets, backbone.as_ref(), jobs, stage.folder(), console)?;
    let parts = experiment.parts();
    let conclusions = parts.conclusions();
    experiment.write(stage.folder(), &conclusions, command_line(args))?;
    let committed = stage.commit()?;

    console.treated(&experiment.treated());
    let most = console.columns().unwrap_or(TEXT);
    console.text(&format!("\n{}", table::table(&parts, &conclusions, most)))?;
    experiment.warnings().for_each(|warning| warning.tell(console));
    console.note(&format!("\nwritten to {}", run_folder::written(committed.path())));
    console.json(&parts.summary(&conclusions))?;
    Ok(())
}

/// The epochs of fine-tuning that an experiment with a backbone makes unless something else is said.
const FINE_TUNE_EPOCHS: usize = 5;

/// The settings of an arm: with a backbone, it is fine-tuned as well.
fn settings(arm: Arm, args: &ExperimentArgs) -> Result<RunConfig, Failure> {
    let mut settings = args.settings.clone();
    if settings.backbone.backbone.is_some() {
        if settings.backbone.frozen() == Some(Freeze::None) {
            return Err(Failure::usage(
                "--freeze none: an experiment compares a backbone that is frozen with one that is fine-tuned; leave \
                 the option away, or name a layer",
            ));
        }
        settings.backbone.fine_tune.get_or_insert(FINE_TUNE_EPOCHS);
    }
    config::for_set(arm.set(), &args.images, &settings)
}

/// Finds the image sets of the experiment; reports what they are and how they were read.
fn find(plan: &Plan, console: &Console) -> Result<ExperimentSets, Failure> {
    let find = |name: &str| {
        let root = &plan.config().data_root;
        let set = datasets::find(name, root, &LabelArgs::default(), console)?;
        reading::tell(&set.folder, None, console);
        Ok::<_, Failure>(set)
    };
    let (leaky, clean) = (find(Arm::Leaky.set())?, find(Arm::Clean.set())?);
    let sets = ExperimentSets::new(leaky, clean, find(SWAPPED)?)?;
    for set in [&sets.leaky, &sets.clean] {
        let share = plan.given_share.filter(|_| set.folder.has(Part::Validation));
        reading::tell_unused_share(&set.folder, share, console);
    }
    Ok(sets)
}

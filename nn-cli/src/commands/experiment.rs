//! `nn-cli experiment`: with leakage and without, compared.

use crate::args::ExperimentArgs;
use crate::command_line::command_line;
use crate::datasets::ImageSet;
use crate::experiment::{
    Arm, Comparison, Leaks, Measured, Parts, Plan, PlannedRun, SWAPPED, lanes, run_all, table,
};
use crate::failure::Failure;
use crate::images::{self, Reading};
use crate::inspection::{self, Inspected, Inspection, MeanShare};
use crate::interrupt::Interruptible;
use crate::reading;
use crate::report::{self, ExperimentPage, HANDOUT_FILE, HandoutPage, REPORT_FILE, Told};
use crate::results;
use crate::run_folder::{self, EXPERIMENT_FILE};
use crate::training::{Progress, Run, Warning, built_in};
use crate::treated;
use crate::ui::lines::TEXT;
use crate::ui::stats::Guessing;
use crate::ui::{Console, format};
use nn_core::Error;
use nn_core::data::{Layout, Part, Treated};
use nn_core::model::Summary;
use nn_core::train::{Evaluation, History, evaluate};
use nn_figures::plots::{self, CurvesSpec};
use nn_photographs::Kind;
use nn_staging::StagedFolder;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub fn run(args: &ExperimentArgs, console: &Console) -> Result<(), Failure> {
    let plan = Plan::from_args(args)?;
    let target = match &args.out {
        Some(target) => target.clone(),
        None => run_folder::default_target("experiment", console),
    };
    let stage = run_folder::stage(&target, args.overwrite)?;
    let folder = stage.folder();
    let sets = Sets::find(&plan, console)?;

    let jobs = jobs(args, &plan, &sets)?;
    console.note(&format!(
        "{}, {jobs} at a time: with leakage and without, seeds {}",
        format::plural(plan.runs.len() as u64, "run"),
        plan.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
    ));
    let finished = run_all(plan.runs.len(), jobs, |i, stop| {
        make(&plan.runs[i], &sets, folder, stop, console)
    })?;

    let comparison = compare(&finished);
    let leaks = [
        leaks(&finished, Arm::Leaky, &comparison.leaky, &sets, &plan, console)?,
        leaks(&finished, Arm::Clean, &comparison.clean, &sets, &plan, console)?,
    ];
    let background = background(&finished);
    let parts = Parts {
        seeds: &plan.seeds,
        comparison: &comparison,
        sets: [&sets.leaky, &sets.swap, &sets.clean],
        background: &background,
        leaks: &leaks,
        config: plan.config(),
        jobs,
    };
    let conclusions = parts.conclusions();
    let summary = parts.summary(&conclusions);
    let json = serde_json::to_string_pretty(&summary).map_err(Failure::failed)?;
    folder.write(EXPERIMENT_FILE, json + "\n")?;
    results::draw(folder, "comparison", plots::comparison(&parts.picture()))?;
    let curves = Arm::ALL.map(|arm| curves(&finished, arm, &sets, &plan));
    for (arm, (spec, _)) in Arm::ALL.iter().zip(&curves) {
        results::draw(folder, &format!("curves-{}", arm.name()), plots::curves(spec))?;
    }
    let page = ExperimentPage::new(&Told {
        parts: &parts,
        conclusions: &conclusions,
        first: first(&finished)?,
        looked: looked(&finished),
        curves,
        used: [used(&finished, Arm::Leaky), None, used(&finished, Arm::Clean)],
        model: model(&finished)?,
        command: command_line(args),
    })?;
    folder.write(REPORT_FILE, report::render(&page)?)?;
    folder.write(HANDOUT_FILE, report::render(&HandoutPage::new(&parts)?)?)?;
    let committed = stage.commit()?;

    treated::tell(&treated(&leaks, &finished), console);
    let most = console.columns().unwrap_or(TEXT);
    console
        .text(&format!("\n{}", table(&comparison, &background, &plan.seeds, &conclusions, most)))?;
    let warnings = finished.iter().flat_map(|run| &run.warnings);
    warnings.for_each(|warning| warning.tell(console));
    console.note(&format!("\nwritten to {}", run_folder::written(committed.path())));
    console.json(&summary)?;
    Ok(())
}

/// The images of an experiment.
struct Sets {
    leaky: ImageSet,
    clean: ImageSet,
    swap: ImageSet,
}

impl Sets {
    fn find(plan: &Plan, console: &Console) -> Result<Self, Failure> {
        let find = |name: &str| {
            let set = ImageSet::find(name, &plan.config().data_root, console)?;
            set.announce(console);
            reading::tell(&set.folder, None, console);
            Ok::<_, Failure>(set)
        };
        let sets = Self {
            leaky: find(Arm::Leaky.set())?,
            clean: find(Arm::Clean.set())?,
            swap: find(SWAPPED.name())?,
        };
        for set in [&sets.leaky, &sets.clean] {
            if !matches!(set.folder.layout, Layout::Split(_)) {
                return Err(unfit(
                    &set.path,
                    "has no train/ and test/",
                    "give it both, so that all seeds are tested on the same images",
                ));
            }
            set.folder.ready_to_train()?;
            let share = plan.given_share.filter(|_| set.folder.has(Part::Validation));
            reading::tell_unused_share(&set.folder, share, console);
        }
        if sets.swap.folder.classes != sets.leaky.folder.classes {
            let problem = format!(
                "has the classes {}, but {} has {}",
                sets.swap.folder.classes.join(", "),
                sets.leaky.name,
                sets.leaky.folder.classes.join(", ")
            );
            return Err(unfit(&sets.swap.path, &problem, "use folders of the same names in both"));
        }
        Ok(sets)
    }

    fn of(&self, arm: Arm) -> &ImageSet {
        match arm {
            Arm::Leaky => &self.leaky,
            Arm::Clean => &self.clean,
        }
    }
}

fn unfit(path: &Path, problem: &str, remedy: &str) -> Failure {
    Error::file(path, problem.to_string(), remedy.to_string()).into()
}

/// How many runs are made at once.
fn jobs(args: &ExperimentArgs, plan: &Plan, sets: &Sets) -> Result<usize, Failure> {
    let runs = plan.runs.len();
    if let Some(jobs) = args.jobs {
        return Ok(usize::from(jobs).min(runs));
    }
    let size = plan.config().image_size;
    let parameters = built_in(sets.leaky.folder.classes.len(), size, 0)?.parameter_count();
    Ok(lanes(runs, rayon::current_num_threads(), parameters, size))
}

/// What is kept of a run whose model is written.
struct Finished {
    arm: Arm,
    history: History,
    /// The layers of its network.
    model: Summary,
    /// Training and validation images.
    used: (usize, usize),
    /// What the run's numbers show to those who know how to read them.
    warnings: Vec<Warning>,
    /// What guessing would score while it trains.
    guessing: Guessing,
    /// The test images, in the order of the answers to them.
    tested: Vec<PathBuf>,
    test: Inspection,
    /// The leaky model on the swapped set.
    swap: Option<Inspection>,
}

/// Makes one run, writes its folder and tests its model once more if it is a leaky one.
fn make(
    planned: &PlannedRun,
    sets: &Sets,
    draft: &StagedFolder,
    stop: &AtomicBool,
    console: &Console,
) -> Result<Finished, Failure> {
    let (config, label) = (&planned.config, planned.label());
    let mut progress = Progress::among_others(console, &label, config.fit.epochs, stop);
    let run = Run::make(config, sets.of(planned.arm), None, &mut progress, console)
        .map_err(|failure| named(failure, &label))?;
    let folder = draft.folder("runs")?.folder(&label)?;
    let test = Inspection::make(&run.model, run.set, &run.data.test, run.test.clone())?;
    results::write(&folder, &run, &test)?;
    let swap = match planned.arm {
        Arm::Leaky => {
            let folder = draft.folder("swap")?.folder(&label)?;
            Some(swapped(&run, &sets.swap, &folder, console)?)
        }
        Arm::Clean => None,
    };
    let used = (run.data.train.len(), run.data.validation.len());
    let tested = run.data.test.samples().iter().map(|sample| sample.path.clone()).collect();
    let of_run = |warning: &Warning| Warning {
        text: format!("run {label}: {}", warning.text),
        ..warning.clone()
    };
    let warnings = run.warnings.iter().map(of_run).collect();
    let (guessing, model) = (run.guessing(), run.model.summary());
    Ok(Finished {
        arm: planned.arm,
        history: run.history,
        model,
        used,
        warnings,
        guessing,
        tested,
        test,
        swap,
    })
}

/// The run's model on the swapped set, written to `folder`.
fn swapped(
    run: &Run<'_>,
    set: &ImageSet,
    folder: &StagedFolder,
    console: &Console,
) -> Result<Inspection, Failure> {
    let config = run.config;
    let (_, samples) = set.test_samples()?;
    let images = images::load(samples, &set.folder.classes, Reading::of(config), console)?;
    let (loss, batch) = (config.fit.loss, config.fit.batch_size);
    let evaluation = evaluate(&run.model, loss, &Interruptible(&images), batch)?;
    folder.write("predictions.csv", results::predictions(set, &images, &evaluation)?)?;
    let swap = Inspection::make(&run.model, set, &images, evaluation)?;
    inspection::write_pictures(&folder.folder("gradcam")?, &swap)?;
    Ok(swap)
}

/// Says which of the runs it was.
fn named(failure: Failure, label: &str) -> Failure {
    match failure {
        Failure::Failed(reason) => Failure::Failed(format!("run {label}: {reason}")),
        Failure::NoRoom(reason) => Failure::NoRoom(format!("run {label}: {reason}")),
        other => other,
    }
}

fn of_arm(finished: &[Finished], arm: Arm) -> impl Iterator<Item = &Finished> {
    finished.iter().filter(move |run| run.arm == arm)
}

fn compare(finished: &[Finished]) -> Comparison {
    let own = |arm| of_arm(finished, arm).map(|run| run.test.evaluation.clone()).collect();
    let swap: Vec<Evaluation> =
        finished.iter().filter_map(|run| Some(run.swap.as_ref()?.evaluation.clone())).collect();
    Comparison {
        leaky: Measured::new(own(Arm::Leaky)),
        swap: Measured::new(swap),
        clean: Measured::new(own(Arm::Clean)),
    }
}

/// What an audit of the arm's set finds, as the first seed divided it.
fn leaks(
    finished: &[Finished],
    arm: Arm,
    measured: &Measured,
    sets: &Sets,
    plan: &Plan,
    console: &Console,
) -> Result<Leaks, Failure> {
    let tested = of_arm(finished, arm).next().map_or(&[][..], |run| &run.tested);
    let divided = (plan.config().validation_split, plan.seeds[0]);
    let background = plan.config().alpha_background;
    Leaks::find(sets.of(arm), divided, background, measured, tested, console)
}

/// What was done to the images of the three sets when they were read.
fn treated(leaks: &[Leaks], finished: &[Finished]) -> Treated {
    let swap = finished.iter().find_map(|run| run.swap.as_ref()).map(|swap| &swap.treated);
    let mut all = Treated::on(leaks[0].report.treated.alpha_background);
    leaks.iter().map(|leaks| &leaks.report.treated).chain(swap).for_each(|one| all.merge(one));
    all
}

/// The heat on the background of the three measurements, over all seeds.
fn background(finished: &[Finished]) -> [MeanShare; 3] {
    let mean = |inspections: Vec<&Inspection>| {
        let classes = inspections.first().map_or(&[][..], |first| &first.classes);
        let images = inspections.iter().flat_map(|inspection| &inspection.images);
        MeanShare::of(images.map(Inspected::share), classes)
    };
    let own = |arm| mean(of_arm(finished, arm).map(|run| &run.test).collect());
    let swap = mean(finished.iter().filter_map(|run| run.swap.as_ref()).collect());
    [own(Arm::Leaky), swap, own(Arm::Clean)]
}

/// The models of all seeds looked into: the three measurements in their order.
fn looked(finished: &[Finished]) -> [Vec<&Inspection>; 3] {
    let own = |arm| of_arm(finished, arm).map(|run| &run.test).collect();
    let swap = finished.iter().filter_map(|run| run.swap.as_ref()).collect();
    [own(Arm::Leaky), swap, own(Arm::Clean)]
}

/// The first seed's models looked into: the three measurements in their order.
fn first(finished: &[Finished]) -> Result<[&Inspection; 3], Failure> {
    let own = |arm| of_arm(finished, arm).next().map(|run| &run.test);
    let swap = finished.iter().find_map(|run| run.swap.as_ref());
    match (own(Arm::Leaky), swap, own(Arm::Clean)) {
        (Some(leaky), Some(swap), Some(clean)) => Ok([leaky, swap, clean]),
        _ => Err(Failure::failed("an experiment without runs has nothing to show")),
    }
}

/// The layers of the networks, which are the same in all runs.
fn model(finished: &[Finished]) -> Result<Summary, Failure> {
    let first = finished.first().map(|run| run.model.clone());
    first.ok_or_else(|| Failure::failed("an experiment without runs has nothing to show"))
}

/// Training and validation images of an arm.
fn used(finished: &[Finished], arm: Arm) -> Option<(usize, usize)> {
    of_arm(finished, arm).next().map(|run| run.used)
}

/// How an arm's runs trained, and what guessing would have scored.
fn curves(finished: &[Finished], arm: Arm, sets: &Sets, plan: &Plan) -> (CurvesSpec, Guessing) {
    let histories: Vec<&History> = of_arm(finished, arm).map(|run| &run.history).collect();
    let set = sets.of(arm);
    let guessing = of_arm(finished, arm).next().map(|run| run.guessing.clone()).unwrap_or_default();
    let subtitle = match plan.seeds[..] {
        [seed] => format!("seed {seed}"),
        _ => format!(
            "mean of {} seeds; the bands reach from the lowest to the highest",
            plan.seeds.len()
        ),
    };
    let spec = CurvesSpec {
        title: format!("The {} model, {}", arm.name(), format::clean(&set.name)),
        subtitle,
        synthetic: set.kind == Kind::Synthetic,
        ..results::curves_of(&histories, &guessing)
    };
    (spec, guessing)
}

//! Makes an experiment: its runs, several in parallel, their evaluation, and the files with the results.

use crate::Evaluation;
use crate::backbone::Backbone;
use crate::experiment::{
    Arm, Comparison, Conclusions, Leaks, Measured, Parts, Plan, PlannedRun, Tried, Way,
};
use crate::images::{self, Reading};
use crate::inspection::{Inspected, Inspection, MeanShare, PICTURES};
use crate::observer::{Interruptible, OneOfSeveral};
use crate::report::{
    self, ExperimentPage, HANDOUT_FILE, HandoutPage, LookedInto, REPORT_FILE, Told,
};
use crate::run_folder::EXPERIMENT_FILE;
use crate::stats::Guessing;
use crate::training::{Run, Task, Warning};
use crate::workers::{fitting, run_all};
use crate::{ImageSet, Kind, Observer, StudyError, figures, format, results};
use nn_core::Error;
use nn_core::data::{Layout, Treated};
use nn_core::model::Summary;
use nn_core::train::{History, evaluate};
use nn_figures::plots::{self, CurvesSpec};
use nn_staging::StagedFolder;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// An experiment whose runs are finished.
pub struct Experiment<'a> {
    plan: &'a Plan,
    sets: &'a ExperimentSets,
    /// The number of runs made in parallel.
    jobs: usize,
    finished: Vec<Finished>,
    comparison: Comparison,
    background: [MeanShare; 3],
    /// What was tried against the leak.
    tried: Vec<Tried>,
    leaks: [Leaks; 2],
}

impl<'a> Experiment<'a> {
    /// Makes the runs of `plan`, `jobs` at a time or by default as many as this machine allows, and writes
    /// each into `folder`.
    ///
    /// # Errors
    /// If a run fails, or the observer stops it.
    pub fn make(
        plan: &'a Plan,
        sets: &'a ExperimentSets,
        backbone: Option<&Backbone>,
        jobs: Option<usize>,
        folder: &StagedFolder,
        observer: &dyn Observer,
    ) -> Result<Self, StudyError> {
        let runs = plan.runs.len();
        let jobs = match jobs {
            Some(jobs) => jobs.min(runs),
            None => fitting(runs, plan.config(), backbone, sets.leaky.folder.classes.len())?,
        };
        observer.note(&format!(
            "{}, {jobs} at a time: with leakage and without, seeds {}",
            format::plural(runs as u64, "run"),
            plan.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
        ));
        let finished = run_all(runs, jobs, |i, stop| {
            make(&plan.runs[i], sets, backbone, folder, stop, observer)
        })?;
        let comparison = compare(&finished, Way::Plain);
        let tried = plan.ways().into_iter().filter(|way| *way != Way::Plain).map(|way| {
            let (comparison, background) = (compare(&finished, way), background(&finished, way));
            Tried { way, comparison, background }
        });
        let tried = tried.collect();
        let leaks = [
            leaks(&finished, Arm::Leaky, &comparison.leaky, sets, plan, observer)?,
            leaks(&finished, Arm::Clean, &comparison.clean, sets, plan, observer)?,
        ];
        let background = background(&finished, Way::Plain);
        Ok(Self { plan, sets, jobs, finished, comparison, background, tried, leaks })
    }

    /// The inputs of the summary.
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            seeds: &self.plan.seeds,
            comparison: &self.comparison,
            sets: [&self.sets.leaky, &self.sets.swap, &self.sets.clean],
            background: &self.background,
            tried: &self.tried,
            leaks: &self.leaks,
            config: self.plan.config(),
            jobs: self.jobs,
        }
    }

    /// Writes summary, pictures and pages; `command` is the command line that repeats the experiment.
    ///
    /// # Errors
    /// If a file cannot be written, or an image cannot be read any more.
    pub fn write(
        &self,
        folder: &StagedFolder,
        conclusions: &Conclusions,
        command: String,
    ) -> Result<(), StudyError> {
        let (parts, finished) = (self.parts(), &self.finished);
        let summary = parts.summary(conclusions);
        let json = serde_json::to_string_pretty(&summary).map_err(StudyError::failed)?;
        folder.write(EXPERIMENT_FILE, json + "\n")?;
        results::draw(folder, "comparison", plots::comparison(&parts.picture()))?;
        let curves = Arm::ALL.map(|arm| curves(finished, arm, self.sets, self.plan));
        for (arm, (spec, _)) in Arm::ALL.iter().zip(&curves) {
            results::draw(folder, &format!("curves-{}", arm.name()), plots::curves(spec))?;
        }
        let page = ExperimentPage::new(&Told {
            parts: &parts,
            conclusions,
            first: first(finished, Way::Plain)?,
            looked: looked(finished, Way::Plain),
            tried: self.looked_into()?,
            curves,
            used: [used(finished, Arm::Leaky), None, used(finished, Arm::Clean)],
            model: model(finished)?,
            command,
        })?;
        folder.write(REPORT_FILE, report::render(&page)?)?;
        folder.write(HANDOUT_FILE, report::render(&HandoutPage::new(&parts)?)?)?;
        Ok(())
    }

    /// The inspections of each way that was tried: of the first seed, and of all.
    fn looked_into(&self) -> Result<Vec<LookedInto<'_>>, StudyError> {
        let of = |tried: &Tried| {
            let (way, finished) = (tried.way, &self.finished);
            Ok(LookedInto { way, first: first(finished, way)?, looked: looked(finished, way) })
        };
        self.tried.iter().map(of).collect()
    }

    /// What was changed in the images of the three sets when they were read.
    pub fn treated(&self) -> Treated {
        let swap = of_way(&self.finished, Way::Plain).find_map(|run| run.swap.as_ref());
        let mut all = Treated::on(self.leaks[0].report.treated.alpha_background);
        let leaks = self.leaks.iter().map(|leaks| &leaks.report.treated);
        leaks.chain(swap.map(|swap| &swap.treated)).for_each(|one| all.merge(one));
        all
    }

    /// The warnings of all runs.
    pub fn warnings(&self) -> impl Iterator<Item = &Warning> {
        self.finished.iter().flat_map(|run| &run.warnings)
    }
}

/// The three image sets of an experiment.
pub struct ExperimentSets {
    /// The background reveals the class.
    pub leaky: ImageSet,
    /// All images on the same background.
    pub clean: ImageSet,
    /// The leaky set with swapped backgrounds.
    pub swap: ImageSet,
}

impl ExperimentSets {
    /// Checks that an experiment can be made with these sets.
    ///
    /// # Errors
    /// If a set is not divided into training and test images or cannot be trained on, or the classes
    /// differ.
    pub fn new(leaky: ImageSet, clean: ImageSet, swap: ImageSet) -> Result<Self, StudyError> {
        for set in [&leaky, &clean] {
            if !matches!(set.folder.layout, Layout::Split(_)) {
                return Err(unfit(
                    &set.path,
                    "has no train/ and test/",
                    "give it both, so that all seeds are tested on the same images",
                ));
            }
            set.folder.ready_to_train()?;
        }
        if swap.folder.classes != leaky.folder.classes {
            let problem = format!(
                "has the classes {}, but {} has {}",
                swap.folder.classes.join(", "),
                leaky.name,
                leaky.folder.classes.join(", ")
            );
            return Err(unfit(&swap.path, &problem, "use folders of the same names in both"));
        }
        Ok(Self { leaky, clean, swap })
    }

    fn of(&self, arm: Arm) -> &ImageSet {
        match arm {
            Arm::Leaky => &self.leaky,
            Arm::Clean => &self.clean,
        }
    }
}

fn unfit(path: &Path, problem: &str, remedy: &str) -> StudyError {
    Error::file(path, problem.to_string(), remedy.to_string()).into()
}

/// The results kept of a finished run.
struct Finished {
    arm: Arm,
    way: Way,
    history: History,
    /// The layers of its network.
    model: Summary,
    /// Training and validation images.
    used: (usize, usize),
    /// The warnings of the run.
    warnings: Vec<Warning>,
    /// The baseline of its training curves: the accuracy of guessing.
    guessing: Guessing,
    /// The test images, in the order of their predictions.
    tested: Vec<PathBuf>,
    test: Inspection,
    /// The leaky model on the swapped set.
    swap: Option<Inspection>,
}

/// Makes one run, writes its folder and tests a leaky model on the swapped set, too.
fn make(
    planned: &PlannedRun,
    sets: &ExperimentSets,
    backbone: Option<&Backbone>,
    folder: &StagedFolder,
    stop: &AtomicBool,
    observer: &dyn Observer,
) -> Result<Finished, StudyError> {
    let (config, label) = (&planned.config, planned.label());
    let observer = &OneOfSeveral { observer, run: &label, stop };
    let backbone = backbone.filter(|_| config.backbone.is_some());
    let task = Task { config, set: sets.of(planned.arm), backbone };
    let run =
        Run::make(task, None, observer).map_err(|failure| failure.of(&format!("run {label}")))?;
    let own = folder.folder("runs")?.folder(&label)?;
    let evaluation = run.test.clone();
    let test = Inspection::make(
        &run.model,
        run.set,
        &run.data.test,
        evaluation,
        &own.folder(PICTURES)?,
        observer,
    )?;
    results::write(&own, &run, &test)?;
    let swap = match planned.arm {
        Arm::Leaky => {
            let own = folder.folder("swap")?.folder(&label)?;
            Some(swapped(&run, &sets.swap, &own, observer)?)
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
        way: planned.way,
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

/// The inspection of the run's model on the swapped set, written to `folder`.
fn swapped(
    run: &Run<'_>,
    set: &ImageSet,
    folder: &StagedFolder,
    observer: &dyn Observer,
) -> Result<Inspection, StudyError> {
    let config = run.config;
    let (_, samples) = set.test_samples()?;
    let images = images::load(samples, &set.folder.classes, Reading::of(config), observer)?;
    let (loss, batch) = (config.fit.loss, config.fit.batch_size);
    let evaluation: Evaluation =
        evaluate(&run.model, loss, &Interruptible { images: &images, observer }, batch)?
            .try_into()?;
    folder.write("predictions.csv", results::predictions(set, &images, &evaluation)?)?;
    let pictures = folder.folder(PICTURES)?;
    Inspection::make(&run.model, set, &images, evaluation, &pictures, observer)
}

/// The plain runs of an arm.
fn of_arm(finished: &[Finished], arm: Arm) -> impl Iterator<Item = &Finished> {
    of_way(finished, Way::Plain).filter(move |run| run.arm == arm)
}

fn of_way(finished: &[Finished], way: Way) -> impl Iterator<Item = &Finished> {
    finished.iter().filter(move |run| run.way == way)
}

fn compare(finished: &[Finished], way: Way) -> Comparison {
    let own = |arm| {
        let runs = of_way(finished, way).filter(|run| run.arm == arm);
        runs.map(|run| run.test.evaluation.clone()).collect()
    };
    let swap = of_way(finished, way).filter_map(|run| run.swap.as_ref());
    let swap: Vec<Evaluation> = swap.map(|swap| swap.evaluation.clone()).collect();
    Comparison {
        leaky: Measured::new(own(Arm::Leaky)),
        swap: Measured::new(swap),
        clean: Measured::new(own(Arm::Clean)),
    }
}

/// Audits the set of an arm, with the split of the first seed.
fn leaks(
    finished: &[Finished],
    arm: Arm,
    measured: &Measured,
    sets: &ExperimentSets,
    plan: &Plan,
    observer: &dyn Observer,
) -> Result<Leaks, StudyError> {
    let tested = of_arm(finished, arm).next().map_or(&[][..], |run| &run.tested);
    let divided = (plan.config().validation_split, plan.seeds[0]);
    let background = plan.config().alpha_background;
    Leaks::find(sets.of(arm), divided, background, measured, tested, observer)
}

/// The heat on the background for the three measurements of a way, over all seeds.
fn background(finished: &[Finished], way: Way) -> [MeanShare; 3] {
    let mean = |inspections: Vec<&Inspection>| {
        let classes = inspections.first().map_or(&[][..], |first| &first.classes);
        let images = inspections.iter().flat_map(|inspection| &inspection.images);
        MeanShare::of(images.map(Inspected::share), classes)
    };
    looked(finished, way).map(mean)
}

/// The inspections of all seeds: for the three measurements of a way in their order.
fn looked(finished: &[Finished], way: Way) -> [Vec<&Inspection>; 3] {
    let own =
        |arm| of_way(finished, way).filter(|run| run.arm == arm).map(|run| &run.test).collect();
    let swap = of_way(finished, way).filter_map(|run| run.swap.as_ref()).collect();
    [own(Arm::Leaky), swap, own(Arm::Clean)]
}

/// The inspections of the first seed: for the three measurements of a way in their order.
fn first(finished: &[Finished], way: Way) -> Result<[&Inspection; 3], StudyError> {
    match looked(finished, way).map(|seeds| seeds.first().copied()) {
        [Some(leaky), Some(swap), Some(clean)] => Ok([leaky, swap, clean]),
        _ => Err(StudyError::failed("an experiment without runs has nothing to show")),
    }
}

/// The layers of the network, which is the same in all runs.
fn model(finished: &[Finished]) -> Result<Summary, StudyError> {
    let first = finished.first().map(|run| run.model.clone());
    first.ok_or_else(|| StudyError::failed("an experiment without runs has nothing to show"))
}

/// The numbers of training and validation images of an arm.
fn used(finished: &[Finished], arm: Arm) -> Option<(usize, usize)> {
    of_arm(finished, arm).next().map(|run| run.used)
}

/// The training curves of an arm's runs, and the accuracy of guessing.
fn curves(
    finished: &[Finished],
    arm: Arm,
    sets: &ExperimentSets,
    plan: &Plan,
) -> (CurvesSpec, Guessing) {
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
        synthetic: set.kind == Kind::StandIn,
        ..figures::curves_of(&histories, &guessing)
    };
    (spec, guessing)
}

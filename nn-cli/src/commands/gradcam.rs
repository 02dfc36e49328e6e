//! `nn-cli gradcam`: heat maps that show where in images a model looks.

mod look;
mod pages;
mod tensor;

use self::look::{Explained, Look};
use self::pages::Pages;
use crate::args::{AlignName, GradcamArgs, MethodName};
use crate::failure::Failure;
use crate::hints;
use crate::images;
use crate::interrupt;
use crate::model::Classifier;
use crate::ui::{Console, Counter, table};
use nn_core::Tensor;
use nn_core::explain::{
    Cam, CamRule, Explainer, Explanation, GradCam, HiResCam, Occlusion, Randomization,
    RandomizationCheck, RandomizationStep, Target, layers_with_maps, randomization_check,
};
use nn_core::model::Sequential;
use nn_staging::{FileNames, Policy, Stage};
use nn_study::Observer;
use nn_study::format;
use nn_study::inspection::not_counted;
use nn_study::run_folder::ELSEWHERE;
use rayon::prelude::*;
use std::collections::BTreeMap;

pub fn run(args: &GradcamArgs, console: &Console) -> Result<(), Failure> {
    if let Some(path) = &args.tensor.tensor {
        return tensor::run(path, args, console);
    }
    let classifier = Classifier::load(&args.model, None, console)?;
    let target = target(args, &classifier.classes)?;
    let method = Method::of(args, &classifier)?;
    let sources = images::find(&args.images, &args.from, console)?;
    let files = &sources.files;
    let policy = Policy::AddFiles { overwrite: args.overwrite };
    let stage = Stage::open(&args.out, policy, ELSEWHERE)?;
    let mut names = FileNames::default();
    let mut pages = Pages::new(&method, args);
    let (mut explained, mut treated) = (Vec::new(), classifier.treated());
    let counter = Counter::items(console, "explaining", files.len() as u64, "images");
    for files in files.chunks(images::BATCH) {
        interrupt::check()?;
        let read = images::read(files, classifier.reading(args.from.skip_unreadable), console)?;
        if let Some(batch) = read {
            batch.treatments.iter().for_each(|treatment| treated.add(treatment));
            let targets = vec![target; batch.files.len()];
            let found = method.explainer.explain(&classifier.model, &batch.pixels, &targets)?;
            let check = || against_random(&method, &classifier, &batch.pixels, &found);
            let checked = args.check.then(check).transpose()?;
            let looked: Vec<_> = (found.into_iter().zip(batch.images))
                .zip(batch.files)
                .collect::<Vec<_>>()
                .into_par_iter()
                .map(|((found, image), file)| {
                    let (height, width) = classifier.image_size();
                    let image = classifier.resize.seen(image, height, width)?;
                    let found = found.aligned(args.align.into());
                    Look::at(found, image, (file, &sources), &classifier, &method)
                })
                .collect::<Result<_, Failure>>()?;
            for (i, look) in looked.into_iter().enumerate() {
                let mut one = look.write(args.raw, &method, &stage, &mut names)?;
                one.treatment = batch.treatments[i];
                one.random_weights_correlation = checked.as_ref().map(|checked| checked[i]);
                explained.push(one);
                pages.add(look, &stage)?;
            }
        }
        counter.add(files.len() as u64);
    }
    drop(counter);
    console.treated(&treated);
    if explained.is_empty() {
        return Err(images::none_readable(files.len()));
    }
    let grids = pages.finish(&stage)?;
    stage.commit()?;

    console.text(&table(&explained, console.columns()))?;
    if args.check {
        tell_check(&explained, console)?;
    }
    if let Some(grid) = grids.first() {
        console.note(&format!("all on one page: {grid}"));
    }
    match &explained[..] {
        [only] => console.note(&format!("written to {}", only.overlay)),
        all => {
            let pictures = format::plural(all.len() as u64, "picture");
            console.note(&format!("{pictures} written to {}", args.out.display()));
        }
    }
    console.json(&explained)?;
    Ok(())
}

/// The class to explain.
fn target(args: &GradcamArgs, classes: &[String]) -> Result<Target, Failure> {
    args.class.as_deref().map_or(Ok(Target::Predicted), |name| class(name, classes))
}

/// The class of this name.
fn class(name: &str, classes: &[String]) -> Result<Target, Failure> {
    match classes.iter().position(|class| class == name) {
        Some(class) => Ok(Target::Class(class)),
        None => Err(Failure::usage(format!(
            "--class {name}: the model knows no such class, but {}{}",
            hints::some_of(classes),
            hints::did_you_mean(name, classes.iter().map(String::as_str)),
        ))),
    }
}

/// The rank correlation of each map of a batch with that of a network with random weights.
fn against_random(
    method: &Method,
    classifier: &Classifier,
    pixels: &Tensor,
    found: &[Explanation],
) -> Result<Vec<Option<f64>>, Failure> {
    let how = Randomization::Full;
    let (explainer, model) = (&*method.explainer, &classifier.model);
    let check = randomization_check(explainer, model, pixels, found, how, CHECK_SEED)?;
    let last = check.steps.into_iter().next_back();
    Ok(last.map_or_else(|| vec![None; found.len()], |step| step.correlations))
}

/// The seed of the random weights for `--check`.
const CHECK_SEED: u64 = 1;

/// Reports whether the maps depend on the model.
fn tell_check(explained: &[Explained], console: &Console) -> Result<(), Failure> {
    let correlations = explained.iter().map(|one| one.random_weights_correlation.flatten());
    let step = RandomizationStep { layer: String::new(), correlations: correlations.collect() };
    let check = RandomizationCheck { steps: vec![step] };
    let Some(mean) = check.correlation() else {
        console.warn("all maps are flat: comparing them with those of random weights says nothing");
        return Ok(());
    };
    let found = format!("with random weights, mean rank correlation {mean:.2} (1: the same maps)");
    if check.depends_on_model() == Some(false) {
        console.warn(&format!(
            "the maps hardly change {found}; they do not show what the model learned"
        ));
        return Ok(());
    }
    Ok(console.text(&format!("the maps change {found}\n"))?)
}

/// Checks that the network has a layer `name` with maps.
fn known_layer(name: &str, model: &Sequential) -> Result<(), Failure> {
    let usable = layers_with_maps(model);
    if usable.contains(&name) {
        return Ok(());
    }
    let problem = match model.layers().any(|(layer, _)| layer == name) {
        true => "has no maps, which Grad-CAM needs; these have",
        false => "is no layer of this model; there are",
    };
    let meant = hints::did_you_mean(name, usable.iter().copied());
    let usable: Vec<String> = usable.into_iter().map(String::from).collect();
    let listed = hints::some_of(&usable);
    Err(Failure::usage(format!("--layer {name} {problem} {listed}{meant}")))
}

/// The method for heat maps and its names.
struct Method {
    explainer: Box<dyn Explainer + Sync>,
    name: &'static str,
    layer: Option<String>,
    align: AlignName,
}

impl Method {
    fn of(args: &GradcamArgs, classifier: &Classifier) -> Result<Self, Failure> {
        if args.method == MethodName::Occlusion && args.layer.is_some() {
            return Err(Failure::usage(
                "--layer goes with grad-cam and hirescam; occlusion looks at no layer, so leave it \
                 away",
            ));
        }
        let asked = args.layer.as_deref().map(|name| classifier.layer(name));
        if let Some(name) = asked {
            known_layer(name, &classifier.model)?;
        }
        let layer = asked.or(classifier.model.last_feature_map());
        let explainer: Box<dyn Explainer + Sync> = match args.method {
            MethodName::GradCam => Box::new(cam(GradCam, asked)),
            MethodName::HiResCam => Box::new(cam(HiResCam, asked)),
            MethodName::Occlusion => Box::new(Occlusion::new().go_on(interrupt::flow)),
        };
        let has_layer = args.method != MethodName::Occlusion;
        let layer = layer.filter(|_| has_layer).map(String::from);
        Ok(Self { name: explainer.name(), explainer, layer, align: args.align })
    }

    /// `Grad-CAM at conv3`.
    fn describe(&self) -> String {
        match &self.layer {
            Some(layer) => format!("{} at {layer}", self.name),
            None => self.name.to_string(),
        }
    }
}

fn cam<R: CamRule>(rule: R, layer: Option<&str>) -> Cam<R> {
    match layer {
        Some(layer) => Cam::new(rule).layer(layer),
        None => Cam::new(rule),
    }
}

/// The table for people.
fn table(all: &[Explained], most: Option<usize>) -> String {
    let header = ["image", "class", "probability", "heat on background", "background"];
    let share = |share: Option<f64>| share.map_or("–".to_string(), format::percent);
    let rows = all.iter().map(|one| {
        vec![
            one.file.clone(),
            one.class.clone(),
            format::percent(one.probability),
            share(one.background_share),
            share(one.background_area),
        ]
    });
    let mut text = table::columns_within(most, &header.map(String::from), rows, 2);
    let told: Vec<_> =
        all.iter().filter_map(|one| Some((one.background_share?, one.background_area?))).collect();
    if told.len() > 1 {
        let mean = |values: &dyn Fn(&(f64, f64)) -> f64| {
            format::percent(told.iter().map(values).sum::<f64>() / told.len() as f64)
        };
        text += &format!(
            "\n\non average over {}, {} of the heat lies on the background, which is {} of \
             the picture\n",
            format::plural(told.len() as u64, "image"),
            mean(&|one| one.0),
            mean(&|one| one.1),
        );
    }
    let mut without = BTreeMap::new();
    for reason in all.iter().filter_map(|one| one.no_share) {
        *without.entry(reason).or_default() += 1;
    }
    if !without.is_empty() {
        text += &format!("\n{}{}\n", if told.len() > 1 { "" } else { "\n" }, not_counted(&without));
    }
    text
}

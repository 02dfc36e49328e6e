//! `nn-cli gradcam`: where in images a model looks.

use super::images;
use super::model::Classifier;
use crate::args::{GradcamArgs, MethodName};
use crate::failure::Failure;
use crate::interrupt;
use crate::npy;
use crate::out_folder::OutFolder;
use crate::overlays::{self, GRID_MOST, Shown};
use crate::stand_in::Marker;
use crate::ui::{Console, Counter, format, table};
use image::RgbImage;
use image::codecs::png::PngEncoder;
use nn_core::data::{ForegroundRule, Rgb8, foreground};
use nn_core::explain::{
    BackgroundHeat, Cam, CamRule, Explainer, Explanation, GradCam, HiResCam, Occlusion,
    Randomization, RandomizationCheck, RandomizationStep, Target, randomization_check,
};
use nn_core::{Error, Tensor};
use rayon::prelude::*;
use serde::Serialize;
use std::path::Path;

/// One image's heat map, as `--json` shows it.
#[derive(Serialize)]
struct Explained {
    file: String,
    /// The class that is explained.
    class: String,
    /// Its logit.
    score: f64,
    probability: f64,
    predicted: String,
    /// The picture that was written.
    overlay: String,
    /// The share of the heat on the background; none if there is no heat or no telling.
    background_share: Option<f64>,
    /// The share of the picture that is background.
    background_area: Option<f64>,
    /// How the background was found.
    mask: ForegroundRule,
    method: &'static str,
    layer: Option<String>,
    /// With `--raw`: the map as computed, and as shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    full: Option<String>,
    /// With `--check`: the rank correlation of the map with that of random weights; none if the map
    /// is flat.
    #[serde(skip_serializing_if = "Option::is_none")]
    random_weights_correlation: Option<Option<f64>>,
}

pub fn run(args: &GradcamArgs, console: &Console) -> Result<(), Failure> {
    let classifier = Classifier::load(&args.model, None)?;
    let target = target(args, &classifier.classes)?;
    let method = Method::of(args, &classifier)?;
    let files = images::find(&args.images)?;
    let mut out = OutFolder::begin(&args.out, args.overwrite)?;
    let mut pages = Pages::new(&method, args);
    let mut explained = Vec::new();
    let counter = Counter::items(console, "explaining", files.len() as u64, "images");
    for files in files.chunks(images::BATCH) {
        interrupt::check()?;
        let read = images::read(files, classifier.image_size(), args.skip_unreadable, console)?;
        if let Some(batch) = read {
            let targets = vec![target; batch.files.len()];
            let found = method.explainer.explain(&classifier.model, &batch.pixels, &targets)?;
            let looked: Vec<_> = (found.into_iter().zip(batch.images))
                .zip(batch.files)
                .collect::<Vec<_>>()
                .into_par_iter()
                .map(|((found, image), file)| Look::at(found, image, file, &classifier, &method))
                .collect::<Result<_, Failure>>()?;
            for look in looked {
                explained.push(look.write(args.raw, &method, &mut out)?);
                pages.add(look, &mut out)?;
            }
            if args.check {
                let checked = against_random(&method, &classifier, &batch.pixels, &targets)?;
                let latest = explained.len() - checked.len();
                for (one, correlation) in explained[latest..].iter_mut().zip(checked) {
                    one.random_weights_correlation = Some(correlation);
                }
            }
        }
        counter.add(files.len() as u64);
    }
    drop(counter);
    if explained.is_empty() {
        return Err(images::none_readable(files.len()));
    }
    let grids = pages.finish(&mut out)?;
    out.finish()?;

    console.text(&table(&explained))?;
    if args.check {
        tell_check(&explained, console)?;
    }
    if let Some(grid) = grids.first() {
        console.note(&format!("all on one page: {grid}"));
    }
    console.json(&explained)?;
    Ok(())
}

/// The class asked for.
fn target(args: &GradcamArgs, classes: &[String]) -> Result<Target, Failure> {
    let Some(name) = &args.class else { return Ok(Target::Predicted) };
    match classes.iter().position(|class| class == name) {
        Some(class) => Ok(Target::Class(class)),
        None => Err(Error::setting(
            "--class",
            format!("one of {}", classes.join(", ")),
            name,
            "choose a class of the model, or leave it away for the predicted one",
        )
        .into()),
    }
}

/// How far each map of a batch resembles that of a network with random weights.
fn against_random(
    method: &Method,
    classifier: &Classifier,
    pixels: &Tensor,
    targets: &[Target],
) -> Result<Vec<Option<f64>>, Failure> {
    let how = Randomization::Full;
    let (explainer, model) = (&*method.explainer, &classifier.model);
    let check = randomization_check(explainer, model, pixels, targets, how, CHECK_SEED)?;
    let last = check.steps.into_iter().next_back();
    Ok(last.map_or_else(|| vec![None; targets.len()], |step| step.correlations))
}

/// Decides the random weights of `--check`.
const CHECK_SEED: u64 = 1;

/// Says whether the maps depend on the model.
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

/// How heat is found, and what that is called.
struct Method {
    explainer: Box<dyn Explainer + Sync>,
    name: &'static str,
    layer: Option<String>,
}

impl Method {
    fn of(args: &GradcamArgs, classifier: &Classifier) -> Result<Self, Failure> {
        if args.method == MethodName::Occlusion && args.layer.is_some() {
            return Err(Failure::usage(
                "--layer goes with grad-cam and hirescam; occlusion looks at no layer, so leave it \
                 away",
            ));
        }
        let layer = args.layer.as_deref().or(classifier.model.last_convolution());
        let explainer: Box<dyn Explainer + Sync> = match args.method {
            MethodName::GradCam => Box::new(cam(GradCam, args)),
            MethodName::HiResCam => Box::new(cam(HiResCam, args)),
            MethodName::Occlusion => Box::new(Occlusion::new().go_on(interrupt::flow)),
        };
        let has_layer = args.method != MethodName::Occlusion;
        let layer = layer.filter(|_| has_layer).map(String::from);
        Ok(Self { name: explainer.name(), explainer, layer })
    }

    /// `Grad-CAM at conv3`.
    fn describe(&self) -> String {
        match &self.layer {
            Some(layer) => format!("{} at {layer}", self.name),
            None => self.name.to_string(),
        }
    }
}

fn cam<R: CamRule>(rule: R, args: &GradcamArgs) -> Cam<R> {
    match &args.layer {
        Some(layer) => Cam::new(rule).layer(layer),
        None => Cam::new(rule),
    }
}

/// What is known of one image.
struct Look {
    found: Explanation,
    /// A small version for the page of all.
    thumbnail: RgbImage,
    file: String,
    /// The file's name after that of its folder.
    short: String,
    stem: String,
    class: String,
    predicted: String,
    background: Option<BackgroundHeat>,
    rule: ForegroundRule,
    /// The class with its probability.
    answer: String,
    stand_in: bool,
    /// The picture, encoded.
    png: Vec<u8>,
}

impl Look {
    fn at(
        found: Explanation,
        image: Rgb8,
        file: &Path,
        classifier: &Classifier,
        method: &Method,
    ) -> Result<Self, Failure> {
        let subject = foreground(&image);
        let background = found.on_background(&subject)?;
        let class = classifier.classes[found.class].clone();
        let predicted = classifier.classes[found.predicted].clone();
        let named = |class: usize| {
            let name = format::class_name(&classifier.classes[class]);
            format!("{name} {}", format::percent(found.outputs[class]))
        };
        let mut answer = named(found.class);
        if found.class != found.predicted {
            answer += &format!(" · predicted: {}", named(found.predicted));
        }
        let heat = match background {
            Some(BackgroundHeat { heat, area, .. }) => format!(
                "{} of the heat on the background, which is {} of the picture",
                format::percent(heat),
                format::percent(area)
            ),
            None if found.map.as_slice().iter().all(|&v| v == 0.0) => {
                "nothing in the image speaks for this class".into()
            }
            None => "no telling subject from background".into(),
        };
        let image = rgb_image(image)?;
        let file_name = file.display().to_string();
        let stand_in = is_stand_in(file);
        let picture = overlays::side_by_side(&Shown {
            image: &image,
            heat: &found.normalized(),
            title: &file_name,
            answer: &answer,
            note: &format!("{} · {heat}", method.describe()),
            stand_in,
        })?;
        Ok(Self {
            thumbnail: overlays::fitted(&image, THUMBNAIL),
            stem: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            short: short_name(file),
            file: file_name,
            class,
            predicted,
            background,
            rule: subject.rule,
            answer,
            stand_in,
            png: encode(&picture)?,
            found,
        })
    }

    /// Writes the picture, and with `raw` the maps.
    fn write(&self, raw: bool, method: &Method, out: &mut OutFolder) -> Result<Explained, Failure> {
        let name = out.reserve(&self.stem, &self.class);
        let mut write = |ending: &str, content: &[u8]| -> Result<String, Failure> {
            let name = format!("{name}.{ending}");
            let path = out.path(&name).display().to_string();
            out.write(name, content)?;
            Ok(path)
        };
        let overlay = write("png", &self.png)?;
        let maps = if raw {
            let map = write("npy", &npy::encode(&self.found.map))?;
            (Some(map), Some(write("full.npy", &npy::encode(&self.found.normalized()))?))
        } else {
            (None, None)
        };
        Ok(Explained {
            file: self.file.clone(),
            class: self.class.clone(),
            score: self.found.score,
            probability: self.found.outputs[self.found.class],
            predicted: self.predicted.clone(),
            overlay,
            background_share: self.background.map(|on| on.heat),
            background_area: self.background.map(|on| on.area),
            mask: self.rule,
            method: method.name,
            layer: method.layer.clone(),
            raw: maps.0,
            full: maps.1,
            random_weights_correlation: None,
        })
    }
}

/// The longer side of the images kept for a page, in pixels.
const THUMBNAIL: f64 = 240.0;

/// Pages with many overlays, written as they fill up.
struct Pages {
    title: String,
    model: String,
    waiting: Vec<Look>,
    seen: usize,
    written: Vec<String>,
}

impl Pages {
    fn new(method: &Method, args: &GradcamArgs) -> Self {
        let (title, model) = (method.describe(), args.model.model.display().to_string());
        Self { title, model, waiting: Vec::new(), seen: 0, written: Vec::new() }
    }

    fn add(&mut self, look: Look, out: &mut OutFolder) -> Result<(), Failure> {
        self.waiting.push(Look { png: Vec::new(), ..look });
        self.seen += 1;
        if self.waiting.len() == GRID_MOST { self.write(out) } else { Ok(()) }
    }

    /// Writes the last page, and says where all are; there is none of a single image.
    fn finish(mut self, out: &mut OutFolder) -> Result<Vec<String>, Failure> {
        if self.seen > 1 && !self.waiting.is_empty() {
            self.write(out)?;
        }
        Ok(self.written)
    }

    fn write(&mut self, out: &mut OutFolder) -> Result<(), Failure> {
        let heats: Vec<_> = self.waiting.iter().map(|look| look.found.normalized()).collect();
        let notes = heats.iter().zip(&self.waiting);
        let shown: Vec<_> = notes
            .map(|(heat, look)| Shown {
                image: &look.thumbnail,
                heat,
                title: &look.short,
                answer: &look.answer,
                note: "",
                stand_in: look.stand_in,
            })
            .collect();
        let first = self.seen - shown.len() + 1;
        let note = format!("model {} · images {first} to {}", self.model, self.seen);
        let page = encode(&overlays::grid(&self.title, &note, &shown)?)?;
        let name = match self.written.len() {
            0 => "grid.png".to_string(),
            pages => format!("grid-{}.png", pages + 1),
        };
        self.written.push(out.path(&name).display().to_string());
        out.write(name, &page)?;
        self.waiting.clear();
        Ok(())
    }
}

/// What people read.
fn table(all: &[Explained]) -> String {
    let header = ["image", "class", "probability", "heat on background", "background", "picture"];
    let share = |share: Option<f64>| share.map_or("–".to_string(), format::percent);
    let rows = all.iter().map(|one| {
        vec![
            one.file.clone(),
            one.class.clone(),
            format::percent(one.probability),
            share(one.background_share),
            share(one.background_area),
            one.overlay.clone(),
        ]
    });
    let mut text = table::columns(&header.map(String::from), rows);
    let told: Vec<_> =
        all.iter().filter_map(|one| Some((one.background_share?, one.background_area?))).collect();
    if told.len() > 1 {
        let mean = |values: &dyn Fn(&(f64, f64)) -> f64| {
            format::percent(told.iter().map(values).sum::<f64>() / told.len() as f64)
        };
        text += &format!(
            "\n\non average over {}, {} of the heat lies on the background, which is {} of the \
             picture\n",
            format::plural(told.len() as u64, "image"),
            mean(&|one| one.0),
            mean(&|one| one.1),
        );
    }
    text
}

fn rgb_image(image: Rgb8) -> Result<RgbImage, Failure> {
    let (width, height) = (image.width() as u32, image.height() as u32);
    RgbImage::from_raw(width, height, image.pixels().to_vec())
        .ok_or_else(|| Failure::failed("an image has another size than it says"))
}

fn encode(image: &RgbImage) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    image.write_with_encoder(PngEncoder::new(&mut bytes)).map_err(Failure::failed)?;
    Ok(bytes)
}

/// `husky/husky_1.jpeg`
fn short_name(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name).map(Path::new);
    let name = file.file_name().unwrap_or_default();
    folder.unwrap_or(Path::new("")).join(name).display().to_string()
}

/// Whether a file lies in a set that the stand-in drew: in `SET`, `SET/CLASS` or `SET/test/CLASS`.
fn is_stand_in(file: &Path) -> bool {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    file.ancestors().skip(1).take(3).any(|dir| matches!(Marker::read(dir), Ok(Some(_))))
}

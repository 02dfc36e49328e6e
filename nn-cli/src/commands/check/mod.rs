//! `nn-cli model check`: tries the usual ways to bring pixels to a model, and says which fits.

mod candidates;
mod matching;
mod ranking;
mod shown;

use self::candidates::Candidate;
use self::matching::Matching;
use self::ranking::{Score, ranked};
use crate::args::CheckArgs;
use crate::datasets;
use crate::failure::Failure;
use crate::model::preprocessing::{Prepared, bare};
use crate::model::settings::Settings;
use crate::model::{self, Opened};
use crate::reading;
use crate::ui::{Console, Counter};
use nn_core::Error;
use nn_core::data::{Dataset, Resize, Sample};
use nn_core::files::write_atomically;
use nn_core::train::evaluate;
use nn_study::images::{self, BATCH, Reading};
use nn_study::network::loss_for;
use nn_study::observer::Interruptible;
use nn_study::{Evaluation, ImageSet, Observer, format};
use std::path::{Path, PathBuf};

pub fn run(args: &CheckArgs, console: &Console) -> Result<(), Failure> {
    let (opened, settings) = model::opened(&args.model, &args.elsewhere(), console)?;
    let target = args.write.then(|| target(&opened.path, args.overwrite)).transpose()?;
    let set = datasets::find(&args.data, args.images.root(), &args.labels, console)?;
    reading::tell(&set.folder, None, console);
    let classes = classes(&opened, &settings, &set, console)?;
    let matching = Matching::new(&set.folder.classes, &classes, &args.map)?;
    let samples = samples(&set, &matching, args.most_images);
    if samples.is_empty() {
        return Err(Failure::usage(format!(
            "no image in {} has a class ({}): give it class folders, or a table with --labels",
            set.name,
            set.folder.arrangement()
        )));
    }
    for line in matching.told(&set.folder.classes, &classes) {
        console.note(&format!("folder {line}"));
    }

    let mut candidates = Candidate::usual(&bare(&opened));
    if let Ok(prepared) = Prepared::of(&opened, &settings) {
        add_known(&mut candidates, prepared);
    }
    if candidates.is_empty() {
        return Err(Failure::failed(
            "no usual way of scaling pixels fits this network's channels; say how with --mean, --std and --scale",
        ));
    }
    let trial = Trial { opened: &opened, classes: &classes, matching: &matching, args, console };
    let (scores, images) = trial.scores(&candidates, &samples)?;
    let order = ranked(&scores);
    let best = &scores[order[0]];
    let near: Vec<usize> =
        order[1..].iter().copied().filter(|&i| !scores[i].is_worse(best)).collect();
    let found = shown::Found {
        set: &set,
        model: &opened.path,
        classes: &classes,
        matching: &matching,
        candidates: &candidates,
        scores: &scores,
        order: &order,
        near: &near,
        images,
        chance: matching.is_any().then(|| chance(&samples, &matching, classes.len())),
    };
    found.print(console)?;
    let written = match &target {
        None => None,
        Some(path) => Some(write(&found, path, args, console)?),
    };
    Ok(console.json(&found.report(written.as_deref()))?)
}

/// The classes of the model: as it or the command line names them, or else as the folders are called.
fn classes(
    opened: &Opened,
    settings: &Settings,
    set: &ImageSet,
    console: &Console,
) -> Result<Vec<String>, Failure> {
    let outputs = model::class_count(&opened.model);
    let named = model::class_names(opened, settings)?;
    Ok(named.unwrap_or_else(|| {
        let folders = &set.folder.classes;
        if folders.len() == outputs {
            console.note(
                "classes: the folders' names in alphabetical order, as the model names none; say others with --classes",
            );
            return folders.clone();
        }
        (0..outputs).map(|class| class.to_string()).collect()
    }))
}

/// So many images, spread over the folders that stand for classes, or over all if none does.
fn samples(set: &ImageSet, matching: &Matching, most: usize) -> Vec<Sample> {
    let mut samples = set.folder.samples();
    samples.retain(|sample| !matching.is_any() || !matching.classes[sample.label].is_empty());
    samples.sort_by_key(|sample| sample.label);
    let (all, n) = (samples.len(), samples.len().min(most));
    (0..n).map(|i| samples[i * all / n].clone()).collect()
}

/// The accuracy of answers that have nothing to do with the images: each class as often.
fn chance(samples: &[Sample], matching: &Matching, classes: usize) -> f64 {
    let right = |sample: &Sample| matching.classes[sample.label].len() as f64 / classes as f64;
    samples.iter().map(right).sum::<f64>() / samples.len() as f64
}

/// Adds what is said of the model already, unless it is one of the usual ways.
fn add_known(candidates: &mut Vec<Candidate>, prepared: Prepared) {
    let Prepared { model, resize, preprocessing, .. } = prepared;
    let is_usual = preprocessing.as_ref().is_some_and(|known| {
        candidates.iter().any(|candidate| {
            candidate.resize == resize && candidate.preprocessing().as_ref() == Some(known)
        })
    });
    if !is_usual {
        candidates.push(Candidate { preset: None, bgr: false, resize, model });
    }
}

/// What all ways have in common.
struct Trial<'a> {
    opened: &'a Opened,
    classes: &'a [String],
    matching: &'a Matching,
    args: &'a CheckArgs,
    console: &'a Console,
}

impl Trial<'_> {
    /// How well each way fits, and on how many images.
    fn scores(
        &self,
        candidates: &[Candidate],
        samples: &[Sample],
    ) -> Result<(Vec<Score>, usize), Failure> {
        let mut scores: Vec<Option<Score>> = candidates.iter().map(|_| None).collect();
        let mut images = 0;
        while let Some(first) = scores.iter().position(Option::is_none) {
            // Images are resized once for all that take them so.
            let resize = candidates[first].resize;
            let dataset = self.images(resize, samples, first == 0)?;
            images = dataset.len();
            let ways: Vec<usize> =
                (first..scores.len()).filter(|&i| candidates[i].resize == resize).collect();
            let counter =
                Counter::items(self.console, &resize.to_string(), ways.len() as u64, "ways");
            for way in ways {
                scores[way] = Some(self.score(&candidates[way], &dataset, samples)?);
                counter.add(1);
            }
        }
        Ok((scores.into_iter().flatten().collect(), images))
    }

    fn images(&self, resize: Resize, samples: &[Sample], tells: bool) -> Result<Dataset, Failure> {
        let reading = Reading {
            size: model::image_size(&self.opened.model),
            channels: model::channels(&self.opened.model).unwrap_or_default(),
            resize,
            alpha_background: self.opened.alpha_background()?.unwrap_or_default(),
            skip_unreadable: self.args.images.skip_unreadable,
        };
        // Which class is right is asked later: a folder may stand for several.
        let unlabelled = |sample: &Sample| Sample { path: sample.path.clone(), label: 0 };
        let samples = samples.iter().map(unlabelled).collect();
        let dataset = images::load(samples, self.classes, reading, self.console)?;
        if tells {
            self.console.treated(dataset.treated());
        }
        Ok(dataset)
    }

    fn score(
        &self,
        candidate: &Candidate,
        dataset: &Dataset,
        samples: &[Sample],
    ) -> Result<Score, Failure> {
        let loss = loss_for(candidate.model.output_kind());
        let images = Interruptible { images: dataset, observer: self.console };
        let found: Evaluation = evaluate(&candidate.model, loss, &images, BATCH)?.try_into()?;
        let rows = &found.probabilities;
        if !self.matching.is_any() {
            return Ok(Score::unlabelled(rows));
        }
        // Images that cannot be read may have been left out.
        let label = |path: &Path| samples.iter().find(|sample| sample.path == path);
        let right = dataset.samples().iter().filter_map(|sample| label(&sample.path));
        let right: Vec<&[usize]> =
            right.map(|sample| &self.matching.classes[sample.label][..]).collect();
        Ok(Score::labelled(rows, &right))
    }
}

/// The file that `--write` writes.
///
/// # Errors
/// If one is there that must not be replaced.
fn target(model: &Path, overwrite: bool) -> Result<PathBuf, Failure> {
    let [toml, json] = ["toml", "json"].map(|ending| model.with_extension(ending));
    let there = [&json, &toml].into_iter().find(|path| path.exists());
    match there {
        Some(path) if path == &json || !overwrite => {
            let remedy = if path == &json {
                "remove it, or add the options to it"
            } else {
                "replace it with --overwrite"
            };
            Err(Failure::usage(Error::file(path, "exists already", remedy)))
        }
        _ => Ok(toml),
    }
}

/// Writes the best way beside the model.
///
/// # Errors
/// If nothing fits, or the file cannot be written.
fn write(
    found: &shown::Found<'_>,
    path: &Path,
    args: &CheckArgs,
    console: &Console,
) -> Result<PathBuf, Failure> {
    let best = found.best();
    let (Some(preset), true) = (best.preset, found.fits()) else {
        let why = match found.fits() {
            true => "what is said of the model already fits best",
            false => "nothing fits",
        };
        return Err(Failure::failed(format!("nothing written to {}: {why}", path.display())));
    };
    let mut text = format!("# Found by nn-cli model check: {}.\n", found.evidence());
    let mut line = |key: &str, value: String| text += &format!("{key} = {value}\n");
    let quoted = |text: &str| toml::Value::from(text).to_string();
    line("preset", quoted(preset));
    line("channels", quoted(best.channels()));
    line("resize", quoted(best.resize.mode.name()));
    line("interpolation", quoted(best.resize.resampling.name()));
    if let Some(size) = args.input_size {
        line("input_size", format!("[{}, {}]", size.height, size.width));
    }
    if let Some(names) = &args.classes {
        let [names, path] = [names.as_path(), path].map(std::path::absolute);
        let names = names.map_err(Error::io("find", &args.model))?;
        let folder = path.map_err(Error::io("find", &args.model))?;
        // A path is seen from the file.
        let below = folder.parent().and_then(|folder| names.strip_prefix(folder).ok());
        let names = below.unwrap_or(&names).to_path_buf();
        line("classes", quoted(&names.to_string_lossy()));
    }
    write_atomically(path, |file| file.write_all(text.as_bytes()))?;
    console.note(&format!("written to {}", path.display()));
    Ok(path.to_path_buf())
}

impl shown::Found<'_> {
    /// In how far the best way is known, in one line.
    fn evidence(&self) -> String {
        let score = &self.scores[self.order[0]];
        let images = format::plural(self.images as u64, "image");
        let others = match self.near.len() {
            0 => String::new(),
            several => format!("; {several} other ways could not be told from it"),
        };
        match score.accuracy() {
            Some((accuracy, _)) => {
                format!("accuracy {} on {images}{others}", format::percent(accuracy))
            }
            None => format!("by {images} without known classes, which is weak evidence{others}"),
        }
    }
}

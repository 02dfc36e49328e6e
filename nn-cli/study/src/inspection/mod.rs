//! A look into a model: its answers to a set of images, and where in these images the heat lies.

mod heat;
mod pictures;

pub use heat::{ImageShare, MeanShare, View, no_share, not_counted};

use crate::ImageSet;
use crate::Kind;
use crate::Observer;
use crate::StudyError;
use crate::picture;
use image::RgbImage;
use nn_core::data::{Dataset, Foreground, Sample, Treated, decode_file_on, foreground};
use nn_core::explain::Explanation;
use nn_core::model::Sequential;
use nn_core::tensor::BufferPool;
use nn_core::train::Evaluation;
use nn_figures::overlays::rgb_image;
use nn_staging::{FileNames, StagedFolder};
use rayon::prelude::*;

/// The folder of the pictures within that of the results.
pub const PICTURES: &str = "gradcam";

/// Images that go through the network together.
const BATCH: usize = 4;

/// Right answers, and wrong ones, of which heat maps are made: all of a small set, the most confident
/// of a large one.
const MOST: usize = 48;

/// A model on a set of images.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The set's name.
    pub name: String,
    /// What its images are.
    pub kind: Kind,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The model's answers and score.
    pub evaluation: Evaluation,
    /// What was done to the set's images when they were read.
    pub treated: Treated,
    /// The images looked into: wrong answers first, each kind by falling confidence.
    pub images: Vec<Inspected>,
}

/// One image and the answer to it.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The file, below the set's folder.
    pub file: String,
    /// The image squeezed into a square, as a `data:` address.
    pub photo: String,
    /// The true class.
    pub label: usize,
    /// The answer.
    pub predicted: usize,
    /// The answer's probability.
    pub confidence: f64,
    /// What speaks for which class: first for the answer. There is at least that.
    pub views: Vec<View>,
    /// What was taken for the animal.
    pub subject: Foreground,
}

impl Inspected {
    /// The answer's map.
    pub fn heat(&self) -> &Explanation {
        &self.views[0].explanation
    }

    /// The answer, and its heat on the background.
    pub fn share(&self) -> ImageShare {
        (self.predicted, self.views[0].background)
    }

    /// Whether the answer is right.
    pub fn is_right(&self) -> bool {
        self.label == self.predicted
    }
}

impl Inspection {
    /// Looks into the answers `evaluation` that `model` gave to `dataset`, which are of `set`, and writes a
    /// picture of each image that it looks into to `folder`. Each is decoded once.
    ///
    /// # Errors
    /// If the images cannot be read any more, a picture cannot be written, or the observer ends it.
    pub fn make(
        model: &Sequential,
        set: &ImageSet,
        dataset: &Dataset,
        evaluation: Evaluation,
        folder: &StagedFolder,
        observer: &dyn Observer,
    ) -> Result<Self, StudyError> {
        let chosen = choose(&evaluation);
        let mut inspection = Self {
            name: set.name.clone(),
            kind: set.kind,
            classes: set.folder.classes.clone(),
            evaluation,
            treated: dataset.treated().clone(),
            images: Vec::with_capacity(chosen.len()),
        };
        let mut names = FileNames::default();
        // As many decoded images at a time as there are threads, in whole batches.
        let at_once = rayon::current_num_threads().next_multiple_of(BATCH);
        for chosen in chosen.chunks(at_once) {
            let explained = inspection.explain(model, dataset, chosen, observer)?;
            let looked = chosen.iter().zip(explained).map(|(&i, explanations)| {
                let sample = &dataset.samples()[i];
                let stem = sample.path.file_stem().unwrap_or_default().to_string_lossy();
                // In order, so that the same image gets the same name each time.
                let class = &inspection.classes[inspection.evaluation.predicted[i]];
                (i, sample, explanations, names.reserve(&stem, class))
            });
            let looked: Vec<_> = looked.collect();
            let inspect = |(i, sample, explanations, name): (usize, &Sample, Vec<_>, String)| {
                observer.check()?;
                let file = set.relative(&sample.path);
                let (image, photo) = inspection.inspect(i, sample, file, explanations)?;
                let picture = pictures::draw(&image, &photo, &inspection.classes, set.kind)?;
                folder.write(&format!("{name}.png"), picture)?;
                Ok(image)
            };
            let images: Result<Vec<_>, StudyError> = looked.into_par_iter().map(inspect).collect();
            inspection.images.extend(images?);
        }
        Ok(inspection)
    }

    /// The maps of the images `chosen`, the answer's first.
    fn explain(
        &self,
        model: &Sequential,
        dataset: &Dataset,
        chosen: &[usize],
        observer: &dyn Observer,
    ) -> Result<Vec<Vec<Explanation>>, StudyError> {
        let Evaluation { predicted, labels, .. } = &self.evaluation;
        let pool = BufferPool::new();
        let mut all = Vec::with_capacity(chosen.len());
        for batch in chosen.chunks(BATCH) {
            observer.check()?;
            let (pixels, _) = dataset.batch(batch, &pool)?;
            let of = |classes: &[usize]| batch.iter().map(|&i| classes[i]).collect::<Vec<_>>();
            all.extend(heat::explain(
                model,
                &heat::Batch {
                    pixels: &pixels,
                    answers: &of(predicted),
                    labels: &of(labels),
                    classes: self.classes.len(),
                },
            )?);
        }
        Ok(all)
    }

    /// What there is to see in image `i`, and the image.
    fn inspect(
        &self,
        i: usize,
        sample: &Sample,
        file: String,
        explanations: Vec<Explanation>,
    ) -> Result<(Inspected, RgbImage), StudyError> {
        let Evaluation { predicted, labels, probabilities, .. } = &self.evaluation;
        let decoded = decode_file_on(&sample.path, self.treated.alpha_background)?;
        let subject = foreground(&decoded.image);
        let photo = rgb_image(decoded.image)?;
        let views = explanations.into_iter().map(|one| View::new(one, &subject)).collect();
        let image = Inspected {
            file,
            photo: picture::squeezed(&photo)?,
            label: labels[i],
            predicted: predicted[i],
            confidence: probabilities[i][predicted[i]],
            views,
            subject,
        };
        Ok((image, photo))
    }
}

/// The images to look into: wrong answers first, each kind by falling confidence.
fn choose(evaluation: &Evaluation) -> Vec<usize> {
    let confidence = |i: usize| evaluation.probabilities[i][evaluation.predicted[i]];
    let sorted = |wanted: bool| {
        let is_right = |i: &usize| evaluation.predicted[*i] == evaluation.labels[*i];
        let mut all: Vec<usize> = (0..evaluation.n).filter(|i| is_right(i) == wanted).collect();
        // The sort is stable: among equals the set's order stands.
        all.sort_by(|&a, &b| confidence(b).total_cmp(&confidence(a)));
        all.truncate(MOST);
        all
    };
    [sorted(false), sorted(true)].concat()
}

//! Inspects a model: its predictions on a set of images, and where in these images the heat of its maps is.

mod heat;
mod pictures;

pub use heat::{ImageShare, MeanShare, Method, View, no_share, not_counted};

use crate::Evaluation;
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
use nn_core::train::Classification;
use nn_figures::overlays::rgb_image;
use nn_staging::{FileNames, StagedFolder};
use rayon::prelude::*;

/// The folder of the heat-map pictures, within that of the results.
pub const PICTURES: &str = "gradcam";

/// The number of images per forward pass.
const BATCH: usize = 4;

/// Heat maps are made of at most this many correct and this many wrong predictions, the most confident
/// ones.
const MOST: usize = 48;

/// The inspection of a model on a set of images.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The set's name.
    pub name: String,
    /// The origin of its images.
    pub kind: Kind,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The model's predictions and accuracy.
    pub evaluation: Evaluation,
    /// What was changed in the images when they were read.
    pub treated: Treated,
    /// The method of the heat maps.
    pub method: Method,
    /// The inspected images: wrong predictions first, then correct ones, each by decreasing confidence.
    pub images: Vec<Inspected>,
}

/// One inspected image.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The file, relative to the set's folder.
    pub file: String,
    /// The image squeezed into a square, as a `data:` URL.
    pub photo: String,
    /// The true class.
    pub label: usize,
    /// The predicted class.
    pub predicted: usize,
    /// The probability of the predicted class.
    pub confidence: f64,
    /// The heat maps; the first is for the predicted class and always present.
    pub views: Vec<View>,
    /// The mask taken for the animal.
    pub subject: Foreground,
}

impl Inspected {
    /// The map of the predicted class.
    pub fn heat(&self) -> &Explanation {
        &self.views[0].explanation
    }

    /// The predicted class, and the share of its heat on the background.
    pub fn share(&self) -> ImageShare {
        (self.predicted, self.views[0].background)
    }

    /// Whether the prediction is correct.
    pub fn is_right(&self) -> bool {
        self.label == self.predicted
    }
}

impl Inspection {
    /// Inspects the predictions `evaluation` of `model` on `dataset`, the images of `set`, and writes a
    /// picture of each inspected image to `folder`. Each inspected image is decoded once.
    ///
    /// # Errors
    /// If an image cannot be read any more, a picture cannot be written, or the observer stops it.
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
            method: Method::of(model),
            images: Vec::with_capacity(chosen.len()),
        };
        let mut names = FileNames::default();
        // As many decoded images at a time as there are threads, rounded up to full batches.
        let at_once = rayon::current_num_threads().next_multiple_of(BATCH);
        for chosen in chosen.chunks(at_once) {
            let explained = inspection.explain(model, dataset, chosen, observer)?;
            let looked = chosen.iter().zip(explained).map(|(&i, explanations)| {
                let sample = &dataset.samples()[i];
                let stem = sample.path.file_stem().unwrap_or_default().to_string_lossy();
                // In order, so that an image gets the same name each time.
                let class = &inspection.classes[inspection.evaluation.predicted[i]];
                (i, sample, explanations, names.reserve(&stem, class))
            });
            let looked: Vec<_> = looked.collect();
            let inspect = |(i, sample, explanations, name): (usize, &Sample, Vec<_>, String)| {
                observer.check()?;
                let file = set.relative(&sample.path);
                let (image, photo) = inspection.inspect(i, sample, file, explanations)?;
                let picture = pictures::draw(&image, &photo, &inspection)?;
                folder.write(&format!("{name}.png"), picture)?;
                Ok(image)
            };
            let images: Result<Vec<_>, StudyError> = looked.into_par_iter().map(inspect).collect();
            inspection.images.extend(images?);
        }
        Ok(inspection)
    }

    /// The maps of the images `chosen`, that of the predicted class first.
    fn explain(
        &self,
        model: &Sequential,
        dataset: &Dataset,
        chosen: &[usize],
        observer: &dyn Observer,
    ) -> Result<Vec<Vec<Explanation>>, StudyError> {
        let Classification { predicted, labels, .. } = &self.evaluation.classification;
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

    /// Inspects image `i`; returns also the decoded image.
    fn inspect(
        &self,
        i: usize,
        sample: &Sample,
        file: String,
        explanations: Vec<Explanation>,
    ) -> Result<(Inspected, RgbImage), StudyError> {
        let Classification { predicted, labels, probabilities, .. } =
            &self.evaluation.classification;
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

/// Chooses the images to inspect: wrong predictions first, then correct ones, each by decreasing
/// confidence.
fn choose(evaluation: &Evaluation) -> Vec<usize> {
    let confidence = |i: usize| evaluation.probabilities[i][evaluation.predicted[i]];
    let sorted = |wanted: bool| {
        let is_right = |i: &usize| evaluation.predicted[*i] == evaluation.labels[*i];
        let mut all: Vec<usize> =
            (0..evaluation.images()).filter(|i| is_right(i) == wanted).collect();
        // The sort is stable: equal ones stay in the set's order.
        all.sort_by(|&a, &b| confidence(b).total_cmp(&confidence(a)));
        all.truncate(MOST);
        all
    };
    [sorted(false), sorted(true)].concat()
}

//! Where in an image the heat lies: Grad-CAM maps, and their share on the background.

use crate::failure::Failure;
use nn_core::Tensor;
use nn_core::data::{AlphaBackground, decode_file_on, foreground};
use nn_core::explain::{BackgroundHeat, Cam, Explanation, GradCam, Target};
use nn_core::model::Sequential;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// Up to this many classes, an image has a map for each; beyond, for its answer and its true class.
const CLASSES_WITH_MAPS: usize = 3;

/// The heat on the background, on average over images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeanShare {
    /// The share of the heat for the answer.
    pub heat: f64,
    /// The background's share of the picture: what a map would have that does not care where the
    /// animal is.
    pub area: f64,
    /// The number of images.
    pub images: usize,
    /// The ways the backgrounds were found.
    pub masks: BTreeSet<&'static str>,
}

impl MeanShare {
    /// The mean of `shares`, if there are any.
    pub fn of(shares: impl Iterator<Item = BackgroundHeat>) -> Option<Self> {
        let mut sum = Self { heat: 0.0, area: 0.0, images: 0, masks: BTreeSet::new() };
        for share in shares {
            sum.heat += share.heat;
            sum.area += share.area;
            sum.images += 1;
            sum.masks.insert(share.rule.name());
        }
        let n = sum.images as f64;
        (sum.images > 0).then(|| Self { heat: sum.heat / n, area: sum.area / n, ..sum })
    }
}

/// A batch of images with a model's answers.
pub struct Batch<'a> {
    /// `[batch, height, width, 3]`, as the model takes them.
    pub pixels: &'a Tensor,
    /// The files they are from.
    pub files: &'a [&'a Path],
    pub answers: &'a [usize],
    pub labels: &'a [usize],
    /// The number of classes.
    pub classes: usize,
    /// The colour that transparent images are laid on.
    pub alpha_background: AlphaBackground,
}

/// One image's explanations, and the heat of the first on the background.
pub type Looked = (Vec<Explanation>, Option<BackgroundHeat>);

/// What speaks for which class in each image, the answer's explanation first, and the share of that
/// on the background, where that says something.
///
/// # Errors
/// If an image cannot be read any more, or what the model computes is not finite.
pub fn look(model: &Sequential, batch: &Batch<'_>) -> Result<Vec<Looked>, Failure> {
    let explainer = Cam::new(GradCam);
    let mut pass = explainer.pass(model, batch.pixels)?;
    let mut explain = |targets: Vec<Target>| pass.explain(&targets);
    let answers = || batch.answers.iter();
    let mut found: Vec<Vec<Explanation>> = explain(answers().map(|&c| Target::Class(c)).collect())?
        .into_iter()
        .map(|e| vec![e])
        .collect();
    if batch.classes <= CLASSES_WITH_MAPS {
        // In turn the first, second, ... class after the answer.
        for step in 1..batch.classes {
            let target = |&answer: &usize| Target::Class((answer + step) % batch.classes);
            let more = explain(answers().map(target).collect())?;
            found.iter_mut().zip(more).for_each(|(all, one)| all.push(one));
        }
    } else {
        let more = explain(batch.labels.iter().map(|&label| Target::Class(label)).collect())?;
        for (all, one) in found.iter_mut().zip(more).filter(|(all, one)| all[0].class != one.class)
        {
            all.push(one);
        }
    }
    let shares: Vec<Option<BackgroundHeat>> = (found.par_iter().zip(batch.files))
        .map(|(all, file)| {
            let image = decode_file_on(file, batch.alpha_background)?.image;
            Ok(all[0].on_background(&foreground(&image))?)
        })
        .collect::<Result<_, Failure>>()?;
    Ok(found.into_iter().zip(shares).collect())
}

//! Heat maps of images, and the share of their heat on the background.

use crate::StudyError;
use crate::format::plural;
use nn_core::Tensor;
use nn_core::data::Foreground;
use nn_core::explain::{
    BackgroundHeat, Cam, Explainer, Explanation, GradCam, NoShare, Occlusion, Target,
};
use nn_core::model::Sequential;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Up to this many classes, an image has a map for each class; beyond, for the predicted and the true
/// class.
const CLASSES_WITH_MAPS: usize = 3;

/// The share of heat on the background, averaged over images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeanShare {
    /// The mean share for the maps of the predicted class; `None` if no map has a share.
    pub heat: Option<f64>,
    /// The background's mean share of the picture: the expected share of evenly spread heat.
    pub area: Option<f64>,
    /// The number of images whose map has a share.
    pub images: usize,
    /// The number of images without a share, by reason.
    pub without: BTreeMap<NoShare, usize>,
    /// The same for each predicted class.
    pub by_answer: Vec<AnswerShare>,
    /// The methods by which the backgrounds were found.
    pub masks: BTreeSet<&'static str>,
}

/// The share of heat on the background for images with the same prediction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerShare {
    /// The predicted class.
    pub class: String,
    pub heat: f64,
    pub area: f64,
    pub images: usize,
}

/// The predicted class, and the share of heat on the background of one image's map for it.
pub type ImageShare = (usize, Result<BackgroundHeat, NoShare>);

impl MeanShare {
    /// The mean of `shares`; `classes` are the names of the classes.
    pub fn of(shares: impl Iterator<Item = ImageShare>, classes: &[String]) -> Self {
        let (mut told, mut without) = (Vec::new(), BTreeMap::new());
        for (answer, share) in shares {
            match share {
                Ok(share) => told.push((answer, share)),
                Err(reason) => *without.entry(reason).or_insert(0) += 1,
            }
        }
        let (heat, area) = mean(told.iter().map(|(_, share)| share)).unzip();
        let of_class = |(class, name): (usize, &String)| {
            let shares = || told.iter().filter(|told| told.0 == class).map(|(_, share)| share);
            let (heat, area) = mean(shares())?;
            Some(AnswerShare { class: name.clone(), heat, area, images: shares().count() })
        };
        Self {
            heat,
            area,
            images: told.len(),
            without,
            by_answer: classes.iter().enumerate().filter_map(of_class).collect(),
            masks: told.iter().map(|(_, share)| share.rule.name()).collect(),
        }
    }
}

/// The mean of heat and area; `None` without any share.
fn mean<'a>(shares: impl Iterator<Item = &'a BackgroundHeat> + Clone) -> Option<(f64, f64)> {
    let n = shares.clone().count() as f64;
    let sum = |of: fn(&BackgroundHeat) -> f64| shares.clone().map(of).sum::<f64>() / n;
    (n > 0.0).then(|| (sum(|share| share.heat), sum(|share| share.area)))
}

/// Why a map has no share, as text.
pub fn no_share(reason: NoShare) -> &'static str {
    match reason {
        NoShare::Empty => "empty map: nothing in the image speaks for this class",
        NoShare::Flat => "flat map: the same heat everywhere",
        NoShare::MasksDisagree => "no share: two ways to find the animal disagree",
        _ => "could not separate animal from background",
    }
}

/// The number of maps without a share and the reasons: `Not counted: 2 maps (empty map: ..).` Empty if all
/// have one.
pub fn not_counted(without: &BTreeMap<NoShare, usize>) -> String {
    let told = without
        .iter()
        .map(|(&reason, &n)| format!("{} ({})", plural(n as u64, "map"), no_share(reason)));
    match told.collect::<Vec<_>>() {
        all if all.is_empty() => String::new(),
        all => format!("Not counted: {}.", all.join(", ")),
    }
}

/// A batch of images with a model's predictions.
pub struct Batch<'a> {
    /// `[batch, height, width, 3]`, as the model's input.
    pub pixels: &'a Tensor,
    /// The predicted class of each image.
    pub answers: &'a [usize],
    /// The true class of each image.
    pub labels: &'a [usize],
    /// The number of classes.
    pub classes: usize,
}

/// The map of one class for an image, and its share of heat on the background.
#[derive(Debug, Clone)]
pub struct View {
    /// The map.
    pub explanation: Explanation,
    /// The share of its heat on the background, or why there is none.
    pub background: Result<BackgroundHeat, NoShare>,
}

impl View {
    /// Computes the share of a map's heat outside of `subject`.
    pub fn new(explanation: Explanation, subject: &Foreground) -> Self {
        let background = explanation.on_background(subject);
        Self { explanation, background }
    }
}

/// The method of the maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Grad-CAM at the last feature map.
    GradCam,
    /// Occlusion, for networks without feature maps.
    Occlusion,
}

impl Method {
    /// The method for a network.
    pub fn of(model: &Sequential) -> Self {
        match model.last_feature_map() {
            Some(_) => Self::GradCam,
            None => Self::Occlusion,
        }
    }

    /// Its name, as in the literature.
    pub fn name(self) -> &'static str {
        match self {
            Self::GradCam => "Grad-CAM",
            Self::Occlusion => "occlusion",
        }
    }
}

/// Maps of each image, by the [`Method`] for this network, that of the predicted class first.
///
/// # Errors
/// If the model's outputs or gradients are not finite.
pub fn explain(model: &Sequential, batch: &Batch<'_>) -> Result<Vec<Vec<Explanation>>, StudyError> {
    let (cam, occlusion) = (Cam::new(GradCam), Occlusion::new());
    // One forward pass serves the maps of all classes.
    let mut pass = match Method::of(model) {
        Method::GradCam => Some(cam.pass(model, batch.pixels)?),
        Method::Occlusion => None,
    };
    let mut explain = |targets: Vec<Target>| match &mut pass {
        Some(pass) => pass.explain(&targets),
        None => occlusion.explain(model, batch.pixels, &targets),
    };
    let answers = || batch.answers.iter();
    let mut found: Vec<Vec<Explanation>> = explain(answers().map(|&c| Target::Class(c)).collect())?
        .into_iter()
        .map(|e| vec![e])
        .collect();
    if batch.classes <= CLASSES_WITH_MAPS {
        // In turn the first, second, ... class after the predicted one (modulo the number of classes).
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
    Ok(found)
}

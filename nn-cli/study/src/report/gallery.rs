//! Photographs with their heat maps, and a table of the worst errors.

use super::outline::outline;
use super::parts::Table;
use crate::StudyError;
use crate::format::{class_name, clean, percent, plural};
use crate::inspection::{self, Inspected, Inspection, Method, no_share};
use crate::picture;
use nn_core::data::Channels;
use rayon::prelude::*;

/// Images of a set, grouped by whether the prediction is correct.
pub struct Gallery {
    pub id: String,
    pub title: String,
    pub subtitle: String,
    pub groups: Vec<Group>,
    /// Height and width of a picture.
    pub side: u32,
}

/// The correct or the wrong predictions.
pub struct Group {
    pub title: String,
    pub cards: Vec<Card>,
}

/// One image: the photograph, and next to it the heat map selected by the switch.
pub struct Card {
    pub right: bool,
    pub id: String,
    pub photo: String,
    pub alt: String,
    pub answer: String,
    pub file: String,
    pub views: Vec<Shown>,
    /// The outline of the subject as an SVG path; empty if it is not known.
    pub outline: String,
}

/// A heat map of a photograph, with its caption.
pub struct Shown {
    /// The CSS class by which the switch selects it.
    pub class: String,
    pub image: String,
    pub alt: String,
    pub caption: String,
}

/// A position of the switch that selects the heat map.
pub struct View {
    pub class: String,
    pub name: String,
}

/// The positions of the switch for images of these classes.
pub fn views(classes: &[String]) -> Vec<View> {
    let view = |class: &str, name: String| View { class: class.to_string(), name };
    let mut all = vec![view("own", "the answer given".into())];
    if classes.len() <= MAPS_BY_CLASS {
        let by_class = |(i, name): (usize, &String)| view(&format!("c{i}"), class_name(name));
        all.extend(classes.iter().enumerate().map(by_class));
    } else {
        all.push(view("true", "the true class".into()));
    }
    all.push(view("none", "original photograph".into()));
    all
}

/// Up to this many classes, each has a position of the switch (the style sheet has `c0` to `c2`).
const MAPS_BY_CLASS: usize = 3;

impl Gallery {
    /// Creates the gallery of an inspection.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn new(
        id: &str,
        title: impl Into<String>,
        inspection: &Inspection,
    ) -> Result<Self, StudyError> {
        let group = |right: bool| {
            let all: Vec<&Inspected> =
                inspection.images.iter().filter(|image| image.is_right() == right).collect();
            let all = all.into_par_iter();
            let cards: Vec<Card> = all
                .enumerate()
                .map(|(i, image)| card(image, inspection, format!("{id}-{right}-{i}")))
                .collect::<Result<_, StudyError>>()?;
            let total = if right {
                inspection.evaluation.correct
            } else {
                inspection.evaluation.images() - inspection.evaluation.correct
            };
            let kind = if right { "right answer" } else { "wrong answer" };
            let shown = if cards.len() < total {
                format!(", the {} most confident of them", cards.len())
            } else {
                ", the most confident first".into()
            };
            let shown = if total > 1 { shown } else { String::new() };
            Ok::<_, StudyError>(Group { title: plural(total as u64, kind) + &shown, cards })
        };
        let groups = vec![group(false)?, group(true)?];
        Ok(Self {
            id: id.to_string(),
            title: title.into(),
            subtitle: clean(&inspection.name),
            groups: groups.into_iter().filter(|group| !group.cards.is_empty()).collect(),
            side: picture::SIDE,
        })
    }
}

fn card(image: &Inspected, inspection: &Inspection, id: String) -> Result<Card, StudyError> {
    let name = |class: usize| class_name(&inspection.classes[class]);
    let (truth, answer) = (name(image.label), name(image.predicted));
    let (file, confidence) = (clean(&image.file), percent(image.confidence));
    let view = |(i, view): (usize, &inspection::View)| {
        let explanation = &view.explanation;
        let mut class = format!("c{}", explanation.class);
        if i == 0 {
            class += " own";
        }
        if explanation.class == image.label {
            class += " true";
        }
        let share = match view.background {
            Ok(share) => format!("{:.0} % of heat on background", share.heat * 100.0),
            Err(reason) => no_share(reason).into(),
        };
        Ok::<_, StudyError>(Shown {
            class,
            image: picture::heat(&explanation.normalized())?,
            alt: format!("{file}, evidence for {}: {share}", name(explanation.class)),
            caption: share,
        })
    };
    Ok(Card {
        right: image.is_right(),
        id,
        photo: image.photo.clone(),
        alt: format!("{file}: {truth}, answered {answer} with {confidence}"),
        answer: if image.is_right() {
            format!("✓ {answer}, {confidence}")
        } else {
            format!("✗ {truth}, taken for {answer}, {confidence}")
        },
        file: file.rsplit('/').next().unwrap_or_default().to_string(),
        views: image.views.iter().enumerate().map(view).collect::<Result<_, _>>()?,
        outline: outline(&image.subject.mask, picture::SIDE),
    })
}

/// The number of errors listed for each set.
const WORST: usize = 8;

/// A table of the wrong predictions with the highest confidence.
pub fn worst(inspections: &[(&str, &Inspection)]) -> Table {
    let header =
        ["file", "model and test set", "true class", "answer", "probability of the answer"];
    let mut table = Table::new(
        format!(
            "Wrong answers, the most confident first, at most {WORST} of each model and test set"
        ),
        &header,
        4,
    );
    for (model, inspection) in inspections {
        let wrong = inspection.images.iter().filter(|image| !image.is_right());
        let class = |class: usize| class_name(&inspection.classes[class]);
        table.rows.extend(wrong.take(WORST).map(|image| {
            vec![
                format!("{}/{}", clean(&inspection.name), clean(&image.file)),
                model.to_string(),
                class(image.label),
                class(image.predicted),
                percent(image.confidence),
            ]
        }));
    }
    table
}

/// An explanation of the heat maps of networks that take images in `channels`.
pub fn heat_note(method: Method, channels: Channels) -> String {
    let made = match method {
        Method::GradCam => GRAD_CAM_NOTE,
        Method::Occlusion => OCCLUSION_NOTE,
    };
    let seen = match channels {
        Channels::Rgb => "as the network sees them",
        Channels::Grey => "as the network sees them, except that it takes them in grey",
    };
    format!("{made} {HEAT_NOTE} Pictures are squeezed into a square, {seen}.")
}

const GRAD_CAM_NOTE: &str = "The maps are made by Grad-CAM (Selvaraju et al. 2017) at the last feature map \
    before the network pools or flattens it.";

const OCCLUSION_NOTE: &str = "The network has no feature maps, so the maps are made by occlusion (Zeiler and \
    Fergus 2014): by how much the score of a class falls where a patch of the picture is covered.";

const HEAT_NOTE: &str = "Red: \
    evidence for a class; blue: no evidence for it (there may be evidence against). The heat of a region is \
    the sum of the map over it. Each map has its own \
    scale from its lowest to its highest value, so compare colours within a picture, not between pictures.";

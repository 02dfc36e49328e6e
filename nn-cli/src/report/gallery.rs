//! Photographs with their heat maps, and what they show: the worst errors, heat on the background.

use super::parts::{Table, place};
use super::picture;
use crate::failure::Failure;
use crate::inspection::{Inspected, Inspection, MeanShare};
use crate::ui::format::{class_name, clean, percent, plural};
use rayon::prelude::*;

/// Images of a set by how they were answered.
pub struct Gallery {
    pub id: &'static str,
    pub title: String,
    pub subtitle: String,
    pub groups: Vec<Group>,
    /// Height and width of a picture.
    pub side: u32,
}

/// Right answers, or wrong ones.
pub struct Group {
    pub title: String,
    pub cards: Vec<Card>,
}

/// One image.
pub struct Card {
    pub right: bool,
    pub photo: String,
    pub alt: String,
    pub layers: Vec<Layer>,
    pub answer: String,
    pub file: String,
    pub background: Option<String>,
}

/// A heat map over a photograph.
pub struct Layer {
    /// By which the switch finds it.
    pub class: String,
    pub image: String,
}

/// A position of the switch between heat maps.
pub struct View {
    pub class: String,
    pub name: String,
}

/// The positions of the switch, for images of these classes.
pub fn views(classes: &[String]) -> Vec<View> {
    let view = |class: &str, name: String| View { class: class.to_string(), name };
    let mut all = vec![view("own", "the answer given".into())];
    if classes.len() <= MAPS_BY_CLASS {
        let by_class = |(i, name): (usize, &String)| view(&format!("c{i}"), class_name(name));
        all.extend(classes.iter().enumerate().map(by_class));
    } else {
        all.push(view("true", "the true class".into()));
    }
    all.push(view("none", "nothing (the photograph)".into()));
    all
}

/// Up to this many classes each has a position of the switch (the style sheet has `c0` to `c2`).
const MAPS_BY_CLASS: usize = 3;

impl Gallery {
    /// Shows what was looked into.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn new(
        id: &'static str,
        title: impl Into<String>,
        inspection: &Inspection,
    ) -> Result<Self, Failure> {
        let group = |right: bool| {
            let all = inspection.images.par_iter().filter(|image| image.is_right() == right);
            let cards: Vec<Card> =
                all.map(|image| card(image, inspection)).collect::<Result<_, Failure>>()?;
            let total = if right {
                inspection.evaluation.correct
            } else {
                inspection.evaluation.n - inspection.evaluation.correct
            };
            let kind = if right { "right answer" } else { "wrong answer" };
            let shown = if cards.len() < total {
                format!(", the {} most confident of them", cards.len())
            } else {
                ", the most confident first".into()
            };
            let shown = if total > 1 { shown } else { String::new() };
            Ok::<_, Failure>(Group { title: plural(total as u64, kind) + &shown, cards })
        };
        let groups = vec![group(false)?, group(true)?];
        Ok(Self {
            id,
            title: title.into(),
            subtitle: clean(&inspection.name),
            groups: groups.into_iter().filter(|group| !group.cards.is_empty()).collect(),
            side: picture::SIDE,
        })
    }
}

fn card(image: &Inspected, inspection: &Inspection) -> Result<Card, Failure> {
    let classes = &inspection.classes;
    let layer = |(i, explanation): (usize, &nn_core::explain::Explanation)| {
        let mut class = format!("c{}", explanation.class);
        if i == 0 {
            class += " own";
        }
        if explanation.class == image.label {
            class += " true";
        }
        Ok::<_, Failure>(Layer { class, image: picture::heat(&explanation.normalized())? })
    };
    let (truth, answer) =
        (class_name(&classes[image.label]), class_name(&classes[image.predicted]));
    let (file, confidence) = (clean(&image.file), percent(image.confidence));
    let background = image.views[0]
        .background
        .ok()
        .map(|share| format!("{:.0} % of heat on background", share.heat * 100.0));
    let mut alt = format!("{file}: {truth}, answered {answer} with {confidence}");
    if let Some(background) = &background {
        alt += &format!("; {background}");
    }
    Ok(Card {
        right: image.is_right(),
        photo: picture::photo(&image.path, inspection.treated.alpha_background)?,
        alt,
        layers: image
            .views
            .iter()
            .map(|view| &view.explanation)
            .enumerate()
            .map(layer)
            .collect::<Result<_, _>>()?,
        answer: if image.is_right() {
            format!("✓ {answer}, {confidence}")
        } else {
            format!("✗ {truth}, taken for {answer}, {confidence}")
        },
        file: file.rsplit('/').next().unwrap_or_default().to_string(),
        background,
    })
}

/// Errors listed for each set.
const WORST: usize = 8;

/// The wrong answers given with most confidence.
pub fn worst(inspections: &[(&str, &Inspection)]) -> Table {
    let header = ["file", "model and set", "true class", "taken for", "probability"];
    let mut table = Table::new("Wrong answers, the most confident first", &header, 4);
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

/// How much of the heat lies on the background, image by image.
pub struct Shares {
    pub title: String,
    pub mean: String,
    pub detail: String,
    pub described: String,
    /// The background's share of the picture.
    pub area: String,
    /// Where the mean lies.
    pub at: String,
    pub each: Vec<OneShare>,
}

/// One image's share.
pub struct OneShare {
    pub at: String,
    pub high: String,
    pub tip: String,
}

impl Shares {
    /// Shows `mean`, and each image of `inspection`, if there is any heat.
    pub fn new(title: &str, inspection: &Inspection, mean: Option<&MeanShare>) -> Option<Self> {
        let mean = mean?;
        let with_heat: Vec<_> = inspection
            .images
            .iter()
            .filter_map(|i| Some((i, i.views[0].background.ok()?)))
            .collect();
        let each = with_heat.iter().enumerate().map(|(i, (image, share))| OneShare {
            at: place(share.heat),
            // Spread over the strip's height, so that equal shares can be told apart.
            high: place(0.12 + 0.76 * (i * 7 % 11) as f64 / 10.0),
            tip: format!("{}: {:.0} %", clean(&image.file), share.heat * 100.0),
        });
        let detail = format!(
            "of the heat lies on the background, which is {:.0} % of the picture",
            mean.area * 100.0
        );
        Some(Self {
            title: title.to_string(),
            mean: format!("{:.0} %", mean.heat * 100.0),
            described: format!(
                "Mean of {}: {:.0} % {detail}.",
                plural(mean.images as u64, "map"),
                mean.heat * 100.0
            ),
            detail,
            area: place(mean.area),
            at: place(mean.heat),
            each: each.collect(),
        })
    }
}

/// What the heat maps are.
pub const HEAT_NOTE: &str = "Grad-CAM at the last convolution: red marks what speaks for a class, blue \
    what does not. Each map is stretched to the picture and brought to the same range, so colours \
    compare places within a picture, not pictures. Pictures are squeezed into a square, as the \
    network sees them.";

/// How the background was found, and what else to know about the shares.
pub fn shares_note<'a>(means: impl Iterator<Item = &'a MeanShare>) -> String {
    let mut masks: Vec<&str> = means.flat_map(|mean| &mean.masks).copied().collect();
    masks.sort_unstable();
    masks.dedup();
    if masks.is_empty() {
        return "No map has any heat.".into();
    }
    format!(
        "A dot is a picture, the bar the mean of all maps with heat, the tinted part what a map would \
         have that does not care where the animal is. The background was found by a simple rule \
         ({}), good enough for a mean and not for a single picture.",
        masks.join(", ")
    )
}

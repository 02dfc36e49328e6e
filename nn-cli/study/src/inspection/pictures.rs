//! The heat maps as picture files: `gradcam/STEM.CLASS.png`.

use super::{Inspected, Inspection, no_share};
use crate::Kind;
use crate::StudyError;
use crate::format::{class_name, percent};
use image::RgbImage;
use nn_figures::overlays::{self, HeatFigure, encode};

/// The picture of one image: the image, and its overlay with the heat for the predicted class.
///
/// # Errors
/// If it cannot be drawn.
pub fn draw(
    image: &Inspected,
    photo: &RgbImage,
    inspection: &Inspection,
) -> Result<Vec<u8>, StudyError> {
    let class = |class: usize| class_name(&inspection.classes[class]);
    let method = inspection.method.name();
    let mut answer = format!("{} {}", class(image.predicted), percent(image.confidence));
    if !image.is_right() {
        answer += &format!(" \u{b7} is: {}", class(image.label));
    }
    let note = match image.views[0].background {
        Ok(on) => format!(
            "{method} \u{b7} {} of the heat on the background, which is {} of the picture",
            percent(on.heat),
            percent(on.area)
        ),
        Err(reason) => format!("{method} \u{b7} {}", no_share(reason)),
    };
    let picture = overlays::side_by_side(&HeatFigure {
        image: photo,
        heat: &image.heat().normalized(),
        subject: Some(&image.subject.mask),
        title: &image.file,
        class: &answer,
        note: &note,
        synthetic: inspection.kind == Kind::StandIn,
    })?;
    Ok(encode(&picture)?)
}

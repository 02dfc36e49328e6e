//! The heat maps as picture files: `gradcam/STEM.CLASS.png`.

use super::{Inspected, Inspection, no_share};
use crate::Kind;
use crate::Observer;
use crate::StudyError;
use crate::format::{class_name, percent};
use nn_core::data::decode_file_on;
use nn_figures::overlays::{self, HeatFigure, encode, rgb_image};
use nn_staging::{FileNames, StagedFolder};
use rayon::prelude::*;

/// Writes a picture for each image: itself, and the heat for the answer over it.
///
/// # Errors
/// If an image cannot be read any more, a picture cannot be written, or the observer ends it.
pub fn write(
    folder: &StagedFolder,
    inspection: &Inspection,
    observer: &dyn Observer,
) -> Result<(), StudyError> {
    let mut names = FileNames::default();
    // In order, so that the same image gets the same name each time.
    let named = inspection.images.iter().map(|image| {
        let stem = image.path.file_stem().unwrap_or_default().to_string_lossy();
        (names.reserve(&stem, &inspection.classes[image.predicted]), image)
    });
    let named: Vec<(String, &Inspected)> = named.collect();
    named.par_iter().try_for_each(|(name, image)| {
        observer.check()?;
        Ok(folder.write(&format!("{name}.png"), draw(image, inspection)?)?)
    })
}

fn draw(image: &Inspected, inspection: &Inspection) -> Result<Vec<u8>, StudyError> {
    let class = |class: usize| class_name(&inspection.classes[class]);
    let mut answer = format!("{} {}", class(image.predicted), percent(image.confidence));
    if !image.is_right() {
        answer += &format!(" \u{b7} is: {}", class(image.label));
    }
    let note = match image.views[0].background {
        Ok(on) => format!(
            "Grad-CAM \u{b7} {} of the heat on the background, which is {} of the picture",
            percent(on.heat),
            percent(on.area)
        ),
        Err(reason) => format!("Grad-CAM \u{b7} {}", no_share(reason)),
    };
    let decoded = decode_file_on(&image.path, inspection.treated.alpha_background)?;
    let picture = overlays::side_by_side(&HeatFigure {
        image: &rgb_image(decoded.image)?,
        heat: &image.heat().normalized(),
        subject: Some(&image.subject.mask),
        title: &image.file,
        class: &answer,
        note: &note,
        synthetic: inspection.kind == Kind::StandIn,
    })?;
    Ok(encode(&picture)?)
}

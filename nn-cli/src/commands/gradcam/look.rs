//! One image's heat map: its numbers, its picture and their captions.

use super::Method;
use crate::failure::Failure;
use crate::images::Found;
use crate::model::Classifier;
use crate::npy;
use image::RgbImage;
use nn_core::data::{Foreground, ForegroundRule, Rgb8, Treatment, foreground};
use nn_core::explain::{BackgroundHeat, Explanation, NoShare};
use nn_figures::overlays::{self, HeatFigure, encode, rgb_image};
use nn_staging::{FileNames, Stage};
use nn_study::Kind;
use nn_study::format;
use nn_study::inspection::no_share;
use nn_synthetic::Marker;
use serde::Serialize;
use std::path::Path;

/// The longer side of the thumbnails on overview pages, in pixels.
const THUMBNAIL: f64 = 240.0;

/// One image's heat map, as printed by `--json`.
#[derive(Serialize)]
pub struct Explained {
    pub file: String,
    /// The origin of the named set that contains the image, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    /// The class that is explained.
    pub class: String,
    /// Its logit.
    score: f64,
    pub probability: f64,
    predicted: String,
    /// The picture that was written.
    pub overlay: String,
    /// The share of the heat on the background; `None` if it cannot be determined.
    pub background_share: Option<f64>,
    /// The share of the picture that is background.
    pub background_area: Option<f64>,
    /// Why there is no share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_share: Option<NoShare>,
    /// The method by which the background was found.
    mask: ForegroundRule,
    /// How the map is aligned with the image.
    align: &'static str,
    method: &'static str,
    layer: Option<String>,
    /// With `--raw`: the files of the map as computed, and as shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    full: Option<String>,
    /// With `--check`: the rank correlation of the map with that of random weights; `None` if the map is
    /// flat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_weights_correlation: Option<Option<f64>>,
    /// What was changed in the image when it was read, if anything.
    #[serde(skip_serializing_if = "Treatment::is_none")]
    pub treatment: Treatment,
}

/// The heat map of one image, with everything that is shown about it.
pub struct Look {
    pub found: Explanation,
    /// A thumbnail for the overview page.
    pub thumbnail: RgbImage,
    file: String,
    kind: Option<Kind>,
    /// The file's name with that of its folder.
    pub short: String,
    stem: String,
    class: String,
    predicted: String,
    background: Result<BackgroundHeat, NoShare>,
    /// The mask taken for the animal.
    pub subject: Foreground,
    /// The predicted class with its probability.
    pub answer: String,
    pub synthetic: bool,
    /// The picture, encoded as PNG.
    pub png: Vec<u8>,
}

impl Look {
    /// Computes the share of heat for one image of a batch, and draws its picture.
    ///
    /// # Errors
    /// No input causes one; only if the picture cannot be drawn.
    pub fn at(
        found: Explanation,
        image: Rgb8,
        (file, sources): (&Path, &Found),
        classifier: &Classifier,
        method: &Method,
    ) -> Result<Self, Failure> {
        let subject = foreground(&image);
        let background = found.on_background(&subject);
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
            Ok(BackgroundHeat { heat, area, .. }) => format!(
                "{} of the heat on the background, which is {} of the picture",
                format::percent(heat),
                format::percent(area)
            ),
            Err(reason) => no_share(reason).into(),
        };
        let image = rgb_image(image)?;
        let file_name = sources.shown(file);
        let synthetic = is_synthetic(file);
        let picture = overlays::side_by_side(&HeatFigure {
            image: &image,
            heat: &found.normalized(),
            subject: Some(&subject.mask),
            title: &file_name,
            class: &answer,
            note: &format!("{} · {heat}", method.describe()),
            synthetic,
        })?;
        Ok(Self {
            thumbnail: overlays::fitted(&image, THUMBNAIL)?,
            stem: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            short: short_name(file),
            file: file_name,
            kind: sources.kind(file),
            class,
            predicted,
            background,
            subject,
            answer,
            synthetic,
            png: encode(&picture)?,
            found,
        })
    }

    /// Writes the picture, and with `raw` also the maps.
    pub fn write(
        &self,
        raw: bool,
        method: &Method,
        stage: &Stage,
        names: &mut FileNames,
    ) -> Result<Explained, Failure> {
        let name = names.reserve(&self.stem, &self.class);
        let write = |ending: &str, content: &[u8]| -> Result<String, Failure> {
            let name = format!("{name}.{ending}");
            let path = stage.target().join(&name).display().to_string();
            stage.folder().write(&name, content)?;
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
            kind: self.kind,
            class: self.class.clone(),
            score: self.found.score,
            probability: self.found.outputs[self.found.class],
            predicted: self.predicted.clone(),
            overlay,
            background_share: self.background.ok().map(|on| on.heat),
            background_area: self.background.ok().map(|on| on.area),
            no_share: self.background.err(),
            mask: self.subject.rule,
            align: method.align.name(),
            method: method.name,
            layer: method.layer.clone(),
            raw: maps.0,
            full: maps.1,
            random_weights_correlation: None,
            treatment: Treatment::default(),
        })
    }
}

/// `husky/husky_1.jpeg`
fn short_name(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name).map(Path::new);
    let name = file.file_name().unwrap_or_default();
    folder.unwrap_or(Path::new("")).join(name).display().to_string()
}

/// Whether a file is in a rendered set: in `SET`, `SET/CLASS` or `SET/test/CLASS`.
fn is_synthetic(file: &Path) -> bool {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    file.ancestors().skip(1).take(3).any(|dir| matches!(Marker::read(dir), Ok(Some(_))))
}

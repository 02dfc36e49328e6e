//! One image's heat map: the numbers, the picture and its words.

use super::Method;
use crate::commands::model::Classifier;
use crate::failure::Failure;
use crate::images::Found;
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

/// The longer side of the images kept for a page, in pixels.
const THUMBNAIL: f64 = 240.0;

/// One image's heat map, as `--json` shows it.
#[derive(Serialize)]
pub struct Explained {
    pub file: String,
    /// What the named set is that the image was found in, if it was found in one.
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
    /// The share of the heat on the background, if there is one to tell.
    pub background_share: Option<f64>,
    /// The share of the picture that is background.
    pub background_area: Option<f64>,
    /// Why there is no share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_share: Option<NoShare>,
    /// How the background was found.
    mask: ForegroundRule,
    /// How the map is brought to the image.
    align: &'static str,
    method: &'static str,
    layer: Option<String>,
    /// With `--raw`: the map as computed, and as shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    full: Option<String>,
    /// With `--check`: the rank correlation of the map with that of random weights; none if the map
    /// is flat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_weights_correlation: Option<Option<f64>>,
    /// What was done to the image when it was read, if anything was.
    #[serde(skip_serializing_if = "Treatment::is_none")]
    pub treatment: Treatment,
}

/// What is known of one image.
pub struct Look {
    pub found: Explanation,
    /// A small version for the page of all.
    pub thumbnail: RgbImage,
    file: String,
    kind: Option<Kind>,
    /// The file's name after that of its folder.
    pub short: String,
    stem: String,
    class: String,
    predicted: String,
    background: Result<BackgroundHeat, NoShare>,
    /// What was taken for the animal.
    pub subject: Foreground,
    /// The class with its probability.
    pub answer: String,
    pub synthetic: bool,
    /// The picture, encoded.
    pub png: Vec<u8>,
}

impl Look {
    /// Looks at one image of a batch, and draws its picture.
    ///
    /// # Errors
    /// None that input can cause; a picture that cannot be drawn.
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

    /// Writes the picture, and with `raw` the maps.
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

/// Whether a file lies in a rendered set: in `SET`, `SET/CLASS` or `SET/test/CLASS`.
fn is_synthetic(file: &Path) -> bool {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    file.ancestors().skip(1).take(3).any(|dir| matches!(Marker::read(dir), Ok(Some(_))))
}

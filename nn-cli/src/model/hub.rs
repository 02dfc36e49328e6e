//! What `preprocessor_config.json` and `config.json` say, as Hugging Face's transformers and timm publish them beside
//! their models.

use super::json::{MAX_BYTES, numbers, size};
use super::settings::{Classes, Pixels, Said, Settings};
use crate::args::ChannelOrder;
use crate::failure::Failure;
use nn_core::Error;
use nn_core::data::{Resampling, Resize, ResizeMode};
use nn_core::files::read_limited;
use nn_core::model::Preprocessing;
use serde_json::Value;
use std::path::Path;

/// The sides from which on `ConvNextImageProcessor` squashes images instead of cropping them.
const SQUASHED_FROM: usize = 384;

/// What these files in `folder` say; nothing if there are none.
///
/// # Errors
/// If one cannot be read, or is no JSON.
pub fn read(folder: &Path) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    for (name, of) in
        [("preprocessor_config.json", processor as fn(&Value) -> Found), ("config.json", of_config)]
    {
        let path = folder.join(name);
        if !path.is_file() {
            continue;
        }
        let remedy = "say with a model.toml beside model.onnx how images are brought to it";
        let bytes = read_limited(&path, MAX_BYTES, remedy)?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|problem| Error::file(&path, problem.to_string(), remedy))?;
        settings = settings.or(of(&value).by(name));
    }
    Ok(settings)
}

/// What one file says.
#[derive(Default)]
struct Found {
    pixels: Option<Preprocessing>,
    bgr: bool,
    resize: Option<Resize>,
    input_size: Option<(usize, usize)>,
    classes: Option<Vec<String>>,
    /// What it says and is not done.
    not_done: Vec<&'static str>,
}

impl Found {
    fn by(self, by: &str) -> Settings {
        let pixels =
            self.pixels.map(|preprocessing| Pixels { preprocessing, resize: Resize::default() });
        let resize = self.resize.map(|resize| Settings::of_resize(resize, by)).unwrap_or_default();
        Settings {
            channels: (self.bgr && pixels.is_some()).then(|| Said::new(ChannelOrder::Bgr, by)),
            pixels: pixels.map(|pixels| Said::new(pixels, by)),
            usual_size: self.input_size,
            classes: self.classes.map(|names| Said::new(Classes::Names(names), by)),
            warnings: self.not_done.iter().map(|told| format!("{by}: {told}")).collect(),
            ..resize
        }
    }

    /// Pixels from 0 to 1, less a mean and divided by a deviation.
    fn normalized(&mut self, mean: Option<&Value>, std: Option<&Value>) {
        if let (Some(mean), Some(std)) = (mean.and_then(numbers), std.and_then(numbers)) {
            self.pixels = Some(Preprocessing { scale: 1.0 / 255.0, mean, std, bgr: false });
        }
    }

    /// Of an image whose shorter side is `whole`, the middle `kept`.
    fn cropped(&mut self, kept: f64, whole: f64, resampling: Resampling) {
        let crop = Resize::from(ResizeMode::Crop).resampling(resampling);
        match crop.crop_pct(kept / whole) {
            Ok(crop) => self.resize = Some(crop),
            Err(_) => self
                .not_done
                .push("the share of an image that it keeps is none: all of it is taken"),
        }
    }
}

/// `config.json`: of timm with `pretrained_cfg`, of transformers with the names of classes.
fn of_config(config: &Value) -> Found {
    let mut found = Found::default();
    if let Some(labels) = config["id2label"].as_object() {
        let name = |index: usize| labels.get(&index.to_string())?.as_str().map(String::from);
        found.classes = (0..labels.len()).map(name).collect();
    } else if let Some(names) = config["label_names"].as_array() {
        let described = |name: &Value| {
            let name = name.as_str()?;
            Some(config["label_descriptions"][name].as_str().unwrap_or(name).to_string())
        };
        found.classes = names.iter().map(described).collect();
    }
    let Some(timm) = config.get("pretrained_cfg") else { return found };
    found.normalized(timm.get("mean"), timm.get("std"));
    if let Some([_, height, width]) = timm["input_size"].as_array().map(Vec::as_slice) {
        found.input_size = size(&Value::Array(vec![height.clone(), width.clone()]));
    }
    let resampling = match timm["interpolation"].as_str() {
        Some("bilinear") => Resampling::Bilinear,
        Some("bicubic") => Resampling::Bicubic,
        None => return found,
        Some(_) => {
            found.not_done.push("its interpolation is none of those offered: bicubic instead");
            Resampling::Bicubic
        }
    };
    let share = timm["crop_pct"].as_f64().unwrap_or(0.875);
    match (timm["crop_mode"].as_str(), share == 1.0) {
        (Some("squash"), true) => found.resize = Some(Resize::default().resampling(resampling)),
        (mode, _) => {
            if mode.is_some_and(|mode| mode != "center") {
                found.not_done.push("its crop_mode is none of those offered: the middle instead");
            }
            found.cropped(share, 1.0, resampling);
        }
    }
    found
}

/// `preprocessor_config.json` of transformers' image processors.
fn processor(config: &Value) -> Found {
    let mut found = Found::default();
    let does = |key: &str| config[key].as_bool();
    if does("rescale_offset") == Some(true) {
        found
            .not_done
            .push("its rescale_offset is not known here: say how pixels are scaled with --preset");
        return found;
    }
    if config.get("image_mean").is_some() || does("do_rescale") == Some(true) {
        let scale = match does("do_rescale") {
            Some(false) => 1.0,
            _ => config["rescale_factor"].as_f64().unwrap_or(1.0 / 255.0),
        };
        let normalizes = does("do_normalize").unwrap_or(config.get("image_mean").is_some());
        let list = |key: &str, none: f64| match numbers(&config[key]).filter(|_| normalizes) {
            Some(numbers) => numbers,
            None => vec![none],
        };
        let (mean, std) = (list("image_mean", 0.0), list("image_std", 1.0));
        found.pixels = Some(Preprocessing { scale, mean, std, bgr: false });
    }
    found.bgr = does("do_flip_channel_order") == Some(true);
    let resampling = match config["resample"].as_u64() {
        Some(2) | None => Resampling::Bilinear,
        Some(3) => Resampling::Bicubic,
        Some(_) => {
            found.not_done.push("its resample is none of those offered: bicubic instead");
            Resampling::Bicubic
        }
    };
    let sides = |value: &Value| match value {
        Value::Object(sides) => {
            Some((sides.get("height").and_then(size)?.0, sides.get("width").and_then(size)?.0))
        }
        other => size(other),
    };
    let shorter = config["size"].get("shortest_edge").and_then(size).map(|side| side.0);
    let whole = sides(&config["size"]);
    let crop = sides(&config["crop_size"]).filter(|_| does("do_center_crop") == Some(true));
    if does("do_resize") == Some(false) {
        found.not_done.push(
            "it does not resize images, which are squashed here where they are of another size",
        );
        return found;
    }
    found.input_size = crop.or(shorter.map(|side| (side, side))).or(whole);
    match (crop, shorter, whole, config["crop_pct"].as_f64()) {
        (Some(kept), Some(side), ..) => found.cropped(kept.0 as f64, side as f64, resampling),
        // A lone number is the shorter side.
        (Some(kept), None, Some(side), _) => {
            if config["size"].is_object() {
                found.not_done.push(
                    "it squashes images before it takes their middle: here they are not squashed",
                );
            }
            found.cropped(kept.0 as f64, side.0 as f64, resampling);
        }
        (None, Some(side), _, Some(share)) if side < SQUASHED_FROM => {
            found.cropped(share, 1.0, resampling)
        }
        (None, Some(_), _, None) => found.cropped(1.0, 1.0, resampling),
        (None, Some(_), ..) | (None, None, Some(_), _) => {
            found.resize = Some(Resize::default().resampling(resampling));
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(settings: &Settings) -> (String, String, Option<(usize, usize)>) {
        let (pixels, _) = settings.preprocessing().unwrap();
        let (resize, _) = settings.resize(Resize::default()).unwrap();
        (pixels.to_string(), resize.to_string(), settings.usual_size)
    }

    #[test]
    fn files_of_timm_are_understood() {
        let config = json!({
            "architecture": "resnet18", "label_names": ["n1", "n2"], "label_descriptions": {"n2": "a wolf"},
            "pretrained_cfg": {
                "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "input_size": [3, 224, 192],
                "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center",
            },
        });
        let settings = of_config(&config).by("config.json");
        let (pixels, resize, size) = told(&settings);
        assert_eq!(pixels, "(pixel / 255 - [0.5, 0.5, 0.5]) / [0.25, 0.25, 0.25]");
        assert_eq!((&*resize, size), ("crop bicubic 0.95", Some((224, 192))));
        let Some(Classes::Names(names)) = settings.classes.map(|said| said.value) else { panic!() };
        assert_eq!(names, ["n1", "a wolf"]);
        let none = of_config(&json!({"id2label": {"0": "cat", "1": "dog"}})).by("config.json");
        assert!(none.pixels.is_none() && none.mode.is_none() && none.classes.is_some());
    }

    #[test]
    fn image_processors_of_transformers_are_understood() {
        let imagenet = "(pixel / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]";
        let normalized = json!({
            "do_normalize": true, "do_rescale": true, "do_resize": true, "resample": 3,
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
            "rescale_factor": 0.00392156862745098,
        });
        for (more, resize, side, warned) in [
            (json!({"size": {"height": 224, "width": 224}}), "squash bicubic", 224, false),
            (
                json!({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": true}),
                "crop bicubic",
                224,
                false,
            ),
            (
                json!({"size": {"shortest_edge": 224}, "crop_pct": 0.95}),
                "crop bicubic 0.95",
                224,
                false,
            ),
            (
                json!({"size": {"shortest_edge": 384}, "crop_pct": 0.95}),
                "squash bicubic",
                384,
                false,
            ),
            (
                json!({"size": 256, "crop_size": 224, "do_center_crop": true}),
                "crop bicubic",
                224,
                false,
            ),
            (
                json!({"size": {"height": 256, "width": 256}, "crop_size": 224, "do_center_crop": true}),
                "crop bicubic",
                224,
                true,
            ),
        ] {
            let mut config = normalized.clone();
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let settings = processor(&config).by("preprocessor_config.json");
            assert_eq!(
                told(&settings),
                (imagenet.into(), resize.into(), Some((side, side))),
                "{config}"
            );
            assert_eq!(!settings.warnings.is_empty(), warned, "{config}");
        }
        let mobile_vit = json!({
            "do_flip_channel_order": true, "do_rescale": true, "rescale_factor": 0.00392156862745098, "resample": 2,
            "size": {"shortest_edge": 288}, "crop_size": {"height": 256, "width": 256}, "do_center_crop": true,
        });
        let settings = processor(&mobile_vit).by("file");
        assert_eq!(told(&settings).0, "pixel / 255, blue first");
    }
}

//! The file beside a model that says how images are brought to it: `model.toml` or `model.json` for `model.onnx`.

use super::hub;
use super::json::{MAX_BYTES, numbers, size};
use super::settings::{Classes, Pixels, Said, Settings};
use crate::args::{ChannelOrder, scale};
use crate::failure::Failure;
use crate::hints;
use clap::ValueEnum;
use nn_core::Error;
use nn_core::files::{folder_of, read_limited};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// What such a file may say.
const KEYS: [&str; 10] = [
    "preset",
    "mean",
    "std",
    "scale",
    "channels",
    "resize",
    "interpolation",
    "crop_pct",
    "input_size",
    "classes",
];

/// What lies beside the model at `path` and says how images are brought to it. Files as Hugging Face and timm publish
/// them are looked at for models from elsewhere, where there is none of ours.
///
/// # Errors
/// If such a file cannot be read or understood, or there are two.
pub fn read(path: &Path, is_ours: bool) -> Result<Settings, Failure> {
    let [toml, json] = ["toml", "json"].map(|ending| path.with_extension(ending));
    match (toml.is_file(), json.is_file()) {
        (true, true) => {
            let problem = format!("{} lies there, too, and says the same things", json.display());
            Err(Error::file(&toml, problem, "remove one of them").into())
        }
        (true, false) => own(&toml),
        (false, true) => own(&json),
        (false, false) if is_ours => Ok(Settings::default()),
        (false, false) => hub::read(folder_of(path)),
    }
}

/// The name of a file for people.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn own(path: &Path) -> Result<Settings, Failure> {
    let remedy = format!(
        "it lies beside the model and says how images are brought to it, with the keys {}",
        KEYS.join(", ")
    );
    let refuse = |problem: String| Failure::from(Error::file(path, problem, remedy.clone()));
    let bytes = read_limited(path, MAX_BYTES, &remedy)?;
    let text = String::from_utf8(bytes).map_err(|_| refuse("is not text".into()))?;
    let table: Map<String, Value> = match path.extension().is_some_and(|ending| ending == "toml") {
        true => toml::from_str(&text).map_err(|problem| {
            let before = &text[..problem.span().map_or(0, |span| span.start.min(text.len()))];
            let line = 1 + before.matches('\n').count();
            refuse(format!("line {line}: {}", problem.message().trim().replace('\n', ", ")))
        })?,
        false => serde_json::from_str(&text).map_err(|problem| refuse(problem.to_string()))?,
    };
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(refuse(format!("unknown key {key}{}", hints::did_you_mean(key, KEYS))));
    }
    settings(&table, path).map_err(refuse)
}

/// What the keys say; the error is a text about them.
fn settings(table: &Map<String, Value>, path: &Path) -> Result<Settings, String> {
    let by = name(path);
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(format!("{key} must be a text, received {other}")),
    };
    let list = |key: &str| {
        let Some(value) = table.get(key) else { return Ok(None) };
        let found = numbers(value).filter(|numbers| [1, 3].contains(&numbers.len()));
        found.map(Some).ok_or_else(|| {
            format!("{key} must be a number or [red, green, blue], received {value}")
        })
    };
    let factor = match table.get("scale") {
        None => None,
        Some(Value::String(typed)) => Some(scale(typed)?),
        Some(value) => Some(scale(&value.to_string())?),
    };
    let by_numbers = Pixels::of_numbers(list("mean")?, list("std")?, factor)?;
    let pixels = match (text("preset")?, by_numbers) {
        (Some(_), Some(_)) => {
            return Err("preset says what mean, std and scale say; leave one away".into());
        }
        (Some(name), None) => Some(Pixels::preset(name)?),
        (None, numbers) => numbers,
    };
    let channels = text("channels")?.map(|name| ChannelOrder::from_str(name, false)).transpose();
    let channels = channels.map_err(|_| "channels must be rgb or bgr".to_string())?;
    let crop_pct = match table.get("crop_pct") {
        None => None,
        Some(value) => Some(
            value.as_f64().ok_or_else(|| format!("crop_pct must be a number, received {value}"))?,
        ),
    };
    let input_size = match table.get("input_size") {
        None => None,
        Some(value) => Some(size(value).ok_or_else(|| {
            format!("input_size must be a number of pixels or [height, width], received {value}")
        })?),
    };
    let classes = match table.get("classes") {
        None => None,
        // A path is seen from the file that names it.
        Some(Value::String(file)) => Some(Classes::File(folder_of(path).join(PathBuf::from(file)))),
        Some(list) => {
            let names = serde_json::from_value(list.clone()).ok();
            Some(Classes::Names(
                names.ok_or("classes must be a file of names, one a line, or a list of names")?,
            ))
        }
    };
    let told = |error: Error| error.to_string();
    Ok(Settings {
        pixels: pixels.map(|value| Said::new(value, &by)),
        channels: channels.map(|value| Said::new(value, &by)),
        mode: text("resize")?
            .map(str::parse)
            .transpose()
            .map_err(told)?
            .map(|value| Said::new(value, &by)),
        resampling: text("interpolation")?
            .map(str::parse)
            .transpose()
            .map_err(told)?
            .map(|value| Said::new(value, &by)),
        crop_pct: crop_pct.map(|value| Said::new(value, &by)),
        input_size: input_size.map(|value| Said::new(value, &by)),
        classes: classes.map(|value| Said::new(value, &by)),
        ..Settings::default()
    })
}

//! How pixels are brought to a network, from the command line, a file beside the model, or the model's file.

use super::open::Opened;
use super::settings::{Pixels, Settings};
use crate::failure::Failure;
use nn_core::data::{Resampling, Resize, ResizeMode};
use nn_core::model::{Preprocessing, Sequential};

/// A network that takes pixels, how images are resized for it, and what is told about both.
pub struct Prepared {
    pub model: Sequential,
    pub resize: Resize,
    /// How pixels are scaled, where not layers of the network's own file do it.
    pub preprocessing: Option<Preprocessing>,
    /// Where it is not our own file that knows it all.
    pub told: Option<String>,
}

impl Prepared {
    /// Puts the preprocessing that `settings` say in front of the network.
    ///
    /// # Errors
    /// If it is an ONNX file and they do not say it, or what they say does not fit the network.
    pub fn of(opened: &Opened, settings: &Settings) -> Result<Self, Failure> {
        let (resize, by) = settings.resize(opened.resize)?;
        let by = if by.is_empty() { by } else { format!(" ({by})") };
        let [height, width] = [0, 1].map(|axis| opened.model.input_shape().dims()[axis]);
        let seen = format!("images {}{by}", shown(resize, height, width));
        if let Some((preprocessing, by)) = settings.preprocessing() {
            let model = preprocessing.in_front_of(bare(opened))?;
            let told = Some(format!("network input: {preprocessing} ({by}); {seen}"));
            return Ok(Self { model, resize, preprocessing: Some(preprocessing), told });
        }
        if opened.onnx.is_some() {
            return Err(unknown(opened));
        }
        if let Some(channels) = &settings.channels {
            return Err(Failure::usage(format!(
                "channels ({}) go with a preset, or with mean, std and scale: this model's file says how it takes \
                 pixels; leave them away, or add --preset",
                channels.by
            )));
        }
        let told = if opened.is_published {
            Some(format!("{seen}, as most of its library's weights take them"))
        } else {
            (!by.is_empty()).then_some(seen)
        };
        // Without layers in front it takes pixels as they are.
        let is_bare = opened.model.front().next().is_none();
        let preprocessing = if is_bare { Some(Preprocessing::preset("none")?) } else { None };
        Ok(Self { model: opened.model.clone(), resize, preprocessing, told })
    }
}

/// The network without layers in front that only bring pixels into its range; those of an ONNX file are part of what
/// was exported.
pub fn bare(opened: &Opened) -> Sequential {
    match opened.onnx {
        Some(_) => opened.model.clone(),
        None => opened.model.clone().without_front(),
    }
}

/// `squashed to 224x224, antialiased`.
pub fn shown(resize: Resize, height: usize, width: usize) -> String {
    let how = match resize.mode {
        ResizeMode::Squash => "squashed".to_string(),
        ResizeMode::Crop if resize.kept() == 0.875 => "their middle cropped".into(),
        ResizeMode::Crop => format!("their middle cropped ({} of the shorter side)", resize.kept()),
        _ => "with borders".into(),
    };
    let smooth = match resize.resampling {
        Resampling::Bilinear => ", antialiased",
        Resampling::Bicubic => ", antialiased, bicubic",
        _ => "",
    };
    format!("{how} to {height}x{width}{smooth}")
}

/// The error for a file that does not say how pixels are scaled.
fn unknown(opened: &Opened) -> Failure {
    let presets = Preprocessing::presets().map(|(name, about)| {
        let Ok(Pixels { preprocessing, resize }) = Pixels::preset(name) else {
            return String::new();
        };
        let resize =
            if resize == Resize::default() { String::new() } else { format!("; {resize}") };
        format!("\n    {name:<10}{about}: {preprocessing}{resize}")
    });
    let file = opened.path.with_extension("toml");
    Failure::usage(format!(
        "{}: an ONNX file does not say how pixels from 0 to 255 become the network's input, and a wrong guess \
         gives wrong answers; say it with --preset, with --mean, --std and --scale, or in a file {} beside it; \
         `nn-cli model check` finds out which fits. The presets are{}",
        opened.path.display(),
        super::beside::name(&file),
        presets.collect::<String>()
    ))
}

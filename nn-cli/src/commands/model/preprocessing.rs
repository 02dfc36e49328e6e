//! How pixels are brought to a network, from the command line or the model's file.

use super::open::Opened;
use crate::args::{ChannelOrder, ElsewhereArgs, PerChannel};
use crate::failure::Failure;
use crate::hints;
use nn_core::Error;
use nn_core::data::ResizeMode;
use nn_core::model::{Preprocessing, Sequential};
use nn_study::run_folder::RESIZE_NOTE;
use std::collections::BTreeMap;
use std::path::Path;

/// The key of an ONNX file's metadata for its [`Preprocessing`], as JSON or the name of a preset, and that for how
/// images are resized.
const PREPROCESSING: &str = "nn.preprocessing";
const RESIZE: &str = "nn.resize";

/// A network that takes pixels, how images are resized for it, and what is told about both.
pub struct Prepared {
    pub model: Sequential,
    pub resize: ResizeMode,
    /// Where it is not our own file that knows it all.
    pub told: Option<String>,
}

impl Prepared {
    /// Puts the preprocessing that `args` ask for, or else that the file says, in front of the network.
    ///
    /// # Errors
    /// If it is an ONNX file and neither says it, or what is asked for does not fit the network.
    pub fn of(opened: &Opened, args: &ElsewhereArgs) -> Result<Self, Failure> {
        let said = opened.onnx.as_ref().and_then(|onnx| onnx.preprocessing.clone());
        let noted = opened.notes.get(RESIZE_NOTE).map(|text| text.parse()).transpose()?;
        let resize = args.resize.or(noted).or(said.as_ref().map(|said| said.1)).unwrap_or_default();
        let asked = asked(args)?;
        let bare = || match opened.onnx {
            Some(_) => opened.model.clone(),
            None => opened.model.clone().without_front(),
        };
        let preprocessing = match (asked, said, &opened.onnx) {
            (Some(asked), ..) => asked,
            (None, Some((said, _)), _) => said,
            (None, None, Some(_)) => return Err(unknown(opened)),
            (None, None, None) => {
                if args.channels.is_some() {
                    return Err(Failure::usage(
                        "--channels goes with --preset, or with --mean, --std and --scale: this model's file \
                         says how it takes pixels; leave it away",
                    ));
                }
                let told = args.resize.map(|resize| format!("images resized by {resize}"));
                return Ok(Self { model: opened.model.clone(), resize, told });
            }
        };
        let model = preprocessing.in_front_of(bare())?;
        let [height, width] = [0, 1].map(|axis| model.input_shape().dims()[axis]);
        let how = match resize {
            ResizeMode::Squash => "squashed",
            ResizeMode::Crop => "their middle cropped",
            _ => "with borders",
        };
        let told =
            Some(format!("network input: {preprocessing}; images {how} to {height}x{width}"));
        Ok(Self { model, resize, told })
    }
}

/// The preprocessing that the command line asks for.
fn asked(args: &ElsewhereArgs) -> Result<Option<Preprocessing>, Failure> {
    let ElsewhereArgs { preset, mean, std, scale, channels, .. } = args;
    let preprocessing = match (preset, mean, std, scale) {
        (Some(name), ..) => Some(Preprocessing::preset(name).map_err(|error| {
            let known = Preprocessing::presets().map(|(name, _)| name);
            Failure::usage(format!("--preset: {error}{}", hints::did_you_mean(name, known)))
        })?),
        (None, None, None, None) => None,
        _ => {
            let numbers = |given: &Option<PerChannel>, default: f64| match given {
                Some(given) => given.0.clone(),
                None => vec![default],
            };
            let (mean, std) = (numbers(mean, 0.0), numbers(std, 1.0));
            let all = |of: fn(f64) -> bool| mean.iter().chain(&std).all(|&number| of(number));
            let changes_nothing =
                mean.iter().all(|&mean| mean == 0.0) && std.iter().all(|&std| std == 1.0);
            let scale = match *scale {
                Some(scale) => scale,
                None if changes_nothing => {
                    return Err(Failure::usage(
                        "--mean 0 and --std 1 do not say whether pixels are from 0 to 255 or from 0 to 1; add \
                         --scale 1 or --scale 1/255",
                    ));
                }
                None if all(|number| number.abs() <= 1.0) => 1.0 / 255.0,
                None => 1.0,
            };
            Some(Preprocessing { scale, mean, std, bgr: false })
        }
    };
    Ok(preprocessing.map(|preprocessing| match channels {
        None => preprocessing,
        Some(order) => Preprocessing { bgr: *order == ChannelOrder::Bgr, ..preprocessing },
    }))
}

/// The error for a file that does not say how pixels are scaled.
fn unknown(opened: &Opened) -> Failure {
    let presets = Preprocessing::presets().map(|(name, about)| {
        let formula = Preprocessing::preset(name).map(|preset| preset.to_string());
        format!("\n    {name:<10}{about}: {}", formula.unwrap_or_default())
    });
    Failure::usage(format!(
        "{}: an ONNX file does not say how pixels from 0 to 255 become the network's input, and a wrong guess \
         gives wrong answers; say it with --preset, or with --mean, --std and --scale. The presets are{}",
        opened.path.display(),
        presets.collect::<String>()
    ))
}

/// What an ONNX file's metadata says about pixels.
///
/// # Errors
/// If it says something that cannot be understood.
pub fn in_metadata(
    metadata: &BTreeMap<String, String>,
    path: &Path,
) -> Result<Option<(Preprocessing, ResizeMode)>, Failure> {
    let Some(text) = metadata.get(PREPROCESSING) else { return Ok(None) };
    let preset = Preprocessing::preset(text).ok();
    let written = || serde_json::from_str(text).ok();
    let preprocessing = preset.or_else(written).ok_or_else(|| {
        let problem = format!("its {PREPROCESSING} cannot be understood: {text}");
        Error::file(path, problem, "say it with --preset")
    })?;
    let resize = metadata.get(RESIZE).map(|text| text.parse()).transpose()?;
    Ok(Some((preprocessing, resize.unwrap_or_default())))
}

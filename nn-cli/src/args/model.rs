//! Which model to use, and what its file may not say: the options of commands that use a trained one.

use clap::{Args as ClapArgs, ValueEnum};
use nn_core::data::{AlphaBackground, Resampling, ResizeMode};
use std::path::PathBuf;

/// The heading of what our own model files say themselves.
const ELSEWHERE: &str = "Models from elsewhere";

/// A trained model.
#[derive(Debug, Clone, ClapArgs)]
pub struct ModelArgs {
    /// The trained model: a run folder or the model.safetensors in it, an ONNX file, or weights of torchvision or
    /// timm as safetensors
    #[arg(long, value_name = "FILE|RUN")]
    pub model: PathBuf,
    /// Colour behind transparent parts of images: white, black, grey, #rrggbb or r,g,b
    /// [default: the one the model was trained with, or white]
    #[arg(long, value_name = "COLOUR")]
    pub alpha_background: Option<AlphaBackground>,
    #[command(flatten)]
    pub elsewhere: ElsewhereArgs,
}

/// What files of other programs do not say. A run and its model file know it.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct ElsewhereArgs {
    /// How pixels become what the network was trained on: imagenet (torchvision, most of timm), caffe, tf, 0-1,
    /// lite, or none. An ONNX file does not say it; `nn-cli model check` finds out which fits
    #[arg(long, value_name = "NAME", help_heading = ELSEWHERE, conflicts_with_all = ["mean", "std", "scale"])]
    pub preset: Option<String>,
    /// Instead of --preset: what is subtracted from pixels of red, green and blue; one number is for all
    #[arg(long, value_name = "R,G,B", help_heading = ELSEWHERE, allow_hyphen_values = true, value_parser = per_channel)]
    pub mean: Option<PerChannel>,
    /// What the differences are divided by
    #[arg(long, value_name = "R,G,B", help_heading = ELSEWHERE, allow_hyphen_values = true, value_parser = per_channel)]
    pub std: Option<PerChannel>,
    /// What pixels from 0 to 255 are multiplied by before that, a number or a fraction [default: 1/255 where
    /// mean and std are up to 1, else 1]
    #[arg(long, value_name = "S", help_heading = ELSEWHERE, allow_hyphen_values = true, value_parser = scale)]
    pub scale: Option<f64>,
    /// The order in which the network takes colours [default: rgb, or the preset's]
    #[arg(long, value_name = "ORDER", help_heading = ELSEWHERE, value_enum)]
    pub channels: Option<ChannelOrder>,
    /// How images are brought to the network's shape: squash (all of the image), crop (the middle, as torchvision
    /// does) or letterbox (all of it, with borders) [default: what the model's file says, crop with --preset
    /// imagenet, else squash]
    #[arg(long, value_name = "HOW", help_heading = ELSEWHERE)]
    pub resize: Option<ResizeMode>,
    /// How resized pixels are computed: plain (from the four nearest, as TensorFlow and OpenCV do), bilinear or
    /// bicubic (antialiased, as Pillow and torchvision do) [default: what the model's file says, bilinear with
    /// --preset imagenet, else plain]
    #[arg(long, value_name = "HOW", help_heading = ELSEWHERE)]
    pub interpolation: Option<Resampling>,
    /// With --resize crop: the share of the shorter side that is kept, timm's crop_pct [default: 0.875]
    #[arg(long, value_name = "SHARE", help_heading = ELSEWHERE, allow_hyphen_values = true)]
    pub crop_pct: Option<f64>,
    /// Height and width of the images, for a model whose file takes any or does not say [default: 256; 224 for
    /// weights of torchvision or timm]
    #[arg(long, visible_alias = "image-size", allow_negative_numbers = true, value_name = "PIXELS|HxW", help_heading = ELSEWHERE, value_parser = input_size)]
    pub input_size: Option<InputSize>,
    /// A text file with the names of the classes, one a line, in the order of the network's outputs [default: what
    /// the model's file says, or 0, 1, ...]
    #[arg(long, value_name = "FILE", help_heading = ELSEWHERE)]
    pub classes: Option<PathBuf>,
    /// The network whose weights torchvision or timm published, where its tensors fit several: resnet50,
    /// tf_efficientnet_lite0, ...
    #[arg(long, value_name = "NAME", help_heading = ELSEWHERE)]
    pub architecture: Option<String>,
}

/// Height and width of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    pub height: usize,
    pub width: usize,
}

/// The order of a pixel's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChannelOrder {
    /// Red, green, blue
    Rgb,
    /// Blue, green, red
    Bgr,
}

/// Numbers, one for all channels of an image or one for each.
#[derive(Debug, Clone, PartialEq)]
pub struct PerChannel(pub Vec<f64>);

/// Parses `R,G,B`, or one number.
fn per_channel(typed: &str) -> Result<PerChannel, String> {
    let numbers: Option<Vec<f64>> = typed.split(',').map(finite).collect();
    match numbers {
        Some(numbers) if [1, 3].contains(&numbers.len()) => Ok(PerChannel(numbers)),
        _ => Err("expected one number, or three with commas, such as 0.485,0.456,0.406".into()),
    }
}

/// Parses a number or a fraction that is not 0.
pub fn scale(typed: &str) -> Result<f64, String> {
    let value = match typed.split_once('/') {
        None => finite(typed),
        Some((number, divisor)) => finite(number).zip(finite(divisor)).map(|(a, b)| a / b),
    };
    let usable = value.filter(|value| value.is_finite() && *value != 0.0);
    usable.ok_or_else(|| "expected a number other than 0, such as 1/255".into())
}

/// Parses `PIXELS` or `HxW`.
pub fn input_size(typed: &str) -> Result<InputSize, String> {
    let side = |side: &str| side.trim().parse().ok().filter(|side| (1..=20_000).contains(side));
    let (height, width) = typed.split_once(['x', 'X']).unwrap_or((typed, typed));
    let size = side(height).zip(side(width)).map(|(height, width)| InputSize { height, width });
    size.ok_or_else(|| {
        "expected a number of pixels from 1 to 20000, or height x width, such as 224 or 224x192"
            .into()
    })
}

fn finite(typed: &str) -> Option<f64> {
    typed.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_squares_or_height_and_width() {
        assert_eq!(input_size("224"), Ok(InputSize { height: 224, width: 224 }));
        assert_eq!(input_size("12x34"), Ok(InputSize { height: 12, width: 34 }));
        for wrong in ["", "0", "1x", "x2", "-3", "1x2x3", "20001"] {
            assert!(input_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_of_channels_and_fractions() {
        assert_eq!(per_channel("127"), Ok(PerChannel(vec![127.0])));
        assert_eq!(per_channel("1, -2,0.5"), Ok(PerChannel(vec![1.0, -2.0, 0.5])));
        assert_eq!((scale("1/255"), scale("2")), (Ok(1.0 / 255.0), Ok(2.0)));
        for wrong in ["", "1,2", "1,2,3,4", "a", "nan", "1;2;3"] {
            assert!(per_channel(wrong).is_err(), "{wrong}");
        }
        for wrong in ["0", "1/0", "0/1", "", "inf", "1/2/3"] {
            assert!(scale(wrong).is_err(), "{wrong}");
        }
    }
}

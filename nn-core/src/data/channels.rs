//! The channels in which a network takes images, and images in them.

use super::decode::Rgb8;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The channels in which a network takes images.
///
/// Grey is the luma of ITU-R BT.601, `0.299 R + 0.587 G + 0.114 B`, rounded to 8 bits in the fixed-point
/// arithmetic of Pillow's `convert("L")`, which `torchvision.transforms.Grayscale` and Keras'
/// `load_img(color_mode="grayscale")` use as well. It is computed before the image is resized, as there.
///
/// ```
/// use nn_core::data::Channels;
/// assert_eq!(Channels::Grey.count(), 1);
/// assert_eq!("rgb".parse::<Channels>()?, Channels::Rgb);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// One channel.
    #[serde(alias = "gray")]
    Grey,
}

impl Channels {
    /// The number of channels: 3 or 1.
    pub const fn count(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Grey => 1,
        }
    }

    /// The channels of which there are `count`; `None` unless that is 3 or 1.
    pub const fn from_count(count: usize) -> Option<Self> {
        match count {
            3 => Some(Self::Rgb),
            1 => Some(Self::Grey),
            _ => None,
        }
    }

    /// The name: `rgb` or `grey`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Grey => "grey",
        }
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Channels {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "rgb" => Ok(Self::Rgb),
            "grey" | "gray" => Ok(Self::Grey),
            other => Err(Error::setting("channels", "rgb or grey", other, "choose one of the two")),
        }
    }
}

/// An image in the channels of a network: 8-bit, layout `[height, width, channels]`, rows from the top.
pub(super) struct Raster {
    pub height: usize,
    pub width: usize,
    pub channels: Channels,
    /// `height * width * channels` values.
    pub values: Vec<u8>,
}

impl Raster {
    /// `image` in `channels`.
    pub fn of(image: Rgb8, channels: Channels) -> Self {
        let (height, width) = (image.height(), image.width());
        let values = match channels {
            Channels::Rgb => image.into_pixels(),
            Channels::Grey => grey(&image),
        };
        Self { height, width, channels, values }
    }
}

/// The values of `image` in grey.
pub(super) fn grey(image: &Rgb8) -> Vec<u8> {
    image.pixels().chunks_exact(3).map(luma).collect()
}

/// The luma of an RGB pixel. The weights are those of ITU-R BT.601 in units of 2^-16; they add up to 2^16, so
/// grey pixels keep their value.
fn luma(rgb: &[u8]) -> u8 {
    let weighted: u32 = rgb
        .iter()
        .zip([19_595, 38_470, 7_471])
        .map(|(&value, weight)| u32::from(value) * weight)
        .sum();
    ((weighted + (1 << 15)) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Pillow 12 gives: `Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))`.
    #[test]
    fn grey_is_that_of_pillow() {
        let pillow = [
            ([255, 0, 0], 76),
            ([0, 255, 0], 150),
            ([0, 0, 255], 29),
            ([255, 255, 0], 226),
            ([12, 200, 97], 132),
            ([1, 2, 3], 2),
            ([250, 3, 128], 91),
            ([17, 99, 201], 86),
        ];
        for (rgb, grey) in pillow {
            assert_eq!(luma(&rgb), grey, "{rgb:?}");
        }
        assert!((0..=255).all(|value| luma(&[value; 3]) == value), "grey pixels keep their value");
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for channels in [Channels::Rgb, Channels::Grey] {
            assert_eq!(channels.to_string().parse::<Channels>().unwrap(), channels);
            assert_eq!(Channels::from_count(channels.count()), Some(channels));
            let json = serde_json::to_string(&channels).unwrap();
            assert_eq!(json, format!("\"{channels}\""));
        }
        assert_eq!("gray".parse::<Channels>().unwrap(), Channels::Grey);
        let message = "cmyk".parse::<Channels>().unwrap_err().to_string();
        assert!(message.contains("rgb or grey") && message.contains("cmyk"), "{message}");
        assert_eq!(Channels::from_count(4), None);
    }
}

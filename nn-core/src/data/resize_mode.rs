//! How an image is brought to a network's shape, and how its pixels are computed there: what is chosen from.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How an image that is not of the network's shape is brought to it.
///
/// ```
/// use nn_core::data::ResizeMode;
/// assert_eq!("crop".parse::<ResizeMode>()?, ResizeMode::Crop);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ResizeMode {
    /// All of the image, whatever becomes of its aspect ratio.
    #[default]
    Squash,
    /// The middle of the image, as torchvision's `Resize` and `CenterCrop`: resized until the network's size is a
    /// share of its shorter side, by default 0.875 (256 pixels for 224), then cut. The aspect ratio is kept.
    Crop,
    /// All of the image between grey borders, in the middle. The aspect ratio is kept.
    Letterbox,
}

impl ResizeMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Squash, Self::Crop, Self::Letterbox];

    /// The name: `squash`, `crop` or `letterbox`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Squash => "squash",
            Self::Crop => "crop",
            Self::Letterbox => "letterbox",
        }
    }
}

impl fmt::Display for ResizeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ResizeMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named("how images are resized", &Self::ALL, Self::name, text)
    }
}

/// How the pixels of a resized image are computed from those of the image.
///
/// ```
/// use nn_core::data::Resampling;
/// assert_eq!("bicubic".parse::<Resampling>()?, Resampling::Bicubic);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Resampling {
    /// Between the four nearest pixels, not rounded: what `tf.image.resize` gives, to the bit, and OpenCV's
    /// `INTER_LINEAR` nearly. Where an image shrinks, pixels between them are not looked at.
    #[default]
    Plain,
    /// Pillow's and torchvision's bilinear, to the bit: antialiased, so that each pixel of a larger image counts;
    /// whole grey levels.
    Bilinear,
    /// Pillow's and torchvision's bicubic, to the bit: antialiased as well, and sharper.
    Bicubic,
}

impl Resampling {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Bilinear, Self::Bicubic];

    /// The name: `plain`, `bilinear` or `bicubic`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
        }
    }
}

impl fmt::Display for Resampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Resampling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named("how pixels are interpolated", &Self::ALL, Self::name, text)
    }
}

/// The one of `all` that is called `text`.
fn named<T: Copy>(what: &str, all: &[T], name: fn(T) -> &'static str, text: &str) -> Result<T> {
    all.iter().copied().find(|&one| name(one) == text).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|&one| name(one)).collect();
        Error::setting(what, format!("one of {}", names.join(", ")), text, "choose one")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for mode in ResizeMode::ALL {
            assert_eq!(mode.to_string().parse::<ResizeMode>().unwrap(), mode);
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.name());
        }
        for resampling in Resampling::ALL {
            assert_eq!(resampling.to_string().parse::<Resampling>().unwrap(), resampling);
            assert_eq!(serde_json::to_value(resampling).unwrap(), resampling.name());
        }
        assert!("stretch".parse::<ResizeMode>().unwrap_err().to_string().contains("letterbox"));
        assert!("cubic".parse::<Resampling>().unwrap_err().to_string().contains("bicubic"));
    }
}

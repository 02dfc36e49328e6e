//! How images of any shape become those of a network's: squashed, cut, or with borders.

use super::decode::{MAX_DECODED_BYTES, Rgb8};
use super::resize_mode::{Resampling, ResizeMode};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The usual share of an image's shorter side that [`ResizeMode::Crop`] keeps: 224 of 256 pixels.
const CROP: f64 = 0.875;

/// The smallest share. Images would be resized to ten times the network's size for it.
const SMALLEST_CROP: f64 = 0.1;

/// The grey of the borders of [`ResizeMode::Letterbox`], as YOLO has it.
pub(super) const BORDER: u8 = 114;

/// How images are brought to a network's height and width.
///
/// Its text is the mode, with a resampling that is not plain and a share that is not 0.875 behind it, as models
/// remember it.
///
/// ```
/// use nn_core::data::{Resampling, Resize, ResizeMode};
/// let torchvision: Resize = "crop bilinear".parse()?;
/// assert_eq!(torchvision.resampling, Resampling::Bilinear);
/// assert_eq!(Resize::from(ResizeMode::Crop).crop_pct(0.95)?.to_string(), "crop 0.95");
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub struct Resize {
    /// What of an image is seen.
    pub mode: ResizeMode,
    /// How pixels are computed.
    pub resampling: Resampling,
    /// The share of the shorter side of an image that [`ResizeMode::Crop`] keeps: from 0.1 to 1.
    crop_pct: f64,
}

impl Default for Resize {
    /// Squashed, plain.
    fn default() -> Self {
        ResizeMode::default().into()
    }
}

impl From<ResizeMode> for Resize {
    /// This mode, plain.
    fn from(mode: ResizeMode) -> Self {
        Self { mode, resampling: Resampling::Plain, crop_pct: CROP }
    }
}

/// Along one axis: the image is resized to `resized` pixels, of which `len` from `first` on are written behind `before`
/// pixels of border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub resized: usize,
    pub first: usize,
    pub before: usize,
    pub len: usize,
}

impl Axis {
    /// All pixels, without a border.
    fn whole(len: usize) -> Self {
        Self { resized: len, first: 0, before: 0, len }
    }

    /// The middle of `resized` pixels; `len` of them.
    fn middle(resized: usize, len: usize) -> Self {
        // Rounds halves to the even number, as torchvision does by Python's `round`.
        let first = ((resized - len) as f64 / 2.0).round_ties_even() as usize;
        Self { resized, first, before: 0, len }
    }

    /// All of `resized` pixels, in the middle of `len`.
    fn between_borders(resized: usize, len: usize) -> Self {
        Self { resized, first: 0, before: (len - resized) / 2, len: resized }
    }
}

impl Resize {
    /// The same with another resampling.
    #[must_use]
    pub fn resampling(self, resampling: Resampling) -> Self {
        Self { resampling, ..self }
    }

    /// The same with another share of an image's shorter side that [`ResizeMode::Crop`] keeps, which timm calls
    /// `crop_pct`.
    ///
    /// # Errors
    /// If it is not from 0.1 to 1.
    pub fn crop_pct(self, share: f64) -> Result<Self> {
        if !(SMALLEST_CROP..=1.0).contains(&share) {
            return Err(Error::setting(
                "the share of an image that is kept",
                "a number from 0.1 to 1",
                share,
                "0.875 is usual: 224 of 256 pixels",
            ));
        }
        Ok(Self { crop_pct: share, ..self })
    }

    /// The share of an image's shorter side that [`ResizeMode::Crop`] keeps.
    pub fn kept(&self) -> f64 {
        self.crop_pct
    }

    /// The side of the resized image of which `len` pixels are kept, rounded down as torchvision and timm do.
    fn whole_of(&self, len: usize) -> usize {
        (len as f64 / self.crop_pct) as usize
    }

    /// The vertical and the horizontal axis of an image of size `from`, at least one pixel, resized to `to`.
    pub(super) fn axes(self, from: (usize, usize), to: (usize, usize)) -> [Axis; 2] {
        let (from, to) = ([from.0, from.1], [to.0, to.1]);
        let rate = |axis: usize, target: [usize; 2]| target[axis] as f64 / from[axis] as f64;
        let other = |axis: usize, rate: f64| from[axis] as f64 * rate;
        match self.mode {
            ResizeMode::Squash => to.map(Axis::whole),
            ResizeMode::Crop => {
                let wanted = to.map(|len| self.whole_of(len));
                let shorter = usize::from(rate(1, wanted) > rate(0, wanted));
                let mut resized = wanted;
                // In integers, as torchvision computes it.
                let longer = 1 - shorter;
                let exact = wanted[shorter] as u128 * from[longer] as u128 / from[shorter] as u128;
                resized[longer] = usize::try_from(exact).unwrap_or(usize::MAX).max(wanted[longer]);
                [Axis::middle(resized[0], to[0]), Axis::middle(resized[1], to[1])]
            }
            ResizeMode::Letterbox => {
                let longer = usize::from(rate(1, to) < rate(0, to));
                let mut resized = to;
                let shorter = 1 - longer;
                let exact = other(shorter, rate(longer, to)).round() as usize;
                resized[shorter] = exact.clamp(1, to[shorter]);
                [0, 1].map(|axis| Axis::between_borders(resized[axis], to[axis]))
            }
        }
    }

    /// What a network of this height and width sees of an image, at the image's own resolution: the image itself, its
    /// middle, or the image with borders. A map of the network's size lies over all of it.
    ///
    /// # Errors
    /// If the height or width is 0, or the image with its borders takes more than [`MAX_DECODED_BYTES`].
    ///
    /// ```
    /// use nn_core::data::{Resize, ResizeMode, Rgb8};
    /// let wide = Rgb8::new(8, 24, vec![0; 8 * 24 * 3])?;
    /// let seen = Resize::from(ResizeMode::Crop).seen(wide, 7, 7)?;
    /// assert_eq!((seen.height(), seen.width()), (7, 7));
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn seen(self, image: Rgb8, height: usize, width: usize) -> Result<Rgb8> {
        if height == 0 || width == 0 {
            return Err(no_size(height, width));
        }
        let from = [image.height(), image.width()];
        let axes = self.axes((from[0], from[1]), (height, width));
        match self.mode {
            ResizeMode::Squash => Ok(image),
            ResizeMode::Crop => {
                let part = |i: usize| {
                    let Axis { resized, first, len, .. } = axes[i];
                    let at = |pixel: usize| {
                        (pixel as f64 * from[i] as f64 / resized as f64).round() as usize
                    };
                    let first = at(first).min(from[i] - 1);
                    first..at(axes[i].first + len).clamp(first + 1, from[i])
                };
                let (rows, columns) = (part(0), part(1));
                let row = |y: usize| {
                    let first = 3 * (y * from[1] + columns.start);
                    &image.pixels()[first..first + 3 * columns.len()]
                };
                let pixels = rows.clone().flat_map(row).copied().collect();
                Rgb8::new(rows.len(), columns.len(), pixels)
            }
            ResizeMode::Letterbox => {
                let to = [height, width];
                let whole = |i: usize| {
                    let whole = to[i] as f64 * from[i] as f64 / axes[i].resized as f64;
                    (whole.round() as usize).max(from[i])
                };
                let (height, width) = (whole(0), whole(1));
                let bytes = height.checked_mul(width).and_then(|area| area.checked_mul(3));
                let Some(bytes) = bytes.filter(|&bytes| bytes as u64 <= MAX_DECODED_BYTES) else {
                    return Err(Error::data(
                        "an image between borders",
                        format!("at most {} MiB", MAX_DECODED_BYTES >> 20),
                        format!("{height} x {width} pixels"),
                        "resize it by squash or crop",
                    ));
                };
                let mut pixels = vec![BORDER; bytes];
                let (top, left) = ((height - from[0]) / 2, (width - from[1]) / 2);
                for (y, row) in image.pixels().chunks_exact(3 * from[1]).enumerate() {
                    let first = 3 * ((top + y) * width + left);
                    pixels[first..first + row.len()].copy_from_slice(row);
                }
                Rgb8::new(height, width, pixels)
            }
        }
    }
}

/// The error for a network's size of no pixels.
pub(super) fn no_size(height: usize, width: usize) -> Error {
    Error::setting(
        "image size",
        "a height and a width of at least 1",
        format!("{height} x {width}"),
        "choose a larger size",
    )
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode.name())?;
        if self.resampling != Resampling::Plain {
            write!(f, " {}", self.resampling)?;
        }
        if self.crop_pct != CROP {
            write!(f, " {}", self.crop_pct)?;
        }
        Ok(())
    }
}

impl FromStr for Resize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        let mut resize = Self::from(words.next().unwrap_or_default().parse::<ResizeMode>()?);
        for word in words {
            match word.parse::<f64>() {
                Ok(share) => resize = resize.crop_pct(share)?,
                Err(_) => resize.resampling = word.parse()?,
            }
        }
        Ok(resize)
    }
}

impl TryFrom<String> for Resize {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Resize> for String {
    fn from(resize: Resize) -> Self {
        resize.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_that_of_torchvision() {
        // From torchvision.transforms.functional: resize(image, 256), then center_crop(image, 224).
        for (from, resized, first) in [
            ((480, 640), [256, 341], [16, 58]),
            ((1000, 333), [768, 256], [272, 16]),
            ((256, 256), [256, 256], [16, 16]),
            ((3, 5), [256, 426], [16, 101]),
        ] {
            let axes = Resize::from(ResizeMode::Crop).axes(from, (224, 224));
            assert_eq!(axes.map(|axis| axis.resized), resized, "{from:?}");
            assert_eq!(axes.map(|axis| axis.first), first, "{from:?}");
            assert!(axes.iter().all(|axis| (axis.before, axis.len) == (0, 224)));
        }
    }

    #[test]
    fn its_text_says_all_of_it() {
        for text in ["squash", "crop bilinear", "crop bicubic 0.95", "letterbox 0.5"] {
            let resize: Resize = text.parse().unwrap();
            assert_eq!(resize.to_string(), text);
            let json = serde_json::to_string(&resize).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Resize>(&json).unwrap(), resize);
        }
        for wrong in ["", "stretch", "crop cubic", "crop 0", "crop 1.5", "crop nan"] {
            assert!(wrong.parse::<Resize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn borders_are_on_both_sides() {
        let axes = Resize::from(ResizeMode::Letterbox).axes((480, 640), (224, 224));
        assert_eq!(axes[0], Axis { resized: 168, first: 0, before: 28, len: 168 });
        assert_eq!(axes[1], Axis::whole(224));
        let axes = Resize::from(ResizeMode::Letterbox).axes((20_000, 1), (32, 64));
        assert_eq!(axes[0], Axis::whole(32));
        assert_eq!(axes[1], Axis { resized: 1, first: 0, before: 31, len: 1 });
    }

    #[test]
    fn every_axis_fits_the_network() {
        for mode in ResizeMode::ALL {
            for from in [(1, 1), (1, 20_000), (7, 5), (333, 1000), (20_000, 3)] {
                for to in [(1, 1), (7, 3), (224, 224), (65, 299)] {
                    let axes = Resize::from(mode).axes(from, to);
                    for (axis, to) in axes.into_iter().zip([to.0, to.1]) {
                        assert!(axis.len >= 1 && axis.before + axis.len <= to, "{mode} {axis:?}");
                        assert!(axis.first + axis.len <= axis.resized, "{mode} {axis:?}");
                        assert!(mode == ResizeMode::Letterbox || axis.len == to, "{mode} {axis:?}");
                    }
                    let image = Rgb8::new(from.0, from.1, vec![9; from.0 * from.1 * 3]).unwrap();
                    if let Ok(seen) = Resize::from(mode).seen(image, to.0, to.1) {
                        assert!(!seen.pixels().is_empty());
                    } else {
                        assert_eq!(mode, ResizeMode::Letterbox);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_seen_is_the_middle_or_has_borders() {
        let image = Rgb8::new(2, 4, (0..24).collect()).unwrap();
        assert_eq!(Resize::from(ResizeMode::Squash).seen(image.clone(), 3, 3).unwrap(), image);
        let seen = Resize::from(ResizeMode::Letterbox).seen(image.clone(), 8, 8).unwrap();
        assert_eq!((seen.height(), seen.width()), (4, 4));
        assert_eq!(seen.pixels()[..12], [BORDER; 12]);
        assert_eq!(seen.pixels()[12..36], *image.pixels());
        let seen = Resize::from(ResizeMode::Crop).seen(image.clone(), 8, 8).unwrap();
        assert_eq!((seen.height(), seen.width()), (2, 2));
        assert_eq!(seen.pixels()[..6], image.pixels()[3..9]);
        let message = Resize::from(ResizeMode::Crop).seen(image, 0, 8).unwrap_err().to_string();
        assert!(message.contains("at least 1"), "{message}");
    }
}

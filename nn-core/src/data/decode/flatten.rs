//! Conversion of decoded samples to 8-bit RGB: bit depth, alpha channel, number of channels.

use super::depth::reduce;
use super::treatment::{Depth, Treatment};
use super::{AlphaBackground, Decoded, Failure, Rgb8};
use image::DynamicImage;
use twox_hash::XxHash3_128;

/// The difference between the brightest and the darkest level below which a picture is of one colour.
const ONE_COLOUR: u8 = 6;

/// A decoded image before conversion: `channels` samples per pixel, which are grey, grey and alpha,
/// RGB, or RGB and alpha. Alpha is not premultiplied.
pub(super) struct Raw {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub samples: Samples,
    /// How the samples were scaled to 16 bits, if they were stored in another type.
    pub depth: Option<Depth>,
}

/// Samples that use the full range of their type.
pub(super) enum Samples {
    U8(Vec<u8>),
    U16(Vec<u16>),
}

impl Raw {
    /// The samples of an image decoded by the `image` crate.
    pub fn from_image(image: DynamicImage) -> Self {
        let (height, width) = (image.height() as usize, image.width() as usize);
        let (channels, samples) = match image {
            DynamicImage::ImageLuma8(image) => (1, Samples::U8(image.into_raw())),
            DynamicImage::ImageLumaA8(image) => (2, Samples::U8(image.into_raw())),
            DynamicImage::ImageRgb8(image) => (3, Samples::U8(image.into_raw())),
            DynamicImage::ImageRgba8(image) => (4, Samples::U8(image.into_raw())),
            DynamicImage::ImageLuma16(image) => (1, Samples::U16(image.into_raw())),
            DynamicImage::ImageLumaA16(image) => (2, Samples::U16(image.into_raw())),
            DynamicImage::ImageRgb16(image) => (3, Samples::U16(image.into_raw())),
            DynamicImage::ImageRgba16(image) => (4, Samples::U16(image.into_raw())),
            // The decoders in use return no other variant.
            other => (4, Samples::U8(other.into_rgba8().into_raw())),
        };
        Self { height, width, channels, samples, depth: None }
    }

    /// The image without the rows from `height` on.
    pub fn cut(mut self, height: usize) -> Self {
        self.height = self.height.min(height);
        let len = self.height * self.width * self.channels;
        match &mut self.samples {
            Samples::U8(samples) => samples.truncate(len),
            Samples::U16(samples) => samples.truncate(len),
        }
        self
    }

    /// Converts to 8-bit RGB on this background.
    ///
    /// # Errors
    /// If there are no pixels.
    pub fn flatten(self, background: AlphaBackground) -> Result<Decoded, Failure> {
        let Self { height, width, channels, samples, depth } = self;
        let mut treatment = Treatment::default();
        let (bytes, lost) = match samples {
            Samples::U8(bytes) => {
                treatment.transparent = is_transparent(&bytes, channels);
                let lost = || hash(&bytes, channels, |byte| u16::from(byte) * 257);
                let lost = treatment.transparent.then(lost);
                (bytes, lost)
            }
            Samples::U16(values) => {
                let reduced = reduce(&values, channels, depth);
                treatment.depth = Some(reduced.depth);
                treatment.transparent = is_transparent(&reduced.samples, channels);
                let lost = || hash(&values, channels, |value| value);
                let lost = (treatment.transparent || !reduced.exact).then(lost);
                (reduced.samples, lost)
            }
        };
        let pixels = match channels {
            1 => bytes.iter().flat_map(|&grey| [grey; 3]).collect(),
            3 => bytes,
            _ if treatment.transparent => {
                let laid = lay(&bytes, channels, background);
                let alpha = spread(bytes.iter().skip(channels - 1).step_by(channels).copied());
                treatment.vanished = alpha >= ONE_COLOUR && is_one_colour(&laid);
                laid
            }
            2 => bytes.chunks_exact(2).flat_map(|pixel| [pixel[0]; 3]).collect(),
            _ => bytes.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        };
        let image = Rgb8::new(height, width, pixels).map_err(|_| Failure::Empty)?;
        Ok(Decoded { image, treatment, lost })
    }
}

/// Whether any pixel is not opaque.
fn is_transparent(bytes: &[u8], channels: usize) -> bool {
    channels.is_multiple_of(2)
        && bytes.chunks_exact(channels).any(|pixel| pixel[channels - 1] < u8::MAX)
}

/// Composites pixels with alpha on the background.
fn lay(bytes: &[u8], channels: usize, background: AlphaBackground) -> Vec<u8> {
    let mut laid = Vec::with_capacity(bytes.len() / channels * 3);
    for pixel in bytes.chunks_exact(channels) {
        let (alpha, colour) = (pixel[channels - 1], |c: usize| pixel[c.min(channels - 2)]);
        laid.extend([0, 1, 2].map(|c| background.under(c, colour(c), alpha)));
    }
    laid
}

/// Whether all pixels of an RGB picture have the same colour, up to lossy compression.
pub(super) fn is_one_colour(rgb: &[u8]) -> bool {
    // Most pictures with more than one colour show it in the first pixels.
    let early = &rgb[..rgb.len().min(3 << 12)];
    let of_one =
        |rgb: &[u8]| (0..3).all(|c| spread(rgb.iter().skip(c).step_by(3).copied()) < ONE_COLOUR);
    of_one(early) && of_one(rgb)
}

/// The difference between the largest and the smallest value.
fn spread(values: impl Iterator<Item = u8>) -> u8 {
    let (least, most) = values.fold((u8::MAX, 0), |(l, m), value| (l.min(value), m.max(value)));
    most.saturating_sub(least)
}

/// A hash of the samples as RGBA in 16 bits, independent of the number of channels they are stored
/// in. The colours of fully transparent pixels are ignored.
fn hash<T: Copy>(samples: &[T], channels: usize, wide: impl Fn(T) -> u16) -> u128 {
    let mut hasher = XxHash3_128::new();
    let mut row = Vec::with_capacity(1 << 13);
    for pixels in samples.chunks(channels << 10) {
        row.clear();
        for pixel in pixels.chunks_exact(channels) {
            let has_alpha = channels.is_multiple_of(2);
            let alpha = if has_alpha { wide(pixel[channels - 1]) } else { u16::MAX };
            let last = channels - 1 - usize::from(has_alpha);
            for c in 0..3 {
                let value = if alpha == 0 { 0 } else { wide(pixel[last.min(c)]) };
                row.extend(value.to_le_bytes());
            }
            row.extend(alpha.to_le_bytes());
        }
        hasher.write(&row);
    }
    hasher.finish_128()
}

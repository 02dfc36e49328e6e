//! Images embedded in a page as `data:` URLs: small, at the size shown on a high-resolution screen.

use crate::StudyError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use nn_core::Tensor;
use nn_core::data::{AlphaBackground, decode_file_on};
use nn_figures::overlays::{fitted, jet, resized, rgb_image};
use std::path::Path;

/// Height and width of a photograph in the page. It is squeezed into a square, like the input of the
/// network.
pub const SIDE: u32 = 256;

/// Height and width of a heat map, which has no finer detail.
const HEAT_SIDE: u32 = 96;

/// The length of the longer side of an image whose aspect ratio is kept.
const THUMBNAIL_SIDE: u32 = 400;

/// The quality of the JPEG images, from 1 to 100.
const PHOTO_QUALITY: u8 = 80;
const HEAT_QUALITY: u8 = 75;

/// The image squeezed into a square, as a `data:` URL.
///
/// # Errors
/// If it cannot be encoded.
pub fn squeezed(image: &RgbImage) -> Result<String, StudyError> {
    jpeg(&resized(image, SIDE, SIDE)?, PHOTO_QUALITY)
}

/// The image in `file` with its aspect ratio kept, as a `data:` URL.
///
/// # Errors
/// If it cannot be read.
pub fn thumbnail(file: &Path, alpha_background: AlphaBackground) -> Result<String, StudyError> {
    thumbnail_of(file, alpha_background, THUMBNAIL_SIDE)
}

/// A [`thumbnail`] of at most `side` pixels.
///
/// # Errors
/// If it cannot be read.
pub fn thumbnail_of(
    file: &Path,
    alpha_background: AlphaBackground,
    side: u32,
) -> Result<String, StudyError> {
    let image = rgb_image(decode_file_on(file, alpha_background)?.image)?;
    // A small image is not enlarged: the browser can scale it.
    let side = side.min(image.width().max(image.height()));
    jpeg(&fitted(&image, side.into())?, PHOTO_QUALITY)
}

/// A map `[height, width]` of values from 0 to 1 in jet colours, as a `data:` URL.
///
/// # Errors
/// If it cannot be encoded.
pub fn heat(map: &Tensor) -> Result<String, StudyError> {
    let &[height, width] = map.dims() else {
        return Err(StudyError::failed("a heat map has other than two dimensions"));
    };
    let values = map.as_slice();
    let image = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        Rgb(jet(values[y as usize * width + x as usize].into()))
    });
    jpeg(&resized(&image, HEAT_SIDE, HEAT_SIDE)?, HEAT_QUALITY)
}

fn jpeg(image: &RgbImage, quality: u8) -> Result<String, StudyError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(image)
        .map_err(|problem| StudyError::failed(format!("cannot encode a picture: {problem}")))?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes)))
}

//! Converts decoded images for drawing, and encodes pictures as PNG.

use crate::error::{Error, Result};
use image::RgbImage;
use image::codecs::png::PngEncoder;
use nn_core::data::{Rgb8, SIGNATURE};

/// Converts a decoded image to one that can be drawn on.
///
/// # Errors
/// No input causes one.
pub fn rgb_image(image: Rgb8) -> Result<RgbImage> {
    let (width, height) = (image.width() as u32, image.height() as u32);
    RgbImage::from_raw(width, height, image.pixels().to_vec()).ok_or(Error::Size { width, height })
}

/// Encodes a picture as PNG. The file states in a `tEXt` chunk that this program drew it, so that it is not
/// taken for a photograph.
///
/// # Errors
/// No input causes one.
pub fn encode(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    image
        .write_with_encoder(PngEncoder::new(&mut bytes))
        .map_err(|problem| Error::Encode(problem.to_string()))?;
    bytes.splice(AFTER_HEADER..AFTER_HEADER, text_chunk(SIGNATURE));
    Ok(bytes)
}

/// The offset at which PNG's signature and header end.
const AFTER_HEADER: usize = 8 + 25;

/// A PNG chunk `tEXt`: length, name, text, CRC-32 of name and text (PNG specification, 11.3.4.3).
fn text_chunk(text: &[u8]) -> Vec<u8> {
    let named = [b"tEXt", text].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&named);
    [&(text.len() as u32).to_be_bytes()[..], &named, &crc.sum().to_be_bytes()].concat()
}

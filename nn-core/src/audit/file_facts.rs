//! What can be told of an image without knowing what it shows: the file's format and how it was
//! compressed, what a camera or program wrote into it, colours, sharpness, border and corners.

mod encoding;
mod exif;
mod frame;
pub mod tones;

pub use encoding::Encoding;
pub use tones::Tones;

use super::shrink::Small;
use crate::data::Rgb8;

/// Facts of one image file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileFacts {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The file's length.
    pub bytes: usize,
    /// Format, compression and what the camera or program wrote about itself.
    pub encoding: Encoding,
    /// Colours, sharpness, border and corners.
    pub tones: Tones,
}

impl FileFacts {
    /// The facts of a file of these bytes, which hold `image`, shrunk to `small`.
    pub fn new(bytes: &[u8], image: &Rgb8, small: &Small) -> Self {
        Self {
            width: image.width(),
            height: image.height(),
            bytes: bytes.len(),
            encoding: Encoding::read(bytes),
            tones: Tones::new(image, small),
        }
    }
}

/// Grey (Rec. 601 weights) of a pixel.
#[inline]
fn grey(image: &Rgb8, x: usize, y: usize) -> f64 {
    let at = (y * image.width() + x) * 3;
    image.pixels()[at..].first_chunk().map_or(0.0, |&rgb| grey_of(rgb))
}

/// Grey (Rec. 601 weights) of a colour.
#[inline]
fn grey_of([red, green, blue]: [u8; 3]) -> f64 {
    0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)
}

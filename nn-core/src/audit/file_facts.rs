//! Facts about an image file that need no recognition of its content: format and compression,
//! metadata of the camera or program, colours, sharpness, border and corners.

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
    /// The size of the file, in bytes.
    pub bytes: usize,
    /// Format, compression and metadata of the camera or program.
    pub encoding: Encoding,
    /// Colours, sharpness, border and corners.
    pub tones: Tones,
}

impl FileFacts {
    /// The facts of a file with these `bytes`, which were decoded to `image` and shrunk to `small`.
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

/// The grey level of a pixel (Rec. 601 weights).
#[inline]
fn grey(image: &Rgb8, x: usize, y: usize) -> f64 {
    let at = (y * image.width() + x) * 3;
    image.pixels()[at..].first_chunk().map_or(0.0, |&rgb| grey_of(rgb))
}

/// The grey level of a colour (Rec. 601 weights).
#[inline]
fn grey_of([red, green, blue]: [u8; 3]) -> f64 {
    0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)
}

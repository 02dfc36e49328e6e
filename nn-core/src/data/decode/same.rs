//! Whether two files show the same, in all that they hold.

use super::content::{Content, Format, sniff};
use super::flatten::Raw;
use super::tiff::Pages;
use super::{AlphaBackground, Decoded, decode_bytes_on, frames, read_file};
use crate::error::Result;
use image::DynamicImage;
use std::path::Path;
use twox_hash::XxHash3_128;

/// Pixels of frames and pages that are compared; files that have more must be equal beyond.
const MOST_PIXELS: usize = 1 << 30;

/// Whether two files show the same image: every pixel, its transparency and all its bits, and every frame
/// or page. What wholly transparent pixels would look like does not count. No, if one cannot be read.
pub fn same_pixels(a: &Path, b: &Path) -> bool {
    match (Whole::read(a), Whole::read(b)) {
        (Ok(a), Ok(b)) => {
            let (of_a, of_b) = (&a.first, &b.first);
            of_a.image == of_b.image && of_a.lost == of_b.lost && a.rest() == b.rest()
        }
        _ => false,
    }
}

/// A file and the image that is made of it.
struct Whole {
    bytes: Vec<u8>,
    first: Decoded,
}

impl Whole {
    fn read(path: &Path) -> Result<Self> {
        let bytes = read_file(path)?;
        let first = decode_bytes_on(&bytes, path, AlphaBackground::WHITE)?;
        Ok(Self { bytes, first })
    }

    /// A hash of all frames or pages; none if there is one only.
    fn rest(&self) -> Option<u128> {
        let treatment = self.first.treatment;
        if !treatment.animation && !treatment.pages {
            return None;
        }
        let mut hash = Hash { hasher: XxHash3_128::new(), pixels: 0 };
        let whole = match sniff(&self.bytes) {
            Content::Image(Format::Tiff) => hash.add_pages(&self.bytes),
            Content::Image(format) => hash.add_frames(&self.bytes, format),
            _ => None,
        };
        if whole.is_none() {
            hash.hasher.write(&self.bytes);
        }
        Some(hash.hasher.finish_128())
    }
}

struct Hash {
    hasher: XxHash3_128,
    pixels: usize,
}

impl Hash {
    /// Adds all pages of a TIFF; none if one cannot be read, or there are too many.
    fn add_pages(&mut self, bytes: &[u8]) -> Option<()> {
        let mut pages = Pages::of(bytes).ok()?;
        while let Some(page) = pages.decode_next(bytes).ok()? {
            self.add(page.raw)?;
        }
        Some(())
    }

    /// The same for the frames of an animation.
    fn add_frames(&mut self, bytes: &[u8], format: Format) -> Option<()> {
        for frame in frames::all(bytes, format).ok()?? {
            self.add(Raw::from_image(DynamicImage::from(frame.ok()?.into_buffer())))?;
        }
        Some(())
    }

    fn add(&mut self, raw: Raw) -> Option<()> {
        let decoded = raw.flatten(AlphaBackground::WHITE).ok()?;
        let image = &decoded.image;
        self.pixels += image.height() * image.width();
        if self.pixels > MOST_PIXELS {
            return None;
        }
        for number in [image.height() as u128, image.width() as u128, decoded.lost.unwrap_or(0)] {
            self.hasher.write(&number.to_le_bytes());
        }
        self.hasher.write(image.pixels());
        Some(())
    }
}

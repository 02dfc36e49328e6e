//! A hash of everything that an image file shows, to detect equal images in different files.

use super::content::{Content, Format, sniff};
use super::flatten::Raw;
use super::tiff::Pages;
use super::{AlphaBackground, Decoded, decode_bytes_on, frames, read_file};
use crate::error::Result;
use image::DynamicImage;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The maximum number of pixels of frames and pages that are hashed; beyond it, the bytes of the
/// file are hashed instead of the remaining frames.
const MOST_PIXELS: usize = 1 << 30;

/// SHA-256 of the full content of an image.
pub type PixelsHash = [u8; 32];

/// A hash of the image that a file shows: every pixel with its alpha channel and full bit depth, of
/// every frame or page. The colours of fully transparent pixels are ignored. Two files with the
/// same hash show the same image.
///
/// # Errors
/// If the file cannot be read or decoded.
pub fn pixels_hash(path: &Path) -> Result<PixelsHash> {
    let bytes = read_file(path)?;
    let first = decode_bytes_on(&bytes, path, AlphaBackground::WHITE)?;
    let treatment = first.treatment;
    let mut hash = Hash { hasher: Sha256::new(), pixels: 0 };
    hash.add_image(&first);
    drop(first);
    if treatment.animation || treatment.pages {
        let whole = match sniff(&bytes) {
            Content::Image(Format::Tiff) => hash.add_pages(&bytes),
            Content::Image(format) => hash.add_frames(&bytes, format),
            _ => None,
        };
        if whole.is_none() {
            hash.hasher.update(&bytes);
        }
    }
    Ok(hash.hasher.finalize().into())
}

struct Hash {
    hasher: Sha256,
    pixels: usize,
}

impl Hash {
    /// Adds all pages of a TIFF; `None` if one cannot be decoded, or if there are too many pixels.
    fn add_pages(&mut self, bytes: &[u8]) -> Option<()> {
        let mut pages = Pages::of(bytes).ok()?;
        while let Some(page) = pages.decode_next(bytes).ok()? {
            self.add(page.raw)?;
        }
        Some(())
    }

    /// Adds all frames of an animation, in the same way.
    fn add_frames(&mut self, bytes: &[u8], format: Format) -> Option<()> {
        for frame in frames::all(bytes, format).ok()?? {
            self.add(Raw::from_image(DynamicImage::from(frame.ok()?.into_buffer())))?;
        }
        Some(())
    }

    fn add(&mut self, raw: Raw) -> Option<()> {
        let decoded = raw.flatten(AlphaBackground::WHITE).ok()?;
        self.pixels += decoded.image.height() * decoded.image.width();
        if self.pixels > MOST_PIXELS {
            return None;
        }
        self.add_image(&decoded);
        Some(())
    }

    fn add_image(&mut self, decoded: &Decoded) {
        let image = &decoded.image;
        for number in [image.height() as u128, image.width() as u128, decoded.lost.unwrap_or(0)] {
            self.hasher.update(number.to_le_bytes());
        }
        self.hasher.update(image.pixels());
    }
}

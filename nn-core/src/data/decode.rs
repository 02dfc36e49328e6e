//! An image file to 8-bit RGB.
//!
//! What a file is shows from its content, never from its name. Grey becomes RGB by repetition, CMYK and
//! YCCK are converted, palettes are looked up. The EXIF or TIFF orientation is applied, which TensorFlow
//! does not do; none of the published photographs has one that would turn it. A JPEG goes through the
//! accurate inverse transform; Keras happens to use the fast one, about one grey level darker in red and
//! blue. Beyond that there is one rule for whatever 8-bit RGB does not hold, and [`Treatment`] tells what
//! of it was done:
//!
//! - **Transparency** is laid on a background, white unless another is chosen, mixed as stored values are
//!   in browsers. The colours of wholly transparent pixels have no part in anything.
//! - **More than 8 bits** are brought to 8 by the range of the bits in use: 10, 12, 14 or 16, so that
//!   12-bit images are not black; `decode/depth.rs` says it in full, `decode/tiff.rs` what becomes of
//!   signed and of floating-point numbers.
//! - **Of an animation** the first frame that is not of one colour is taken, within bounds
//!   (`decode/frames.rs`); of a TIFF with several pages the first that is no thumbnail.
//!
//! A file that ends early is an error. Decoders of JPEG rather fill what is missing with grey, so the
//! end-of-image marker is looked for first. What is *damaged* without being shorter, no checksum
//! tells in a JPEG: it may decode to an image with a blemish.
//!
//! Sizes are checked as soon as the header is read: a small file can claim to be a huge image.

mod background;
mod content;
mod depth;
mod flatten;
mod frames;
mod jpeg;
mod same;
mod tiff;
mod treatment;

pub use background::AlphaBackground;
pub use content::{Content, Format, SNIFFED_BYTES, sniff};
pub use same::{PixelsHash, pixels_hash};
pub use treatment::{Depth, Treated, Treatment};

use crate::error::{Error, Result};
use crate::files::read_limited;
use ::tiff::TiffError;
use flatten::Raw;
use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};
use std::io::Cursor;
use std::path::Path;
use zune_jpeg::errors::DecodeErrors;

/// The largest width and the largest height that is decoded, in pixels.
pub const MAX_DIMENSION: u32 = 20_000;

/// The most memory that one decoded image may take, in bytes (512 MiB: 178 megapixels of 8-bit RGB).
///
/// While it is decoded there is more: beside the bytes of its file up to 2.4 times as much (a lossless
/// WebP, whose decoder holds four channels; turned images and progressive JPEG take twice as much), on
/// each thread that decodes.
pub const MAX_DECODED_BYTES: u64 = 512 << 20;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// An image in memory: 8-bit RGB, rows from the top, the three channels of a pixel together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb8 {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl Rgb8 {
    /// An image over `pixels`, of which there must be `height * width * 3`, and not none.
    pub fn new(height: usize, width: usize, pixels: Vec<u8>) -> Result<Self> {
        let len = height.checked_mul(width).and_then(|area| area.checked_mul(3));
        if pixels.is_empty() || len != Some(pixels.len()) {
            return Err(Error::shape(
                "image",
                format!("{height} x {width} x 3 values, at least one pixel"),
                format!("{} values", pixels.len()),
                "pass a height and a width that fit the data",
            ));
        }
        Ok(Self { height, width, pixels })
    }

    /// The number of rows, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The number of columns, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The values, `height * width * 3` of them.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

/// An image, and what was done to make it one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The image.
    pub image: Rgb8,
    /// What was done to it.
    pub treatment: Treatment,
    /// A hash of the image with its transparency and all its bits, if the file has more of them than the
    /// 8-bit RGB.
    pub(crate) lost: Option<u128>,
}

/// Reads and decodes an image file, transparency laid on white; see the module's head for what becomes of
/// what.
///
/// # Errors
/// All of them name the file: it is missing or cannot be read; it is larger than [`MAX_FILE_BYTES`];
/// it is not an image of a known format; it is damaged or ends early; it has no pixels, or more than
/// [`MAX_DIMENSION`] and [`MAX_DECODED_BYTES`] allow.
pub fn decode_file(path: &Path) -> Result<Rgb8> {
    decode_file_on(path, AlphaBackground::WHITE).map(|decoded| decoded.image)
}

/// [`decode_file`] with transparency laid on `background`.
///
/// # Errors
/// Those of [`decode_file`].
pub fn decode_file_on(path: &Path, background: AlphaBackground) -> Result<Decoded> {
    decode_bytes_on(&read_file(path)?, path, background)
}

/// A file's content, if it is not larger than [`MAX_FILE_BYTES`].
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    read_limited(path, MAX_FILE_BYTES, "save the image smaller, or remove it")
}

/// Decodes an image in memory, transparency laid on white; `path` is what errors call it.
///
/// # Errors
/// Those of [`decode_file`] that do not come from reading.
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<Rgb8> {
    decode_bytes_on(bytes, path, AlphaBackground::WHITE).map(|decoded| decoded.image)
}

/// [`decode_bytes`] with transparency laid on `background`.
///
/// # Errors
/// Those of [`decode_bytes`].
pub fn decode_bytes_on(bytes: &[u8], path: &Path, background: AlphaBackground) -> Result<Decoded> {
    let format = format_of(bytes, path)?;
    if format == Format::Jpeg && !jpeg_is_whole(bytes) {
        return Err(damaged(path, format, "it ends early, without an end-of-image marker"));
    }
    let decoded = match format {
        Format::Jpeg => jpeg::decode(bytes).map(Decoded::untreated),
        Format::Tiff => decode_tiff(bytes, background),
        _ => decode_as(format, bytes, background),
    };
    decoded.map_err(|failure| explained(failure, bytes, path, format))
}

impl Decoded {
    fn untreated(image: Rgb8) -> Self {
        Self { image, treatment: Treatment::default(), lost: None }
    }

    /// Turned as it is to be seen.
    fn turned(self, orientation: Orientation) -> Result<Self, Failure> {
        let Rgb8 { height, width, pixels } = self.image;
        let image = turned(width as u32, height as u32, pixels, orientation)?;
        Ok(Self { image, ..self })
    }
}

/// The format of a file that is read.
///
/// # Errors
/// If it is not: what it is instead, as far as that can be told.
fn format_of(bytes: &[u8], path: &Path) -> Result<Format> {
    const READ: &str = "JPEG, PNG, GIF, WebP, BMP, TIFF or PNM";
    let problem = match sniff(bytes) {
        Content::Image(format) => return Ok(format),
        Content::UnreadImage(name) => return Err(unread(path, name)),
        Content::Other(name) => format!("this is {name}, not an image"),
        Content::Unknown if bytes.is_empty() => "the file is empty".into(),
        Content::Unknown => match first_words(bytes) {
            Some(words) => format!("this is not an image, but a text that begins {words:?}"),
            None => "this is not an image".into(),
        },
    };
    if let Content::Other(pointer @ ("a pointer of Git LFS" | "a pointer of git-annex")) =
        sniff(bytes)
    {
        let get = if pointer.ends_with("annex") { "git annex get" } else { "git lfs pull" };
        let remedy = format!("get the image itself with `{get}`, or remove the file");
        return Err(Error::file(path, problem, remedy));
    }
    let remedy = format!("expected {READ} content: save it as one of them, or remove it");
    Err(Error::file(path, problem, remedy))
}

/// How a text begins, for a message; none if the bytes are no text.
fn first_words(bytes: &[u8]) -> Option<String> {
    const MOST: usize = 40;
    let head = &bytes[..bytes.len().min(SNIFFED_BYTES)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut in two.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    if text.trim().is_empty() || text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    let short: String = line.chars().take(MOST).collect();
    Some(if short.len() < line.len() { short + "…" } else { short })
}

fn explained(failure: Failure, bytes: &[u8], path: &Path, format: Format) -> Error {
    match failure {
        Failure::Decoder(ImageError::Limits(error)) => too_large(path, error),
        Failure::Decoder(ImageError::Unsupported(kind)) => {
            unread(path, &format!("a {} image of another kind ({kind})", format.name()))
        }
        Failure::Decoder(error) => damaged(path, format, error),
        Failure::Jpeg(error) => match jpeg::Frame::find(bytes).and_then(|frame| frame.unread()) {
            Some(kind) => unread(path, &kind),
            None => damaged(path, format, error),
        },
        Failure::Tiff(error) => damaged(path, format, error),
        Failure::Damaged(why) => damaged(path, format, why),
        Failure::Unread(kind) => unread(path, &kind),
        Failure::Empty => {
            Error::file(path, "the image has no pixels", "expected at least one; remove the file")
        }
        Failure::TooLarge(size) => too_large(path, size),
    }
}

/// Why an image could not be decoded, before its file's name is added.
enum Failure {
    Decoder(ImageError),
    Jpeg(DecodeErrors),
    Tiff(TiffError),
    Damaged(String),
    /// Of a kind that is not read: which, with an article.
    Unread(String),
    Empty,
    TooLarge(String),
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        Self::Decoder(error)
    }
}

/// What the decoders of the `image` crate may take.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_DIMENSION);
    limits.max_image_height = Some(MAX_DIMENSION);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    limits
}

fn decode_as(
    format: Format,
    bytes: &[u8],
    background: AlphaBackground,
) -> Result<Decoded, Failure> {
    frames::check(bytes, format)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.of_image_crate());
    reader.limits(limits());
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.total_bytes())?;
    // Metadata that cannot be read is no reason to refuse an image that can.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let animation = frames::is_animated(bytes, format);
    let pixels = u64::from(width) * u64::from(height);
    let frame = match animation {
        true => frames::choose(bytes, format, pixels, background)?,
        false => None,
    };
    let mut decoded = match frame {
        Some(frame) => frame,
        None => {
            let image = DynamicImage::from_decoder(decoder)?;
            Raw::from_image(with_meant_alpha(image, format)).flatten(background)?
        }
    };
    decoded.treatment.animation = animation;
    // As three bytes a pixel: turning takes a second image.
    decoded.turned(orientation)
}

/// The image as it is meant: many bitmaps of 32 bits have nothing in the last eight.
fn with_meant_alpha(image: DynamicImage, format: Format) -> DynamicImage {
    match image {
        DynamicImage::ImageRgba8(image)
            if format == Format::Bmp && image.pixels().all(|pixel| pixel.0[3] == 0) =>
        {
            DynamicImage::ImageRgba8(image).into_rgb8().into()
        }
        other => other,
    }
}

fn decode_tiff(bytes: &[u8], background: AlphaBackground) -> Result<Decoded, Failure> {
    let (page, more) = tiff::decode(bytes)?;
    let mut decoded = page.raw.flatten(background)?;
    decoded.treatment.pages = more;
    decoded.turned(page.orientation)
}

/// Refuses what has no pixels, and what is too large, as itself or decoded to `decoded` bytes.
fn check_size(width: u32, height: u32, decoded: u64) -> Result<(), Failure> {
    if width == 0 || height == 0 {
        return Err(Failure::Empty);
    }
    let decoded = decoded.max(u64::from(width) * u64::from(height) * 3);
    let mib = decoded >> 20;
    if width.max(height) > MAX_DIMENSION {
        return Err(Failure::TooLarge(format!("{width} x {height} pixels")));
    }
    if decoded > MAX_DECODED_BYTES {
        return Err(Failure::TooLarge(format!("{width} x {height} pixels, {mib} MiB decoded")));
    }
    Ok(())
}

/// Pixels as they are to be seen.
fn turned(
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    orientation: Orientation,
) -> Result<Rgb8, Failure> {
    let image = RgbImage::from_raw(width, height, pixels).ok_or(Failure::Empty)?;
    let mut image = DynamicImage::from(image);
    image.apply_orientation(orientation);
    let image = image.into_rgb8();
    let (width, height) = image.dimensions();
    Ok(Rgb8 { height: height as usize, width: width as usize, pixels: image.into_raw() })
}

fn unread(path: &Path, kind: &str) -> Error {
    Error::file(
        path,
        format!("this is {kind}, which is not read"),
        "save it as PNG or JPEG, or remove it",
    )
}

fn damaged(path: &Path, format: Format, why: impl std::fmt::Display) -> Error {
    Error::file(
        path,
        format!("this {} image is damaged or ends early: {why}", format.name()),
        "get the file again, or remove it",
    )
}

fn too_large(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::file(
        path,
        format!("the image is too large: {why}"),
        format!(
            "expected at most {MAX_DIMENSION} pixels a side and {} MiB decoded; scale it down, or \
             remove it",
            MAX_DECODED_BYTES >> 20
        ),
    )
}

/// Whether a JPEG has its end-of-image marker: a walk from segment to segment, for the marker of a
/// thumbnail inside a segment does not count.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xd9;
    let mut rest = bytes;
    loop {
        // To the next marker: 0xff, possibly repeated, and a byte that is not 0. Compressed data
        // writes 0xff as 0xff 0x00, so none of it is mistaken for one.
        let Some(at) = next_marker(rest) else { return false };
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        match marker {
            END_OF_IMAGE => return true,
            // Start of image, restarts, and a reserved one: nothing belongs to them.
            0x01 | 0xd0..=0xd8 => {}
            // A segment, whose length counts itself. After that of a scan comes compressed data.
            _ => {
                let Some(&[high, low]) = rest.first_chunk() else { return false };
                let length = usize::from(u16::from_be_bytes([high, low]));
                let Some(after) = rest.get(length.max(2)..) else { return false };
                rest = after;
            }
        }
    }
}

/// Where the next two bytes are that make a marker.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    // Compressed data has none for long, and is looked through many bytes at a time.
    const TOGETHER: usize = 64;
    let mut from = 0;
    while let Some(some) = bytes.get(from..from + TOGETHER + 1)
        && !any_marker(&some[..TOGETHER], &some[1..])
    {
        from += TOGETHER;
    }
    let at = bytes[from..].windows(2).position(|pair| is_marker(pair[0], pair[1]))?;
    Some(from + at)
}

fn any_marker(first: &[u8], second: &[u8]) -> bool {
    first.iter().zip(second).fold(false, |any, (&first, &second)| any | is_marker(first, second))
}

fn is_marker(first: u8, second: u8) -> bool {
    (first == 0xff) & (second != 0) & (second != 0xff)
}

#[cfg(test)]
mod tests;

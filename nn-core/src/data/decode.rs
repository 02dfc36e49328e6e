//! Decoding of an image file to 8-bit RGB.
//!
//! The format is detected from a file's content, never from its name. Grey is replicated to three
//! channels, CMYK and YCCK are converted, palettes are looked up. The EXIF or TIFF orientation is
//! applied, which TensorFlow does not do; none of the published photographs has one that would
//! rotate it. JPEG uses the accurate inverse DCT; Keras uses the fast one, whose results are about
//! one grey level darker in red and blue. Content that 8-bit RGB cannot represent is converted by
//! these rules, and [`Treatment`] reports which were applied:
//!
//! - **Transparency** is composited on a background, white by default, by mixing the stored
//!   (gamma-encoded) values, as in browsers. The colours of fully transparent pixels are ignored.
//! - **More than 8 bits** are reduced to 8 by the range of the bits in use: 10, 12, 14 or 16, so
//!   that 12-bit images are not black; see `decode/depth.rs`, and `decode/tiff.rs` for signed and
//!   floating-point numbers.
//! - **Of an animation**, the first frame that is not of one colour is used, within bounds
//!   (`decode/frames.rs`); of a TIFF with several pages, the first that is no thumbnail.
//!
//! A truncated file is an error. JPEG decoders fill missing data with grey, so the end-of-image
//! marker is checked first. A JPEG has no checksum: one that is *damaged* without being shorter may
//! decode to an image with artefacts.
//!
//! Sizes are checked right after the header is read: a small file can declare a huge image.

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

/// The maximum size of one decoded image, in bytes (512 MiB: 178 megapixels of 8-bit RGB).
///
/// The peak during decoding is higher: besides the bytes of the file, up to 2.4 times as much per
/// decoding thread (for lossless WebP, whose decoder holds four channels; rotated images and
/// progressive JPEG take twice as much).
pub const MAX_DECODED_BYTES: u64 = 512 << 20;

/// The size of the largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// An image in memory: 8-bit RGB, layout `[height, width, 3]`, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb8 {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl Rgb8 {
    /// An image of `pixels`, which must have `height * width * 3` values, and at least one pixel.
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

    /// An image of the values that a network sees, `[height, width, channels]` with three channels or one: rounded, and
    /// from 0 to 255.
    ///
    /// # Errors
    /// If there are more or fewer values, or none.
    pub fn of_values(height: usize, width: usize, channels: usize, values: &[f32]) -> Result<Self> {
        let byte = |value: &f32| value.round().clamp(0.0, 255.0) as u8;
        let pixels = match channels {
            3 => values.iter().map(byte).collect(),
            _ => values.iter().flat_map(|value| [byte(value); 3]).collect(),
        };
        Self::new(height, width, pixels)
    }

    /// The number of rows, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The number of columns, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The values, `[height, width, 3]`: `height * width * 3` of them.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The values of [`Rgb8::pixels`], without a copy.
    pub(super) fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

/// A decoded image, and how it was converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The image.
    pub image: Rgb8,
    /// How it was converted.
    pub treatment: Treatment,
    /// A hash of the image with its alpha channel and full bit depth, if the file has more than
    /// 8-bit RGB can represent.
    pub(crate) lost: Option<u128>,
}

/// Reads and decodes an image file, with transparency on white; the module's documentation lists
/// the conversions.
///
/// # Errors
/// Every error names the file. The file is missing or cannot be read; it is larger than
/// [`MAX_FILE_BYTES`]; its format is unknown; it is damaged or truncated; it has no pixels, or more
/// than [`MAX_DIMENSION`] and [`MAX_DECODED_BYTES`] allow.
pub fn decode_file(path: &Path) -> Result<Rgb8> {
    decode_file_on(path, AlphaBackground::WHITE).map(|decoded| decoded.image)
}

/// [`decode_file`] with transparency on `background`.
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

/// Decodes an image in memory, with transparency on white; errors name it `path`.
///
/// # Errors
/// Those of [`decode_file`], except for errors of reading.
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<Rgb8> {
    decode_bytes_on(bytes, path, AlphaBackground::WHITE).map(|decoded| decoded.image)
}

/// [`decode_bytes`] with transparency on `background`.
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

    /// The image rotated and mirrored by `orientation`.
    fn turned(self, orientation: Orientation) -> Result<Self, Failure> {
        let Rgb8 { height, width, pixels } = self.image;
        let image = turned(width as u32, height as u32, pixels, orientation)?;
        Ok(Self { image, ..self })
    }
}

/// The format of a file.
///
/// # Errors
/// If it is not supported; the message says what the file contains, if that is known.
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

/// The beginning of a text, for a message; `None` if the bytes are not text.
fn first_words(bytes: &[u8]) -> Option<String> {
    const MOST: usize = 40;
    let head = &bytes[..bytes.len().min(SNIFFED_BYTES)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut off.
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

/// Why an image could not be decoded; the file's name is added later.
enum Failure {
    Decoder(ImageError),
    Jpeg(DecodeErrors),
    Tiff(TiffError),
    Damaged(String),
    /// A format that is not supported: its name, with an article.
    Unread(String),
    Empty,
    TooLarge(String),
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        Self::Decoder(error)
    }
}

/// The limits on size and memory for the decoders of the `image` crate.
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
    // Unreadable metadata is no reason to reject a readable image.
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
    // Converted to three bytes a pixel first: rotation allocates a second image.
    decoded.turned(orientation)
}

/// The image with the intended alpha channel: in many 32-bit bitmaps the last eight bits are unused.
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

/// Returns an error if there are no pixels, or if the width, the height or the `decoded` size in
/// bytes is too large.
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

/// Pixels rotated and mirrored by the orientation.
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

/// Whether a JPEG has its end-of-image marker. Walks from segment to segment, so that the marker of
/// a thumbnail inside a segment is not counted.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xd9;
    let mut rest = bytes;
    loop {
        // Find the next marker: 0xff, possibly repeated, and a byte that is not 0. Compressed data
        // escapes 0xff as 0xff 0x00, so it contains no marker.
        let Some(at) = next_marker(rest) else { return false };
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        match marker {
            END_OF_IMAGE => return true,
            // Start of image, restart markers, and TEM: these have no length field.
            0x01 | 0xd0..=0xd8 => {}
            // A segment; its length includes the length field. The segment of a scan is followed by
            // compressed data.
            _ => {
                let Some(&[high, low]) = rest.first_chunk() else { return false };
                let length = usize::from(u16::from_be_bytes([high, low]));
                let Some(after) = rest.get(length.max(2)..) else { return false };
                rest = after;
            }
        }
    }
}

/// The offset of the next two bytes that form a marker.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    // Compressed data has long stretches without markers, so many bytes are checked at a time.
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

//! An image file to 8-bit RGB.
//!
//! What a file is shows from its content, never from its name. Grey becomes RGB by repetition,
//! 16 bits are rounded to 8, CMYK and YCCK are converted, palettes are looked up. **Alpha is dropped,
//! not blended**, as TensorFlow's decoders do when asked for three channels. Of an animation the
//! first frame is taken. The EXIF orientation is applied, which TensorFlow does not do; none of the
//! published photographs has one that would turn it. A JPEG goes through the accurate inverse
//! transform; Keras happens to use the fast one, about one grey level darker in red and blue.
//!
//! A file that ends early is an error. Decoders of JPEG rather fill what is missing with grey, so the
//! end-of-image marker is looked for first. What is *damaged* without being shorter, no checksum
//! tells in a JPEG: it may decode to an image with a blemish.
//!
//! Sizes are checked as soon as the header is read: a small file can claim to be a huge image.

mod jpeg;

use crate::error::{Error, Result};
use crate::files::read_limited;
use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
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

/// Reads and decodes an image file; see the module's head for what becomes of what.
///
/// # Errors
/// All of them name the file: it is missing or cannot be read; it is larger than [`MAX_FILE_BYTES`];
/// it is not an image of a known format; it is damaged or ends early; it has no pixels, or more than
/// [`MAX_DIMENSION`] and [`MAX_DECODED_BYTES`] allow.
pub fn decode_file(path: &Path) -> Result<Rgb8> {
    decode_bytes(&read_file(path)?, path)
}

/// A file's content, if it is not larger than [`MAX_FILE_BYTES`].
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    read_limited(path, MAX_FILE_BYTES, "save the image smaller, or remove it")
}

/// Decodes an image in memory; `path` is what errors call it.
///
/// # Errors
/// Those of [`decode_file`] that do not come from reading.
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<Rgb8> {
    let format = image::guess_format(bytes).ok();
    let Some(format) = format.filter(|format| {
        use ImageFormat::{Bmp, Gif, Jpeg, Png, WebP};
        matches!(format, Bmp | Gif | Jpeg | Png | WebP)
    }) else {
        let problem = if bytes.is_empty() { "the file is empty" } else { "this is not an image" };
        return Err(Error::file(
            path,
            problem,
            "expected JPEG, PNG, BMP, GIF or WebP content: save it as one of them, or remove it",
        ));
    };
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(damaged(path, format, "it ends early, without an end-of-image marker"));
    }
    let decoded = match format {
        ImageFormat::Jpeg => jpeg::decode(bytes),
        _ => decode_as(format, bytes),
    };
    decoded.map_err(|failure| match failure {
        Failure::Decoder(ImageError::Limits(error)) => too_large(path, error),
        Failure::Decoder(error) => damaged(path, format, error),
        Failure::Jpeg(error) => damaged(path, format, error),
        Failure::Empty => {
            Error::file(path, "the image has no pixels", "expected at least one; remove the file")
        }
        Failure::TooLarge(size) => too_large(path, size),
    })
}

/// Why an image could not be decoded, before its file's name is added.
enum Failure {
    Decoder(ImageError),
    Jpeg(DecodeErrors),
    Empty,
    TooLarge(String),
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        Self::Decoder(error)
    }
}

fn decode_as(format: ImageFormat, bytes: &[u8]) -> Result<Rgb8, Failure> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_DIMENSION);
    limits.max_image_height = Some(MAX_DIMENSION);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.total_bytes())?;
    // Metadata that cannot be read is no reason to refuse an image that can.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    // To three bytes a pixel first: turning takes a second image.
    let pixels = DynamicImage::from_decoder(decoder)?.into_rgb8().into_raw();
    turned(width, height, pixels, orientation)
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

fn damaged(path: &Path, format: ImageFormat, why: impl std::fmt::Display) -> Error {
    Error::file(
        path,
        format!("this {} image is damaged or ends early: {why}", name(format)),
        "get the file again, or remove it",
    )
}

fn name(format: ImageFormat) -> String {
    format!("{format:?}").to_uppercase()
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

//! Decoding of a JPEG to 8-bit RGB.
//!
//! The decoder is called directly, not through the `image` crate: `image` copies the file, parses
//! its header three times, and reads byte by byte through a reader that is not inlined, which costs
//! a tenth of the time of a photograph.

use super::{Failure, Rgb8, check_size, turned};
use image::metadata::Orientation;
use std::io::{BufRead, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

impl From<DecodeErrors> for Failure {
    fn from(error: DecodeErrors) -> Self {
        Self::Jpeg(error)
    }
}

/// The frame header of a JPEG (ITU T.81, B.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// The second byte of its SOF marker, 0xc0 to 0xcf: the coding process.
    pub process: u8,
    /// Bits per sample.
    pub precision: u8,
    pub height: u16,
    pub width: u16,
}

impl Frame {
    /// The frame header of the JPEG in `bytes`, if it is among its first 1,000 segments.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
        for _ in 0..1000 {
            let [0xff, marker, after @ ..] = rest else { return None };
            match marker {
                // A marker may be preceded by fill bytes 0xff.
                0xff => {
                    rest = &rest[1..];
                    continue;
                }
                0xc4 | 0xc8 | 0xcc => {}
                0xc0..=0xcf => {
                    let &[_, _, precision, a, b, c, d, ..] = after else { return None };
                    let (height, width) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                    return Some(Self { process: *marker, precision, height, width });
                }
                // Start of scan: only compressed data follows.
                0xda => return None,
                _ => {}
            }
            let length = u16::from_be_bytes(*after.first_chunk()?);
            rest = after.get(usize::from(length).max(2)..)?;
        }
        None
    }

    /// The name of the coding process, with an article, if it is not supported.
    pub fn unread(&self) -> Option<String> {
        let kind = match self.process {
            0xc3 => "lossless",
            0xc5..=0xc7 => "hierarchical",
            0xc9..=0xcb => "arithmetic-coded",
            0xcd..=0xcf => "hierarchical, arithmetic-coded",
            _ if self.precision != 8 => return Some(format!("a JPEG of {} bits", self.precision)),
            _ => return None,
        };
        let article = if kind.starts_with('a') { "an" } else { "a" };
        Some(format!("{article} {kind} JPEG"))
    }
}

pub(super) fn decode(bytes: &[u8]) -> std::result::Result<Rgb8, Failure> {
    // Sizes are checked below, with a more helpful message.
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(Bytes { bytes, at: 0 }, options);
    decoder.decode_headers()?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    check_size(width as u32, height as u32, 0)?;
    let exif = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let mut pixels = vec![0; width * height * 3];
    decoder.decode_into(&mut pixels)?;
    turned(width as u32, height as u32, pixels, exif.unwrap_or(Orientation::NoTransforms))
}

/// A byte reader for short reads whose functions are always inlined; those of [`std::io::Cursor`]
/// are not always.
struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

impl Read for Bytes<'_> {
    #[inline(always)]
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let rest = self.rest();
        // In the common case all requested bytes are available, and their number is a compile-time
        // constant.
        let len = buffer.len();
        let read = if let Some(bytes) = rest.get(..len) {
            buffer.copy_from_slice(bytes);
            len
        } else {
            buffer[..rest.len()].copy_from_slice(rest);
            rest.len()
        };
        self.at += read;
        Ok(read)
    }
}

impl BufRead for Bytes<'_> {
    #[inline(always)]
    fn fill_buf(&mut self) -> Result<&[u8]> {
        Ok(self.rest())
    }

    #[inline(always)]
    fn consume(&mut self, read: usize) {
        self.at += read;
    }
}

impl Seek for Bytes<'_> {
    #[inline(always)]
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let to = match to {
            SeekFrom::Start(place) => usize::try_from(place).ok(),
            SeekFrom::Current(way) => moved(self.at, way),
            SeekFrom::End(way) => moved(self.bytes.len(), way),
        };
        self.at = to.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at as u64)
    }
}

#[inline(always)]
fn moved(place: usize, way: i64) -> Option<usize> {
    isize::try_from(way).ok().and_then(|way| place.checked_add_signed(way))
}

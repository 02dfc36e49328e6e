//! A JPEG to 8-bit RGB.
//!
//! The decoder is asked itself, not through `image`, which copies the file, reads its head three
//! times, and has it pass byte by byte through a reader that is not inlined: a tenth of the time of a
//! photograph.

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

pub(super) fn decode(bytes: &[u8]) -> std::result::Result<Rgb8, Failure> {
    // Sizes are checked below, with what may be done about it.
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

/// Bytes that are read a few at a time, by functions that are inlined where they are called: those
/// of [`std::io::Cursor`] are not always.
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
        // Mostly, all that is asked for is there, and how much that is known when compiling.
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

//! Decoding of a TIFF to samples. Supported are grey, colour, palette, CMYK and YCbCr; signed and unsigned
//! integers of 1 to 64 bits, and floating-point numbers; strips and tiles, interleaved and planar.
//!
//! The first page that is no thumbnail or mask is decoded. Signed values are shifted up by the smallest
//! power of two that makes all of them nonnegative, so that images of one scanner stay comparable.

mod numbers;

use self::numbers::to_16_bits;
use super::flatten::{Raw, Samples};
use super::treatment::Depth;
use super::{Failure, MAX_DECODED_BYTES, MAX_DIMENSION, MAX_FILE_BYTES, check_size, jpeg};
use image::metadata::Orientation;
use std::borrow::Cow;
use std::io::Cursor;
use tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError, TiffResult};

/// The maximum number of pages that are searched for one that is no thumbnail.
const MOST_PAGES: usize = 64;

/// Photometric interpretations (TIFF 6.0, section 8).
const BLACK_IS_ZERO: u32 = 1;
const PALETTE: u16 = 3;

type Reader<'a> = Decoder<Cursor<Cow<'a, [u8]>>>;

impl From<TiffError> for Failure {
    fn from(error: TiffError) -> Self {
        match error {
            TiffError::UnsupportedError(kind) => {
                Self::Unread(format!("a TIFF of another kind ({kind})"))
            }
            TiffError::LimitsExceeded => Self::TooLarge("more memory than is allowed".into()),
            error => Self::Tiff(error),
        }
    }
}

/// A page of a TIFF.
pub(super) struct Page {
    pub raw: Raw,
    pub orientation: Orientation,
}

/// The first page that is no thumbnail or mask, and whether there are more.
pub(super) fn decode(bytes: &[u8]) -> Result<(Page, bool), Failure> {
    let mut pages = Pages::of(bytes)?;
    let Some(first) = pages.next()? else {
        return Err(Failure::Unread(
            "a TIFF of nothing but thumbnails (a camera's raw file?)".into(),
        ));
    };
    let page = decode_page(&mut pages.reader, bytes, first)?;
    // Damage after the page is ignored.
    let more = pages.next().is_ok_and(|page| page.is_some());
    Ok((page, more))
}

/// The pages of a TIFF that are no thumbnails and no masks.
pub(super) struct Pages<'a> {
    reader: Reader<'a>,
    looked_at: usize,
}

impl<'a> Pages<'a> {
    pub fn of(bytes: &'a [u8]) -> Result<Self, Failure> {
        Ok(Self { reader: reader(Cow::Borrowed(bytes))?, looked_at: 0 })
    }

    /// Moves the reader to the next such page; its number.
    fn next(&mut self) -> TiffResult<Option<usize>> {
        const THUMBNAIL_OR_MASK: u32 = 1 | 4;
        while self.looked_at < MOST_PAGES {
            if self.looked_at > 0 {
                if !self.reader.more_images() {
                    return Ok(None);
                }
                self.reader.next_image()?;
            }
            self.looked_at += 1;
            let kind: u32 = self.reader.find_tag_unsigned(Tag::NewSubfileType)?.unwrap_or(0);
            if kind & THUMBNAIL_OR_MASK == 0 {
                return Ok(Some(self.looked_at - 1));
            }
        }
        Ok(None)
    }

    /// The next page, decoded.
    pub fn decode_next(&mut self, bytes: &[u8]) -> Result<Option<Page>, Failure> {
        match self.next()? {
            Some(index) => decode_page(&mut self.reader, bytes, index).map(Some),
            None => Ok(None),
        }
    }
}

fn reader(bytes: Cow<'_, [u8]>) -> Result<Reader<'_>, Failure> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MAX_DECODED_BYTES as usize;
    limits.intermediate_buffer_size = MAX_FILE_BYTES as usize;
    limits.ifd_value_size = 16 << 20;
    Ok(Decoder::new(Cursor::new(bytes))?.with_limits(limits))
}

/// Decodes the page with this number, to which the reader was moved.
fn decode_page(reader: &mut Reader<'_>, bytes: &[u8], index: usize) -> Result<Page, Failure> {
    let orientation = reader.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let orientation = orientation.and_then(|tag| Orientation::from_exif(tag.try_into().ok()?));
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let photometric = reader.find_tag_unsigned(Tag::PhotometricInterpretation)?;
    let raw = if photometric == Some(PALETTE) {
        let colours: Vec<u16> = reader.get_tag_u16_vec(Tag::ColorMap)?;
        // The decoder does not support palettes, so the indices are decoded as grey.
        let tag = Tag::PhotometricInterpretation;
        let mut reader = told(reader, bytes, index, (tag, BLACK_IS_ZERO))?;
        look_up(decode_samples(&mut reader, bytes, true)?, &colours)?
    } else if let Some(tiled) = height_in_tiles(reader)? {
        // The decoder cannot clip the lowest tiles of any plane but the first, so the height is set
        // to a multiple of the tile height.
        let (_, height) = reader.dimensions()?;
        let mut reader = told(reader, bytes, index, (Tag::ImageLength, tiled))?;
        decode_samples(&mut reader, bytes, false)?.cut(height as usize)
    } else {
        decode_samples(reader, bytes, false)?
    };
    Ok(Page { raw, orientation })
}

/// The height of a planar, tiled image rounded up to whole tiles, if it is no multiple of the tile height.
fn height_in_tiles(reader: &mut Reader<'_>) -> Result<Option<u32>, Failure> {
    const IN_PLANES: u16 = 2;
    let planes: u16 = reader.find_tag_unsigned(Tag::PlanarConfiguration)?.unwrap_or(1);
    if planes != IN_PLANES || reader.get_chunk_type() != ChunkType::Tile {
        return Ok(None);
    }
    let ((_, height), (_, tile)) = (reader.dimensions()?, reader.chunk_dimensions());
    let too_large = || Failure::TooLarge(format!("tiles of {tile} rows"));
    let tiled = height.checked_next_multiple_of(tile).ok_or_else(too_large)?;
    Ok((tiled != height).then_some(tiled))
}

/// A reader of this page in which one number of its directory is replaced.
fn told<'a>(
    reader: &mut Reader<'_>,
    bytes: &[u8],
    index: usize,
    (tag, told): (Tag, u32),
) -> Result<Reader<'a>, Failure> {
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    let damaged = || Failure::Damaged("its directory cannot be followed".into());
    let at = reader.ifd_pointer().and_then(|at| usize::try_from(at.0).ok()).ok_or_else(damaged)?;
    let big_endian = bytes.starts_with(b"MM");
    let is_big_tiff = bytes.get(if big_endian { 3 } else { 2 }) == Some(&43);
    let number = |at: usize| {
        let &pair = bytes.get(at..)?.first_chunk::<2>()?;
        Some(if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    };
    let (first, entry, field) = if is_big_tiff { (8, 20, 12) } else { (2, 12, 8) };
    // A directory has at most 65,535 entries; the end of the file usually comes first.
    let entries = (0..=usize::from(u16::MAX)).map(|i| at.checked_add(first + i * entry));
    let place = entries
        .map_while(|place| Some((place?, number(place?)?)))
        .find_map(|(place, found)| (found == tag.to_u16()).then_some(place))
        .ok_or_else(damaged)?;
    let value = match (number(place + 2), u16::try_from(told), big_endian) {
        (Some(SHORT), Ok(value), true) => value.to_be_bytes().to_vec(),
        (Some(SHORT), Ok(value), false) => value.to_le_bytes().to_vec(),
        (Some(LONG), _, true) => told.to_be_bytes().to_vec(),
        (Some(LONG), _, false) => told.to_le_bytes().to_vec(),
        _ => return Err(damaged()),
    };
    let mut changed = bytes.to_vec();
    let at = place + field;
    changed.get_mut(at..at + value.len()).ok_or_else(damaged)?.copy_from_slice(&value);
    let mut reader = self::reader(Cow::Owned(changed))?;
    reader.seek_to_image(index)?;
    // A tag may occur twice.
    if reader.find_tag_unsigned(tag)? != Some(told) {
        return Err(damaged());
    }
    Ok(reader)
}

/// Maps palette indices, kept as grey, to colours. The palette stores all reds, then greens, then blues.
fn look_up(indices: Raw, colours: &[u16]) -> Result<Raw, Failure> {
    let Raw { height, width, channels: 1, samples: Samples::U8(indices), .. } = indices else {
        return Err(Failure::Unread("a TIFF with a palette of more than 256 colours".into()));
    };
    let count = colours.len() / 3;
    // Some programs write 8-bit palette values, although the standard requires 16 bits.
    let shift = if colours.iter().all(|&value| value < 256) { 0 } else { 8 };
    let colour = |index: u8, c: usize| {
        let at = usize::from(index);
        let inside = (at < count).then(|| colours.get(c * count + at)).flatten();
        inside.map_or(0, |&value| (value >> shift) as u8)
    };
    let table: Vec<[u8; 3]> = (0..=255).map(|index| [0, 1, 2].map(|c| colour(index, c))).collect();
    let pixels = indices.iter().flat_map(|&index| table[usize::from(index)]).collect();
    Ok(Raw { height, width, channels: 3, samples: Samples::U8(pixels), depth: None })
}

/// Decodes the samples of the reader's current page. Samples below 8 bits are kept unscaled if they
/// are `indices` into a palette, otherwise scaled to 0 to 255.
fn decode_samples(reader: &mut Reader<'_>, bytes: &[u8], indices: bool) -> Result<Raw, Failure> {
    let (width, height) = reader.dimensions()?;
    let color = reader.colortype()?;
    let bands: u16 = reader.find_tag_unsigned(Tag::SamplesPerPixel)?.unwrap_or(1);
    let bits = u64::from(color.bit_depth());
    if !bits.is_power_of_two() || bits > 64 {
        return Err(Failure::Unread(format!("a TIFF of {bits} bits")));
    }
    let row = (u64::from(width) * u64::from(bands) * bits).div_ceil(8);
    check_size(width, height, row.saturating_mul(height.into()))?;
    check_chunks(reader, bytes, (width, height), u64::from(bands) * bits)?;
    let layout = Layout::of(color, reader)?;

    let mut result = DecodingResult::U8(Vec::new());
    let read = reader.read_image_to_buffer(&mut result)?;
    if result.as_buffer(0).byte_len() < read.complete_len {
        return Err(Failure::TooLarge(format!("{width} x {height} pixels in {bands} planes")));
    }
    let planar = read.planes > 1;
    let area = width as usize * height as usize;
    let (samples, depth) = match result {
        DecodingResult::U8(small) if bits < 8 => {
            let unpacked = unpack(&small, width as usize, bits as u8, indices);
            (Samples::U8(unpacked), None)
        }
        DecodingResult::U8(bytes) => (Samples::U8(bytes), None),
        DecodingResult::U16(values) => (Samples::U16(values), None),
        other => {
            let (values, depth) = to_16_bits(&other, layout.bands, layout.colours(), planar);
            (Samples::U16(values), depth)
        }
    };
    match samples {
        Samples::U8(values) => {
            let values = layout.arrange(values, area, planar, u8::MAX)?;
            Ok(layout.raw(height, width, Samples::U8(values), depth))
        }
        Samples::U16(values) => {
            let values = layout.arrange(values, area, planar, u16::MAX)?;
            Ok(layout.raw(height, width, Samples::U16(values), depth))
        }
    }
}

/// Rejects strips and tiles that would take far more memory or time than the image: a JPEG strip
/// that declares a larger size, tiles much larger than the image, compressed strips that overlap.
fn check_chunks(
    reader: &mut Reader<'_>,
    bytes: &[u8],
    (width, height): (u32, u32),
    bits: u64,
) -> Result<(), Failure> {
    const NOT_COMPRESSED: u16 = 1;
    const JPEG: u16 = 7;
    let compression: u16 = reader.find_tag_unsigned(Tag::Compression)?.unwrap_or(NOT_COMPRESSED);
    let strips = reader.get_chunk_type() == ChunkType::Strip;
    let (chunk_width, chunk_height) = reader.chunk_dimensions();
    let chunk_height = if strips { chunk_height.min(height) } else { chunk_height };
    let area = u64::from(chunk_width) * u64::from(chunk_height);
    let largest = chunk_width.max(chunk_height);
    if !strips && (largest > MAX_DIMENSION || area.saturating_mul(bits) / 8 > MAX_DECODED_BYTES) {
        return Err(Failure::TooLarge(format!(
            "{width} x {height} pixels in tiles of {chunk_width} x {chunk_height}"
        )));
    }
    if compression == NOT_COMPRESSED {
        return Ok(());
    }
    let (offsets, counts) = match strips {
        true => (Tag::StripOffsets, Tag::StripByteCounts),
        false => (Tag::TileOffsets, Tag::TileByteCounts),
    };
    let offsets: Vec<u64> = reader.find_tag_unsigned_vec(offsets)?.unwrap_or_default();
    let counts: Vec<u64> = reader.find_tag_unsigned_vec(counts)?.unwrap_or_default();
    let all = counts.iter().fold(0_u64, |sum, &count| sum.saturating_add(count));
    if all > 2 * bytes.len() as u64 {
        return Err(Failure::Damaged("its strips are longer than the file".into()));
    }
    if compression != JPEG {
        return Ok(());
    }
    for (&offset, &count) in offsets.iter().zip(&counts) {
        let place = |at: u64| usize::try_from(at).ok();
        let chunk = place(offset).and_then(|from| bytes.get(from..)).unwrap_or_default();
        let chunk = &chunk[..chunk.len().min(place(count).unwrap_or(0))];
        let Some(frame) = jpeg::Frame::find(chunk) else { continue };
        if let Some(kind) = frame.unread() {
            return Err(Failure::Unread(format!("a TIFF that holds {kind}")));
        }
        if u32::from(frame.width) > chunk_width || u32::from(frame.height) > chunk_height {
            return Err(Failure::Damaged(format!(
                "a JPEG of {} x {} pixels in a part of {chunk_width} x {chunk_height}",
                frame.width, frame.height
            )));
        }
    }
    Ok(())
}

/// The meaning of the samples of a pixel.
struct Layout {
    /// The number of samples per pixel that the decoder returns.
    bands: usize,
    kind: Kind,
    /// Which kind of alpha one of them is, if any: premultiplied or not.
    alpha: Option<Alpha>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
}

#[derive(Clone, Copy, PartialEq)]
enum Alpha {
    Straight,
    Multiplied,
}

impl Layout {
    fn of(color: ColorType, reader: &mut Reader<'_>) -> Result<Self, Failure> {
        const ASSOCIATED: u16 = 1;
        const UNASSOCIATED: u16 = 2;
        let extra: Vec<u16> = reader.find_tag_unsigned_vec(Tag::ExtraSamples)?.unwrap_or_default();
        let alpha = match extra.first() {
            Some(&ASSOCIATED) => Some(Alpha::Multiplied),
            Some(&UNASSOCIATED) => Some(Alpha::Straight),
            _ => None,
        };
        let (bands, kind, alpha) = match color {
            ColorType::Gray(_) => (1, Kind::Grey, None),
            // One grey sample, and extra samples.
            ColorType::Multiband { num_samples, .. }
                if extra.len() + 1 == usize::from(num_samples) && num_samples > 1 =>
            {
                (usize::from(num_samples), Kind::Grey, alpha)
            }
            ColorType::RGB(_) => (3, Kind::Rgb, None),
            ColorType::RGBA(_) => (4, Kind::Rgb, Some(alpha.unwrap_or(Alpha::Straight))),
            ColorType::YCbCr(8) => (3, Kind::YCbCr, None),
            ColorType::CMYK(8 | 16) => (4, Kind::Cmyk, None),
            ColorType::CMYKA(8 | 16) => (5, Kind::Cmyk, Some(alpha.unwrap_or(Alpha::Straight))),
            ColorType::Multiband { num_samples, .. } => {
                let kind = format!("a TIFF of {num_samples} bands that are neither grey nor RGB");
                return Err(Failure::Unread(kind));
            }
            other => return Err(Failure::Unread(format!("a TIFF of another kind ({other:?})"))),
        };
        Ok(Self { bands, kind, alpha })
    }

    /// The number of bands before alpha.
    fn colours(&self) -> usize {
        match self.kind {
            Kind::Grey => 1,
            Kind::Rgb | Kind::YCbCr => 3,
            Kind::Cmyk => 4,
        }
    }

    /// Rearranges samples, whose largest value is `full`, to grey, grey and alpha, RGB, or RGB and alpha.
    fn arrange<T>(
        &self,
        values: Vec<T>,
        area: usize,
        planar: bool,
        full: T,
    ) -> Result<Vec<T>, Failure>
    where
        T: Copy + Into<u32> + TryFrom<u32> + Default,
    {
        if values.len() < area * self.bands {
            return Err(Failure::Damaged("it holds fewer values than it says".into()));
        }
        let as_it_is = matches!(self.kind, Kind::Grey | Kind::Rgb)
            && self.alpha != Some(Alpha::Multiplied)
            && self.bands == self.colours() + usize::from(self.alpha.is_some());
        if as_it_is && !planar {
            return Ok(values);
        }
        let full: u32 = full.into();
        let number = |value: u32| T::try_from(value.min(full)).unwrap_or_default();
        let mut arranged = Vec::with_capacity(area * (3 + usize::from(self.alpha.is_some())));
        for pixel in 0..area {
            let band = |b: usize| -> u32 {
                let at = if planar { b * area + pixel } else { pixel * self.bands + b };
                values[at].into()
            };
            let mut colour = [0, 1, 2].map(|c| band(c.min(self.colours() - 1)));
            if self.kind == Kind::Cmyk {
                let share = |ink: u32| u64::from(full - ink.min(full));
                let mixed = |ink: u32| share(ink) * share(band(3)) + u64::from(full) / 2;
                colour = colour.map(|ink| (mixed(ink) / u64::from(full)) as u32);
            }
            if self.kind == Kind::YCbCr {
                colour = from_ycbcr(colour);
            }
            let alpha = self.alpha.map(|_| band(self.colours()));
            if let (Some(Alpha::Multiplied), Some(alpha @ 1..)) = (self.alpha, alpha) {
                let straight =
                    |value: u32| (u64::from(value) * u64::from(full) / u64::from(alpha)) as u32;
                colour = colour.map(straight);
            }
            let kept = if self.kind == Kind::Grey { 1 } else { 3 };
            arranged.extend(colour[..kept].iter().map(|&value| number(value)));
            arranged.extend(alpha.map(number));
        }
        Ok(arranged)
    }

    fn raw(&self, height: u32, width: u32, samples: Samples, depth: Option<Depth>) -> Raw {
        let colours = if self.kind == Kind::Grey { 1 } else { 3 };
        let channels = colours + usize::from(self.alpha.is_some());
        Raw { height: height as usize, width: width as usize, channels, samples, depth }
    }
}

/// Rec. 601, full range, as in JPEG (TIFF 6.0, section 21).
fn from_ycbcr([y, cb, cr]: [u32; 3]) -> [u32; 3] {
    let (y, cb, cr) = (f64::from(y), f64::from(cb) - 128.0, f64::from(cr) - 128.0);
    let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
    rgb.map(|value| value.round().clamp(0.0, 255.0) as u32)
}

/// Unpacks samples of 1, 2 or 4 bits to one byte each; rows are padded to whole bytes.
fn unpack(packed: &[u8], width: usize, bits: u8, indices: bool) -> Vec<u8> {
    let per_byte = usize::from(8 / bits.max(1));
    let mask = ((1_u16 << bits) - 1) as u8;
    let scale = if indices { 1 } else { 255 / mask.max(1) };
    let rows = packed.chunks_exact((width * usize::from(bits)).div_ceil(8).max(1));
    rows.flat_map(|row| {
        (0..width).map(move |x| {
            let shift = 8 - bits * (x % per_byte + 1) as u8;
            (row[x / per_byte] >> shift & mask) * scale
        })
    })
    .collect()
}

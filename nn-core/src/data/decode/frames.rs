//! Animations: the choice of the frame that is used as the image.
//!
//! It is the first frame that is not of one colour, since many animations begin black or fully
//! transparent. The search covers at most the first hundred frames and 64 million pixels; if it
//! finds none, the first frame is used.

use super::content::Format;
use super::flatten::{Raw, is_one_colour};
use super::{AlphaBackground, Decoded, Failure, limits};
use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, DynamicImage, Frames, ImageDecoder};
use std::io::Cursor;

/// The maximum number of frames that are decoded.
const MOST_FRAMES: usize = 100;
/// The maximum number of pixels that are decoded over all frames.
const MOST_PIXELS: u64 = 1 << 26;

/// Whether the file has more than one frame, as far as its blocks can be parsed.
pub(super) fn is_animated(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Gif => gif_images(bytes).take(2).count() == 2,
        Format::Png => apng_frames(bytes) > 1,
        Format::WebP => webp_frames(bytes).take(2).count() == 2,
        _ => false,
    }
}

/// Rejects a file on which the decoder would fail without returning an error: a WebP in which a
/// picture with alpha has another size than its frame.
pub(super) fn check(bytes: &[u8], format: Format) -> Result<(), Failure> {
    if format == Format::WebP && !webp_frames(bytes).all(webp_frame_fits) {
        return Err(Failure::Damaged("a frame is not of the size that it says".into()));
    }
    Ok(())
}

/// The composited frames of an animation; `None` for formats of which only the still image is decoded.
pub(super) fn all(bytes: &[u8], format: Format) -> Result<Option<Frames<'_>>, Failure> {
    let reader = Cursor::new(bytes);
    let frames = match format {
        Format::Gif => {
            let mut decoder = GifDecoder::new(reader)?;
            decoder.set_limits(limits())?;
            decoder.into_frames()
        }
        Format::WebP => {
            let mut decoder = WebPDecoder::new(reader)?;
            decoder.set_limits(limits())?;
            decoder.into_frames()
        }
        Format::Png => {
            let decoder = PngDecoder::with_limits(reader, limits())?;
            // Frames with 16-bit samples are not supported.
            if decoder.color_type().bytes_per_pixel() > decoder.color_type().channel_count() {
                return Ok(None);
            }
            decoder.apng()?.into_frames()
        }
        _ => return Ok(None),
    };
    Ok(Some(frames))
}

/// The frame to use for an animation with this many pixels per frame; `None` to use its still image.
pub(super) fn choose(
    bytes: &[u8],
    format: Format,
    pixels: u64,
    background: AlphaBackground,
) -> Result<Option<Decoded>, Failure> {
    // The decoder keeps several frames in memory.
    let most = (MOST_PIXELS / pixels.max(1)).min(MOST_FRAMES as u64) as usize;
    if most < 2 {
        return Ok(None);
    }
    let Some(frames) = all(bytes, format)? else { return Ok(None) };
    let mut first = None;
    for frame in frames.take(most) {
        let frame = match frame {
            Ok(frame) => frame,
            // A damaged frame ends the search, unless it is the first.
            Err(_) if first.is_some() => break,
            Err(error) => return Err(error.into()),
        };
        let image = DynamicImage::from(frame.into_buffer());
        let decoded = Raw::from_image(image).flatten(background)?;
        if !is_one_colour(decoded.image.pixels()) {
            return Ok(Some(decoded));
        }
        first.get_or_insert(decoded);
    }
    Ok(first)
}

/// The offsets of the images in a GIF (GIF89a, sections 17 to 26).
fn gif_images(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + bytes.get(10).map_or(0, |&flags| table(flags));
    std::iter::from_fn(move || {
        loop {
            let place = at;
            let is_image = match *bytes.get(at)? {
                // An image: descriptor, local colour table, LZW code size.
                0x2c => {
                    at += 11 + table(*bytes.get(at + 9)?);
                    true
                }
                // An extension: its label.
                0x21 => {
                    at += 2;
                    false
                }
                _ => return None,
            };
            // Data sub-blocks with their lengths; length 0 ends them.
            loop {
                let length = usize::from(*bytes.get(at)?);
                at += 1 + length;
                if length == 0 {
                    break;
                }
            }
            if is_image {
                return Some(place);
            }
        }
    })
}

/// The number of frames that a PNG declares before its image data (PNG 3, section 11.3.6.1).
fn apng_frames(bytes: &[u8]) -> u32 {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let [a, b, c, d, name @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if name.starts_with(b"IDAT") {
            break;
        }
        if let (true, Some(frames)) = (name.starts_with(b"acTL"), name.get(4..8)) {
            return u32::from_be_bytes([frames[0], frames[1], frames[2], frames[3]]);
        }
        let Some(after) = length.checked_add(12).and_then(|end| rest.get(end..)) else { break };
        rest = after;
    }
    0
}

/// The frames of an animated WebP.
fn webp_frames(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let chunks = webp_chunks(bytes.get(12..).unwrap_or_default());
    chunks.filter(|(name, _)| name == b"ANMF").map(|(_, frame)| frame)
}

/// The chunks of a WebP file or of one of its frames: their names and their data, possibly truncated.
fn webp_chunks(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let name = *rest.first_chunk::<4>()?;
        let length = u32::from_le_bytes(*rest.get(4..)?.first_chunk::<4>()?) as usize;
        let data = &rest[8..];
        let data = &data[..length.min(data.len())];
        // Chunks are padded to even offsets.
        rest = length.checked_add(8 + length % 2).and_then(|end| rest.get(end..)).unwrap_or(&[]);
        Some((name, data))
    })
}

/// Whether the bitstream of a frame with an alpha chunk has the frame's size (RFC 9649, section
/// 2.7.1.2, and RFC 6386, section 9.1).
fn webp_frame_fits(frame: &[u8]) -> bool {
    let three = |at: usize| {
        let bytes = frame.get(at..at + 3)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) + 1)
    };
    let size = three(6).zip(three(9));
    let mut chunks = webp_chunks(frame.get(16..).unwrap_or_default());
    let (first, second) = (chunks.next(), chunks.next());
    let Some((_, picture)) = second.filter(|_| first.is_some_and(|(name, _)| &name == b"ALPH"))
    else {
        return true;
    };
    let side = |at: usize| {
        let bytes = picture.get(at..at + 2)?;
        Some(u32::from(u16::from_le_bytes([bytes[0], bytes[1]]) & 0x3fff))
    };
    side(6).zip(side(8)) == size
}

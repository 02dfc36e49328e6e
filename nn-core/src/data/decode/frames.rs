//! Animations: which frame stands for all.
//!
//! It is the first that is not of one colour, for many begin black, or wholly transparent. It is looked
//! for among the first hundred frames, and not beyond 64 million pixels; if there is none, the first
//! frame is taken.

use super::content::Format;
use super::flatten::{Raw, is_one_colour};
use super::{AlphaBackground, Decoded, Failure, limits};
use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, DynamicImage, Frames, ImageDecoder};
use std::io::Cursor;

/// Frames that are looked at.
const MOST_FRAMES: usize = 100;
/// Pixels that are looked at in all of them.
const MOST_PIXELS: u64 = 1 << 26;

/// Whether the file has more frames than one, as far as its blocks can be followed.
pub(super) fn is_animated(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Gif => gif_images(bytes).take(2).count() == 2,
        Format::Png => apng_frames(bytes) > 1,
        Format::WebP => webp_frames(bytes).take(2).count() == 2,
        _ => false,
    }
}

/// Refuses a file on which its decoder would fail beyond an error: a WebP in which a picture with alpha is
/// of another size than its frame.
pub(super) fn check(bytes: &[u8], format: Format) -> Result<(), Failure> {
    if format == Format::WebP && !webp_frames(bytes).all(webp_frame_fits) {
        return Err(Failure::Damaged("a frame is not of the size that it says".into()));
    }
    Ok(())
}

/// The frames of an animation, each whole; none of a kind that only its still image is read of.
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
            // Frames of 16 bits are not read.
            if decoder.color_type().bytes_per_pixel() > decoder.color_type().channel_count() {
                return Ok(None);
            }
            decoder.apng()?.into_frames()
        }
        _ => return Ok(None),
    };
    Ok(Some(frames))
}

/// The frame that stands for an animation of this many pixels a frame; none if its still image does.
pub(super) fn choose(
    bytes: &[u8],
    format: Format,
    pixels: u64,
    background: AlphaBackground,
) -> Result<Option<Decoded>, Failure> {
    // Several frames are in memory at a time.
    let most = (MOST_PIXELS / pixels.max(1)).min(MOST_FRAMES as u64) as usize;
    if most < 2 {
        return Ok(None);
    }
    let Some(frames) = all(bytes, format)? else { return Ok(None) };
    let mut first = None;
    for frame in frames.take(most) {
        let frame = match frame {
            Ok(frame) => frame,
            // A frame that is damaged ends the animation, unless it is the first.
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

/// The images of a GIF, by their place (GIF89a, sections 17 to 26).
fn gif_images(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + bytes.get(10).map_or(0, |&flags| table(flags));
    std::iter::from_fn(move || {
        loop {
            let place = at;
            let is_image = match *bytes.get(at)? {
                // An image: its descriptor, its colours, the size of its codes.
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
            // Blocks with their lengths; that of 0 is the last.
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

/// The number of frames that a PNG announces before its image (PNG 3, section 11.3.6.1).
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

/// The chunks of a WebP or of one of its frames: their names, and what is in them as far as it is there.
fn webp_chunks(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let name = *rest.first_chunk::<4>()?;
        let length = u32::from_le_bytes(*rest.get(4..)?.first_chunk::<4>()?) as usize;
        let data = &rest[8..];
        let data = &data[..length.min(data.len())];
        // Chunks begin at even places.
        rest = length.checked_add(8 + length % 2).and_then(|end| rest.get(end..)).unwrap_or(&[]);
        Some((name, data))
    })
}

/// Whether the picture of a frame with an alpha chunk has the frame's size (RFC 9649, section 2.7.1.2, and
/// RFC 6386, section 9.1).
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

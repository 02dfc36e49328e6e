//! Conversion of content that 8-bit RGB cannot represent: transparency, more bits, more frames.

use super::files::{animated_webp, apng, idat, ihdr, png};
use super::*;
use image::codecs::gif::GifEncoder;
use image::{Frame, Luma, LumaA, Rgba, RgbaImage};

fn on(bytes: &[u8], background: &str) -> Decoded {
    decode_bytes_on(bytes, Path::new("some.png"), background.parse().unwrap()).unwrap()
}

fn treatment(bytes: &[u8]) -> Treatment {
    on(bytes, "white").treatment
}

/// A half transparent blue pixel, and a fully transparent one.
fn rgba() -> RgbaImage {
    RgbaImage::from_fn(2, 1, |x, _| Rgba([0, 0, 200, if x == 0 { 128 } else { 0 }]))
}

/// A cross of this grey level on a transparent background.
fn icon(grey: u8, column: u32) -> RgbaImage {
    RgbaImage::from_fn(16, 16, |x, y| {
        Rgba([grey, grey, grey, if x == column || y == 8 { 255 } else { 0 }])
    })
}

#[test]
fn transparency_is_laid_on_the_background_in_every_format() {
    let image: DynamicImage = rgba().into();
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let bytes = encode(&image, format);
        for (background, half, none) in [
            ("white", [127, 127, 227], [255; 3]),
            ("black", [0, 0, 100], [0; 3]),
            ("#ff0000", [127, 0, 100], [255, 0, 0]),
        ] {
            let decoded = on(&bytes, background);
            assert_eq!(pixel(&decoded.image, 0, 0), half, "{format:?} on {background}");
            assert_eq!(pixel(&decoded.image, 0, 1), none, "{format:?} on {background}");
            assert!(decoded.treatment.transparent);
        }
    }
    // A pixel of a GIF is fully transparent or opaque.
    let decoded = on(&encode(&icon(90, 3).into(), ImageFormat::Gif), "#0000ff");
    assert_eq!(pixel(&decoded.image, 0, 0), [0, 0, 255]);
    near(pixel(&decoded.image, 0, 3), [90; 3], 4);
    // Grey, of 8 and 16 bits.
    let grey = image::GrayAlphaImage::from_pixel(1, 1, LumaA([100, 51]));
    assert_eq!(decode(&encode(&grey.into(), ImageFormat::Png)).unwrap().pixels(), [224; 3]);
    let deep = image::ImageBuffer::from_pixel(1, 1, LumaA([0xffff_u16, 0x3333]));
    let decoded = on(&encode(&deep.into(), ImageFormat::Png), "black");
    assert_eq!(decoded.image.pixels(), [51; 3]);
    assert_eq!(decoded.treatment.depth, Some(Depth::Bits(16)));
}

#[test]
fn transparency_by_a_table_or_a_colour_is_seen() {
    let end = (b"IEND", Vec::new());
    // A palette of red and green; green is transparent.
    let palette = png(&[
        (b"IHDR", ihdr(2, 1, 8, 3)),
        (b"PLTE", vec![255, 0, 0, 0, 255, 0]),
        (b"tRNS", vec![255, 0]),
        (b"IDAT", idat(&[&[0, 1]])),
        end.clone(),
    ]);
    assert_eq!(on(&palette, "black").image.pixels(), [255, 0, 0, 0, 0, 0]);
    // Grey of 8 and of 16 bits; one value is transparent.
    let grey = png(&[
        (b"IHDR", ihdr(2, 1, 8, 0)),
        (b"tRNS", vec![0, 7]),
        (b"IDAT", idat(&[&[7, 9]])),
        end.clone(),
    ]);
    assert_eq!(on(&grey, "white").image.pixels(), [255, 255, 255, 9, 9, 9]);
    let deep = png(&[
        (b"IHDR", ihdr(2, 1, 16, 0)),
        (b"tRNS", vec![0, 7]),
        (b"IDAT", idat(&[&[0, 7, 255, 255]])),
        end,
    ]);
    assert_eq!(on(&deep, "#010203").image.pixels(), [1, 2, 3, 255, 255, 255]);
}

#[test]
fn opaque_images_are_not_treated() {
    let opaque: DynamicImage = RgbaImage::from_pixel(3, 3, Rgba([9, 8, 7, 255])).into();
    for image in [opaque, noise(5, 4), noise(5, 4).into_luma8().into()] {
        for format in FORMATS {
            if format == ImageFormat::Gif && image.color().channel_count() == 1 {
                continue; // not written
            }
            assert_eq!(treatment(&encode(&image, format)), Treatment::default(), "{format:?}");
        }
    }
}

#[test]
fn what_vanishes_on_its_background_is_known() {
    let white = encode(&icon(255, 3).into(), ImageFormat::Png);
    assert!(on(&white, "white").treatment.vanished);
    assert!(!on(&white, "black").treatment.vanished);
    let nothing: DynamicImage = RgbaImage::from_pixel(4, 4, Rgba([1, 2, 3, 0])).into();
    let nothing = on(&encode(&nothing, ImageFormat::Png), "white").treatment;
    assert!(nothing.transparent && !nothing.vanished, "there is nothing to be seen on any");
}

/// Whether two files with these contents show the same image.
fn same(a: &[u8], b: &[u8]) -> bool {
    let folder = tempfile::TempDir::new().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::write(&first, a).unwrap();
    std::fs::write(&second, b).unwrap();
    pixels_hash(&first).unwrap() == pixels_hash(&second).unwrap()
}

#[test]
fn files_are_the_same_in_colour_and_transparency_and_all_bits() {
    let png = |image: RgbaImage| encode(&image.into(), ImageFormat::Png);
    let webp = |image: RgbaImage| encode(&image.into(), ImageFormat::WebP);
    assert!(same(&png(icon(0, 3)), &webp(icon(0, 3))));
    assert!(!same(&png(icon(0, 3)), &png(icon(0, 4))));
    assert!(!same(&png(icon(255, 3)), &png(icon(255, 4))), "both are white on white");
    // Composited on white it looks the same, but is another image.
    let laid = on(&png(icon(0, 3)), "white").image;
    let laid = RgbImage::from_raw(16, 16, laid.pixels().to_vec()).unwrap();
    assert!(!same(&png(icon(0, 3)), &encode(&laid.into(), ImageFormat::Png)));
    // The colours of transparent pixels are ignored.
    let mut hidden = icon(0, 3);
    hidden.pixels_mut().filter(|pixel| pixel.0[3] == 0).for_each(|pixel| pixel.0[0] = 77);
    assert!(same(&png(icon(0, 3)), &png(hidden)));
    // The low bits of 16 count, unless they carry no information.
    let deep = |values: [u16; 2]| {
        let image = image::ImageBuffer::from_fn(2, 1, |x, _| Luma([values[x as usize]]));
        encode(&image.into(), ImageFormat::Png)
    };
    assert!(!same(&deep([0x1000, 0xff00]), &deep([0x1001, 0xff00])));
    let eight = image::GrayImage::from_fn(2, 1, |x, _| Luma([[0x10, 0xff][x as usize]]));
    assert!(same(&deep([0x1010, 0xffff]), &encode(&eight.into(), ImageFormat::Png)));
}

#[test]
fn the_bits_in_use_are_the_range() {
    // A gradient in the 12 bits of a detector, stored in 16.
    let wedge = image::ImageBuffer::from_fn(64, 1, |x, _| Luma([(x * 65) as u16]));
    let decoded = on(&encode(&wedge.into(), ImageFormat::Png), "white");
    assert_eq!(decoded.treatment.depth, Some(Depth::Bits(12)));
    assert_eq!((pixel(&decoded.image, 0, 0), pixel(&decoded.image, 0, 63)), ([0; 3], [255; 3]));
    // In colour, with one factor.
    let colour = image::ImageBuffer::from_pixel(2, 2, Rgb([4095_u16, 2048, 0]));
    let decoded = on(&encode(&colour.into(), ImageFormat::Png), "white");
    assert_eq!(pixel(&decoded.image, 1, 1), [255, 128, 0]);
    // A PGM declares its largest value.
    let decoded = on(b"P5 2 1 4095\n\x00\x00\x0f\xff", "white");
    assert_eq!(decoded.image.pixels(), [0, 0, 0, 255, 255, 255]);
}

fn flat(grey: u8) -> RgbaImage {
    RgbaImage::from_pixel(12, 8, Rgba([grey, grey, grey, 255]))
}

/// A picture of stripes, different for each `step`.
fn stripes(step: u32) -> RgbaImage {
    RgbaImage::from_fn(12, 8, |x, _| {
        let grey = if (x / step).is_multiple_of(2) { 255 } else { 0 };
        Rgba([grey, grey, grey, 255])
    })
}

/// An animation of these frames, in each format with animations.
fn animations(frames: &[RgbaImage]) -> [Vec<u8>; 3] {
    let mut gif = Vec::new();
    GifEncoder::new(&mut gif).encode_frames(frames.iter().cloned().map(Frame::new)).unwrap();
    let stills: Vec<Vec<u8>> =
        frames.iter().map(|frame| encode(&frame.clone().into(), ImageFormat::WebP)).collect();
    let rows: Vec<Vec<u8>> = frames.iter().map(|frame| frame.as_raw().clone()).collect();
    [gif, animated_webp(12, 8, &stills), apng(12, 8, &rows)]
}

#[test]
fn the_first_frame_that_is_not_of_one_colour_stands_for_an_animation() {
    let clear = RgbaImage::new(12, 8);
    for first in [flat(0), flat(255), clear] {
        for bytes in animations(&[first, flat(3), stripes(3), stripes(2)]) {
            let decoded = on(&bytes, "white");
            assert!(decoded.treatment.animation);
            let expected = DynamicImage::from(stripes(3)).into_rgb8();
            assert_eq!(decoded.image.pixels(), expected.as_raw(), "{:?}", sniff(&bytes));
        }
    }
    // If there is none, the first frame is used.
    for bytes in animations(&[flat(0), flat(255)]) {
        assert_eq!(pixel(&on(&bytes, "white").image, 0, 0), [0; 3]);
    }
    // A single frame is no animation.
    for bytes in animations(&[stripes(2)]) {
        assert!(!treatment(&bytes).animation, "{:?}", sniff(&bytes));
    }
}

#[test]
fn frames_that_are_damaged_end_an_animation_unless_they_are_the_first() {
    for bytes in animations(&[flat(0), flat(9), stripes(3)]) {
        for end in (20..bytes.len()).step_by(3) {
            if let Ok(image) = decode(&bytes[..end]) {
                assert_eq!((image.width(), image.height()), (12, 8));
            }
        }
        assert!(decode(&bytes[..40]).is_err());
    }
}

#[test]
fn animations_are_the_same_if_all_frames_are() {
    let one = animations(&[flat(0), stripes(3), stripes(2)]);
    let other = animations(&[flat(0), stripes(3), stripes(1)]);
    for (one, other) in one.iter().zip(&other) {
        assert!(same(one, one) && !same(one, other), "{:?}", sniff(one));
    }
    assert!(same(&one[1], &one[2]), "WebP and PNG hold the same frames");
    let still = encode(&stripes(3).into(), ImageFormat::Png);
    assert!(!same(&one[2], &still));
}

#[test]
fn bitmaps_with_nothing_in_their_alpha_are_opaque() {
    let mut bytes =
        encode(&RgbaImage::from_pixel(3, 2, Rgba([9, 8, 7, 0])).into(), ImageFormat::Bmp);
    assert_eq!(decode(&bytes).unwrap().pixels(), [9, 8, 7].repeat(6));
    let last = bytes.len() - 1;
    bytes[last] = 255;
    let decoded = decode(&bytes).unwrap();
    assert_eq!(pixel(&decoded, 1, 0), [255; 3], "one pixel that is seen makes the others clear");
}

mod files;
mod pages;
mod rule;

use super::*;
use image::{ColorType, ExtendedColorType, ImageEncoder, ImageFormat, Luma, Rgb};

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decode(bytes: &[u8]) -> Result<Rgb8> {
    decode_bytes(bytes, Path::new("folder/some.jpg"))
}

fn refused(bytes: &[u8]) -> String {
    let message = decode(bytes).unwrap_err().to_string();
    assert!(message.starts_with("folder/some.jpg: "), "{message}");
    message
}

fn pixel(image: &Rgb8, row: usize, column: usize) -> [u8; 3] {
    image.pixels()[(row * image.width() + column) * 3..][..3].try_into().unwrap()
}

fn near(received: [u8; 3], expected: [u8; 3], tolerance: u8) {
    let close = received.iter().zip(expected).all(|(&r, e)| r.abs_diff(e) <= tolerance);
    assert!(close, "{received:?} is not {expected:?}");
}

/// Noise, so that no format can compress it to a few bytes.
fn noise(height: u32, width: u32) -> DynamicImage {
    let mut rng = crate::rng::Rng::new(1, 0);
    let mut byte = || rng.next_u32() as u8;
    image::RgbImage::from_fn(width, height, |_, _| Rgb([byte(), byte(), byte()])).into()
}

const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Bmp,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Jpeg,
    ImageFormat::Pnm,
];

#[test]
fn every_format_is_read_whatever_its_name() {
    let image = noise(9, 14);
    for format in FORMATS {
        let decoded = decode(&encode(&image, format)).unwrap();
        assert_eq!((decoded.height(), decoded.width()), (9, 14), "{format:?}");
        if !matches!(format, ImageFormat::Jpeg | ImageFormat::Gif) {
            assert_eq!(decoded.pixels(), image.as_bytes(), "{format:?}");
        }
    }
    let flat: DynamicImage = image::RgbImage::from_pixel(9, 14, Rgb([180, 90, 30])).into();
    for format in [ImageFormat::Jpeg, ImageFormat::Gif] {
        near(pixel(&decode(&encode(&flat, format)).unwrap(), 4, 5), [180, 90, 30], 4);
    }
}

#[test]
fn grey_and_16_bits_become_rgb() {
    let cases: [(DynamicImage, [u8; 3]); 3] = [
        (image::GrayImage::from_pixel(3, 2, Luma([77])).into(), [77; 3]),
        (
            image::ImageBuffer::from_pixel(3, 2, Rgb([0x0000_u16, 0x8080, 0xffff])).into(),
            [0, 128, 255],
        ),
        (image::ImageBuffer::from_pixel(3, 2, Luma([0x4142_u16])).into(), [0x41; 3]),
    ];
    for (image, expected) in cases {
        let decoded = decode(&encode(&image, ImageFormat::Png)).unwrap();
        assert_eq!(decoded.pixels(), expected.repeat(6), "{:?}", image.color());
    }
    let grey = image::GrayImage::from_pixel(8, 8, Luma([77]));
    let decoded = decode(&encode(&grey.into(), ImageFormat::Jpeg)).unwrap();
    near(pixel(&decoded, 0, 0), [77; 3], 1);
}

#[test]
fn cmyk_and_ycck_become_rgb() {
    // The values that TensorFlow and Pillow decode.
    for bytes in [
        include_bytes!("../../../../tests/fixtures/images/cmyk.jpg").as_slice(),
        include_bytes!("../../../../tests/fixtures/images/ycck.jpg"),
    ] {
        let decoded = decode(bytes).unwrap();
        assert_eq!((decoded.height(), decoded.width()), (16, 16));
        near(pixel(&decoded, 2, 2), [255, 55, 56], 3);
        near(pixel(&decoded, 2, 13), [42, 195, 195], 3);
    }
}

#[test]
fn a_jpeg_is_what_the_image_crate_makes_of_it() {
    let mut files: Vec<Vec<u8>> = [
        include_bytes!("../../../../tests/fixtures/images/progressive.jpg").as_slice(),
        include_bytes!("../../../../tests/fixtures/images/rotated.jpg"),
        include_bytes!("../../../../tests/fixtures/images/cmyk.jpg"),
        include_bytes!("../../../../tests/fixtures/images/ycck.jpg"),
    ]
    .map(<[u8]>::to_vec)
    .into();
    for (height, width) in [(1, 1), (9, 14), (40, 33)] {
        files.push(encode(&noise(height, width), ImageFormat::Jpeg));
        files.push(encode(&noise(height, width).into_luma8().into(), ImageFormat::Jpeg));
    }
    for bytes in files {
        let mut reader = ImageReader::new(Cursor::new(&bytes));
        reader.set_format(ImageFormat::Jpeg);
        let mut decoder = reader.into_decoder().unwrap();
        let orientation = decoder.orientation().unwrap();
        let mut expected = DynamicImage::from_decoder(decoder).unwrap();
        expected.apply_orientation(orientation);
        let decoded = decode(&bytes).unwrap();
        assert_eq!(decoded.pixels(), expected.into_rgb8().as_raw());
    }
}

#[test]
fn progressive_and_animated_files_are_read() {
    let progressive = include_bytes!("../../../../tests/fixtures/images/progressive.jpg");
    let decoded = decode(progressive).unwrap();
    near(pixel(&decoded, 20, 10), [80, 160, 128], 6);
    for bytes in [
        include_bytes!("../../../../tests/fixtures/images/animated.gif").as_slice(),
        include_bytes!("../../../../tests/fixtures/images/animated.webp"),
    ] {
        let decoded = decode(bytes).unwrap();
        assert_eq!(decoded.pixels(), [0, 255, 0].repeat(64), "the first frame is green");
    }
}

#[test]
fn exif_orientation_is_applied() {
    let rotated = include_bytes!("../../../../tests/fixtures/images/rotated.jpg");
    let decoded = decode(rotated).unwrap();
    assert_eq!((decoded.height(), decoded.width()), (32, 16), "stored 16 high, 32 wide");
    near(pixel(&decoded, 2, 8), [255, 0, 0], 3);
    near(pixel(&decoded, 29, 8), [0, 0, 255], 3);
}

#[test]
fn truncated_files_are_refused_wherever_they_end() {
    let image = noise(40, 30);
    let mut files: Vec<Vec<u8>> = FORMATS.iter().map(|&f| encode(&image, f)).collect();
    for fixture in [
        include_bytes!("../../../../tests/fixtures/images/progressive.jpg").as_slice(),
        include_bytes!("../../../../tests/fixtures/images/rotated.jpg"),
        include_bytes!("../../../../tests/fixtures/images/cmyk.jpg"),
    ] {
        files.push(fixture.to_vec());
    }
    for bytes in files {
        // The last bytes may be an end marker after the last pixel; a file cut by 20 bytes must be
        // rejected.
        for end in (0..bytes.len() - 20).step_by(7).chain([bytes.len() - 20]) {
            let format = image::guess_format(&bytes).unwrap();
            assert!(decode(&bytes[..end]).is_err(), "{format:?}, {end} of {}", bytes.len());
        }
    }
}

#[test]
fn kinds_of_jpeg_that_are_not_read_are_named() {
    let whole = encode(&noise(24, 24), ImageFormat::Jpeg);
    let frame = whole.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    for (process, precision, named) in [
        (0xc9, 8, "an arithmetic-coded JPEG"),
        (0xca, 8, "an arithmetic-coded JPEG"),
        (0xc3, 8, "a lossless JPEG"),
        (0xc5, 8, "a hierarchical JPEG"),
        (0xc1, 12, "a JPEG of 12 bits"),
    ] {
        let mut bytes = whole.clone();
        (bytes[frame + 1], bytes[frame + 4]) = (process, precision);
        let message = refused(&bytes);
        assert!(message.contains(&format!("this is {named}, which is not read")), "{message}");
    }
}

#[test]
fn markers_are_found_wherever_they_are() {
    for len in [2, 63, 64, 65, 66, 130, 200] {
        // Escaped 0xff bytes and repeated markers are no end marker.
        let data: Vec<u8> = (0..len).map(|i| if i % 5 == 0 { 0xff } else { 0 }).collect();
        assert_eq!(next_marker(&data), None);
        for at in 0..len - 1 {
            let mut bytes = data.clone();
            bytes[at..at + 2].copy_from_slice(&[0xff, 0xd9]);
            assert_eq!(next_marker(&bytes), Some(at), "{at} of {len}");
        }
    }
}

#[test]
fn a_jpeg_without_its_last_byte_is_refused_and_one_with_more_is_not() {
    let whole = encode(&noise(24, 24), ImageFormat::Jpeg);
    let expected = decode(&whole).unwrap();
    assert!(refused(&whole[..whole.len() - 1]).contains("ends early"));
    // The zeros of an unfinished download.
    let mut zeros = whole.clone();
    zeros[whole.len() / 2..].fill(0);
    assert!(refused(&zeros).contains("ends early"));
    let more = [whole.as_slice(), b"trailer\0\0"].concat();
    assert_eq!(decode(&more).unwrap(), expected);
    // The marker of a thumbnail in a segment is not the image's own.
    let thumbnail = b"\xff\xe1\x00\x06\xff\xd8\xff\xd9";
    let nested = [&whole[..2], thumbnail, &whole[2..]].concat();
    assert_eq!(decode(&nested).unwrap(), expected);
    assert!(refused(&nested[..nested.len() - 2]).contains("ends early"));
}

#[test]
fn what_is_not_an_image_is_refused() {
    assert!(refused(b"").contains("the file is empty"));
    assert!(refused(b"GIF8, or so I say").contains("not an image"));
    let page = refused(b"<!DOCTYPE html><html></html>");
    assert!(page.contains("an HTML page, not an image"), "{page}");
    assert!(page.contains("JPEG, PNG, GIF, WebP, BMP, TIFF or PNM"), "{page}");
    assert!(refused(b"II*\0\x08\0\0\0").contains("TIFF image is damaged"));
    let avif = refused(b"\0\0\0\x20ftypavif\0\0\0\0");
    assert!(avif.contains("this is an AVIF image, which is not read"), "{avif}");
    assert!(avif.contains("PNG or JPEG"), "{avif}");
    assert!(refused(b"\xff\xd8\xff\xd9").contains("JPEG image is damaged"));
    let mut flipped = encode(&noise(8, 8), ImageFormat::Png);
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert!(refused(&flipped).contains("PNG image is damaged"));
}

/// A PNG header that declares this size, followed by the data of a small image.
fn png_claiming(width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = vec![0; 8 * usize::from(color.bits_per_pixel() / 8)];
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    encoder.write_image(&pixels, 8, 1, color).unwrap();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg()))
    })
}

#[test]
fn images_of_gigabytes_are_refused_by_their_header() {
    for (width, height) in [(100_000, 100_000), (20_001, 1), (1, 20_001)] {
        let message = refused(&png_claiming(width, height, ColorType::Rgba8.into()));
        assert!(message.contains("too large") && message.contains("20000"), "{message}");
    }
    // Within the maximum dimension, but beyond the maximum size.
    let message = refused(&png_claiming(20_000, 20_000, ColorType::Rgba16.into()));
    assert!(message.contains("too large: 20000 x 20000 pixels, 3051 MiB"), "{message}");
    // Grey decodes to one byte per pixel, but is kept as three.
    let message = refused(&png_claiming(18_000, 18_000, ColorType::L8.into()));
    assert!(message.contains("too large"), "{message}");
    assert!(decode(&png_claiming(20_000, 1, ColorType::Rgb8.into())).is_err(), "too little data");

    // A GIF with a screen of 65535 x 65535, a JPEG with a frame of 65500 x 65500.
    let mut gif = encode(&noise(4, 4), ImageFormat::Gif);
    gif[6..10].fill(0xff);
    assert!(refused(&gif).contains("too large"));
    let mut jpeg = encode(&noise(4, 4), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    assert!(refused(&jpeg).contains("too large"));
}

#[test]
fn images_without_pixels_are_refused() {
    let mut gif = encode(&noise(4, 4), ImageFormat::Gif);
    gif[6..8].fill(0);
    assert!(refused(&gif).contains("no pixels"));
    let mut bmp = encode(&noise(4, 4), ImageFormat::Bmp);
    bmp[18..22].fill(0);
    refused(&bmp);
    refused(&png_claiming(0, 4, ColorType::Rgb8.into()));
    let mut jpeg = encode(&noise(4, 4), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 7].fill(0);
    refused(&jpeg);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = decode_file(Path::new("no/such.png")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }) && missing.to_string().contains("no/such.png"));
    let folder = tempfile::TempDir::new().unwrap();
    assert!(decode_file(folder.path()).is_err(), "a folder is no image");
}

#[test]
fn pixels_must_fit_the_size() {
    assert!(Rgb8::new(2, 1, vec![0; 6]).is_ok());
    for (height, width, len) in [(2, 1, 5), (0, 1, 0), (usize::MAX, 2, 6)] {
        assert!(Rgb8::new(height, width, vec![0; len]).is_err());
    }
}

#[test]
fn photographs_are_decoded_as_tensorflow_decodes_them() {
    let Some(root) = crate::data::photographs() else {
        println!("skipped: the published photographs are not here");
        return;
    };
    let fixtures = include_str!("../../../../tests/fixtures/images/photographs.json");
    let fixtures: serde_json::Value = serde_json::from_str(fixtures).unwrap();
    for case in fixtures.as_array().unwrap() {
        let decoded = decode_file(&root.join(case["file"].as_str().unwrap())).unwrap();
        let numbers = |key: &str| -> Vec<f64> {
            case[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        assert_eq!(numbers("size"), [decoded.height() as f64, decoded.width() as f64]);
        let area = (decoded.height() * decoded.width()) as f64;
        for c in 0..3 {
            let values = decoded.pixels().iter().skip(c).step_by(3);
            let mean = values.map(|&v| f64::from(v)).sum::<f64>() / area;
            // The accurate inverse DCT, and the fast one that Keras uses.
            assert!((mean - numbers("mean")[c]).abs() < 0.5, "{case}: {c} has mean {mean}");
            assert!((mean - numbers("fast_mean")[c]).abs() < 2.0, "{case}: {c} has mean {mean}");
        }
        for point in case["pixels"].as_array().unwrap() {
            let [row, column, rgb @ ..]: [usize; 5] =
                serde_json::from_value(point.clone()).unwrap();
            near(pixel(&decoded, row, column), rgb.map(|v| v as u8), 6);
        }
    }
}

#[test]
fn no_published_photograph_is_turned() {
    let Some(root) = crate::data::photographs() else {
        println!("skipped: the published photographs are not here");
        return;
    };
    let mut seen = 0;
    for set in ["same_backgrounds", "different_backgrounds", "background_swap"] {
        let folder = crate::data::ImageFolder::scan(&root.join(set)).unwrap();
        for sample in folder.samples() {
            let mut reader = ImageReader::open(&sample.path).unwrap();
            reader.set_format(ImageFormat::Jpeg);
            let orientation = reader.into_decoder().unwrap().orientation().unwrap();
            assert_eq!(orientation, Orientation::NoTransforms, "{}", sample.path.display());
            let bytes = std::fs::read(&sample.path).unwrap();
            assert!(jpeg_is_whole(&bytes), "{}", sample.path.display());
            seen += 1;
        }
    }
    assert_eq!(seen, 240);
}

#[test]
fn what_was_saved_instead_of_an_image_is_quoted() {
    for (content, says) in [
        (&b"404: Not Found\n"[..], "but a text that begins \"404: Not Found\""),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "`git lfs pull`"),
        (b"/annex/objects/SHA256E-s1--0.jpg\n", "`git annex get`"),
        (b"<!DOCTYPE html><html>", "an HTML page, not an image"),
        (b"\x01\x02\x03 bytes", "this is not an image; expected"),
    ] {
        let message = decode_bytes(content, Path::new("a.jpg")).unwrap_err().to_string();
        assert!(message.starts_with("a.jpg: ") && message.contains(says), "{message}");
    }
}

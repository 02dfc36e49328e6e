//! TIFF: the supported variants, and damaged files.

use super::files::*;
use super::*;

fn tiff_of(page: TiffPage) -> Vec<u8> {
    tiff(false, &[page])
}

fn decoded(bytes: &[u8]) -> Decoded {
    decode_bytes_on(bytes, Path::new("some.tif"), AlphaBackground::WHITE).unwrap()
}

fn words(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn grey_of_any_bits_is_read() {
    let page = |bits: u32, strip: &[u8]| TiffPage::new(4, 1, &[bits], 1, strip.to_vec());
    for (bits, strip, expected) in [
        (1, &[0b1010_0000][..], [255, 0, 255, 0]),
        (2, &[0b0001_1011], [0, 85, 170, 255]),
        (4, &[0x0f, 0x87], [0, 255, 136, 119]),
        (8, &[0, 1, 77, 255], [0, 1, 77, 255]),
    ] {
        let image = decoded(&tiff_of(page(bits, strip)));
        let grey: Vec<u8> = image.image.pixels().iter().copied().step_by(3).collect();
        assert_eq!(grey, expected, "{bits} bits");
        assert_eq!(image.treatment, Treatment::default());
    }
    // White is zero, as in a fax.
    let white = decoded(&tiff_of(TiffPage::new(4, 1, &[1], 0, vec![0b1010_0000])));
    assert_eq!(white.image.pixels()[..6], [0, 0, 0, 255, 255, 255]);
}

#[test]
fn both_byte_orders_and_12_bits_in_16_are_read() {
    let values = [0_u16, 1000, 4095];
    let little: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let big: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
    for (big_endian, strip) in [(false, little), (true, big)] {
        let image = decoded(&tiff(big_endian, &[TiffPage::new(3, 1, &[16], 1, strip)]));
        assert_eq!(image.image.pixels(), [0, 0, 0, 62, 62, 62, 255, 255, 255]);
        assert_eq!(image.treatment.depth, Some(Depth::Bits(12)));
    }
}

#[test]
fn signed_and_floating_point_numbers_are_read() {
    const SIGNED: u32 = 2;
    const FLOAT: u32 = 3;
    let scan: Vec<u8> = [-1024_i16, 0, 3071].iter().flat_map(|v| v.to_le_bytes()).collect();
    let image =
        decoded(&tiff_of(TiffPage::new(3, 1, &[16], 1, scan).with(SAMPLE_FORMAT, &[SIGNED])));
    assert_eq!(image.image.pixels(), [0, 0, 0, 64, 64, 64, 255, 255, 255]);
    assert_eq!(image.treatment.depth, Some(Depth::Bits(12)));
    let float: Vec<u8> = [-2.0_f32, 0.0, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let page = TiffPage::new(3, 1, &[32], 1, float).with(SAMPLE_FORMAT, &[FLOAT]);
    let image = decoded(&tiff_of(page));
    assert_eq!(image.image.pixels(), [0, 0, 0, 128, 128, 128, 255, 255, 255]);
    assert_eq!(image.treatment.depth, Some(Depth::Float));
    let long: Vec<u8> = [0_u32, 1 << 20].iter().flat_map(|v| v.to_le_bytes()).collect();
    let image = decoded(&tiff_of(TiffPage::new(2, 1, &[32], 1, long)));
    assert_eq!(image.treatment.depth, Some(Depth::Bits(22)));
}

#[test]
fn colours_are_read_in_every_arrangement() {
    let rgb = || TiffPage::new(2, 1, &[8, 8, 8], 2, vec![1, 2, 3, 4, 5, 6]);
    assert_eq!(decoded(&tiff_of(rgb())).image.pixels(), [1, 2, 3, 4, 5, 6]);
    // Planar, with one strip per plane.
    let mut planes = rgb().with(PLANAR, &[2]);
    planes.strips = vec![vec![1, 4], vec![2, 5], vec![3, 6]];
    assert_eq!(decoded(&tiff_of(planes)).image.pixels(), [1, 2, 3, 4, 5, 6]);
    // 16 bits, with one strip per row.
    let mut deep = TiffPage::new(1, 2, &[16, 16, 16], 2, words(&[65_535, 257, 0]));
    deep.strips.push(words(&[514, 0, 65_535]));
    let deep = deep.with(ROWS_PER_STRIP, &[1]);
    assert_eq!(decoded(&tiff_of(deep)).image.pixels(), [255, 1, 0, 2, 0, 255]);
    // Cyan, magenta, yellow and black.
    let cmyk = TiffPage::new(3, 1, &[8; 4], 5, vec![0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 128]);
    let cmyk = decoded(&tiff_of(cmyk));
    assert_eq!(cmyk.image.pixels(), [255, 255, 255, 0, 255, 255, 127, 127, 127]);
    // YCbCr: grey, and red as in JPEG.
    let ycbcr = TiffPage::new(2, 1, &[8; 3], 6, vec![90, 128, 128, 76, 85, 255]).with(530, &[1, 1]);
    let ycbcr = decoded(&tiff_of(ycbcr));
    assert_eq!(ycbcr.image.pixels()[..3], [90; 3]);
    near(pixel(&ycbcr.image, 0, 1), [254, 0, 0], 2);
}

#[test]
fn tiles_are_cut_at_the_border() {
    // An image of 3 x 3 pixels in tiles of 16 x 16, where each value encodes its position.
    let tile = |plane: u8| (0..=255_u8).map(|i| i / 16 * 10 + i % 16 + plane).collect::<Vec<u8>>();
    let with_tiles = |page: TiffPage, tiles: Vec<Vec<u8>>| {
        let page = page.with(TILE_WIDTH, &[16]).with(TILE_HEIGHT, &[16]);
        tiff_of(TiffPage { strips: tiles, ..page })
    };
    let grey = TiffPage::new(3, 3, &[8], 1, Vec::new());
    let grey = decoded(&with_tiles(grey, vec![tile(0)])).image;
    assert_eq!((grey.height(), grey.width()), (3, 3));
    assert_eq!((pixel(&grey, 0, 2), pixel(&grey, 2, 1)), ([2; 3], [21; 3]));
    // Planar tiles, on which the decoder fails without the adjusted height.
    for big_endian in [false, true] {
        let planes = TiffPage::new(3, 19, &[8; 3], 2, Vec::new()).with(PLANAR, &[2]);
        let tiles = [1, 1, 2, 2, 3, 3].map(tile).to_vec();
        let page = planes.with(TILE_WIDTH, &[16]).with(TILE_HEIGHT, &[16]);
        let colour = decoded(&tiff(big_endian, &[TiffPage { strips: tiles, ..page }])).image;
        assert_eq!((colour.height(), colour.width()), (19, 3));
        assert_eq!(pixel(&colour, 0, 0), [1, 2, 3]);
        assert_eq!(pixel(&colour, 15, 2), [153, 154, 155]);
        assert_eq!(pixel(&colour, 18, 1), [22, 23, 24]);
    }
}

#[test]
fn palettes_are_looked_up_in_both_byte_orders() {
    let mut map = vec![0_u32; 3 * 16];
    (map[1], map[16 + 2], map[32 + 3]) = (0xffff, 0x8080, 0x4040);
    for big_endian in [false, true] {
        let page = TiffPage::new(4, 1, &[4], 3, vec![0x01, 0x23]).with(COLOUR_MAP, &map);
        let image = decoded(&tiff(big_endian, &[page]));
        assert_eq!(image.image.pixels(), [0, 0, 0, 255, 0, 0, 0, 128, 0, 0, 0, 64]);
    }
    let page = TiffPage::new(4, 1, &[8], 3, vec![0, 1, 2, 3]);
    assert!(refused(&tiff_of(page)).contains("damaged"), "there is no palette");
}

#[test]
fn transparency_is_laid_on_the_background() {
    let alpha = |kind: u32, strip: Vec<u8>| {
        TiffPage::new(2, 1, &[8; 4], 2, strip).with(EXTRA_SAMPLES, &[kind])
    };
    let straight = decoded(&tiff_of(alpha(2, vec![200, 0, 0, 128, 9, 9, 9, 0])));
    assert_eq!(straight.image.pixels(), [227, 127, 127, 255, 255, 255]);
    assert!(straight.treatment.transparent);
    // Premultiplied alpha, as many programs write it.
    let multiplied = decoded(&tiff_of(alpha(1, vec![100, 0, 0, 128, 0, 0, 0, 0])));
    near(pixel(&multiplied.image, 0, 0), [227, 127, 127], 1);
    // A fourth band that is not alpha: infrared.
    let four = decoded(&tiff_of(alpha(0, vec![1, 2, 3, 0, 4, 5, 6, 0])));
    assert_eq!(four.image.pixels(), [1, 2, 3, 4, 5, 6]);
    let grey = TiffPage::new(2, 1, &[8; 2], 1, vec![10, 255, 10, 0]).with(EXTRA_SAMPLES, &[2]);
    assert_eq!(decoded(&tiff_of(grey)).image.pixels(), [10, 10, 10, 255, 255, 255]);
}

#[test]
fn the_first_page_that_is_no_thumbnail_is_taken() {
    let page = |grey: u8| TiffPage::new(1, 1, &[8], 1, vec![grey]);
    let thumbnail = || page(9).with(NEW_SUBFILE, &[1]);
    let one = decoded(&tiff(false, &[page(1)]));
    assert!(!one.treatment.pages);
    let two = decoded(&tiff(false, &[page(1), page(2)]));
    assert!(two.treatment.pages && two.image.pixels() == [1; 3]);
    let preview = decoded(&tiff(false, &[thumbnail(), page(2), thumbnail()]));
    assert!(!preview.treatment.pages && preview.image.pixels() == [2; 3]);
    let raw = refused(&tiff(false, &[thumbnail()]));
    assert!(raw.contains("nothing but thumbnails"), "{raw}");
    let turned = TiffPage::new(2, 1, &[8], 1, vec![1, 2]).with(ORIENTATION, &[6]);
    let turned = decoded(&tiff_of(turned)).image;
    assert_eq!((turned.height(), turned.width()), (2, 1));

    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str, pages: &[TiffPage]| {
        let path = folder.path().join(name);
        std::fs::write(&path, tiff(false, pages)).unwrap();
        path
    };
    let [a, b] = [("a", page(2)), ("b", page(3))].map(|(name, last)| file(name, &[page(1), last]));
    let [a, b] = [a, b].map(|file| pixels_hash(&file).unwrap());
    assert_ne!(a, b, "the second pages differ");
}

#[test]
fn what_is_not_read_is_named() {
    let page = |bits: &[u32], photometric| TiffPage::new(2, 2, bits, photometric, vec![0; 400]);
    let bands = refused(&tiff_of(page(&[16; 13], 1).with(EXTRA_SAMPLES, &[0; 10])));
    assert!(bands.contains("13 bands") && bands.contains("not read"), "{bands}");
    let twelve = refused(&tiff_of(page(&[12], 1)));
    assert!(twelve.contains("a TIFF of 12 bits, which is not read"), "{twelve}");
    let zstd = refused(&tiff_of(page(&[8], 1).with(COMPRESSION, &[50_000])));
    assert!(zstd.contains("not read"), "{zstd}");
    let lab = refused(&tiff_of(page(&[8; 3], 8)));
    assert!(lab.contains("not read"), "{lab}");
}

/// A TIFF may declare more than fits in memory or time.
#[test]
fn claims_are_checked_before_memory_is_taken() {
    let page = |width, height| TiffPage::new(width, height, &[8], 1, vec![0; 16]);
    for (width, height) in [(1 << 30, 1 << 30), (20_001, 1), (19_000, 19_000)] {
        let message = refused(&tiff_of(page(width, height)));
        assert!(message.contains("too large"), "{message}");
    }
    let many =
        refused(&tiff_of(page(15_000, 10_000).with(BITS, &[8; 60_000]).with(SAMPLES, &[60_000])));
    assert!(many.contains("too large"), "{many}");
    for samples in [0, 7] {
        refused(&tiff_of(page(2, 2).with(SAMPLES, &[samples])));
    }
    let empty = refused(&tiff_of(page(0, 5)));
    assert!(empty.contains("damaged") || empty.contains("no pixels"), "{empty}");
    // Tiles a million times as large as the image.
    let tiles = page(4, 4).with(TILE_WIDTH, &[1 << 24]).with(TILE_HEIGHT, &[1 << 24]);
    let message = refused(&tiff_of(tiles.clone()));
    assert!(message.contains("too large") && message.contains("tiles of"), "{message}");
    refused(&tiff_of(tiles.with(PLANAR, &[2]).with(TILE_HEIGHT, &[u32::MAX])));
    // Compressed strips that are the same bytes, a thousand times.
    let mut overlapping = TiffPage::new(1, 1000, &[8], 1, vec![0; 1 << 10]);
    overlapping = overlapping.with(ROWS_PER_STRIP, &[1]).with(COMPRESSION, &[32_773]);
    let overlapping =
        overlapping.with(STRIP_OFFSETS, &[8; 1000]).with(STRIP_BYTES, &[1 << 10; 1000]);
    let message = refused(&tiff_of(overlapping));
    assert!(message.contains("longer than the file"), "{message}");
}

#[test]
fn a_jpeg_within_is_read_and_not_believed() {
    const JPEG: u32 = 7;
    let grey = image::GrayImage::from_pixel(16, 16, image::Luma([77]));
    let jpeg = encode(&grey.into(), ImageFormat::Jpeg);
    let within =
        |jpeg: Vec<u8>| tiff_of(TiffPage::new(16, 16, &[8], 1, jpeg).with(COMPRESSION, &[JPEG]));
    near(pixel(&decoded(&within(jpeg.clone())).image, 5, 5), [77; 3], 1);
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    let mut huge = jpeg.clone();
    huge[frame + 5..frame + 9].copy_from_slice(&[0x3f, 0xff, 0x3f, 0xff]);
    let message = refused(&within(huge));
    assert!(message.contains("16383 x 16383 pixels in a part of 16 x 16"), "{message}");
    let mut arithmetic = jpeg;
    arithmetic[frame + 1] = 0xc9;
    let message = refused(&within(arithmetic));
    assert!(message.contains("arithmetic-coded JPEG, which is not read"), "{message}");
}

#[test]
fn truncated_pages_are_refused() {
    let bytes = tiff_of(TiffPage::new(10, 10, &[8, 8, 8], 2, (0..300).map(|i| i as u8).collect()));
    // The directory comes last, as most programs write it, so every truncation is an error.
    for end in (4..bytes.len() - 4).step_by(5) {
        assert!(decode(&bytes[..end]).is_err(), "{end} of {}", bytes.len());
    }
}

/// For any changed bytes, the result is an image or an error.
#[test]
fn changed_bytes_do_no_harm() {
    let mut rng = crate::rng::Rng::new(7, 0);
    let mut map = vec![0_u32; 48];
    map[5] = 999;
    let jpeg = encode(&noise(16, 16), ImageFormat::Jpeg);
    let pages = [
        TiffPage::new(16, 4, &[8, 8, 8], 2, vec![77; 192]),
        TiffPage::new(16, 4, &[4], 3, vec![0x35; 32]).with(COLOUR_MAP, &map),
        TiffPage::new(16, 4, &[16, 16], 1, vec![7; 256]).with(EXTRA_SAMPLES, &[1]),
        TiffPage::new(16, 16, &[8, 8, 8], 6, jpeg).with(COMPRESSION, &[7]),
        TiffPage::new(16, 4, &[1], 0, vec![0x35; 32]).with(COMPRESSION, &[4]),
        TiffPage::new(16, 4, &[8], 1, vec![0x80, 0x0b, 0x60, 0x50]).with(COMPRESSION, &[5]),
        TiffPage::new(16, 4, &[32], 1, vec![0x35; 256]).with(SAMPLE_FORMAT, &[3]),
        TiffPage { strips: vec![vec![9; 256]; 3], ..TiffPage::new(9, 9, &[8; 3], 2, Vec::new()) }
            .with(PLANAR, &[2])
            .with(TILE_WIDTH, &[16])
            .with(TILE_HEIGHT, &[16]),
    ];
    for page in pages {
        for big_endian in [false, true] {
            let whole = tiff(big_endian, &[page.clone(), page.clone()]);
            for _ in 0..1500 {
                let mut bytes = whole.clone();
                for _ in 0..=rng.below(3) {
                    // Directories, which come last, are changed more often than samples.
                    let reach = if rng.below(4) == 0 { bytes.len() } else { 220 };
                    let back = rng.below(reach);
                    let at = bytes.len() - 1 - back.min(bytes.len() - 1);
                    bytes[at] =
                        if rng.below(2) == 0 { rng.next_u32() as u8 } else { rng.below(9) as u8 };
                }
                let _ = decode(&bytes);
            }
        }
    }
}

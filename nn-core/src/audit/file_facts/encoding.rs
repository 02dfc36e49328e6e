//! How a file was encoded: format, compression, and metadata of the camera or program.

use super::exif::Exif;
use image::ImageFormat;

/// How a file was encoded. Fields that do not apply to a format are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// `jpeg`, `png`, ...
    pub format: String,
    /// The quality of a JPEG, 1 to 100, estimated from its luminance table; 0 for other formats.
    pub quality: u32,
    /// A hash of a JPEG's quantisation tables.
    pub tables: u32,
    /// The chroma subsampling of a JPEG: `4:4:4`, `4:2:0`, ..., `grey`.
    pub sampling: String,
    /// Whether a JPEG is progressive, or a PNG interlaced.
    pub progressive: bool,
    /// Whether there is an alpha channel, or a transparent colour.
    pub alpha: bool,
    /// The pixel format of a PNG: `8-bit colour`, ...
    pub pixels: String,
    /// Whether there is any EXIF data.
    pub exif: bool,
    /// Make and model from EXIF.
    pub camera: String,
    /// The program that wrote the file, from EXIF.
    pub software: String,
    /// The date in EXIF: `YYYY:MM:DD hh:mm:ss`.
    pub date: String,
    /// The colour profile: its length and a hash.
    pub profile: String,
    /// The beginning of the comment.
    pub comment: String,
    /// The declared resolution: `72 x 72 per inch`, ...
    pub density: String,
    /// The kinds of segments or chunks before the image data.
    pub parts: String,
    /// The number of bytes after the end of a JPEG or PNG.
    pub trailing: usize,
}

/// The longest comment that is kept, in characters.
const COMMENT: usize = 60;

impl Encoding {
    /// The strength of the compression, in words.
    pub fn compression(&self) -> String {
        match self.quality {
            0 => "no JPEG".into(),
            quality => format!("JPEG quality about {quality}, {}", self.sampling),
        }
    }

    /// Parses everything before the image data.
    pub fn read(bytes: &[u8]) -> Self {
        let format = image::guess_format(bytes).ok();
        let name = format.map_or(String::new(), |format| format!("{format:?}").to_lowercase());
        let mut encoding = Self { format: name, ..Self::default() };
        let parts = match format {
            Some(ImageFormat::Jpeg) => encoding.read_jpeg(bytes),
            Some(ImageFormat::Png) => encoding.read_png(bytes),
            Some(ImageFormat::WebP) => encoding.read_webp(bytes),
            Some(ImageFormat::Tiff) => {
                encoding.read_exif(bytes);
                Vec::new()
            }
            _ => Vec::new(),
        };
        encoding.parts = parts.join(", ");
        encoding
    }

    fn read_exif(&mut self, tiff: &[u8]) {
        self.exif = true;
        let exif = Exif::read(tiff).unwrap_or_default();
        (self.camera, self.software, self.date) = (exif.camera, exif.software, exif.date);
    }

    fn add_comment(&mut self, text: &[u8]) {
        if self.comment.is_empty() {
            let text = String::from_utf8_lossy(&text[..text.len().min(4 * COMMENT)]);
            let text = text.replace('\0', " ");
            self.comment = text.trim().chars().take(COMMENT).collect();
        }
    }

    /// Parses the segments before the compressed data (ITU T.81, annex B).
    fn read_jpeg(&mut self, bytes: &[u8]) -> Vec<String> {
        self.trailing = after_last(bytes, &[0xff, 0xd9]);
        let mut parts: Vec<String> = Vec::new();
        let mut profile = Vec::new();
        let mut rest = &bytes[2..];
        while let [0xff, marker, high, low, ..] = *rest {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some(segment) = rest.get(4..2 + length) else { break };
            let part = match marker {
                0xdb => {
                    self.read_tables(segment);
                    String::new()
                }
                0xc0..=0xc2 => {
                    self.progressive = marker == 0xc2;
                    self.sampling = sampling(segment);
                    String::new()
                }
                0xe0 if segment.starts_with(b"JFIF\0") => {
                    self.density = jfif_density(segment);
                    "JFIF".into()
                }
                0xe1 if segment.starts_with(b"Exif\0\0") => {
                    self.read_exif(&segment[6..]);
                    "EXIF".into()
                }
                0xe1 if segment.starts_with(b"http://ns.adobe.com/x") => "XMP".into(),
                0xe2 if segment.starts_with(b"ICC_PROFILE\0") => {
                    profile.extend_from_slice(segment.get(14..).unwrap_or_default());
                    "ICC".into()
                }
                0xed => "Photoshop".into(),
                0xee => "Adobe".into(),
                0xe0..=0xef => format!("APP{}", marker & 15),
                0xfe => {
                    self.add_comment(segment);
                    "comment".into()
                }
                // Start of scan: the image data follows.
                0xda => break,
                _ => String::new(),
            };
            if !part.is_empty() && parts.last() != Some(&part) {
                parts.push(part);
            }
            rest = &rest[2 + length..];
        }
        self.profile = profile_name(&profile);
        parts
    }

    /// Parses the chunks before the image data (PNG specification, third edition, sections 5 and 11).
    fn read_png(&mut self, bytes: &[u8]) -> Vec<String> {
        self.trailing = after_last(bytes, b"IEND").saturating_sub(4);
        let mut parts: Vec<String> = Vec::new();
        let mut rest = bytes.get(8..).unwrap_or_default();
        while let [a, b, c, d, ..] = *rest {
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            let Some(kind) = rest.get(4..8) else { break };
            let Some(chunk) = length.checked_add(8).and_then(|end| rest.get(8..end)) else { break };
            match kind {
                b"IHDR" => {
                    if let [depth, colour, _, _, interlaced] = chunk[8.min(chunk.len())..] {
                        self.alpha = colour & 4 != 0;
                        self.progressive = interlaced != 0;
                        let kind = match colour {
                            0 | 4 => "grey",
                            3 => "palette",
                            _ => "colour",
                        };
                        self.pixels = format!("{depth}-bit {kind}");
                    }
                }
                b"IDAT" => break,
                b"tRNS" => self.alpha = true,
                b"iCCP" => self.profile = profile_name(chunk),
                b"eXIf" => self.read_exif(chunk),
                b"tEXt" | b"iTXt" => self.add_comment(chunk),
                b"pHYs" => self.density = png_density(chunk),
                _ => {}
            }
            let name = String::from_utf8_lossy(kind).into_owned();
            if !matches!(kind, b"IHDR" | b"PLTE" | b"tRNS") && parts.last() != Some(&name) {
                parts.push(name);
            }
            rest = rest.get(12 + length..).unwrap_or_default();
        }
        parts
    }

    /// Parses the chunks of a WebP file (RFC 9649, section 2).
    fn read_webp(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        let mut rest = bytes.get(12..).unwrap_or_default();
        while let (Some(kind), Some(&[a, b, c, d])) = (rest.get(..4), rest.get(4..8)) {
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            let Some(chunk) = length.checked_add(8).and_then(|end| rest.get(8..end)) else { break };
            match kind {
                b"VP8X" => self.alpha = chunk.first().is_some_and(|flags| flags & 0x10 != 0),
                // The alpha hint of a lossless picture (RFC 9649, section 3.4).
                b"VP8L" => self.alpha |= chunk.get(4).is_some_and(|byte| byte & 0x10 != 0),
                b"ICCP" => self.profile = profile_name(chunk),
                b"EXIF" => self.read_exif(chunk.strip_prefix(b"Exif\0\0").unwrap_or(chunk)),
                _ => {}
            }
            parts.push(String::from_utf8_lossy(kind).trim_end().to_string());
            rest = rest.get(8 + length + length % 2..).unwrap_or_default();
        }
        parts
    }

    /// Parses quantisation tables. The quality is the one at which the standard's luminance table (annex
    /// K), scaled as by the encoder of the Independent JPEG Group, has the sum of this table.
    fn read_tables(&mut self, mut segment: &[u8]) {
        const STANDARD_SUM: f64 = 3_688.0;
        while let [kind, rest @ ..] = segment {
            let wide = if kind >> 4 == 0 { 1 } else { 2 };
            let Some(table) = rest.get(..64 * wide) else { return };
            let sum: u32 = table
                .chunks_exact(wide)
                .map(|v| v.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
                .sum();
            self.tables = fold(self.tables, table);
            if kind & 15 == 0 {
                let scale = f64::from(sum) / STANDARD_SUM * 100.0;
                let quality = if scale <= 100.0 { 100.0 - scale / 2.0 } else { 5_000.0 / scale };
                self.quality = quality.round().clamp(1.0, 100.0) as u32;
            }
            segment = &rest[64 * wide..];
        }
    }
}

/// A hash of bytes (FNV-1a).
fn fold(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// The number of bytes after the last `end`; 0 if there is none.
fn after_last(bytes: &[u8], end: &[u8]) -> usize {
    bytes.windows(end.len()).rev().position(|window| window == end).unwrap_or(0)
}

/// A name for a colour profile; empty if there is none.
fn profile_name(profile: &[u8]) -> String {
    match profile.len() {
        0 => String::new(),
        n => format!("{n} bytes, number {:08x}", fold(2_166_136_261, profile)),
    }
}

/// The density of a JFIF header (JFIF 1.02).
fn jfif_density(segment: &[u8]) -> String {
    let Some(&[unit, a, b, c, d]) = segment.get(7..12) else { return String::new() };
    let (x, y) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match unit {
        1 => format!("{x} x {y} per inch"),
        2 => format!("{x} x {y} per centimetre"),
        _ => format!("{x} : {y}"),
    }
}

/// The density of a PNG (section 11.3.4.3).
fn png_density(chunk: &[u8]) -> String {
    let Some(&[a, b, c, d, e, f, g, h, unit]) = chunk.get(..9) else { return String::new() };
    let (x, y) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    match unit {
        1 => format!("{x} x {y} per metre"),
        _ => format!("{x} : {y}"),
    }
}

/// The sampling of the first channel of a frame relative to the second (ITU T.81, B.2.2).
fn sampling(frame: &[u8]) -> String {
    let factors = |channel: usize| frame.get(7 + 3 * channel).map(|byte| (byte >> 4, byte & 15));
    let Some((wide, tall)) = factors(0) else { return String::new() };
    let Some((chroma_wide, chroma_tall)) = factors(1) else { return "grey".into() };
    match (wide / chroma_wide.max(1), tall / chroma_tall.max(1)) {
        (1, 1) => "4:4:4".into(),
        (2, 1) => "4:2:2".into(),
        (2, 2) => "4:2:0".into(),
        (1, 2) => "4:4:0".into(),
        (4, 1) => "4:1:1".into(),
        (across, down) => format!("one colour for {across} x {down} pixels"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage, RgbaImage};

    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        let image = RgbImage::from_pixel(16, 16, Rgb([90, 120, 30]));
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 80)
            .encode_image(&image)
            .unwrap();
        bytes
    }

    /// A JPEG with one more segment after its SOI marker.
    fn with_segment(marker: u8, segment: &[u8]) -> Encoding {
        let mut bytes = jpeg();
        let length = (segment.len() as u16 + 2).to_be_bytes();
        let header = [0xff, marker, length[0], length[1]];
        bytes.splice(2..2, header.into_iter().chain(segment.iter().copied()));
        Encoding::read(&bytes)
    }

    /// An EXIF structure with a camera, a program, and a date in the EXIF directory.
    fn exif() -> Vec<u8> {
        let mut tiff = b"MM\0*\0\0\0\x08".to_vec();
        let texts: [(u16, &[u8]); 3] =
            [(0x010f, b"Canon\0"), (0x0110, b"EOS 5D\0"), (0x0131, b"Lightroom\0")];
        let date = b"2019:05:03 10:11:12\0";
        let text_at = 8 + 2 + 4 * 12 + 4;
        let mut data = Vec::new();
        tiff.extend([0, 4]);
        for (tag, text) in texts {
            tiff.extend(tag.to_be_bytes());
            tiff.extend([0, 2]);
            tiff.extend((text.len() as u32).to_be_bytes());
            tiff.extend(((text_at + data.len()) as u32).to_be_bytes());
            data.extend_from_slice(text);
        }
        let settings = (text_at + data.len()) as u32;
        tiff.extend([0x87, 0x69, 0, 4, 0, 0, 0, 1]);
        tiff.extend(settings.to_be_bytes());
        tiff.extend([0; 4]);
        tiff.extend(data);
        tiff.extend([0, 1, 0x90, 0x03, 0, 2]);
        tiff.extend((date.len() as u32).to_be_bytes());
        tiff.extend((settings + 2 + 12 + 4).to_be_bytes());
        tiff.extend([0; 4]);
        tiff.extend(date);
        tiff
    }

    #[test]
    fn what_is_written_into_a_jpeg_is_read() {
        let plain = Encoding::read(&jpeg());
        assert_eq!((plain.format.as_str(), plain.quality, plain.trailing), ("jpeg", 80, 0));
        assert!(!plain.exif && plain.comment.is_empty() && plain.profile.is_empty());
        assert_eq!(with_segment(0xfe, b"made by hand").comment, "made by hand");
        let profile = [b"ICC_PROFILE\0\x01\x01".as_slice(), &[7; 40]].concat();
        assert!(with_segment(0xe2, &profile).profile.starts_with("40 bytes"));
        let read = with_segment(0xe0, b"JFIF\0\x01\x02\x01\x01\x2c\x01\x2c\0\0");
        assert_eq!(
            read.density,
            if plain.parts.contains("JFIF") { plain.density } else { "300 x 300 per inch".into() }
        );
        let read = with_segment(0xe1, &[b"Exif\0\0".as_slice(), &exif()].concat());
        let told = (read.camera.as_str(), read.software.as_str(), read.date.as_str());
        assert_eq!(told, ("Canon, EOS 5D", "Lightroom", "2019:05:03 10:11:12"));
        assert!(read.exif && read.parts.contains("EXIF"));
        let longer = [jpeg(), vec![0; 2_048]].concat();
        assert_eq!(Encoding::read(&longer).trailing, 2_048);
    }

    #[test]
    fn transparency_is_read_whatever_the_format() {
        let image = RgbaImage::from_pixel(8, 8, image::Rgba([1, 2, 3, 200]));
        let mut png = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut png);
        encoder.write_image(image.as_raw(), 8, 8, ExtendedColorType::Rgba8).unwrap();
        let read = Encoding::read(&png);
        assert!(read.alpha && read.trailing == 0 && read.pixels == "8-bit colour", "{read:?}");
        let mut webp = Vec::new();
        let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
        encoder.write_image(image.as_raw(), 8, 8, ExtendedColorType::Rgba8).unwrap();
        assert!(Encoding::read(&webp).alpha);
        assert!(!Encoding::read(&jpeg()).alpha);
    }

    #[test]
    fn files_that_are_cut_off_are_read_as_far_as_they_go() {
        let mut png = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut png);
        encoder.write_image(&[9; 192], 8, 8, ExtendedColorType::Rgb8).unwrap();
        let jpeg = [&jpeg()[..2], &[0xff, 0xe1, 0, 200], b"Exif\0\0", &exif(), &[0; 80]].concat();
        for bytes in [png, jpeg] {
            for end in 12..bytes.len() {
                Encoding::read(&bytes[..end]);
            }
        }
        for end in 0..exif().len() {
            Exif::read(&exif()[..end]);
        }
    }
}

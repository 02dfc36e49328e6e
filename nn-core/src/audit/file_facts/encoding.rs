//! How a file was made: format, compression, and what a camera or program wrote into it.

use super::exif::Exif;
use image::ImageFormat;

/// How a file was made. What a format does not have is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// `jpeg`, `png`, ...
    pub format: String,
    /// Quality of a JPEG, 1 to 100, as its luminance table has it; 0 for other formats.
    pub quality: u32,
    /// A number that stands for a JPEG's quantisation tables.
    pub tables: u32,
    /// How a JPEG's colours are sampled: `4:4:4`, `4:2:0`, ..., `grey`.
    pub sampling: String,
    /// Whether a JPEG comes in scans of growing detail, or a PNG is interlaced.
    pub progressive: bool,
    /// Whether there is an alpha channel, or a transparent colour.
    pub alpha: bool,
    /// How a PNG's pixels are stored: `8-bit colour`, ...
    pub pixels: String,
    /// Whether there is EXIF at all.
    pub exif: bool,
    /// Make and model from EXIF.
    pub camera: String,
    /// The program that wrote the file, from EXIF.
    pub software: String,
    /// The date in EXIF: `YYYY:MM:DD hh:mm:ss`.
    pub date: String,
    /// The colour profile: its length and a number that stands for it.
    pub profile: String,
    /// The first words of the comment.
    pub comment: String,
    /// The resolution that is claimed: `72 x 72 per inch`, ...
    pub density: String,
    /// What kinds of segments or chunks lie before the picture.
    pub parts: String,
    /// Bytes after the end of a JPEG or PNG.
    pub trailing: usize,
}

/// The longest comment that is kept, in characters.
const COMMENT: usize = 60;

impl Encoding {
    /// How strongly the file is compressed, in words.
    pub fn compression(&self) -> String {
        match self.quality {
            0 => "no JPEG".into(),
            quality => format!("JPEG quality about {quality}, {}", self.sampling),
        }
    }

    /// Reads what comes before the picture.
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

    /// Walks the segments before the compressed data (ITU T.81, annex B).
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
                // The scan: what follows is the picture.
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

    /// Walks the chunks before the picture (PNG specification, third edition, sections 5 and 11).
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

    /// Walks the chunks of a WebP file (RFC 9649, section 2).
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

    /// Quantisation tables. The quality is that for which the standard's luminance table (annex K),
    /// scaled as the Independent JPEG Group's encoder does, has this sum.
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

/// A number that stands for bytes (FNV-1a).
fn fold(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// Bytes after the last `end`; 0 where there is none.
fn after_last(bytes: &[u8], end: &[u8]) -> usize {
    bytes.windows(end.len()).rev().position(|window| window == end).unwrap_or(0)
}

/// A name for a colour profile; empty for none.
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

/// How the first channel of a frame is sampled, against the second (ITU T.81, B.2.2).
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

//! What can be told of an image without looking at what it shows: the file's format and how it was
//! compressed, the colour of it all, and the border.

#![allow(clippy::needless_range_loop)] // hot loops count, as in `kernels/simd.rs`

use super::shrink::Small;
use crate::kernels::widest::{Loops, widest};
use image::ImageFormat;

/// The ring along the border, as a share of the shorter side.
const RING: f64 = 0.05;

/// Facts of one image file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileFacts {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The file's length.
    pub bytes: usize,
    /// Format, compression and what the camera or program wrote about itself, in words.
    pub encoding: Encoding,
    /// Mean red, green and blue.
    pub mean: [f64; 3],
    /// Mean red, green and blue of the border, then their standard deviations.
    pub ring: [f64; 6],
}

/// How a file was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// `jpeg`, `png`, ...
    pub format: String,
    /// Quality of a JPEG, 1 to 100, as its luminance table has it; 0 for other formats.
    pub quality: u32,
    /// A number that stands for a JPEG's quantisation tables.
    pub tables: u32,
    /// How a JPEG's colours are sampled: `4:4:4`, `4:2:0`, ..., `grey`; empty for other formats.
    pub sampling: String,
    /// Whether a JPEG comes in scans of growing detail.
    pub progressive: bool,
    /// Make, model and software from EXIF; empty without.
    pub camera: String,
    /// Whether there is EXIF at all.
    pub exif: bool,
}

impl FileFacts {
    /// The facts of a file of these bytes, an image of `width` and `height`, shrunk to `small`.
    pub fn new(bytes: &[u8], (width, height): (usize, usize), small: &Small) -> Self {
        let (mean, ring) = colours(small);
        Self { width, height, bytes: bytes.len(), encoding: Encoding::read(bytes), mean, ring }
    }
}

/// Mean colour, and mean and spread of the border's.
fn colours(small: &Small) -> ([f64; 3], [f64; 6]) {
    let (width, height) = (small.width, small.height);
    let ring = ((width.min(height) as f64 * RING).round() as usize).max(1);
    let mut mean = [0.0; 3];
    let mut facts = [0.0; 6];
    for (c, plane) in small.planes.iter().enumerate() {
        mean[c] = widest(Sum(plane)) / plane.len() as f64;
        let (mut sum, mut squares, mut count) = (0.0, 0.0, 0);
        let mut add = |values: &[f32]| {
            for &value in values {
                let value = f64::from(value);
                sum += value;
                squares += value * value;
            }
            count += values.len();
        };
        for (y, row) in plane.chunks_exact(width).enumerate() {
            if y >= ring && y + ring < height && width > 2 * ring {
                add(&row[..ring]);
                add(&row[width - ring..]);
            } else {
                add(row);
            }
        }
        let n = count as f64;
        facts[c] = sum / n;
        facts[c + 3] = (squares / n - facts[c] * facts[c]).max(0.0).sqrt();
    }
    (mean, facts)
}

/// The sum of all values.
struct Sum<'a>(&'a [f32]);

impl Loops for Sum<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        const LANES: usize = 16;
        let mut sums = [0.0_f64; LANES];
        let (all, rest) = self.0.as_chunks::<LANES>();
        for values in all {
            for lane in 0..LANES {
                sums[lane] += f64::from(values[lane]);
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value)).sum::<f64>()
    }
}

impl Encoding {
    /// How strongly the file is compressed, in words.
    pub fn compression(&self) -> String {
        match self.quality {
            0 => "no JPEG".into(),
            quality => format!("JPEG quality about {quality}, {}", self.sampling),
        }
    }

    fn read(bytes: &[u8]) -> Self {
        let format = image::guess_format(bytes).ok();
        let name = format.map_or(String::new(), |format| format!("{format:?}").to_lowercase());
        let mut encoding = Self { format: name, ..Self::default() };
        if format == Some(ImageFormat::Jpeg) {
            encoding.read_jpeg(bytes);
        }
        encoding
    }

    /// Walks the segments before the compressed data (ITU T.81, annex B).
    fn read_jpeg(&mut self, bytes: &[u8]) {
        let mut rest = &bytes[2..];
        while let [0xff, marker, high, low, ..] = *rest {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some(segment) = rest.get(4..2 + length) else { return };
            match marker {
                0xdb => self.read_tables(segment),
                0xc0..=0xc2 => {
                    self.progressive = marker == 0xc2;
                    self.sampling = sampling(segment);
                }
                0xe1 if segment.starts_with(b"Exif\0\0") => {
                    self.exif = true;
                    self.camera = camera(&segment[6..]).unwrap_or_default();
                }
                // The scan: what follows is the picture.
                0xda => return,
                _ => {}
            }
            rest = &rest[2 + length..];
        }
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
            for &byte in table {
                self.tables = (self.tables ^ u32::from(byte)).wrapping_mul(16_777_619);
            }
            if kind & 15 == 0 {
                let scale = f64::from(sum) / STANDARD_SUM * 100.0;
                let quality = if scale <= 100.0 { 100.0 - scale / 2.0 } else { 5_000.0 / scale };
                self.quality = quality.round().clamp(1.0, 100.0) as u32;
            }
            segment = &rest[64 * wide..];
        }
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

/// Make, model and software from the first directory of a TIFF structure (Exif 2.3, section 4.6).
fn camera(tiff: &[u8]) -> Option<String> {
    let big = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let number = |at: usize, len: usize| -> Option<usize> {
        let bytes = tiff.get(at..at.checked_add(len)?)?;
        let digits = |sum: usize, &byte: &u8| sum << 8 | usize::from(byte);
        Some(if big { bytes.iter().fold(0, digits) } else { bytes.iter().rev().fold(0, digits) })
    };
    let directory = number(4, 4)?;
    let mut found = Vec::new();
    for entry in 0..number(directory, 2)? {
        let at = directory + 2 + entry * 12;
        let (tag, kind, count) = (number(at, 2)?, number(at + 2, 2)?, number(at + 4, 4)?);
        if matches!(tag, 0x010f | 0x0110 | 0x0131) && kind == 2 {
            let start = if count <= 4 { at + 8 } else { number(at + 8, 4)? };
            let text = tiff.get(start..start.checked_add(count)?)?;
            let text = String::from_utf8_lossy(text);
            found.push(text.trim_end_matches(['\0', ' ']).to_string());
        }
    }
    Some(found.join(", "))
}

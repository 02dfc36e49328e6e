//! Image files for tests, built by hand where no encoder writes them.

use super::crc32;

/// A PNG of these chunks.
pub fn png(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in chunks {
        let body = [name.as_slice(), data].concat();
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(&body);
        bytes.extend(crc32(&body).to_be_bytes());
    }
    bytes
}

/// A PNG's header.
pub fn ihdr(width: u32, height: u32, bits: u8, colour: u8) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [&sides[..], &[bits, colour, 0, 0, 0]].concat()
}

/// The image data of a PNG: unfiltered rows in an uncompressed zlib stream.
pub fn idat(rows: &[&[u8]]) -> Vec<u8> {
    let data: Vec<u8> = rows.iter().flat_map(|row| [&[0], *row].concat()).collect();
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in &data {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let len = data.len() as u16;
    let head = [&[0x78, 1, 1][..], &len.to_le_bytes(), &(!len).to_le_bytes()].concat();
    [&head[..], &data, &(b << 16 | a).to_be_bytes()].concat()
}

/// An animated PNG: frames of 8-bit RGBA of one size.
pub fn apng(width: u32, height: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut chunks = vec![(b"IHDR", ihdr(width, height, 8, 6))];
    chunks.push((b"acTL", [(frames.len() as u32).to_be_bytes(), [0; 4]].concat()));
    let mut sequence = 0_u32;
    let mut next = || {
        sequence += 1;
        (sequence - 1).to_be_bytes()
    };
    for (i, frame) in frames.iter().enumerate() {
        let sides = [width.to_be_bytes(), height.to_be_bytes(), [0; 4], [0; 4]].concat();
        chunks.push((b"fcTL", [&next()[..], &sides, &[0, 1, 0, 10, 0, 0]].concat()));
        let rows: Vec<&[u8]> = frame.chunks(width as usize * 4).collect();
        match i {
            0 => chunks.push((b"IDAT", idat(&rows))),
            _ => chunks.push((b"fdAT", [&next()[..], &idat(&rows)].concat())),
        }
    }
    chunks.push((b"IEND", Vec::new()));
    png(&chunks)
}

/// An animated WebP of lossless still images of this size.
pub fn animated_webp(width: u32, height: u32, stills: &[Vec<u8>]) -> Vec<u8> {
    let three = |value: u32| value.to_le_bytes()[..3].to_vec();
    let chunk = |name: &[u8; 4], data: Vec<u8>| {
        let padding = vec![0; data.len() % 2];
        [&name[..], &(data.len() as u32).to_le_bytes(), &data, &padding].concat()
    };
    let sides = [three(width - 1), three(height - 1)].concat();
    // The flags: animated, with alpha.
    let mut body = chunk(b"VP8X", [&[0x12, 0, 0, 0][..], &sides].concat());
    body.extend(chunk(b"ANIM", vec![0; 6]));
    for still in stills {
        // A still image has a single chunk after its header.
        let head = [vec![0; 6], sides.clone(), three(100), vec![2]].concat();
        body.extend(chunk(b"ANMF", [&head[..], &still[12..]].concat()));
    }
    let length = (body.len() as u32 + 4).to_le_bytes();
    [&b"RIFF"[..], &length, b"WEBP", &body].concat()
}

/// A page of a TIFF: the entries of its directory, by tag, as 16-bit numbers (32-bit where needed),
/// and its strips, or tiles if it has entries for their size.
#[derive(Clone)]
pub struct TiffPage {
    pub entries: Vec<(u16, Vec<u32>)>,
    pub strips: Vec<Vec<u8>>,
}

pub const WIDTH: u16 = 256;
pub const HEIGHT: u16 = 257;
pub const BITS: u16 = 258;
pub const COMPRESSION: u16 = 259;
pub const PHOTOMETRIC: u16 = 262;
pub const STRIP_OFFSETS: u16 = 273;
pub const ORIENTATION: u16 = 274;
pub const SAMPLES: u16 = 277;
pub const ROWS_PER_STRIP: u16 = 278;
pub const STRIP_BYTES: u16 = 279;
pub const PLANAR: u16 = 284;
pub const TILE_WIDTH: u16 = 322;
pub const TILE_HEIGHT: u16 = 323;
pub const COLOUR_MAP: u16 = 320;
pub const EXTRA_SAMPLES: u16 = 338;
pub const SAMPLE_FORMAT: u16 = 339;
pub const NEW_SUBFILE: u16 = 254;

impl TiffPage {
    /// A page in one strip, with samples of these bit depths.
    pub fn new(width: u32, height: u32, bits: &[u32], photometric: u32, strip: Vec<u8>) -> Self {
        let entries = vec![
            (WIDTH, vec![width]),
            (HEIGHT, vec![height]),
            (BITS, bits.to_vec()),
            (PHOTOMETRIC, vec![photometric]),
            (SAMPLES, vec![bits.len() as u32]),
            (ROWS_PER_STRIP, vec![height]),
        ];
        Self { entries, strips: vec![strip] }
    }

    /// Adds an entry, or replaces its value.
    pub fn with(mut self, tag: u16, values: &[u32]) -> Self {
        self.entries.retain(|(other, _)| *other != tag);
        self.entries.push((tag, values.to_vec()));
        self
    }
}

/// A TIFF of these pages.
pub fn tiff(big_endian: bool, pages: &[TiffPage]) -> Vec<u8> {
    let short = |v: u32| {
        let v = v as u16;
        if big_endian { v.to_be_bytes() } else { v.to_le_bytes() }
    };
    let long = |v: u32| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
    let mut bytes = if big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    let mut link = bytes.len();
    bytes.extend([0; 4]);
    for page in pages {
        let mut entries = page.entries.clone();
        let places: Vec<u32> = page
            .strips
            .iter()
            .map(|strip| {
                let place = bytes.len() as u32;
                bytes.extend(strip);
                bytes.extend(vec![0; strip.len() % 2]);
                place
            })
            .collect();
        let has = |tag: u16| page.entries.iter().any(|(other, _)| *other == tag);
        let (offsets, byte_counts) =
            if has(TILE_WIDTH) { (324, 325) } else { (STRIP_OFFSETS, STRIP_BYTES) };
        if !has(offsets) {
            entries.push((offsets, places));
        }
        if !has(byte_counts) {
            let lengths = page.strips.iter().map(|strip| strip.len() as u32).collect();
            entries.push((byte_counts, lengths));
        }
        entries.sort();
        let fields: Vec<(u16, u32, u32, [u8; 4])> = entries
            .iter()
            .map(|(tag, values)| {
                let is_long =
                    values.iter().any(|&v| v > 65_535) || matches!(*tag, 273 | 279 | 324 | 325);
                let data: Vec<u8> = match is_long {
                    true => values.iter().flat_map(|&v| long(v)).collect(),
                    false => values.iter().flat_map(|&v| short(v)).collect(),
                };
                let field = if data.len() <= 4 {
                    let mut field = [0; 4];
                    field[..data.len()].copy_from_slice(&data);
                    field
                } else {
                    let place = bytes.len() as u32;
                    bytes.extend(data);
                    long(place)
                };
                (*tag, if is_long { 4 } else { 3 }, values.len() as u32, field)
            })
            .collect();
        let directory = long(bytes.len() as u32);
        bytes[link..link + 4].copy_from_slice(&directory);
        bytes.extend(short(fields.len() as u32));
        for (tag, kind, count, field) in fields {
            bytes.extend(short(tag.into()));
            bytes.extend(short(kind));
            bytes.extend(long(count));
            bytes.extend(field);
        }
        link = bytes.len();
        bytes.extend([0; 4]);
    }
    bytes
}

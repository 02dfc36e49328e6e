//! EXIF metadata of a camera or program, from a TIFF structure (Exif 2.3, section 4.6).

/// The entries that are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exif {
    /// Make and model.
    pub camera: String,
    /// The program that wrote the file.
    pub software: String,
    /// When the picture was taken, or else when the file was changed: `YYYY:MM:DD hh:mm:ss`.
    pub date: String,
}

const MAKE: usize = 0x010f;
const MODEL: usize = 0x0110;
const SOFTWARE: usize = 0x0131;
const CHANGED: usize = 0x0132;
const TAKEN: usize = 0x9003;
/// The tag of the pointer to the EXIF directory.
const SETTINGS: usize = 0x8769;
/// The type of ASCII entries.
const TEXT: usize = 2;

impl Exif {
    /// The entries in `tiff`; `None` if it is no such structure.
    pub fn read(tiff: &[u8]) -> Option<Self> {
        let big = match tiff.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        let tiff = Tiff { bytes: tiff, big };
        let first = tiff.entries(tiff.number(4, 4)?);
        let settings = first.iter().find(|entry| entry.tag == SETTINGS);
        let settings = settings.and_then(|entry| tiff.number(entry.at + 8, 4));
        let settings = settings.map(|at| tiff.entries(at)).unwrap_or_default();
        let text = |tag: usize| {
            let mut both = first.iter().chain(&settings);
            both.find(|entry| entry.tag == tag)
                .and_then(|entry| tiff.text(entry))
                .unwrap_or_default()
        };
        let camera = [text(MAKE), text(MODEL)];
        let camera: Vec<String> = camera.into_iter().filter(|part| !part.is_empty()).collect();
        let date = [text(TAKEN), text(CHANGED)].into_iter().find(|date| !date.is_empty());
        Some(Self {
            camera: camera.join(", "),
            software: text(SOFTWARE),
            date: date.unwrap_or_default(),
        })
    }
}

struct Tiff<'a> {
    bytes: &'a [u8],
    big: bool,
}

struct Entry {
    tag: usize,
    at: usize,
}

impl Tiff<'_> {
    fn number(&self, at: usize, len: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(len)?)?;
        let digits = |sum: usize, &byte: &u8| sum << 8 | usize::from(byte);
        Some(if self.big {
            bytes.iter().fold(0, digits)
        } else {
            bytes.iter().rev().fold(0, digits)
        })
    }

    /// The entries of the directory at this offset, as far as the file goes.
    fn entries(&self, directory: usize) -> Vec<Entry> {
        let count = self.number(directory, 2).unwrap_or(0);
        let place = |i: usize| directory.checked_add(2 + i * 12);
        (0..count)
            .map_while(|i| {
                let at = place(i)?;
                Some(Entry { tag: self.number(at, 2)?, at })
            })
            .collect()
    }

    fn text(&self, entry: &Entry) -> Option<String> {
        if self.number(entry.at + 2, 2)? != TEXT {
            return None;
        }
        let count = self.number(entry.at + 4, 4)?;
        let start = if count <= 4 { entry.at + 8 } else { self.number(entry.at + 8, 4)? };
        let text = self.bytes.get(start..start.checked_add(count)?)?;
        let text = String::from_utf8_lossy(text);
        Some(text.trim_end_matches(['\0', ' ']).to_string())
    }
}

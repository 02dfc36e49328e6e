//! One look at every file: decoded once, in parallel, and kept small.

use super::candidates::Fingerprint;
use super::compare::Comparable;
use super::file_facts::FileFacts;
use super::keypoints::features;
use super::luma::Luma;
use super::shrink::Small;
use crate::data::decode::read_file;
use crate::data::{decode_bytes, decode_file};
use crate::error::Result;
use crate::kernels::widest::{Loops, widest};
use sha2::{Digest, Sha256};
use std::path::Path;

/// What is kept of a file that could be read.
#[derive(Debug, Clone)]
pub struct Seen {
    /// SHA-256 of the file.
    pub file_hash: [u8; 32],
    /// SHA-256 of the image's size and its small picture: equal wherever all pixels are.
    pub picture_hash: [u8; 32],
    /// What makes the picture recognisable.
    pub fingerprint: Fingerprint,
    /// What can be told without looking at what it shows.
    pub facts: FileFacts,
    /// The difference between the brightest and the darkest of the small picture, in grey levels.
    pub range: u8,
    /// The small picture in grey, unless memory is short.
    pub kept: Option<Kept>,
}

/// A small picture in a byte a pixel.
#[derive(Debug, Clone)]
pub struct Kept {
    width: usize,
    pixels: Vec<u8>,
}

impl Kept {
    fn new(luma: &Luma) -> Self {
        Self { width: luma.width, pixels: widest(Bytes(luma)) }
    }

    fn luma(&self) -> Luma {
        Luma {
            width: self.width,
            height: self.pixels.len() / self.width,
            pixels: self.pixels.iter().map(|&v| f32::from(v)).collect(),
        }
    }

    /// The memory it takes.
    pub fn bytes(&self) -> usize {
        self.pixels.len()
    }
}

/// The values of a picture, which are whole numbers, in a byte each.
struct Bytes<'a>(&'a Luma);

impl Loops for Bytes<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn run(self) -> Vec<u8> {
        let mut bytes = vec![0; self.0.pixels.len()];
        for (byte, &value) in bytes.iter_mut().zip(&self.0.pixels) {
            *byte = value as u32 as u8;
        }
        bytes
    }
}

/// The difference between the largest and the smallest.
struct Range<'a>(&'a [u8]);

impl Loops for Range<'_> {
    type Output = u8;

    #[inline(always)]
    fn run(self) -> u8 {
        let (mut least, mut most) = (u8::MAX, 0);
        for &value in self.0 {
            least = least.min(value);
            most = most.max(value);
        }
        most.saturating_sub(least)
    }
}

/// Reads and decodes a file.
///
/// # Errors
/// Those of [`decode_file`].
pub fn look(path: &Path) -> Result<Seen> {
    let bytes = read_file(path)?;
    let image = decode_bytes(&bytes, path)?;
    let size = (image.width(), image.height());
    let small = Small::new(&image);
    drop(image);
    let luma = small.luma();
    let kept = Kept::new(&luma);
    let (features, frame) = features(&luma);
    let mut hash = Sha256::new();
    for side in [size.0, size.1] {
        hash.update((side as u64).to_le_bytes());
    }
    hash.update(&kept.pixels);
    Ok(Seen {
        file_hash: Sha256::digest(&bytes).into(),
        picture_hash: hash.finalize().into(),
        fingerprint: Fingerprint { size: (luma.width as f32, luma.height as f32), features, frame },
        facts: FileFacts::new(&bytes, size, &small),
        range: widest(Range(&kept.pixels)),
        kept: Some(kept),
    })
}

/// The picture of a file for a comparison: as kept, or read again. None if it has become unreadable.
pub fn comparable(seen: &Seen, path: &Path) -> Option<Comparable> {
    let luma = match &seen.kept {
        Some(kept) => kept.luma(),
        None => Small::new(&decode_file(path).ok()?).luma(),
    };
    Some(Comparable::new(luma))
}

/// Whether two files show the same pixels.
pub fn same_pixels(a: &Path, b: &Path) -> bool {
    matches!((decode_file(a), decode_file(b)), (Ok(a), Ok(b)) if a == b)
}

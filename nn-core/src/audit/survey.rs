//! Computes the features of all images. Each file is decoded once, in parallel, and only small data
//! is kept. Of files with equal bytes, one is decoded.

use super::AuditOptions;
use super::candidates::Fingerprint;
use super::colour::Colours;
use super::compare::Comparable;
use super::file_facts::FileFacts;
use super::keypoints::detect;
use super::listing::Item;
use super::luma::{Luma, integer};
use super::shrink::Small;
use crate::data::decode::read_file;
use crate::data::{AlphaBackground, Treatment, decode_bytes_on, decode_file_on};
use crate::error::Result;
use crate::kernels::multiversion::{Multiversion, multiversion};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

/// The number of images between two progress reports.
const CHUNK: usize = 160;

/// SHA-256 of a file.
pub type FileHash = [u8; 32];

/// The features of a file that could be decoded.
#[derive(Debug, Clone)]
pub struct ImageFeatures {
    /// SHA-256 of the image's size, its small picture, its alpha channel and its bits beyond 8:
    /// equal if all pixels are equal.
    pub picture_hash: [u8; 32],
    /// The descriptors that copies are found by.
    pub fingerprint: Fingerprint,
    /// Facts that need no recognition of the content.
    pub facts: FileFacts,
    /// How the image was converted when it was decoded.
    pub treatment: Treatment,
    /// The background colour that was used.
    pub alpha_background: AlphaBackground,
    /// The difference between the brightest and the darkest pixel of the small picture, in grey levels.
    pub range: u8,
    /// The small picture, unless the memory bound is reached.
    pub kept: Option<Kept>,
}

/// A small picture: grey with one byte per pixel, and its colours.
#[derive(Debug, Clone)]
pub struct Kept {
    width: usize,
    pixels: Vec<u8>,
    colours: Colours,
}

impl Kept {
    fn new(luma: &Luma, colours: Colours) -> Self {
        Self { width: luma.width, pixels: multiversion(Bytes(luma)), colours }
    }

    fn luma(&self) -> Luma {
        Luma {
            width: self.width,
            height: self.pixels.len() / self.width,
            pixels: self.pixels.iter().map(|&v| f32::from(v)).collect(),
        }
    }

    /// The memory used, in bytes.
    fn bytes(&self) -> usize {
        self.pixels.len() + self.colours.bytes()
    }
}

/// Converts a picture of whole numbers to one byte per pixel.
struct Bytes<'a>(&'a Luma);

impl Multiversion for Bytes<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn run(self) -> Vec<u8> {
        let mut bytes = vec![0; self.0.pixels.len()];
        for (byte, &value) in bytes.iter_mut().zip(&self.0.pixels) {
            *byte = integer(value) as u8;
        }
        bytes
    }
}

/// Computes the difference between the largest and the smallest value.
struct Range<'a>(&'a [u8]);

impl Multiversion for Range<'_> {
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

/// The features of all images.
pub struct Survey {
    /// The features of each image; `None` for unreadable images.
    pub features: Vec<Option<ImageFeatures>>,
    /// Why an image is unreadable, for each image.
    pub unreadable: Vec<Option<String>>,
    /// SHA-256 of each file that may equal another one, including unreadable files.
    pub file_hashes: Vec<Option<FileHash>>,
}

/// Decodes all files, and keeps small pictures up to the memory bound. `progress(done, total)` may
/// stop it by returning an error.
///
/// # Errors
/// Those of `progress`.
pub fn survey(
    items: &[Item],
    options: &AuditOptions,
    mut progress: impl FnMut(usize, usize) -> Result<()>,
) -> Result<Survey> {
    // Most photographs have a unique file size, so they equal no other file.
    let lengths = lengths(items);
    let mut of_length: HashMap<u64, usize> = HashMap::new();
    lengths.iter().for_each(|&length| *of_length.entry(length).or_default() += 1);
    let mut first_of: HashMap<FileHash, usize> = HashMap::new();
    let mut survey =
        Survey { features: Vec::new(), unreadable: Vec::new(), file_hashes: Vec::new() };
    let mut free = options.memory_bound;
    for start in (0..items.len()).step_by(CHUNK) {
        let chunk = start..items.len().min(start + CHUNK);
        // Empty files are not duplicates.
        let may_be_same = |i: usize| lengths[i] > 0 && of_length[&lengths[i]] > 1;
        let hash = |i: usize| may_be_same(i).then(|| hash(&items[i].path)).flatten();
        let hashes: Vec<Option<FileHash>> = chunk.clone().into_par_iter().map(hash).collect();
        let firsts: Vec<usize> = chunk
            .clone()
            .zip(&hashes)
            .map(|(i, hash)| hash.map_or(i, |hash| *first_of.entry(hash).or_insert(i)))
            .collect();
        // The largest first, for better load balancing.
        let mut order: Vec<usize> = chunk.clone().filter(|&i| firsts[i - start] == i).collect();
        order.sort_by_key(|&i| Reverse(lengths[i]));
        let extract = |i: usize| extract(&items[i].path, options.alpha_background);
        let extracted: Vec<(usize, Result<ImageFeatures>)> =
            order.into_par_iter().with_max_len(1).map(|i| (i, extract(i))).collect();
        let mut extracted: HashMap<usize, Result<ImageFeatures>> = extracted.into_iter().collect();
        for (i, first) in chunk.zip(firsts) {
            let same = || survey.features.get(first)?.clone().map(Ok);
            let found = extracted.remove(&i).or_else(same).unwrap_or_else(|| extract(i));
            let reason = found.as_ref().err().map(ToString::to_string);
            let mut found = found.ok();
            if let Some(ImageFeatures { kept, .. }) = &mut found {
                match free.checked_sub(kept.as_ref().map_or(0, Kept::bytes)) {
                    Some(left) => free = left,
                    None => *kept = None,
                }
            }
            survey.features.push(found);
            survey.unreadable.push(reason);
        }
        survey.file_hashes.extend(hashes);
        progress(survey.features.len(), items.len())?;
    }
    Ok(survey)
}

/// The sizes of files in bytes; 0 for missing files.
fn lengths(items: &[Item]) -> Vec<u64> {
    let length = |item: &Item| std::fs::metadata(&item.path).map_or(0, |about| about.len());
    items.par_iter().map(length).collect()
}

/// The hash of a file; `None` if it cannot be read.
fn hash(path: &Path) -> Option<FileHash> {
    Some(Sha256::digest(read_file(path).ok()?).into())
}

/// Reads and decodes a file.
///
/// # Errors
/// Those of [`decode_file_on`].
pub fn extract(path: &Path, alpha_background: AlphaBackground) -> Result<ImageFeatures> {
    let bytes = read_file(path)?;
    let decoded = decode_bytes_on(&bytes, path, alpha_background)?;
    let (image, treatment) = (decoded.image, decoded.treatment);
    let size = (image.width(), image.height());
    let small = Small::new(&image);
    let facts = FileFacts::new(&bytes, &image, &small);
    drop(image);
    let luma = small.luma();
    let kept = Kept::new(&luma, Colours::new(&small));
    let (features, frame) = detect(&luma);
    let mut hash = Sha256::new();
    for side in [size.0, size.1] {
        hash.update((side as u64).to_le_bytes());
    }
    hash.update(&kept.pixels);
    hash.update(decoded.lost.unwrap_or(0).to_le_bytes());
    Ok(ImageFeatures {
        picture_hash: hash.finalize().into(),
        fingerprint: Fingerprint { size: (luma.width as f32, luma.height as f32), features, frame },
        facts,
        treatment,
        alpha_background,
        range: multiversion(Range(&kept.pixels)),
        kept: Some(kept),
    })
}

/// The picture of a file for a comparison: the kept one, or decoded again. `None` if the file has
/// become unreadable.
pub fn comparable(features: &ImageFeatures, path: &Path) -> Option<Comparable> {
    let (luma, colours) = match &features.kept {
        Some(kept) => (kept.luma(), kept.colours.clone()),
        None => {
            let decoded = decode_file_on(path, features.alpha_background).ok()?;
            let small = Small::new(&decoded.image);
            (small.luma(), Colours::new(&small))
        }
    };
    Some(Comparable::new(luma, colours, features.facts.width))
}

/// The small grey picture of a file: the kept one, or decoded again. `None` if the file has become
/// unreadable.
pub fn picture(features: &ImageFeatures, path: &Path) -> Option<Luma> {
    match &features.kept {
        Some(kept) => Some(kept.luma()),
        None => {
            Some(Small::new(&decode_file_on(path, features.alpha_background).ok()?.image).luma())
        }
    }
}

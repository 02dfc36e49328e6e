//! Labelled images in memory, on disk or in their files, as batches for the network.
//!
//! Loading decodes every image once, in parallel, so that a broken file is reported before the
//! first epoch. An image is kept in the smaller of two forms: as decoded (`u8`, its own size), to
//! be resized again for each batch, or resized (`f32`, the network's size). Resizing takes well
//! below a hundredth of a training step. Where each image is kept is decided in order:
//!
//! 1. in memory, up to [`DatasetOptions::memory_bound`];
//! 2. then in a temporary file, up to [`DatasetOptions::disk_bound`] or the free space of the disk:
//!    reading a batch from it also takes well below a hundredth of a step;
//! 3. then nowhere: the image is read, decoded and resized for each batch that contains it.
//!
//! All three give bit-identical batches. Values are 0 to 255 and not rounded; rescaling them is the
//! network's first layer.

use super::channels::{Channels, Raster};
use super::decode::{AlphaBackground, MAX_DECODED_BYTES, Treated, Treatment, decode_file_on};
use super::labels::shuffled_order;
use super::resize::resize_into;
use super::resize_rule::Resize;
use super::sample::Sample;
use super::spill::Spill;
use super::split::unknown_label;
use crate::error::{Error, Result};
use crate::tensor::{BufferPool, Tensor};
use rayon::prelude::*;
use std::io;
use std::path::{Path, PathBuf};

/// The number of images that a thread decodes before the bounds are checked again; until then all
/// of them are in memory.
const CHUNK: usize = 4;

/// How a [`Dataset`] loads and keeps its images.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetOptions {
    /// The height of every image after resizing, in pixels; 256 by default.
    pub height: usize,
    /// The width of every image after resizing, in pixels; 256 by default.
    pub width: usize,
    /// The maximum size of the pixels that are kept in memory between batches, in bytes; 1 MiB by
    /// default, 0 keeps none.
    pub memory_bound: usize,
    /// The maximum size of the pixels beyond the memory bound that are kept in a temporary file, in bytes;
    /// 4 GiB by default, 0 keeps none. The file is in the system's temporary folder; half a GiB of the disk
    /// is left free. Images that do not fit there either are decoded for every batch. Where that folder is
    /// in memory, as `/tmp` is on some systems, set `TMPDIR` to another one.
    pub disk_bound: u64,
    /// Whether images that cannot be decoded are left out and listed, instead of being an error.
    pub skip_unreadable: bool,
    /// The background colour for transparent images; white by default.
    pub alpha_background: AlphaBackground,
    /// The channels of every image; red, green, blue by default.
    pub channels: Channels,
    /// How images of another shape are resized; squashed, without antialiasing, by default.
    pub resize: Resize,
}

impl Default for DatasetOptions {
    fn default() -> Self {
        Self {
            height: 256,
            width: 256,
            memory_bound: 1 << 20,
            disk_bound: 4 << 30,
            skip_unreadable: false,
            alpha_background: AlphaBackground::WHITE,
            channels: Channels::Rgb,
            resize: Resize::default(),
        }
    }
}

/// An image that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// The error message; it names the file.
    pub reason: String,
}

/// Where an image is kept between batches, and in which form.
enum Kept {
    Decoded(Raster),
    Resized(Vec<f32>),
    /// At this offset of the temporary file: as decoded, with this height and width, or resized.
    Spilled {
        at: u64,
        decoded: Option<(usize, usize)>,
    },
    /// Only in the image file.
    Streamed,
}

impl Kept {
    /// The pixels in memory.
    fn pixels(&self) -> &[u8] {
        match self {
            Self::Decoded(image) => &image.values,
            Self::Resized(values) => bytemuck::cast_slice(values),
            Self::Spilled { .. } | Self::Streamed => &[],
        }
    }

    /// Decides where an image is kept: in memory, of which `free` bytes are left, or else in the
    /// `spill`. After the first image that does not fit in memory, no further one is kept there.
    fn place(self, free: &mut usize, spill: &mut Spill) -> Self {
        if let Some(left) = free.checked_sub(self.pixels().len()) {
            *free = left;
            return self;
        }
        *free = 0;
        let decoded = match &self {
            Self::Decoded(image) => Some((image.height, image.width)),
            _ => None,
        };
        match spill.append(self.pixels()) {
            Some(at) => Self::Spilled { at, decoded },
            None => Self::Streamed,
        }
    }
}

/// Labelled images, resized to one size.
pub struct Dataset {
    samples: Vec<Sample>,
    labels: Vec<usize>,
    classes: Vec<String>,
    images: Vec<Kept>,
    spill: Spill,
    skipped: Vec<Skipped>,
    treated: Treated,
    height: usize,
    width: usize,
    channels: Channels,
    resize: Resize,
}

impl Dataset {
    /// Decodes `samples`, whose labels are indices into `classes`. An empty list gives an empty dataset.
    ///
    /// # Errors
    /// If a file cannot be read or decoded, unless such files are skipped; if all images of a class
    /// had to be skipped; if a label is not below the number of classes; if the height or width is
    /// 0, or so large that an image would take more than [`MAX_DECODED_BYTES`].
    pub fn load(
        samples: Vec<Sample>,
        classes: Vec<String>,
        options: &DatasetOptions,
    ) -> Result<Self> {
        Self::load_with(samples, classes, options, |_, _| Ok(()))
    }

    /// [`Dataset::load`] with progress reports: `progress(done, total)` is called every few images.
    /// An error that it returns, such as [`Error::Interrupted`], ends the loading and is returned.
    ///
    /// # Errors
    /// Those of [`Dataset::load`] and those of `progress`.
    pub fn load_with(
        samples: Vec<Sample>,
        classes: Vec<String>,
        options: &DatasetOptions,
        mut progress: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Self> {
        let (height, width, channels) = (options.height, options.width, options.channels);
        check_size(height, width)?;
        if let Some(sample) = samples.iter().find(|sample| sample.label >= classes.len()) {
            return Err(unknown_label(sample.label, classes.len()));
        }
        let before = count(samples.iter().map(|sample| sample.label), classes.len());
        let total = samples.len();
        let mut dataset = Self {
            samples: Vec::with_capacity(total),
            labels: Vec::with_capacity(total),
            classes,
            images: Vec::with_capacity(total),
            spill: Spill::new(options.disk_bound),
            skipped: Vec::new(),
            treated: Treated::on(options.alpha_background),
            height,
            width,
            channels,
            resize: options.resize,
        };
        let mut free = options.memory_bound;
        let mut done = 0;
        for chunk in samples.chunks(CHUNK * rayon::current_num_threads()) {
            let keep = |sample: &Sample| {
                let decoded = decode_file_on(&sample.path, options.alpha_background)?;
                let (image, treatment) = (Raster::of(decoded.image, channels), decoded.treatment);
                let len = height * width * channels.count();
                if image.values.len() <= len * size_of::<f32>() {
                    return Ok((Kept::Decoded(image), treatment));
                }
                let mut resized = vec![0.0; len];
                resize_into(&image, options.resize, &mut resized, height, width);
                Ok((Kept::Resized(resized), treatment))
            };
            // Every file is decoded before an error is returned, so that the error does not depend
            // on the threads.
            let images: Vec<Result<(Kept, Treatment)>> = chunk.par_iter().map(keep).collect();
            for (sample, image) in chunk.iter().zip(images) {
                let (image, treatment) = match image {
                    Ok(read) => read,
                    Err(error) if options.skip_unreadable => {
                        let reason = error.to_string();
                        dataset.skipped.push(Skipped { path: sample.path.clone(), reason });
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                dataset.treated.add(&treatment);
                dataset.labels.push(sample.label);
                dataset.samples.push(sample.clone());
                dataset.images.push(image.place(&mut free, &mut dataset.spill));
            }
            done += chunk.len();
            progress(done, total)?;
        }
        dataset.check_classes(&samples, &before)?;
        Ok(dataset)
    }

    /// Returns an error if a class had images before and has none left.
    fn check_classes(&self, samples: &[Sample], before: &[usize]) -> Result<()> {
        let after = self.class_counts();
        let Some(lost) = (0..before.len()).find(|&class| before[class] > 0 && after[class] == 0)
        else {
            return Ok(());
        };
        // All of its images were skipped, so the first one was.
        let first = samples.iter().find(|sample| sample.label == lost).map(|sample| &*sample.path);
        let skipped = self.skipped.iter().find(|skipped| Some(&*skipped.path) == first);
        Err(Error::file(
            first.and_then(Path::parent).unwrap_or(Path::new(&self.classes[lost])),
            format!("class {} has no readable image", self.classes[lost]),
            format!(
                "expected at least 1 of the {} to be readable, but the first says: {}",
                before[lost],
                skipped.map_or("nothing", |skipped| &skipped.reason)
            ),
        ))
    }

    /// The images with the indices `indices`, in this order, as a tensor `[indices.len(), height,
    /// width, channels]` with values from 0 to 255, and their labels. The buffer comes from `pool`.
    ///
    /// # Errors
    /// If `indices` is empty or has an index that is not below [`Dataset::len`], or if the file of
    /// a streamed image was removed, or can no longer be decoded, since it was loaded.
    pub fn batch(
        &self,
        indices: &[usize],
        pool: &BufferPool<f32>,
    ) -> Result<(Tensor<f32>, Vec<usize>)> {
        if indices.is_empty() {
            return Err(Error::data("batch", "one image or more", "none", "pass an index"));
        }
        if let Some(index) = indices.iter().find(|&&index| index >= self.len()) {
            return Err(Error::data(
                "batch index",
                format!("below the number of images, {}", self.len()),
                index,
                "take indices from 0..len",
            ));
        }
        let (height, width, channels) = (self.height, self.width, self.channels.count());
        let mut batch = Tensor::uninit([indices.len(), height, width, channels], pool);
        let outputs = batch.as_mut_slice().par_chunks_exact_mut(height * width * channels);
        let results: Vec<Result<()>> =
            outputs.zip(indices).map(|(out, &index)| self.write(index, out)).collect();
        results.into_iter().collect::<Result<()>>()?;
        Ok((batch, indices.iter().map(|&index| self.labels[index]).collect()))
    }

    fn write(&self, index: usize, out: &mut [f32]) -> Result<()> {
        match &self.images[index] {
            Kept::Resized(values) => out.copy_from_slice(values),
            Kept::Decoded(image) => resize_into(image, self.resize, out, self.height, self.width),
            // If the temporary file cannot be read, the image file is used.
            Kept::Spilled { at, decoded } => match self.write_spilled(*at, *decoded, out) {
                Ok(()) => {}
                Err(_) => self.write_streamed(index, out)?,
            },
            Kept::Streamed => self.write_streamed(index, out)?,
        }
        Ok(())
    }

    fn write_spilled(
        &self,
        at: u64,
        decoded: Option<(usize, usize)>,
        out: &mut [f32],
    ) -> io::Result<()> {
        let Some((height, width)) = decoded else {
            return self.spill.read(at, bytemuck::cast_slice_mut(out));
        };
        let channels = self.channels;
        let mut values = vec![0; height * width * channels.count()];
        self.spill.read(at, &mut values)?;
        let image = Raster { height, width, channels, values };
        resize_into(&image, self.resize, out, self.height, self.width);
        Ok(())
    }

    fn write_streamed(&self, index: usize, out: &mut [f32]) -> Result<()> {
        let decoded = decode_file_on(&self.samples[index].path, self.treated.alpha_background)?;
        let image = Raster::of(decoded.image, self.channels);
        resize_into(&image, self.resize, out, self.height, self.width);
        Ok(())
    }

    /// The number of images, without the skipped ones.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The images' files and labels, without the skipped ones.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The label of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The number of images of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        count(self.labels.iter().copied(), self.classes.len())
    }

    /// The images that were left out.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// How many images were converted in which way when they were decoded, without the skipped
    /// ones, and the background colour of the transparent ones.
    pub fn treated(&self) -> &Treated {
        &self.treated
    }

    /// The `(height, width)` of every image in a batch.
    pub fn image_size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The channels of every image in a batch.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// The bytes of pixels kept in memory between batches; at most the memory bound.
    pub fn bytes(&self) -> usize {
        self.images.iter().map(|image| image.pixels().len()).sum()
    }

    /// The bytes of pixels kept in a temporary file; at most the disk bound.
    pub fn spilled_bytes(&self) -> u64 {
        self.spill.bytes()
    }

    /// The number of images that fit neither bound and are decoded for each batch.
    pub fn streamed(&self) -> usize {
        self.images.iter().filter(|image| matches!(image, Kept::Streamed)).count()
    }

    /// The order of the images in `epoch`: [`shuffled_order`] of their number.
    pub fn shuffled_order(&self, seed: u64, epoch: usize) -> Vec<usize> {
        shuffled_order(self.len(), seed, epoch)
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset")
            .field("images", &self.len())
            .field("classes", &self.classes)
            .field("image_size", &self.image_size())
            .field("bytes", &self.bytes())
            .field("spilled_bytes", &self.spilled_bytes())
            .field("streamed", &self.streamed())
            .field("skipped", &self.skipped.len())
            .finish()
    }
}

fn count(labels: impl Iterator<Item = usize>, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.for_each(|label| counts[label] += 1);
    counts
}

fn check_size(height: usize, width: usize) -> Result<()> {
    let bytes = height.checked_mul(width).and_then(|area| area.checked_mul(3 * size_of::<f32>()));
    if bytes.is_some_and(|bytes| bytes > 0 && bytes as u64 <= MAX_DECODED_BYTES) {
        return Ok(());
    }
    Err(Error::setting(
        "image size",
        format!("at least 1 x 1, and at most {} MiB an image", MAX_DECODED_BYTES >> 20),
        format!("{height} x {width}"),
        "choose a size such as 256",
    ))
}

#[cfg(test)]
mod tests;

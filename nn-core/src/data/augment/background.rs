//! Other backgrounds behind the subjects of images: what a network cannot learn a background from.
//!
//! The subject is what [`foreground()`] finds, laid over another picture with a soft edge. Images whose subject is not
//! found for sure stay as they are.

use super::{Augmentation, Size};
use crate::data::foreground::{AGREEMENT, Foreground, foreground};
use crate::data::{Dataset, Mask, Rgb8};
use crate::error::{Error, Result};
use crate::rng::stream;
use crate::tensor::BufferPool;
use rayon::prelude::*;

/// The share of the image that a subject has at least, and at most.
const SUBJECT: [f64; 2] = [0.01, 0.9];

/// Images whose subjects are looked for between two reports of progress.
const TOGETHER: usize = 16;

/// The backgrounds that images of a data set may get.
#[derive(Debug)]
pub struct Backgrounds {
    /// The subject of each image, where it is sure.
    subjects: Vec<Option<Subject>>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// The images with these indices, without their subjects.
    Own(Vec<usize>),
    /// Pictures of backgrounds.
    Pictures(Box<Dataset>),
}

/// A mask, with eight pixels in a byte: masks of all images are kept.
#[derive(Debug)]
struct Subject {
    height: usize,
    width: usize,
    bits: Vec<u8>,
}

impl Subject {
    /// Where it is sure.
    fn of(found: &Foreground) -> Option<Self> {
        let share = found.mask.share();
        let agrees = |other: &Mask| (other.share() - share).abs() <= AGREEMENT;
        let is_sure =
            (SUBJECT[0]..=SUBJECT[1]).contains(&share) && found.second.as_ref().is_none_or(agrees);
        is_sure.then(|| {
            let pack = |bits: &[bool]| {
                bits.iter().enumerate().fold(0, |byte, (i, &bit)| byte | u8::from(bit) << i)
            };
            let (height, width) = (found.mask.height(), found.mask.width());
            Self { height, width, bits: found.mask.values().chunks(8).map(pack).collect() }
        })
    }

    fn is_set(&self, y: usize, x: usize) -> bool {
        let at = y * self.width + x;
        self.bits[at / 8] >> (at % 8) & 1 == 1
    }

    /// How much of each pixel of an image of this size is subject, 0 to 1: soft at the edge.
    fn cover(&self, height: usize, width: usize) -> Vec<f32> {
        let from = |i: usize, from: usize, to: usize| (2 * i + 1) * from / (2 * to);
        let row = |y: usize| from(y, self.height, height);
        let pixel = |y: usize, x: usize| self.is_set(row(y), from(x, self.width, width));
        let mut cover: Vec<f32> = (0..height * width)
            .map(|at| f32::from(u8::from(pixel(at / width, at % width))))
            .collect();
        // Two means in a row make the edge a smooth ramp.
        for _ in 0..2 {
            means(&mut cover, height, width, softness(height, width));
        }
        cover
    }
}

/// Pixels on either side of an edge over which it fades: about one for each 64 of the image.
fn softness(height: usize, width: usize) -> usize {
    (height.min(width) / 64).max(1)
}

/// The mean over a square around each pixel, `reach` pixels on either side; the image is continued by its border.
fn means(values: &mut [f32], height: usize, width: usize, reach: usize) {
    let mut line = Vec::new();
    for (lines, len, along, across) in [(height, width, 1, width), (width, height, width, 1)] {
        for first in (0..lines).map(|i| i * across) {
            line.clear();
            line.extend((0..len).map(|i| values[first + i * along]));
            for i in 0..len {
                let near =
                    (i..=i + 2 * reach).map(|at| line[at.saturating_sub(reach).min(len - 1)]);
                values[first + i * along] = near.sum::<f32>() / (2 * reach + 1) as f32;
            }
        }
    }
}

impl Backgrounds {
    /// Those of the images of `of` themselves: each image may get the background of another one, of whatever class,
    /// whose subject is painted over. Calls `progress(done, total)` every few images; an error that it returns ends the
    /// work.
    ///
    /// # Errors
    /// If fewer than two images have a subject that is found for sure, or an image cannot be read; those of `progress`.
    pub fn own(of: &Dataset, progress: impl FnMut(usize, usize) -> Result<()>) -> Result<Self> {
        let subjects = subjects(of, progress)?;
        let known = subjects.iter().enumerate().filter(|(_, subject)| subject.is_some());
        let known: Vec<usize> = known.map(|(i, _)| i).collect();
        if known.len() < 2 {
            return Err(Error::data(
                "the images whose backgrounds are exchanged",
                "two or more with a subject before a background",
                known.len(),
                "leave the augmentation background away, or give pictures of backgrounds",
            ));
        }
        Ok(Self { subjects, source: Source::Own(known) })
    }

    /// `pictures`, which have the size of the images of `of`; otherwise as [`Backgrounds::own`].
    ///
    /// # Errors
    /// If there are no pictures, their size or channels are others, or an image cannot be read; those of `progress`.
    pub fn of_pictures(
        of: &Dataset,
        pictures: Dataset,
        progress: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Self> {
        let shape = |of: &Dataset| (of.image_size(), of.channels());
        if pictures.is_empty() || shape(&pictures) != shape(of) {
            return Err(Error::data(
                "pictures of backgrounds",
                format!("one or more of {:?}", shape(of)),
                format!("{} of {:?}", pictures.len(), shape(&pictures)),
                "load them in the size of the images",
            ));
        }
        Ok(Self { subjects: subjects(of, progress)?, source: Source::Pictures(Box::new(pictures)) })
    }

    /// The number of images that may get another background.
    pub fn found(&self) -> usize {
        self.subjects.iter().flatten().count()
    }

    /// Gives the image of `of` at this place, of seed, epoch and index, another background: a share `share` of the images
    /// gets one.
    pub(crate) fn apply(
        &self,
        of: &Dataset,
        image: &mut [f32],
        share: f64,
        place: (u64, usize, usize),
    ) -> Result<()> {
        let index = place.2;
        let Some(subject) = self.subjects.get(index).and_then(Option::as_ref) else {
            return Ok(());
        };
        // Drawn apart from the other changes, which stay as they are without this one.
        let mut rng = Augmentation::rng(place, stream::BACKGROUND);
        if rng.uniform() >= share {
            return Ok(());
        }
        let (height, width) = of.image_size();
        let size = [height, width, of.channels().count()];
        let pool = BufferPool::new();
        let picture = match &self.source {
            Source::Pictures(pictures) => {
                pictures.batch(&[rng.below(pictures.len())], &pool)?.0.as_slice().to_vec()
            }
            Source::Own(known) => {
                // Another one than itself.
                let own = known.binary_search(&index).unwrap_or(0);
                let other = known[(own + 1 + rng.below(known.len() - 1)) % known.len()];
                let mut picture = of.batch(&[other], &pool)?.0.as_slice().to_vec();
                if let Some(hole) = &self.subjects[other] {
                    fill(&mut picture, size, &hole.cover(height, width));
                }
                picture
            }
        };
        let cover = subject.cover(height, width);
        let pixels = image.chunks_exact_mut(size[2]).zip(picture.chunks_exact(size[2]));
        for ((pixel, behind), own) in pixels.zip(cover) {
            pixel
                .iter_mut()
                .zip(behind)
                .for_each(|(value, behind)| *value = behind + (*value - behind) * own);
        }
        Ok(())
    }
}

/// The subjects of all images.
fn subjects(
    of: &Dataset,
    mut progress: impl FnMut(usize, usize) -> Result<()>,
) -> Result<Vec<Option<Subject>>> {
    let (height, width) = of.image_size();
    let channels = of.channels().count();
    let (mut all, pool) = (Vec::with_capacity(of.len()), BufferPool::new());
    let indices: Vec<usize> = (0..of.len()).collect();
    for indices in indices.chunks(TOGETHER) {
        let (batch, _) = of.batch(indices, &pool)?;
        let found: Vec<Result<Option<Subject>>> = batch
            .as_slice()
            .par_chunks_exact(height * width * channels)
            .map(|image| {
                let image = Rgb8::of_values(height, width, channels, image)?;
                Ok(Subject::of(&foreground(&image)))
            })
            .collect();
        for subject in found {
            all.push(subject?);
        }
        progress(all.len(), of.len())?;
    }
    Ok(all)
}

/// Paints over what is covered with what lies around it: means of ever larger surroundings (push-pull; Gortler et al.,
/// "The lumigraph", 1996).
fn fill(image: &mut [f32], [height, width, channels]: Size, cover: &[f32]) {
    // A pixel is known where nothing of the subject is left, with a little distance.
    let mut hole = cover.to_vec();
    means(&mut hole, height, width, 2 * softness(height, width));
    let known: Vec<f32> = hole.iter().map(|&hole| f32::from(u8::from(hole < 0.02))).collect();
    pull(image, &known, [height, width, channels]);
}

/// Replaces each pixel by what is known of it, and by the mean of a larger surrounding as far as it is not.
fn pull(image: &mut [f32], known: &[f32], [height, width, channels]: Size) {
    if known.iter().all(|&known| known >= 1.0) || height * width == 1 {
        return;
    }
    let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
    let mut coarse = vec![0.0; rows * columns * channels];
    let mut weights = vec![0.0_f32; rows * columns];
    for (at, &weight) in known.iter().enumerate() {
        let to = at / width / 2 * columns + at % width / 2;
        weights[to] += weight;
        for c in 0..channels {
            coarse[to * channels + c] += weight * image[at * channels + c];
        }
    }
    for (pixel, weight) in coarse.chunks_exact_mut(channels).zip(&mut weights) {
        if *weight > 0.0 {
            pixel.iter_mut().for_each(|value| *value /= *weight);
        }
        *weight = weight.min(1.0);
    }
    pull(&mut coarse, &weights, [rows, columns, channels]);
    let sample = |y: usize, x: usize, c: usize| {
        let place = |i: usize, len: usize| {
            let at = (i as f32 - 0.5) / 2.0;
            let low = (at.floor().max(0.0)) as usize;
            (low.min(len - 1), (low + 1).min(len - 1), (at - low as f32).clamp(0.0, 1.0))
        };
        let ((y0, y1, fy), (x0, x1, fx)) = (place(y, rows), place(x, columns));
        let at = |y: usize, x: usize| coarse[(y * columns + x) * channels + c];
        let upper = at(y0, x0) + (at(y0, x1) - at(y0, x0)) * fx;
        let lower = at(y1, x0) + (at(y1, x1) - at(y1, x0)) * fx;
        upper + (lower - upper) * fy
    };
    for (at, &weight) in known.iter().enumerate().filter(|(_, weight)| **weight < 1.0) {
        for c in 0..channels {
            let value = &mut image[at * channels + c];
            *value = weight * *value + (1.0 - weight) * sample(at / width, at % width, c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_with_what_is_around() {
        let size = [20, 24, 1];
        // A gradient with a dark square in it.
        let value = |at: usize| (at % 24) as f32 * 4.0;
        let mut image: Vec<f32> = (0..480).map(value).collect();
        let mut cover = vec![0.0; 480];
        for y in 8..12 {
            for x in 10..14 {
                (image[y * 24 + x], cover[y * 24 + x]) = (-1000.0, 1.0);
            }
        }
        fill(&mut image, size, &cover);
        for (at, &filled) in image.iter().enumerate() {
            assert!((filled - value(at)).abs() < 16.0, "{at}: {filled}");
        }
        // Nothing is known: nothing is invented.
        pull(&mut image, &vec![0.0; 480], size);
        assert!(image.iter().all(|value| value.is_finite()));
    }
}

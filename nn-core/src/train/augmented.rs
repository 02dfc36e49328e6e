//! Images that are changed a little in each epoch.

use super::{Batch, Examples};
use crate::data::Dataset;
use crate::data::augment::{Augmentation, Backgrounds, Kind, Mix};
use crate::error::{Error, Result};
use crate::tensor::{BufferPool, Tensor};
use rayon::prelude::*;

/// The images of a data set, augmented in training and as they are elsewhere.
///
/// What is done to an image follows from the seed, the epoch and its index. With mixup or cutmix, labels are shares of
/// classes, for which there is no accuracy in training.
///
/// ```no_run
/// # use nn_core::{data::Dataset, model::Sequential, optim::OptimizerConfig, train::*};
/// # fn example(images: &Dataset, model: Sequential) -> nn_core::Result<()> {
/// let augmented = Augmented::new(images, "flip,rotate=10,colour".parse()?, 27)?;
/// let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, FitOptions::default())?;
/// trainer.fit(&augmented, None, &mut Silent)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Augmented<'a> {
    images: &'a Dataset,
    augmentation: Augmentation,
    backgrounds: Option<Backgrounds>,
    seed: u64,
}

impl<'a> Augmented<'a> {
    /// Augments these images. For [`Kind::Background`], add [`Augmented::backgrounds`].
    ///
    /// # Errors
    /// If the augmentation does not fit the images.
    pub fn new(images: &'a Dataset, augmentation: Augmentation, seed: u64) -> Result<Self> {
        augmentation.check(images.channels().count())?;
        Ok(Self { images, augmentation, backgrounds: None, seed })
    }

    /// Sets the backgrounds that images may get.
    #[must_use]
    pub fn backgrounds(mut self, backgrounds: Backgrounds) -> Self {
        self.backgrounds = Some(backgrounds);
        self
    }

    /// The images `indices` with changed values, and their labels.
    fn changed(
        &self,
        indices: &[usize],
        epoch: usize,
        pool: &BufferPool<f32>,
    ) -> Result<(Tensor, Vec<usize>)> {
        let (mut batch, labels) = self.images.batch(indices, pool)?;
        let size = self.size();
        let share = self.augmentation.strength(Kind::Background);
        let images = batch.as_mut_slice().par_chunks_exact_mut(size.iter().product());
        let change = |spare: &mut Vec<f32>, (image, &index): (&mut [f32], &usize)| {
            let of = (self.seed, epoch, index);
            if let Some(backgrounds) = self.backgrounds.as_ref().filter(|_| share > 0.0) {
                backgrounds.apply(self.images, image, share, of)?;
            }
            self.augmentation.apply(image, size, of, spare);
            Ok(())
        };
        let done: Vec<Result<()>> = images.zip(indices).map_init(Vec::new, change).collect();
        done.into_iter().collect::<Result<()>>()?;
        Ok((batch, labels))
    }

    fn size(&self) -> [usize; 3] {
        let (height, width) = self.images.image_size();
        [height, width, self.images.channels().count()]
    }
}

impl Examples for Augmented<'_> {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn batch(&self, indices: &[usize], pool: &BufferPool<f32>) -> Result<Batch> {
        Dataset::batch(self.images, indices, pool).map(Batch::from)
    }

    fn training_batch(
        &self,
        indices: &[usize],
        epoch: usize,
        pool: &BufferPool<f32>,
    ) -> Result<Batch> {
        let (mut batch, labels) = self.changed(indices, epoch, pool)?;
        if !self.augmentation.mixes() {
            return Ok((batch, labels).into());
        }
        let Some(&first) = indices.first() else {
            return Err(Error::data("batch", "one image or more", "none", "pass an index"));
        };
        let (size, classes) = (self.size(), self.images.classes().len());
        let mix = Mix::draw(&self.augmentation, indices.len(), size, (self.seed, epoch, first));
        mix.images(batch.as_mut_slice(), size);
        let labels = mix.labels(&labels, classes, size);
        Ok((batch, Tensor::from_vec([indices.len(), classes], labels)?).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DatasetOptions, Sample};
    use rayon::ThreadPoolBuilder;

    /// Pictures of a bright square that is not in the middle, before stripes.
    fn images(folder: &std::path::Path) -> Dataset {
        let samples = (0..6_u32).map(|i| {
            let path = folder.join(format!("{i}.png"));
            let picture = image::RgbImage::from_fn(60, 48, |x, y| {
                let is_subject = (20..40).contains(&x) && (12 + i..32 + i).contains(&y);
                let stripe = (x / 3 + y * i) % 7 * 9;
                image::Rgb(if is_subject { [250, 200, 30] } else { [30, 60 + stripe as u8, 90] })
            });
            picture.save(&path).unwrap();
            Sample { path, label: (i % 2) as usize }
        });
        let options = DatasetOptions { height: 32, width: 40, ..DatasetOptions::default() };
        Dataset::load(samples.collect(), vec!["a".into(), "b".into()], &options).unwrap()
    }

    #[test]
    fn batches_do_not_depend_on_threads_order_or_company() {
        let folder = tempfile::tempdir().unwrap();
        let images = images(folder.path());
        let augmentation = "standard,colour,noise,blur,erase,background=1".parse().unwrap();
        let augmented = Augmented::new(&images, augmentation, 27)
            .unwrap()
            .backgrounds(Backgrounds::own(&images, |_, _| Ok(())).unwrap());
        let batch = |threads: usize, indices: &[usize], epoch: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let batch = pool
                .install(|| augmented.training_batch(indices, epoch, &BufferPool::new()).unwrap());
            let len = 32 * 40 * 3;
            batch.inputs.as_slice().chunks(len).map(<[f32]>::to_vec).collect::<Vec<_>>()
        };
        let all = batch(1, &[0, 1, 2, 3, 4, 5], 1);
        assert_eq!(batch(3, &[0, 1, 2, 3, 4, 5], 1), all);
        assert_eq!(batch(2, &[4, 0], 1), [all[4].clone(), all[0].clone()]);
        assert_ne!(batch(1, &[4, 0], 2), [all[4].clone(), all[0].clone()]);
        // Outside of training they are as they are.
        let plain = Examples::batch(&augmented, &[3], &BufferPool::new()).unwrap();
        assert_eq!(plain.inputs, images.batch(&[3], &BufferPool::new()).unwrap().0);
    }

    #[test]
    fn subjects_stay_where_backgrounds_change() {
        let folder = tempfile::tempdir().unwrap();
        let images = images(folder.path());
        let backgrounds = Backgrounds::own(&images, |_, _| Ok(())).unwrap();
        assert_eq!(backgrounds.found(), 6);
        let augmented = Augmented::new(&images, "background=1".parse().unwrap(), 1);
        let augmented = augmented.unwrap().backgrounds(backgrounds);
        let pool = BufferPool::new();
        let before = Examples::batch(&augmented, &[2], &pool).unwrap().inputs;
        let at =
            |image: &Tensor, y: usize, x: usize| image.as_slice()[(y * 40 + x) * 3..][..3].to_vec();
        let mut corners = std::collections::BTreeSet::new();
        for epoch in 1..8 {
            let after = augmented.training_batch(&[2], epoch, &pool).unwrap().inputs;
            // The middle of the square.
            for (a, b) in at(&before, 16, 20).iter().zip(at(&after, 16, 20)) {
                assert!((a - b).abs() < 3.0, "{a} {b}");
            }
            corners.insert(at(&after, 2, 3).iter().map(|value| *value as u32).collect::<Vec<_>>());
        }
        assert!(corners.len() > 2, "{corners:?}");
    }

    #[test]
    fn mixed_images_have_mixed_labels() {
        let folder = tempfile::tempdir().unwrap();
        let images = images(folder.path());
        let augmented = Augmented::new(&images, "mixup=1".parse().unwrap(), 27).unwrap();
        let batch = augmented.training_batch(&[0, 1, 2], 1, &BufferPool::new()).unwrap();
        let crate::loss::Targets::Values(labels) = batch.targets.view() else {
            panic!("labels are shares")
        };
        assert_eq!(labels.dims(), [3, 2]);
        assert!(labels.as_slice().chunks(2).all(|row| (row[0] + row[1] - 1.0).abs() < 1e-6));
        let again = augmented.training_batch(&[0, 1, 2], 1, &BufferPool::new()).unwrap();
        assert_eq!(again, batch);
    }
}

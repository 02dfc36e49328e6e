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

//! The built-in network.

use super::{Model, SequentialBuilder};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{Activation, Conv2D, Dense, Flatten, MaxPool2D, Rescaling};

/// The convolutional classifier of the reference notebook, with configurable sizes: rescaling of pixels
/// to `0..=1`, three blocks of convolution, ReLU and 2x2 max-pooling, then two dense layers and a
/// softmax.
///
/// ```
/// use nn_core::model::{ReferenceCnn, Sequential};
/// let flagship: Sequential = ReferenceCnn::new(2, 256).build(27)?;
/// assert_eq!(flagship.parameter_count(), 7_596_226);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceCnn {
    /// Number of classes, 2 or more.
    pub classes: usize,
    /// Height and width of the images, in pixels.
    pub image_size: (usize, usize),
    /// Channels of the images.
    pub channels: usize,
    /// Filters of the three convolutions.
    pub filters: [usize; 3],
    /// Kernel sizes of the three convolutions.
    pub kernel_sizes: [(usize, usize); 3],
    /// Outputs of the hidden dense layer.
    pub units: usize,
}

impl ReferenceCnn {
    /// The minimum height and width of images with the default kernels and poolings.
    pub const SMALLEST_IMAGE: usize = 22;

    /// The default network for `classes` classes and square images of `image_size` pixels a side: 64,
    /// 128 and 128 filters of 3x3, 64 hidden units.
    pub fn new(classes: usize, image_size: usize) -> Self {
        Self {
            classes,
            image_size: (image_size, image_size),
            channels: 3,
            filters: [64, 128, 128],
            kernel_sizes: [(3, 3); 3],
            units: 64,
        }
    }

    /// Sets the filters of the three convolutions.
    pub fn filters(mut self, filters: [usize; 3]) -> Self {
        self.filters = filters;
        self
    }

    /// Sets the units of the hidden dense layer.
    pub fn units(mut self, units: usize) -> Self {
        self.units = units;
        self
    }

    /// A builder with the network's layers.
    pub fn builder<T: Kernels>(&self) -> SequentialBuilder<T> {
        let (height, width) = self.image_size;
        let mut builder = SequentialBuilder::new([height, width, self.channels])
            .layer(Rescaling::new(1.0 / 255.0));
        for (filters, kernel_size) in self.filters.into_iter().zip(self.kernel_sizes) {
            builder = builder
                .layer(Conv2D::new(filters, kernel_size).activation(Activation::Relu))
                .layer(MaxPool2D::new(2));
        }
        builder
            .layer(Flatten::new())
            .layer(Dense::new(self.units).activation(Activation::Relu))
            .layer(Dense::new(self.classes).activation(Activation::Softmax))
    }

    /// The number of inputs of the first dense layer for square images of this size; `None` if they are
    /// too small.
    pub(super) fn features(&self, image_size: usize) -> Option<usize> {
        let along = |kernel: fn(&(usize, usize)) -> usize| {
            self.kernel_sizes.iter().try_fold(image_size, |size, kernels| {
                let pooled = (size + 1).checked_sub(kernel(kernels))? / 2;
                (pooled > 0).then_some(pooled)
            })
        };
        along(|k| k.0)?.checked_mul(along(|k| k.1)?)?.checked_mul(self.filters[2])
    }

    /// The network, with parameters drawn from `seed`.
    ///
    /// # Errors
    /// If there are fewer than two classes, or the images are too small for the kernels and poolings
    /// (22 pixels are enough by default) or too large for memory.
    pub fn build<T: Kernels>(&self, seed: u64) -> Result<Model<T>> {
        if self.classes < 2 {
            return Err(Error::setting(
                "the number of classes",
                "2 or more",
                self.classes,
                "a classifier needs something to tell apart",
            ));
        }
        self.builder().build(seed)
    }
}

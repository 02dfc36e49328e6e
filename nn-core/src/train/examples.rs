//! The interface for training data.

#[cfg(feature = "images")]
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::loss::OwnedTargets;
use crate::tensor::{BufferPool, Tensor};

/// Some examples: what goes into the network, and what should come out.
///
/// It is made from a pair: `Ok((inputs, labels).into())`.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T: Kernels = f32> {
    /// The inputs, `[batch, ..]`.
    pub inputs: Tensor<T>,
    /// The targets: class indices, values of any shape, or several of these.
    pub targets: OwnedTargets<T>,
}

impl<T: Kernels, Y: Into<OwnedTargets<T>>> From<(Tensor<T>, Y)> for Batch<T> {
    fn from((inputs, targets): (Tensor<T>, Y)) -> Self {
        Self { inputs, targets: targets.into() }
    }
}

/// Examples that can be fetched by index, in any order.
///
/// A [`Dataset`](crate::data) of images and arrays [`InMemory`](super::InMemory) implement it; implement it
/// for anything else:
///
/// ```
/// use nn_core::tensor::BufferPool;
/// use nn_core::train::{Batch, Examples};
/// use nn_core::{Result, Tensor};
///
/// /// The numbers below 1000, even or odd.
/// struct Numbers;
///
/// impl Examples for Numbers {
///     fn len(&self) -> usize {
///         1000
///     }
///     fn batch(&self, indices: &[usize], _: &BufferPool<f32>) -> Result<Batch> {
///         let bits = Tensor::from_fn([indices.len(), 10], |i| (indices[i / 10] >> (i % 10) & 1) as f32);
///         let labels: Vec<usize> = indices.iter().map(|number| number % 2).collect();
///         Ok((bits, labels).into())
///     }
/// }
/// assert_eq!(Numbers.batch(&[5], &BufferPool::new())?.inputs.as_slice()[..3], [1., 0., 1.]);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub trait Examples<T: Kernels = f32> {
    /// The number of examples.
    fn len(&self) -> usize;

    /// The inputs `[indices.len(), ..]` and the targets of the examples with these indices, in their order.
    /// Another number of inputs is refused by training and evaluation.
    ///
    /// # Errors
    /// If an example cannot be read.
    fn batch(&self, indices: &[usize], pool: &BufferPool<T>) -> Result<Batch<T>>;

    /// The same for a training step of this epoch, counted from 1; by default the examples as they are. Augmented
    /// examples are others in each epoch. They must follow from the epoch and the indices alone, so that a resumed run
    /// sees the same.
    ///
    /// # Errors
    /// If an example cannot be read.
    fn training_batch(
        &self,
        indices: &[usize],
        epoch: usize,
        pool: &BufferPool<T>,
    ) -> Result<Batch<T>> {
        let _ = epoch;
        self.batch(indices, pool)
    }

    /// Whether there is no example.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The examples with these indices.
///
/// # Errors
/// If one cannot be read, or there are not as many inputs as indices: the means of loss and accuracy would be
/// wrong.
pub(super) fn fetch<T: Kernels>(
    examples: &dyn Examples<T>,
    indices: &[usize],
    pool: &BufferPool<T>,
) -> Result<Batch<T>> {
    checked(examples.batch(indices, pool)?, indices)
}

/// The examples with these indices for a training step of an epoch.
///
/// # Errors
/// As [`fetch`].
pub(super) fn fetch_for_training<T: Kernels>(
    examples: &dyn Examples<T>,
    indices: &[usize],
    epoch: usize,
    pool: &BufferPool<T>,
) -> Result<Batch<T>> {
    checked(examples.training_batch(indices, epoch, pool)?, indices)
}

fn checked<T: Kernels>(batch: Batch<T>, indices: &[usize]) -> Result<Batch<T>> {
    if batch.inputs.dims().first() == Some(&indices.len()) {
        return Ok(batch);
    }
    Err(Error::shape(
        "a batch of examples",
        format!("inputs [{}, ..], one for each index", indices.len()),
        batch.inputs.shape(),
        "return the example of every index that Examples::batch is asked for, and no others",
    ))
}

#[cfg(feature = "images")]
impl Examples for Dataset {
    fn len(&self) -> usize {
        Dataset::len(self)
    }

    fn batch(&self, indices: &[usize], pool: &BufferPool<f32>) -> Result<Batch> {
        Dataset::batch(self, indices, pool).map(Batch::from)
    }
}

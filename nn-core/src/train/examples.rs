//! The interface for training data.

#[cfg(feature = "images")]
use crate::data::Dataset;
use crate::error::Result;
use crate::kernels::Kernels;
use crate::tensor::{BufferPool, Tensor};

/// Labelled examples that can be fetched by index, in any order.
///
/// A [`Dataset`](crate::data) of images implements it; implement it for arrays, sensor data or
/// anything else with labels.
pub trait Examples<T: Kernels = f32> {
    /// The number of examples.
    fn len(&self) -> usize;

    /// The inputs `[indices.len(), ..]` and the class labels of the examples with these indices.
    ///
    /// # Errors
    /// If an example cannot be read.
    fn batch(&self, indices: &[usize], pool: &BufferPool<T>) -> Result<(Tensor<T>, Vec<usize>)>;

    /// Whether there is no example.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(feature = "images")]
impl Examples for Dataset {
    fn len(&self) -> usize {
        Dataset::len(self)
    }

    fn batch(&self, indices: &[usize], pool: &BufferPool<f32>) -> Result<(Tensor, Vec<usize>)> {
        Dataset::batch(self, indices, pool)
    }
}

//! What can be learned from.

#[cfg(feature = "images")]
use crate::data::Dataset;
use crate::error::Result;
use crate::kernels::Kernels;
use crate::tensor::{BufferPool, Tensor};

/// Labelled examples that can be fetched by number, in any order.
///
/// A [`Dataset`](crate::data) of images is such examples; implement it for arrays,
/// sensors or anything else with a label.
pub trait Examples<T: Kernels = f32> {
    /// The number of examples.
    fn len(&self) -> usize;

    /// The inputs `[indices.len(), ..]` and the class labels of the examples of these numbers.
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

//! Examples that are arrays in memory.

use super::{Batch, Examples};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::loss::OwnedTargets;
use crate::tensor::{BufferPool, Tensor};

/// Examples held in memory: arrays of inputs and targets.
///
/// ```
/// use nn_core::train::{Examples, InMemory};
/// use nn_core::Tensor;
/// let images = Tensor::zeros([100, 28, 28, 1]);
/// let labels: Vec<usize> = (0..100).map(|i| i % 10).collect();
/// let classes: InMemory = InMemory::new(images.clone(), labels)?;
/// let autoencoder = InMemory::new(images.clone(), images)?;
/// assert_eq!((classes.len(), autoencoder.len()), (100, 100));
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct InMemory<T: Kernels = f32> {
    inputs: Tensor<T>,
    targets: OwnedTargets<T>,
}

impl<T: Kernels> InMemory<T> {
    /// Inputs `[n, ..]` with a class index each (`Vec<usize>`), values `[n, ..]` (a tensor), or several
    /// of these.
    ///
    /// # Errors
    /// If there are not as many targets as inputs.
    pub fn new(inputs: Tensor<T>, targets: impl Into<OwnedTargets<T>>) -> Result<Self> {
        let targets = targets.into();
        let Some(&n) = inputs.dims().first() else {
            return Err(Error::shape(
                "inputs in memory",
                "a tensor [examples, ..]",
                inputs.shape(),
                "put the examples side by side in one tensor",
            ));
        };
        check(n, &targets)?;
        Ok(Self { inputs, targets })
    }

    /// The inputs, `[n, ..]`.
    pub fn inputs(&self) -> &Tensor<T> {
        &self.inputs
    }

    /// The targets of all examples.
    pub fn targets(&self) -> &OwnedTargets<T> {
        &self.targets
    }

    /// The examples with these indices, for example a share for validation.
    ///
    /// # Errors
    /// If an index is not below the number of examples.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let Batch { inputs, targets } = self.batch(indices, &BufferPool::new())?;
        Ok(Self { inputs, targets })
    }
}

impl<T: Kernels> Examples<T> for InMemory<T> {
    fn len(&self) -> usize {
        self.inputs.dims().first().copied().unwrap_or(0)
    }

    fn batch(&self, indices: &[usize], pool: &BufferPool<T>) -> Result<Batch<T>> {
        let len = Examples::len(self);
        if let Some(index) = indices.iter().find(|&&index| index >= len) {
            return Err(Error::data(
                "batch index",
                format!("below the number of examples, {len}"),
                index,
                "take indices from 0..len",
            ));
        }
        let inputs = rows(&self.inputs, indices, pool);
        Ok(Batch { inputs, targets: targets_of(&self.targets, indices, pool) })
    }
}

/// Checks that there are `n` targets.
fn check<T: Kernels>(n: usize, targets: &OwnedTargets<T>) -> Result<()> {
    let found = match targets {
        OwnedTargets::Classes(classes) => Some(classes.len()),
        OwnedTargets::Values(values) => values.dims().first().copied(),
        OwnedTargets::Several(several) => {
            return several.iter().try_for_each(|targets| check(n, targets));
        }
    };
    if found == Some(n) {
        return Ok(());
    }
    Err(Error::shape(
        "targets in memory",
        format!("{n} of them, one for each input"),
        found.map_or("a single number".into(), |found| found.to_string()),
        "pass a class index, or a row of a tensor [examples, ..], for each",
    ))
}

/// The rows of `tensor [n, ..]` with these indices, all below `n`.
fn rows<T: Kernels>(tensor: &Tensor<T>, indices: &[usize], pool: &BufferPool<T>) -> Tensor<T> {
    let inner = &tensor.dims()[1..];
    let width: usize = inner.iter().product();
    let shape: Vec<usize> = std::iter::once(indices.len()).chain(inner.iter().copied()).collect();
    let mut chosen = Tensor::uninit(shape, pool);
    if width > 0 {
        let all = tensor.as_slice();
        for (row, &i) in chosen.as_mut_slice().chunks_exact_mut(width).zip(indices) {
            row.copy_from_slice(&all[i * width..(i + 1) * width]);
        }
    }
    chosen
}

fn targets_of<T: Kernels>(
    targets: &OwnedTargets<T>,
    indices: &[usize],
    pool: &BufferPool<T>,
) -> OwnedTargets<T> {
    match targets {
        OwnedTargets::Classes(classes) => {
            indices.iter().map(|&i| classes[i]).collect::<Vec<_>>().into()
        }
        OwnedTargets::Values(values) => rows(values, indices, pool).into(),
        OwnedTargets::Several(several) => {
            several.iter().map(|one| targets_of(one, indices, pool)).collect::<Vec<_>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_the_rows_that_were_asked_for() {
        let inputs = Tensor::<f32>::from_fn([4, 2, 1], |i| i as f32);
        let several = vec![vec![3, 2, 1, 0].into(), Tensor::from_fn([4], |i| -(i as f32)).into()];
        let examples = InMemory::new(inputs, OwnedTargets::Several(several)).unwrap();
        let batch = examples.batch(&[2, 0, 2], &BufferPool::new()).unwrap();
        assert_eq!(batch.inputs.dims(), [3, 2, 1]);
        assert_eq!(batch.inputs.as_slice(), [4., 5., 0., 1., 4., 5.]);
        let OwnedTargets::Several(several) = &batch.targets else { panic!("{batch:?}") };
        assert_eq!(several[0], vec![1, 3, 1].into());
        assert_eq!(several[1], Tensor::from_vec([3], vec![-2., 0., -2.]).unwrap().into());
        let selected = examples.select(&[2, 0, 2]).unwrap();
        assert_eq!((selected.inputs(), selected.targets()), (&batch.inputs, &batch.targets));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let inputs = || Tensor::<f32>::zeros([3, 2]);
        let message = InMemory::new(inputs(), vec![0, 1]).unwrap_err().to_string();
        assert!(message.contains("3 of them") && message.contains('2'), "{message}");
        assert!(InMemory::new(inputs(), Tensor::zeros([2, 3])).is_err());
        assert!(InMemory::new(inputs(), Tensor::scalar(1.0)).is_err());
        assert!(InMemory::new(Tensor::<f32>::scalar(1.0), vec![0]).is_err());
        let several = OwnedTargets::Several(vec![vec![0, 0, 1].into(), vec![0].into()]);
        assert!(InMemory::new(inputs(), several).is_err());
        let three = InMemory::new(inputs(), vec![0, 1, 0]).unwrap();
        let message = three.batch(&[0, 3], &BufferPool::new()).unwrap_err().to_string();
        assert!(message.contains("below the number of examples, 3"), "{message}");
        let none = InMemory::new(Tensor::<f32>::zeros([0, 2]), Vec::<usize>::new()).unwrap();
        assert!(none.is_empty());
    }
}

//! What a frozen part of a network makes of examples, computed once.

use super::examples::fetch;
use super::{Batch, Examples};
use crate::autograd::Tape;
use crate::data::Spill;
use crate::error::{Error, Result};
use crate::kernels::parallel;
use crate::model::Model;
use crate::tensor::{BufferPool, Tensor};
use bytemuck::cast_slice_mut;
use std::fmt;
use std::sync::Arc;

/// Examples per forward pass. The bits do not depend on which of them are asked for: they are always computed in
/// the same company.
const TOGETHER: usize = 8;

/// Where [`Features`] are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureOptions {
    /// The bytes that are kept in memory; 64 MiB by default, 0 keeps none.
    pub memory_bound: usize,
    /// The bytes beyond these that are kept in a temporary file; 4 GiB by default, 0 keeps none. Features that do
    /// not fit there either are computed for every batch.
    pub disk_bound: u64,
}

impl Default for FeatureOptions {
    fn default() -> Self {
        Self { memory_bound: 64 << 20, disk_bound: 4 << 30 }
    }
}

/// Examples whose inputs are the outputs of a network for other examples: of the frozen part of a network, so that
/// training the rest of it does not compute them in every epoch.
///
/// ```
/// use nn_core::Tensor;
/// use nn_core::layers::Dense;
/// use nn_core::model::{Model, Sequential};
/// use nn_core::optim::OptimizerConfig;
/// use nn_core::train::{FeatureOptions, Features, FitOptions, InMemory, Silent, Trainer};
///
/// let pretrained: Model =
///     Sequential::builder([4]).layer(Dense::new(8)).layer(Dense::new(10)).build(27)?;
/// let x = Tensor::from_fn([6, 4], |i| (i % 5) as f32);
/// let examples = InMemory::new(x, vec![0, 1, 0, 1, 0, 1])?;
///
/// let mut model = pretrained.with_classes(2, 1)?;
/// let (frozen, head) = model.clone().split_at("dense1")?;
/// let features = Features::compute(&frozen, &examples, FeatureOptions::default(), |_, _| Ok(()))?;
/// let mut trainer = Trainer::new(head, OptimizerConfig::adam().build()?, FitOptions::default())?;
/// trainer.fit(&features, None, &mut Silent)?;
/// model.set_all(trainer.model())?;
/// # Ok::<(), nn_core::Error>(())
/// ```
pub struct Features<'a> {
    network: &'a Model,
    examples: &'a dyn Examples,
    /// The examples whose features are kept begin with the first.
    kept: Vec<Kept>,
    spill: Spill,
    labels: Vec<usize>,
}

impl fmt::Debug for Features<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Features")
            .field("network", &self.network.name())
            .field("examples", &self.len())
            .field("recomputed", &self.recomputed())
            .finish_non_exhaustive()
    }
}

/// Where the features of an example are.
enum Kept {
    InMemory(Box<[f32]>),
    Spilled(u64),
    Nowhere,
}

impl<'a> Features<'a> {
    /// Computes the outputs of `network` for all `examples`, whose targets are classes, and keeps them. Calls
    /// `progress(done, total)` every few examples; an error that it returns ends the computation.
    ///
    /// # Errors
    /// If an example cannot be read or does not fit the network, or its target is no class; those of `progress`.
    pub fn compute(
        network: &'a Model,
        examples: &'a dyn Examples,
        options: FeatureOptions,
        mut progress: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Self> {
        let total = examples.len();
        let spill = Spill::new(options.disk_bound);
        let mut features = Self { network, examples, kept: Vec::new(), spill, labels: Vec::new() };
        let (mut free, pool) = (options.memory_bound, BufferPool::new());
        for first in (0..total).step_by(TOGETHER) {
            let (values, labels) = features.computed(first, &pool)?;
            for row in values.as_slice().chunks_exact(features.len_of_one()) {
                let place = features.place(row, &mut free);
                features.kept.push(place);
            }
            features.labels.extend(labels);
            progress(features.kept.len(), total)?;
        }
        Ok(features)
    }

    /// The numbers of one example's features.
    fn len_of_one(&self) -> usize {
        self.network.output_shape().len()
    }

    fn place(&mut self, row: &[f32], free: &mut usize) -> Kept {
        if let Some(left) = free.checked_sub(size_of_val(row)) {
            *free = left;
            return Kept::InMemory(row.into());
        }
        *free = 0;
        self.spill.append(bytemuck::cast_slice(row)).map_or(Kept::Nowhere, Kept::Spilled)
    }

    /// The features and classes of the examples from `first` on that are computed together.
    fn computed(&self, first: usize, pool: &BufferPool<f32>) -> Result<(Arc<Tensor>, Vec<usize>)> {
        let indices: Vec<usize> = (first..self.examples.len().min(first + TOGETHER)).collect();
        let batch = fetch(self.examples, &indices, pool)?;
        let Some(labels) = batch.targets.view().classes().map(<[usize]>::to_vec) else {
            return Err(Error::data(
                "the targets of examples whose features are kept",
                "classes",
                "values",
                "compute the network's outputs yourself, and put them into InMemory",
            ));
        };
        Ok((outputs(self.network, batch.inputs, pool)?, labels))
    }

    fn write(&self, index: usize, out: &mut [f32], pool: &BufferPool<f32>) -> Result<()> {
        match &self.kept[index] {
            Kept::InMemory(row) => out.copy_from_slice(row),
            Kept::Spilled(at) if self.spill.read(*at, cast_slice_mut(out)).is_ok() => {}
            // Also if the temporary file cannot be read.
            Kept::Spilled(_) | Kept::Nowhere => {
                let first = index / TOGETHER * TOGETHER;
                let (values, _) = self.computed(first, pool)?;
                let at = (index - first) * out.len();
                out.copy_from_slice(&values.as_slice()[at..at + out.len()]);
            }
        }
        Ok(())
    }

    /// The number of examples whose features are computed for each batch, because they fit nowhere.
    pub fn recomputed(&self) -> usize {
        self.kept.iter().filter(|kept| matches!(kept, Kept::Nowhere)).count()
    }
}

/// The network's outputs for a batch.
fn outputs(network: &Model, x: Tensor, pool: &BufferPool<f32>) -> Result<Arc<Tensor>> {
    parallel::on_pool(|| {
        let tape = Tape::inference(pool.clone());
        network.infer(&tape, x).map(|y| y.share())
    })
}

impl Examples for Features<'_> {
    fn len(&self) -> usize {
        self.kept.len()
    }

    fn batch(&self, indices: &[usize], pool: &BufferPool<f32>) -> Result<Batch> {
        if let Some(index) = indices.iter().find(|&&index| index >= self.len()) {
            let expected = format!("below the number of examples, {}", self.len());
            return Err(Error::data("batch index", expected, index, "take indices from 0..len"));
        }
        let mut shape = vec![indices.len()];
        shape.extend(self.network.output_shape().dims());
        let mut batch = Tensor::uninit(shape, pool);
        let rows = batch.as_mut_slice().chunks_exact_mut(self.len_of_one());
        for (out, &index) in rows.zip(indices) {
            self.write(index, out, pool)?;
        }
        let labels: Vec<usize> = indices.iter().map(|&index| self.labels[index]).collect();
        Ok((batch, labels).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Activation, Conv2D, Dense, GlobalAveragePool2D};
    use crate::model::Sequential;
    use crate::train::InMemory;

    fn network() -> Model {
        Sequential::builder([5, 5, 2])
            .layer(Conv2D::new(6, 3).activation(Activation::Relu))
            .layer(GlobalAveragePool2D::new())
            .build(1)
            .unwrap()
    }

    fn examples(n: usize) -> InMemory {
        let x = Tensor::from_fn([n, 5, 5, 2], |i| (i as f32 * 0.37).sin());
        InMemory::new(x, (0..n).map(|i| i % 3).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn wherever_they_are_kept_they_are_the_networks_outputs() {
        let (network, examples, pool) = (network(), examples(21), BufferPool::new());
        let row = 6 * size_of::<f32>();
        let kept = |memory: usize, disk: usize| {
            let (memory_bound, disk_bound) = (memory * row, (disk * row) as u64);
            let options = FeatureOptions { memory_bound, disk_bound };
            let mut told = Vec::new();
            let features = Features::compute(&network, &examples, options, |done, total| {
                told.push((done, total));
                Ok(())
            });
            assert_eq!(told, [(8, 21), (16, 21), (21, 21)]);
            features.unwrap()
        };
        let indices = [20, 0, 7, 8, 20, 13];
        let expected = network.predict(examples.batch(&indices, &pool).unwrap().inputs).unwrap();
        let first = kept(21, 0).batch(&indices, &pool).unwrap();
        for (a, b) in first.inputs.as_slice().iter().zip(expected.as_slice()) {
            approx::assert_abs_diff_eq!(a, b, epsilon = 1e-6);
        }
        assert_eq!(first.targets.view().classes(), Some(&[2, 0, 1, 2, 2, 1][..]));
        for (memory, disk, recomputed) in [(8, 13, 0), (0, 21, 0), (3, 4, 14), (0, 0, 21)] {
            let features = kept(memory, disk);
            assert_eq!((features.len(), features.recomputed()), (21, recomputed));
            assert_eq!(features.batch(&indices, &pool).unwrap(), first, "{memory} {disk}");
        }
        assert!(kept(21, 0).batch(&[21], &pool).is_err());
    }

    #[test]
    fn other_targets_are_refused_and_progress_may_end_it() {
        let (network, x) = (network(), Tensor::zeros([2, 5, 5, 2]));
        let values = InMemory::new(x.clone(), x).unwrap();
        let options = FeatureOptions::default();
        let message = Features::compute(&network, &values, options, |_, _| Ok(())).unwrap_err();
        assert!(message.to_string().contains("classes"), "{message}");
        let stop = |_, _| Err(Error::Interrupted);
        let nine = examples(9);
        let stopped = Features::compute(&network, &nine, options, stop);
        assert!(matches!(stopped, Err(Error::Interrupted)));
        let wide: Model = Sequential::builder([7]).layer(Dense::new(2)).build(1).unwrap();
        assert!(Features::compute(&wide, &examples(2), options, |_, _| Ok(())).is_err());
    }
}

//! One-hot labels, and the shuffled order of samples.

use super::split::unknown_label;
use crate::error::Result;
use crate::rng::{Rng, stream};
use crate::tensor::{Element, Tensor};

/// The order of `len` samples in `epoch`: a full shuffle that depends only on seed and epoch, and
/// not on what earlier epochs drew.
///
/// ```
/// use nn_core::data::shuffled_order;
/// assert_eq!(shuffled_order(80, 27, 3), shuffled_order(80, 27, 3));
/// assert_ne!(shuffled_order(80, 27, 3), shuffled_order(80, 27, 4));
/// ```
pub fn shuffled_order(len: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    Rng::new(seed, stream::SHUFFLE + epoch as u64).shuffle(&mut order);
    order
}

/// One-hot encoding: `[labels.len(), classes]`, with 1 in the column of each row's label, 0 elsewhere.
///
/// # Errors
/// If a label is not below `classes`.
///
/// ```
/// let targets = nn_core::data::one_hot::<f32>(&[1, 0], 2)?;
/// assert_eq!(targets.as_slice(), [0., 1., 1., 0.]);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub fn one_hot<T: Element>(labels: &[usize], classes: usize) -> Result<Tensor<T>> {
    if let Some(&label) = labels.iter().find(|&&label| label >= classes) {
        return Err(unknown_label(label, classes));
    }
    let mut targets = Tensor::zeros([labels.len(), classes]);
    for (row, &label) in targets.as_mut_slice().chunks_exact_mut(classes.max(1)).zip(labels) {
        row[label] = T::one();
    }
    Ok(targets)
}

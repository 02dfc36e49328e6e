//! Labels as numbers, and the order that labelled samples are taken in.

use super::split::unknown_label;
use crate::error::Result;
use crate::rng::{Rng, stream};
use crate::tensor::{Element, Tensor};

/// The order in which `len` samples are taken in `epoch`: a full shuffle, different for each epoch
/// and seed, the same for the same two, independent of what the epochs before drew.
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

/// `[labels.len(), classes]`: 1 in the column of each row's label, 0 elsewhere.
///
/// # Errors
/// A label that is not below `classes`.
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

//! Which epoch of a run is the best, and its weights.

use super::EpochRecord;
use crate::kernels::Kernels;
use crate::model::Model;

/// The best epoch of a run: the one with the lowest loss on the validation set, the earlier one of equals.
/// `None` if no epoch has a finite one.
///
/// The loss and not the accuracy: on a few hundred samples many epochs have the same accuracy, while the loss
/// also tells how sure the network is of each answer.
///
/// ```
/// use nn_core::train::{EpochRecord, best_epoch};
/// let record = |epoch, val_loss| EpochRecord {
///     epoch, loss: 0.5, accuracy: None, val_loss: Some(val_loss), val_accuracy: None, seconds: 1.0,
/// };
/// let history = [record(1, 0.7), record(2, 0.4), record(3, 0.4), record(4, 0.6)];
/// assert_eq!(best_epoch(&history).unwrap().epoch, 2);
/// ```
pub fn best_epoch(history: &[EpochRecord]) -> Option<&EpochRecord> {
    let loss = |record: &EpochRecord| record.val_loss.unwrap_or(f64::NAN);
    let finite = history.iter().filter(|record| loss(record).is_finite());
    finite.min_by(|a, b| loss(a).total_cmp(&loss(b)))
}

/// The number of epochs after the best one; all epochs if there is none.
pub(super) fn epochs_since_best(history: &[EpochRecord]) -> usize {
    // By its place, as a history may be a part of a longer one.
    let best = best_epoch(history).map(|best| best.epoch);
    let is_best = |record: &EpochRecord| Some(record.epoch) == best;
    history.iter().rev().take_while(|record| !is_best(record)).count()
}

/// The best epoch so far.
#[derive(Debug)]
pub(super) struct Best<T: Kernels> {
    /// Its number, counted from 1.
    pub epoch: usize,
    /// The model as it was validated after the epoch. It shares the memory of the weights that did not
    /// change since.
    pub model: Model<T>,
}

//! Repeated predictions.

use super::Model;
use crate::autograd::Tape;
use crate::error::Result;
use crate::kernels::{Kernels, parallel};
use crate::tensor::{BufferPool, Tensor};
use std::sync::Arc;

/// A model for repeated predictions: buffers and packed weights are reused from one prediction to the
/// next.
///
/// A predictor serves one caller at a time. In a rayon pool, give each task its own
/// (`map_init(|| model.predictor(), ..)`). Do not share one behind a lock: a task that holds the lock
/// and waits for its parallel work may run another task that waits for the lock, which is a deadlock.
///
/// ```
/// use nn_core::model::{ReferenceCnn, Sequential};
/// use nn_core::Tensor;
/// let model: Sequential = ReferenceCnn::new(2, 32).build(27)?;
/// let mut predictor = model.predictor();
/// for grey in [0.0, 128.0, 255.0] {
///     let probabilities = predictor.predict(Tensor::full([1, 32, 32, 3], grey))?;
///     assert_eq!(probabilities.dims(), [1, 2]);
/// }
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Predictor<'a, T: Kernels = f32> {
    model: &'a Model<T>,
    tape: Tape<T>,
}

impl<T: Kernels> Model<T> {
    /// A predictor for many predictions; for a single one, use [`Model::predict`].
    pub fn predictor(&self) -> Predictor<'_, T> {
        Predictor { model: self, tape: Tape::inference(BufferPool::for_inference()) }
    }

    /// Predictions for a batch: [`Model::infer`] and [`Model::probabilities`].
    ///
    /// # Errors
    /// If `x` is not a batch of this model's inputs.
    pub fn predict(&self, x: impl Into<Arc<Tensor<T>>>) -> Result<Tensor<T>> {
        self.predictor().predict(x)
    }
}

impl<T: Kernels> Predictor<'_, T> {
    /// The same result as [`Model::predict`], bit-identical.
    ///
    /// # Errors
    /// If `x` is not a batch of the model's inputs.
    pub fn predict(&mut self, x: impl Into<Arc<Tensor<T>>>) -> Result<Tensor<T>> {
        let x = x.into();
        let Self { model, tape } = self;
        parallel::on_pool(move || {
            let tape: &Tape<T> = tape;
            let output = model.infer(tape, x)?;
            let pool = tape.pool().clone();
            Ok(model.probabilities(tape, output)?.into_owned(&pool))
        })
    }
}

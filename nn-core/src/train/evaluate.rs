//! Evaluation of a model on examples, without changing it.

use super::classification::{classes, labels_for};
use super::examples::fetch;
use super::{Classification, Examples, Objective};
use crate::autograd::Tape;
use crate::error::{Error, Result};
use crate::kernels::{Kernels, parallel};
use crate::model::{Model, Pass};
use crate::tensor::BufferPool;

/// The result of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss per sample.
    pub loss: f64,
    /// The number of samples.
    pub n: usize,
    /// What was predicted, if the model is a classifier and the targets are classes.
    pub classification: Option<Classification>,
}

impl Evaluation {
    /// The share of samples classified correctly, if the targets are classes; NaN without samples.
    pub fn accuracy(&self) -> Option<f64> {
        self.classification.as_ref().map(Classification::accuracy)
    }
}

/// Evaluates `model` on all `examples`, in order, `batch_size` at a time: in inference, so that its state
/// stays as it is.
///
/// # Errors
/// If an example cannot be read, does not fit the model's input, or has a label without an output, if the
/// objective does not fit the model, if there are more than 32768 classes, if the examples are not as many as
/// asked for, or if the batch size is 0. [`Error::Interrupted`] from the examples
/// ends the evaluation and is returned.
///
/// ```
/// use nn_core::layers::Dense;
/// use nn_core::loss::Loss;
/// use nn_core::model::Sequential;
/// use nn_core::train::{InMemory, evaluate};
/// use nn_core::Tensor;
/// let model = Sequential::builder([2]).layer(Dense::new(1)).build(27)?;
/// let points = InMemory::new(Tensor::zeros([5, 2]), Tensor::full([5, 1], 3.0))?;
/// let found = evaluate(&model, Loss::MeanSquaredError, &points, 4)?;
/// assert_eq!((found.loss, found.n, found.accuracy()), (9.0, 5, None));
/// # Ok::<(), nn_core::Error>(())
/// ```
pub fn evaluate<T: Kernels>(
    model: &Model<T>,
    objective: impl Objective<T>,
    examples: &dyn Examples<T>,
    batch_size: usize,
) -> Result<Evaluation> {
    evaluate_in(model, &objective, examples, batch_size, &BufferPool::for_inference())
}

/// [`evaluate`], with buffers from `pool`.
pub(super) fn evaluate_in<T: Kernels>(
    model: &Model<T>,
    objective: &dyn Objective<T>,
    examples: &dyn Examples<T>,
    batch_size: usize,
    pool: &BufferPool<T>,
) -> Result<Evaluation> {
    check_batch_size(batch_size)?;
    objective.check(model)?;
    // The confusion matrix is made when the first batch has classes: its size is the square of the
    // model's outputs, and what fits values has many outputs and no classes.
    let mut classes = classes(model).ok();
    let mut classification = match classes {
        Some(classes) if examples.is_empty() => Classification::of_classes(classes).ok(),
        _ => None,
    };
    let (mut loss, mut n) = (0.0, 0);
    let indices: Vec<usize> = (0..examples.len()).collect();
    let mut tape = Tape::inference(pool.clone());
    for indices in indices.chunks(batch_size) {
        let batch = fetch(examples, indices, pool)?;
        let (x, targets) = (batch.inputs, batch.targets.view());
        let labels = labels_for(model, targets.classes(), indices.len());
        // One batch without classes, and there are none of the whole.
        classes = classes.filter(|_| labels.is_some());
        if let (None, Some(classes)) = (&classification, classes) {
            classification = Some(Classification::of_classes(classes)?);
        }
        // A tape is `Send`, but not `Sync`.
        let own = &mut tape;
        let (batch_loss, probabilities) = parallel::on_pool(move || {
            let tape: &Tape<T> = own;
            let pass = model.forward(tape, tape.constant(x), Pass::inference().frozen())?;
            let batch_loss = objective.loss(tape, &pass, targets)?;
            let probabilities = labels.map(|_| model.probabilities(tape, pass.output));
            Ok::<_, Error>((batch_loss.value().item()?.as_f64(), probabilities.transpose()?))
        })?;
        loss += batch_loss * indices.len() as f64;
        n += indices.len();
        match (&mut classification, labels, probabilities) {
            (Some(all), Some(labels), Some(probabilities)) => all.add(&probabilities, labels),
            _ => classification = None,
        }
    }
    Ok(Evaluation { loss: loss / n as f64, n, classification })
}

/// Checks a batch size: 1 or more.
///
/// # Errors
/// If it is 0.
pub fn check_batch_size(batch_size: usize) -> Result<()> {
    if batch_size > 0 {
        return Ok(());
    }
    Err(Error::setting("batch size", "at least 1", 0, "4 is the reference's"))
}

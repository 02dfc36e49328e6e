//! Evaluation of a model on labelled examples, without changing it.

use super::Examples;
use crate::autograd::Tape;
use crate::error::{Error, Result};
use crate::kernels::{Kernels, parallel};
use crate::layers::OutputKind;
use crate::loss::Loss;
use crate::model::Model;
use crate::tensor::BufferPool;

/// The result of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss per sample.
    pub loss: f64,
    /// The number of samples.
    pub n: usize,
    /// How many were classified correctly.
    pub correct: usize,
    /// `confusion[true class][predicted class]`: numbers of samples.
    pub confusion: Vec<Vec<u64>>,
    /// The true class of each sample, in the examples' order.
    pub labels: Vec<usize>,
    /// Each sample's probabilities, one per class, in the examples' order.
    pub probabilities: Vec<Vec<f64>>,
    /// The predicted class of each sample: the argmax of its probabilities, the first one on ties.
    pub predicted: Vec<usize>,
}

impl Evaluation {
    /// The share of samples classified correctly; NaN without samples.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.n as f64
    }

    /// Whether each prediction is right, in the order of the samples.
    pub fn hits(&self) -> impl Iterator<Item = bool> {
        self.labels.iter().zip(&self.predicted).map(|(label, predicted)| label == predicted)
    }
}

/// Evaluates `model` on all `examples`, in order, `batch_size` at a time.
///
/// # Errors
/// If an example cannot be read, does not fit the model's input, or has a label without an output, or if
/// the batch size is 0. [`Error::Interrupted`] from the examples ends the evaluation and is returned.
pub fn evaluate<T: Kernels>(
    model: &Model<T>,
    loss: Loss,
    examples: &dyn Examples<T>,
    batch_size: usize,
) -> Result<Evaluation> {
    evaluate_in(model, loss, examples, batch_size, &BufferPool::new())
}

/// [`evaluate`], with buffers from `pool`.
pub(super) fn evaluate_in<T: Kernels>(
    model: &Model<T>,
    loss: Loss,
    examples: &dyn Examples<T>,
    batch_size: usize,
    pool: &BufferPool<T>,
) -> Result<Evaluation> {
    check_batch_size(batch_size)?;
    let classes = classes(model)?;
    let mut result = Evaluation {
        loss: 0.0,
        n: 0,
        correct: 0,
        confusion: vec![vec![0; classes]; classes],
        labels: Vec::new(),
        probabilities: Vec::new(),
        predicted: Vec::new(),
    };
    let indices: Vec<usize> = (0..examples.len()).collect();
    let mut tape = Tape::inference(pool.clone());
    for batch in indices.chunks(batch_size) {
        let (x, labels) = examples.batch(batch, pool)?;
        // A tape is `Send`, but not `Sync`.
        let (own, targets) = (&mut tape, &labels[..]);
        let (batch_loss, probabilities) = parallel::on_pool(move || {
            let tape: &Tape<T> = own;
            let logits = model.infer(tape, x)?;
            let batch_loss = loss.apply(tape, &logits, targets)?;
            Ok::<_, Error>((batch_loss, model.probabilities(tape, logits)?))
        })?;
        result.loss += batch_loss.value().item()?.as_f64() * batch.len() as f64;
        for (i, &label) in labels.iter().enumerate() {
            let row = class_probabilities(probabilities.value().row(i));
            let predicted = most_probable(&row);
            result.confusion[label][predicted] += 1;
            result.correct += usize::from(predicted == label);
            result.probabilities.push(row);
            result.predicted.push(predicted);
        }
        result.n += batch.len();
        result.labels.extend(labels);
    }
    result.loss /= result.n as f64;
    Ok(result)
}

/// The number of classes of a model: its outputs, or 2 for a single output.
pub(super) fn classes<T: Kernels>(model: &Model<T>) -> Result<usize> {
    match (model.output_shape().dims(), model.output_kind()) {
        ([1], OutputKind::Sigmoid) => Ok(2),
        (&[outputs], _) if outputs > 1 => Ok(outputs),
        (dims, _) => Err(Error::shape(
            format!("model {:?}", model.name()),
            "one output per class, or a single sigmoid",
            format!("outputs {dims:?}"),
            "end the network in Dense with as many units as there are classes",
        )),
    }
}

/// The predicted class of a row of logits.
pub(super) fn class_of<T: Kernels>(logits: &[T]) -> usize {
    match logits {
        [yes] => usize::from(*yes > T::zero()),
        _ => most_probable(logits),
    }
}

/// One probability per class from a sample's output: a single output `p` becomes two probabilities.
pub fn class_probabilities<T: Kernels>(output: &[T]) -> Vec<f64> {
    match output {
        [yes] => vec![1.0 - yes.as_f64(), yes.as_f64()],
        _ => output.iter().map(|p| p.as_f64()).collect(),
    }
}

/// The argmax: the index of the largest value, the first one on ties; 0 if there is none.
pub fn most_probable<T: PartialOrd + Copy>(values: &[T]) -> usize {
    let mut best = 0;
    for (i, &value) in values.iter().enumerate() {
        if value > values[best] {
            best = i;
        }
    }
    best
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

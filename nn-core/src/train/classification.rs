//! How well classes are told apart.

use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::OutputKind;
use crate::model::Model;

/// What a classifier predicted for examples whose targets are classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// How many samples were classified correctly.
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

/// The most classes with a confusion matrix: it then has 2^30 numbers, 8 GiB.
const MOST_CLASSES: usize = 1 << 15;

impl Classification {
    /// Before the first sample.
    ///
    /// # Errors
    /// If there are too many classes for a confusion matrix.
    pub(super) fn of_classes(classes: usize) -> Result<Self> {
        if classes > MOST_CLASSES {
            return Err(Error::setting(
                "the number of classes of an evaluation",
                format!("at most {MOST_CLASSES}, as the confusion matrix has its square"),
                classes,
                "use fewer outputs, or train without a validation set and judge the outputs of \
                 Model::infer yourself",
            ));
        }
        Ok(Self {
            correct: 0,
            // Row by row: memory that is zero from the start takes no room before it is counted in.
            confusion: (0..classes).map(|_| vec![0; classes]).collect(),
            labels: Vec::new(),
            probabilities: Vec::new(),
            predicted: Vec::new(),
        })
    }

    /// Counts a batch: the model's `probabilities [batch, outputs]`, and a class for each.
    pub(super) fn add<T: Kernels>(&mut self, probabilities: &Var<T>, labels: &[usize]) {
        for (i, &label) in labels.iter().enumerate() {
            let row = class_probabilities(probabilities.value().row(i));
            let predicted = most_probable(&row);
            self.confusion[label][predicted] += 1;
            self.correct += usize::from(predicted == label);
            self.probabilities.push(row);
            self.predicted.push(predicted);
        }
        self.labels.extend(labels);
    }

    /// The share of samples classified correctly; NaN without samples.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.labels.len() as f64
    }

    /// Whether each prediction is right, in the order of the samples.
    pub fn hits(&self) -> impl Iterator<Item = bool> {
        self.labels.iter().zip(&self.predicted).map(|(label, predicted)| label == predicted)
    }
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

/// The targets of a batch of `samples`, if they are one class for each, of those the model tells apart.
pub(super) fn labels_for<'a, T: Kernels>(
    model: &Model<T>,
    targets: Option<&'a [usize]>,
    samples: usize,
) -> Option<&'a [usize]> {
    let classes = classes(model).ok()?;
    targets.filter(|labels| labels.len() == samples && labels.iter().all(|&label| label < classes))
}

/// The number of rows of `logits` whose class is the label.
pub(super) fn count_correct<T: Kernels>(logits: &Var<T>, labels: &[usize]) -> usize {
    (labels.iter().enumerate())
        .filter(|&(i, &label)| class_of(logits.value().row(i)) == label)
        .count()
}

/// The predicted class of a row of logits.
fn class_of<T: Kernels>(logits: &[T]) -> usize {
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

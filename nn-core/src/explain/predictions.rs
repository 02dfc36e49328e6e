//! The class to explain for each image, and what the network predicts.

use super::{Alignment, Explanation};
use crate::autograd::Tape;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::OutputKind;
use crate::model::{Model, ReceptiveField};
use crate::tensor::{BufferPool, Tensor};
use crate::train::{class_probabilities, most_probable};

/// The class that an image's map explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Target {
    /// The predicted class.
    #[default]
    Predicted,
    /// The class of this index.
    Class(usize),
}

/// A network's predictions for a batch of images, and the class to explain of each.
#[derive(Debug, Clone)]
pub struct Predictions {
    /// Whether the network has a single output for two classes.
    single: bool,
    /// The number of units of the network's last layer.
    units: usize,
    /// Height and width of the images.
    size: (usize, usize),
    classes: Vec<usize>,
    predicted: Vec<usize>,
    scores: Vec<f64>,
    outputs: Vec<Vec<f64>>,
}

impl Predictions {
    /// Validates a batch's `logits [batch, units]`, computed by the model, against these targets.
    ///
    /// # Errors
    /// If the logits do not have the shape of the model's outputs, there is not one target per image, a
    /// class does not exist, the model does not map images to one output per class, or an output is not
    /// finite.
    pub fn new<T: Kernels>(
        model: &Model<T>,
        logits: &Tensor<T>,
        targets: &[Target],
    ) -> Result<Self> {
        let (size, units) = image_classifier(model)?;
        let single = units == 1 && model.output_kind() == OutputKind::Sigmoid;
        let known = if single { 2 } else { units };
        let &[batch, outputs] = logits.dims() else {
            return Err(not_logits(logits, units));
        };
        if outputs != units {
            return Err(not_logits(logits, units));
        }
        if targets.len() != batch {
            return Err(Error::shape(
                "explanation",
                format!("{batch} targets, one per image"),
                targets.len(),
                "pass a target for every image of the batch",
            ));
        }
        let pool = BufferPool::new();
        let tape = Tape::inference(pool);
        let read = tape.constant(logits.clone());
        let read = model.probabilities(&tape, read)?;
        let mut predictions = Self {
            single,
            units,
            size,
            classes: Vec::new(),
            predicted: Vec::new(),
            scores: Vec::new(),
            outputs: Vec::new(),
        };
        for (i, &target) in targets.iter().enumerate() {
            let row = logits.row(i);
            if row.iter().any(|v| !v.is_finite()) {
                return Err(Error::data(
                    format!("the network's output for image {i}"),
                    "finite",
                    format!("{row:?}"),
                    "look for broken weights or pixel values",
                ));
            }
            let outputs = match read.value().row(i) {
                pair if single => class_probabilities(pair),
                outputs => outputs.iter().map(|v| v.as_f64()).collect(),
            };
            let predicted = most_probable(&outputs);
            let class = match target {
                Target::Predicted => predicted,
                Target::Class(class) => class,
            };
            if class >= known {
                return Err(Error::setting(
                    "the class to explain",
                    format!("from 0 to {}", known - 1),
                    class,
                    "choose one of the network's classes",
                ));
            }
            predictions.classes.push(class);
            predictions.predicted.push(predicted);
            predictions.scores.push(predictions.score(row, class));
            predictions.outputs.push(outputs);
        }
        Ok(predictions)
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The class to explain of each image.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// The score of a class in a row of logits.
    ///
    /// # Panics
    /// If the row is not one of the model's, or there is no such class.
    pub fn score<T: Kernels>(&self, logits: &[T], class: usize) -> f64 {
        let (unit, sign) = self.unit(class);
        sign * logits[unit].as_f64()
    }

    /// The output unit that a class's score is read from, and its sign.
    fn unit(&self, class: usize) -> (usize, f64) {
        if self.single { (0, if class == 1 { 1.0 } else { -1.0 }) } else { (class, 1.0) }
    }

    /// The gradient of the sum of the scores with respect to the logits, `[batch, units]`. Each row
    /// has one entry that is not zero, so the images do not influence each other.
    pub fn score_gradient<T: Kernels>(&self) -> Tensor<T> {
        let mut gradient = Tensor::zeros([self.len(), self.units]);
        for (row, &class) in gradient.as_mut_slice().chunks_mut(self.units).zip(&self.classes) {
            let (unit, sign) = self.unit(class);
            row[unit] = T::from_f64(sign);
        }
        gradient
    }

    /// The explanation of image `i` by `map [height, width]`, whose values are 0 or above and whose
    /// cells have the receptive fields `field`.
    ///
    /// # Errors
    /// If the map is not of two dimensions, empty, or not finite.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn explain<T: Kernels>(
        &self,
        i: usize,
        map: Tensor<T>,
        field: ReceptiveField,
    ) -> Result<Explanation<T>> {
        if map.dims().len() != 2 || map.is_empty() {
            return Err(Error::shape(
                "explanation",
                "a map [height, width] of at least one number",
                map.shape(),
                "give one number for every place",
            ));
        }
        if !map.is_finite() {
            return Err(Error::data(
                format!("the map of image {i}"),
                "finite",
                "NaN or infinity",
                "look for weights or features too large for the element type",
            ));
        }
        Ok(Explanation {
            class: self.classes[i],
            predicted: self.predicted[i],
            score: self.scores[i],
            outputs: self.outputs[i].clone(),
            map,
            size: self.size,
            field,
            alignment: Alignment::default(),
        })
    }
}

/// The error for logits of a shape that is not the model's.
fn not_logits<T: Kernels>(logits: &Tensor<T>, units: usize) -> Error {
    Error::shape(
        "explanation",
        format!("logits [images, {units}], one for each of the network's outputs"),
        logits.shape(),
        "pass the outputs of Model::infer for the batch of images",
    )
}

/// Height and width of the model's images, and the number of its outputs.
fn image_classifier<T: Kernels>(model: &Model<T>) -> Result<((usize, usize), usize)> {
    match (model.input_shape().dims(), model.output_shape().dims()) {
        (&[height, width, _], &[units]) => Ok(((height, width), units)),
        (input, output) => Err(Error::shape(
            format!("explanation of model {:?}", model.name()),
            "a network from images [height, width, channels] to one output per class",
            format!("one from {input:?} to {output:?}"),
            "end the network in Flatten or GlobalAveragePool2D and Dense",
        )),
    }
}

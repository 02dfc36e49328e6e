//! Loss functions.
//!
//! A loss takes the network's logits and the targets, and is the mean over the batch. The
//! cross-entropies are computed directly from the logits: computing probabilities first would lose
//! precision and could overflow.

use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::OutputKind;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// The loss function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Loss {
    /// `logsumexp(z) - z_y`: exactly one class `y` is right.
    #[default]
    CategoricalCrossentropy,
    /// `-y log p - (1 - y) log (1 - p)` with `p = sigmoid(z)`, averaged over all outputs: each output
    /// is an independent binary classification.
    BinaryCrossentropy,
    /// `(prediction - y)^2`, averaged over all outputs.
    MeanSquaredError,
}

/// The targets of a batch.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a, T: Kernels = f32> {
    /// The index of each sample's class.
    Classes(&'a [usize]),
    /// A number for every output, `[batch, outputs]`: one-hot classes, binary labels, or values.
    Values(&'a Tensor<T>),
}

impl<'a, T: Kernels> From<&'a [usize]> for Targets<'a, T> {
    fn from(classes: &'a [usize]) -> Self {
        Self::Classes(classes)
    }
}

impl<'a, T: Kernels> From<&'a Vec<usize>> for Targets<'a, T> {
    fn from(classes: &'a Vec<usize>) -> Self {
        Self::Classes(classes)
    }
}

impl<'a, T: Kernels> From<&'a Tensor<T>> for Targets<'a, T> {
    fn from(values: &'a Tensor<T>) -> Self {
        Self::Values(values)
    }
}

impl Loss {
    /// The usual loss for an output kind.
    pub fn for_output(output: OutputKind) -> Self {
        match output {
            OutputKind::Softmax => Self::CategoricalCrossentropy,
            OutputKind::Sigmoid => Self::BinaryCrossentropy,
            OutputKind::Linear => Self::MeanSquaredError,
        }
    }

    /// Checks that the loss can be used with an output kind. A cross-entropy takes linear outputs as
    /// logits. The squared error needs linear outputs, because it compares the outputs themselves.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check(self, output: OutputKind) -> Result<()> {
        if output == OutputKind::Linear || Self::for_output(output) == self {
            return Ok(());
        }
        Err(Error::setting(
            format!("the network's output for the loss {}", self.name()),
            match self {
                Self::CategoricalCrossentropy => "softmax or linear",
                Self::BinaryCrossentropy => "sigmoid or linear",
                Self::MeanSquaredError => "linear",
            },
            format!("{output:?}").to_lowercase(),
            format!(
                "use {}, or build the network for another output",
                Self::for_output(output).name()
            ),
        ))
    }

    /// The loss of a batch, a scalar: `logits [batch, outputs]` against `targets`.
    ///
    /// # Errors
    /// If output or targets do not fit: the wrong number of targets, a class that does not exist, or
    /// targets of a categorical cross-entropy that are not one-hot.
    pub fn apply<'a, T: Kernels>(
        self,
        tape: &Tape<T>,
        logits: &Var<T>,
        targets: impl Into<Targets<'a, T>>,
    ) -> Result<Var<T>> {
        let targets = targets.into();
        let &[batch, outputs] = logits.dims() else {
            return Err(Error::shape(
                self.name(),
                "outputs [batch, outputs]",
                logits.shape(),
                "end the network in Flatten, GlobalAveragePool2D or Dense",
            ));
        };
        match (self, targets) {
            (Self::CategoricalCrossentropy, Targets::Classes(classes)) => {
                tape.softmax_cross_entropy(logits, classes)
            }
            (Self::CategoricalCrossentropy, Targets::Values(values)) => {
                tape.softmax_cross_entropy(logits, &classes_of_one_hot(values)?)
            }
            (Self::BinaryCrossentropy, targets) => {
                let targets = tape.constant(self.values(targets, batch, outputs)?);
                tape.binary_cross_entropy_with_logits(logits, &targets)
            }
            (Self::MeanSquaredError, targets) => {
                let targets = tape.constant(self.values(targets, batch, outputs)?);
                tape.mean_squared_error(logits, &targets)
            }
        }
    }

    /// The loss's name in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::CategoricalCrossentropy => "categorical_crossentropy",
            Self::BinaryCrossentropy => "binary_crossentropy",
            Self::MeanSquaredError => "mean_squared_error",
        }
    }

    /// Targets as numbers. For a single output, classes 0 and 1 become these numbers; for several
    /// outputs, classes become one-hot rows.
    fn values<T: Kernels>(
        self,
        targets: Targets<'_, T>,
        batch: usize,
        outputs: usize,
    ) -> Result<Tensor<T>> {
        match targets {
            Targets::Values(values) if values.dims() == [batch, outputs] => Ok(values.clone()),
            Targets::Values(values) => Err(Error::shape(
                self.name(),
                format!("targets [{batch}, {outputs}], one per output"),
                values.shape(),
                "pass a number for every output",
            )),
            Targets::Classes(classes) => {
                if classes.len() != batch {
                    return Err(Error::shape(
                        self.name(),
                        format!("{batch} classes, one per sample"),
                        classes.len(),
                        "pass the classes of this batch",
                    ));
                }
                let known = outputs.max(2);
                if let Some(class) = classes.iter().find(|&&class| class >= known) {
                    return Err(Error::data(
                        format!("{}: class", self.name()),
                        format!("from 0 to {}", known - 1),
                        class,
                        "give the network an output for every class",
                    ));
                }
                let mut values = Tensor::zeros([batch, outputs]);
                for (i, &class) in classes.iter().enumerate() {
                    let row = &mut values.as_mut_slice()[i * outputs..(i + 1) * outputs];
                    match row {
                        [single] => *single = T::from_f64(class as f64),
                        row => row[class] = T::one(),
                    }
                }
                Ok(values)
            }
        }
    }
}

/// The classes of one-hot rows.
fn classes_of_one_hot<T: Kernels>(values: &Tensor<T>) -> Result<Vec<usize>> {
    let refuse = |received: String| {
        Error::shape(
            "categorical_crossentropy",
            "one-hot targets [batch, classes]: a single 1 in each row of zeros",
            received,
            "pass class indices instead",
        )
    };
    let &[batch, _] = values.dims() else {
        return Err(refuse(format!("shape {}", values.shape())));
    };
    let class = |i: usize| {
        let row = values.row(i);
        let hot = row.iter().position(|&v| v == T::one());
        let cold = row.iter().filter(|&&v| v == T::zero()).count();
        hot.filter(|_| cold + 1 == row.len()).ok_or_else(|| refuse(format!("row {i}: {row:?}")))
    };
    (0..batch).map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f64; 6] = [0.3, -1.2, 2.0, 0.0, 0.5, -0.7];

    fn loss<'a>(loss: Loss, outputs: usize, targets: impl Into<Targets<'a, f64>>) -> Result<f64> {
        let tape = Tape::<f64>::new();
        let logits = Tensor::from_vec([6 / outputs, outputs], LOGITS.to_vec())?;
        let logits = tape.leaf(logits);
        loss.apply(&tape, &logits, targets)?.value().item()
    }

    fn values(dims: [usize; 2], numbers: &[f64]) -> Tensor<f64> {
        Tensor::from_vec(dims, numbers.to_vec()).unwrap()
    }

    #[test]
    fn categorical_crossentropy_by_definition() -> Result<()> {
        // -log of the softmax, computed directly.
        let row = |z: &[f64], y: usize| -(z[y].exp() / z.iter().map(|v| v.exp()).sum::<f64>()).ln();
        let expected = (row(&LOGITS[..3], 2) + row(&LOGITS[3..], 0)) / 2.0;
        let kind = Loss::CategoricalCrossentropy;
        assert!((loss(kind, 3, &[2, 0][..])? - expected).abs() < 1e-14);
        let one_hot = values([2, 3], &[0., 0., 1., 1., 0., 0.]);
        assert!((loss(kind, 3, &one_hot)? - expected).abs() < 1e-14);
        Ok(())
    }

    #[test]
    fn binary_crossentropy_by_definition() -> Result<()> {
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let term = |z: f64, y: f64| -(y * sigmoid(z).ln() + (1.0 - y) * (1.0 - sigmoid(z)).ln());
        let kind = Loss::BinaryCrossentropy;
        let classes = [1, 0, 0, 1, 1, 0];
        let pairs = LOGITS.iter().zip(classes);
        let expected = pairs.map(|(&z, y)| term(z, y as f64)).sum::<f64>() / 6.0;
        assert!((loss(kind, 1, &classes[..])? - expected).abs() < 1e-14);
        // Several outputs: a class is one-hot, targets may be soft.
        let one_hot = values([2, 3], &[0., 1., 0., 0., 0., 1.]);
        assert_eq!(loss(kind, 3, &[1, 2][..])?, loss(kind, 3, &one_hot)?);
        let soft = values([2, 3], &[0.2; 6]);
        let expected = LOGITS.iter().map(|&z| term(z, 0.2)).sum::<f64>() / 6.0;
        assert!((loss(kind, 3, &soft)? - expected).abs() < 1e-14);
        Ok(())
    }

    #[test]
    fn mean_squared_error_by_definition() -> Result<()> {
        let targets = [1.0, 0.0, 2.5, -1.0, 0.5, 0.5];
        let squares = LOGITS.iter().zip(targets).map(|(z, y)| (z - y).powi(2));
        let expected = squares.sum::<f64>() / 6.0;
        let found = loss(Loss::MeanSquaredError, 2, &values([3, 2], &targets))?;
        assert!((found - expected).abs() < 1e-14);
        Ok(())
    }

    #[test]
    fn targets_that_do_not_fit_are_refused() {
        use Loss::{BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError};
        let soft = values([2, 3], &[0.5, 0.5, 0., 1., 0., 0.]);
        let two_hot = values([2, 3], &[1., 1., 0., 1., 0., 0.]);
        let wide = values([2, 4], &[0.; 8]);
        for result in [
            loss(CategoricalCrossentropy, 3, &[0][..]),
            loss(CategoricalCrossentropy, 3, &[0, 3][..]),
            loss(CategoricalCrossentropy, 3, &soft),
            loss(CategoricalCrossentropy, 3, &two_hot),
            loss(CategoricalCrossentropy, 3, &Tensor::scalar(1.0)),
            loss(BinaryCrossentropy, 1, &[0, 1, 2, 0, 0, 0][..]),
            loss(BinaryCrossentropy, 3, &[0][..]),
            loss(BinaryCrossentropy, 3, &wide),
            loss(MeanSquaredError, 3, &wide),
        ] {
            assert!(
                matches!(
                    result,
                    Err(Error::Shape { .. } | Error::Setting { .. } | Error::Data { .. })
                ),
                "{result:?}"
            );
        }
        let tape = Tape::<f64>::new();
        let image = tape.leaf(Tensor::zeros([2, 2, 2, 1]));
        let error = MeanSquaredError.apply(&tape, &image, &wide).unwrap_err();
        assert!(error.to_string().contains("mean_squared_error"), "{error}");
    }

    #[test]
    fn a_loss_fits_its_own_output_and_a_plain_one() {
        for output in [OutputKind::Softmax, OutputKind::Sigmoid, OutputKind::Linear] {
            for loss in
                [Loss::CategoricalCrossentropy, Loss::BinaryCrossentropy, Loss::MeanSquaredError]
            {
                let fits = output == OutputKind::Linear || loss == Loss::for_output(output);
                assert_eq!(loss.check(output).is_ok(), fits);
                let name = format!("\"{}\"", loss.name());
                assert_eq!(serde_json::to_string(&loss).unwrap(), name);
            }
        }
    }
}

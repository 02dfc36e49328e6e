//! Loss functions.
//!
//! A loss takes the network's logits and the targets, and is the mean over the batch. The
//! cross-entropies are computed directly from the logits: computing probabilities first would lose
//! precision and could overflow.

mod targets;

pub use targets::{OwnedTargets, Targets};

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
    /// `logsumexp(z) - z_y`: exactly one class `y` is right. For soft labels `y`, probabilities that sum
    /// to 1, `-sum y log softmax(z)`.
    #[default]
    CategoricalCrossentropy,
    /// `-y log p - (1 - y) log (1 - p)` with `p = sigmoid(z)`, averaged over all outputs: each output
    /// is an independent binary classification.
    BinaryCrossentropy,
    /// `(prediction - y)^2`, averaged over all outputs.
    MeanSquaredError,
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
            output.name(),
            format!(
                "use {}, or build the network for another output",
                Self::for_output(output).name()
            ),
        ))
    }

    /// The loss of a batch, a scalar: `logits [batch, ..]` against `targets` of one output.
    ///
    /// The categorical cross-entropy takes logits `[batch, classes]`, with the classes' indices or with
    /// labels of that shape, one-hot or soft. The other two take logits of any shape, with values of
    /// that shape, or logits `[batch, outputs]` with class indices.
    ///
    /// # Errors
    /// If output or targets do not fit: the wrong number of targets, a class that does not exist, or
    /// labels of a categorical cross-entropy that are no probabilities.
    pub fn apply<'a, T: Kernels>(
        self,
        tape: &Tape<T>,
        logits: &Var<T>,
        targets: impl Into<Targets<'a, T>>,
    ) -> Result<Var<T>> {
        self.of(tape, logits, targets.into())
    }

    fn of<T: Kernels>(
        self,
        tape: &Tape<T>,
        logits: &Var<T>,
        targets: Targets<'_, T>,
    ) -> Result<Var<T>> {
        if self == Self::CategoricalCrossentropy {
            self.rows(logits)?;
            return match targets {
                Targets::Classes(classes) => tape.softmax_cross_entropy(logits, classes),
                targets => match labels_of(self.values(targets, logits)?)? {
                    Labels::OneHot(classes) => tape.softmax_cross_entropy(logits, &classes),
                    Labels::Soft(labels) => {
                        tape.softmax_cross_entropy_soft(logits, &tape.constant(labels))
                    }
                },
            };
        }
        let targets = tape.constant(self.values(targets, logits)?);
        match self {
            Self::MeanSquaredError => tape.mean_squared_error(logits, &targets),
            _ => tape.binary_cross_entropy_with_logits(logits, &targets),
        }
    }

    /// The targets of a cross-entropy as numbers of the shape of `logits`, checked: one-hot rows for classes.
    pub(crate) fn labels<T: Kernels>(
        self,
        targets: Targets<'_, T>,
        logits: &Var<T>,
    ) -> Result<Tensor<T>> {
        if self != Self::CategoricalCrossentropy {
            return self.values(targets, logits);
        }
        self.rows(logits)?;
        let values = self.values(targets, logits)?;
        if !matches!(targets, Targets::Classes(_)) {
            labels_of(values.clone())?;
        }
        Ok(values)
    }

    /// The sizes of outputs `[batch, outputs]`, or an error if they are not.
    fn rows<T: Kernels>(self, logits: &Var<T>) -> Result<[usize; 2]> {
        logits.dims().try_into().map_err(|_| {
            Error::shape(
                self.name(),
                "outputs [batch, outputs]",
                logits.shape(),
                "end the network in Flatten, GlobalAveragePool2D or Dense",
            )
        })
    }

    /// The loss's name in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::CategoricalCrossentropy => "categorical_crossentropy",
            Self::BinaryCrossentropy => "binary_crossentropy",
            Self::MeanSquaredError => "mean_squared_error",
        }
    }

    /// Targets as numbers of the shape of `logits`. For a single output, classes 0 and 1 become these
    /// numbers; for several outputs, classes become one-hot rows.
    fn values<T: Kernels>(self, targets: Targets<'_, T>, logits: &Var<T>) -> Result<Tensor<T>> {
        let classes = match targets {
            Targets::Classes(classes) => classes,
            Targets::Values(values) if values.shape() == logits.shape() => {
                return Ok(values.clone());
            }
            Targets::Values(_) | Targets::Several(_) => {
                return Err(Error::shape(
                    self.name(),
                    format!("targets {}, one number per output", logits.shape()),
                    targets.describe(),
                    "pass a number for every output; for several outputs write an objective of your own",
                ));
            }
        };
        let [batch, outputs] = self.rows(logits)?;
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

/// Labels of a categorical cross-entropy.
enum Labels<T: Kernels> {
    /// A single 1 in each row: its index.
    OneHot(Vec<usize>),
    /// Probabilities in each row.
    Soft(Tensor<T>),
}

/// How far the probabilities of a sample may be from a sum of 1, for numbers in single precision.
const SUM_TOLERANCE: f64 = 1e-3;

/// The labels `[batch, classes]`, checked.
fn labels_of<T: Kernels>(values: Tensor<T>) -> Result<Labels<T>> {
    let hot = |i: usize| {
        let row = values.row(i);
        let hot = row.iter().position(|&v| v == T::one());
        let cold = row.iter().filter(|&&v| v == T::zero()).count();
        hot.filter(|_| cold + 1 == row.len())
    };
    let batch = values.dims()[0];
    if let Some(classes) = (0..batch).map(hot).collect() {
        return Ok(Labels::OneHot(classes));
    }
    let is_soft = |&i: &usize| {
        let row = || values.row(i).iter().map(|v| v.as_f64());
        row().all(|v| v >= 0.0) && (row().sum::<f64>() - 1.0).abs() <= SUM_TOLERANCE
    };
    if let Some(i) = (0..batch).find(|i| !is_soft(i)) {
        return Err(Error::shape(
            Loss::CategoricalCrossentropy.name(),
            "labels [batch, classes]: in each row probabilities, which sum to 1",
            format!("row {i}: {:?}", values.row(i)),
            "divide each row by its sum, or pass class indices",
        ));
    }
    Ok(Labels::Soft(values))
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
        assert_eq!(loss(kind, 3, &one_hot)?, loss(kind, 3, &[2, 0])?);
        // Soft labels are a mean over classes.
        let soft = values([2, 3], &[0.25, 0., 0.75, 0.5, 0.5, 0.]);
        let expected = 0.25 * row(&LOGITS[..3], 0)
            + 0.75 * row(&LOGITS[..3], 2)
            + 0.5 * (row(&LOGITS[3..], 0) + row(&LOGITS[3..], 1));
        assert!((loss(kind, 3, &soft)? - expected / 2.0).abs() < 1e-14);
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
        // Any shape, such as that of images.
        let tape = Tape::<f64>::new();
        let image = |numbers: [f64; 6]| Tensor::from_vec([1, 3, 2, 1], numbers.to_vec());
        let output = tape.leaf(image(LOGITS)?);
        let loss = Loss::MeanSquaredError.apply(&tape, &output, &image(targets)?)?;
        assert_eq!(loss.value().item()?, found);
        Ok(())
    }

    #[test]
    fn targets_that_do_not_fit_are_refused() {
        use Loss::{BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError};
        let short = values([2, 3], &[0.5, 0.4, 0., 1., 0., 0.]);
        let two_hot = values([2, 3], &[1., 1., 0., 1., 0., 0.]);
        let below_0 = values([2, 3], &[1.5, -0.5, 0., 1., 0., 0.]);
        let wide = values([2, 4], &[0.; 8]);
        let several = OwnedTargets::Several(vec![vec![0, 1].into(), wide.clone().into()]);
        for result in [
            loss(CategoricalCrossentropy, 3, &[0][..]),
            loss(CategoricalCrossentropy, 3, &[0, 3][..]),
            loss(CategoricalCrossentropy, 3, &short),
            loss(CategoricalCrossentropy, 3, &below_0),
            loss(CategoricalCrossentropy, 3, &several),
            loss(MeanSquaredError, 3, &several),
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

//! Loss functions. The cross-entropies take logits: fused with the softmax or sigmoid they neither
//! overflow nor underflow, and their gradient is simple.
//!
//! Each loss is computed in double precision for any element type (a batch has few logits), together
//! with the gradient of its first input, which the backward pass only scales.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::activation::sigmoid;
use crate::tensor::Tensor;

/// A mean loss with the gradient of its first input. If a second input is recorded, its gradient is the
/// negative.
struct Loss<T: Kernels> {
    name: &'static str,
    gradient: Tensor<T>,
}

impl<T: Kernels> Op<T> for Loss<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let factor = gradient.item()?;
        for (i, factor) in [(0, factor), (1, -factor)] {
            if inputs.needs(i) {
                let mut dx = self.gradient.clone_in(inputs.pool());
                dx.as_mut_slice().iter_mut().for_each(|d| *d *= factor);
                inputs.accumulate(i, dx)?;
            }
        }
        Ok(())
    }
}

impl<T: Kernels> Tape<T> {
    /// The mean over the batch of `-ln softmax(logits)[label]`, for `logits [batch, classes]` and
    /// one label per row. The gradient is `(softmax(logits) - onehot(label)) / batch`.
    ///
    /// # Errors
    /// If the numbers of rows and labels differ, the batch is empty, or a label is not below the number
    /// of classes.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f64>::new();
    /// let logits = tape.leaf(Tensor::from_vec([1, 2], vec![0., 0.])?);
    /// let loss = tape.softmax_cross_entropy(&logits, &[1])?;
    /// assert!((loss.value().item()? - 2f64.ln()).abs() < 1e-15);
    /// tape.backward(&loss)?;
    /// assert_eq!(tape.grad(&logits).unwrap().as_slice(), [0.5, -0.5]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn softmax_cross_entropy(&self, logits: &Var<T>, labels: &[usize]) -> Result<Var<T>> {
        const NAME: &str = "softmax_cross_entropy";
        let (batch, classes) = rows_of_classes(NAME, logits)?;
        if labels.len() != batch {
            return Err(Error::shape(
                NAME,
                format!("{batch} labels for logits {}", logits.shape()),
                format!("{} labels", labels.len()),
                "pass one label per row of logits",
            ));
        }
        if let Some(i) = labels.iter().position(|&label| label >= classes) {
            return Err(Error::data(
                format!("{NAME}: label {i}"),
                format!("below {classes}, the number of classes"),
                labels[i],
                "count classes from 0, and give the network an output for each",
            ));
        }
        Ok(self.categorical(NAME, logits, |i, class| f64::from(u8::from(labels[i] == class))))
    }

    /// The mean over the batch of `-sum targets * ln softmax(logits)`, for logits and soft labels
    /// `targets`, both `[batch, classes]`. No gradient flows to the targets.
    ///
    /// # Errors
    /// If the shapes differ, or are not `[batch, classes]` with at least one of each.
    pub fn softmax_cross_entropy_soft(&self, logits: &Var<T>, targets: &Var<T>) -> Result<Var<T>> {
        const NAME: &str = "softmax_cross_entropy_soft";
        let (_, classes) = rows_of_classes(NAME, logits)?;
        same_shape(NAME, logits, targets)?;
        let values = targets.value().as_slice();
        Ok(self.categorical(NAME, logits, |i, class| values[i * classes + class].as_f64()))
    }

    /// Cross-entropy of validated logits `[batch, classes]` with `target(row, class)`.
    fn categorical(
        &self,
        name: &'static str,
        logits: &Var<T>,
        target: impl Fn(usize, usize) -> f64,
    ) -> Var<T> {
        let (batch, classes) = (logits.dims()[0], logits.dims()[1]);
        let mut gradient = Tensor::uninit(logits.shape(), self.pool());
        let mut total = 0.0;
        let rows = logits.value().as_slice().chunks_exact(classes);
        for (i, (z, dz)) in rows.zip(gradient.as_mut_slice().chunks_exact_mut(classes)).enumerate()
        {
            let z = || z.iter().map(|z| z.as_f64());
            let top = z().fold(f64::NEG_INFINITY, f64::max);
            let exp_sum: f64 = z().map(|z| (z - top).exp()).sum();
            // Relative to the largest logit: adding a large common offset would lose precision.
            let log_sum = exp_sum.ln();
            let weight: f64 = (0..classes).map(|class| target(i, class)).sum();
            for (class, (z, dz)) in z().zip(dz).enumerate() {
                let (z, t) = (z - top, target(i, class));
                if t != 0.0 || z.is_nan() {
                    total += t * (log_sum - z);
                }
                *dz = T::from_f64((z.exp() / exp_sum * weight - t) / batch as f64);
            }
        }
        let loss = Tensor::scalar(T::from_f64(total / batch as f64));
        self.record(Loss { name, gradient }, &[logits], loss)
    }

    /// The mean over all elements of `-t ln(sigmoid(z)) - (1 - t) ln(1 - sigmoid(z))`, for logits
    /// `z` and targets `t` in 0..=1 of one shape. No gradient flows to the targets.
    ///
    /// # Errors
    /// If the shapes differ or there is no element.
    pub fn binary_cross_entropy_with_logits(
        &self,
        logits: &Var<T>,
        targets: &Var<T>,
    ) -> Result<Var<T>> {
        // max(z, 0) - z t + ln(1 + exp(-|z|)) is equal, and does not overflow for any z.
        let (loss, gradient) =
            self.elementwise("binary_cross_entropy_with_logits", logits, targets, |z, t| {
                (z.max(0.0) - z * t + (-z.abs()).exp().ln_1p(), sigmoid(z) - t)
            })?;
        Ok(self.record(gradient, &[logits], loss))
    }

    /// The mean over all elements of `(prediction - target)^2`. Gradients flow to both inputs.
    ///
    /// # Errors
    /// If the shapes differ or there is no element.
    pub fn mean_squared_error(&self, predictions: &Var<T>, targets: &Var<T>) -> Result<Var<T>> {
        let (loss, gradient) =
            self.elementwise("mean_squared_error", predictions, targets, |y, t| {
                ((y - t) * (y - t), 2.0 * (y - t))
            })?;
        Ok(self.record(gradient, &[predictions, targets], loss))
    }

    /// The mean of `f(x, t)`'s first result, and the gradient with respect to `x` from its second.
    fn elementwise(
        &self,
        name: &'static str,
        x: &Var<T>,
        targets: &Var<T>,
        f: impl Fn(f64, f64) -> (f64, f64),
    ) -> Result<(Tensor<T>, Loss<T>)> {
        same_shape(name, x, targets)?;
        if x.value().is_empty() {
            return Err(nothing(name, x));
        }
        let n = x.value().len() as f64;
        let mut gradient = Tensor::uninit(x.shape(), self.pool());
        let mut total = 0.0;
        let pairs = x.value().as_slice().iter().zip(targets.value().as_slice());
        for (d, (x, t)) in gradient.as_mut_slice().iter_mut().zip(pairs) {
            let (loss, slope) = f(x.as_f64(), t.as_f64());
            total += loss;
            *d = T::from_f64(slope / n);
        }
        Ok((Tensor::scalar(T::from_f64(total / n)), Loss { name, gradient }))
    }
}

fn rows_of_classes<T: Kernels>(at: &str, logits: &Var<T>) -> Result<(usize, usize)> {
    match *logits.dims() {
        [batch, classes] if batch > 0 && classes > 0 => Ok((batch, classes)),
        [_, _] => Err(nothing(at, logits)),
        _ => Err(Error::shape(
            at,
            "logits [batch, classes]",
            logits.shape(),
            "flatten the network's output to one row per sample",
        )),
    }
}

fn nothing<T: Kernels>(at: &str, x: &Var<T>) -> Error {
    Error::shape(at, "at least one element", x.shape(), "leave out empty batches")
}

fn same_shape<T: Kernels>(at: &str, x: &Var<T>, targets: &Var<T>) -> Result<()> {
    if x.shape() == targets.shape() {
        return Ok(());
    }
    Err(Error::shape(
        at,
        format!("targets of the output's shape {}", x.shape()),
        targets.shape(),
        "reshape the targets, or give the network as many outputs as there are targets",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;
    use std::slice::from_ref;

    fn soft_targets(batch: usize, classes: usize) -> Tensor<f64> {
        let raw = sample([batch, classes], 9).map(f64::abs);
        Tensor::from_fn([batch, classes], |i| {
            raw.as_slice()[i] / raw.row(i / classes).iter().sum::<f64>()
        })
    }

    #[test]
    fn cross_entropy_by_its_definition() {
        for (batch, classes) in [(1, 1), (1, 2), (3, 5), (4, 2)] {
            let z = sample([batch, classes], 1).map(|v| 5.0 * v);
            let labels: Vec<_> = (0..batch).map(|i| i * 3 % classes).collect();
            let targets = soft_targets(batch, classes);
            let log_p = |i: usize, c: usize| {
                let sum: f64 = z.row(i).iter().map(|v| v.exp()).sum();
                (z.row(i)[c].exp() / sum).ln()
            };
            let hard: f64 = (0..batch).map(|i| -log_p(i, labels[i])).sum::<f64>() / batch as f64;
            let soft = (0..batch * classes)
                .map(|i| -targets.as_slice()[i] * log_p(i / classes, i % classes))
                .sum::<f64>()
                / batch as f64;
            let tape = Tape::new();
            let (z_var, t) = (tape.leaf(z.clone()), tape.constant(targets.clone()));
            let loss = tape.softmax_cross_entropy(&z_var, &labels).unwrap();
            assert!((loss.value().item().unwrap() - hard).abs() < 1e-13);
            let loss = tape.softmax_cross_entropy_soft(&z_var, &t).unwrap();
            assert!((loss.value().item().unwrap() - soft).abs() < 1e-13);
            check(from_ref(&z), |tape, z| tape.softmax_cross_entropy(&z[0], &labels));
            check(&[z], |tape, z| {
                let targets = tape.constant(targets.clone());
                tape.softmax_cross_entropy_soft(&z[0], &targets)
            });
        }
    }

    #[test]
    fn targets_that_do_not_add_up_to_one_are_differentiated_right() {
        let targets = sample([2, 3], 2).map(|v| 3.0 * v.abs());
        check(&[sample([2, 3], 3)], |tape, z| {
            let targets = tape.constant(targets.clone());
            tape.softmax_cross_entropy_soft(&z[0], &targets)
        });
    }

    #[test]
    fn cross_entropy_survives_extremes_and_shows_nan() {
        let tape = Tape::<f32>::new();
        let z =
            tape.leaf(Tensor::from_vec([2, 2], vec![1e30, -1e30, 0., f32::NEG_INFINITY]).unwrap());
        let loss = tape.softmax_cross_entropy(&z, &[0, 0]).unwrap();
        assert_eq!(loss.value().item().unwrap(), 0.0);
        let big = tape.leaf(Tensor::from_vec([1, 2], vec![1000., 0.]).unwrap());
        let loss = tape.softmax_cross_entropy(&big, &[1]).unwrap();
        assert_eq!(loss.value().item().unwrap(), 1000.0);
        for broken in [f32::NAN, f32::INFINITY] {
            for label in [0, 1] {
                let z = tape.leaf(Tensor::from_vec([1, 2], vec![0.0, broken]).unwrap());
                let loss = tape.softmax_cross_entropy(&z, &[label]).unwrap();
                assert!(loss.value().item().unwrap().is_nan(), "{broken} with label {label}");
            }
        }
    }

    #[test]
    fn the_gradient_is_probability_minus_one_hot_over_the_batch() {
        let z = sample([2, 3], 4);
        let mut tape = Tape::new();
        let leaf = tape.leaf(z.clone());
        let loss = tape.softmax_cross_entropy(&leaf, &[2, 0]).unwrap();
        let tripled = tape.scale(loss, 3.0);
        tape.backward(&tripled).unwrap();
        for (i, &g) in tape.grad(&leaf).unwrap().as_slice().iter().enumerate() {
            let row = z.row(i / 3);
            let p = row[i % 3].exp() / row.iter().map(|v| v.exp()).sum::<f64>();
            let hot = f64::from(u8::from([2, 0][i / 3] == i % 3));
            assert!((g - 3.0 * (p - hot) / 2.0).abs() < 1e-14);
        }
    }

    #[test]
    fn binary_cross_entropy_by_its_definition() {
        let (z, t) = (sample([3, 2], 5).map(|v| 4.0 * v), sample([3, 2], 6).map(f64::abs));
        let terms = z.as_slice().iter().zip(t.as_slice()).map(|(&z, &t)| {
            let p = 1.0 / (1.0 + (-z).exp());
            -t * p.ln() - (1.0 - t) * (1.0 - p).ln()
        });
        let expected = terms.sum::<f64>() / 6.0;
        let bce = |tape: &Tape<f64>, z: &[Var<f64>]| {
            let targets = tape.constant(t.clone());
            tape.binary_cross_entropy_with_logits(&z[0], &targets)
        };
        let loss = run::<f64>(from_ref(&z), bce)[0][0];
        assert!((loss - expected).abs() < 1e-13);
        check(&[z], bce);
        let tape = Tape::<f64>::new();
        let z = tape.leaf(Tensor::from_vec([2], vec![800.0, -800.0]).unwrap());
        let t = tape.constant(Tensor::from_vec([2], vec![0.0, 0.0]).unwrap());
        let loss = tape.binary_cross_entropy_with_logits(&z, &t).unwrap();
        assert_eq!(loss.value().item().unwrap(), 400.0);
    }

    #[test]
    fn mean_squared_error_flows_to_both_sides() {
        let (y, t) = (sample([3, 4], 7), sample([3, 4], 8));
        let terms = y.as_slice().iter().zip(t.as_slice()).map(|(y, t)| (y - t).powi(2));
        let expected = terms.sum::<f64>() / 12.0;
        let inputs = [y, t];
        let loss = run::<f64>(&inputs, |tape, v| tape.mean_squared_error(&v[0], &v[1]))[0][0];
        assert!((loss - expected).abs() < 1e-15);
        check(&inputs, |tape, v| tape.mean_squared_error(&v[0], &v[1]));
        check(&inputs[..1], |tape, v| tape.mean_squared_error(&v[0], &v[0]));
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let z = [sample([4, 6], 10).map(|v| 6.0 * v)];
        let labels = [5, 0, 2, 2];
        let narrow = run::<f32>(&z, |tape, z| tape.softmax_cross_entropy(&z[0], &labels));
        let wide = run::<f64>(&z, |tape, z| tape.softmax_cross_entropy(&z[0], &labels));
        assert_close(&narrow, &wide, 1e-6);
        let pair = [sample([4, 6], 11), sample([4, 6], 12)];
        let narrow = run::<f32>(&pair, |tape, v| tape.mean_squared_error(&v[0], &v[1]));
        let wide = run::<f64>(&pair, |tape, v| tape.mean_squared_error(&v[0], &v[1]));
        assert_close(&narrow, &wide, 1e-6);
    }

    #[test]
    fn wrong_input_is_refused() {
        let tape = Tape::<f32>::new();
        let z = tape.leaf(Tensor::zeros([2, 3]));
        refused(tape.softmax_cross_entropy(&z, &[0]), &["2 labels", "[2, 3]", "1 labels"]);
        refused(tape.softmax_cross_entropy(&z, &[0, 3]), &["label 1", "below 3", "received 3"]);
        let flat = tape.leaf(Tensor::zeros([6]));
        refused(tape.softmax_cross_entropy(&flat, &[0]), &["[batch, classes]", "[6]"]);
        let empty = tape.leaf(Tensor::zeros([0, 3]));
        refused(tape.softmax_cross_entropy(&empty, &[]), &["at least one", "[0, 3]"]);
        refused(tape.softmax_cross_entropy_soft(&z, &flat), &["[2, 3]", "[6]", "reshape"]);
        refused(tape.binary_cross_entropy_with_logits(&z, &flat), &["[2, 3]", "[6]"]);
        refused(tape.mean_squared_error(&z, &flat), &["mean_squared_error", "[2, 3]", "[6]"]);
        let empty = (&empty, &empty);
        refused(tape.mean_squared_error(empty.0, empty.1), &["at least one"]);
    }
}

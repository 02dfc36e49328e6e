//! Sums, means and variances over several dimensions.
//!
//! Sums run in double precision. Long ones are cut into pieces of fixed size, whose results are added in
//! order: results are bit-identical for any number of threads.

use super::broadcast::{Broadcast, narrow};
use super::join::require_axis;
use super::reduce::no_elements;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::{Scratch, Shape, Tensor};
use std::sync::Arc;

/// The side of the result in the plan of a [`Reduction`].
pub(super) const REDUCED: usize = 0;

/// A reduction seen backwards: the result, with reduced dimensions of length 1, is repeated to the input's
/// shape.
pub(super) struct Reduction {
    pub plan: Broadcast,
    /// The result's shape as the caller wants it.
    pub output: Shape,
    /// The number of elements behind each result.
    pub count: usize,
}

impl Reduction {
    /// The reduction of `x` over `axes` by the op `at`.
    pub fn new(at: &str, x: &Shape, axes: &[usize], keep: bool) -> Result<Self> {
        let (mut kept, mut is_reduced) = (x.dims().to_vec(), vec![false; x.rank()]);
        let mut count = 1;
        for &axis in axes {
            require_axis(at, x, axis)?;
            if std::mem::replace(&mut is_reduced[axis], true) {
                return Err(Error::setting(
                    format!("{at}: the axes"),
                    "different dimensions",
                    format!("{axes:?}"),
                    format!("name dimension {axis} once"),
                ));
            }
            count *= kept[axis];
            kept[axis] = 1;
        }
        let dims = kept.iter().zip(&is_reduced).filter(|&(_, &reduced)| keep || !reduced);
        let output: Vec<_> = dims.map(|(&dim, _)| dim).collect();
        let plan = Broadcast::new(at, &kept.into(), x)?;
        Ok(Self { plan, output: output.into(), count })
    }
}

/// `factor` times the sum.
struct Sum {
    name: &'static str,
    reduction: Reduction,
    input: Shape,
    factor: f64,
}

impl<T: Kernels> Op<T> for Sum {
    fn name(&self) -> &'static str {
        self.name
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let mut dx = Tensor::uninit(&self.input, inputs.pool());
        let (plan, factor) = (&self.reduction.plan, T::from_f64(self.factor));
        plan.zip(dx.as_mut_slice(), REDUCED, gradient.as_slice(), |_, g| g * factor);
        inputs.accumulate(0, dx)
    }
}

/// The sum of squared distances from the mean, divided by `divisor`.
struct Variance<T: Kernels> {
    reduction: Reduction,
    x: Arc<Tensor<T>>,
    means: Scratch<f64>,
    divisor: f64,
}

impl<T: Kernels> Op<T> for Variance<T> {
    fn name(&self) -> &'static str {
        "variance_axes"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        // The mean's own gradient is zero: distances from it add up to nothing.
        let mut dx = self.x.clone_in(inputs.pool());
        let (plan, factor) = (&self.reduction.plan, 2.0 / self.divisor);
        plan.zip(dx.as_mut_slice(), REDUCED, &self.means, |x, mean| {
            T::from_f64((x.as_f64() - mean) * factor)
        });
        plan.zip(dx.as_mut_slice(), REDUCED, gradient.as_slice(), |d, g| d * g);
        inputs.accumulate(0, dx)
    }
}

impl<T: Kernels> Tape<T> {
    /// The sums over the dimensions `axes`, which are removed, or kept with length 1 if `keep`. Without
    /// axes, `x` itself.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f64>::new();
    /// let x = tape.leaf(Tensor::from_fn([2, 2, 3], |i| i as f64));
    /// let channels = tape.sum_axes(&x, &[0, 1], false)?;
    /// assert_eq!(channels.value(), &Tensor::from_vec([3], vec![18., 22., 26.])?);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is no dimension of `x`, or named twice.
    pub fn sum_axes(&self, x: &Var<T>, axes: &[usize], keep: bool) -> Result<Var<T>> {
        let reduction = Reduction::new("sum_axes", x.shape(), axes, keep)?;
        Ok(self.summed("sum_axes", x, reduction, 1.0))
    }

    /// The means over the dimensions `axes`, which are removed, or kept with length 1 if `keep`.
    ///
    /// # Errors
    /// If an axis is no dimension of `x`, or named twice, or there is nothing to average.
    pub fn mean_axes(&self, x: &Var<T>, axes: &[usize], keep: bool) -> Result<Var<T>> {
        let reduction = Reduction::new("mean_axes", x.shape(), axes, keep)?;
        if reduction.count == 0 {
            return Err(no_elements("mean_axes", x.shape()));
        }
        let factor = 1.0 / reduction.count as f64;
        Ok(self.summed("mean_axes", x, reduction, factor))
    }

    /// The variances over the dimensions `axes`, which are removed, or kept with length 1 if `keep`: the
    /// sum of squared distances from the mean, divided by the number of elements minus `correction`.
    /// Normalisations use a correction of 0 (biased); 1 estimates the variance of what the elements are a
    /// sample of (unbiased, Bessel's correction).
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f64>::new();
    /// let x = tape.leaf(Tensor::from_vec([1, 4], vec![1., 2., 3., 6.])?);
    /// assert_eq!(tape.variance_axes(&x, &[1], false, 0)?.value().as_slice(), [3.5]);
    /// assert_eq!(tape.variance_axes(&x, &[1], false, 1)?.value().as_slice(), [14.0 / 3.0]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is no dimension of `x`, or named twice, or there are not more elements than `correction`.
    pub fn variance_axes(
        &self,
        x: &Var<T>,
        axes: &[usize],
        keep: bool,
        correction: usize,
    ) -> Result<Var<T>> {
        let name = "variance_axes";
        let reduction = Reduction::new(name, x.shape(), axes, keep)?;
        let Some(divisor) = reduction.count.checked_sub(correction).filter(|&left| left > 0) else {
            return Err(Error::shape(
                name,
                format!("more than {correction} elements along the axes {axes:?}"),
                x.shape(),
                "reduce over longer dimensions, or choose a smaller correction",
            ));
        };
        let (plan, pool, values) = (&reduction.plan, self.pool(), x.value().as_slice());
        let add = |a, b| a + b;
        let mut means = plan.fold(REDUCED, values, pool, 0.0, |_, v| v.as_f64(), add);
        means.iter_mut().for_each(|sum| *sum /= reduction.count as f64);
        let squared_distance = |i: usize, v: T| {
            let distance = v.as_f64() - means[i];
            distance * distance
        };
        let mut squares = plan.fold(REDUCED, values, pool, 0.0, squared_distance, add);
        squares.iter_mut().for_each(|sum| *sum /= divisor as f64);
        let y = narrow(&reduction.output, &squares, pool);
        let op = Variance { reduction, x: x.share(), means, divisor: divisor as f64 };
        Ok(self.record(op, &[x], y))
    }

    fn summed(&self, name: &'static str, x: &Var<T>, reduction: Reduction, factor: f64) -> Var<T> {
        let (values, add) = (x.value().as_slice(), |a, b| a + b);
        let plan = &reduction.plan;
        let mut sums = plan.fold(REDUCED, values, self.pool(), 0.0, |_, v| v.as_f64(), add);
        sums.iter_mut().for_each(|sum| *sum *= factor);
        let y = narrow(&reduction.output, &sums, self.pool());
        self.record(Sum { name, reduction, input: x.shape().clone(), factor }, &[x], y)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;
    use std::slice::from_ref;

    type Reduce<T> = fn(&Tape<T>, &Var<T>, &[usize], bool) -> Result<Var<T>>;

    fn reductions<T: Kernels>() -> [Reduce<T>; 5] {
        [
            Tape::sum_axes,
            Tape::mean_axes,
            |tape, x, axes, keep| tape.variance_axes(x, axes, keep, 0),
            |tape, x, axes, keep| tape.variance_axes(x, axes, keep, 1),
            Tape::max_axes,
        ]
    }

    /// The definitions, of the elements that go into one result.
    fn definition(which: usize, group: &[f64]) -> f64 {
        let (n, sum) = (group.len() as f64, group.iter().sum::<f64>());
        let squares: f64 = group.iter().map(|v| (v - sum / n).powi(2)).sum();
        match which {
            0 => sum,
            1 => sum / n,
            2 => squares / n,
            3 => squares / (n - 1.0),
            _ => group.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b)),
        }
    }

    /// The elements behind each result, in the results' order.
    fn groups(x: &Tensor<f64>, axes: &[usize]) -> Vec<Vec<f64>> {
        let mut groups = std::collections::BTreeMap::<Vec<usize>, Vec<f64>>::new();
        for (i, &v) in x.as_slice().iter().enumerate() {
            let (mut index, mut rest) = (vec![0; x.dims().len()], i);
            for (axis, &len) in x.dims().iter().enumerate().rev() {
                index[axis] = if axes.contains(&axis) { 0 } else { rest % len };
                rest /= len;
            }
            groups.entry(index).or_default().push(v);
        }
        groups.into_values().collect()
    }

    #[test]
    fn values_and_gradients_over_any_axes() {
        let cases: [(&[usize], &[usize]); 13] = [
            (&[7], &[0]),
            (&[2, 3, 4], &[0]),
            (&[2, 3, 4], &[1]),
            (&[2, 3, 4], &[2]),
            (&[2, 3, 4], &[0, 1]),
            (&[2, 3, 4], &[2, 0]),
            (&[2, 3, 4], &[1, 2]),
            (&[2, 3, 4], &[0, 1, 2]),
            (&[3, 2, 1, 5, 2], &[1, 3]),
            (&[3, 2, 1, 5, 2], &[0, 4]),
            (&[1, 6, 1], &[1]),
            (&[2, 3, 2, 3], &[0, 2]),
            (&[2, 3, 2, 3], &[1, 3]),
        ];
        for (dims, axes) in cases {
            let x = sample(dims, 1);
            let groups = groups(&x, axes);
            for (which, op) in reductions().into_iter().enumerate() {
                for keep in [false, true] {
                    let tape = Tape::new();
                    let y = op(&tape, &tape.leaf(x.clone()), axes, keep).unwrap();
                    let expected: Vec<_> = groups.iter().map(|g| definition(which, g)).collect();
                    assert_close(&[y.value().as_slice().to_vec()], &[expected], 1e-14);
                    let length = |(axis, &len): (usize, &usize)| match axes.contains(&axis) {
                        true => keep.then_some(1),
                        false => Some(len),
                    };
                    let expected: Vec<_> = dims.iter().enumerate().filter_map(length).collect();
                    assert_eq!(y.dims(), expected);
                    check(from_ref(&x), |tape, x| op(tape, &x[0], axes, keep));
                }
            }
        }
    }

    #[test]
    fn no_axes_and_no_dimensions() {
        for dims in [&[][..], &[2, 3]] {
            let x = sample(dims, 2);
            for op in [Tape::sum_axes, Tape::mean_axes, Tape::max_axes] {
                let results = run::<f64>(from_ref(&x), |tape, x| op(tape, &x[0], &[], false));
                assert_eq!(results[0], x.as_slice());
                assert!(results[1].iter().all(|&g| g == 1.0));
            }
        }
        let variance = run::<f64>(&[sample([3], 3)], |t, x| t.variance_axes(&x[0], &[], true, 0));
        assert_eq!(variance, [[0.0; 3]; 2]);
    }

    #[test]
    fn single_precision_keeps_small_variances_of_large_numbers() {
        let x = sample([30, 40, 3], 5);
        for (narrow, wide) in reductions::<f32>().into_iter().zip(reductions::<f64>()) {
            for axes in [&[0, 1][..], &[2], &[0]] {
                let narrow = run::<f32>(from_ref(&x), |tape, x| narrow(tape, &x[0], axes, false));
                let wide = run::<f64>(from_ref(&x), |tape, x| wide(tape, &x[0], axes, false));
                assert_close(&narrow, &wide, 2e-6);
            }
        }
        let far = Tensor::from_fn([1000, 2], |i| 4096.0 + (i % 4) as f64 / 2.0);
        let y = run::<f32>(&[far], |tape, x| tape.variance_axes(&x[0], &[0], false, 0));
        assert_eq!(y[0], [0.25, 0.25]);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        // Long rows, long columns, and pieces of both.
        let cases: [(&[usize], &[usize]); 5] = [
            (&[200_001], &[0]),
            (&[70_000, 3], &[0]),
            (&[5, 70_000], &[1]),
            (&[3, 30_000, 4], &[0, 1]),
            (&[4, 50_000], &[0]),
        ];
        for (dims, axes) in cases {
            let x = sample(dims, 6);
            for (which, op) in reductions().into_iter().enumerate() {
                let results = |threads| {
                    let pool =
                        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    pool.install(|| run::<f64>(from_ref(&x), |t, x| op(t, &x[0], axes, false)))
                };
                let one = results(1);
                assert!(one == results(2) && one == results(4));
                let expected: Vec<_> =
                    groups(&x, axes).iter().map(|g| definition(which, g)).collect();
                assert_close(&one[..1], &[expected], 1e-11);
            }
        }
    }

    #[test]
    fn empty_dimensions() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 0, 3]));
        assert_eq!(tape.sum_axes(&x, &[1], false).unwrap().value(), &Tensor::zeros([2, 3]));
        assert_eq!(tape.sum_axes(&x, &[0, 1], true).unwrap().value(), &Tensor::zeros([1, 1, 3]));
        for op in reductions() {
            assert_eq!(op(&tape, &x, &[0], false).unwrap().dims(), [0, 3]);
        }
        let results = run::<f64>(&[Tensor::zeros([2, 0])], |t, x| t.sum_axes(&x[0], &[1], false));
        assert!(results[1].is_empty());
    }

    #[test]
    fn errors_say_what_to_do() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 0]));
        refused(tape.sum_axes(&x, &[2], false), &["sum_axes", "[2, 0]", "axis below 2"]);
        refused(tape.sum_axes(&x, &[0, 0], false), &["sum_axes", "[0, 0]", "once"]);
        refused(tape.mean_axes(&x, &[1], false), &["mean_axes", "[2, 0]"]);
        let x = tape.leaf(Tensor::zeros([3, 1]));
        refused(tape.variance_axes(&x, &[1], false, 1), &["more than 1 element", "[3, 1]"]);
        let x = tape.leaf(Tensor::scalar(1.0));
        refused(tape.sum_axes(&x, &[0], false), &["sum_axes", "reshape"]);
    }
}

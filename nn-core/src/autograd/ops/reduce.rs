//! Sums and means over all elements or along one dimension.
//!
//! Sums run in double precision, long ones in blocks of fixed size whose results are added in order: the
//! error does not grow with the number of elements, and results are bit-identical for any number of
//! threads.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::for_each_chunk;
use crate::kernels::parallel::prelude::*;
use crate::tensor::{Shape, Tensor};

/// Elements summed by one task.
const BLOCK: usize = 1 << 16;

/// The sum of all elements, in double precision.
pub(super) fn total<T: Kernels>(values: &[T]) -> f64 {
    let block_sum = |block: &[T]| {
        // Eight independent sums: with one, each addition would wait for the previous one.
        let (eights, rest) = block.as_chunks::<8>();
        let mut sums = [0.0; 8];
        for eight in eights {
            sums.iter_mut().zip(eight).for_each(|(sum, v)| *sum += v.as_f64());
        }
        sums.iter_mut().zip(rest).for_each(|(sum, v)| *sum += v.as_f64());
        sums.iter().sum::<f64>()
    };
    if values.len() <= BLOCK {
        return block_sum(values);
    }
    let blocks: Vec<f64> = values.par_chunks(BLOCK).map(block_sum).collect();
    blocks.iter().sum()
}

/// `factor` times the sum of all elements, or of those along one dimension.
struct Sum<T> {
    name: &'static str,
    shape: Shape,
    factor: T,
    /// The stride of the dimension that was summed over, and its length.
    inner: usize,
    len: usize,
}

impl<T: Kernels> Op<T> for Sum<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let mut dx = Tensor::uninit(&self.shape, inputs.pool());
        let gradient = gradient.as_slice();
        // Row `i` of `inner` elements belongs to output row `i / len`.
        for_each_chunk(dx.as_mut_slice(), self.inner, |i, row| {
            let gradient = &gradient[i / self.len * self.inner..][..self.inner];
            row.iter_mut().zip(gradient).for_each(|(d, &g)| *d = g * self.factor);
        });
        inputs.accumulate(0, dx)
    }
}

/// The reduction along a dimension.
#[derive(Clone, Copy)]
enum Reduction {
    Sum,
    Mean,
}

impl Reduction {
    /// The op's name, for errors.
    fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum_axis",
            Self::Mean => "mean_axis",
        }
    }
}

impl<T: Kernels> Tape<T> {
    /// The sum of all elements, a scalar.
    pub fn sum(&self, x: &Var<T>) -> Var<T> {
        self.reduce_all("sum", x, 1.0)
    }

    /// The mean of all elements, a scalar.
    ///
    /// # Errors
    /// If `x` has no elements.
    pub fn mean(&self, x: &Var<T>) -> Result<Var<T>> {
        if x.value().is_empty() {
            return Err(no_elements("mean", x.shape()));
        }
        Ok(self.reduce_all("mean", x, 1.0 / x.value().len() as f64))
    }

    /// The sums along dimension `axis`, which is removed, or kept with length 1 if `keep`.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f64>::new();
    /// let x = tape.leaf(Tensor::from_vec([2, 3], vec![1., 2., 3., 4., 5., 6.])?);
    /// assert_eq!(tape.sum_axis(&x, 0, false)?.value(), &Tensor::from_vec([3], vec![5., 7., 9.])?);
    /// assert_eq!(tape.sum_axis(&x, 1, true)?.value(), &Tensor::from_vec([2, 1], vec![6., 15.])?);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `x` has no such dimension.
    pub fn sum_axis(&self, x: &Var<T>, axis: usize, keep: bool) -> Result<Var<T>> {
        self.reduce_axis(Reduction::Sum, x, axis, keep)
    }

    /// The means along dimension `axis`, which is removed, or kept with length 1 if `keep`.
    ///
    /// # Errors
    /// If `x` has no such dimension, or the dimension has length 0.
    pub fn mean_axis(&self, x: &Var<T>, axis: usize, keep: bool) -> Result<Var<T>> {
        self.reduce_axis(Reduction::Mean, x, axis, keep)
    }

    fn reduce_all(&self, name: &'static str, x: &Var<T>, factor: f64) -> Var<T> {
        let value = Tensor::scalar(T::from_f64(total(x.value().as_slice()) * factor));
        let op = Sum {
            name,
            shape: x.shape().clone(),
            factor: T::from_f64(factor),
            inner: 1,
            len: x.value().len(),
        };
        self.record(op, &[x], value)
    }

    fn reduce_axis(
        &self,
        reduction: Reduction,
        x: &Var<T>,
        axis: usize,
        keep: bool,
    ) -> Result<Var<T>> {
        let name = reduction.name();
        let dims = x.dims();
        let Some(&len) = dims.get(axis) else {
            return Err(Error::shape(
                name,
                format!("an input with a dimension {axis}, counted from 0"),
                x.shape(),
                format!("choose an axis below {}", dims.len()),
            ));
        };
        let factor = match reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean if len == 0 => return Err(no_elements(name, x.shape())),
            Reduction::Mean => 1.0 / len as f64,
        };
        let inner: usize = dims[axis + 1..].iter().product();
        let mut output = dims.to_vec();
        if keep {
            output[axis] = 1;
        } else {
            output.remove(axis);
        }
        let pool = self.pool();
        let mut y = Tensor::uninit(output, pool);
        let values = x.value().as_slice();
        for_each_chunk(y.as_mut_slice(), inner, |outer, y| {
            let block = &values[outer * len * inner..][..len * inner];
            if let [y] = y {
                *y = T::from_f64(total(block) * factor);
                return;
            }
            let mut sums = pool.scratch_of::<f64>(inner);
            sums.fill(0.0);
            for row in block.chunks_exact(inner) {
                sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v.as_f64());
            }
            y.iter_mut().zip(&*sums).for_each(|(y, sum)| *y = T::from_f64(sum * factor));
        });
        let op = Sum { name, shape: x.shape().clone(), factor: T::from_f64(factor), inner, len };
        Ok(self.record(op, &[x], y))
    }
}

pub(super) fn no_elements(at: &str, shape: &Shape) -> Error {
    Error::shape(
        at,
        "at least one element to average",
        shape,
        "check where the empty input is from",
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;

    #[test]
    fn values_along_every_axis() {
        let dims = [3, 4, 5];
        let x = sample(dims, 1);
        let at = |i: usize, j: usize, k: usize| x.as_slice()[(i * 4 + j) * 5 + k];
        let mut expected = [vec![0.0; 20], vec![0.0; 15], vec![0.0; 12]];
        for i in 0..3 {
            for j in 0..4 {
                for k in 0..5 {
                    expected[0][j * 5 + k] += at(i, j, k);
                    expected[1][i * 5 + k] += at(i, j, k);
                    expected[2][i * 4 + j] += at(i, j, k);
                }
            }
        }
        let tape = Tape::new();
        let x = tape.leaf(x.clone());
        let shapes: [(&[usize], &[usize]); 3] =
            [(&[4, 5], &[1, 4, 5]), (&[3, 5], &[3, 1, 5]), (&[3, 4], &[3, 4, 1])];
        for (axis, (dropped, kept)) in shapes.into_iter().enumerate() {
            let sum = tape.sum_axis(&x, axis, false).unwrap();
            assert_eq!(sum.dims(), dropped);
            assert_close(&[sum.value().as_slice().to_vec()], &expected[axis..=axis], 1e-14);
            let mean = tape.mean_axis(&x, axis, true).unwrap();
            assert_eq!(mean.dims(), kept);
            let means: Vec<_> = expected[axis].iter().map(|v| v / dims[axis] as f64).collect();
            assert_close(&[mean.value().as_slice().to_vec()], &[means], 1e-14);
        }
        let all: f64 = expected[0].iter().sum();
        assert!((tape.sum(&x).value().item().unwrap() - all).abs() < 1e-13);
        assert!((tape.mean(&x).unwrap().value().item().unwrap() - all / 60.0).abs() < 1e-14);
    }

    #[test]
    fn gradients() {
        let dims: [&[usize]; 4] = [&[1], &[7], &[3, 5], &[2, 3, 4]];
        for dims in dims {
            let x = [sample(dims, 2)];
            check(&x, |tape, x| Ok(tape.sum(&x[0])));
            check(&x, |tape, x| tape.mean(&x[0]));
            for axis in 0..dims.len() {
                check(&x, |tape, x| tape.sum_axis(&x[0], axis, true));
                check(&x, |tape, x| tape.mean_axis(&x[0], axis, false));
                check(&x, |tape, x| {
                    // Centring uses the input twice.
                    let mean = tape.mean_axis(&x[0], axis, true)?;
                    let centred = tape.sub(&x[0], &mean)?;
                    tape.mul(&centred, &centred)
                });
            }
        }
        check(&[Tensor::scalar(2.0)], |tape, x| Ok(tape.sum(&x[0])));
    }

    #[test]
    fn ten_million_small_numbers_do_not_drown() {
        let x = vec![0.1f32; 10_000_001];
        let exact = f64::from(0.1f32) * 10_000_001.0;
        assert!((total(&x) / exact - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = sample([3 * BLOCK + 17], 3);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| total(x.as_slice())).to_bits()
        };
        let one = run(1);
        assert!(one == run(2) && one == run(4));
    }

    #[test]
    fn empty_dimensions() {
        let mut tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 0, 3]));
        assert_eq!(tape.sum(&x).value().item().unwrap(), 0.0);
        let sum = tape.sum_axis(&x, 1, false).unwrap();
        assert_eq!(sum.value(), &Tensor::zeros([2, 3]));
        tape.backward_from(&sum, Tensor::zeros([2, 3])).unwrap();
        assert!(tape.grad(&x).unwrap().is_empty());
        assert!(tape.sum_axis(&x, 2, false).unwrap().value().is_empty());
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let x = [sample([40, 50], 4)];
        for axis in [0, 1] {
            let narrow = run::<f32>(&x, |tape, x| tape.mean_axis(&x[0], axis, false));
            assert_close(
                &narrow,
                &run::<f64>(&x, |tape, x| tape.mean_axis(&x[0], axis, false)),
                1e-6,
            );
        }
        let narrow = run::<f32>(&x, |tape, x| Ok(tape.sum(&x[0])));
        assert_close(&narrow, &run::<f64>(&x, |tape, x| Ok(tape.sum(&x[0]))), 1e-6);
    }

    #[test]
    fn errors_say_what_to_do() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 0]));
        refused(tape.sum_axis(&x, 2, false), &["sum_axis", "[2, 0]", "axis below 2"]);
        refused(tape.mean_axis(&x, 1, false), &["mean_axis", "[2, 0]"]);
        refused(tape.mean(&x), &["mean", "[2, 0]"]);
    }
}

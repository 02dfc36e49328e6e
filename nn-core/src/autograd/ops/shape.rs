//! Ops that change only the shape or the order of elements: reshape, flatten, transpose.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::for_each_tile;
use crate::tensor::{Shape, Tensor};

struct Reshape {
    shape: Shape,
}

impl<T: Kernels> Op<T> for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        inputs.accumulate(0, gradient.reshape(&self.shape)?)
    }
}

/// The transposition of each of `batch` matrices.
struct Transpose {
    name: &'static str,
    input: Shape,
    batch: usize,
    rows: usize,
    cols: usize,
}

impl<T: Kernels> Op<T> for Transpose {
    fn name(&self) -> &'static str {
        self.name
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let mut dx = Tensor::uninit(&self.input, inputs.pool());
        let (rows, cols) = (self.cols, self.rows);
        transpose_each(self.batch, rows, cols, gradient.as_slice(), dx.as_mut_slice());
        inputs.accumulate(0, dx)
    }
}

/// Rows of the result that one task writes, and elements of one row that it reads at a time: a cache
/// line of the input holds elements of that many rows of the result.
const STRIP: usize = 16;

/// Transposes each of `batch` matrices of `rows` x `cols` from `from` into `to`.
pub(super) fn transpose_each<T: Kernels>(
    batch: usize,
    rows: usize,
    cols: usize,
    from: &[T],
    to: &mut [T],
) {
    debug_assert!(from.len() == batch * rows * cols && to.len() == from.len());
    for_each_tile(to, rows * cols, STRIP * rows, |n, strip, to| {
        let from = &from[n * rows * cols..][..rows * cols];
        let first = strip * STRIP;
        for block in (0..rows).step_by(STRIP) {
            for (i, to) in to.chunks_exact_mut(rows).enumerate() {
                for (j, to) in to[block..].iter_mut().take(STRIP).enumerate() {
                    *to = from[(block + j) * cols + first + i];
                }
            }
        }
    });
}

impl<T: Kernels> Tape<T> {
    /// The same elements with another shape, without a copy if `x` is not shared.
    ///
    /// # Errors
    /// If the shape has another number of elements.
    pub fn reshape(&self, x: Var<T>, shape: impl Into<Shape>) -> Result<Var<T>> {
        let old = x.shape().clone();
        let (y, x) = x.take(self.pool());
        let y = y.reshape(shape)?;
        Ok(self.record(Reshape { shape: old }, &[&x], y))
    }

    /// Merges all dimensions but the first, the batch: `[batch, ..]` becomes `[batch, rest]`, in memory
    /// order. For images see [`Tape::flatten_channels_first`].
    ///
    /// # Errors
    /// If `x` has no dimension.
    pub fn flatten(&self, x: Var<T>) -> Result<Var<T>> {
        let Some((&batch, rest)) = x.dims().split_first() else {
            return Err(Error::shape(
                "flatten",
                "an input whose first dimension is the batch",
                x.shape(),
                "reshape the number to [1, 1]",
            ));
        };
        let width = rest.iter().product();
        self.reshape(x, [batch, width])
    }

    /// Flattens feature maps `[batch, height, width, channels]` to
    /// `[batch, channels * height * width]`, in the order channel, row, column. PyTorch stores the
    /// weights of a dense layer after a convolution in this order.
    ///
    /// # Errors
    /// If `x` is not four-dimensional.
    pub fn flatten_channels_first(&self, x: &Var<T>) -> Result<Var<T>> {
        let &[batch, height, width, channels] = x.dims() else {
            return Err(Error::shape(
                "flatten_channels_first",
                "feature maps [batch, height, width, channels]",
                x.shape(),
                "use flatten for inputs that are no feature maps",
            ));
        };
        let op = Transpose {
            name: "flatten_channels_first",
            input: x.shape().clone(),
            batch,
            rows: height * width,
            cols: channels,
        };
        Ok(self.transposed(op, x, [batch, channels * height * width].into()))
    }

    /// The transpose of a matrix.
    ///
    /// # Errors
    /// If `x` is not two-dimensional.
    pub fn transpose(&self, x: &Var<T>) -> Result<Var<T>> {
        let &[rows, cols] = x.dims() else {
            return Err(Error::shape(
                "transpose",
                "a matrix [rows, columns]",
                x.shape(),
                "reshape it to two dimensions first",
            ));
        };
        let op = Transpose { name: "transpose", input: x.shape().clone(), batch: 1, rows, cols };
        Ok(self.transposed(op, x, [cols, rows].into()))
    }

    fn transposed(&self, op: Transpose, x: &Var<T>, output: Shape) -> Var<T> {
        let mut y = Tensor::uninit(output, self.pool());
        transpose_each(op.batch, op.rows, op.cols, x.value().as_slice(), y.as_mut_slice());
        self.record(op, &[x], y)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused, sample};
    use super::*;

    #[test]
    fn transposition_around_the_strip() {
        for (rows, cols) in [(1, 1), (1, 5), (7, 1), (15, 17), (16, 16), (33, 50)] {
            let x = sample([rows, cols], 1);
            let tape = Tape::new();
            let leaf = tape.leaf(x.clone());
            let y = tape.transpose(&leaf).unwrap();
            assert_eq!(y.dims(), [cols, rows]);
            for i in 0..rows {
                for j in 0..cols {
                    assert_eq!(y.value().row(j)[i], x.row(i)[j]);
                }
            }
            let back = tape.transpose(&y).unwrap();
            assert_eq!(back.value(), &x);
        }
    }

    #[test]
    fn channels_come_first_then_rows_then_columns() {
        let (n, h, w, c) = (2, 3, 5, 18);
        let x = sample([n, h, w, c], 2);
        let tape = Tape::new();
        let leaf = tape.leaf(x.clone());
        let y = tape.flatten_channels_first(&leaf).unwrap();
        assert_eq!(y.dims(), [n, c * h * w]);
        for (i, &v) in x.as_slice().iter().enumerate() {
            let (image, rest) = (i / (h * w * c), i % (h * w * c));
            let (row, column, channel) = (rest / (w * c), rest / c % w, rest % c);
            assert_eq!(y.value().row(image)[(channel * h + row) * w + column], v);
        }
    }

    #[test]
    fn gradients() {
        check(&[sample([2, 3, 4], 3)], |tape, x| tape.reshape(x[0].clone(), [4, 6]));
        check(&[sample([2, 3, 4], 3)], |tape, x| tape.flatten(x[0].clone()));
        check(&[sample([17, 3], 4)], |tape, x| tape.transpose(&x[0]));
        check(&[sample([2, 3, 2, 5], 5)], |tape, x| tape.flatten_channels_first(&x[0]));
        check(&[sample([3, 3], 6)], |tape, x| {
            let t = tape.transpose(&x[0])?;
            tape.mul(&t, &x[0])
        });
    }

    #[test]
    fn flatten_keeps_the_batch() {
        let tape = Tape::<f32>::new();
        for (dims, expected) in [(vec![3, 2, 2], [3, 4]), (vec![5], [5, 1]), (vec![0, 4], [0, 4])] {
            let x = tape.leaf(Tensor::zeros(dims));
            assert_eq!(tape.flatten(x).unwrap().dims(), expected);
        }
    }

    #[test]
    fn empty_arrays_stay_empty() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([0, 3]));
        assert_eq!(tape.transpose(&x).unwrap().dims(), [3, 0]);
        let x = tape.leaf(Tensor::zeros([2, 0, 3, 1]));
        assert_eq!(tape.flatten_channels_first(&x).unwrap().dims(), [2, 0]);
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 3, 4]));
        refused(tape.reshape(x.clone(), [5, 5]), &["reshape", "[2, 3, 4]", "[5, 5]"]);
        refused(tape.transpose(&x), &["transpose", "[2, 3, 4]"]);
        refused(tape.flatten_channels_first(&x), &["flatten_channels_first", "[2, 3, 4]"]);
        let scalar = tape.leaf(Tensor::scalar(1.0));
        refused(tape.flatten(scalar), &["flatten", "[]"]);
    }
}

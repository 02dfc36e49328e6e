//! Entries along a dimension, chosen by index or at regular distances; and indices as rows of a table.

use super::join::{require_axis, require_range};
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::{Shape, Tensor};
use std::ops::Range;

impl<T: Kernels> Tape<T> {
    /// The entries `indices` along dimension `axis`, in this order; an entry may be chosen several times.
    /// Rows of a table of embeddings are gathered along axis 0.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f32>::new();
    /// let table = tape.leaf(Tensor::from_vec([3, 2], vec![1., 2., 3., 4., 5., 6.])?);
    /// let rows = tape.gather(&table, 0, &[2, 0, 2])?;
    /// assert_eq!(rows.value(), &Tensor::from_vec([3, 2], vec![5., 6., 1., 2., 5., 6.])?);
    /// tape.backward(&tape.sum(&rows))?;
    /// assert_eq!(tape.grad(&table).unwrap().as_slice(), [1., 1., 0., 0., 2., 2.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such dimension, or an index is not below its length.
    pub fn gather(&self, x: &Var<T>, axis: usize, indices: &[usize]) -> Result<Var<T>> {
        let len = require_axis("gather", x.shape(), axis)?;
        if let Some(i) = indices.iter().position(|&index| index >= len) {
            return Err(Error::data(
                format!("gather: index {i}"),
                format!("below {len}, dimension {axis} of {}", x.shape()),
                indices[i],
                "count entries from 0",
            ));
        }
        let mut output = x.dims().to_vec();
        output[axis] = indices.len();
        Shape::from(output).ensure_possible("gather")?;
        Ok(self.along("gather", x, axis, indices.len(), T::zero(), |i| indices[i]))
    }

    /// Every `step`-th entry of the range `range` along dimension `axis`. A negative step goes backwards
    /// from the range's last entry.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.leaf(Tensor::from_vec([5], vec![0., 1., 2., 3., 4.])?);
    /// assert_eq!(tape.strided_slice(&x, 0, 0..5, 2)?.value().as_slice(), [0., 2., 4.]);
    /// assert_eq!(tape.strided_slice(&x, 0, 0..4, -1)?.value().as_slice(), [3., 2., 1., 0.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such dimension, the range does not lie in it, or the step is 0.
    pub fn strided_slice(
        &self,
        x: &Var<T>,
        axis: usize,
        range: Range<usize>,
        step: isize,
    ) -> Result<Var<T>> {
        require_range("strided_slice", x.shape(), axis, &range)?;
        let distance = step.unsigned_abs();
        if distance == 0 {
            return Err(Error::setting(
                "strided_slice's step",
                "not 0",
                step,
                "pass 1 for every entry, -1 for every entry backwards",
            ));
        }
        let count = range.len().div_ceil(distance);
        Ok(self.along("strided_slice", x, axis, count, T::zero(), |i| match step {
            1.. => range.start + i * distance,
            _ => range.end - 1 - i * distance,
        }))
    }

    /// Rows of zeros with a one at each index: `[indices, classes]`, a constant.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let rows = tape.one_hot(&[2, 0], 3)?;
    /// assert_eq!(rows.value(), &Tensor::from_vec([2, 3], vec![0., 0., 1., 1., 0., 0.])?);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an index is not below `classes`.
    pub fn one_hot(&self, indices: &[usize], classes: usize) -> Result<Var<T>> {
        if let Some(i) = indices.iter().position(|&index| index >= classes) {
            return Err(Error::data(
                format!("one_hot: index {i}"),
                format!("below {classes}, the number of classes"),
                indices[i],
                "count classes from 0",
            ));
        }
        let shape = Shape::from([indices.len(), classes]);
        shape.ensure_possible("one_hot")?;
        let mut rows = Tensor::zeros_in(shape, self.pool());
        for (row, &index) in rows.as_mut_slice().chunks_exact_mut(classes.max(1)).zip(indices) {
            row[index] = T::one();
        }
        Ok(self.constant(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused, run, sample};
    use super::*;
    use std::slice::from_ref;

    /// The element of `x` at entry `entry` of dimension `axis`, and elsewhere at that of element `i` of an
    /// array with `len` entries there.
    fn element(x: &Tensor<f64>, axis: usize, len: usize, i: usize, entry: usize) -> f64 {
        let inner: usize = x.dims()[axis + 1..].iter().product();
        let outer = i / (len * inner);
        x.as_slice()[(outer * x.dims()[axis] + entry) * inner + i % inner]
    }

    #[test]
    fn entries_along_every_axis() {
        let dims = [3, 4, 5];
        let x = sample(dims, 1);
        for axis in 0..3 {
            let inner: usize = dims[axis + 1..].iter().product();
            let all: [&[usize]; 5] = [&[0], &[2, 1, 0], &[1, 1, 1, 2, 0, 1], &[2], &[]];
            for indices in all {
                let gather = |tape: &Tape<f64>, x: &[Var<f64>]| tape.gather(&x[0], axis, indices);
                let y = &run(from_ref(&x), gather)[0];
                assert_eq!(y.len(), 60 / dims[axis] * indices.len());
                for (i, &v) in y.iter().enumerate() {
                    let entry = indices[i / inner % indices.len()];
                    assert_eq!(v, element(&x, axis, indices.len(), i, entry));
                }
                check(from_ref(&x), gather);
                check(from_ref(&x), |tape, x| {
                    let y = tape.gather(&x[0], axis, indices)?;
                    let y = tape.mul(&y, &y)?;
                    let sum = tape.sum(&y);
                    tape.mul(&sum, &x[0])
                });
            }
            let steps =
                [(0..3, 1), (0..3, 2), (1..3, -1), (0..3, -2), (1..1, 3), (1..1, -3), (0..2, 9)];
            for (range, step) in steps {
                let slice = |tape: &Tape<f64>, x: &[Var<f64>]| {
                    tape.strided_slice(&x[0], axis, range.clone(), step)
                };
                let distance = step.unsigned_abs();
                let entries: Vec<_> = match step {
                    1.. => range.clone().step_by(distance).collect(),
                    _ => range.clone().rev().step_by(distance).collect(),
                };
                let y = &run(from_ref(&x), slice)[0];
                assert_eq!(y.len(), 60 / dims[axis] * entries.len());
                for (i, &v) in y.iter().enumerate() {
                    let entry = entries[i / inner % entries.len()];
                    assert_eq!(v, element(&x, axis, entries.len(), i, entry));
                }
                check(from_ref(&x), slice);
            }
        }
    }

    #[test]
    fn repeated_entries_add_up_in_double_precision() {
        let mut tape = Tape::<f32>::new();
        for (dims, axis) in [([2, 3], 0), ([3, 2], 1), ([2, 1], 0)] {
            let x = tape.leaf(Tensor::zeros(dims));
            let y = tape.gather(&x, axis, &[0; 100_000]).unwrap();
            tape.backward_from(&y, Tensor::full(y.shape(), 0.1)).unwrap();
            let gradient = tape.grad(&x).unwrap().as_slice();
            assert_eq!(gradient[0], (f64::from(0.1f32) * 100_000.0) as f32);
            assert_eq!(gradient.iter().filter(|&&g| g == 0.0).count(), gradient.len() / 2);
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for (dims, axis) in [([200, 300], 0), ([300, 200], 1)] {
            let x = sample(dims, 2);
            let indices: Vec<_> = (0..200).map(|i| i * i % 199).collect();
            let results = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    run::<f32>(from_ref(&x), |tape, x| {
                        let y = tape.gather(&x[0], axis, &indices)?;
                        tape.mul(&y, &y)
                    })
                })
            };
            let one = results(1);
            assert!(one == results(2) && one == results(4));
        }
    }

    #[test]
    fn empty_arrays() {
        let mut tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 0, 3]));
        let y = tape.gather(&x, 0, &[1, 1, 0]).unwrap();
        assert_eq!(y.dims(), [3, 0, 3]);
        tape.backward(&tape.sum(&y)).unwrap();
        assert!(tape.grad(&x).unwrap().is_empty());
        assert_eq!(tape.gather(&x, 1, &[]).unwrap().dims(), [2, 0, 3]);
        assert_eq!(tape.one_hot(&[], 0).unwrap().dims(), [0, 0]);
        let long = tape.leaf(Tensor::zeros([1 << 55, 0]));
        assert_eq!(tape.strided_slice(&long, 0, 0..1 << 55, -1).unwrap().dims(), [1 << 55, 0]);
    }

    #[test]
    fn wrong_indices_are_refused() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 3]));
        refused(tape.gather(&x, 1, &[0, 3]), &["index 1", "below 3", "[2, 3]"]);
        refused(tape.gather(&x, 2, &[0]), &["gather", "axis below 2"]);
        refused(tape.strided_slice(&x, 1, 0..3, 0), &["step", "not 0"]);
        refused(tape.strided_slice(&x, 1, 0..4, 2), &["strided_slice", "0..3", "0..4"]);
        refused(tape.one_hot(&[1, 4], 4), &["one_hot", "index 1", "below 4"]);
    }
}

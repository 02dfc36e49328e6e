//! Joining along a dimension, and taking a range of one: the two are each other's gradient.
//!
//! Along the last dimension, the channels, rows of each input lie one after the other in each row of the
//! whole; along the first, the inputs do.

use super::permute::copy;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::{CHUNK, for_each_chunk};
use crate::tensor::{BufferPool, Shape, Tensor};
use std::ops::Range;

/// A range along one dimension of an array.
struct Part {
    name: &'static str,
    /// The part's shape.
    shape: Shape,
    /// Elements of the whole for each entry of the dimensions before the one cut.
    row: usize,
    /// Of these, the ones that belong to the part.
    columns: Range<usize>,
}

impl Part {
    /// The range `range` of dimension `axis` of an array of shape `whole`.
    fn new(name: &'static str, whole: &Shape, axis: usize, range: Range<usize>) -> Self {
        let inner: usize = whole.dims()[axis + 1..].iter().product();
        let mut shape = whole.dims().to_vec();
        shape[axis] = range.len();
        let columns = range.start * inner..range.end * inner;
        Self { name, shape: shape.into(), row: whole.dims()[axis] * inner, columns }
    }

    /// The part of `whole`.
    fn read<T: Kernels>(&self, whole: &[T], pool: &BufferPool<T>) -> Tensor<T> {
        let mut part = Tensor::uninit(&self.shape, pool);
        if whole.len() == self.row {
            copy(&whole[self.columns.clone()], part.as_mut_slice());
            return part;
        }
        for_each_chunk(part.as_mut_slice(), self.columns.len(), |i, part| {
            part.copy_from_slice(&whole[i * self.row..][self.columns.clone()]);
        });
        part
    }

    /// Adds `part` to its place in `whole`.
    fn add_to<T: Kernels>(&self, whole: &mut [T], part: &[T]) {
        let add = |to: &mut [T], from: &[T]| to.iter_mut().zip(from).for_each(|(t, &f)| *t += f);
        if whole.len() == self.row {
            for_each_chunk(&mut whole[self.columns.clone()], CHUNK, |i, to| {
                add(to, &part[i * CHUNK..]);
            });
            return;
        }
        let width = self.columns.len();
        for_each_chunk(whole, self.row, |i, row| {
            add(&mut row[self.columns.clone()], &part[i * width..][..width]);
        });
    }
}

/// A part of the input.
struct Slice(Part);

impl<T: Kernels> Op<T> for Slice {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        // The parts of a split add to one gradient, each to its own place.
        inputs.add_to_part(0, |dx| self.0.add_to(dx, gradient.as_slice()));
        Ok(())
    }
}

/// The inputs as parts of the output.
struct Concatenate(Vec<Part>);

impl<T: Kernels> Op<T> for Concatenate {
    fn name(&self) -> &'static str {
        "concatenate"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        for (i, part) in self.0.iter().enumerate() {
            if inputs.needs(i) {
                let dx = part.read(gradient.as_slice(), inputs.pool());
                inputs.accumulate(i, dx)?;
            }
        }
        Ok(())
    }
}

impl<T: Kernels> Tape<T> {
    /// The inputs one after the other along dimension `axis`. All other dimensions must be equal.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let a = tape.leaf(Tensor::from_vec([2, 1], vec![1., 2.])?);
    /// let b = tape.leaf(Tensor::from_vec([2, 2], vec![3., 4., 5., 6.])?);
    /// let y = tape.concatenate(&[&a, &b], 1)?;
    /// assert_eq!(y.value(), &Tensor::from_vec([2, 3], vec![1., 3., 4., 2., 5., 6.])?);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no input, no such dimension, or the shapes differ elsewhere.
    pub fn concatenate(&self, inputs: &[&Var<T>], axis: usize) -> Result<Var<T>> {
        let name = "concatenate";
        let Some(first) = inputs.first() else {
            return Err(Error::setting(
                "concatenate's inputs",
                "at least one variable",
                "none",
                "pass what is to be joined",
            ));
        };
        require_axis(name, first.shape(), axis)?;
        let elsewhere = |dims: &[usize]| {
            let mut dims = dims.to_vec();
            dims.remove(axis);
            dims
        };
        let mut whole = first.dims().to_vec();
        whole[axis] = 0;
        for (i, input) in inputs.iter().enumerate() {
            let fits = input.dims().len() == whole.len()
                && elsewhere(input.dims()) == elsewhere(first.dims());
            if !fits {
                return Err(Error::shape(
                    name,
                    format!("inputs that differ in dimension {axis} only"),
                    (first.shape(), input.shape()),
                    format!("reshape, pad or slice input {i}, counted from 0"),
                ));
            }
            // What exists in memory does not overflow, unless it is empty.
            whole[axis] = whole[axis].saturating_add(input.dims()[axis]);
        }
        let whole = Shape::from(whole);
        whole.ensure_possible(name)?;

        let mut start = 0;
        let parts = inputs.iter().map(|input| {
            let range = start..start + input.dims()[axis];
            start = range.end;
            Part::new(name, &whole, axis, range)
        });
        let parts: Vec<_> = parts.collect();
        let mut y = Tensor::uninit(&whole, self.pool());
        let row = parts[0].row;
        if y.len() == row {
            for (part, input) in parts.iter().zip(inputs) {
                copy(input.value().as_slice(), &mut y.as_mut_slice()[part.columns.clone()]);
            }
        } else {
            for_each_chunk(y.as_mut_slice(), row, |i, row| {
                for (part, input) in parts.iter().zip(inputs) {
                    let columns = &mut row[part.columns.clone()];
                    let from = &input.value().as_slice()[i * columns.len()..][..columns.len()];
                    columns.copy_from_slice(from);
                }
            });
        }
        Ok(self.record(Concatenate(parts), inputs, y))
    }

    /// `x` cut along dimension `axis` into parts of the given lengths, which add up to the dimension's.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.leaf(Tensor::from_vec([2, 3], vec![1., 2., 3., 4., 5., 6.])?);
    /// let parts = tape.split(&x, 1, &[1, 2])?;
    /// assert_eq!(parts[0].value(), &Tensor::from_vec([2, 1], vec![1., 4.])?);
    /// assert_eq!(parts[1].value(), &Tensor::from_vec([2, 2], vec![2., 3., 5., 6.])?);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such dimension, or the lengths do not add up to its length.
    pub fn split(&self, x: &Var<T>, axis: usize, sizes: &[usize]) -> Result<Vec<Var<T>>> {
        let len = require_axis("split", x.shape(), axis)?;
        let total = sizes.iter().try_fold(0usize, |total, &size| total.checked_add(size));
        if total != Some(len) {
            return Err(Error::shape(
                "split",
                format!("lengths that add up to {len}, dimension {axis} of {}", x.shape()),
                format!("{sizes:?}"),
                "name the length of every part",
            ));
        }
        let mut start = 0;
        let cut = sizes.iter().map(|&size| {
            let range = start..start + size;
            start = range.end;
            self.part("split", x, axis, range)
        });
        Ok(cut.collect())
    }

    /// The entries `range` along dimension `axis`.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f32>::new();
    /// let x = tape.leaf(Tensor::from_vec([2, 3], vec![1., 2., 3., 4., 5., 6.])?);
    /// let y = tape.slice(&x, 1, 0..2)?;
    /// assert_eq!(y.value(), &Tensor::from_vec([2, 2], vec![1., 2., 4., 5.])?);
    /// tape.backward(&tape.sum(&y))?;
    /// assert_eq!(tape.grad(&x).unwrap().as_slice(), [1., 1., 0., 1., 1., 0.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such dimension, or the range does not lie in it.
    pub fn slice(&self, x: &Var<T>, axis: usize, range: Range<usize>) -> Result<Var<T>> {
        require_range("slice", x.shape(), axis, &range)?;
        Ok(self.part("slice", x, axis, range))
    }

    fn part(&self, name: &'static str, x: &Var<T>, axis: usize, range: Range<usize>) -> Var<T> {
        let part = Part::new(name, x.shape(), axis, range);
        let y = part.read(x.value().as_slice(), self.pool());
        self.record(Slice(part), &[x], y)
    }
}

/// The length of dimension `axis`.
pub(super) fn require_axis(at: &str, x: &Shape, axis: usize) -> Result<usize> {
    x.dims().get(axis).copied().ok_or_else(|| {
        let remedy = match x.rank() {
            0 => "reshape the number to [1]".to_owned(),
            rank => format!("choose an axis below {rank}"),
        };
        Error::shape(at, format!("an input with a dimension {axis}, counted from 0"), x, remedy)
    })
}

/// Refuses a range that does not lie in dimension `axis`.
pub(super) fn require_range(at: &str, x: &Shape, axis: usize, range: &Range<usize>) -> Result<()> {
    let len = require_axis(at, x, axis)?;
    if range.start <= range.end && range.end <= len {
        return Ok(());
    }
    Err(Error::shape(
        at,
        format!("a range within 0..{len}, dimension {axis} of {x}"),
        format!("{range:?}"),
        "the range's end is exclusive, and not below its start",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused, run, sample};
    use super::*;
    use std::slice::from_ref;

    /// The element of `x` at `index`.
    fn at(x: &Tensor<f64>, index: [usize; 3]) -> f64 {
        x.as_slice()[x.dims().iter().zip(index).fold(0, |place, (len, i)| place * len + i)]
    }

    fn indices(dims: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
        let [a, b, c] = dims;
        (0..a * b * c).map(move |i| [i / (b * c), i / c % b, i % c])
    }

    #[test]
    fn concatenation_along_every_axis() {
        for axis in 0..3 {
            let shape = |len: usize| {
                let mut dims = [2, 3, 5];
                dims[axis] = len;
                dims
            };
            let lens = [1, 4, 0, 2];
            let inputs: Vec<_> = (1..).zip(lens).map(|(s, len)| sample(shape(len), s)).collect();
            let joined = |tape: &Tape<f64>, x: &[Var<f64>]| {
                tape.concatenate(&x.iter().collect::<Vec<_>>(), axis)
            };
            let y = Tensor::from_vec(shape(7), run(&inputs, joined)[0].clone()).unwrap();
            for mut index in indices(shape(7)) {
                let value = at(&y, index);
                let which = [0, 1, 1, 1, 1, 3, 3][index[axis]];
                index[axis] -= [0, 1, 5, 5][which];
                assert_eq!(value, at(&inputs[which], index));
            }
            check(&inputs, joined);
            check(&inputs[..1], joined);
            // One variable several times.
            check(&inputs[..2], |tape, x| {
                let y = tape.concatenate(&[&x[0], &x[1], &x[0]], axis)?;
                let y = tape.concatenate(&[&y, &x[1]], axis)?;
                Ok(tape.tanh(y))
            });
        }
    }

    #[test]
    fn splitting_undoes_it() {
        let x = sample([3, 4, 6], 5);
        for (axis, sizes) in [(0, [1, 0, 2]), (1, [2, 1, 1]), (2, [1, 3, 2])] {
            let tape = Tape::new();
            let var = tape.leaf(x.clone());
            let parts = tape.split(&var, axis, &sizes).unwrap();
            assert_eq!(parts.iter().map(|p| p.dims()[axis]).collect::<Vec<_>>(), sizes);
            let whole = tape.concatenate(&parts.iter().collect::<Vec<_>>(), axis).unwrap();
            assert_eq!(whole.value(), &x);
            check(from_ref(&x), |tape, x| {
                let parts = tape.split(&x[0], axis, &sizes)?;
                let [first, last] = [&parts[0], &parts[2]].map(|part| tape.tanh(part.clone()));
                // The part between is not used, and the input is used elsewhere, too.
                let both = tape.concatenate(&[&last, &x[0], &first], axis)?;
                tape.mul(&both, &both)
            });
        }
    }

    #[test]
    fn slices_along_every_axis() {
        let x = sample([3, 4, 6], 6);
        for (axis, range) in [(0, 1..3), (1, 0..1), (1, 2..4), (2, 1..5), (2, 3..3), (0, 0..3)] {
            let slice = |tape: &Tape<f64>, x: &[Var<f64>]| tape.slice(&x[0], axis, range.clone());
            let mut dims = [3, 4, 6];
            dims[axis] = range.len();
            let y = Tensor::from_vec(dims, run(from_ref(&x), slice)[0].clone()).unwrap();
            for mut index in indices(dims) {
                let value = at(&y, index);
                index[axis] += range.start;
                assert_eq!(value, at(&x, index));
            }
            if !range.is_empty() {
                check(from_ref(&x), slice);
                check(from_ref(&x), |tape, x| {
                    let part = tape.slice(&x[0], axis, range.clone())?;
                    let again = tape.slice(&x[0], axis, 0..range.len())?;
                    let both = tape.mul(&part, &again)?;
                    tape.add(&both, &tape.slice(&x[0], axis, range.clone())?)
                });
            }
        }
    }

    #[test]
    fn arrays_of_several_tasks() {
        for (dims, axis) in [([2, 40_000], 0), ([40_000, 2], 1), ([30_001, 3], 1)] {
            let inputs = [sample(dims, 7), sample(dims, 8)];
            let results = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    run::<f32>(&inputs, |tape, x| {
                        let both = tape.concatenate(&[&x[0], &x[1]], axis)?;
                        let parts = tape.split(&both, axis, &[1, 2 * dims[axis] - 1])?;
                        tape.concatenate(&[&parts[1], &parts[0], &parts[1]], axis)
                    })
                })
            };
            let one = results(1);
            assert!(one == results(2) && one == results(4));
            // Everything twice, but the first entry along the axis.
            let gradient = |i: usize| {
                let first = if axis == 0 { i < dims[1] } else { i.is_multiple_of(dims[1]) };
                if first { 1.0 } else { 2.0 }
            };
            assert!(one[1].iter().enumerate().all(|(i, &g)| g == gradient(i)));
            assert!(one[2].iter().all(|&g| g == 2.0));
        }
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let tape = Tape::<f32>::new();
        let (a, b) = (tape.leaf(Tensor::zeros([2, 3])), tape.leaf(Tensor::zeros([3, 3])));
        assert_eq!(tape.concatenate(&[&a, &b], 0).unwrap().dims(), [5, 3]);
        refused(tape.concatenate(&[&a, &b], 1), &["concatenate", "[2, 3] and [3, 3]", "input 1"]);
        refused(tape.concatenate(&[&a], 2), &["concatenate", "axis below 2"]);
        refused(tape.concatenate(&[], 0), &["concatenate", "none"]);
        let cube = tape.leaf(Tensor::zeros([2, 3, 1]));
        refused(tape.concatenate(&[&a, &cube], 0), &["concatenate", "[2, 3, 1]"]);
        refused(tape.split(&a, 1, &[1, 1]), &["split", "add up to 3", "[1, 1]"]);
        refused(tape.split(&a, 1, &[usize::MAX, 4]), &["split", "add up to 3"]);
        refused(tape.split(&a, 2, &[1]), &["split", "axis below 2"]);
        refused(tape.slice(&a, 0, 1..3), &["slice", "0..2", "1..3"]);
        #[expect(clippy::reversed_empty_ranges, reason = "it is what is refused")]
        let reversed = 2..1;
        refused(tape.slice(&a, 0, reversed), &["slice", "2..1"]);
        let scalar = tape.leaf(Tensor::scalar(1.0));
        refused(tape.slice(&scalar, 0, 0..1), &["slice", "[]", "reshape"]);
        let huge = tape.leaf(Tensor::zeros([0, 1 << 59]));
        refused(tape.concatenate(&[&huge, &huge, &huge], 1), &["concatenate", "at most"]);
    }
}

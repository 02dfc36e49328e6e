//! NumPy's broadcasting: shapes are aligned at the last dimension; a dimension that is missing or 1 is
//! repeated to the length of the other operand's.
//!
//! Repeated elements are not copied. The output is processed in runs along its last dimension, in which
//! each operand has step 1 or 0. Neighbouring dimensions that both operands traverse alike are merged
//! first, so that runs are long.

use super::walk::Walk;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::pairs::{Pair, Pairs};
use crate::kernels::parallel::prelude::*;
use crate::kernels::parallel::{CHUNK, for_each_chunk, for_each_piece};
use crate::tensor::{BufferPool, Scratch, Shape, Tensor};

/// Minimum number of elements summed by one task.
const BLOCK: usize = 1 << 16;

/// The broadcasting of two operands to one output.
pub(super) struct Broadcast {
    shapes: [Shape; 2],
    output: Shape,
    /// Output dimensions, outermost first, without those of length 1. Never empty.
    dims: Vec<Dim>,
}

/// Where a piece of the output is in an operand.
#[derive(Clone, Copy)]
enum Place {
    /// It begins there.
    Same(usize),
    /// The element there is repeated.
    Repeated(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Dim {
    len: usize,
    /// Each operand's stride; 0 where it is repeated.
    steps: [usize; 2],
}

impl Broadcast {
    /// The broadcasting of `a` and `b` for the op `at`.
    pub fn new(at: &str, a: &Shape, b: &Shape) -> Result<Self> {
        let rank = a.rank().max(b.rank());
        let dim = |shape: &Shape, i: usize| match (i + shape.rank()).checked_sub(rank) {
            Some(i) => shape.dims()[i],
            None => 1,
        };
        let mut output = vec![0; rank];
        let mut dims: Vec<Dim> = Vec::with_capacity(rank);
        let mut strides = [1, 1];
        for i in (0..rank).rev() {
            let lens = [dim(a, i), dim(b, i)];
            let len = match lens {
                [a, b] if a == b || b == 1 => a,
                [1, b] => b,
                _ => return Err(mismatch(at, a, b)),
            };
            output[i] = len;
            let mut steps = [0, 0];
            for side in 0..2 {
                if lens[side] != 1 {
                    steps[side] = strides[side];
                    strides[side] *= lens[side];
                }
            }
            let outer = Dim { len, steps };
            match dims.last_mut() {
                _ if len == 1 => {}
                Some(inner) if inner.steps.map(|step| step * inner.len) == outer.steps => {
                    inner.len *= len;
                }
                _ => dims.push(outer),
            }
        }
        if dims.is_empty() {
            dims.push(Dim { len: 1, steps: [0, 0] });
        }
        dims.reverse();
        let output = Shape::from(output);
        output.ensure_possible(at)?;
        Ok(Self { shapes: [a.clone(), b.clone()], output, dims })
    }

    /// The shape of the result.
    pub fn output(&self) -> &Shape {
        &self.output
    }

    /// The place in operand `side` of each run of the output, from run `first` on.
    fn places(&self, side: usize, first: usize) -> impl Iterator<Item = usize> {
        let outer = &self.dims[..self.dims.len() - 1];
        Walk::new(outer.iter().map(|dim| (dim.len, dim.steps[side])), first)
    }

    /// `output = f(output, operand)`, element by element, where `values` are the elements of operand
    /// `side`.
    pub fn zip<T: Kernels, V: Copy + Sync>(
        &self,
        output: &mut [T],
        side: usize,
        values: &[V],
        f: impl Fn(T, V) -> T + Sync,
    ) {
        self.pieces(output, side, &|_, output, place| match place {
            Place::Same(at) => {
                output.iter_mut().zip(&values[at..]).for_each(|(o, &v)| *o = f(*o, v));
            }
            Place::Repeated(at) => {
                let value = values[at];
                output.iter_mut().for_each(|o| *o = f(*o, value));
            }
        });
    }

    /// [`Broadcast::zip`] with a function whose loops are compiled for the machine's vectors.
    pub fn update<T: Kernels>(&self, pair: Pair, output: &mut [T], side: usize, values: &[T]) {
        if self.shapes[side] != self.output && !self.runs_are_long() {
            return self.zip(output, side, values, |a, b| pair.value(a, b));
        }
        let Pairs { update, update_with, .. } = T::pairs();
        self.pieces(output, side, &|_, output, place| match place {
            Place::Same(at) => update(pair, output, &values[at..][..output.len()]),
            Place::Repeated(at) => update_with(pair, output, values[at]),
        });
    }

    /// `output = pair(a, b)`, element by element.
    pub fn combine<T: Kernels>(&self, pair: Pair, output: &mut [T], a: &[T], b: &[T]) {
        let Pairs { update, update_with, combine } = T::pairs();
        let whole = self.shapes.each_ref().map(|shape| *shape == self.output);
        if !self.runs_are_long() || !whole[0] && !whole[1] {
            self.update(Pair::Second, output, 0, a);
            self.update(pair, output, 1, b);
        } else if whole[0] {
            self.pieces(output, 1, &|start, output, place| match place {
                Place::Same(at) => {
                    let len = output.len();
                    combine(pair, output, &a[start..][..len], &b[at..][..len]);
                }
                Place::Repeated(at) => {
                    output.copy_from_slice(&a[start..][..output.len()]);
                    update_with(pair, output, b[at]);
                }
            });
        } else {
            self.pieces(output, 0, &|start, output, place| {
                let len = output.len();
                match place {
                    Place::Same(at) => combine(pair, output, &a[at..][..len], &b[start..][..len]),
                    Place::Repeated(at) => {
                        output.fill(a[at]);
                        update(pair, output, &b[start..][..len]);
                    }
                }
            });
        }
    }

    /// Whether a call for each run costs little beside its elements.
    fn runs_are_long(&self) -> bool {
        self.dims.last().is_some_and(|run| run.len >= 32)
    }

    /// Calls `piece` for pieces of the output, with where each begins, and its place in operand `side`.
    fn pieces<T: Kernels>(
        &self,
        output: &mut [T],
        side: usize,
        piece: &(dyn Fn(usize, &mut [T], Place) + Sync),
    ) {
        if self.shapes[side] == self.output {
            for_each_piece(output, |start, output| piece(start, output, Place::Same(start)));
            return;
        }
        let Some(run) = self.dims.last().filter(|_| !output.is_empty()) else { return };
        let step = run.steps[side];
        let at = |place: usize| if step == 0 { Place::Repeated(place) } else { Place::Same(place) };
        let runs = (CHUNK / run.len).max(1);
        output.par_chunks_mut(runs * run.len).enumerate().for_each(|(task, output)| {
            let places = self.places(side, task * runs);
            for ((i, output), place) in output.chunks_mut(run.len).enumerate().zip(places) {
                let start = (task * runs + i) * run.len;
                if run.len > CHUNK {
                    for_each_chunk(output, CHUNK, |i, output| {
                        piece(start + i * CHUNK, output, at(place + i * CHUNK * step));
                    });
                } else {
                    piece(start, output, at(place));
                }
            }
        });
    }

    /// For each element of operand `side`, `add` of `term(its index, value)` over all output elements
    /// that repeat it, in double precision: `values` are the output's elements, `none` is the result of
    /// no elements. Eight partial results run along a long row, and long columns are cut into pieces
    /// of fixed size: results are bit-identical for any number of threads.
    pub fn fold<T: Kernels>(
        &self,
        side: usize,
        values: &[T],
        pool: &BufferPool<T>,
        none: f64,
        term: impl Fn(usize, T) -> f64 + Sync,
        add: impl Fn(f64, f64) -> f64 + Sync,
    ) -> Scratch<f64> {
        let mut results = pool.scratch_of::<f64>(self.shapes[side].len());
        results.fill(none);
        let Some((&first, inner)) = self.dims.split_first().filter(|_| !values.is_empty()) else {
            return results;
        };
        // A part of `count` entries along the first dimension.
        let part = |count: usize, values: &[T], start: usize, results: &mut [f64]| {
            let (run, step) =
                inner.last().map_or((count, first.steps[side]), |dim| (dim.len, dim.steps[side]));
            let outer = [Dim { len: count, ..first }].into_iter().chain(inner.iter().copied());
            let outer = outer.take(inner.len()).map(|dim| (dim.len, dim.steps[side]));
            for (values, place) in values.chunks_exact(run).zip(Walk::new(outer, 0)) {
                if step == 0 {
                    let mut partial = [none; 8];
                    let (eights, rest) = values.as_chunks::<8>();
                    let fold = |partial: &mut [f64; 8], values: &[T]| {
                        for (partial, &v) in partial.iter_mut().zip(values) {
                            *partial = add(*partial, term(start + place, v));
                        }
                    };
                    eights.iter().for_each(|eight| fold(&mut partial, eight));
                    fold(&mut partial, rest);
                    let row = partial.into_iter().fold(none, &add);
                    results[place] = add(results[place], row);
                } else {
                    let results = results[place..].iter_mut().zip(values).enumerate();
                    for (i, (result, &v)) in results {
                        *result = add(*result, term(start + place + i, v));
                    }
                }
            }
        };
        let (block, step) = (values.len() / first.len, first.steps[side]);
        if step > 0 {
            // Different results for each entry of the first dimension.
            let count = (BLOCK / block).max(1);
            results.par_chunks_mut(count * step).enumerate().for_each(|(task, results)| {
                let values = &values[task * count * block..][..results.len() / step * block];
                part(results.len() / step, values, task * count * step, results);
            });
            return results;
        }
        let count = BLOCK.max(16 * results.len()).div_ceil(block);
        if count >= first.len {
            part(first.len, values, 0, &mut results);
            return results;
        }
        let len = results.len();
        let mut parts = pool.scratch_of::<f64>(first.len.div_ceil(count) * len);
        parts.fill(none);
        let tasks = parts.par_chunks_mut(len).zip(values.par_chunks(count * block));
        tasks.for_each(|(results, values)| part(values.len() / block, values, 0, results));
        for part in parts.chunks_exact(len) {
            results.iter_mut().zip(part).for_each(|(result, &p)| *result = add(*result, p));
        }
        results
    }

    /// The gradient of operand `side` from the gradients of its repeated elements: their sum, in double
    /// precision.
    pub fn sum_to<T: Kernels>(
        &self,
        side: usize,
        gradient: Tensor<T>,
        pool: &BufferPool<T>,
    ) -> Tensor<T> {
        let shape = &self.shapes[side];
        if *shape == self.output {
            return gradient;
        }
        let sums = self.fold(side, gradient.as_slice(), pool, 0.0, |_, g| g.as_f64(), |a, b| a + b);
        narrow(shape, &sums, pool)
    }
}

/// The nearest representable numbers, as a tensor.
pub(super) fn narrow<T: Kernels>(shape: &Shape, wide: &[f64], pool: &BufferPool<T>) -> Tensor<T> {
    let mut tensor = Tensor::uninit(shape, pool);
    let pairs = tensor.as_mut_slice().iter_mut().zip(wide);
    pairs.for_each(|(to, &from)| *to = T::from_f64(from));
    tensor
}

fn mismatch(at: &str, a: &Shape, b: &Shape) -> Error {
    Error::shape(
        at,
        "two shapes whose dimensions, aligned at the last one, are equal or 1",
        (a, b),
        "reshape one of them, for example [n] to [n, 1] to repeat it along rows",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(a: &[usize], b: &[usize]) -> Broadcast {
        Broadcast::new("test", &a.into(), &b.into()).unwrap()
    }

    #[test]
    fn dimensions_walked_alike_are_merged() {
        assert_eq!(plan(&[2, 3, 4], &[2, 3, 4]).dims, [Dim { len: 24, steps: [1, 1] }]);
        let bias = plan(&[2, 3, 5, 4], &[4]);
        assert_eq!(bias.dims, [Dim { len: 30, steps: [4, 0] }, Dim { len: 4, steps: [1, 1] }]);
        assert_eq!(plan(&[], &[1, 1]).dims, [Dim { len: 1, steps: [0, 0] }]);
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let error = Broadcast::new("add", &[2, 3].into(), &[2].into()).err().unwrap();
        let message = error.to_string();
        assert!(message.starts_with("add: ") && message.contains("[2, 3] and [2]"), "{message}");
    }
}

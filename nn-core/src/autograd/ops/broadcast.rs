//! NumPy's broadcasting: shapes are aligned at the last dimension; a dimension that is missing or 1 is
//! repeated to the length of the other operand's.
//!
//! Repeated elements are not copied. The output is processed in runs along its last dimension, in which
//! each operand has step 1 or 0. Neighbouring dimensions that both operands traverse alike are merged
//! first, so that runs are long.

use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::{CHUNK, for_each_chunk};
use crate::tensor::{BufferPool, Shape, Tensor};

/// The broadcasting of two operands to one output.
pub(super) struct Broadcast {
    shapes: [Shape; 2],
    output: Shape,
    /// Output dimensions, outermost first, without those of length 1. Never empty.
    dims: Vec<Dim>,
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

    /// Calls `f(output index, index in operand `side`, step of the operand, run length)`.
    fn for_each_run(&self, side: usize, mut f: impl FnMut(usize, usize, usize, usize)) {
        let Some((run, outer)) = self.dims.split_last() else { return };
        let runs: usize = outer.iter().map(|dim| dim.len).product();
        if run.len == 0 {
            return;
        }
        let mut index = vec![0; outer.len()];
        let mut operand = 0;
        for i in 0..runs {
            f(i * run.len, operand, run.steps[side], run.len);
            for (at, dim) in index.iter_mut().zip(outer).rev() {
                *at += 1;
                operand += dim.steps[side];
                if *at < dim.len {
                    break;
                }
                operand -= dim.len * dim.steps[side];
                *at = 0;
            }
        }
    }

    /// `output = f(output, operand)`, element by element, where `values` are the elements of operand
    /// `side`.
    pub fn zip<T: Kernels>(
        &self,
        output: &mut [T],
        side: usize,
        values: &[T],
        f: impl Fn(T, T) -> T + Sync,
    ) {
        if self.shapes[side] == self.output {
            for_each_chunk(output, CHUNK, |i, output| {
                let values = &values[i * CHUNK..];
                output.iter_mut().zip(values).for_each(|(o, &v)| *o = f(*o, v));
            });
            return;
        }
        self.for_each_run(side, |at, operand, step, len| {
            let output = &mut output[at..at + len];
            if step == 0 {
                let value = values[operand];
                output.iter_mut().for_each(|o| *o = f(*o, value));
            } else {
                let values = &values[operand..operand + len];
                output.iter_mut().zip(values).for_each(|(o, &v)| *o = f(*o, v));
            }
        });
    }

    /// The gradient of operand `side` from the gradients of its repeated elements: their sum, in output
    /// order and in double precision.
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
        let mut sums = pool.scratch_of::<f64>(shape.len());
        sums.fill(0.0);
        self.for_each_run(side, |at, operand, step, len| {
            let run = gradient.as_slice()[at..at + len].iter().map(|g| g.as_f64());
            if step == 0 {
                sums[operand] += run.sum::<f64>();
            } else {
                sums[operand..operand + len].iter_mut().zip(run).for_each(|(s, g)| *s += g);
            }
        });
        let mut total = Tensor::uninit(shape, pool);
        for (total, &sum) in total.as_mut_slice().iter_mut().zip(&*sums) {
            *total = T::from_f64(sum);
        }
        total
    }
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

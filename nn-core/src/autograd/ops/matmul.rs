//! Matrix products, and the dense layer's `x Wt + b`.

use super::along::Inverse;
use super::walk::Walk;
use crate::autograd::{Backward, Gradient, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::conv::Output;
use crate::kernels::linear::{self, Dims, STREAMED};
use crate::kernels::matmul::{Order, matmul};
use crate::kernels::parallel::for_each_chunk;
use crate::tensor::{Shape, Tensor};
use std::sync::Arc;

/// Products of matrices `[m, k]` and `[k, n]`, each of a batch of them.
struct Products {
    m: usize,
    n: usize,
    k: usize,
    /// For each product the matrix of either operand.
    operands: [Vec<usize>; 2],
    /// How many matrices either operand has.
    counts: [usize; 2],
}

struct Matmul<T: Kernels> {
    products: Products,
    shapes: [Shape; 2],
    /// Each operand is saved only if the other one's gradient is needed.
    a: Option<Arc<Tensor<T>>>,
    b: Option<Arc<Tensor<T>>>,
}

impl Products {
    /// The products of operands of these shapes, and the result's shape.
    fn new(a: &Shape, b: &Shape) -> Result<(Self, Shape)> {
        let (&[ref a_batch @ .., m, k], &[ref b_batch @ .., b_rows, n]) = (a.dims(), b.dims())
        else {
            return Err(unfit(a, b));
        };
        let batch = batch_shape(a_batch, b_batch).filter(|_| k == b_rows);
        let batch = batch.ok_or_else(|| unfit(a, b))?;
        let output = Shape::from([&batch[..], &[m, n]].concat());
        output.ensure_possible("matmul")?;
        let counts = [a_batch, b_batch].map(|batch| batch.iter().product());
        if counts == [batch.iter().product(), 1] {
            // All products share the right operand: they are one product of many rows.
            let products =
                Self { m: m * counts[0], n, k, operands: [vec![0], vec![0]], counts: [1; 2] };
            return Ok((products, output));
        }
        let operands = if output.is_empty() {
            [vec![], vec![]]
        } else {
            [a_batch, b_batch].map(|operand| matrices(operand, &batch))
        };
        Ok((Self { m, n, k, operands, counts }, output))
    }

    /// The number of elements of a matrix of operand `side`.
    fn operand_len(&self, side: usize) -> usize {
        self.k * [self.m, self.n][side]
    }

    fn forward<T: Kernels>(&self, a: &[T], b: &[T], c: &mut [T]) {
        let &Self { m, n, k, .. } = self;
        let product = |i: usize, c: &mut [T]| {
            let a = matrix(a, self.operands[0][i], self.operand_len(0));
            let b = matrix(b, self.operands[1][i], self.operand_len(1));
            matmul((m, n, k), (a, Order::Rows), (b, Order::Rows), false, c);
        };
        match self.operands[0].len() {
            1 => product(0, c),
            _ => for_each_chunk(c, m * n, product),
        }
    }

    /// The gradient of operand `side` from that of the result and the other operand: for each of its
    /// matrices, the sum over the products that it is part of, in their order.
    fn gradient<T: Kernels>(&self, side: usize, gradient: &[T], other: &[T], to: &mut [T]) {
        let &Self { m, n, k, .. } = self;
        let used = Inverse::new(&self.operands[side], self.counts[side]);
        let sum = |entry: usize, to: &mut [T]| {
            let products = used.of(entry);
            if products.is_empty() {
                to.fill(T::zero());
            }
            for (nth, &i) in products.iter().enumerate() {
                let g = (matrix(gradient, i, m * n), Order::Rows);
                let other = matrix(other, self.operands[1 - side][i], self.operand_len(1 - side));
                let other = (other, Order::Columns);
                match side {
                    0 => matmul((m, k, n), g, other, nth > 0, to),
                    _ => matmul((k, n, m), other, g, nth > 0, to),
                }
            }
        };
        match self.counts[side] {
            1 => sum(0, to),
            _ => for_each_chunk(to, self.operand_len(side), sum),
        }
    }
}

/// The `i`-th matrix of `len` elements.
fn matrix<T>(values: &[T], i: usize, len: usize) -> &[T] {
    &values[i * len..][..len]
}

/// The dimensions that those of both batches are repeated to.
fn batch_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |dims: &[usize], i: usize| match (i + dims.len()).checked_sub(rank) {
        Some(i) => dims[i],
        None => 1,
    };
    let both = (0..rank).map(|i| match (dim(a, i), dim(b, i)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    });
    both.collect()
}

/// The matrix of `operand` for each entry of `batch`, to which its dimensions are repeated.
fn matrices(operand: &[usize], batch: &[usize]) -> Vec<usize> {
    let mut step = 1;
    let mut dims: Vec<_> = batch.iter().map(|&len| (len, 0)).collect();
    for (&len, (_, to)) in operand.iter().rev().zip(dims.iter_mut().rev()) {
        *to = if len == 1 { 0 } else { step };
        step *= len;
    }
    Walk::new(dims.into_iter(), 0).collect()
}

impl<T: Kernels> Op<T> for Matmul<T> {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        for (side, other) in [&self.b, &self.a].into_iter().enumerate() {
            let Some(other) = other else { continue };
            let mut dx = Tensor::uninit(&self.shapes[side], inputs.pool());
            let (g, other) = (gradient.as_slice(), other.as_slice());
            self.products.gradient(side, g, other, dx.as_mut_slice());
            inputs.accumulate(side, dx)?;
        }
        Ok(())
    }
}

struct Linear<T: Kernels> {
    dims: Dims,
    /// `x` if the weights' gradient is needed, `w` if that of `x` is.
    x: Option<Arc<Tensor<T>>>,
    w: Option<Arc<Tensor<T>>>,
}

impl<T: Kernels> Op<T> for Linear<T> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let Dims { batch, inputs: columns, outputs } = self.dims;
        let dy = gradient.as_slice();
        if let Some(w) = &self.w {
            let mut dx = Tensor::uninit([batch, columns], inputs.pool());
            linear::input_gradient(self.dims, dy, w.as_slice(), dx.as_mut_slice());
            inputs.accumulate(0, dx)?;
        }
        if inputs.needs(2) {
            let mut db = Tensor::zeros_in([outputs], inputs.pool());
            linear::bias_gradient(dy, db.as_mut_slice());
            inputs.accumulate(2, db)?;
        }
        let Some(x) = &self.x else { return Ok(()) };
        if batch <= STREAMED {
            return inputs.accumulate(1, Gradient::product(self.dims, gradient, Arc::clone(x)));
        }
        let mut dw = Tensor::uninit([outputs, columns], inputs.pool());
        linear::weight_gradient(self.dims, dy, x.as_slice(), dw.as_mut_slice());
        inputs.accumulate(1, dw)
    }
}

impl<T: Kernels> Tape<T> {
    /// The matrix product of `a [.., m, k]` and `b [.., k, n]`: `[.., m, n]`. The dimensions before the last
    /// two number matrices; they are broadcast as in [`Tape::add`], and an operand whose matrices are used
    /// several times gets the sum of their gradients. So `[batch, time, in]` times `[in, out]` works, and
    /// attention over `[batch, heads, time, width]` as well.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let queries = tape.leaf(Tensor::zeros([8, 4, 10, 16])); // [batch, heads, time, width]
    /// let keys = tape.leaf(Tensor::zeros([8, 4, 10, 16]));
    /// let scores = tape.matmul(&queries, &tape.permute(&keys, &[0, 1, 3, 2])?)?;
    /// assert_eq!(scores.dims(), [8, 4, 10, 10]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `a` and `b` are no matrices of such shapes, or the dimensions before do not combine.
    pub fn matmul(&self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        let (products, output) = Products::new(a.shape(), b.shape())?;
        let mut c = Tensor::uninit(output, self.pool());
        products.forward(a.value().as_slice(), b.value().as_slice(), c.as_mut_slice());
        let op = Matmul {
            products,
            shapes: [a.shape().clone(), b.shape().clone()],
            a: self.tracks(&[b]).then(|| a.share()),
            b: self.tracks(&[a]).then(|| b.share()),
        };
        Ok(self.record(op, &[a, b], c))
    }

    /// A dense layer: `x [batch, in]` times the transposed weights `w [out, in]`, plus `b [out]`:
    /// `[batch, out]`. With small batches the speed is limited by the memory bandwidth of reading the
    /// weights.
    ///
    /// # Errors
    /// If the shapes do not match.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f32>::new();
    /// let x = tape.constant(Tensor::from_vec([1, 2], vec![1., 2.])?);
    /// let w = tape.leaf(Tensor::from_vec([3, 2], vec![1., 0., 0., 1., 1., 1.])?);
    /// let b = tape.leaf(Tensor::from_vec([3], vec![0., 10., 0.])?);
    /// assert_eq!(tape.linear(&x, &w, Some(&b))?.value().as_slice(), [1., 12., 3.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn linear(&self, x: &Var<T>, w: &Var<T>, b: Option<&Var<T>>) -> Result<Var<T>> {
        let &[outputs, columns] = w.dims() else {
            return Err(Error::shape(
                "linear",
                "weights [outputs, inputs]",
                w.shape(),
                "store one row of weights per output",
            ));
        };
        let batch = match *x.dims() {
            [batch, width] if width == columns => batch,
            _ => {
                return Err(Error::shape(
                    "linear",
                    format!("an input [batch, {columns}] for weights {}", w.shape()),
                    x.shape(),
                    "flatten the input to [batch, inputs], or build the weights for its width",
                ));
            }
        };
        if let Some(b) = b.filter(|b| b.dims() != [outputs]) {
            return Err(Error::shape(
                "linear",
                format!("a bias [{outputs}] for weights {}", w.shape()),
                b.shape(),
                "pass one number per output",
            ));
        }
        let dims = Dims { batch, inputs: columns, outputs };
        Shape::from([batch, outputs]).ensure_possible("linear")?;
        let mut y = Tensor::uninit([batch, outputs], self.pool());
        if let Some(g) = dims.convolution() {
            // As `linear::forward` does, but the tape may keep the packed weights.
            let out = Output::plain(y.as_mut_slice());
            self.convolve(T::conv2d().forward(&g, None), &g, (x, w, b), out);
        } else {
            let bias = b.map(|b| b.value().as_slice());
            let (x, w) = (x.value().as_slice(), w.value().as_slice());
            linear::forward(dims, x, w, bias, y.as_mut_slice(), self.pool());
        }
        let op = Linear {
            dims,
            x: self.tracks(&[w]).then(|| x.share()),
            w: self.tracks(&[x]).then(|| w.share()),
        };
        Ok(match b {
            Some(b) => self.record(op, &[x, w, b], y),
            None => self.record(op, &[x, w], y),
        })
    }
}

fn unfit(a: &Shape, b: &Shape) -> Error {
    Error::shape(
        "matmul",
        "matrices [.., m, k] and [.., k, n], whose dimensions before are equal or 1",
        (a, b),
        "transpose, permute or reshape one so that the inner sizes agree",
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;

    #[test]
    fn matmul_value_and_gradients() {
        for (m, k, n) in [(1, 1, 1), (2, 3, 4), (5, 1, 3), (1, 7, 1), (9, 4, 17)] {
            let (a, b) = (sample([m, k], 1), sample([k, n], 2));
            let tape = Tape::new();
            let (a_var, b_var) = (tape.leaf(a.clone()), tape.leaf(b.clone()));
            let c = tape.matmul(&a_var, &b_var).unwrap();
            let expected = Tensor::from_fn([m, n], |i| {
                (0..k).map(|l| a.row(i / n)[l] * b.row(l)[i % n]).sum()
            });
            assert_close(&[c.value().as_slice().to_vec()], &[expected.into_vec()], 1e-14);
            check(&[a, b], |tape, x| tape.matmul(&x[0], &x[1]));
        }
    }

    #[test]
    fn batches_of_every_kind() {
        let cases: [(&[usize], &[usize], &[usize]); 10] = [
            (&[2, 3, 4], &[2, 4, 5], &[2, 3, 5]),
            (&[2, 3, 4], &[4, 5], &[2, 3, 5]),
            (&[2, 3, 4], &[1, 4, 5], &[2, 3, 5]),
            (&[3, 4], &[2, 4, 5], &[2, 3, 5]),
            (&[1, 3, 4], &[2, 4, 1], &[2, 3, 1]),
            (&[2, 1, 3, 4], &[5, 4, 2], &[2, 5, 3, 2]),
            (&[3, 1, 1, 2], &[2, 1, 2, 2, 3], &[2, 3, 2, 1, 3]),
            (&[2, 3, 0], &[2, 0, 4], &[2, 3, 4]),
            (&[0, 3, 4], &[4, 5], &[0, 3, 5]),
            (&[0, 3, 4], &[1, 4, 5], &[0, 3, 5]),
        ];
        for (a_dims, b_dims, expected) in cases {
            let (a, b) = (sample(a_dims, 20), sample(b_dims, 21));
            let tape = Tape::new();
            let c = tape.matmul(&tape.leaf(a.clone()), &tape.leaf(b.clone())).unwrap();
            assert_eq!(c.dims(), expected);
            let &[ref batch @ .., m, n] = expected else { unreachable!() };
            let k = *a_dims.last().unwrap();
            // The place of a matrix by the definition of broadcasting.
            let start = |dims: &[usize], entry: usize| {
                let (mut rest, mut place) = (entry, 0);
                let mut step: usize = dims[dims.len() - 2..].iter().product();
                for (i, len) in batch.iter().enumerate().rev() {
                    let own = (i + dims.len() - 2).checked_sub(batch.len()).map_or(1, |i| dims[i]);
                    place += (rest % len).min(own - 1) * step;
                    rest /= len;
                    step *= own;
                }
                place
            };
            for (i, &c) in c.value().as_slice().iter().enumerate() {
                let (entry, row, column) = (i / (m * n), i / n % m, i % n);
                let a = &a.as_slice()[start(a_dims, entry) + row * k..][..k];
                let b = &b.as_slice()[start(b_dims, entry)..];
                let sum: f64 = (0..k).map(|l| a[l] * b[l * n + column]).sum();
                assert!((c - sum).abs() < 1e-14);
            }
            check(&[a, b], |tape, x| tape.matmul(&x[0], &x[1]));
        }
        // No product uses the matrices that are there.
        let mut tape = Tape::<f64>::new();
        let (a, b) = (tape.leaf(sample([1, 2, 3], 22)), tape.leaf(Tensor::zeros([0, 3, 2])));
        let c = tape.matmul(&a, &b).unwrap();
        assert_eq!(c.dims(), [0, 2, 2]);
        tape.backward_from(&c, Tensor::zeros([0, 2, 2])).unwrap();
        assert_eq!(tape.grad(&a).unwrap(), &Tensor::zeros([1, 2, 3]));
    }

    #[test]
    fn the_number_of_threads_changes_no_bit_of_a_batch() {
        let many: (&[usize], &[usize]) = (&[40, 20, 30], &[40, 30, 25]);
        for (a, b) in [many, (&[3, 150, 30], &[2, 1, 30, 140])] {
            let inputs = [sample(a, 23), sample(b, 24)];
            let results = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| run::<f32>(&inputs, |tape, x| tape.matmul(&x[0], &x[1])))
            };
            let one = results(1);
            assert!(one == results(2) && one == results(4));
            let wide = run::<f64>(&inputs, |tape, x| tape.matmul(&x[0], &x[1]));
            assert_close(&one, &wide, 2e-6);
        }
    }

    #[test]
    fn a_matrix_times_itself_gets_both_gradients() {
        check(&[sample([4, 4], 3)], |tape, x| tape.matmul(&x[0], &x[0]));
    }

    #[test]
    fn linear_value_and_gradients() {
        // Batches around the streaming limit of the kernels.
        for (batch, inputs, outputs) in [(1, 1, 1), (3, 5, 2), (4, 33, 3), (16, 3, 5), (17, 4, 3)] {
            let (x, w) = (sample([batch, inputs], 4), sample([outputs, inputs], 5));
            let b = sample([outputs], 6);
            let tape = Tape::new();
            let vars = [tape.leaf(x.clone()), tape.leaf(w.clone()), tape.leaf(b.clone())];
            let y = tape.linear(&vars[0], &vars[1], Some(&vars[2])).unwrap();
            let expected = Tensor::from_fn([batch, outputs], |i| {
                let (row, o) = (x.row(i / outputs), i % outputs);
                let products = row.iter().zip(w.row(o)).map(|(x, w)| x * w);
                products.sum::<f64>() + b.as_slice()[o]
            });
            assert_close(&[y.value().as_slice().to_vec()], &[expected.into_vec()], 1e-14);
            check(&[x.clone(), w.clone(), b], |tape, v| tape.linear(&v[0], &v[1], Some(&v[2])));
            check(&[x, w], |tape, v| tape.linear(&v[0], &v[1], None));
        }
    }

    #[test]
    fn constants_are_not_differentiated_and_not_kept() {
        let mut tape = Tape::<f64>::new();
        let x = tape.constant(sample([2, 3], 7));
        let w = tape.leaf(sample([4, 3], 8));
        let y = tape.linear(&x, &w, None).unwrap();
        assert_eq!(
            std::sync::Arc::strong_count(&w.share()),
            2,
            "the weights were saved for nobody"
        );
        tape.backward_from(&y, Tensor::full([2, 4], 1.0)).unwrap();
        assert!(tape.grad(&w).is_some() && tape.grad(&x).is_none());
        // Only the bias requires a gradient.
        let (w, b) = (tape.constant(sample([4, 3], 8)), tape.leaf(sample([4], 9)));
        let y = tape.linear(&x, &w, Some(&b)).unwrap();
        tape.backward_from(&y, Tensor::full([2, 4], 1.0)).unwrap();
        assert_eq!(tape.grad(&b).unwrap().as_slice(), [2.0; 4]);
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let inputs = [sample([5, 300], 10), sample([7, 300], 11), sample([7], 12)];
        let narrow = run::<f32>(&inputs, |tape, v| tape.linear(&v[0], &v[1], Some(&v[2])));
        let wide = run::<f64>(&inputs, |tape, v| tape.linear(&v[0], &v[1], Some(&v[2])));
        assert_close(&narrow, &wide, 2e-6);
        let inputs = [sample([30, 40], 13), sample([40, 20], 14)];
        let narrow = run::<f32>(&inputs, |tape, v| tape.matmul(&v[0], &v[1]));
        let wide = run::<f64>(&inputs, |tape, v| tape.matmul(&v[0], &v[1]));
        assert_close(&narrow, &wide, 2e-6);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let inputs = [sample([4, 5000], 15), sample([33, 5000], 16), sample([33], 17)];
        let square = [sample([150, 300], 18), sample([300, 270], 19)];
        let results = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let dense = run::<f32>(&inputs, |tape, v| tape.linear(&v[0], &v[1], Some(&v[2])));
                let product = run::<f32>(&square, |tape, v| tape.matmul(&v[0], &v[1]));
                let all = [dense, product].concat().concat();
                all.into_iter().map(f64::to_bits).collect::<Vec<_>>()
            })
        };
        let one = results(1);
        assert!(one == results(2) && one == results(4));
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let tape = Tape::<f32>::new();
        let (a, b) = (tape.leaf(Tensor::zeros([2, 3])), tape.leaf(Tensor::zeros([2, 4])));
        refused(tape.matmul(&a, &b), &["matmul", "[2, 3]", "[2, 4]", "transpose"]);
        let cube = tape.leaf(Tensor::zeros([2, 3, 4]));
        let other = tape.leaf(Tensor::zeros([3, 4, 2]));
        refused(tape.matmul(&cube, &other), &["matmul", "[2, 3, 4]", "[3, 4, 2]"]);
        let vector = tape.leaf(Tensor::zeros([3]));
        refused(tape.matmul(&a, &vector), &["matmul", "[3]", "reshape"]);
        let (many, more) = (
            tape.leaf(Tensor::zeros([1 << 40, 1, 1, 0])),
            tape.leaf(Tensor::zeros([1 << 40, 0, 1])),
        );
        refused(tape.matmul(&many, &more), &["matmul", "at most"]);
        let (tall, wide) =
            (tape.leaf(Tensor::zeros([1 << 40, 0])), tape.leaf(Tensor::zeros([0, 1 << 40])));
        refused(tape.matmul(&tall, &wide), &["matmul", "at most"]);
        refused(tape.linear(&a, &b, None), &["linear", "[batch, 4]", "[2, 3]", "flatten"]);
        refused(tape.linear(&cube, &b, None), &["linear", "[2, 3, 4]", "flatten"]);
        refused(tape.linear(&a, &cube, None), &["linear", "weights", "[2, 3, 4]"]);
        let (w, bias) = (tape.leaf(Tensor::zeros([5, 3])), tape.leaf(Tensor::zeros([3])));
        refused(tape.linear(&a, &w, Some(&bias)), &["linear", "bias [5]", "[3]"]);
    }
}

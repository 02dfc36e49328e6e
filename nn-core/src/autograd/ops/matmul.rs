//! Matrix products, and the dense layer's `x Wt + b`.

use crate::autograd::{Backward, Gradient, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::linear::{self, Dims, STREAMED};
use crate::kernels::matmul::{Order, matmul};
use crate::tensor::{Shape, Tensor};
use std::sync::Arc;

struct Matmul<T: Kernels> {
    m: usize,
    n: usize,
    k: usize,
    /// Each operand is saved only if the other one's gradient is needed.
    a: Option<Arc<Tensor<T>>>,
    b: Option<Arc<Tensor<T>>>,
}

impl<T: Kernels> Op<T> for Matmul<T> {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let &Self { m, n, k, .. } = self;
        let g = (gradient.as_slice(), Order::Rows);
        if let Some(b) = &self.b {
            let mut da = Tensor::uninit([m, k], inputs.pool());
            let b_transposed = (b.as_slice(), Order::Columns);
            matmul((m, k, n), g, b_transposed, false, da.as_mut_slice());
            inputs.accumulate(0, da)?;
        }
        if let Some(a) = &self.a {
            let mut db = Tensor::uninit([k, n], inputs.pool());
            let a_transposed = (a.as_slice(), Order::Columns);
            matmul((k, n, m), a_transposed, g, false, db.as_mut_slice());
            inputs.accumulate(1, db)?;
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
    /// The matrix product of `a [m, k]` and `b [k, n]`: `[m, n]`.
    ///
    /// # Errors
    /// If `a` and `b` are not matrices of such shapes.
    pub fn matmul(&self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        let (&[m, k], &[b_rows, n]) = (a.dims(), b.dims()) else {
            return Err(unfit(a, b));
        };
        if k != b_rows {
            return Err(unfit(a, b));
        }
        Shape::from([m, n]).ensure_possible("matmul")?;
        let mut c = Tensor::uninit([m, n], self.pool());
        let (a_rows, b_rows) =
            ((a.value().as_slice(), Order::Rows), (b.value().as_slice(), Order::Rows));
        matmul((m, n, k), a_rows, b_rows, false, c.as_mut_slice());
        let op = Matmul {
            m,
            n,
            k,
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
        let bias = b.map(|b| b.value().as_slice());
        let (x_values, w_values) = (x.value().as_slice(), w.value().as_slice());
        linear::forward(dims, x_values, w_values, bias, y.as_mut_slice(), self.pool());
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

fn unfit<T: Kernels>(a: &Var<T>, b: &Var<T>) -> Error {
    Error::shape(
        "matmul",
        "two matrices [m, k] and [k, n]",
        (a.shape(), b.shape()),
        "transpose or reshape one so that the inner sizes agree",
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
        refused(tape.matmul(&a, &cube), &["matmul", "[2, 3, 4]"]);
        refused(tape.linear(&a, &b, None), &["linear", "[batch, 4]", "[2, 3]", "flatten"]);
        refused(tape.linear(&cube, &b, None), &["linear", "[2, 3, 4]", "flatten"]);
        refused(tape.linear(&a, &cube, None), &["linear", "weights", "[2, 3, 4]"]);
        let (w, bias) = (tape.leaf(Tensor::zeros([5, 3])), tape.leaf(Tensor::zeros([3])));
        refused(tape.linear(&a, &w, Some(&bias)), &["linear", "bias [5]", "[3]"]);
    }
}

//! Element-wise arithmetic: of two operands, with NumPy's broadcasting, and of an operand and a number.

use super::broadcast::Broadcast;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::kernels::pairs::Pair;
use crate::kernels::parallel::for_each_piece;
use crate::tensor::Tensor;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq)]
enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

impl Arithmetic {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
        }
    }

    fn pair(self) -> Pair {
        match self {
            Self::Add => Pair::Add,
            Self::Sub => Pair::Sub,
            Self::Mul => Pair::Mul,
            Self::Div => Pair::Div,
        }
    }
}

struct Binary<T: Kernels> {
    kind: Arithmetic,
    plan: Broadcast,
    /// The operands, if the required gradients depend on them.
    a: Option<Arc<Tensor<T>>>,
    b: Option<Arc<Tensor<T>>>,
}

impl<T: Kernels> Binary<T> {
    /// Turns the output's gradient into that of operand `side`, before the sum over repeated elements.
    fn differentiate(&self, side: usize, gradient: &mut [T]) {
        let (a, b) = (self.a.as_ref(), self.b.as_ref());
        match (self.kind, side, a.map(|a| a.as_slice()), b.map(|b| b.as_slice())) {
            (Arithmetic::Sub, 1, ..) => update_with(Pair::Mul, gradient, -T::one()),
            (Arithmetic::Mul, 0, _, Some(b)) => self.plan.update(Pair::Mul, gradient, 1, b),
            (Arithmetic::Mul, 1, Some(a), _) => self.plan.update(Pair::Mul, gradient, 0, a),
            (Arithmetic::Div, 0, _, Some(b)) => self.plan.update(Pair::Div, gradient, 1, b),
            (Arithmetic::Div, 1, Some(a), Some(b)) => {
                // `b` is divided by twice: its square could overflow or vanish.
                self.plan.update(Pair::NegDiv, gradient, 1, b);
                self.plan.update(Pair::Mul, gradient, 0, a);
                self.plan.update(Pair::Div, gradient, 1, b);
            }
            _ => {} // add, and the left side of sub: the gradient itself
        }
    }
}

impl<T: Kernels> Op<T> for Binary<T> {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let pool = inputs.pool().clone();
        if inputs.needs(0) && inputs.needs(1) {
            let mut left = gradient.clone_in(&pool);
            self.differentiate(0, left.as_mut_slice());
            inputs.accumulate(0, self.plan.sum_to(0, left, &pool))?;
        }
        // The last gradient needs no copy.
        let side = usize::from(inputs.needs(1));
        let mut last = gradient;
        self.differentiate(side, last.as_mut_slice());
        inputs.accumulate(side, self.plan.sum_to(side, last, &pool))
    }
}

struct Scale<T> {
    factor: T,
}

impl<T: Kernels> Op<T> for Scale<T> {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        update_with(Pair::Mul, gradient.as_mut_slice(), self.factor);
        inputs.accumulate(0, gradient)
    }
}

struct AddScalar;

impl<T: Kernels> Op<T> for AddScalar {
    fn name(&self) -> &'static str {
        "add_scalar"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        inputs.accumulate(0, gradient)
    }
}

/// `data = pair(data, number)`, element by element.
fn update_with<T: Kernels>(pair: Pair, data: &mut [T], number: T) {
    let update = T::pairs().update_with;
    for_each_piece(data, |_, data| update(pair, data, number));
}

/// `data = pair(data, other)`, element by element.
pub(super) fn update<T: Kernels>(pair: Pair, data: &mut [T], other: &[T]) {
    let update = T::pairs().update;
    for_each_piece(data, |start, data| update(pair, data, &other[start..][..data.len()]));
}

/// `result = pair(a, b)`, element by element.
pub(super) fn combine<T: Kernels>(pair: Pair, result: &mut [T], a: &[T], b: &[T]) {
    let combine = T::pairs().combine;
    for_each_piece(result, |start, result| {
        let part = start..start + result.len();
        combine(pair, result, &a[part.clone()], &b[part]);
    });
}

/// Replaces every element of `data` by `f` of it and of the element of `other` at the same index.
pub(super) fn update_from<T: Kernels>(data: &mut [T], other: &[T], f: impl Fn(T, T) -> T + Sync) {
    for_each_piece(data, |start, chunk| {
        chunk.iter_mut().zip(&other[start..]).for_each(|(v, &o)| *v = f(*v, o));
    });
}

impl<T: Kernels> Tape<T> {
    /// `a + b`, element by element. Shapes are aligned at the last dimension, and dimensions that
    /// are missing or 1 are repeated, as in NumPy.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f64>::new();
    /// let row = tape.leaf(Tensor::from_vec([3], vec![1., 2., 3.])?);
    /// let column = tape.leaf(Tensor::from_vec([2, 1], vec![10., 20.])?);
    /// let table = tape.add(&row, &column)?;
    /// assert_eq!(table.value().as_slice(), [11., 12., 13., 21., 22., 23.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not combine.
    pub fn add(&self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        self.binary(Arithmetic::Add, a, b)
    }

    /// `a - b`, element by element, with broadcasting as in [`Tape::add`].
    ///
    /// # Errors
    /// If the shapes do not combine.
    pub fn sub(&self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        self.binary(Arithmetic::Sub, a, b)
    }

    /// `a * b`, element by element, with broadcasting as in [`Tape::add`].
    ///
    /// # Errors
    /// If the shapes do not combine.
    pub fn mul(&self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        self.binary(Arithmetic::Mul, a, b)
    }

    /// `a / b`, element by element, with broadcasting as in [`Tape::add`].
    ///
    /// # Errors
    /// If the shapes do not combine.
    pub fn div(&self, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        self.binary(Arithmetic::Div, a, b)
    }

    fn binary(&self, kind: Arithmetic, a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
        let plan = Broadcast::new(kind.name(), a.shape(), b.shape())?;
        let mut result = Tensor::uninit(plan.output(), self.pool());
        let (pair, y) = (kind.pair(), result.as_mut_slice());
        if a.shape() == b.shape() {
            combine(pair, y, a.value().as_slice(), b.value().as_slice());
        } else {
            plan.combine(pair, y, a.value().as_slice(), b.value().as_slice());
        }

        let product = matches!(kind, Arithmetic::Mul | Arithmetic::Div);
        let (for_a, for_b) = (self.tracks(&[a]), self.tracks(&[b]));
        let needs_b = product && for_a || kind == Arithmetic::Div && for_b;
        let op = Binary {
            kind,
            plan,
            a: (product && for_b).then(|| a.share()),
            b: needs_b.then(|| b.share()),
        };
        Ok(self.record(op, &[a, b], result))
    }

    /// `factor * x`, in place if `x` is not shared.
    pub fn scale(&self, x: Var<T>, factor: T) -> Var<T> {
        let (mut y, x) = x.take(self.pool());
        update_with(Pair::Mul, y.as_mut_slice(), factor);
        self.record(Scale { factor }, &[&x], y)
    }

    /// `-x`, in place if `x` is not shared.
    pub fn neg(&self, x: Var<T>) -> Var<T> {
        self.scale(x, -T::one())
    }

    /// `x + number`, in place if `x` is not shared.
    pub fn add_scalar(&self, x: Var<T>, number: T) -> Var<T> {
        let (mut y, x) = x.take(self.pool());
        update_with(Pair::Add, y.as_mut_slice(), number);
        self.record(AddScalar, &[&x], y)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;
    use crate::kernels::parallel::CHUNK;
    use std::slice::from_ref;

    type Definition = fn(f64, f64) -> f64;
    type BinaryOp<T> = fn(&Tape<T>, &Var<T>, &Var<T>) -> Result<Var<T>>;

    /// Each op with its definition.
    fn binary_ops<T: Kernels>() -> [(BinaryOp<T>, Definition); 4] {
        [
            (Tape::add, |a, b| a + b),
            (Tape::sub, |a, b| a - b),
            (Tape::mul, |a, b| a * b),
            (Tape::div, |a, b| a / b),
        ]
    }

    /// The element of `x` at the output's multi-index: the definition of broadcasting.
    fn element(x: &Tensor<f64>, output: &[usize], mut linear: usize) -> f64 {
        let mut index = vec![0; output.len()];
        for (at, &len) in index.iter_mut().zip(output).rev() {
            *at = linear % len;
            linear /= len;
        }
        let skipped = output.len() - x.dims().len();
        let place = x.dims().iter().zip(&index[skipped..]);
        let offset = place.fold(0, |offset, (&len, &i)| offset * len + i.min(len - 1));
        x.as_slice()[offset]
    }

    #[test]
    fn values_and_gradients_with_every_kind_of_broadcasting() {
        let cases: [(&[usize], &[usize], &[usize]); 17] = [
            (&[], &[], &[]),
            (&[5], &[], &[5]),
            (&[], &[2, 3], &[2, 3]),
            (&[2, 3], &[2, 3], &[2, 3]),
            (&[2, 3], &[3], &[2, 3]),
            (&[3, 1], &[4], &[3, 4]),
            (&[2, 1, 3], &[1, 4, 1], &[2, 4, 3]),
            (&[2, 1, 1, 3], &[2, 3, 2, 3], &[2, 3, 2, 3]),
            (&[3, 4, 1], &[3, 4, 5], &[3, 4, 5]),
            (&[1, 1, 1], &[7], &[1, 1, 7]),
            (&[2, 1, 2, 1], &[3, 1, 3], &[2, 3, 2, 3]),
            (&[1], &[1], &[1]),
            // Long runs.
            (&[2, 40], &[40], &[2, 40]),
            (&[40], &[2, 40], &[2, 40]),
            (&[3, 40], &[3, 1], &[3, 40]),
            (&[3, 1], &[3, 40], &[3, 40]),
            (&[2, 1, 40], &[3, 1], &[2, 3, 40]),
        ];
        for (a_dims, b_dims, expected) in cases {
            let (a, b) = (sample(a_dims, 1), sample(b_dims, 2).map(|v| v + 0.5 * v.signum()));
            for (op, f) in binary_ops::<f64>() {
                let tape = Tape::new();
                let (a_var, b_var) = (tape.leaf(a.clone()), tape.leaf(b.clone()));
                let y = op(&tape, &a_var, &b_var).unwrap();
                assert_eq!(y.dims(), expected);
                for (i, &y) in y.value().as_slice().iter().enumerate() {
                    assert_eq!(y, f(element(&a, expected, i), element(&b, expected, i)));
                }
                check(&[a.clone(), b.clone()], |tape, x| op(tape, &x[0], &x[1]));
            }
        }
    }

    #[test]
    fn arrays_of_several_tasks() {
        let (rows, long) = ([3, CHUNK / 2 + 1], [2, CHUNK + 5]);
        let (many, short): (_, &[usize]) = ([CHUNK / 20, 40], &[40]);
        for (a, b) in [
            (sample(rows, 3), sample(rows, 4)),
            (sample(long, 3), sample([CHUNK + 5], 4)),
            (sample([2, 1], 3), sample(long, 4)),
            (sample(many, 3), sample(short, 4)),
        ] {
            for (op, f) in binary_ops::<f64>() {
                let tape = Tape::new();
                let (a_var, b_var) = (tape.constant(a.clone()), tape.constant(b.clone()));
                let y = op(&tape, &a_var, &b_var).unwrap();
                let expected = |i| f(element(&a, y.dims(), i), element(&b, y.dims(), i));
                let values = y.value().as_slice().iter().enumerate();
                values.for_each(|(i, &y)| assert_eq!(y, expected(i)));
            }
        }
    }

    #[test]
    fn empty_arrays_stay_empty() {
        let mut tape = Tape::<f32>::new();
        let (a, b) = (tape.leaf(Tensor::zeros([0, 3])), tape.leaf(Tensor::full([3], 1.0)));
        let y = tape.mul(&a, &b).unwrap();
        assert_eq!(y.dims(), [0, 3]);
        let sum = tape.sum(&y);
        tape.backward(&sum).unwrap();
        assert_eq!(tape.grad(&b).unwrap().as_slice(), [0.0; 3]);
        assert!(tape.grad(&a).unwrap().is_empty());
    }

    #[test]
    fn a_variable_used_twice_gets_both_gradients() {
        let x = sample([4], 5);
        for (op, _) in binary_ops() {
            check(from_ref(&x), |tape, x| op(tape, &x[0], &x[0]));
        }
        check(&[x.clone(), sample([3, 4], 6)], |tape, x| {
            let product = tape.mul(&x[0], &x[1])?;
            tape.add(&product, &x[0])
        });
    }

    #[test]
    fn only_what_is_asked_for_is_differentiated() {
        let mut tape = Tape::<f64>::new();
        for (op, _) in binary_ops() {
            let (x, c) = (tape.leaf(Tensor::full([2], 3.0)), tape.constant(Tensor::full([2], 2.0)));
            for (a, b) in [(&x, &c), (&c, &x)] {
                let y = op(&tape, a, b).unwrap();
                tape.backward_from(&y, Tensor::full([2], 1.0)).unwrap();
            }
            assert!(tape.grad(&c).is_none());
        }
        let (a, b) = (tape.constant(Tensor::scalar(1.0)), tape.constant(Tensor::scalar(1.0)));
        assert!(!tape.add(&a, &b).unwrap().requires_grad());
    }

    #[test]
    fn numbers() {
        let x = sample([3, 5], 7);
        check(from_ref(&x), |tape, x| Ok(tape.scale(x[0].clone(), -1.7)));
        check(from_ref(&x), |tape, x| Ok(tape.add_scalar(x[0].clone(), 2.5)));
        check(from_ref(&x), |tape, x| Ok(tape.neg(x[0].clone())));
        let tape = Tape::new();
        let kept = tape.leaf(x.clone());
        let y = tape.scale(kept.clone(), 2.0);
        let y = tape.add_scalar(y, 1.0);
        let y = tape.neg(y);
        assert_eq!(y.value(), &x.map(|v| -(2.0 * v + 1.0)));
        assert_eq!(kept.value(), &x, "a value in use elsewhere is not overwritten");
    }

    #[test]
    fn memory_is_reused_when_nobody_else_needs_it() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::full([8], 1.0));
        let before = x.value().as_slice().as_ptr();
        let y = tape.scale(x, 2.0);
        assert_eq!(y.value().as_slice().as_ptr(), before);
    }

    #[test]
    fn an_inner_gradient_is_kept_on_request_only() {
        let mut tape = Tape::<f64>::new();
        let x = tape.leaf(Tensor::full([2], 3.0));
        let inner = tape.mul(&x, &x).unwrap();
        let other = tape.add(&inner, &x).unwrap();
        let y = tape.mul(&other, &inner).unwrap();
        tape.retain_grad(&inner).unwrap();
        tape.backward_from(&y, Tensor::full([2], 1.0)).unwrap();
        // y = (x^2 + x) x^2; by x^2 that is (x^2 + x) + x^2 = 21.
        assert_eq!(tape.grad(&inner).unwrap().as_slice(), [21.0; 2]);
        assert!(tape.grad(&other).is_none());
        assert_eq!(tape.grad(&x).unwrap().as_slice(), [4.0 * 27.0 + 3.0 * 9.0; 2]);
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let inputs = [sample([6, 1, 5], 8), sample([4, 1], 9).map(|v| v + v.signum())];
        for ((narrow, _), (wide, _)) in binary_ops::<f32>().into_iter().zip(binary_ops::<f64>()) {
            let narrow = run::<f32>(&inputs, |tape, x| narrow(tape, &x[0], &x[1]));
            let wide = run::<f64>(&inputs, |tape, x| wide(tape, &x[0], &x[1]));
            assert_close(&narrow, &wide, 1e-6);
        }
    }

    #[test]
    fn the_square_of_a_divisor_neither_overflows_nor_vanishes() {
        for (a, b) in [(1e25, 1e25), (1e-30, 1e-25), (3.0, -2.0)] {
            let [a, b] = [a, b].map(|v: f32| Tensor::full([2], f64::from(v)));
            let narrow = run::<f32>(&[a.clone(), b.clone()], |tape, x| tape.div(&x[0], &x[1]));
            let (found, a, b) = (narrow[2][0], a.as_slice()[0], b.as_slice()[0]);
            assert!((found / (-a / (b * b)) - 1.0).abs() < 1e-6, "{found} for {a} / {b}");
        }
    }

    #[test]
    fn shapes_that_do_not_combine_are_refused() {
        let tape = Tape::<f32>::new();
        let (a, b) = (tape.leaf(Tensor::zeros([2, 3])), tape.leaf(Tensor::zeros([2])));
        refused(tape.add(&a, &b), &["add", "[2, 3]", "[2]", "reshape"]);
        refused(tape.div(&b, &a), &["div", "[2, 3]", "[2]"]);
        let c = tape.leaf(Tensor::zeros([3, 3]));
        refused(tape.mul(&a, &c), &["mul", "[2, 3]", "[3, 3]"]);
        refused(tape.sub(&a, &c), &["sub"]);
    }
}

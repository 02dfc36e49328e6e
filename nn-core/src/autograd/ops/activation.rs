//! Activations, element by element.
//!
//! All take their input by value and overwrite it if it is not shared. ReLU saves one bit per element;
//! the others save their output, which the next op usually saves as well, or, where the derivative needs
//! it, their input.

use super::mask::Masked;
use crate::autograd::{Tape, Var};
use crate::kernels::Kernels;
use crate::kernels::activation::{Activation, Gelu};
use crate::kernels::functions::Function;

impl<T: Kernels> Tape<T> {
    /// `max(x, 0)`. NaN stays NaN; the gradient at 0 is 0.
    pub fn relu(&self, x: Var<T>) -> Var<T> {
        let (mut y, x) = x.take(self.pool());
        let op = Masked::relu(y.as_mut_slice(), self.pool());
        self.record(op, &[&x], y)
    }

    /// `1 / (1 + exp(-x))`.
    pub fn sigmoid(&self, x: Var<T>) -> Var<T> {
        self.activate(Activation::Sigmoid, x)
    }

    /// The hyperbolic tangent.
    pub fn tanh(&self, x: Var<T>) -> Var<T> {
        self.activate(Activation::Tanh, x)
    }

    /// `x` where it is above 0, `slope * x` elsewhere (Maas et al., 2013). The derivative at 0 is
    /// `slope`.
    pub fn leaky_relu(&self, x: Var<T>, slope: f64) -> Var<T> {
        self.activate(Activation::LeakyRelu { slope }, x)
    }

    /// `x` where it is above 0, `alpha * (exp(x) - 1)` elsewhere (Clevert et al., 2016). The derivative
    /// at 0 is `alpha`.
    pub fn elu(&self, x: Var<T>, alpha: f64) -> Var<T> {
        self.activate(Activation::Elu { alpha }, x)
    }

    /// The Gaussian error linear unit (Hendrycks and Gimpel, 2016): `x Phi(x)`, where `Phi` is the
    /// distribution function of the standard normal distribution, or its approximation by `tanh`.
    ///
    /// ```
    /// use nn_core::autograd::Gelu;
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f64>::new();
    /// let x = tape.constant(Tensor::from_vec([3], vec![-1.0, 0.0, 1.0])?);
    /// let y = tape.gelu(x, Gelu::Exact);
    /// let expected = [-0.158655, 0.0, 0.841345];
    /// assert!(y.value().as_slice().iter().zip(expected).all(|(y, e)| (y - e).abs() < 1e-6));
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn gelu(&self, x: Var<T>, form: Gelu) -> Var<T> {
        self.activate(Activation::Gelu(form), x)
    }

    /// `x * sigmoid(x)`, also called Swish (Ramachandran et al., 2017).
    pub fn silu(&self, x: Var<T>) -> Var<T> {
        self.activate(Activation::Silu, x)
    }

    /// `x * clamp(x + 3, 0, 6) / 6`, an approximation of [`Tape::silu`] (Howard et al., MobileNetV3,
    /// 2019). The derivative is 0 at -3 and 1 at 3.
    pub fn hard_swish(&self, x: Var<T>) -> Var<T> {
        self.activate(Activation::HardSwish, x)
    }

    /// `clamp(alpha * x + beta, 0, 1)`: with 1/6 and 0.5 as in PyTorch and Keras 3, with 0.2 and 0.5 as
    /// in ONNX. The derivative at both kinks is 0.
    pub fn hard_sigmoid(&self, x: Var<T>, alpha: f64, beta: f64) -> Var<T> {
        self.activate(Activation::HardSigmoid { alpha, beta }, x)
    }

    /// `clamp(x, 0, 6)` (Sandler et al., MobileNetV2, 2018). The derivative at both kinks is 0.
    pub fn relu6(&self, x: Var<T>) -> Var<T> {
        self.activate(Activation::Relu6, x)
    }

    /// `ln(1 + exp(x))`, without overflow.
    pub fn softplus(&self, x: Var<T>) -> Var<T> {
        self.activate(Activation::Softplus, x)
    }

    /// `x * tanh(softplus(x))` (Misra, 2019).
    pub fn mish(&self, x: Var<T>) -> Var<T> {
        self.activate(Activation::Mish, x)
    }

    fn activate(&self, function: Activation, x: Var<T>) -> Var<T> {
        self.function(Function::Activation(function), x)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, run, sample};
    use super::*;
    use crate::kernels::parallel::CHUNK;
    use crate::tensor::Tensor;
    use std::slice::from_ref;

    type Unary<T> = fn(&Tape<T>, Var<T>) -> Var<T>;

    fn unary_ops<T: Kernels>() -> [Unary<T>; 14] {
        [
            |tape, x| tape.relu(x),
            |tape, x| tape.sigmoid(x),
            |tape, x| tape.tanh(x),
            |tape, x| tape.leaky_relu(x, 0.3),
            |tape, x| tape.leaky_relu(x, -0.5),
            |tape, x| tape.elu(x, 1.5),
            |tape, x| tape.gelu(x, Gelu::Exact),
            |tape, x| tape.gelu(x, Gelu::Tanh),
            |tape, x| tape.silu(x),
            |tape, x| tape.hard_swish(x),
            |tape, x| tape.hard_sigmoid(x, 0.3, 0.4),
            |tape, x| tape.relu6(x),
            |tape, x| tape.softplus(x),
            |tape, x| tape.mish(x),
        ]
    }

    /// The ops' definitions.
    const DEFINITIONS: [fn(f64) -> f64; 14] = [
        |x| x.max(0.0),
        |x| 1.0 / (1.0 + (-x).exp()),
        |x| (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
        |x| if x > 0.0 { x } else { 0.3 * x },
        |x| if x > 0.0 { x } else { -0.5 * x },
        |x| if x > 0.0 { x } else { 1.5 * (x.exp() - 1.0) },
        |x| x * simpson(-12.0, x, |t| (-t * t / 2.0).exp() / std::f64::consts::TAU.sqrt()),
        |x| {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        },
        |x| x / (1.0 + (-x).exp()),
        |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        |x| (0.3 * x + 0.4).clamp(0.0, 1.0),
        |x| x.clamp(0.0, 6.0),
        |x| (1.0 + x.exp()).ln(),
        |x| x * (1.0 + x.exp()).ln().tanh(),
    ];

    /// The integral of `f` from `a` to `b`, by Simpson's rule.
    fn simpson(a: f64, b: f64, f: fn(f64) -> f64) -> f64 {
        let n = 20_000;
        let h = (b - a) / f64::from(n);
        let inner = (1..n).map(|i| f(a + f64::from(i) * h) * if i % 2 == 1 { 4.0 } else { 2.0 });
        (f(a) + inner.sum::<f64>() + f(b)) * h / 3.0
    }

    /// Values and derivatives at `x`.
    fn at<T: Kernels>(op: Unary<T>, x: &[f64]) -> [Vec<f64>; 2] {
        let x = Tensor::from_vec([x.len()], x.to_vec()).unwrap();
        let results = run::<T>(&[x], |tape, x| Ok(op(tape, x[0].clone())));
        results.try_into().unwrap()
    }

    #[test]
    fn values_agree_with_their_definition() {
        let x = sample([3, 7], 1).map(|v| 8.0 * v);
        for (i, (op, definition)) in unary_ops::<f64>().into_iter().zip(DEFINITIONS).enumerate() {
            let expected: Vec<f64> = x.as_slice().iter().map(|&x| definition(x)).collect();
            let [values, _] = at(op, x.as_slice());
            for (value, expected) in values.iter().zip(&expected) {
                assert!((value - expected).abs() < 1e-12, "op {i}: {value} and {expected}");
            }
            // Without a gradient, in place.
            let tape = Tape::<f64>::inference(Default::default());
            let y = op(&tape, tape.constant(x.clone()));
            assert_eq!(y.value().as_slice(), values, "op {i}");
        }
    }

    #[test]
    fn gradients() {
        let dims: [&[usize]; 4] = [&[1], &[5], &[3, 7], &[2, 3, 4]];
        for (seed, dims) in dims.into_iter().enumerate() {
            let x = sample(dims, seed as u64).map(|v| 4.0 * v);
            for op in unary_ops() {
                check(from_ref(&x), |tape, x| Ok(op(tape, x[0].clone())));
                check(from_ref(&x), |tape, x| {
                    // `x[0]` is used twice, and the values in between are overwritten in place.
                    let doubled = tape.scale(x[0].clone(), 2.0);
                    let y = op(tape, doubled);
                    let y = tape.mul(&y, &x[0])?;
                    Ok(op(tape, y))
                });
            }
        }
    }

    #[test]
    fn derivatives_at_kinks_are_those_of_pytorch() {
        // Printed by PyTorch 2.15 for x.grad after f(x).sum().backward().
        let cases: [(Unary<f64>, &[f64], &[f64]); 6] = [
            (|tape, x| tape.leaky_relu(x, 0.1), &[0.0], &[0.1]),
            (|tape, x| tape.elu(x, 1.5), &[0.0], &[1.5]),
            (|tape, x| tape.hard_swish(x), &[-3.0, 0.0, 3.0], &[0.0, 0.5, 1.0]),
            (|tape, x| tape.hard_sigmoid(x, 0.25, 0.5), &[-2.0, 0.0, 2.0], &[0.0, 0.25, 0.0]),
            (|tape, x| tape.relu6(x), &[0.0, 3.0, 6.0], &[0.0, 1.0, 0.0]),
            (|tape, x| tape.relu(x), &[0.0], &[0.0]),
        ];
        for (op, x, expected) in cases {
            assert_eq!(at(op, x)[1], expected, "at {x:?}");
        }
    }

    #[test]
    fn relu_at_its_kink_and_beyond() {
        let mut tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::from_vec([5], vec![-1., -0., 0., 2., f32::NAN]).unwrap());
        let y = tape.relu(x.clone());
        assert_eq!(y.value().as_slice()[..4], [0., 0., 0., 2.]);
        assert!(y.value().as_slice()[1].is_sign_positive());
        assert!(y.value().as_slice()[4].is_nan(), "NaN must be noticed");
        tape.backward_from(&y, Tensor::full([5], 3.0)).unwrap();
        assert_eq!(tape.grad(&x).unwrap().as_slice(), [0., 0., 0., 3., 3.]);
    }

    #[test]
    fn several_tasks_with_and_without_gradient() {
        let x = sample([2 * CHUNK + 3], 5);
        for (op, value, slope) in [
            (
                (|tape, x| tape.relu(x)) as Unary<f64>,
                (|v| v.max(0.0)) as fn(f64) -> f64,
                (|v| f64::from(v > 0.0)) as fn(f64) -> f64,
            ),
            (
                |tape, x| tape.leaky_relu(x, -2.0),
                |v| if v > 0.0 { v } else { -2.0 * v },
                |v| if v > 0.0 { 1.0 } else { -2.0 },
            ),
        ] {
            let mut tape = Tape::new();
            let leaf = tape.leaf(x.clone());
            let y = op(&tape, leaf.clone());
            assert_eq!(y.value(), &x.map(value));
            tape.backward_from(&y, Tensor::full(x.shape(), 1.0)).unwrap();
            assert_eq!(tape.grad(&leaf).unwrap(), &x.map(slope));
            let constant = tape.constant(x.clone());
            let y = op(&tape, constant);
            assert_eq!(y.value(), &x.map(value));
            assert!(!y.requires_grad());
        }
    }

    #[test]
    fn extremes_neither_overflow_nor_vanish() {
        for (i, op) in unary_ops::<f32>().into_iter().enumerate() {
            let x = [-1e4, -500.0, -100.0, 0.0, 100.0, 500.0, 1e4, -1e30, 1e30];
            let [values, slopes] = at(op, &x);
            assert!(values.iter().chain(&slopes).all(|v| v.is_finite()), "op {i}: {values:?}");
            assert!(slopes.iter().all(|v| v.abs() < 2.0), "op {i}: {slopes:?}");
        }
        let sure = |op: Unary<f64>, x: f64, value: f64| {
            let [found, _] = at(op, &[x]);
            assert!((found[0] / value - 1.0).abs() < 1e-12, "{} at {x}, not {value}", found[0]);
        };
        sure(|tape, x| tape.sigmoid(x), -700.0, (-700f64).exp());
        sure(|tape, x| tape.softplus(x), -700.0, (-700f64).exp());
        sure(|tape, x| tape.softplus(x), 1e4, 1e4);
        sure(|tape, x| tape.mish(x), -300.0, -300.0 * (-300f64).exp());
        sure(|tape, x| tape.silu(x), -300.0, -300.0 * (-300f64).exp());
        sure(|tape, x| tape.elu(x, 1.0), -1e-20, -1e-20);
        // -20 Phi(-20), by mpmath.
        sure(|tape, x| tape.gelu(x, Gelu::Exact), -20.0, -5.507248237212468e-88);
    }

    #[test]
    fn nan_is_noticed() {
        for (i, op) in unary_ops::<f32>().into_iter().enumerate() {
            let [values, _] = at(op, &[f64::NAN]);
            assert!(values[0].is_nan(), "op {i}");
        }
    }

    #[test]
    fn nothing_stays_nothing() {
        for op in unary_ops::<f32>() {
            let mut tape = Tape::new();
            let x = tape.leaf(Tensor::zeros([3, 0]));
            let y = op(&tape, x.clone());
            assert_eq!(y.dims(), [3, 0]);
            tape.backward_from(&y, Tensor::zeros([3, 0])).unwrap();
            assert!(tape.grad(&x).unwrap().is_empty());
        }
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let x = [sample([4, 9], 6).map(|v| 5.0 * v)];
        for (narrow, wide) in unary_ops::<f32>().into_iter().zip(unary_ops::<f64>()) {
            let narrow = run::<f32>(&x, |tape, x| Ok(narrow(tape, x[0].clone())));
            let wide = run::<f64>(&x, |tape, x| Ok(wide(tape, x[0].clone())));
            assert_close(&narrow, &wide, 2e-6);
        }
    }
}

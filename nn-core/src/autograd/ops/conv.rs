//! 2-D convolution, alone or fused with a following ReLU or ReLU6, or ReLU and max-pooling.

use super::elementwise::update;
use super::functions::differentiate;
use super::packed::Packed;
use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::activation::Activation;
use crate::kernels::conv::{Bounds, Conv2dForward, MAX_FUSED_WINDOW, Output, OutputGradient};
use crate::kernels::functions::Function;
use crate::kernels::pairs::Pair;
use crate::kernels::{Conv2dGeometry, Conv2dOptions, Pool2dGeometry, Pool2dOptions};
use crate::tensor::{Buffer, Tensor};
use std::sync::Arc;

/// The data that every convolution saves for its backward pass.
struct Saved<T: Kernels> {
    geometry: Conv2dGeometry,
    x: Arc<Tensor<T>>,
    w: Arc<Tensor<T>>,
}

impl<T: Kernels> Saved<T> {
    /// Passes gradients to inputs 0 (`x`), 1 (`w`) and 2 (`b`).
    fn backward(&self, dy: OutputGradient<'_, T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let (kernels, geometry) = (T::conv2d(), &self.geometry);
        let pool = inputs.pool().clone();
        if inputs.needs(1) || inputs.needs(2) {
            let mut dw = Tensor::uninit(self.w.shape(), &pool);
            let mut db = Tensor::uninit([geometry.out_c], &pool);
            let (dw_slice, db_slice) = (dw.as_mut_slice(), db.as_mut_slice());
            let kernel = kernels.weight_gradient(geometry, dy.pool());
            kernel.backward_weight(geometry, self.x.as_slice(), dy, dw_slice, db_slice, &pool);
            inputs.accumulate(1, dw)?;
            inputs.accumulate(2, db)?;
        }
        if inputs.needs(0) {
            let mut dx = Tensor::uninit(self.x.shape(), &pool);
            let (w, dx_slice) = (self.w.as_slice(), dx.as_mut_slice());
            let kernel = kernels.input_gradient(geometry, dy.pool());
            kernel.backward_input(geometry, dy, w, dx_slice, &pool);
            inputs.accumulate(0, dx)?;
        }
        Ok(())
    }
}

struct Conv2d<T: Kernels>(Saved<T>);

impl<T: Kernels> Op<T> for Conv2d<T> {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        self.0.backward(OutputGradient::Dense(gradient.as_slice()), inputs)
    }
}

/// A convolution followed by ReLU or ReLU6.
struct RectifiedConv2d<T: Kernels> {
    name: &'static str,
    conv: Saved<T>,
    /// The output within its bounds. The next op usually saves it as well.
    y: Arc<Tensor<T>>,
    /// Stops the gradients of outputs at a bound.
    stop: Stop<T>,
}

/// Makes 0 of the gradients, the first slice, of outputs at a bound, the second.
type Stop<T> = fn(&mut [T], &[T]);

impl<T: Kernels> Op<T> for RectifiedConv2d<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        (self.stop)(gradient.as_mut_slice(), self.y.as_slice());
        self.conv.backward(OutputGradient::Dense(gradient.as_slice()), inputs)
    }
}

struct Conv2dReluMaxPool<T: Kernels> {
    conv: Saved<T>,
    pool: Pool2dGeometry,
    argmax: Buffer<u8>,
}

impl<T: Kernels> Op<T> for Conv2dReluMaxPool<T> {
    fn name(&self) -> &'static str {
        "conv2d_relu_max_pool"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let dy = OutputGradient::ReluMaxPool {
            pool: &self.pool,
            dy: gradient.as_slice(),
            argmax: &self.argmax,
        };
        self.conv.backward(dy, inputs)
    }
}

impl<T: Kernels> Tape<T> {
    /// The convolution (as is usual in deep learning, a cross-correlation) of
    /// `x [batch, height, width, in]` with `w [out, in / groups, kernel height, kernel width]`, plus
    /// `b [out]`: `[batch, out height, out width, out]`.
    ///
    /// # Errors
    /// If the channels of `x` and `w` or the length of `b` differ, the groups do not divide the
    /// channels, or the kernel does not fit.
    ///
    /// ```
    /// use nn_core::autograd::Conv2dOptions;
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f32>::new();
    /// let image = tape.constant(Tensor::full([1, 4, 4, 1], 1.0));
    /// let kernel = tape.leaf(Tensor::full([1, 1, 3, 3], 1.0));
    /// let sums = tape.conv2d(&image, &kernel, None, Conv2dOptions::default())?;
    /// assert_eq!(sums.value(), &Tensor::full([1, 2, 2, 1], 9.0));
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn conv2d(
        &self,
        x: &Var<T>,
        w: &Var<T>,
        b: Option<&Var<T>>,
        options: Conv2dOptions,
    ) -> Result<Var<T>> {
        let (conv, y) = self.feature_map((x, w, b), options, Bounds::none())?;
        Ok(self.record(Conv2d(conv), &inputs(x, w, b), y))
    }

    /// `relu(conv2d(x, w, b))` in one op: the same values and gradients, with one forward pass
    /// over memory less, and without the mask that [`Tape::relu`] saves.
    ///
    /// # Errors
    /// As [`Tape::conv2d`].
    pub fn conv2d_relu(
        &self,
        x: &Var<T>,
        w: &Var<T>,
        b: Option<&Var<T>>,
        options: Conv2dOptions,
    ) -> Result<Var<T>> {
        let stop: Stop<T> = |gradient, y| update(Pair::Gate, gradient, y);
        self.rectified("conv2d_relu", (x, w, b), options, (Bounds::relu(None), stop))
    }

    /// `relu6(conv2d(x, w, b))` in one op: the same values and gradients, with one forward pass
    /// over memory less.
    ///
    /// # Errors
    /// As [`Tape::conv2d`].
    pub fn conv2d_relu6(
        &self,
        x: &Var<T>,
        w: &Var<T>,
        b: Option<&Var<T>>,
        options: Conv2dOptions,
    ) -> Result<Var<T>> {
        let stop: Stop<T> =
            |gradient, y| differentiate(Function::Activation(Activation::Relu6), gradient, y);
        self.rectified("conv2d_relu6", (x, w, b), options, (Bounds::relu(Some(6.0)), stop))
    }

    /// `max_pool2d(relu(conv2d(x, w, b)))` in one op that never stores the feature map: the same
    /// values and gradients, in a fraction of the memory and time. The pool's window has at most
    /// 255 elements. Where windows are padded, dilated or hang over, the ops run one after the other.
    ///
    /// # Errors
    /// As [`Tape::conv2d`] and [`Tape::max_pool2d`].
    pub fn conv2d_relu_max_pool(
        &self,
        x: &Var<T>,
        w: &Var<T>,
        b: Option<&Var<T>>,
        options: Conv2dOptions,
        pooling: Pool2dOptions,
    ) -> Result<Var<T>> {
        let geometry = checked(x.dims(), w, b, options)?;
        let pool = Pool2dGeometry::new(&geometry.output_dims(), pooling)?;
        if !pool.is_inside() {
            let map = self.conv2d_relu(x, w, b, options)?;
            return self.max_pool2d(&map, pooling);
        }
        if pool.window_len() > MAX_FUSED_WINDOW {
            return Err(Error::setting(
                "conv2d_relu_max_pool: pooling window",
                format!("of at most {MAX_FUSED_WINDOW} elements"),
                format!("{}x{}", pool.window_h, pool.window_w),
                "use conv2d, relu and max_pool2d",
            ));
        }
        let mut y = Tensor::uninit(pool.output_dims(), self.pool());
        let mut argmax = self.pool().scratch_bytes(y.len());
        let out = Output::ReluMaxPool { pool: &pool, y: y.as_mut_slice(), argmax: &mut argmax };
        self.convolve(T::conv2d().forward(&geometry, Some(&pool)), &geometry, (x, w, b), out);
        let conv = Saved { geometry, x: x.share(), w: w.share() };
        Ok(self.record(Conv2dReluMaxPool { conv, pool, argmax }, &inputs(x, w, b), y))
    }

    /// `function(conv2d(x, w, b))`. Without gradients it is one op: the function is applied while the
    /// outputs are in the cache.
    pub(crate) fn conv2d_then(
        &self,
        (x, w, b): (&Var<T>, &Var<T>, Option<&Var<T>>),
        options: Conv2dOptions,
        function: Function,
    ) -> Result<Var<T>> {
        if self.tracks(&inputs(x, w, b)) {
            let y = self.conv2d(x, w, b, options)?;
            return Ok(self.function(function, y));
        }
        let geometry = checked(x.dims(), w, b, options)?;
        let mut y = Tensor::uninit(geometry.output_dims(), self.pool());
        let (values, function) = (y.as_mut_slice(), Some(function));
        let out = Output::Dense { y: values, bounds: Bounds::none(), function };
        self.convolve(T::conv2d().forward(&geometry, None), &geometry, (x, w, b), out);
        Ok(self.constant(y))
    }

    /// The convolution's output within bounds, as one op.
    fn rectified(
        &self,
        name: &'static str,
        (x, w, b): (&Var<T>, &Var<T>, Option<&Var<T>>),
        options: Conv2dOptions,
        (bounds, stop): (Bounds<T>, Stop<T>),
    ) -> Result<Var<T>> {
        let (conv, y) = self.feature_map((x, w, b), options, bounds)?;
        let y = Arc::new(y);
        let op = RectifiedConv2d { name, conv, y: Arc::clone(&y), stop };
        Ok(self.record(op, &inputs(x, w, b), y))
    }

    /// The convolution's output within `bounds`, and what its backward pass needs.
    fn feature_map(
        &self,
        (x, w, b): (&Var<T>, &Var<T>, Option<&Var<T>>),
        options: Conv2dOptions,
        bounds: Bounds<T>,
    ) -> Result<(Saved<T>, Tensor<T>)> {
        let geometry = checked(x.dims(), w, b, options)?;
        let mut y = Tensor::uninit(geometry.output_dims(), self.pool());
        let out = Output::within(bounds, y.as_mut_slice());
        self.convolve(T::conv2d().forward(&geometry, None), &geometry, (x, w, b), out);
        Ok((Saved { geometry, x: x.share(), w: w.share() }, y))
    }

    /// The weights packed for a kernel, which a tape that does not record keeps; `None` on another tape, and if the
    /// kernel reads them unpacked.
    pub(super) fn packed(
        &self,
        w: &Var<T>,
        kernel: &dyn Conv2dForward<T>,
        g: &Conv2dGeometry,
    ) -> Option<Arc<Tensor<T>>> {
        self.prepared(|packed: &mut Packed<T>| packed.get(&w.share(), kernel, g)).flatten()
    }

    /// Computes a convolution's output; a tape that does not record keeps the packed weights.
    pub(super) fn convolve(
        &self,
        kernel: &dyn Conv2dForward<T>,
        g: &Conv2dGeometry,
        (x, w, b): (&Var<T>, &Var<T>, Option<&Var<T>>),
        out: Output<'_, T>,
    ) {
        let b = b.map(|b| b.value().as_slice());
        let x = x.value().as_slice();
        match self.packed(w, kernel, g) {
            Some(packed) => kernel.forward_packed(g, x, packed.as_slice(), b, out, self.pool()),
            None => kernel.forward(g, x, w.value().as_slice(), b, out, self.pool()),
        }
    }
}

/// The geometry of a convolution of an input with the dimensions `x`.
pub(super) fn checked<T: Kernels>(
    x: &[usize],
    w: &Var<T>,
    b: Option<&Var<T>>,
    options: Conv2dOptions,
) -> Result<Conv2dGeometry> {
    let geometry = Conv2dGeometry::new(x, w.dims(), options)?;
    match b {
        Some(b) if b.dims() != [geometry.out_c] => Err(Error::shape(
            "conv2d",
            format!("a bias [{}], one number per output channel of the weight", geometry.out_c),
            b.shape(),
            "reshape the bias",
        )),
        _ => Ok(geometry),
    }
}

fn inputs<'a, T: Kernels>(x: &'a Var<T>, w: &'a Var<T>, b: Option<&'a Var<T>>) -> Vec<&'a Var<T>> {
    [x, w].into_iter().chain(b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::ops::testing::{check, refused, sample};
    use crate::kernels::Padding;
    use crate::tensor::BufferPool;

    fn cases() -> Vec<(Conv2dOptions, Pool2dOptions)> {
        let conv = |stride, padding| Conv2dOptions { stride, padding, ..Conv2dOptions::new() };
        let pool = |window: (usize, usize), stride: (usize, usize)| {
            Pool2dOptions::new(window).stride(stride)
        };
        let uneven = Padding::Explicit { top: 0, bottom: 2, left: 3, right: 1 };
        vec![
            (conv((1, 1), Padding::Valid), pool((2, 2), (2, 2))),
            (conv((1, 1), Padding::Same), pool((3, 2), (2, 1))),
            (conv((2, 1), Padding::Valid), pool((1, 2), (1, 3))),
            (conv((2, 3), Padding::Same), pool((2, 1), (1, 1))),
            (conv((1, 1), Padding::Same), pool((3, 3), (2, 2)).padding(Padding::symmetric(1))),
            (conv((1, 2), Padding::Valid), pool((2, 2), (2, 2)).ceil_mode(true)),
            (conv((1, 1), Padding::Valid), pool((2, 2), (1, 2)).dilation(2)),
            (conv((1, 1), uneven), pool((2, 2), (2, 2))),
            (conv((1, 2), Padding::SameLower).dilation((2, 1)), pool((2, 2), (1, 1))),
            (conv((2, 1), uneven).dilation((2, 3)), pool((2, 1), (1, 1))),
        ]
    }

    /// Grouped convolutions of 6 channels: with the output channels of each group.
    fn grouped() -> Vec<(Conv2dOptions, usize)> {
        let plain = Conv2dOptions::new();
        let uneven = Padding::Explicit { top: 1, bottom: 0, left: 0, right: 3 };
        vec![
            (plain.groups(2), 2),
            (plain.groups(3).padding(Padding::Same).stride(2), 1),
            (plain.groups(2).padding(uneven).dilation(2), 3),
            (plain.groups(6), 1),
            (plain.groups(6).padding(uneven).stride((2, 1)), 2),
            (plain.groups(6).padding(Padding::SameLower).dilation((1, 2)).stride((1, 2)), 3),
        ]
    }

    #[test]
    fn gradients_agree_with_differences() {
        let inputs = [sample([2, 7, 9, 2], 1), sample([3, 2, 3, 2], 2), sample([3], 3)];
        for (conv, pool) in cases() {
            check(&inputs, |tape, v| tape.conv2d(&v[0], &v[1], Some(&v[2]), conv));
            check(&inputs, |tape, v| tape.conv2d_relu(&v[0], &v[1], Some(&v[2]), conv));
            check(&inputs, |tape, v| tape.conv2d_relu6(&v[0], &v[1], Some(&v[2]), conv));
            check(&inputs, |tape, v| {
                tape.conv2d_relu_max_pool(&v[0], &v[1], Some(&v[2]), conv, pool)
            });
        }
        check(&inputs[..2], |tape, v| tape.conv2d(&v[0], &v[1], None, Conv2dOptions::default()));
        for (conv, out) in grouped() {
            let weight = [conv.groups * out, 6 / conv.groups, 2, 3];
            let inputs = [sample([2, 5, 6, 6], 1), sample(weight, 2), sample([weight[0]], 3)];
            let pool = Pool2dOptions::new((2, 1));
            check(&inputs, |tape, v| tape.conv2d(&v[0], &v[1], Some(&v[2]), conv));
            check(&inputs, |tape, v| tape.conv2d_relu(&v[0], &v[1], Some(&v[2]), conv));
            check(&inputs, |tape, v| tape.conv2d_relu6(&v[0], &v[1], Some(&v[2]), conv));
            check(&inputs, |tape, v| {
                tape.conv2d_relu_max_pool(&v[0], &v[1], Some(&v[2]), conv, pool)
            });
        }
    }

    /// A grouped convolution is one convolution per group, side by side.
    #[test]
    fn groups_are_convolutions_of_their_own() -> Result<()> {
        let tape = Tape::<f64>::new();
        for (options, out) in grouped() {
            let (groups, each) = (options.groups, 6 / options.groups);
            let (x, w) = (sample([2, 5, 6, 6], 1), sample([groups * out, each, 2, 3], 2));
            let whole = [&x, &w].map(|t| tape.constant(t.clone()));
            let whole = tape.conv2d(&whole[0], &whole[1], None, options)?;
            for group in 0..groups {
                let part = Tensor::from_fn([2, 5, 6, each], |i| {
                    x.as_slice()[i / each * 6 + group * each + i % each]
                });
                let len = out * each * 6;
                let kernel = w.as_slice()[group * len..][..len].to_vec();
                let kernel = Tensor::from_vec([out, each, 2, 3], kernel)?;
                let part = [part, kernel].map(|t| tape.constant(t));
                let y = tape.conv2d(&part[0], &part[1], None, options.groups(1))?;
                for (i, y) in y.value().as_slice().iter().enumerate() {
                    let at = i / out * groups * out + group * out + i % out;
                    approx::assert_abs_diff_eq!(*y, whole.value().as_slice()[at], epsilon = 1e-12);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn images_without_pixels_give_the_bias() -> Result<()> {
        let padding = Padding::symmetric(2);
        for dims in [[0, 4, 4, 6], [1, 0, 4, 6], [1, 4, 0, 6]] {
            for groups in [1, 2, 6] {
                let mut tape = Tape::<f32>::new();
                let x = tape.leaf(Tensor::zeros(dims));
                let w = tape.leaf(Tensor::full([6, 6 / groups, 3, 3], 1.0));
                let b = tape.leaf(Tensor::full([6], 2.0));
                let options = Conv2dOptions::new().padding(padding).groups(groups);
                let y = tape.conv2d(&x, &w, Some(&b), options)?;
                assert!(y.value().as_slice().iter().all(|&v| v == 2.0));
                let pixels = y.value().len() / 6;
                assert_eq!(pixels > 0, dims[0] > 0);
                tape.backward_from(&y, Tensor::full(y.shape(), 1.0))?;
                let dw = tape.grad(&w).expect("a gradient");
                assert!(dw.as_slice().iter().all(|&v| v == 0.0));
                let db = tape.grad(&b).expect("a gradient");
                assert_eq!(*db, Tensor::full([6], pixels as f32));
            }
        }
        Ok(())
    }

    #[test]
    fn fused_equals_the_plain_ops() -> Result<()> {
        for (conv, pool) in cases() {
            let run = |fused: bool| -> Result<_> {
                let mut tape = Tape::<f64>::new();
                let x = tape.leaf(sample([2, 9, 11, 3], 4));
                let w = tape.leaf(sample([5, 3, 3, 3], 5));
                let b = tape.leaf(sample([5], 6));
                let y = if fused {
                    tape.conv2d_relu_max_pool(&x, &w, Some(&b), conv, pool)?
                } else {
                    let map = tape.conv2d(&x, &w, Some(&b), conv)?;
                    let map = tape.relu(map);
                    tape.max_pool2d(&map, pool)?
                };
                tape.backward_from(&y, sample(y.shape(), 7))?;
                let gradients = [x, w, b].map(|v| tape.grad(&v).cloned());
                Ok((y.value().clone(), gradients))
            };
            let ((fused, fused_gradients), (plain, plain_gradients)) = (run(true)?, run(false)?);
            let pairs = fused_gradients.into_iter().zip(plain_gradients);
            let pairs = pairs.map(|(a, b)| (a.expect("a gradient"), b.expect("a gradient")));
            for (a, b) in pairs.chain([(fused, plain)]) {
                assert_eq!(a.shape(), b.shape());
                for (a, b) in a.as_slice().iter().zip(b.as_slice()) {
                    approx::assert_abs_diff_eq!(a, b, epsilon = 1e-12);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_function_behind_a_convolution_has_the_bits_of_the_plain_ops() -> Result<()> {
        // Tasks with all channels and with some; vectors that channels fill, and that they do not.
        let silu = Function::Activation(Activation::Silu);
        for (size, channels, out, kernel, groups) in [
            (24, 16, 96, 1, 1),
            (24, 24, 40, 1, 1),
            (3, 8, 576, 1, 1),
            (9, 9, 300, 2, 3),
            (9, 64, 64, 3, 1),
            (9, 3, 20, 3, 1),
            (9, 24, 24, 5, 24),
        ] {
            let tape = Tape::<f32>::inference(BufferPool::for_inference());
            let constant = |tensor: Tensor<f64>| tape.constant(tensor.cast());
            let x = constant(sample([2, size, size, channels], 4));
            let w = constant(sample([out, channels / groups, kernel, kernel], 5));
            let b = constant(sample([out], 6));
            let options = Conv2dOptions::new().groups(groups);
            let fused = tape.conv2d_then((&x, &w, Some(&b)), options, silu)?;
            let plain = tape.function(silu, tape.conv2d(&x, &w, Some(&b), options)?);
            assert_eq!(
                fused.value(),
                plain.value(),
                "{size}, {channels} to {out}, {groups} groups"
            );
        }
        Ok(())
    }

    #[test]
    fn a_rectified_convolution_has_the_bits_of_the_plain_ops() -> Result<()> {
        for ((conv, _), six) in cases().into_iter().flat_map(|case| [(case, false), (case, true)]) {
            let run = |fused: bool| -> Result<_> {
                let mut tape = Tape::<f32>::new();
                let narrow = |tensor: Tensor<f64>| {
                    Tensor::from_fn(tensor.shape(), |i| tensor.as_slice()[i] as f32)
                };
                let x = tape.leaf(narrow(sample([2, 9, 11, 3], 4)));
                let w = tape.leaf(narrow(sample([5, 3, 3, 3], 5)));
                let b = tape.leaf(narrow(sample([5], 6)));
                let y = match (fused, six) {
                    (true, false) => tape.conv2d_relu(&x, &w, Some(&b), conv)?,
                    (true, true) => tape.conv2d_relu6(&x, &w, Some(&b), conv)?,
                    (false, false) => tape.relu(tape.conv2d(&x, &w, Some(&b), conv)?),
                    (false, true) => tape.relu6(tape.conv2d(&x, &w, Some(&b), conv)?),
                };
                tape.backward_from(&y, narrow(sample(y.shape(), 7)))?;
                let gradients = [x, w, b].map(|v| tape.grad(&v).expect("a gradient").clone());
                Ok((y.value().clone(), gradients))
            };
            assert_eq!(run(true)?, run(false)?);
        }
        Ok(())
    }

    #[test]
    fn misfits_are_named() {
        let tape = Tape::<f32>::new();
        let x = tape.constant(Tensor::zeros([1, 8, 8, 3]));
        let w = tape.constant(Tensor::zeros([4, 3, 3, 3]));
        let b = tape.constant(Tensor::zeros([3]));
        let options = Conv2dOptions::default();
        refused(tape.conv2d(&x, &w, Some(&b), options), &["conv2d", "[4]", "[3]"]);
        let huge = Pool2dOptions::new(16);
        let x = tape.constant(Tensor::zeros([1, 20, 20, 3]));
        refused(tape.conv2d_relu_max_pool(&x, &w, None, options, huge), &["255", "16x16"]);
        let options = Conv2dOptions::new().groups(2);
        refused(tape.conv2d(&x, &w, None, options), &["conv2d: groups", "3 input", "do: 1"]);
    }
}

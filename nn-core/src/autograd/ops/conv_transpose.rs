//! Transposed 2-D convolution.
//!
//! It is the gradient of a convolution's input, so the kernels of that pass compute it; and its own
//! gradients are that convolution's forward pass and its weights' gradient.

use super::broadcast::Broadcast;
use crate::autograd::{Backward, ConvTranspose2dOptions, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::conv::{Output, OutputGradient};
use crate::kernels::parallel::for_each_chunk;
use crate::kernels::{Conv2dGeometry, Kernels};
use crate::tensor::{Shape, Tensor};
use std::sync::Arc;

struct ConvTranspose2d<T: Kernels> {
    /// The convolution whose input gradient this is.
    conv: Conv2dGeometry,
    x: Arc<Tensor<T>>,
    w: Arc<Tensor<T>>,
}

impl<T: Kernels> Op<T> for ConvTranspose2d<T> {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let (kernels, conv) = (T::conv2d(), &self.conv);
        let pool = inputs.pool().clone();
        let dy = gradient.as_slice();
        if inputs.needs(1) {
            let mut dw = Tensor::uninit(self.w.shape(), &pool);
            // The sums of `x`, which would be the bias's gradient of the convolution.
            let mut unused = pool.scratch(conv.out_c);
            let x = OutputGradient::Dense(self.x.as_slice());
            let kernel = kernels.weight_gradient(conv, None);
            kernel.backward_weight(conv, dy, x, dw.as_mut_slice(), &mut unused, &pool);
            inputs.accumulate(1, dw)?;
        }
        if inputs.needs(0) {
            let mut dx = Tensor::uninit(self.x.shape(), &pool);
            let out = Output::plain(dx.as_mut_slice());
            kernels.forward(conv, None).forward(conv, dy, self.w.as_slice(), None, out, &pool);
            inputs.accumulate(0, dx)?;
        }
        if inputs.needs(2) {
            let bias = Shape::from([conv.in_c]);
            let pixels = Broadcast::new(self.name(), gradient.shape(), &bias)?;
            inputs.accumulate(2, pixels.sum_to(1, gradient, &pool))?;
        }
        Ok(())
    }
}

impl<T: Kernels> Tape<T> {
    /// The transposed convolution of `x [batch, height, width, in]` with
    /// `w [in, out / groups, kernel height, kernel width]`, plus `b [out]`:
    /// `[batch, out height, out width, out]`.
    ///
    /// Each input pixel adds the kernel, times itself, to the output; neighbouring pixels add it `stride`
    /// pixels apart. So it is the gradient of the input of a convolution with these options, and enlarges
    /// what that one shrinks. [`ConvTranspose2dOptions`] has the formula of the output size (Dumoulin,
    /// Visin: A Guide to Convolution Arithmetic for Deep Learning, arXiv:1603.07285).
    ///
    /// # Errors
    /// If the channels of `x` and `w` or the length of `b` differ, the groups do not divide the input's
    /// channels, or the options leave no output.
    ///
    /// ```
    /// use nn_core::autograd::ConvTranspose2dOptions;
    /// use nn_core::{Tape, Tensor};
    /// let mut tape = Tape::<f32>::new();
    /// let x = tape.constant(Tensor::from_vec([1, 1, 2, 1], vec![1., 2.])?);
    /// let kernel = tape.leaf(Tensor::from_vec([1, 1, 1, 3], vec![1., 10., 100.])?);
    /// let options = ConvTranspose2dOptions::new().stride((1, 2));
    /// let y = tape.conv_transpose2d(&x, &kernel, None, options)?;
    /// assert_eq!(y.value().as_slice(), [1., 10., 102., 20., 200.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn conv_transpose2d(
        &self,
        x: &Var<T>,
        w: &Var<T>,
        b: Option<&Var<T>>,
        options: ConvTranspose2dOptions,
    ) -> Result<Var<T>> {
        let conv = Conv2dGeometry::transposed(x.dims(), w.dims(), options)?;
        if let Some(b) = b.filter(|b| b.dims() != [conv.in_c]) {
            return Err(Error::shape(
                "conv_transpose2d",
                format!("a bias [{}], one number per output channel", conv.in_c),
                b.shape(),
                "reshape the bias",
            ));
        }
        let mut y = Tensor::uninit(conv.input_dims(), self.pool());
        let x_as_gradient = OutputGradient::Dense(x.value().as_slice());
        let kernel = T::conv2d().input_gradient(&conv, None);
        let (w_values, out) = (w.value().as_slice(), y.as_mut_slice());
        kernel.backward_input(&conv, x_as_gradient, w_values, out, self.pool());
        if let Some(b) = b {
            let b = b.value().as_slice();
            for_each_chunk(y.as_mut_slice(), conv.in_c, |_, pixel| {
                for (v, &b) in pixel.iter_mut().zip(b) {
                    *v += b;
                }
            });
        }
        let op = ConvTranspose2d { conv, x: x.share(), w: w.share() };
        Ok(self.record(op, &[x, w].into_iter().chain(b).collect::<Vec<_>>(), y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::ops::testing::{assert_close, check, refused, run, sample};
    use crate::kernels::Padding;

    /// Options, input channels, output channels of a group, and the kernel.
    fn cases() -> Vec<(ConvTranspose2dOptions, usize, usize, (usize, usize))> {
        let plain = ConvTranspose2dOptions::new();
        let uneven = Padding::Explicit { top: 1, bottom: 0, left: 0, right: 2 };
        vec![
            (plain, 3, 2, (3, 2)),
            (plain.padding(Padding::symmetric(1)), 2, 3, (3, 3)),
            (plain.stride(2).padding(Padding::Same), 2, 2, (3, 3)),
            (plain.stride((3, 2)).padding(Padding::SameLower), 2, 1, (2, 5)),
            (plain.stride(2).padding(uneven).output_padding((1, 0)), 2, 2, (3, 4)),
            (plain.stride((1, 2)).dilation((2, 3)).output_padding((1, 2)), 3, 1, (2, 3)),
            (plain.stride(2).padding(uneven).groups(2), 4, 3, (3, 3)),
            (plain.padding(Padding::symmetric((1, 0))).groups(3).dilation(2), 3, 2, (3, 2)),
            (plain.stride(3), 2, 2, (1, 2)),
        ]
    }

    fn inputs(
        channels: usize,
        group: usize,
        groups: usize,
        kernel: (usize, usize),
    ) -> [Tensor<f64>; 3] {
        [
            sample([2, 3, 4, channels], 1),
            sample([channels, group, kernel.0, kernel.1], 2),
            sample([group * groups], 3),
        ]
    }

    #[test]
    fn gradients_agree_with_differences() {
        for (options, channels, group, kernel) in cases() {
            let inputs = inputs(channels, group, options.groups, kernel);
            check(&inputs, |tape, v| tape.conv_transpose2d(&v[0], &v[1], Some(&v[2]), options));
            check(&inputs[..2], |tape, v| tape.conv_transpose2d(&v[0], &v[1], None, options));
        }
    }

    /// The definition: every input pixel adds its kernel to the output.
    #[test]
    fn values_agree_with_plain_loops() {
        for (options, channels, group, kernel) in cases() {
            let [x, w, b] = inputs(channels, group, options.groups, kernel);
            let tape = Tape::<f64>::new();
            let leaves = [&x, &w, &b].map(|t| tape.constant(t.clone()));
            let [xv, wv, bv] = &leaves;
            let y = tape.conv_transpose2d(xv, wv, Some(bv), options).unwrap();
            let &[batch, out_h, out_w, out_c] = y.dims() else { panic!("rank 4") };
            assert_eq!((batch, out_c), (2, group * options.groups));
            let extent = |k: usize, d: usize| (k - 1) * d + 1;
            let (eh, ew) =
                (extent(kernel.0, options.dilation.0), extent(kernel.1, options.dilation.1));
            let [(top, _), (left, _)] =
                options.padding.amounts((out_h, out_w), (eh, ew), options.stride);
            let mut expected: Vec<f64> =
                (0..y.value().len()).map(|i| b.as_slice()[i % out_c]).collect();
            for n in 0..2 {
                for (iy, ix) in (0..3).flat_map(|iy| (0..4).map(move |ix| (iy, ix))) {
                    for ic in 0..channels {
                        let v = x.as_slice()[((n * 3 + iy) * 4 + ix) * channels + ic];
                        for tap in 0..group * kernel.0 * kernel.1 {
                            let (oc, ky, kx) = (
                                tap / (kernel.0 * kernel.1),
                                tap / kernel.1 % kernel.0,
                                tap % kernel.1,
                            );
                            let oy = iy * options.stride.0 + ky * options.dilation.0;
                            let ox = ix * options.stride.1 + kx * options.dilation.1;
                            let (Some(oy), Some(ox)) = (oy.checked_sub(top), ox.checked_sub(left))
                            else {
                                continue;
                            };
                            if oy >= out_h || ox >= out_w {
                                continue;
                            }
                            let oc = ic / (channels / options.groups) * group + oc;
                            let weight = w.as_slice()[ic * group * kernel.0 * kernel.1 + tap];
                            expected[((n * out_h + oy) * out_w + ox) * out_c + oc] += v * weight;
                        }
                    }
                }
            }
            for (value, expected) in y.value().as_slice().iter().zip(&expected) {
                approx::assert_abs_diff_eq!(value, expected, epsilon = 1e-12);
            }
        }
    }

    #[test]
    fn single_precision_agrees_with_double() {
        for (options, channels, group, kernel) in cases() {
            let inputs = inputs(channels, group, options.groups, kernel);
            let narrow = run::<f32>(&inputs, |tape, v| {
                tape.conv_transpose2d(&v[0], &v[1], Some(&v[2]), options)
            });
            let wide = run::<f64>(&inputs, |tape, v| {
                tape.conv_transpose2d(&v[0], &v[1], Some(&v[2]), options)
            });
            assert_close(&narrow, &wide, 1e-5);
        }
    }

    #[test]
    fn it_is_the_input_gradient_of_the_convolution() -> Result<()> {
        use crate::autograd::Conv2dOptions;
        let mut tape = Tape::<f32>::new();
        let dy = sample([2, 9, 8, 20], 1).cast::<f32>();
        let w = sample([20, 18, 3, 3], 2).cast::<f32>();
        let x = tape.leaf(Tensor::zeros([2, 9, 8, 18]));
        let kernel = tape.constant(w.clone());
        let conv = Conv2dOptions::new().padding(Padding::Same);
        let y = tape.conv2d(&x, &kernel, None, conv)?;
        tape.backward_from(&y, dy.clone())?;
        let gradient = tape.grad(&x).expect("a gradient").clone();
        let fresh = Tape::<f32>::new();
        let options = ConvTranspose2dOptions::new().padding(Padding::Same);
        let transposed =
            fresh.conv_transpose2d(&fresh.constant(dy), &fresh.constant(w), None, options)?;
        assert_eq!(*transposed.value(), gradient);
        Ok(())
    }

    #[test]
    fn empty_inputs_give_empty_outputs() -> Result<()> {
        for dims in [[0, 3, 3, 2], [2, 0, 3, 2], [2, 3, 0, 2]] {
            let mut tape = Tape::<f32>::new();
            let x = tape.leaf(Tensor::zeros(dims));
            let w = tape.leaf(Tensor::full([2, 3, 2, 2], 1.0));
            let y = tape.conv_transpose2d(&x, &w, None, ConvTranspose2dOptions::new())?;
            assert!(y.value().is_empty());
            tape.backward_from(&y, Tensor::zeros(y.shape()))?;
            assert_eq!(*tape.grad(&w).expect("a gradient"), Tensor::zeros([2, 3, 2, 2]));
        }
        Ok(())
    }

    #[test]
    fn misfits_are_named() {
        let tape = Tape::<f32>::new();
        let x = tape.constant(Tensor::zeros([1, 4, 4, 6]));
        let w = tape.constant(Tensor::zeros([6, 2, 3, 3]));
        let b = tape.constant(Tensor::zeros([2]));
        let options = ConvTranspose2dOptions::new().groups(3);
        refused(
            tape.conv_transpose2d(&x, &w, Some(&b), options),
            &["conv_transpose2d", "[6]", "[2]"],
        );
        let options = ConvTranspose2dOptions::new().groups(4);
        refused(tape.conv_transpose2d(&x, &w, None, options), &["groups", "1, 2, 3, 6"]);
        let flat = tape.constant(Tensor::zeros([4, 6]));
        let plain = ConvTranspose2dOptions::new();
        refused(tape.conv_transpose2d(&flat, &w, None, plain), &["[batch, height, width"]);
    }
}

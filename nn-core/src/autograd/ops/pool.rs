//! Max, average and global average pooling.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::pool::{self, WindowIndex};
use crate::kernels::{Pool2dGeometry, Pool2dOptions};
use crate::tensor::{Scratch, Shape, Tensor};

struct MaxPool2d<I> {
    geometry: Pool2dGeometry,
    argmax: Scratch<I>,
    shape: Shape,
}

impl<T: Kernels, I: WindowIndex> Op<T> for MaxPool2d<I> {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let mut dx = Tensor::uninit(&self.shape, inputs.pool());
        pool::max_backward(&self.geometry, gradient.as_slice(), &self.argmax, dx.as_mut_slice());
        inputs.accumulate(0, dx)
    }
}

struct AveragePool2d {
    geometry: Pool2dGeometry,
    shape: Shape,
}

impl<T: Kernels> Op<T> for AveragePool2d {
    fn name(&self) -> &'static str {
        "average_pool2d"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let mut dx = Tensor::uninit(&self.shape, inputs.pool());
        pool::average_backward(&self.geometry, gradient.as_slice(), dx.as_mut_slice());
        inputs.accumulate(0, dx)
    }
}

impl<T: Kernels> Tape<T> {
    /// The maximum of each window of `x [batch, height, width, channels]`, without padding: rows
    /// and columns left over at the bottom and right are dropped. The gradient goes to the first
    /// maximum of a window.
    ///
    /// # Errors
    /// If `x` is not four-dimensional, or the window does not fit.
    pub fn max_pool2d(&self, x: &Var<T>, options: Pool2dOptions) -> Result<Var<T>> {
        let geometry = Pool2dGeometry::new(x.dims(), options)?;
        if geometry.window_len() <= 256 {
            Ok(self.max_pool2d_indexed::<u8>(x, geometry))
        } else {
            Ok(self.max_pool2d_indexed::<u32>(x, geometry))
        }
    }

    fn max_pool2d_indexed<I: WindowIndex>(&self, x: &Var<T>, g: Pool2dGeometry) -> Var<T> {
        let mut y = Tensor::uninit(g.output_dims(), self.pool());
        let mut argmax = self.pool().scratch_of::<I>(y.len());
        pool::max_forward(&g, x.value().as_slice(), y.as_mut_slice(), &mut argmax);
        self.record(MaxPool2d { geometry: g, argmax, shape: x.shape().clone() }, &[x], y)
    }

    /// The mean of each window of `x [batch, height, width, channels]`, without padding.
    ///
    /// # Errors
    /// If `x` is not four-dimensional, or the window does not fit.
    pub fn average_pool2d(&self, x: &Var<T>, options: Pool2dOptions) -> Result<Var<T>> {
        let geometry = Pool2dGeometry::new(x.dims(), options)?;
        Ok(self.average(x, geometry, geometry.output_dims().into()))
    }

    /// The mean of each channel of `x [batch, height, width, channels]` over all pixels:
    /// `[batch, channels]`.
    ///
    /// # Errors
    /// If `x` is not four-dimensional, or has no pixels.
    pub fn global_average_pool2d(&self, x: &Var<T>) -> Result<Var<T>> {
        let &[batch, height, width, channels] = x.dims() else {
            return Err(Error::shape(
                "global_average_pool2d",
                "an input [batch, height, width, channels]",
                x.shape(),
                "pool before flattening",
            ));
        };
        let whole = Pool2dOptions { window: (height, width), stride: (height, width) };
        let geometry = Pool2dGeometry::new(x.dims(), whole)?;
        Ok(self.average(x, geometry, [batch, channels].into()))
    }

    fn average(&self, x: &Var<T>, geometry: Pool2dGeometry, output: Shape) -> Var<T> {
        let mut y = Tensor::uninit(output, self.pool());
        pool::average_forward(&geometry, x.value().as_slice(), y.as_mut_slice());
        self.record(AveragePool2d { geometry, shape: x.shape().clone() }, &[x], y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::ops::testing::{check, refused, sample};

    #[test]
    fn gradients_agree_with_differences() {
        let x = [sample([2, 7, 8, 3], 1)];
        for (window, stride) in [((2, 2), (2, 2)), ((3, 2), (2, 1)), ((1, 3), (3, 2))] {
            let options = Pool2dOptions { window, stride };
            check(&x, |tape, v| tape.max_pool2d(&v[0], options));
            check(&x, |tape, v| tape.average_pool2d(&v[0], options));
        }
        check(&x, |tape, v| tape.global_average_pool2d(&v[0]));
    }

    #[test]
    fn windows_too_large_for_a_byte_still_find_their_maximum() -> Result<()> {
        let mut tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::from_fn([1, 40, 40, 1], |i| if i == 1234 { 1.0 } else { 0.0 }));
        let y = tape.max_pool2d(&x, Pool2dOptions::new(40))?;
        assert_eq!(y.value().as_slice(), [1.0]);
        tape.backward_from(&y, Tensor::full([1, 1, 1, 1], 5.0))?;
        let gradient = tape.grad(&x).expect("a gradient");
        assert_eq!(gradient.as_slice()[1234], 5.0);
        assert_eq!(gradient.as_slice().iter().sum::<f32>(), 5.0);
        Ok(())
    }

    #[test]
    fn misfits_are_named() {
        let tape = Tape::<f32>::new();
        let x = tape.constant(Tensor::zeros([1, 3, 8, 1]));
        refused(tape.max_pool2d(&x, Pool2dOptions::new(4)), &["4x4", "3x8"]);
        let flat = tape.constant(Tensor::zeros([1, 8]));
        refused(tape.global_average_pool2d(&flat), &["global_average_pool2d", "[1, 8]"]);
    }
}

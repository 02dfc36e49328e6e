//! Resizing of feature maps.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::resize::{self, Interpolation, Resize2d};
use crate::tensor::{Shape, Tensor};

struct Resize {
    geometry: Resize2d,
    shape: Shape,
}

impl<T: Kernels> Op<T> for Resize {
    fn name(&self) -> &'static str {
        "resize2d"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let mut dx = Tensor::uninit(&self.shape, inputs.pool());
        resize::backward(&self.geometry, gradient.as_slice(), dx.as_mut_slice());
        inputs.accumulate(0, dx)
    }
}

impl<T: Kernels> Tape<T> {
    /// Resizes `x [batch, height, width, channels]` to `size`, height before width:
    /// `[batch, size.0, size.1, channels]`, as PyTorch's `interpolate`. [`Interpolation`] gives the
    /// formulas.
    ///
    /// ```
    /// use nn_core::autograd::Interpolation;
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.constant(Tensor::from_vec([1, 1, 2, 1], vec![0., 4.])?);
    /// let y = tape.resize2d(&x, (1, 4), Interpolation::Nearest)?;
    /// assert_eq!(y.value().as_slice(), [0., 0., 4., 4.]);
    /// let y = tape.resize2d(&x, (1, 4), Interpolation::Bilinear { align_corners: false })?;
    /// assert_eq!(y.value().as_slice(), [0., 1., 3., 4.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `x` is not four-dimensional, or it or the output has no pixels, or the output is too large
    /// for memory.
    pub fn resize2d(
        &self,
        x: &Var<T>,
        size: (usize, usize),
        interpolation: Interpolation,
    ) -> Result<Var<T>> {
        const NAME: &str = "resize2d";
        let &[batch, height, width, channels] = x.dims() else {
            return Err(Error::shape(
                NAME,
                "an input [batch, height, width, channels]",
                x.shape(),
                "resize before flattening",
            ));
        };
        if height == 0 || width == 0 {
            return Err(Error::shape(
                NAME,
                "an input of at least one pixel",
                x.shape(),
                "check where the empty images are from",
            ));
        }
        if size.0 == 0 || size.1 == 0 {
            return Err(Error::setting(
                "resize2d: the output's height and width",
                "at least 1",
                format!("{size:?}"),
                "give the size in pixels, not the factor",
            ));
        }
        let output = Shape::from([batch, size.0, size.1, channels]);
        output.ensure_possible(NAME)?;
        let geometry = Resize2d { from: (height, width), to: size, channels, interpolation };
        let mut y = Tensor::uninit(output, self.pool());
        resize::forward(&geometry, x.value().as_slice(), y.as_mut_slice());
        Ok(self.record(Resize { geometry, shape: x.shape().clone() }, &[x], y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check, refused, run, sample};
    use super::*;

    const ALL: [Interpolation; 3] = [
        Interpolation::Nearest,
        Interpolation::Bilinear { align_corners: false },
        Interpolation::Bilinear { align_corners: true },
    ];

    /// The value at a fractional position of one channel of an image.
    fn at(x: &Tensor<f64>, [n, c]: [usize; 2], (y, x_at): (f64, f64)) -> f64 {
        let &[_, h, w, channels] = x.dims() else { unreachable!() };
        let pixel = |y: usize, x_at: usize| {
            x.as_slice()[((n * h + y.min(h - 1)) * w + x_at.min(w - 1)) * channels + c]
        };
        let (top, left) = (y.floor(), x_at.floor());
        let (down, right) = (y - top, x_at - left);
        let (i, j) = (top as usize, left as usize);
        (1.0 - down) * ((1.0 - right) * pixel(i, j) + right * pixel(i, j + 1))
            + down * ((1.0 - right) * pixel(i + 1, j) + right * pixel(i + 1, j + 1))
    }

    #[test]
    fn values_agree_with_the_formulas() {
        let x = sample([2, 5, 4, 3], 1);
        for size in [(1, 1), (5, 4), (10, 8), (7, 9), (3, 2), (20, 1)] {
            for interpolation in ALL {
                let position = |i: usize, from: usize, to: usize| {
                    let (i, from, to) = (i as f64, from as f64, to as f64);
                    match interpolation {
                        Interpolation::Nearest => (i * from / to + 1e-9).floor(),
                        Interpolation::Bilinear { align_corners: false } => {
                            ((i + 0.5) * from / to - 0.5).max(0.0)
                        }
                        Interpolation::Bilinear { .. } if to == 1.0 => 0.0,
                        Interpolation::Bilinear { .. } => i * (from - 1.0) / (to - 1.0),
                    }
                };
                let expected = (0..2 * size.0 * size.1 * 3).map(|i| {
                    let (pixel, c) = (i / 3, i % 3);
                    let (n, oy, ox) =
                        (pixel / (size.0 * size.1), pixel / size.1 % size.0, pixel % size.1);
                    at(&x, [n, c], (position(oy, 5, size.0), position(ox, 4, size.1)))
                });
                let tape = Tape::new();
                let y = tape.resize2d(&tape.leaf(x.clone()), size, interpolation).unwrap();
                assert_eq!(y.dims(), [2, size.0, size.1, 3]);
                assert_close(&[y.value().as_slice().to_vec()], &[expected.collect()], 1e-12);
            }
        }
    }

    #[test]
    fn gradients() {
        for (dims, size) in [
            ([2, 3, 4, 2], (6, 8)),
            ([1, 5, 4, 3], (7, 3)),
            ([1, 1, 1, 17], (3, 2)),
            ([1, 6, 5, 1], (2, 1)),
        ] {
            for interpolation in ALL {
                check(&[sample(dims, 2)], |tape, v| tape.resize2d(&v[0], size, interpolation));
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit_and_single_precision_agrees() {
        let x = [sample([2, 70, 90, 5], 3)];
        for interpolation in ALL {
            let run_on = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    run::<f32>(&x, |tape, v| tape.resize2d(&v[0], (101, 133), interpolation))
                })
            };
            let one = run_on(1);
            assert!(one == run_on(2) && one == run_on(4));
            let wide = run::<f64>(&x, |tape, v| tape.resize2d(&v[0], (101, 133), interpolation));
            assert_close(&one, &wide, 1e-6);
        }
    }

    #[test]
    fn large_factors_lose_no_digit_of_the_gradient() {
        let mut tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([1, 1, 1, 1]));
        for interpolation in ALL {
            let y = tape.resize2d(&x, (1500, 1500), interpolation).unwrap();
            tape.backward_from(&y, Tensor::full(y.shape(), 0.1)).unwrap();
            let gradient = tape.take_grad(&x).unwrap().item().unwrap();
            assert!((gradient / 225_000.0 - 1.0).abs() < 1e-6, "{gradient}");
        }
    }

    #[test]
    fn nothing_and_misfits() {
        let mut tape = Tape::<f32>::new();
        for dims in [[0, 4, 4, 2], [2, 4, 4, 0]] {
            let x = tape.leaf(Tensor::zeros(dims));
            let y = tape.resize2d(&x, (2, 3), ALL[1]).unwrap();
            assert_eq!(y.dims(), [dims[0], 2, 3, dims[3]]);
            tape.backward_from(&y, Tensor::zeros(y.shape())).unwrap();
        }
        let x = tape.leaf(Tensor::zeros([1, 2, 2, 1]));
        refused(tape.resize2d(&x, (0, 3), ALL[0]), &["resize2d", "(0, 3)", "factor"]);
        refused(tape.resize2d(&x, (1 << 40, 1 << 40), ALL[0]), &["resize2d", "at most"]);
        let flat = tape.leaf(Tensor::zeros([1, 2]));
        refused(tape.resize2d(&flat, (1, 1), ALL[0]), &["resize2d", "[1, 2]", "flattening"]);
        let none = tape.leaf(Tensor::zeros([1, 0, 2, 1]));
        refused(tape.resize2d(&none, (1, 1), ALL[0]), &["one pixel"]);
    }
}

//! Pooling: maxima and means of windows, and of whole images.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::pool::{self, WindowIndex};
use crate::kernels::{Pool2dGeometry, Pool2dOptions, Pooled};
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
    windows: Pooled,
    shape: Shape,
}

impl<T: Kernels> Op<T> for AveragePool2d {
    fn name(&self) -> &'static str {
        "average_pool2d"
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let mut dx = Tensor::uninit(&self.shape, inputs.pool());
        pool::average_backward(&self.windows, gradient.as_slice(), dx.as_mut_slice());
        inputs.accumulate(0, dx)
    }
}

impl<T: Kernels> Tape<T> {
    /// The maximum of each window of `x [batch, height, width, channels]`. Padding is never a maximum.
    /// Rows and columns left over at the bottom and right are dropped, unless the options say
    /// otherwise. The gradient goes to the first maximum of a window.
    ///
    /// ```
    /// use nn_core::autograd::Pool2dOptions;
    /// use nn_core::layers::Padding;
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.constant(Tensor::from_vec([1, 1, 4, 1], vec![-1., -2., -3., -4.])?);
    /// let padded = Pool2dOptions::new(3).stride(2).padding(Padding::symmetric(1));
    /// assert_eq!(tape.max_pool2d(&x, padded)?.value().as_slice(), [-1., -2.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `x` is not four-dimensional, the window does not fit, or a window could be padding alone.
    pub fn max_pool2d(&self, x: &Var<T>, options: Pool2dOptions) -> Result<Var<T>> {
        let geometry = Pool2dGeometry::new(x.dims(), options)?;
        Ok(self.max(x, geometry, geometry.output_dims().into()))
    }

    /// The maximum of each channel of `x [batch, height, width, channels]` over all pixels:
    /// `[batch, channels]`. The gradient goes to the first maximum.
    ///
    /// # Errors
    /// If `x` is not four-dimensional, or has no pixels.
    pub fn global_max_pool2d(&self, x: &Var<T>) -> Result<Var<T>> {
        let [batch, height, width, channels] = image_dims("global_max_pool2d", x)?;
        let whole = Pool2dOptions::new((height, width));
        let geometry = Pool2dGeometry::new(x.dims(), whole)?;
        Ok(self.max(x, geometry, [batch, channels].into()))
    }

    fn max(&self, x: &Var<T>, geometry: Pool2dGeometry, output: Shape) -> Var<T> {
        if !self.tracks(&[x]) {
            let mut y = Tensor::uninit(output, self.pool());
            pool::maxima(&geometry, x.value().as_slice(), y.as_mut_slice());
            let argmax = self.pool().scratch_of::<u8>(0); // nobody will ask for it
            return self.record(MaxPool2d { geometry, argmax, shape: x.shape().clone() }, &[x], y);
        }
        if geometry.window_len() <= 256 {
            self.max_pool2d_indexed::<u8>(x, geometry, output)
        } else {
            self.max_pool2d_indexed::<u32>(x, geometry, output)
        }
    }

    fn max_pool2d_indexed<I: WindowIndex>(
        &self,
        x: &Var<T>,
        g: Pool2dGeometry,
        output: Shape,
    ) -> Var<T> {
        let mut y = Tensor::uninit(output, self.pool());
        let mut argmax = self.pool().scratch_of::<I>(y.len());
        pool::max_forward(&g, x.value().as_slice(), y.as_mut_slice(), &mut argmax);
        self.record(MaxPool2d { geometry: g, argmax, shape: x.shape().clone() }, &[x], y)
    }

    /// The mean of each window of `x [batch, height, width, channels]`. Whether means count the padding
    /// is an option.
    ///
    /// # Errors
    /// If `x` is not four-dimensional, the window does not fit, or a window could be padding alone.
    pub fn average_pool2d(&self, x: &Var<T>, options: Pool2dOptions) -> Result<Var<T>> {
        let geometry = Pool2dGeometry::new(x.dims(), options)?;
        Ok(self.average(x, geometry.pooled(), geometry.output_dims().into()))
    }

    /// The mean of each channel of `x [batch, height, width, channels]` over all pixels:
    /// `[batch, channels]`.
    ///
    /// # Errors
    /// If `x` is not four-dimensional, or has no pixels.
    pub fn global_average_pool2d(&self, x: &Var<T>) -> Result<Var<T>> {
        let [batch, .., channels] = image_dims("global_average_pool2d", x)?;
        let whole = Pooled::adaptive("global_average_pool2d", x.dims(), (1, 1))?;
        Ok(self.average(x, whole, [batch, channels].into()))
    }

    /// The means of `x [batch, height, width, channels]` over a grid of `size` windows, whatever the
    /// size of `x`: `[batch, size.0, size.1, channels]`. As in PyTorch, window `i` of `n` along a side of
    /// `len` pixels begins at `floor(i * len / n)` and ends before `ceil((i + 1) * len / n)`.
    ///
    /// ```
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.constant(Tensor::from_vec([1, 1, 5, 1], vec![1., 2., 3., 4., 5.])?);
    /// let y = tape.adaptive_average_pool2d(&x, (1, 2))?;
    /// assert_eq!(y.value().as_slice(), [2., 4.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `x` is not four-dimensional, or it or the output has no pixels.
    pub fn adaptive_average_pool2d(&self, x: &Var<T>, size: (usize, usize)) -> Result<Var<T>> {
        let windows = Pooled::adaptive("adaptive_average_pool2d", x.dims(), size)?;
        Ok(self.average(x, windows, windows.output_dims().into()))
    }

    fn average(&self, x: &Var<T>, windows: Pooled, output: Shape) -> Var<T> {
        let mut y = Tensor::uninit(output, self.pool());
        pool::average_forward(&windows, x.value().as_slice(), y.as_mut_slice());
        self.record(AveragePool2d { windows, shape: x.shape().clone() }, &[x], y)
    }
}

fn image_dims<T: Kernels>(at: &str, x: &Var<T>) -> Result<[usize; 4]> {
    x.dims().try_into().map_err(|_| {
        let expected = "an input [batch, height, width, channels]";
        Error::shape(at, expected, x.shape(), "pool before flattening")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::ops::testing::{assert_close, check, refused, sample};
    use crate::kernels::Padding;
    use std::slice::from_ref;

    #[test]
    fn gradients_agree_with_differences() {
        let x = [sample([2, 7, 8, 3], 1)];
        for (window, stride) in [((2, 2), (2, 2)), ((3, 2), (2, 1)), ((1, 3), (3, 2))] {
            let options = Pool2dOptions::new(window).stride(stride);
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

    /// All options but the window that change something, each by itself and all together.
    fn options() -> Vec<Pool2dOptions> {
        let window = Pool2dOptions::new((3, 2)).stride((2, 1));
        let uneven = Padding::Explicit { top: 2, bottom: 1, left: 0, right: 1 };
        vec![
            window.padding(Padding::symmetric(1)),
            window.padding(uneven),
            window.padding(Padding::Same),
            window.padding(Padding::SameLower),
            window.ceil_mode(true),
            window.padding(uneven).count_include_pad(false),
            window.padding(Padding::Same).count_include_pad(false),
            window.dilation((2, 3)),
            Pool2dOptions::new(2).stride(3).ceil_mode(true).padding(Padding::symmetric((0, 1))),
            window.padding(uneven).dilation((3, 2)).ceil_mode(true).count_include_pad(false),
        ]
    }

    /// Maxima and means by their definition: windows over the input with its padding around.
    fn defined(x: &Tensor<f64>, options: Pool2dOptions) -> Result<[Vec<f64>; 2]> {
        let g = Pool2dGeometry::new(x.dims(), options)?;
        let bottom = match options.padding {
            Padding::Explicit { bottom, right, .. } => (bottom, right),
            _ => g.counted.unwrap_or((0, 0)),
        };
        let (mut maxima, mut means) = (Vec::new(), Vec::new());
        for i in 0..g.batch * g.output_len() {
            let (pixel, channel) = (i / g.channels, i % g.channels);
            let (n, oy, ox) =
                (pixel / (g.out_h * g.out_w), pixel / g.out_w % g.out_h, pixel % g.out_w);
            let (mut inside, mut counted) = (Vec::new(), 0);
            for wy in 0..g.window_h {
                for wx in 0..g.window_w {
                    let y = (oy * g.stride_h + wy * g.dilation_h) as isize - g.pad_top as isize;
                    let x_at = (ox * g.stride_w + wx * g.dilation_w) as isize - g.pad_left as isize;
                    let (h, w) = (g.in_h as isize, g.in_w as isize);
                    counted +=
                        usize::from(y < h + bottom.0 as isize && x_at < w + bottom.1 as isize);
                    if (0..h).contains(&y) && (0..w).contains(&x_at) {
                        let at = ((n as isize * h + y) * w + x_at) as usize * g.channels + channel;
                        inside.push(x.as_slice()[at]);
                    }
                }
            }
            maxima.push(inside.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            let count = if options.count_include_pad { counted } else { inside.len() };
            means.push(inside.iter().sum::<f64>() / count as f64);
        }
        Ok([maxima, means])
    }

    #[test]
    fn values_agree_with_their_definition() -> Result<()> {
        // Negative, so that a padding of zeros would be the maximum.
        let x = sample([2, 8, 9, 3], 4).map(|v| v - 2.0);
        for options in options() {
            let [maxima, means] = defined(&x, options)?;
            let tape = Tape::new();
            let x = tape.leaf(x.clone());
            assert_eq!(tape.max_pool2d(&x, options)?.value().as_slice(), maxima, "{options:?}");
            let found = tape.average_pool2d(&x, options)?;
            assert_close(&[found.value().as_slice().to_vec()], &[means], 1e-14);
        }
        Ok(())
    }

    #[test]
    fn gradients_with_all_options() {
        for channels in [3, 17] {
            let x = [sample([1, 8, 7, channels], 5).map(|v| v - 2.0)];
            for options in options() {
                check(&x, |tape, v| tape.max_pool2d(&v[0], options));
                check(&x, |tape, v| tape.average_pool2d(&v[0], options));
            }
        }
        let x = [sample([2, 5, 7, 3], 6)];
        for size in [(1, 1), (2, 3), (5, 7), (4, 9)] {
            check(&x, |tape, v| tape.adaptive_average_pool2d(&v[0], size));
        }
        check(&x, |tape, v| tape.global_max_pool2d(&v[0]));
    }

    #[test]
    fn of_equal_numbers_the_first_inside_the_input_gets_the_gradient() -> Result<()> {
        for value in [0.0, -5.0, f64::NEG_INFINITY] {
            let mut tape = Tape::<f64>::new();
            let x = tape.leaf(Tensor::full([1, 3, 3, 1], value));
            let options = Pool2dOptions::new(3).stride(2).padding(Padding::symmetric(1));
            let y = tape.max_pool2d(&x, options)?;
            assert_eq!(y.value(), &Tensor::full([1, 2, 2, 1], value));
            tape.backward_from(&y, Tensor::from_vec([1, 2, 2, 1], vec![1., 2., 4., 8.])?)?;
            let expected = [1., 2., 0., 4., 8., 0., 0., 0., 0.];
            assert_eq!(tape.grad(&x).expect("a gradient").as_slice(), expected);
        }
        Ok(())
    }

    #[test]
    fn whole_images() -> Result<()> {
        let x = sample([2, 5, 4, 3], 7);
        let tape = Tape::new();
        let leaf = tape.leaf(x.clone());
        let [maxima, means] = defined(&x, Pool2dOptions::new((5, 4)))?;
        let found = tape.global_max_pool2d(&leaf)?;
        assert_eq!((found.dims(), found.value().as_slice()), (&[2, 3][..], &*maxima));
        for found in [
            tape.global_average_pool2d(&leaf)?,
            tape.reshape(tape.adaptive_average_pool2d(&leaf, (1, 1))?, [2, 3])?,
        ] {
            assert_eq!(found.dims(), [2, 3]);
            assert_close(&[found.value().as_slice().to_vec()], from_ref(&means), 1e-14);
        }
        assert_eq!(tape.adaptive_average_pool2d(&leaf, (5, 4))?.value(), &x);
        Ok(())
    }

    #[test]
    fn means_of_large_images_lose_no_digit() -> Result<()> {
        let tape = Tape::<f32>::new();
        let x = tape.constant(Tensor::full([1, 1500, 1500, 1], 0.1));
        assert_eq!(tape.global_average_pool2d(&x)?.value().as_slice(), [0.1]);
        assert_eq!(tape.adaptive_average_pool2d(&x, (1, 1))?.value().as_slice(), [0.1]);
        Ok(())
    }

    type Pooling = fn(&Tape<f32>, &Var<f32>, Pool2dOptions) -> Result<Var<f32>>;

    #[test]
    fn the_number_of_threads_changes_no_bit() -> Result<()> {
        let x = sample([2, 70, 90, 5], 8);
        let overlapping = Pool2dOptions::new(5).stride(2).padding(Padding::symmetric(2));
        let run = |threads| -> Result<_> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("a pool").install(|| {
                let ops: [Pooling; 4] = [
                    |tape, x, options| tape.max_pool2d(x, options),
                    |tape, x, options| tape.average_pool2d(x, options),
                    |tape, x, _| tape.adaptive_average_pool2d(x, (7, 4)),
                    |tape, x, _| tape.global_average_pool2d(x),
                ];
                let run = |op: &Pooling| {
                    let mut tape = Tape::new();
                    let x = tape.leaf(x.cast::<f32>());
                    let y: Var<f32> = op(&tape, &x, overlapping)?;
                    tape.backward_from(&y, sample(y.shape(), 9).cast())?;
                    Ok((y.value().clone(), tape.grad(&x).cloned()))
                };
                ops.iter().map(run).collect::<Result<Vec<_>>>()
            })
        };
        let one = run(1)?;
        assert!(one == run(2)? && one == run(4)?);
        Ok(())
    }

    #[test]
    fn no_images() -> Result<()> {
        let mut tape = Tape::<f32>::new();
        for dims in [[0, 4, 4, 2], [2, 4, 4, 0]] {
            let x = tape.leaf(Tensor::zeros(dims));
            for y in [
                tape.max_pool2d(&x, Pool2dOptions::new(2))?,
                tape.average_pool2d(&x, Pool2dOptions::new(2))?,
                tape.adaptive_average_pool2d(&x, (2, 2))?,
            ] {
                assert_eq!(y.dims(), [dims[0], 2, 2, dims[3]]);
                tape.backward_from(&y, Tensor::zeros(y.shape()))?;
                assert!(tape.grad(&x).expect("a gradient").is_empty());
            }
        }
        // Without a channel or an image, sides may be longer than any memory.
        for dims in [[0, 1 << 40, 3, 2], [1, 3, 1 << 40, 0]] {
            let x = tape.leaf(Tensor::zeros(dims));
            let options = Pool2dOptions::new((1 << 30, 2)).stride((1 << 29, 1));
            let options = options.padding(Padding::symmetric(((1 << 30) - 1, 1)));
            for y in [
                tape.max_pool2d(&x, options)?,
                tape.average_pool2d(&x, options)?,
                tape.adaptive_average_pool2d(&x, (2, 1 << 20))?,
                tape.global_average_pool2d(&x)?,
            ] {
                tape.backward_from(&y, Tensor::zeros(y.shape()))?;
            }
        }
        Ok(())
    }

    #[test]
    fn misfits_are_named() {
        let tape = Tape::<f32>::new();
        let x = tape.constant(Tensor::zeros([1, 3, 8, 1]));
        refused(tape.max_pool2d(&x, Pool2dOptions::new(4)), &["4x4", "3x8"]);
        let flat = tape.constant(Tensor::zeros([1, 8]));
        refused(tape.global_average_pool2d(&flat), &["global_average_pool2d", "[1, 8]"]);
        refused(tape.global_max_pool2d(&flat), &["global_max_pool2d", "[1, 8]"]);
        refused(tape.adaptive_average_pool2d(&flat, (1, 1)), &["adaptive", "[1, 8]"]);
        refused(tape.adaptive_average_pool2d(&x, (0, 1)), &["adaptive", "(0, 1)"]);
        let alone = Pool2dOptions::new(2).padding(Padding::symmetric(2));
        refused(tape.max_pool2d(&x, alone), &["padding along the height", "below 2"]);
    }
}

//! 2-D convolution: the passes, the registry of kernels, and the choice of a kernel.
//!
//! The kernel of each pass is chosen separately, because the fastest one differs between
//! [`Conv2dForward`], [`Conv2dInputGradient`] and [`Conv2dWeightGradient`]. The registry that
//! [`Kernels::conv2d`](super::Kernels::conv2d) returns lists all kernels of a pass, fastest first;
//! [`Conv2dKernels::forward`] and its counterparts take the first that runs on this machine,
//! supports the geometry and [pays](Conv2dKernel::pays). The tests compare every kernel in the registry with
//! [`reference`](super::reference), so no untested kernel can be chosen.
//!
//! # Which kernel serves which convolution
//!
//! | convolution | forward | gradient of the input | gradient of the weight |
//! |---|---|---|---|
//! | up to 7 input channels, stride 1 | `direct` | as below | as below |
//! | 3x3 or 5x5, stride 1, behind it ReLU and 2x2 pooling | as below | `sparse_input` | `sparse_weight` |
//! | 3x3, stride 1, enough tiles (`transforms_pay`) | `winograd` | `winograd` | `winograd`, from 25 channels on |
//! | one channel per group | `depthwise` | `depthwise` | `depthwise` |
//! | any other kernel, stride up to 8, dilation, groups | `implicit` | `implicit` | `implicit` |
//! | the rest, and `f64` | `im2col` | `im2col` | `im2col` |
//!
//! Where they cross, on two cores with AVX-512: from 8 input channels on, `winograd` is faster than `direct`.
//! Winograd's transformed weights must be used for 4 tiles of an image (16 where they exceed 16 MB), else
//! `implicit` is faster. Its weight gradient is as fast as `implicit` at 16 to 24 channels (harmonic mean of both
//! sides), 0.73 times the time at 32, half at 64; and as fast where a tile has six to nine positions (maps of 5x5 and
//! 3x3), slower where it has four. `implicit` was faster than `im2col` on every shape tried, but for the weight
//! gradient of one or two output channels; not so with plain arrays on a machine where `matrixmultiply` finds AVX2:
//! there they serve groups of less than 16 channels, and leave the rest to `im2col` ([`Conv2dKernel::pays`]).
//! Behind pooling at most a quarter of the gradients is not zero. Both gradients, with AVX-512, beside what served
//! before: 3x3 with padding 0.4 to 0.8 of `winograd`'s time up to 128 channels, 0.9 to 1.05 from 256 on (maps of
//! 28x28 and 14x14); 5x5 0.34 to 0.6 of `implicit`'s. `sparse_input` takes no more padding than keeps the size.
//!
//! A ReLU or ReLU6 behind bounds the outputs in registers. Without gradients any other function of one number is
//! applied by the task that has computed them, while they are in its cache ([`Output::Dense`]).
//!
//! Predictions compute convolutions that follow each other together, some rows at a time (`chain`), where `implicit` or
//! `depthwise` serve them: if their weights stay in a core's cache, there are at least four tasks of at least 48 pixels
//! each, and at most an eighth of the products are computed twice. A sum behind the last is taken along. A step has as
//! many rows as stay in the cache with the weights, or as few as make 48 pixels.
//! Beside one map after the other, on one and two threads: four pointwise convolutions of eight images 0.82 of the
//! time, MobileNetV2 of 4 to 16 images 0.84 to 0.90, EfficientNet-B0 of 4 images 0.91; of one image 0.86 to 1.04.
//!
//! Dense layers of more than 16 samples (`linear.rs`) are pointwise convolutions forward; their gradients
//! are general matrix products.
//!
//! Activations are `[batch, height, width, channels]`, weights `[out, in, height, width]`. A kernel
//! that needs its weights packed packs them into scratch memory at each call, or offers
//! [`Conv2dForward::pack`] to callers that keep packed weights.

pub(crate) mod chain;
pub(crate) mod depthwise;
pub(crate) mod direct;
mod epilogue;
pub(crate) mod im2col;
pub(crate) mod implicit;
pub(crate) mod sparse_input;
pub(crate) mod sparse_weight;
pub(crate) mod winograd;

pub use super::bounds::Bounds;

use super::Kernels;
use super::functions::Function;
use super::geometry::{Conv2dGeometry, Pool2dGeometry};
use super::isa::{self, Isa};
use super::pool;
use crate::tensor::{Buffer, BufferPool, Element, Tensor};
use std::ops::{Deref, Range};

/// The output of a convolution's forward pass, and the ops fused with it.
#[derive(Debug)]
pub enum Output<'a, T> {
    /// The feature map, `[batch, out_h, out_w, out_c]`.
    Dense {
        /// The map, overwritten.
        y: &'a mut [T],
        /// The bounds of its values: those of a ReLU that is applied along, or none.
        bounds: Bounds<T>,
        /// A function that each task then applies to its values, while they are in the cache.
        function: Option<Function>,
    },
    /// The feature map after ReLU and max-pooling; the map itself is never stored.
    ReluMaxPool {
        /// The pooling, whose input is the convolution's output. Its windows have at most
        /// [`MAX_FUSED_WINDOW`] elements.
        pool: &'a Pool2dGeometry,
        /// The pooled map, overwritten.
        y: &'a mut [T],
        /// The argmax of each window, or [`pool::NO_ARGMAX`] where the output is 0.
        argmax: &'a mut [u8],
    },
}

impl<'a, T: Element> Output<'a, T> {
    /// The feature map `y` as it is.
    pub fn plain(y: &'a mut [T]) -> Self {
        Self::Dense { y, bounds: Bounds::none(), function: None }
    }

    /// The feature map `y` within `bounds`.
    pub fn within(bounds: Bounds<T>, y: &'a mut [T]) -> Self {
        Self::Dense { y, bounds, function: None }
    }
}

/// Applies a function, if there is one, to a part of the output.
fn apply<T: Kernels>(function: Option<Function>, y: &mut [T]) {
    if let Some(function) = function {
        (T::functions().apply)(function, y);
    }
}

/// The gradient of a convolution's output.
#[derive(Clone, Copy, Debug)]
pub enum OutputGradient<'a, T> {
    /// One number per element of the feature map.
    Dense(&'a [T]),
    /// One number per pooled element, and the element of the feature map it belongs to. So at most one
    /// gradient per window is not zero, which fast kernels exploit.
    ReluMaxPool {
        /// The pooling.
        pool: &'a Pool2dGeometry,
        /// The gradient of the pooled map.
        dy: &'a [T],
        /// The argmax of each window, as the forward pass wrote it.
        argmax: &'a [u8],
    },
}

/// The largest window of a fused pooling: an argmax is a byte, and one value is [`pool::NO_ARGMAX`].
pub const MAX_FUSED_WINDOW: usize = 255;

/// The error bounds of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accuracy {
    /// Products are summed directly: errors are within `(n + 2) * eps * sum |x * w|` for sums of `n`
    /// products, and results are exact on small integers.
    Summed,
    /// Products of transformed numbers (Winograd): relative to the root mean square of the results, the
    /// root mean square of the errors is at most 2e-6 and the largest error at most 2e-5.
    Transformed,
}

/// The properties of a kernel.
///
/// Implementations do not check the geometry; slices have the lengths that follow from it.
pub trait Conv2dKernel: Sync {
    /// The kernel's name, unique in its registry.
    fn name(&self) -> &'static str;

    /// The instruction set it needs.
    fn isa(&self) -> Isa;

    /// Whether it supports this geometry: without `pool`, for the plain feature map; with `pool`, for
    /// the map after ReLU and max-pooling ([`Output::ReluMaxPool`], [`OutputGradient::ReluMaxPool`]).
    fn supports(&self, g: &Conv2dGeometry, pool: Option<&Pool2dGeometry>) -> bool;

    /// Whether it is worth choosing for a geometry that it supports: whether no kernel behind it in the
    /// registry is known to be faster on this machine.
    fn pays(&self, _: &Conv2dGeometry) -> bool {
        true
    }

    /// Its error bounds.
    fn accuracy(&self) -> Accuracy {
        Accuracy::Summed
    }
}

/// `(rows, x, y, scratch)`: writes some rows of an image's output to `y`; `x` are the rows of the input that
/// [they see](Conv2dGeometry::rows_seen).
pub type ByRows<'a, T> = dyn Fn(Range<usize>, &[T], &mut [T], &BufferPool<T>) + Sync + 'a;

/// A kernel for the forward pass of convolutions.
pub trait Conv2dForward<T: Kernels>: Conv2dKernel {
    /// Writes the convolution of `x` with `w`, plus `b` (one number per output channel), to `out`.
    fn forward(
        &self,
        g: &Conv2dGeometry,
        x: &[T],
        w: &[T],
        b: Option<&[T]>,
        out: Output<'_, T>,
        scratch: &BufferPool<T>,
    ) {
        match self.pack(g, w, scratch) {
            Some(packed) => self.forward_packed(g, x, packed.as_slice(), b, out, scratch),
            None => self.forward_packed(g, x, w, b, out, scratch),
        }
    }

    /// The weights packed for this kernel; `None` if it reads them unpacked. Depends only on the
    /// kernel, `w` and its shape, and the number of groups.
    fn pack(&self, _g: &Conv2dGeometry, _w: &[T], _scratch: &BufferPool<T>) -> Option<Tensor<T>> {
        None
    }

    /// [`Conv2dForward::forward`] with the weights that [`pack`](Conv2dForward::pack) returned, or the
    /// unpacked weights if it returned `None`.
    fn forward_packed(
        &self,
        g: &Conv2dGeometry,
        x: &[T],
        packed: &[T],
        b: Option<&[T]>,
        out: Output<'_, T>,
        scratch: &BufferPool<T>,
    );

    /// The same for the plain feature map, some rows at a time and with the same bits, for kernels that can; the
    /// geometry's batch does not matter. Bounds and function are those of [`Output::Dense`].
    fn by_rows<'a>(
        &self,
        _g: &Conv2dGeometry,
        _packed: &'a [T],
        _b: Option<&'a [T]>,
        _then: (Bounds<T>, Option<Function>),
    ) -> Option<Box<ByRows<'a, T>>> {
        None
    }
}

/// A kernel for the gradient of a convolution's input.
pub trait Conv2dInputGradient<T: Kernels>: Conv2dKernel {
    /// Writes the gradient of the input to `dx`.
    fn backward_input(
        &self,
        g: &Conv2dGeometry,
        dy: OutputGradient<'_, T>,
        w: &[T],
        dx: &mut [T],
        scratch: &BufferPool<T>,
    );
}

/// A kernel for the gradients of a convolution's weight and bias.
pub trait Conv2dWeightGradient<T: Kernels>: Conv2dKernel {
    /// Writes the gradients of weight and bias to `dw` and `db`.
    fn backward_weight(
        &self,
        g: &Conv2dGeometry,
        x: &[T],
        dy: OutputGradient<'_, T>,
        dw: &mut [T],
        db: &mut [T],
        scratch: &BufferPool<T>,
    );
}

/// The convolution kernels of an element type, by pass: fastest first; the portable one, which supports
/// every geometry, last.
pub struct Conv2dKernels<T: 'static> {
    /// The forward pass.
    pub forward: &'static [&'static dyn Conv2dForward<T>],
    /// The gradient of the input.
    pub input_gradient: &'static [&'static dyn Conv2dInputGradient<T>],
    /// The gradients of weight and bias.
    pub weight_gradient: &'static [&'static dyn Conv2dWeightGradient<T>],
}

impl<T: Kernels> std::fmt::Debug for Conv2dKernels<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let forward = self.forward.iter().map(|kernel| kernel.name());
        f.debug_struct("Conv2dKernels")
            .field("forward", &forward.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl<T: Kernels> Conv2dKernels<T> {
    /// The forward kernel for this geometry, with or without pooling.
    pub fn forward(
        &self,
        g: &Conv2dGeometry,
        pool: Option<&Pool2dGeometry>,
    ) -> &'static dyn Conv2dForward<T> {
        first_that_fits(self.forward, g, pool)
    }

    /// The kernel for the gradient of the input.
    pub fn input_gradient(
        &self,
        g: &Conv2dGeometry,
        pool: Option<&Pool2dGeometry>,
    ) -> &'static dyn Conv2dInputGradient<T> {
        first_that_fits(self.input_gradient, g, pool)
    }

    /// The kernel for the gradients of weight and bias.
    pub fn weight_gradient(
        &self,
        g: &Conv2dGeometry,
        pool: Option<&Pool2dGeometry>,
    ) -> &'static dyn Conv2dWeightGradient<T> {
        first_that_fits(self.weight_gradient, g, pool)
    }

    /// The instruction sets that any of the kernels needs.
    pub(super) fn isas(&self) -> impl Iterator<Item = Isa> {
        let forward = self.forward.iter().map(|kernel| kernel.isa());
        let input = self.input_gradient.iter().map(|kernel| kernel.isa());
        let weight = self.weight_gradient.iter().map(|kernel| kernel.isa());
        forward.chain(input).chain(weight)
    }
}

/// The first of `kernels` that this machine, the forced instruction set (if any) and the geometry
/// allow.
fn first_that_fits<K: Conv2dKernel + ?Sized>(
    kernels: &'static [&'static K],
    g: &Conv2dGeometry,
    pool: Option<&Pool2dGeometry>,
) -> &'static K {
    let allowed = isa::allowed();
    let fits =
        |kernel: &&&K| allowed.contains(kernel.isa()) && kernel.supports(g, pool) && kernel.pays(g);
    // The last kernel is portable: it runs everywhere and supports everything.
    kernels.iter().find(fits).unwrap_or(&kernels[kernels.len() - 1])
}

impl<'a, T: Kernels> OutputGradient<'a, T> {
    /// The max-pooling fused with the convolution, if any.
    pub fn pool(&self) -> Option<&'a Pool2dGeometry> {
        match *self {
            Self::Dense(_) => None,
            Self::ReluMaxPool { pool, .. } => Some(pool),
        }
    }

    /// The rows `rows` of image `n` of the feature map's gradient: borrowed if the whole map's gradient
    /// is stored, expanded if only the pooled gradient is.
    fn rows(
        &self,
        g: &Conv2dGeometry,
        n: usize,
        rows: &Range<usize>,
        scratch: &BufferPool<T>,
    ) -> Rows<'a, T> {
        let pitch = g.out_w * g.out_c;
        match *self {
            Self::Dense(dy) => {
                let image = &dy[n * g.output_len()..];
                Rows::Stored(&image[rows.start * pitch..rows.end * pitch])
            }
            Self::ReluMaxPool { pool, dy, argmax } => {
                let mut band = scratch.scratch(rows.len() * pitch);
                band.fill(T::zero());
                let skip = Some(usize::from(pool::NO_ARGMAX));
                pool::scatter_rows(pool, n, rows, (dy, argmax), skip, &mut band);
                Rows::Spread(band)
            }
        }
    }
}

/// Rows of a feature map's gradient.
enum Rows<'a, T: Kernels> {
    /// A slice of the whole map's gradient.
    Stored(&'a [T]),
    /// Expanded from the pooled gradient into scratch memory.
    Spread(Buffer<T>),
}

impl<T: Kernels> Deref for Rows<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Stored(rows) => rows,
            Self::Spread(rows) => rows,
        }
    }
}

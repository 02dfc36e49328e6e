//! 2-D convolution: what every kernel computes, which kernels there are, and the choice.
//!
//! The three passes are chosen one by one, because what is fastest for one need not be for
//! another: [`Conv2dForward`], [`Conv2dInputGradient`] and [`Conv2dWeightGradient`]. All kernels of a
//! pass stand in the registry that [`Kernels::conv2d`](super::Kernels::conv2d) returns, best first;
//! [`Conv2dKernels::forward`] and its like take the first that runs on this machine and supports the
//! geometry, and the tests run every one against [`reference`](super::reference). So nothing can be
//! dispatched that was not tested.
//!
//! Activations are `[batch, height, width, channels]`, weights `[out, in, height, width]`. A kernel
//! that wants its weights packed differently packs them into scratch memory, or offers them packed
//! ([`Conv2dForward::pack`]) to who can keep them.

pub(crate) mod direct;
mod epilogue;
pub(crate) mod im2col;
pub(crate) mod sparse_input;
pub(crate) mod sparse_weight;
pub(crate) mod winograd;

use super::Kernels;
use super::geometry::{Conv2dGeometry, Pool2dGeometry};
use super::isa::{self, Isa};
use super::pool;
use crate::tensor::{Buffer, BufferPool, Tensor};
use std::ops::{Deref, Range};

/// Where a convolution's forward writes, and what it does on the way.
#[derive(Debug)]
pub enum Output<'a, T> {
    /// The feature map, `[batch, out_h, out_w, out_c]`.
    Dense {
        /// The map, overwritten.
        y: &'a mut [T],
        /// Whether negative values become 0.
        relu: bool,
    },
    /// The rectified and max-pooled feature map; the map itself is never stored.
    ReluMaxPool {
        /// The pooling, whose input is the convolution's output. Its windows have at most
        /// [`MAX_FUSED_WINDOW`] elements.
        pool: &'a Pool2dGeometry,
        /// The pooled map, overwritten.
        y: &'a mut [T],
        /// The index of each window's maximum, or [`pool::NO_ARGMAX`] where the output is 0.
        argmax: &'a mut [u8],
    },
}

/// The gradient a convolution's backward starts from.
#[derive(Clone, Copy, Debug)]
pub enum OutputGradient<'a, T> {
    /// One number per element of the feature map.
    Dense(&'a [T]),
    /// One number per pooled element, and which element of the feature map it belongs to.
    /// At most one in every window is not zero, which fast kernels exploit.
    ReluMaxPool {
        /// The pooling.
        pool: &'a Pool2dGeometry,
        /// The gradient of the pooled map.
        dy: &'a [T],
        /// Where each maximum lies in its window, as the forward pass wrote it.
        argmax: &'a [u8],
    },
}

/// The largest window a fused pooling can have: argmax is a byte, and one value is taken.
pub const MAX_FUSED_WINDOW: usize = 255;

/// How far a kernel's results may lie from exact ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accuracy {
    /// Products are summed as they are: within `(n + 2) * eps * sum |x * w|` for sums of `n`, and
    /// exact on small integers.
    Summed,
    /// Products of transformed numbers (Winograd): the root mean square of the errors is at most
    /// 2e-6, and the largest at most 2e-5, of the root mean square of the results.
    Transformed,
}

/// What every kernel tells about itself.
///
/// Implementations trust the geometry, and slices have the lengths it says.
pub trait Conv2dKernel: Sync {
    /// The kernel's name, unique in its registry.
    fn name(&self) -> &'static str;

    /// The instructions it needs.
    fn isa(&self) -> Isa;

    /// Whether it can compute this geometry: of the plain feature map, or, given a pooling, of the
    /// map rectified and pooled ([`Output::ReluMaxPool`], [`OutputGradient::ReluMaxPool`]).
    fn supports(&self, g: &Conv2dGeometry, pool: Option<&Pool2dGeometry>) -> bool;

    /// How exact it is.
    fn accuracy(&self) -> Accuracy {
        Accuracy::Summed
    }
}

/// A way to compute convolutions.
pub trait Conv2dForward<T: Kernels>: Conv2dKernel {
    /// The convolution of `x` with `w`, plus `b` (one number per output channel).
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

    /// The weights in the order this kernel reads them, if that is worth keeping. Depends on nothing
    /// but the kernel, `w` and its shape.
    fn pack(&self, _g: &Conv2dGeometry, _w: &[T], _scratch: &BufferPool<T>) -> Option<Tensor<T>> {
        None
    }

    /// [`Conv2dForward::forward`] with what [`pack`](Conv2dForward::pack) made of the weights; with
    /// the weights themselves where it makes nothing of them.
    fn forward_packed(
        &self,
        g: &Conv2dGeometry,
        x: &[T],
        packed: &[T],
        b: Option<&[T]>,
        out: Output<'_, T>,
        scratch: &BufferPool<T>,
    );
}

/// A way to compute the gradient of a convolution's input.
pub trait Conv2dInputGradient<T: Kernels>: Conv2dKernel {
    /// The gradient of the input, written to `dx`.
    fn backward_input(
        &self,
        g: &Conv2dGeometry,
        dy: OutputGradient<'_, T>,
        w: &[T],
        dx: &mut [T],
        scratch: &BufferPool<T>,
    );
}

/// A way to compute the gradients of a convolution's weight and bias.
pub trait Conv2dWeightGradient<T: Kernels>: Conv2dKernel {
    /// The gradients of weight and bias, written to `dw` and `db`.
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

/// The convolution kernels of an element type, pass by pass: fastest first; the portable one,
/// which can do everything, last.
pub struct Conv2dKernels<T: 'static> {
    /// The convolution itself.
    pub forward: &'static [&'static dyn Conv2dForward<T>],
    /// The gradient of its input.
    pub input_gradient: &'static [&'static dyn Conv2dInputGradient<T>],
    /// The gradients of its weight and bias.
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
    /// The kernel for the convolution of this geometry, pooled or not.
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

/// The first of `kernels` that the machine, the forced instruction set (if any) and the geometry
/// allow.
fn first_that_fits<K: Conv2dKernel + ?Sized>(
    kernels: &'static [&'static K],
    g: &Conv2dGeometry,
    pool: Option<&Pool2dGeometry>,
) -> &'static K {
    let allowed = isa::allowed();
    let fits = |kernel: &&&K| allowed.contains(kernel.isa()) && kernel.supports(g, pool);
    // The portable kernel stands last, runs everywhere and supports everything.
    kernels.iter().find(fits).unwrap_or(&kernels[kernels.len() - 1])
}

impl<'a, T: Kernels> OutputGradient<'a, T> {
    /// The pooling behind the convolution, if it is one with it.
    pub fn pool(&self) -> Option<&'a Pool2dGeometry> {
        match *self {
            Self::Dense(_) => None,
            Self::ReluMaxPool { pool, .. } => Some(pool),
        }
    }

    /// The rows `rows` of image `n` of the feature map's gradient: borrowed where they lie there,
    /// spread out where only the pooled gradient is stored.
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
    /// As they lie in the whole map's.
    Stored(&'a [T]),
    /// Spread out from the pooled gradient into scratch memory.
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

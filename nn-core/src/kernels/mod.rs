//! The compute kernels: convolution, pooling, matrix products and optimiser updates over plain slices.
//!
//! Kernels know nothing of the autograd tape. All `unsafe` code of this crate is here.
#![allow(unsafe_code)]

pub(crate) mod activation;
pub(crate) mod bounds;
pub(crate) mod conv;
pub(crate) mod erf;
mod exp;
pub(crate) mod functions;
pub(crate) mod geometry;
pub mod isa;
pub(crate) mod linear;
pub(crate) mod mask;
pub(crate) mod matmul;
pub(crate) mod multiversion;
pub(crate) mod norm;
pub(crate) mod pages;
pub(crate) mod pairs;
pub(crate) mod parallel;
#[cfg(not(target_family = "wasm"))] // it measures time
pub(crate) mod peak;
pub(crate) mod pool;
pub(crate) mod reference;
pub(crate) mod resize;
mod simd;
pub(crate) mod update;

pub(crate) use geometry::{
    Conv2dGeometry, Conv2dOptions, Padding, Pool2dGeometry, Pool2dOptions, Pooled,
};
pub(crate) use isa::Isa;

use crate::tensor::Element;
use conv::{
    Conv2dKernels, depthwise::Depthwise, direct::Direct, im2col::Im2col, implicit::Implicit,
    implicit::weight_gradient::ImplicitWeight, sparse_input::SparseInput,
    sparse_weight::SparseWeight, winograd::Winograd, winograd::weight_gradient::WinogradWeight,
};

/// An element type with kernels: `f32`, or `f64` for gradient checks.
///
/// The trait is sealed: only this crate can implement it.
pub trait Kernels: Tables {}

impl Kernels for f32 {}
impl Kernels for f64 {}

/// The kernels that exist for an element type.
#[doc(hidden)]
pub trait Tables: Element + linear::Loops {
    /// The convolution kernels.
    fn conv2d() -> Conv2dKernels<Self>;

    /// The products of dense layers; use the functions of [`linear`].
    fn linear() -> linear::Products<Self>;

    /// Normalisations.
    fn norms() -> norm::Norms<Self>;

    /// The weight updates of optimisers.
    fn updates() -> update::Updates<Self>;

    /// The functions of one number.
    fn functions() -> functions::Functions<Self>;

    /// The bits of what ReLU and dropout passed on.
    fn masks() -> mask::Masks<Self>;

    /// Poolings.
    fn pools() -> pool::Pools<Self>;

    /// The functions of two numbers.
    fn pairs() -> pairs::Pairs<Self>;

    /// `C = alpha A B + beta C` over raw pointers; use [`matmul::gemm`], which checks sizes and
    /// strides.
    ///
    /// # Safety
    /// Every element that the sizes and strides name must lie inside its allocation, and no two
    /// elements of `C` at the same place. `C` is not read when `beta` is zero.
    #[allow(clippy::too_many_arguments)] // BLAS's own argument list
    unsafe fn raw_gemm(
        m: usize,
        k: usize,
        n: usize,
        alpha: Self,
        a: (*const Self, isize, isize),
        b: (*const Self, isize, isize),
        beta: Self,
        c: (*mut Self, isize, isize),
    );
}

macro_rules! impl_kernels {
    ($t:ty, $gemm:path, $conv2d:expr) => {
        impl Tables for $t {
            fn conv2d() -> Conv2dKernels<Self> {
                $conv2d
            }

            #[inline(never)] // inlined in another crate, the products would be compiled there
            fn linear() -> linear::Products<Self> {
                linear::Products::COMPILED
            }

            #[inline(never)] // as for `linear`
            fn norms() -> norm::Norms<Self> {
                norm::Norms::COMPILED
            }

            #[inline(never)] // as for `linear`
            fn updates() -> update::Updates<Self> {
                update::Updates::COMPILED
            }

            #[inline(never)] // as for `linear`
            fn functions() -> functions::Functions<Self> {
                functions::Functions::COMPILED
            }

            #[inline(never)] // as for `linear`
            fn masks() -> mask::Masks<Self> {
                mask::Masks::COMPILED
            }

            #[inline(never)] // as for `linear`
            fn pools() -> pool::Pools<Self> {
                pool::Pools::COMPILED
            }

            #[inline(never)] // as for `linear`
            fn pairs() -> pairs::Pairs<Self> {
                pairs::Pairs::COMPILED
            }

            unsafe fn raw_gemm(
                m: usize,
                k: usize,
                n: usize,
                alpha: Self,
                (a, rsa, csa): (*const Self, isize, isize),
                (b, rsb, csb): (*const Self, isize, isize),
                beta: Self,
                (c, rsc, csc): (*mut Self, isize, isize),
            ) {
                // SAFETY: the caller's promise is the callee's.
                unsafe { $gemm(m, k, n, alpha, a, rsa, csa, b, rsb, csb, beta, c, rsc, csc) }
            }
        }
    };
}

impl_kernels!(
    f32,
    matrixmultiply::sgemm,
    Conv2dKernels {
        forward: &[
            &Direct { isa: Isa::Avx512 },
            &Winograd { isa: Isa::Avx512 },
            &Direct { isa: Isa::Avx2 },
            &Winograd { isa: Isa::Avx2 },
            &Direct { isa: Isa::Neon },
            &Winograd { isa: Isa::Neon },
            &Winograd { isa: Isa::Portable },
            &Depthwise { isa: Isa::Avx512 },
            &Depthwise { isa: Isa::Avx2 },
            &Depthwise { isa: Isa::Neon },
            &Depthwise { isa: Isa::Portable },
            &Implicit { isa: Isa::Avx512 },
            &Implicit { isa: Isa::Avx2 },
            &Implicit { isa: Isa::Neon },
            &Implicit { isa: Isa::Portable },
            &Im2col,
        ],
        input_gradient: &[
            &SparseInput { isa: Isa::Avx512 },
            &Winograd { isa: Isa::Avx512 },
            &SparseInput { isa: Isa::Avx2 },
            &Winograd { isa: Isa::Avx2 },
            &SparseInput { isa: Isa::Portable },
            &Winograd { isa: Isa::Neon },
            &Winograd { isa: Isa::Portable },
            &Depthwise { isa: Isa::Avx512 },
            &Depthwise { isa: Isa::Avx2 },
            &Depthwise { isa: Isa::Neon },
            &Depthwise { isa: Isa::Portable },
            &Implicit { isa: Isa::Avx512 },
            &Implicit { isa: Isa::Avx2 },
            &Implicit { isa: Isa::Neon },
            &Implicit { isa: Isa::Portable },
            &Im2col,
        ],
        weight_gradient: &[
            &SparseWeight { isa: Isa::Avx512 },
            &WinogradWeight { isa: Isa::Avx512 },
            &SparseWeight { isa: Isa::Avx2 },
            &WinogradWeight { isa: Isa::Avx2 },
            &SparseWeight { isa: Isa::Portable },
            &WinogradWeight { isa: Isa::Neon },
            &WinogradWeight { isa: Isa::Portable },
            &Depthwise { isa: Isa::Avx512 },
            &Depthwise { isa: Isa::Avx2 },
            &Depthwise { isa: Isa::Neon },
            &Depthwise { isa: Isa::Portable },
            &ImplicitWeight { isa: Isa::Avx512 },
            &ImplicitWeight { isa: Isa::Avx2 },
            &ImplicitWeight { isa: Isa::Neon },
            &ImplicitWeight { isa: Isa::Portable },
            &Im2col,
        ],
    }
);
impl_kernels!(
    f64,
    matrixmultiply::dgemm,
    Conv2dKernels { forward: &[&Im2col], input_gradient: &[&Im2col], weight_gradient: &[&Im2col] }
);

/// Whether this build has kernels for `isa`.
fn has_kernels(isa: Isa) -> bool {
    f32::conv2d().isas().any(|needed| needed == isa)
}

//! Scalar loops, compiled once per instruction set and run for the active one ([`isa::active`]).
//!
//! For loops that the compiler vectorises by itself. It never fuses a product and a sum, nor reorders a
//! sum, so results are bit-identical for every set.

use super::isa;
use super::simd::{self, Simd, SimdFn};

/// A computation in scalar loops.
pub(crate) trait Multiversion {
    /// The result.
    type Output;

    /// Runs the computation. Must be `#[inline(always)]`, and so must everything performance-critical
    /// it calls.
    fn run(self) -> Self::Output;
}

/// Runs `loops` compiled for the active instruction set.
pub(crate) fn multiversion<L: Multiversion>(loops: L) -> L::Output {
    simd::run(isa::active(), Compiled(loops))
}

struct Compiled<L>(L);

impl<L: Multiversion> SimdFn for Compiled<L> {
    type Output = L::Output;

    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> L::Output {
        self.0.run()
    }
}

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

/// The loop `for each element v { v = value }`.
macro_rules! each {
    ($data:expr, $v:ident => $value:expr) => {
        for v in $data.iter_mut() {
            let $v = *v;
            *v = $value;
        }
    };
}
pub(crate) use each;

/// The loop `for each element g and the number v of the other slice at its place { g = value }`.
macro_rules! each_pair {
    ($gradient:expr, $saved:expr, $g:ident, $v:ident => $value:expr) => {
        for (g, &$v) in $gradient.iter_mut().zip($saved) {
            let $g = *g;
            *g = $value;
        }
    };
}
pub(crate) use each_pair;

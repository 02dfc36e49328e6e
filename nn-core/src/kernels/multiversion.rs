//! Plain loops, compiled for the widest instructions of the machine.
//!
//! For loops that the compiler turns into vectors by itself. It never contracts a product and a sum,
//! nor reorders a sum, so the bits are the same for every set.

use super::isa;
use super::simd::{self, Simd, SimdFn};

/// A computation in plain loops.
pub(crate) trait Multiversion {
    /// What comes out.
    type Output;

    /// Computes it. Must be `#[inline(always)]`, and so must everything it calls that counts.
    fn run(self) -> Self::Output;
}

/// The result of `loops`.
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

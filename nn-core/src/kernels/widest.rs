//! Plain loops, compiled for the widest instructions of the machine.
//!
//! For loops that the compiler turns into vectors by itself. It never contracts a product and a sum,
//! nor reorders a sum, so the bits are the same for every set.

use super::isa;
use super::simd::{self, Simd, Work};

/// A computation in plain loops.
pub(crate) trait Loops {
    /// What comes out.
    type Output;

    /// Computes it. Must be `#[inline(always)]`, and so must everything it calls that counts.
    fn run(self) -> Self::Output;
}

/// The result of `loops`.
pub(crate) fn widest<L: Loops>(loops: L) -> L::Output {
    let mut output = None;
    simd::run(isa::active(), Compiled { loops, output: &mut output });
    output.expect("work that was run has a result")
}

struct Compiled<'a, L: Loops> {
    loops: L,
    output: &'a mut Option<L::Output>,
}

impl<L: Loops> Work for Compiled<'_, L> {
    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        *self.output = Some(self.loops.run());
    }
}

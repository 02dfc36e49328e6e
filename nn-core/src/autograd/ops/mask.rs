//! Bit masks of the elements that an op passed on: saved by ReLU and dropout.
//!
//! One bit per element, a thirty-second of the memory of `f32` values.

use crate::autograd::{Backward, Op};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::kernels::parallel::prelude::*;
use crate::kernels::parallel::{for_each_piece, piece};
use crate::tensor::{Buffer, BufferPool, Tensor};

/// An op whose output is `scale * x` where the element's bit is set, and 0 elsewhere.
pub(super) struct Masked<T> {
    name: &'static str,
    /// Element `i` has bit `i % 8` of byte `i / 8`.
    bits: Buffer<u8>,
    scale: T,
}

impl<T: Kernels> Masked<T> {
    /// ReLU, in place. NaN stays and passes its gradient on.
    pub fn relu(data: &mut [T], pool: &BufferPool<T>) -> Self {
        Self::marked("relu", data, pool, |data, bits| (T::masks().relu)(data, bits))
    }

    /// Applies `f` to every element of `data`, in place, and sets the bits of those for which it
    /// returned true.
    pub fn update(
        name: &'static str,
        data: &mut [T],
        pool: &BufferPool<T>,
        f: impl Fn(&mut T) -> bool + Sync,
    ) -> Self {
        Self::marked(name, data, pool, |data, bits| {
            for (eight, byte) in data.chunks_mut(8).zip(bits) {
                let set = eight.iter_mut().enumerate().map(|(bit, v)| u8::from(f(v)) << bit);
                *byte = set.fold(0, |byte, bit| byte | bit);
            }
        })
    }

    /// Calls `mark` with parts of `data`, to be changed in place, and with the bits of each part.
    fn marked(
        name: &'static str,
        data: &mut [T],
        pool: &BufferPool<T>,
        mark: impl Fn(&mut [T], &mut [u8]) + Sync,
    ) -> Self {
        let mut bits = pool.scratch_bytes(data.len().div_ceil(8));
        // The length is a multiple of 8: no byte belongs to two tasks.
        let len = piece(data.len());
        if len >= data.len() {
            mark(data, &mut bits);
        } else {
            let pieces = data.par_chunks_mut(len).zip(bits.par_chunks_mut(len / 8));
            pieces.for_each(|(data, bits)| mark(data, bits));
        }
        Self { name, bits, scale: T::one() }
    }

    /// A mask of `len` elements whose bits are drawn in order by `keep`.
    pub fn draw(
        name: &'static str,
        len: usize,
        scale: T,
        pool: &BufferPool<T>,
        mut keep: impl FnMut() -> bool,
    ) -> Self {
        let mut bits = pool.scratch_bytes(len.div_ceil(8));
        for (i, byte) in bits.iter_mut().enumerate() {
            let set = (0..8.min(len - i * 8)).map(|bit| u8::from(keep()) << bit);
            *byte = set.fold(0, |byte, bit| byte | bit);
        }
        Self { name, bits, scale }
    }

    /// Scales the elements whose bits are set and zeroes the others.
    pub fn apply(&self, data: &mut [T]) {
        for_each_piece(data, |start, data| {
            (T::masks().keep)(self.scale, data, &self.bits[start / 8..]);
        });
    }
}

impl<T: Kernels> Op<T> for Masked<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn backward(&self, mut gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        self.apply(gradient.as_mut_slice());
        inputs.accumulate(0, gradient)
    }
}

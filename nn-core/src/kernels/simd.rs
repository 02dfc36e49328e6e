//! Vectors of `f32`, so that one generic kernel body serves every instruction set.
//!
//! A kernel is written once over [`Simd`], as the `run` of a [`SimdFn`]; [`run`] calls it compiled for
//! an instruction set. Everything between [`run`] and the vector operations must be
//! `#[inline(always)]`: only what is inlined into the `#[target_feature]` functions here is compiled
//! with the instructions of the set. Hot loops therefore run over an index: the closures of iterator
//! adaptors may not be inlined.
//!
//! **Invariant.** A vector of a set exists only if the processor has the set. Constructors are `unsafe`
//! and require it; operations on existing vectors are therefore safe.

#![allow(clippy::needless_range_loop)] // loops run over an index, see above

#[cfg(target_arch = "x86_64")]
mod x86;

use super::isa::Isa;

/// A vector of [`LANES`](Simd::LANES) numbers. Operations are lane-wise.
pub(crate) trait Simd: Copy {
    /// Numbers in a vector.
    const LANES: usize;
    /// Whether the set has a fused multiply-add instruction. Without one it is a slow library call.
    const FUSED: bool;
    /// Rows of the tallest register tile, two vectors per row, whose sums fit into the registers of the
    /// set.
    const MR: usize;
    /// The result of a lane-wise comparison.
    type Mask: Copy;

    /// Runs `work` in a function of its own that is compiled with the instructions of the set. Register
    /// allocation in its loops does not compete with the code around the call.
    ///
    /// # Safety
    /// The processor has the instructions of the set.
    unsafe fn outlined<W: SimdFn>(work: W) -> W::Output;

    /// Zeros.
    ///
    /// # Safety
    /// The processor has the instructions of the set.
    unsafe fn zero() -> Self;

    /// `v` in every lane.
    ///
    /// # Safety
    /// The processor has the instructions of the set.
    unsafe fn splat(v: f32) -> Self;

    /// One vector per number, with the number in every lane.
    ///
    /// # Safety
    /// The processor has the instructions of the set.
    #[inline(always)]
    unsafe fn splats<const N: usize>(numbers: [f32; N]) -> [Self; N] {
        // SAFETY: the caller's promise.
        let mut vectors = [unsafe { Self::zero() }; N];
        for i in 0..N {
            // SAFETY: the caller's promise.
            vectors[i] = unsafe { Self::splat(numbers[i]) };
        }
        vectors
    }

    /// Reads `LANES` numbers; no alignment is required.
    ///
    /// # Safety
    /// The processor has the instructions of the set, and the numbers are readable.
    unsafe fn load(from: *const f32) -> Self;

    /// Reads `LANES` bytes and converts them to numbers.
    ///
    /// # Safety
    /// The processor has the instructions of the set, and the bytes are readable.
    unsafe fn load_bytes(from: *const u8) -> Self;

    /// Writes `LANES` numbers; no alignment is required.
    ///
    /// # Safety
    /// The numbers are writable.
    unsafe fn store(self, to: *mut f32);

    /// Converts the lanes to bytes and writes them.
    ///
    /// # Safety
    /// The bytes are writable. What lanes that are not whole numbers from 0 to 255 become is
    /// not specified.
    unsafe fn store_bytes(self, to: *mut u8);

    /// `self + other`
    fn add(self, other: Self) -> Self;
    /// `self - other`
    fn sub(self, other: Self) -> Self;
    /// `self * other`
    fn mul(self, other: Self) -> Self;
    /// `self * by + plus`, rounded once if the set has a fused multiply-add.
    fn mul_add(self, by: Self, plus: Self) -> Self;
    /// `from - self * by`, rounded once if the set has a fused multiply-add.
    fn neg_mul_add(self, by: Self, from: Self) -> Self;
    /// Lanes where `self <= other`; false if either is NaN.
    fn at_most(self, other: Self) -> Self::Mask;
    /// Lanes where the numbers are equal; false if either is NaN.
    fn equals(self, other: Self) -> Self::Mask;
    /// Lanes where `self` replaces `best` in a running maximum: where it is greater, or is NaN while
    /// `best` is not. So a NaN replaces every number, and of equal numbers the first stays.
    fn beats(self, best: Self) -> Self::Mask;
    /// `yes` where the mask is set, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// Writes the lanes selected by the mask contiguously to `to` and returns their number. The rest of
    /// the `LANES` numbers at `to` is overwritten with unspecified values.
    ///
    /// # Safety
    /// `LANES` numbers are writable.
    unsafe fn compress(self, mask: Self::Mask, to: *mut f32) -> usize;

    /// Like [`compress`](Simd::compress), for the first `LANES` integers of `from`. The bits are only
    /// moved, not interpreted.
    ///
    /// # Panics
    /// If `from` is shorter than a vector.
    ///
    /// # Safety
    /// The processor has the instructions of the set, and `LANES` numbers are writable.
    #[inline(always)]
    unsafe fn compress_u32(from: &[u32], mask: Self::Mask, to: *mut u32) -> usize {
        assert!(from.len() >= Self::LANES);
        // SAFETY: as many numbers are readable, by the assertion, and writable, by the caller's promise.
        unsafe { Self::load(from.as_ptr().cast()).compress(mask, to.cast()) }
    }

    /// Reads the first `LANES` numbers of `from`; if there are fewer, the remaining lanes are zero.
    ///
    /// # Safety
    /// The processor has the instructions of the set.
    #[inline(always)]
    unsafe fn read(from: &[f32]) -> Self {
        if from.len() >= Self::LANES {
            // SAFETY: the slice is long enough.
            return unsafe { Self::load(from.as_ptr()) };
        }
        let lanes = padded(from);
        // SAFETY: no vector has more than `MAX_LANES` lanes.
        unsafe { Self::load(lanes.as_ptr()) }
    }

    /// Like [`read`](Simd::read), of bytes.
    ///
    /// # Safety
    /// The processor has the instructions of the set.
    #[inline(always)]
    unsafe fn read_bytes(from: &[u8]) -> Self {
        if from.len() >= Self::LANES {
            // SAFETY: the slice is long enough.
            return unsafe { Self::load_bytes(from.as_ptr()) };
        }
        let lanes = padded(from);
        // SAFETY: no vector has more than `MAX_LANES` lanes.
        unsafe { Self::load_bytes(lanes.as_ptr()) }
    }

    /// Writes the lanes to the start of `to`; lanes that do not fit are dropped.
    #[inline(always)]
    fn write(self, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            // SAFETY: the slice is long enough.
            return unsafe { self.store(to.as_mut_ptr()) };
        }
        let mut lanes = [0.0; MAX_LANES];
        // SAFETY: no vector has more than `MAX_LANES` lanes.
        unsafe { self.store(lanes.as_mut_ptr()) };
        copy_start(&lanes, to);
    }

    /// Like [`write`](Simd::write), as bytes. Lanes must be integers from 0 to 255.
    #[inline(always)]
    fn write_bytes(self, to: &mut [u8]) {
        if to.len() >= Self::LANES {
            // SAFETY: the slice is long enough.
            return unsafe { self.store_bytes(to.as_mut_ptr()) };
        }
        let mut lanes = [0; MAX_LANES];
        // SAFETY: no vector has more than `MAX_LANES` lanes.
        unsafe { self.store_bytes(lanes.as_mut_ptr()) };
        copy_start(&lanes, to);
    }
}

/// [`Simd::MR`] of sets with 32 registers, at least.
pub(crate) const MANY_REGISTERS: usize = 8;

/// Lanes of the longest vectors.
pub(crate) const MAX_LANES: usize = 16;

/// Fills `to` from the start of `from`. Not inlined, like [`padded`]: the incomplete vector at the end
/// of a row of channels is rare, and its code should not slow down the others.
#[cold]
#[inline(never)]
fn copy_start<T: Copy>(from: &[T; MAX_LANES], to: &mut [T]) {
    to.copy_from_slice(&from[..to.len()]);
}

/// The elements of `from`, fewer than a vector holds, followed by zeros.
#[cold]
#[inline(never)]
fn padded<T: Copy + Default>(from: &[T]) -> [T; MAX_LANES] {
    let mut lanes = [T::default(); MAX_LANES];
    lanes[..from.len()].copy_from_slice(from);
    lanes
}

/// Prefetches the cache line at `at` if there is an instruction for it. Any address is allowed: nothing
/// is read from an unmapped one.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE, and a prefetch reads nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Like [`prefetch`], but leaves the L1 cache alone.
#[inline(always)]
pub(crate) fn prefetch_to_l2<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE, and a prefetch reads nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// A computation that is generic over the vectors of an instruction set.
pub(crate) trait SimdFn {
    /// The result.
    type Output;

    /// Runs the computation. Must be `#[inline(always)]`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    unsafe fn run<V: Simd>(self) -> Self::Output;
}

/// Runs `work` with the vectors of `isa`, or with plain arrays if this build has no vectors for it.
///
/// # Panics
/// If the processor lacks `isa`.
pub(crate) fn run<W: SimdFn>(isa: Isa, work: W) -> W::Output {
    assert!(isa.is_available(), "this machine lacks {isa}");
    match isa {
        // SAFETY: the processor has the set, as asserted.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { x86::F32x16::outlined(work) },
        // SAFETY: the processor has the set, as asserted.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { x86::F32x8::outlined(work) },
        // SAFETY: plain arrays need nothing.
        _ => unsafe { Array::outlined(work) },
    }
}

/// Rows of the tallest register tile of `isa`: [`Simd::MR`].
pub(crate) fn tile_rows(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => x86::F32x16::MR,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => x86::F32x8::MR,
        _ => Array::MR,
    }
}

/// Lanes of the vectors of `isa`.
pub(crate) fn lanes(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => x86::F32x16::LANES,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => x86::F32x8::LANES,
        _ => Array::LANES,
    }
}

/// Four numbers in a plain array, which the compiler maps to a register of SSE2 or NEON.
#[derive(Clone, Copy)]
pub(crate) struct Array([f32; 4]);

impl Array {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut lanes = self.0;
        for (lane, other) in lanes.iter_mut().zip(other.0) {
            *lane = f(*lane, other);
        }
        Self(lanes)
    }

    #[inline(always)]
    fn compare(self, other: Self, f: impl Fn(f32, f32) -> bool) -> [bool; 4] {
        let mut mask = [false; 4];
        for ((mask, a), b) in mask.iter_mut().zip(self.0).zip(other.0) {
            *mask = f(a, b);
        }
        mask
    }
}

impl Simd for Array {
    const LANES: usize = 4;
    // Every 64-bit ARM processor has the instruction.
    const FUSED: bool = cfg!(target_arch = "aarch64");
    // AArch64 has 32 registers, SSE2 16.
    const MR: usize = if cfg!(target_arch = "aarch64") { 8 } else { 5 };
    type Mask = [bool; 4];

    #[inline(never)]
    unsafe fn outlined<W: SimdFn>(work: W) -> W::Output {
        // SAFETY: the caller's promise.
        unsafe { work.run::<Self>() }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 4])
    }

    #[inline(always)]
    unsafe fn splat(v: f32) -> Self {
        Self([v; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { from.cast::<[u8; 4]>().read() }.map(f32::from))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[u8; 4]>().write(self.0.map(|lane| lane as u8)) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn mul_add(self, by: Self, plus: Self) -> Self {
        let mut lanes = self.0;
        for ((lane, by), plus) in lanes.iter_mut().zip(by.0).zip(plus.0) {
            *lane = if Self::FUSED { lane.mul_add(by, plus) } else { *lane * by + plus };
        }
        Self(lanes)
    }

    #[inline(always)]
    fn neg_mul_add(self, by: Self, from: Self) -> Self {
        Self(self.0.map(|lane| -lane)).mul_add(by, from)
    }

    #[inline(always)]
    fn at_most(self, other: Self) -> [bool; 4] {
        self.compare(other, |a, b| a <= b)
    }

    #[inline(always)]
    fn equals(self, other: Self) -> [bool; 4] {
        self.compare(other, |a, b| a == b)
    }

    #[inline(always)]
    fn beats(self, best: Self) -> [bool; 4] {
        self.compare(best, |a, best| (a > best) | (a.is_nan() & !best.is_nan()))
    }

    #[inline(always)]
    unsafe fn compress(self, mask: [bool; 4], to: *mut f32) -> usize {
        let mut written = 0;
        for (lane, set) in self.0.into_iter().zip(mask) {
            // SAFETY: fewer lanes than there are were written; the caller's promise.
            unsafe { to.add(written).write(lane) };
            written += usize::from(set);
        }
        written
    }

    #[inline(always)]
    fn select(mask: [bool; 4], yes: Self, no: Self) -> Self {
        let mut lanes = no.0;
        for ((lane, yes), set) in lanes.iter_mut().zip(yes.0).zip(mask) {
            *lane = if set { yes } else { *lane };
        }
        Self(lanes)
    }
}

#[cfg(test)]
mod tests;

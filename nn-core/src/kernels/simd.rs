//! Vectors of `f32`, so that one generic kernel body serves every instruction set.
//!
//! A kernel is written once over [`Simd`], as the `run` of a [`Work`]; [`run`] calls it compiled for
//! an instruction set. Everything between [`run`] and the vector operations must be
//! `#[inline(always)]`: only what is inlined into the `#[target_feature]` shells here is compiled with
//! the instructions of the set.
//!
//! **Invariant.** A vector of a set exists only where the processor has the set: the three
//! constructors are `unsafe` and promise it, so operations on vectors that exist need no promise.

use super::isa::Isa;

/// A vector of [`LANES`](Simd::LANES) numbers. Operations work lane by lane.
pub(crate) trait Simd: Copy {
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of a register tile two vectors wide whose sums fit into the registers of the set.
    const TILE_ROWS: usize;
    /// What a comparison says about each lane.
    type Mask: Copy;

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

    /// Reads `LANES` numbers; any alignment will do.
    ///
    /// # Safety
    /// The processor has the instructions of the set, and the numbers are readable.
    unsafe fn load(from: *const f32) -> Self;

    /// Reads `LANES` bytes as numbers.
    ///
    /// # Safety
    /// The processor has the instructions of the set, and the bytes are readable.
    unsafe fn load_bytes(from: *const u8) -> Self;

    /// Writes `LANES` numbers; any alignment will do.
    ///
    /// # Safety
    /// The numbers are writable.
    unsafe fn store(self, to: *mut f32);

    /// Writes the lanes as bytes.
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
    /// `self * by + plus`, rounded once where the set can.
    fn mul_add(self, by: Self, plus: Self) -> Self;
    /// `from - self * by`, rounded once where the set can.
    fn neg_mul_add(self, by: Self, from: Self) -> Self;
    /// Where `self` is at most `other`; nowhere if either is NaN.
    fn at_most(self, other: Self) -> Self::Mask;
    /// Where the numbers are equal; nowhere if either is NaN.
    fn equals(self, other: Self) -> Self::Mask;
    /// Where `self` takes the place of the maximum so far: where it is greater, and where it is NaN
    /// and the maximum is not. So a NaN beats every number and the first of equals stays.
    fn beats(self, best: Self) -> Self::Mask;
    /// `yes` where the mask is set, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// Reads the first `LANES` numbers of `from`, or all if there are fewer, and zeros after them.
    ///
    /// # Safety
    /// The processor has the instructions of the set.
    #[inline(always)]
    unsafe fn read(from: &[f32]) -> Self {
        if from.len() >= Self::LANES {
            // SAFETY: the slice is long enough.
            return unsafe { Self::load(from.as_ptr()) };
        }
        let mut lanes = [0.0; MAX_LANES];
        lanes[..from.len()].copy_from_slice(from);
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
        let mut lanes = [0; MAX_LANES];
        lanes[..from.len()].copy_from_slice(from);
        // SAFETY: no vector has more than `MAX_LANES` lanes.
        unsafe { Self::load_bytes(lanes.as_ptr()) }
    }

    /// Writes the lanes to the start of `to`, as many as fit.
    #[inline(always)]
    fn write(self, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            // SAFETY: the slice is long enough.
            return unsafe { self.store(to.as_mut_ptr()) };
        }
        let mut lanes = [0.0; MAX_LANES];
        // SAFETY: no vector has more than `MAX_LANES` lanes.
        unsafe { self.store(lanes.as_mut_ptr()) };
        to.copy_from_slice(&lanes[..to.len()]);
    }

    /// Like [`write`](Simd::write), as bytes. Lanes must be whole numbers from 0 to 255.
    #[inline(always)]
    fn write_bytes(self, to: &mut [u8]) {
        if to.len() >= Self::LANES {
            // SAFETY: the slice is long enough.
            return unsafe { self.store_bytes(to.as_mut_ptr()) };
        }
        let mut lanes = [0; MAX_LANES];
        // SAFETY: no vector has more than `MAX_LANES` lanes.
        unsafe { self.store_bytes(lanes.as_mut_ptr()) };
        to.copy_from_slice(&lanes[..to.len()]);
    }
}

/// The lanes of the widest vectors.
const MAX_LANES: usize = 16;

/// Something to compute with vectors of whatever instruction set.
pub(crate) trait Work {
    /// Does it. Must be `#[inline(always)]`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    unsafe fn run<V: Simd>(self);
}

/// Does `work` with the vectors of `isa`; with plain arrays where the build knows no vectors of it.
///
/// # Panics
/// If the processor lacks `isa`.
pub(crate) fn run<W: Work>(isa: Isa, work: W) {
    assert!(isa.is_available(), "this machine lacks {isa}");
    match isa {
        // SAFETY: the processor has the set, as asserted.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { x86::run_avx512(work) },
        // SAFETY: the processor has the set, as asserted.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { x86::run_avx2(work) },
        // SAFETY: plain arrays need nothing.
        _ => unsafe { work.run::<Array>() },
    }
}

/// The lanes of `isa`'s vectors.
pub(crate) fn lanes(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => x86::F32x16::LANES,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => x86::F32x8::LANES,
        _ => Array::LANES,
    }
}

/// Four numbers in a plain array, which the compiler turns into a register of SSE2 or NEON.
#[derive(Clone, Copy)]
pub(crate) struct Array([f32; 4]);

/// Whether a fused multiply-add is an instruction of every processor of this architecture. Without
/// one it is a slow library call.
const FUSED: bool = cfg!(target_arch = "aarch64");

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
    // AArch64 has 32 registers, SSE2 16.
    const TILE_ROWS: usize = if cfg!(target_arch = "aarch64") { 8 } else { 5 };
    type Mask = [bool; 4];

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
            *lane = if FUSED { lane.mul_add(by, plus) } else { *lane * by + plus };
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
    fn select(mask: [bool; 4], yes: Self, no: Self) -> Self {
        let mut lanes = no.0;
        for ((lane, yes), set) in lanes.iter_mut().zip(yes.0).zip(mask) {
            *lane = if set { yes } else { *lane };
        }
        Self(lanes)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! AVX2 with FMA, and AVX-512. Every intrinsic here is safe to call because a vector exists or a
    //! constructor's caller promised the instructions: the invariant of the file.

    use super::{Simd, Work};
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor has AVX-512 F, BW, DQ and VL.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    pub unsafe fn run_avx512<W: Work>(work: W) {
        // SAFETY: the caller's promise.
        unsafe { work.run::<F32x16>() }
    }

    /// # Safety
    /// The processor has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn run_avx2<W: Work>(work: W) {
        // SAFETY: the caller's promise.
        unsafe { work.run::<F32x8>() }
    }

    /// Implements the operations that are one intrinsic each.
    macro_rules! intrinsics {
        ($($name:ident($($arg:ident),*) = $intrinsic:ident;)*) => {
            $(
                #[inline(always)]
                fn $name(self, $($arg: Self),*) -> Self {
                    // SAFETY: a vector exists, so the processor has the instructions.
                    Self(unsafe { $intrinsic(self.0, $($arg.0),*) })
                }
            )*
        };
    }

    /// Sixteen numbers in a register of AVX-512.
    #[derive(Clone, Copy)]
    pub struct F32x16(__m512);

    impl Simd for F32x16 {
        const LANES: usize = 16;
        const TILE_ROWS: usize = 14;
        type Mask = __mmask16;

        intrinsics! {
            add(other) = _mm512_add_ps;
            sub(other) = _mm512_sub_ps;
            mul(other) = _mm512_mul_ps;
            mul_add(by, plus) = _mm512_fmadd_ps;
            neg_mul_add(by, from) = _mm512_fnmadd_ps;
        }

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm512_setzero_ps() })
        }

        #[inline(always)]
        unsafe fn splat(v: f32) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm512_set1_ps(v) })
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm512_loadu_ps(from) })
        }

        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        unsafe fn store_bytes(self, to: *mut u8) {
            // SAFETY: the caller's promise.
            unsafe {
                let bytes = _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(self.0));
                _mm_storeu_si128(to.cast(), bytes);
            }
        }

        #[inline(always)]
        fn at_most(self, other: Self) -> __mmask16 {
            // SAFETY: a vector exists, so the processor has the instructions.
            unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(self.0, other.0) }
        }

        #[inline(always)]
        fn equals(self, other: Self) -> __mmask16 {
            // SAFETY: a vector exists, so the processor has the instructions.
            unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(self.0, other.0) }
        }

        #[inline(always)]
        fn beats(self, best: Self) -> __mmask16 {
            // Not at most: greater, or one is NaN. The maximum so far must not be the one.
            // SAFETY: a vector exists, so the processor has the instructions.
            unsafe {
                let number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(best.0, best.0);
                _mm512_mask_cmp_ps_mask::<_CMP_NLE_UQ>(number, self.0, best.0)
            }
        }

        #[inline(always)]
        fn select(mask: __mmask16, yes: Self, no: Self) -> Self {
            // SAFETY: a vector exists, so the processor has the instructions.
            Self(unsafe { _mm512_mask_blend_ps(mask, no.0, yes.0) })
        }
    }

    /// Eight numbers in a register of AVX2.
    #[derive(Clone, Copy)]
    pub struct F32x8(__m256);

    impl Simd for F32x8 {
        const LANES: usize = 8;
        const TILE_ROWS: usize = 6;
        type Mask = __m256;

        intrinsics! {
            add(other) = _mm256_add_ps;
            sub(other) = _mm256_sub_ps;
            mul(other) = _mm256_mul_ps;
            mul_add(by, plus) = _mm256_fmadd_ps;
            neg_mul_add(by, from) = _mm256_fnmadd_ps;
        }

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm256_setzero_ps() })
        }

        #[inline(always)]
        unsafe fn splat(v: f32) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm256_set1_ps(v) })
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm256_loadu_ps(from) })
        }

        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        unsafe fn store_bytes(self, to: *mut u8) {
            // SAFETY: the caller's promise.
            unsafe {
                let lanes = _mm256_cvttps_epi32(self.0);
                let (low, high) =
                    (_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
                let words = _mm_packus_epi32(low, high);
                _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
            }
        }

        #[inline(always)]
        fn at_most(self, other: Self) -> __m256 {
            // SAFETY: a vector exists, so the processor has the instructions.
            unsafe { _mm256_cmp_ps::<_CMP_LE_OQ>(self.0, other.0) }
        }

        #[inline(always)]
        fn equals(self, other: Self) -> __m256 {
            // SAFETY: a vector exists, so the processor has the instructions.
            unsafe { _mm256_cmp_ps::<_CMP_EQ_OQ>(self.0, other.0) }
        }

        #[inline(always)]
        fn beats(self, best: Self) -> __m256 {
            // Not at most: greater, or one is NaN. The maximum so far must not be the one.
            // SAFETY: a vector exists, so the processor has the instructions.
            unsafe {
                let number = _mm256_cmp_ps::<_CMP_ORD_Q>(best.0, best.0);
                _mm256_and_ps(number, _mm256_cmp_ps::<_CMP_NLE_UQ>(self.0, best.0))
            }
        }

        #[inline(always)]
        fn select(mask: __m256, yes: Self, no: Self) -> Self {
            // SAFETY: a vector exists, so the processor has the instructions.
            Self(unsafe { _mm256_blendv_ps(no.0, yes.0, mask) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies every operation to lanes of every kind of number and compares with plain arithmetic.
    struct Check;

    impl Work for Check {
        #[inline(always)]
        unsafe fn run<V: Simd>(self) {
            let numbers = [1.0, -2.5, 0.0, f32::NAN, 3.0, f32::INFINITY, -0.0, 255.0, 7.0];
            let lanes = |step: usize| {
                (0..V::LANES).map(|i| numbers[i * step % numbers.len()]).collect::<Vec<f32>>()
            };
            for (step_a, step_b) in [(1, 1), (1, 2), (2, 5), (7, 1), (4, 4)] {
                let (a, b, c) = (lanes(step_a), lanes(step_b), lanes(1));
                let check = |what: &str, v: V, expected: &dyn Fn(f32, f32, f32) -> f32| {
                    let mut got = vec![0.0; V::LANES];
                    // SAFETY: `got` has as many elements as the vector lanes.
                    unsafe { v.store(got.as_mut_ptr()) };
                    for i in 0..V::LANES {
                        let expected = expected(a[i], b[i], c[i]);
                        let same = got[i] == expected || got[i].is_nan() && expected.is_nan();
                        assert!(same, "{what} of {} and {}: {}", a[i], b[i], got[i]);
                    }
                };
                // SAFETY: as many elements as lanes; the caller promised the instructions.
                let [x, y, z] = [&a, &b, &c].map(|v| unsafe { V::load(v.as_ptr()) });
                check("add", x.add(y), &|a, b, _| a + b);
                check("sub", x.sub(y), &|a, b, _| a - b);
                check("mul", x.mul(y), &|a, b, _| a * b);
                check("mul_add", x.mul_add(y, z), &|a, b, c| a * b + c);
                check("neg_mul_add", x.neg_mul_add(y, z), &|a, b, c| c - a * b);
                let pick = |set: bool, a, b| if set { a } else { b };
                check("at_most", V::select(x.at_most(y), x, z), &|a, b, c| pick(a <= b, a, c));
                check("equals", V::select(x.equals(y), x, z), &|a, b, c| pick(a == b, a, c));
                check("beats", V::select(x.beats(y), x, z), &|a, b, c| {
                    pick(a > b || a.is_nan() && !b.is_nan(), a, c)
                });
            }
            let bytes: Vec<u8> = (0..V::LANES).map(|i| (i * 37 % 256) as u8).collect();
            let mut back = vec![0; V::LANES];
            // SAFETY: as many elements as lanes, all of them bytes; the caller promised the rest.
            unsafe { V::load_bytes(bytes.as_ptr()).store_bytes(back.as_mut_ptr()) };
            assert_eq!(back, bytes);
            back[0] = 255;
            // SAFETY: the same.
            unsafe { V::splat(255.0).store_bytes(back.as_mut_ptr()) };
            assert!(back.iter().all(|&b| b == 255));
        }
    }

    #[test]
    fn every_set_computes_what_plain_arithmetic_does() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            run(isa, Check);
        }
    }
}

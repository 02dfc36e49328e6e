//! AVX2 with FMA, and AVX-512. Every intrinsic here is safe to call because a vector exists or a
//! constructor's caller promised the instructions: the invariant of the file.

use super::{Simd, SimdFn};
use std::arch::x86_64::*;

/// # Safety
/// The processor has AVX-512 F, BW, DQ and VL, and POPCNT.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,popcnt")]
unsafe fn run_avx512<W: SimdFn>(work: W) -> W::Output {
    // SAFETY: the caller's promise.
    unsafe { work.run::<F32x16>() }
}

/// # Safety
/// The processor has AVX2, FMA and POPCNT.
#[inline(never)]
#[target_feature(enable = "avx2,fma,popcnt")]
unsafe fn run_avx2<W: SimdFn>(work: W) -> W::Output {
    // SAFETY: the caller's promise.
    unsafe { work.run::<F32x8>() }
}

/// Implements the operations that map to one intrinsic each.
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

/// Sixteen numbers in an AVX-512 register.
#[derive(Clone, Copy)]
pub struct F32x16(__m512);

impl Simd for F32x16 {
    const LANES: usize = 16;
    const FUSED: bool = true;
    const MR: usize = 14;
    type Mask = __mmask16;

    intrinsics! {
        add(other) = _mm512_add_ps;
        sub(other) = _mm512_sub_ps;
        mul(other) = _mm512_mul_ps;
        mul_add(by, plus) = _mm512_fmadd_ps;
        neg_mul_add(by, from) = _mm512_fnmadd_ps;
    }

    #[inline(always)]
    unsafe fn outlined<W: SimdFn>(work: W) -> W::Output {
        // SAFETY: the caller's promise.
        unsafe { run_avx512(work) }
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
    unsafe fn compress(self, mask: __mmask16, to: *mut f32) -> usize {
        // Compressed in the register: the form that writes to memory is slow on some processors.
        // SAFETY: the caller's promise; a vector exists, so the processor has the instructions.
        unsafe { _mm512_storeu_ps(to, _mm512_maskz_compress_ps(mask, self.0)) };
        mask.count_ones() as usize
    }

    #[inline(always)]
    fn select(mask: __mmask16, yes: Self, no: Self) -> Self {
        // SAFETY: a vector exists, so the processor has the instructions.
        Self(unsafe { _mm512_mask_blend_ps(mask, no.0, yes.0) })
    }
}

/// For each mask of eight lanes: the indices of the selected lanes in order, followed by arbitrary
/// indices.
static COMPRESS: [[i32; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut set = 0;
    while set < 256 {
        let (mut lane, mut written) = (0, 0);
        while lane < 8 {
            if set >> lane & 1 == 1 {
                table[set][written] = lane;
                written += 1;
            }
            lane += 1;
        }
        set += 1;
    }
    table
};

/// Eight numbers in an AVX2 register.
#[derive(Clone, Copy)]
pub struct F32x8(__m256);

impl Simd for F32x8 {
    const LANES: usize = 8;
    const FUSED: bool = true;
    const MR: usize = 6;
    type Mask = __m256;

    intrinsics! {
        add(other) = _mm256_add_ps;
        sub(other) = _mm256_sub_ps;
        mul(other) = _mm256_mul_ps;
        mul_add(by, plus) = _mm256_fmadd_ps;
        neg_mul_add(by, from) = _mm256_fnmadd_ps;
    }

    #[inline(always)]
    unsafe fn outlined<W: SimdFn>(work: W) -> W::Output {
        // SAFETY: the caller's promise.
        unsafe { run_avx2(work) }
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
            let (low, high) = (_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
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
    unsafe fn compress(self, mask: __m256, to: *mut f32) -> usize {
        // SAFETY: the caller's promise; a vector exists, so the processor has the instructions.
        unsafe {
            let set = _mm256_movemask_ps(mask);
            let order = _mm256_loadu_si256(COMPRESS[set as usize & 255].as_ptr().cast());
            _mm256_storeu_ps(to, _mm256_permutevar8x32_ps(self.0, order));
            set.count_ones() as usize
        }
    }

    #[inline(always)]
    fn select(mask: __m256, yes: Self, no: Self) -> Self {
        // SAFETY: a vector exists, so the processor has the instructions.
        Self(unsafe { _mm256_blendv_ps(no.0, yes.0, mask) })
    }
}

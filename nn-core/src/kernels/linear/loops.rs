//! The inner loops of dense products: dot products, and sums of scaled rows.
//!
//! `f32` uses the vectors of `kernels/simd.rs`. `f64` uses plain arrays, which the compiler vectorises.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`

use crate::kernels::Kernels;
use crate::kernels::isa::Isa;
use crate::kernels::simd::{self, MAX_LANES, Simd, SimdFn};

/// `a * b + c`, rounded once if `V`'s set has an instruction for it and twice otherwise: without one, a
/// fused multiply-add is a slow library call.
#[inline(always)]
fn multiply_add<V: Simd, T: Kernels>(a: T, b: T, c: T) -> T {
    if V::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The inner loops of one element type.
pub trait Loops: Sized {
    /// The dot product of two slices of the same length.
    fn dot(isa: Isa, a: &[Self], b: &[Self]) -> Self;

    /// `sums += factors[0] rows[0] + factors[1] rows[1] + ..`, in this order.
    fn add_scaled<const N: usize>(
        isa: Isa,
        sums: &mut [Self],
        factors: [Self; N],
        rows: [&[Self]; N],
    );
}

impl Loops for f32 {
    fn dot(isa: Isa, a: &[Self], b: &[Self]) -> Self {
        simd::run(isa, Dot(a, b))
    }

    fn add_scaled<const N: usize>(
        isa: Isa,
        sums: &mut [Self],
        factors: [Self; N],
        rows: [&[Self]; N],
    ) {
        simd::run(isa, AddScaled { sums, factors, rows });
    }
}

/// Gradients are checked in double precision, where nobody waits: plain arrays for the compiler.
impl Loops for f64 {
    fn dot(isa: Isa, a: &[Self], b: &[Self]) -> Self {
        simd::run(isa, PlainDot(a, b))
    }

    fn add_scaled<const N: usize>(
        isa: Isa,
        sums: &mut [Self],
        factors: [Self; N],
        rows: [&[Self]; N],
    ) {
        simd::run(isa, PlainAddScaled { sums, factors, rows });
    }
}

/// A dot product in interleaved partial sums: 64, or 32 where vectors are short. As many as registers
/// that hide the latency of the multiply-add, and the same bits for AVX2 and AVX-512.
struct Dot<'a>(&'a [f32], &'a [f32]);

impl SimdFn for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> f32 {
        // SAFETY: the caller's promise.
        unsafe {
            match V::LANES {
                16 => dot::<V, 4>(self.0, self.1),
                _ => dot::<V, 8>(self.0, self.1),
            }
        }
    }
}

/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn dot<V: Simd, const REGISTERS: usize>(a: &[f32], b: &[f32]) -> f32 {
    let len = a.len().min(b.len());
    let step = REGISTERS * V::LANES;
    let whole = len - len % step;
    let mut lanes = [0.0; MAX_LANES];
    // SAFETY: vectors of the set may exist, by the caller's promise; `at + i * LANES` and the lanes after
    // it are below `whole`, which neither slice is shorter than; no vector has more than `MAX_LANES`.
    unsafe {
        let mut sums = [V::zero(); REGISTERS];
        for at in (0..whole).step_by(step) {
            for i in 0..REGISTERS {
                let a = V::load(a.as_ptr().add(at + i * V::LANES));
                let b = V::load(b.as_ptr().add(at + i * V::LANES));
                sums[i] = a.mul_add(b, sums[i]);
            }
        }
        let mut width = REGISTERS;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                sums[i] = sums[i].add(sums[i + width]);
            }
        }
        sums[0].store(lanes.as_mut_ptr());
    }
    let mut width = V::LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    let tail = a[whole..len].iter().zip(&b[whole..len]);
    tail.fold(lanes[0], |sum, (&a, &b)| multiply_add::<V, _>(a, b, sum))
}

/// See [`Loops::add_scaled`].
struct AddScaled<'a, const N: usize> {
    sums: &'a mut [f32],
    factors: [f32; N],
    rows: [&'a [f32]; N],
}

impl<const N: usize> SimdFn for AddScaled<'_, N> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { sums, factors, rows } = self;
        let len = sums.len();
        assert!(rows.iter().all(|row| row.len() >= len));
        let whole = len - len % V::LANES;
        // SAFETY: vectors of the set may exist, by the caller's promise; the lanes from `at` on are below
        // `whole`, which no slice is shorter than.
        unsafe {
            let scales = V::splats(factors);
            for at in (0..whole).step_by(V::LANES) {
                let to = sums.as_mut_ptr().add(at);
                let mut total = V::load(to);
                for i in 0..N {
                    total = scales[i].mul_add(V::load(rows[i].as_ptr().add(at)), total);
                }
                total.store(to);
            }
        }
        for at in whole..len {
            for i in 0..N {
                sums[at] = multiply_add::<V, _>(factors[i], rows[i][at], sums[at]);
            }
        }
    }
}

/// [`Dot`] in plain arrays.
struct PlainDot<'a>(&'a [f64], &'a [f64]);

impl SimdFn for PlainDot<'_> {
    type Output = f64;

    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> f64 {
        match V::LANES {
            ..8 => plain_dot::<V, 32>(self.0, self.1),
            _ => plain_dot::<V, 64>(self.0, self.1),
        }
    }
}

#[inline(always)]
fn plain_dot<V: Simd, const SUMS: usize>(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_tail) = a.as_chunks::<SUMS>();
    let (b, b_tail) = b.as_chunks::<SUMS>();
    let mut sums = [0.0; SUMS];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..SUMS {
            sums[lane] = multiply_add::<V, _>(a[lane], b[lane], sums[lane]);
        }
    }
    let mut width = SUMS;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
    }
    let tail = a_tail.iter().zip(b_tail);
    tail.fold(sums[0], |sum, (&a, &b)| multiply_add::<V, _>(a, b, sum))
}

/// [`AddScaled`] in plain loops.
struct PlainAddScaled<'a, const N: usize> {
    sums: &'a mut [f64],
    factors: [f64; N],
    rows: [&'a [f64]; N],
}

impl<const N: usize> SimdFn for PlainAddScaled<'_, N> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { sums, factors, rows } = self;
        for (at, sum) in sums.iter_mut().enumerate() {
            for (&factor, row) in factors.iter().zip(&rows) {
                *sum = multiply_add::<V, _>(factor, row[at], *sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn random(len: usize, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed, 0);
        (0..len).map(|_| rng.uniform_in(-1.0, 1.0)).collect()
    }

    #[test]
    fn all_sets_agree() {
        let narrow = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
        for len in [0, 1, 7, 63, 64, 65, 1003] {
            let (w, x) = (random(len, 5), random(len, 6));
            let (w32, x32) = (narrow(&w), narrow(&x));
            let mut fused = Vec::new();
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                let portable = f64::dot(Isa::Portable, &w, &x);
                assert!((portable - f64::dot(isa, &w, &x)).abs() < 1e-12);
                let dot = f32::dot(isa, &w32, &x32);
                assert!((portable - f64::from(dot)).abs() < 1e-4, "{isa}, {len}: {dot}");
                let (mut a, mut b, mut c) = (x.clone(), x.clone(), x32.clone());
                f64::add_scaled(Isa::Portable, &mut a, [0.3], [&w]);
                f64::add_scaled(isa, &mut b, [0.3], [&w]);
                assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12));
                f32::add_scaled(isa, &mut c, [0.3], [&w32]);
                assert!(a.iter().zip(&c).all(|(&a, &c)| (a - f64::from(c)).abs() < 1e-6));
                if matches!(isa, Isa::Avx2 | Isa::Avx512) {
                    fused.push((dot.to_bits(), c));
                }
            }
            assert!(fused.windows(2).all(|sets| sets[0] == sets[1]), "bits differ, {len}");
        }
    }
}

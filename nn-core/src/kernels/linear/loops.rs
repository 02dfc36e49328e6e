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
    /// The dot products of some rows with `x`, all of the same length.
    fn dots<const N: usize>(isa: Isa, rows: [&[Self]; N], x: &[Self]) -> [Self; N];

    /// `sums += factors[0] rows[0] + factors[1] rows[1] + ..`, in this order.
    fn add_scaled<const N: usize>(
        isa: Isa,
        sums: &mut [Self],
        factors: [Self; N],
        rows: [&[Self]; N],
    );
}

impl Loops for f32 {
    fn dots<const N: usize>(isa: Isa, rows: [&[Self]; N], x: &[Self]) -> [Self; N] {
        simd::run(isa, Dots { rows, x })
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
    fn dots<const N: usize>(isa: Isa, rows: [&[Self]; N], x: &[Self]) -> [Self; N] {
        simd::run(isa, PlainDots { rows, x })
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

/// Dot products in interleaved partial sums: 64, or 32 where vectors are short. As many as registers
/// that hide the latency of the multiply-add, and the same bits for AVX2 and AVX-512, however many rows are
/// taken together.
struct Dots<'a, const N: usize> {
    rows: [&'a [f32]; N],
    x: &'a [f32],
}

impl<const N: usize> SimdFn for Dots<'_, N> {
    type Output = [f32; N];

    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> [f32; N] {
        let Self { rows, x } = self;
        // SAFETY: the caller's promise.
        unsafe {
            match V::LANES {
                16 => dots::<V, 4, N>(rows, x),
                _ => dots::<V, 8, N>(rows, x),
            }
        }
    }
}

/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn dots<V: Simd, const REGISTERS: usize, const N: usize>(
    rows: [&[f32]; N],
    x: &[f32],
) -> [f32; N] {
    assert!(rows.iter().all(|row| row.len() == x.len()));
    let step = REGISTERS * V::LANES;
    let whole = x.len() - x.len() % step;
    let mut lanes = [[0.0; MAX_LANES]; N];
    // SAFETY: vectors of the set may exist, by the caller's promise; `at + i * LANES` and the lanes after
    // it are below `whole`, which no slice is shorter than; no vector has more than `MAX_LANES`.
    unsafe {
        let mut sums = [[V::zero(); REGISTERS]; N];
        for at in (0..whole).step_by(step) {
            for i in 0..REGISTERS {
                let x = V::load(x.as_ptr().add(at + i * V::LANES));
                for r in 0..N {
                    let row = V::load(rows[r].as_ptr().add(at + i * V::LANES));
                    sums[r][i] = row.mul_add(x, sums[r][i]);
                }
            }
        }
        for r in 0..N {
            let mut width = REGISTERS;
            while width > 1 {
                width /= 2;
                for i in 0..width {
                    sums[r][i] = sums[r][i].add(sums[r][i + width]);
                }
            }
            sums[r][0].store(lanes[r].as_mut_ptr());
        }
    }
    for lanes in &mut lanes {
        let mut width = V::LANES;
        while width > 1 {
            width /= 2;
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
        }
    }
    let mut dots = lanes.map(|lanes| lanes[0]);
    for at in whole..x.len() {
        for r in 0..N {
            dots[r] = multiply_add::<V, _>(rows[r][at], x[at], dots[r]);
        }
    }
    dots
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

/// [`Dots`] in plain arrays.
struct PlainDots<'a, const N: usize> {
    rows: [&'a [f64]; N],
    x: &'a [f64],
}

impl<const N: usize> SimdFn for PlainDots<'_, N> {
    type Output = [f64; N];

    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> [f64; N] {
        self.rows.map(|row| match V::LANES {
            ..8 => plain_dot::<V, 32>(row, self.x),
            _ => plain_dot::<V, 64>(row, self.x),
        })
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
                let [portable] = f64::dots(Isa::Portable, [&w], &x);
                let [double] = f64::dots(isa, [&w], &x);
                assert!((portable - double).abs() < 1e-12);
                let [dot] = f32::dots(isa, [&w32], &x32);
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

    #[test]
    fn rows_taken_together_have_the_bits_of_each_alone() {
        for len in [0, 1, 63, 64, 200, 1003] {
            let rows = [1, 2, 3, 4].map(|seed| random(len, seed));
            let x = random(len, 5);
            let narrow = |v: &Vec<f64>| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
            let (rows32, x32) = (rows.each_ref().map(narrow), narrow(&x));
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                let together = f64::dots(isa, rows.each_ref().map(Vec::as_slice), &x);
                let together32 = f32::dots(isa, rows32.each_ref().map(Vec::as_slice), &x32);
                for r in 0..4 {
                    let [alone] = f64::dots(isa, [&rows[r]], &x);
                    let [alone32] = f32::dots(isa, [&rows32[r]], &x32);
                    assert_eq!(together[r].to_bits(), alone.to_bits(), "{isa}, {len}, row {r}");
                    assert_eq!(together32[r].to_bits(), alone32.to_bits(), "{isa}, {len}, row {r}");
                }
            }
        }
    }
}

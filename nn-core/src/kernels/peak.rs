//! The peak multiply-add rate of this machine, which kernels are compared with.

use super::isa::Isa;
use super::parallel;
use super::simd::{self, Simd, SimdFn};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Number of independent sums: enough to hide the latency of a multiply-add on known processors, and
/// few enough for sixteen registers.
const SUMS: usize = 12;

/// Rounds between two reads of the clock: some tens of microseconds.
const ROUNDS: usize = 1 << 14;

/// How long each thread runs.
const TIME: Duration = Duration::from_millis(100);

/// The floating-point operations per second of all threads together when they only multiply and add in
/// registers, with the vectors of `isa`. A multiply-add counts as two operations.
///
/// Takes a tenth of a second. The result is only meaningful on an idle machine.
///
/// # Panics
/// If the processor lacks `isa`.
pub fn measure(isa: Isa) -> f64 {
    parallel::on_each_thread(|| {
        let started = Instant::now();
        let mut best = 0.0f64;
        while started.elapsed() < TIME {
            let round = Instant::now();
            simd::run(isa, MultiplyAdd);
            let operations = (2 * SUMS * ROUNDS * simd::lanes(isa)) as f64;
            best = best.max(operations / round.elapsed().as_secs_f64());
        }
        best
    })
    .into_iter()
    .sum()
}

struct MultiplyAdd;

impl SimdFn for MultiplyAdd {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        // Numbers unknown to the compiler, for which the sums neither vanish nor overflow.
        let (factor, plus) = (black_box(0.5), black_box(1.0));
        // SAFETY: the caller's promise.
        let (factor, plus, zero) = unsafe { (V::splat(factor), V::splat(plus), V::zero()) };
        let mut sums = [zero; SUMS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, plus);
            }
        }
        let mut total = zero;
        for sum in sums {
            total = total.add(sum);
        }
        let mut lanes = [0.0f32; 16];
        total.write(&mut lanes[..V::LANES]);
        black_box(lanes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_that_is_there_has_a_peak() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let peak = measure(isa);
            // Bounds below the slowest and above the fastest processors.
            assert!((1e7..1e15).contains(&peak), "{isa}: {peak}");
        }
    }
}

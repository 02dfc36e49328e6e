//! ReLU with a bit for each element it passed on, and the multiplication by such bits, over plain slices.
//!
//! Element `i` has bit `i % 8` of byte `i / 8`. The loops are called through
//! [`Tables::masks`](super::Tables::masks): compiled with this crate, for the machine's vectors.

use super::multiversion::{Multiversion, multiversion};
use crate::tensor::Element;

/// The loops for one element type. Bits have a byte for every eight elements or part of eight.
#[derive(Debug, Clone, Copy)]
pub struct Masks<T: Element> {
    /// Zeroes the elements that are not above 0 (NaN stays) and sets the bits of the others.
    pub relu: fn(&mut [T], &mut [u8]),
    /// Scales the elements whose bits are set and zeroes the others.
    pub keep: fn(T, &mut [T], &[u8]),
}

impl<T: Element> Masks<T> {
    /// The functions of this file.
    pub(super) const COMPILED: Self = Self { relu: relu::<T>, keep: keep::<T> };
}

fn relu<T: Element>(data: &mut [T], bits: &mut [u8]) {
    multiversion(Relu { data, bits });
}

fn keep<T: Element>(scale: T, data: &mut [T], bits: &[u8]) {
    multiversion(Keep { scale, data, bits });
}

struct Relu<'a, T> {
    data: &'a mut [T],
    bits: &'a mut [u8],
}

impl<T: Element> Multiversion for Relu<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (eights, rest) = self.data.as_chunks_mut::<8>();
        for (eight, byte) in eights.iter_mut().zip(&mut *self.bits) {
            *byte = relu_of(eight);
        }
        if !rest.is_empty() {
            self.bits[eights.len()] = relu_of(rest);
        }
    }
}

/// Of at most eight elements: their bits.
#[inline(always)]
fn relu_of<T: Element>(data: &mut [T]) -> u8 {
    let mut bits = 0;
    for (i, v) in data.iter_mut().enumerate() {
        // False for NaN, so that NaN stays and passes its gradient on.
        let stopped = *v <= T::zero();
        *v = if stopped { T::zero() } else { *v };
        bits |= u8::from(!stopped) << i;
    }
    bits
}

struct Keep<'a, T> {
    scale: T,
    data: &'a mut [T],
    bits: &'a [u8],
}

impl<T: Element> Multiversion for Keep<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (eights, rest) = self.data.as_chunks_mut::<8>();
        for (eight, &byte) in eights.iter_mut().zip(self.bits) {
            keep_of(self.scale, eight, byte);
        }
        if !rest.is_empty() {
            keep_of(self.scale, rest, self.bits[eights.len()]);
        }
    }
}

#[inline(always)]
fn keep_of<T: Element>(scale: T, data: &mut [T], bits: u8) {
    for (i, v) in data.iter_mut().enumerate() {
        *v = if bits >> i & 1 == 1 { *v * scale } else { T::zero() };
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::Tables;

    /// Both loops beside plain ones, for lengths that fill bytes and vectors, and do not.
    fn agrees<T: Tables>() {
        let nan = T::nan();
        for len in [0, 1, 7, 8, 9, 16, 23, 1000] {
            let number = |i: usize| match i % 11 {
                3 => nan,
                5 => -T::zero(),
                _ => T::from_f64((i * 37 % 19) as f64 - 9.0),
            };
            let given: Vec<T> = (0..len).map(number).collect();
            let passed = |v: &T| v.is_nan() || *v > T::zero();
            let (mut data, mut bits) = (given.clone(), vec![0xff; len.div_ceil(8)]);
            (T::masks().relu)(&mut data, &mut bits);
            for (i, (v, before)) in data.iter().zip(&given).enumerate() {
                assert_eq!(bits[i / 8] >> (i % 8) & 1 == 1, passed(before), "{i} of {len}");
                let expected = if passed(before) { *before } else { T::zero() };
                assert!(*v == expected || (v.is_nan() && expected.is_nan()), "{i} of {len}");
            }
            let ones: u32 = bits.iter().map(|byte| byte.count_ones()).sum();
            assert_eq!(ones as usize, given.iter().filter(|v| passed(v)).count(), "{len}");
            let mut gradient: Vec<T> = (0..len).map(|i| T::from_f64(i as f64 + 1.0)).collect();
            (T::masks().keep)(T::from_f64(1.25), &mut gradient, &bits);
            for (i, v) in gradient.iter().enumerate() {
                let kept = if passed(&given[i]) { 1.25 * (i as f64 + 1.0) } else { 0.0 };
                assert_eq!(v.as_f64(), kept, "{i} of {len}");
            }
        }
    }

    #[test]
    fn bits_are_those_of_plain_loops() {
        agrees::<f32>();
        agrees::<f64>();
    }
}

//! Functions of two numbers, element by element, over plain slices.
//!
//! The loops are called through [`Tables::pairs`](super::Tables::pairs): compiled with this crate, for the
//! machine's vectors.

use super::multiversion::{Multiversion, each, each_pair, multiversion};
use crate::tensor::Element;

/// Expands `$apply!(a, b => value)` with the value of each function, and runs that of `$pair`.
macro_rules! by_function {
    ($pair:expr, $apply:ident) => {
        match $pair {
            Pair::Add => $apply!(a, b => a + b),
            Pair::Sub => $apply!(a, b => a - b),
            Pair::Mul => $apply!(a, b => a * b),
            Pair::Div => $apply!(a, b => a / b),
            Pair::NegDiv => $apply!(a, b => -a / b),
            Pair::AddRelu => $apply!(a, b => gate(a + b, a + b)),
            Pair::Gate => $apply!(a, b => gate(a, b)),
            Pair::Second => $apply!(_a, b => b),
        }
    };
}

/// A function of two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pair {
    /// The sum.
    Add,
    /// The first less the second.
    Sub,
    /// The product.
    Mul,
    /// The first divided by the second.
    Div,
    /// The first divided by the second, with the sign changed.
    NegDiv,
    /// The sum if it is above 0, or NaN; else 0.
    AddRelu,
    /// The first where the second is above 0, or NaN; else 0: the gradient of ReLU, from its value.
    Gate,
    /// The second.
    Second,
}

impl Pair {
    /// The function of two numbers, for few of them.
    pub fn value<T: Element>(self, first: T, second: T) -> T {
        macro_rules! apply {
            ($a:ident, $b:ident => $value:expr) => {{
                let ($a, $b) = (first, second);
                $value
            }};
        }
        by_function!(self, apply)
    }
}

/// The loops for one element type. Slices of a call have the same length.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<T: Element> {
    /// `first = f(first, second)`
    pub update: fn(Pair, &mut [T], &[T]),
    /// `first = f(first, number)`
    pub update_with: fn(Pair, &mut [T], T),
    /// `result = f(first, second)`
    pub combine: fn(Pair, &mut [T], &[T], &[T]),
}

impl<T: Element> Pairs<T> {
    /// The functions of this file.
    pub(super) const COMPILED: Self =
        Self { update: update::<T>, update_with: update_with::<T>, combine: combine::<T> };
}

/// `a` where `b` is above 0 or NaN, which passes its gradient on.
#[inline(always)]
fn gate<T: Element>(a: T, b: T) -> T {
    let stopped = b <= T::zero();
    if stopped { T::zero() } else { a }
}

fn update<T: Element>(pair: Pair, first: &mut [T], second: &[T]) {
    multiversion(Update { pair, first, second });
}

fn update_with<T: Element>(pair: Pair, first: &mut [T], number: T) {
    multiversion(UpdateWith { pair, first, number });
}

fn combine<T: Element>(pair: Pair, result: &mut [T], first: &[T], second: &[T]) {
    multiversion(Combine { pair, result, first, second });
}

struct Update<'a, T> {
    pair: Pair,
    first: &'a mut [T],
    second: &'a [T],
}

impl<T: Element> Multiversion for Update<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { pair, first, second } = self;
        macro_rules! apply {
            ($a:ident, $b:ident => $value:expr) => {
                each_pair!(first, second, $a, $b => $value)
            };
        }
        by_function!(pair, apply)
    }
}

struct UpdateWith<'a, T> {
    pair: Pair,
    first: &'a mut [T],
    number: T,
}

impl<T: Element> Multiversion for UpdateWith<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { pair, first, number } = self;
        macro_rules! apply {
            ($a:ident, $b:ident => $value:expr) => {{
                let $b = number;
                each!(first, $a => $value)
            }};
        }
        by_function!(pair, apply)
    }
}

struct Combine<'a, T> {
    pair: Pair,
    result: &'a mut [T],
    first: &'a [T],
    second: &'a [T],
}

impl<T: Element> Multiversion for Combine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { pair, result, first, second } = self;
        macro_rules! apply {
            ($a:ident, $b:ident => $value:expr) => {
                for ((result, &$a), &$b) in result.iter_mut().zip(first).zip(second) {
                    *result = $value;
                }
            };
        }
        by_function!(pair, apply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Tables;

    type Definition = fn(f64, f64) -> f64;

    const ALL: [(Pair, Definition); 8] = [
        (Pair::Add, |a, b| a + b),
        (Pair::Sub, |a, b| a - b),
        (Pair::Mul, |a, b| a * b),
        (Pair::Div, |a, b| a / b),
        (Pair::NegDiv, |a, b| -a / b),
        (Pair::AddRelu, |a, b| if a + b <= 0.0 { 0.0 } else { a + b }),
        (Pair::Gate, |a, b| if b <= 0.0 { 0.0 } else { a }),
        (Pair::Second, |_, b| b),
    ];

    /// All three loops beside the definitions, with numbers that every result of is exact.
    fn agrees<T: Tables>() {
        for (pair, definition) in ALL {
            for len in [0, 1, 15, 16, 17, 100] {
                let number = |i: usize, salt: usize| match (i + salt) % 13 {
                    0 => f64::NAN,
                    n => 2f64.powi(n as i32 % 5 - 2) * if n % 2 == 0 { 1.0 } else { -1.0 },
                };
                let wide: Vec<(f64, f64)> =
                    (0..len).map(|i| (number(i, 1), number(i, 5))).collect();
                let a: Vec<T> = wide.iter().map(|&(a, _)| T::from_f64(a)).collect();
                let b: Vec<T> = wide.iter().map(|&(_, b)| T::from_f64(b)).collect();
                let same = |found: &[T], expected: &dyn Fn(usize) -> f64, what: &str| {
                    for (i, v) in found.iter().enumerate() {
                        let (v, expected) = (v.as_f64(), expected(i));
                        let equal = v == expected || v.is_nan() && expected.is_nan();
                        assert!(equal, "{pair:?} {what} {i} of {len}: {v}, not {expected}");
                    }
                };
                let of_both = |i: usize| definition(wide[i].0, wide[i].1);
                let mut found = a.clone();
                (T::pairs().update)(pair, &mut found, &b);
                same(&found, &of_both, "update");
                let mut found = vec![T::zero(); len];
                (T::pairs().combine)(pair, &mut found, &a, &b);
                same(&found, &of_both, "combine");
                for number in [-0.5, 2.0, f64::NAN] {
                    let mut found = a.clone();
                    (T::pairs().update_with)(pair, &mut found, T::from_f64(number));
                    same(&found, &|i| definition(wide[i].0, number), "update_with");
                }
            }
        }
    }

    #[test]
    fn loops_agree_with_their_definitions() {
        agrees::<f32>();
        agrees::<f64>();
    }
}

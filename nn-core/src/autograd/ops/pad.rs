//! Padding of any dimension.

use super::along::OUTSIDE;
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// What surrounds the elements of an array.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PadMode {
    /// A number.
    Constant(f64),
    /// The entries mirrored at the first and last one, which are not repeated: `c b | a b c | b a`.
    Reflect,
    /// The first or last entry: `a a | a b c | c c`.
    Edge,
    /// The entries from the other end: `b c | a b c | a b`.
    Wrap,
}

impl PadMode {
    /// The entry, of `len`, that lies `at` entries after the first.
    fn entry(self, at: isize, len: usize) -> usize {
        // A tensor's dimension fits an `isize`, and so does its double: see `Shape::checked_len`.
        let len = len as isize;
        let entry = match self {
            _ if (0..len).contains(&at) => at,
            Self::Constant(_) => return OUTSIDE,
            Self::Edge => at.clamp(0, len - 1),
            Self::Wrap => at.rem_euclid(len),
            Self::Reflect if len == 1 => 0,
            Self::Reflect => {
                let period = 2 * (len - 1);
                let at = at.rem_euclid(period);
                at.min(period - at)
            }
        };
        entry as usize
    }
}

impl<T: Kernels> Tape<T> {
    /// `x` with entries added before and after those of each dimension: one pair `(before, after)` for each.
    /// The modes are those of NumPy's `pad`; a padding longer than the dimension goes on in the same way.
    ///
    /// ```
    /// use nn_core::autograd::PadMode;
    /// use nn_core::{Tape, Tensor};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.leaf(Tensor::from_vec([1, 3], vec![1., 2., 3.])?);
    /// let pad = [(0, 0), (2, 1)];
    /// let row = |mode| Ok::<_, nn_core::Error>(tape.pad(&x, &pad, mode)?.value().row(0).to_vec());
    /// assert_eq!(row(PadMode::Constant(0.0))?, [0., 0., 1., 2., 3., 0.]);
    /// assert_eq!(row(PadMode::Reflect)?, [3., 2., 1., 2., 3., 2.]);
    /// assert_eq!(row(PadMode::Edge)?, [1., 1., 1., 2., 3., 3.]);
    /// assert_eq!(row(PadMode::Wrap)?, [2., 3., 1., 2., 3., 1.]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one pair for each dimension, the result is too large, or an empty dimension is padded
    /// with its own entries.
    pub fn pad(&self, x: &Var<T>, pairs: &[(usize, usize)], mode: PadMode) -> Result<Var<T>> {
        let (name, dims) = ("pad", x.dims());
        if pairs.len() != dims.len() {
            return Err(Error::shape(
                name,
                format!("{} pairs (before, after) for an input {}", dims.len(), x.shape()),
                format!("{} pairs", pairs.len()),
                "pass (0, 0) for a dimension that stays",
            ));
        }
        // A sum that overflows is refused, as a result that is too large.
        let padded = dims.iter().zip(pairs);
        let padded =
            padded.map(|(&len, &(before, after))| len.saturating_add(before).saturating_add(after));
        let output: Vec<_> = padded.collect();
        Shape::from(&output[..]).ensure_possible(name)?;
        let is_padded = |axis: &usize| pairs[*axis] != (0, 0);
        let mut y = x.clone();
        for axis in (0..dims.len()).filter(is_padded) {
            let (len, before) = (dims[axis], pairs[axis].0 as isize);
            let fill = match mode {
                PadMode::Constant(fill) => fill,
                _ if len == 0 => {
                    return Err(Error::shape(
                        name,
                        format!("a dimension {axis} with entries to repeat"),
                        x.shape(),
                        "pad it with PadMode::Constant",
                    ));
                }
                _ => 0.0,
            };
            let entry = |i: usize| mode.entry(i as isize - before, len);
            y = self.along(name, &y, axis, output[axis], T::from_f64(fill), entry);
        }
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused, run, sample};
    use super::*;
    use crate::tensor::Tensor;
    use std::slice::from_ref;

    const MODES: [PadMode; 4] =
        [PadMode::Constant(-2.5), PadMode::Reflect, PadMode::Edge, PadMode::Wrap];

    /// Walks from the first entry to the one `at` steps further, one by one.
    fn walk(mode: PadMode, at: isize, len: usize) -> Option<usize> {
        let (mut entry, mut forwards) = (0, at > 0);
        for _ in 0..at.abs() {
            let next = if forwards { entry + 1 } else { entry - 1 };
            entry = match (mode, (0..len as isize).contains(&next)) {
                (_, true) => next,
                (PadMode::Constant(_), false) => return None,
                (PadMode::Edge, false) => entry,
                (PadMode::Wrap, false) => len as isize - 1 - entry,
                (PadMode::Reflect, false) if len == 1 => entry,
                (PadMode::Reflect, false) => {
                    forwards = !forwards;
                    if forwards { entry + 1 } else { entry - 1 }
                }
            };
        }
        Some(entry as usize)
    }

    #[test]
    fn values_and_gradients_of_every_mode() {
        type Case<'a> = (&'a [usize], &'a [(usize, usize)]);
        let cases: [Case; 6] = [
            (&[4], &[(2, 1)]),
            (&[3, 2], &[(0, 0), (1, 1)]),
            (&[1, 3, 4, 2], &[(0, 0), (1, 2), (3, 0), (0, 0)]),
            (&[2, 3], &[(1, 0), (0, 7)]),
            (&[1], &[(2, 2)]),
            (&[2, 1, 3], &[(1, 1), (2, 0), (2, 2)]),
        ];
        for mode in MODES {
            for (dims, pairs) in cases {
                let x = sample(dims, 1);
                let y = run::<f64>(from_ref(&x), |tape, x| tape.pad(&x[0], pairs, mode));
                let output: Vec<_> = dims
                    .iter()
                    .zip(pairs)
                    .map(|(len, (before, after))| len + before + after)
                    .collect();
                assert_eq!(y[0].len(), output.iter().product::<usize>());
                for (i, &v) in y[0].iter().enumerate() {
                    let (mut rest, mut place, mut step) = (i, Some(0), 1);
                    for axis in (0..dims.len()).rev() {
                        let at = (rest % output[axis]) as isize - pairs[axis].0 as isize;
                        let entry = walk(mode, at, dims[axis]);
                        place = place.zip(entry).map(|(place, entry)| place + entry * step);
                        rest /= output[axis];
                        step *= dims[axis];
                    }
                    assert_eq!(v, place.map_or(-2.5, |place| x.as_slice()[place]));
                }
                check(from_ref(&x), |tape, x| tape.pad(&x[0], pairs, mode));
                check(from_ref(&x), |tape, x| {
                    let y = tape.pad(&x[0], pairs, mode)?;
                    Ok(tape.tanh(y))
                });
            }
        }
    }

    #[test]
    fn nothing_to_pad_and_nothing_to_repeat() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 0]));
        for mode in MODES {
            assert_eq!(tape.pad(&x, &[(0, 0), (0, 0)], mode).unwrap().dims(), [2, 0]);
            assert_eq!(tape.pad(&x, &[(3, 0), (0, 0)], mode).unwrap().dims(), [5, 0]);
            let scalar = tape.leaf(Tensor::scalar(1.0));
            assert_eq!(tape.pad(&scalar, &[], mode).unwrap().value(), scalar.value());
        }
        let y = tape.pad(&x, &[(0, 0), (0, 2)], PadMode::Constant(7.0)).unwrap();
        assert_eq!(y.value(), &Tensor::full([2, 2], 7.0));
        refused(tape.pad(&x, &[(0, 0), (0, 2)], PadMode::Edge), &["pad", "[2, 0]", "Constant"]);
    }

    #[test]
    fn wrong_pairs_are_refused() {
        let tape = Tape::<f32>::new();
        let x = tape.leaf(Tensor::zeros([2, 3]));
        refused(tape.pad(&x, &[(1, 1)], PadMode::Edge), &["pad", "2 pairs", "[2, 3]", "1 pairs"]);
        let far = [(0, 0), (usize::MAX, usize::MAX)];
        refused(tape.pad(&x, &far, PadMode::Reflect), &["pad", "at most"]);
        refused(tape.pad(&x, &[(1 << 40, 0), (0, 1 << 40)], PadMode::Wrap), &["pad", "at most"]);
    }
}

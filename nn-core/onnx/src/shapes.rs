//! The arithmetic of shapes, the same for constants and for values of the network.

use crate::array::elements;
use crate::refusal::{Refusal, Result};
use std::ops::Range;

fn wrong(problem: String) -> Refusal {
    Refusal::new(
        problem,
        "the file is damaged, or made for another input size; export the model again",
    )
}

/// `axis` of a value of this rank, counted from 0; negative ones are counted from the end.
pub fn axis_of(axis: i64, rank: usize) -> Result<usize> {
    let from_start = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    usize::try_from(from_start).ok().filter(|&axis| axis < rank).ok_or_else(|| {
        Refusal::new(
            format!("{axis} is not among the {rank} dimensions or entries"),
            "the file is damaged; export the model again",
        )
    })
}

/// Several axes, each named once, counted as [`axis_of`] does.
pub fn axes_of(axes: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut seen = vec![false; rank];
    let axis = |&axis: &i64| {
        let at = axis_of(axis, rank)?;
        match std::mem::replace(&mut seen[at], true) {
            false => Ok(at),
            true => Err(Refusal::new(
                format!("axis {axis} of {rank} is named twice"),
                "the file is damaged; check it with onnx.checker and export it again",
            )),
        }
    };
    axes.iter().map(axis).collect()
}

/// Sizes of dimensions, none negative.
pub fn sizes(values: &[i64]) -> Result<Vec<usize>> {
    let sizes: Option<_> = values.iter().map(|&value| usize::try_from(value).ok()).collect();
    sizes.ok_or_else(|| wrong(format!("the shape {values:?} has a negative dimension")))
}

/// The shape that `Reshape` gives: 0 keeps a dimension, -1 is the rest.
pub fn reshaped(from: &[usize], asked: &[i64], zero_is_zero: bool) -> Result<Vec<usize>> {
    let len = elements(from)?;
    let mut rest = None;
    let mut dims = Vec::with_capacity(asked.len());
    for (i, &dim) in asked.iter().enumerate() {
        dims.push(match dim {
            0 if !zero_is_zero => *from.get(i).ok_or_else(|| {
                wrong(format!("dimension {i} of the shape {asked:?} is to be that of {from:?}"))
            })?,
            -1 if rest.is_none() => {
                rest = Some(i);
                1
            }
            dim => usize::try_from(dim)
                .map_err(|_| wrong(format!("the shape {asked:?} has a negative dimension")))?,
        });
    }
    let product = elements(&dims)?;
    let fits = match rest {
        Some(i) if product > 0 && len.is_multiple_of(product) => {
            dims[i] = len / product;
            true
        }
        Some(_) => false,
        None => product == len,
    };
    if fits {
        Ok(dims)
    } else {
        Err(wrong(format!("a value {from:?} cannot have the shape {asked:?}")))
    }
}

/// The two dimensions that `Flatten` gives.
pub fn flattened(from: &[usize], axis: i64) -> Result<Vec<usize>> {
    let rank = from.len();
    let axis = match axis {
        axis if axis == rank as i64 => rank,
        axis => axis_of(axis, rank)?,
    };
    Ok(vec![from[..axis].iter().product(), from[axis..].iter().product()])
}

/// Without these dimensions of 1, or without any if none are named.
pub fn squeezed(from: &[usize], axes: Option<&[i64]>) -> Result<Vec<usize>> {
    let axes: Vec<_> = match axes {
        None => (0..from.len()).filter(|&axis| from[axis] == 1).collect(),
        Some(axes) => axes_of(axes, from.len())?,
    };
    if let Some(&axis) = axes.iter().find(|&&axis| from[axis] != 1) {
        return Err(wrong(format!("dimension {axis} of {from:?} is not 1 and cannot be squeezed")));
    }
    Ok((0..from.len()).filter(|axis| !axes.contains(axis)).map(|axis| from[axis]).collect())
}

/// With dimensions of 1 at these axes of the result.
pub fn unsqueezed(from: &[usize], axes: &[i64]) -> Result<Vec<usize>> {
    let rank = from.len() + axes.len();
    let mut dims = vec![None; rank];
    axes_of(axes, rank)?.into_iter().for_each(|axis| dims[axis] = Some(1));
    let mut rest = from.iter().copied();
    let dims: Vec<_> =
        dims.into_iter().map(|dim| dim.or_else(|| rest.next()).unwrap_or(1)).collect();
    elements(&dims)?;
    Ok(dims)
}

/// Entries along an axis: every `step`-th of a range, backwards from its end if the step is negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    pub range: Range<usize>,
    pub step: isize,
}

impl Picked {
    pub fn new(range: Range<usize>) -> Self {
        Self { range, step: 1 }
    }

    pub fn count(&self) -> usize {
        self.range.len().div_ceil(self.step.unsigned_abs())
    }

    pub fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let (Range { start, end }, step) = (self.range.clone(), self.step);
        let distance = step.unsigned_abs();
        (0..self.count()).map(move |i| match step {
            1.. => start + i * distance,
            _ => end - 1 - i * distance,
        })
    }

    /// Whether it is all of an axis of this length, in its order.
    pub fn is_all(&self, len: usize) -> bool {
        self.range == (0..len) && self.step == 1
    }
}

/// What `Slice` picks along each axis that it names.
pub fn picked_range(
    dims: &[usize],
    starts: &[i64],
    ends: &[i64],
    axes: Option<Vec<i64>>,
    steps: Option<Vec<i64>>,
) -> Result<Vec<(usize, Picked)>> {
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(wrong(format!(
            "{} starts, {} ends, {} axes, {} steps",
            starts.len(),
            ends.len(),
            axes.len(),
            steps.len()
        )));
    }
    let mut picked = Vec::new();
    for (i, axis) in axes_of(&axes, dims.len())?.into_iter().enumerate() {
        let len = dims[axis] as i64;
        let step = isize::try_from(steps[i]).ok().filter(|&step| step != 0);
        let step = step.ok_or_else(|| wrong(format!("its step is {}", steps[i])))?;
        let from_start = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
        let (start, end) = (from_start(starts[i]), from_start(ends[i]));
        let range = match step {
            1.. => start.clamp(0, len)..end.clamp(0, len),
            // From `start` down to, but without, `end`.
            _ => end.clamp(-1, len - 1) + 1..start.clamp(-1, len - 1) + 1,
        };
        let range = range.start as usize..range.end.max(range.start) as usize;
        picked.push((axis, Picked { range, step }));
    }
    Ok(picked)
}

/// The ranges into which `Split` cuts a dimension.
pub fn parts(len: usize, sizes: Option<&[i64]>, count: usize) -> Result<Vec<Range<usize>>> {
    let sizes: Vec<usize> = match sizes {
        Some(sizes) => {
            let sizes = sizes.iter().map(|&size| usize::try_from(size));
            sizes.collect::<Result<_, _>>().map_err(|_| wrong("a negative part".into()))?
        }
        None => {
            let size = len.div_ceil(count.max(1));
            (0..count).map(|i| size.min(len.saturating_sub(i * size))).collect()
        }
    };
    let mut at = 0usize;
    let mut ranges = Vec::with_capacity(sizes.len());
    for size in &sizes {
        let end = at.checked_add(*size).filter(|&end| end <= len);
        let end = end.ok_or_else(|| wrong(format!("parts {sizes:?} of a dimension of {len}")))?;
        ranges.push(at..end);
        at = end;
    }
    if at != len {
        return Err(wrong(format!("parts {sizes:?} of a dimension of {len}")));
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshaping() {
        assert_eq!(reshaped(&[2, 3, 4], &[0, -1], false).unwrap(), [2, 12]);
        assert_eq!(reshaped(&[2, 3, 4], &[4, 6], false).unwrap(), [4, 6]);
        assert_eq!(reshaped(&[0, 3], &[0, 5], true).unwrap(), [0, 5]);
        for asked in [&[5, -1][..], &[-1, -1], &[-2, 12], &[0, 0, 0, 0], &[i64::MAX, i64::MAX]] {
            assert!(reshaped(&[2, 3, 4], asked, false).is_err(), "{asked:?}");
        }
        assert_eq!(flattened(&[2, 3, 4], -1).unwrap(), [6, 4]);
        assert_eq!(flattened(&[2, 3], 2).unwrap(), [6, 1]);
        assert_eq!(squeezed(&[2, 1, 1], Some(&[-1])).unwrap(), [2, 1]);
        assert_eq!(unsqueezed(&[2], &[0, -1]).unwrap(), [1, 2, 1]);
        assert!(unsqueezed(&[2], &[0, 0]).is_err());
        assert!(squeezed(&[1, 1, 2], Some(&[0, -3])).is_err());
        // Products of some of the dimensions must fit, though one is 0.
        assert!(reshaped(&[0], &[0, 1 << 40, 1 << 40], true).is_err());
        assert!(unsqueezed(&[1], &[0; 1 << 16]).is_err());
        let many: Vec<_> = (0..1 << 16).collect();
        assert!(unsqueezed(&[1], &many).is_err());
    }

    #[test]
    fn axes_are_named_once() {
        assert_eq!(axes_of(&[2, -3], 3).unwrap(), [2, 0]);
        for axes in [&[0, 0][..], &[0, -3], &[1, 2, 1], &[3], &[-4]] {
            assert!(axes_of(axes, 3).is_err(), "{axes:?}");
        }
    }

    #[test]
    fn slicing() {
        let picked = |start, end, step| {
            let picked = picked_range(&[5], &[start], &[end], None, Some(vec![step])).unwrap();
            picked[0].1.places().collect::<Vec<_>>()
        };
        assert_eq!(picked(1, 4, 1), [1, 2, 3]);
        assert_eq!(picked(-2, i64::MAX, 1), [3, 4]);
        assert_eq!(picked(0, 5, 2), [0, 2, 4]);
        assert_eq!(picked(-1, i64::MIN + 1, -1), [4, 3, 2, 1, 0]);
        assert_eq!(picked(3, 0, -2), [3, 1]);
        assert!(picked(4, 2, 1).is_empty());
        assert!(picked_range(&[5], &[0], &[1], None, Some(vec![0])).is_err());
        assert!(picked_range(&[5], &[0], &[1], Some(vec![1]), None).is_err());
        assert!(picked_range(&[5, 5], &[1, 1], &[2, 2], Some(vec![0, -2]), None).is_err());
        assert_eq!(parts(7, None, 3).unwrap(), [0..3, 3..6, 6..7]);
        assert_eq!(parts(5, Some(&[2, 3]), 2).unwrap(), [0..2, 2..5]);
        assert!(parts(5, Some(&[2, 2]), 2).is_err());
        assert!(parts(5, Some(&[-1, 6]), 2).is_err());
    }
}

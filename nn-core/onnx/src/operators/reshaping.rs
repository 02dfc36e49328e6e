//! What gives values another shape or order. A transpose changes the layout only; a reshape moves numbers only where
//! it merges dimensions that do not lie side by side.

use super::Family;
use crate::call::{Call, mixes_the_batch, unaligned};
use crate::layout::Layout;
use crate::refusal::{Refusal, Result};
use crate::shapes::{axes_of, axis_of, flattened, reshaped, squeezed, unsqueezed};
use crate::value::{Batch, Computed, Value};
use nn_core::layers::{Flatten, Reshape};
use std::ops::Range;
use std::rc::Rc;

pub const OPERATORS: Family = &[
    ("Cast", identity),
    ("CastLike", identity),
    ("Dropout", dropout),
    ("Flatten", |call| {
        let axis = call.node.attributes.int("axis")?.unwrap_or(1);
        let dims = flattened(call.value(0)?.dims(), axis)?;
        given(call, dims)
    }),
    ("Identity", identity),
    ("Reshape", |call| {
        let asked = call.ints("shape", 1)?.unwrap_or_default();
        let zero_is_zero = call.node.attributes.flag("allowzero")?;
        let dims = reshaped(call.value(0)?.dims(), &asked, zero_is_zero)?;
        given(call, dims)
    }),
    ("Squeeze", squeeze),
    ("Transpose", transpose),
    ("Unsqueeze", |call| {
        let axes = call.ints("axes", 1)?.unwrap_or_default();
        let dims = unsqueezed(call.value(0)?.dims(), &axes)?;
        given(call, dims)
    }),
];

/// What changes nothing at inference. All real numbers are `f32` here.
fn identity(call: &mut Call<'_>) -> Result<Vec<Value>> {
    if call.node.op == "Cast" {
        let to = call.node.attributes.int("to")?.unwrap_or(1);
        let kind = crate::tensors::ElementType::new(i32::try_from(to).unwrap_or(0));
        if !kind.map_err(|refusal| refusal.at("attribute to"))?.is_real() {
            let problem = "it rounds a value that depends on the image to whole numbers";
            return Err(Refusal::new(
                problem,
                "such a step has no gradient; leave it out of the model",
            ));
        }
    }
    Ok(vec![call.value(0)?.clone()])
}

/// Nothing at inference.
fn dropout(call: &mut Call<'_>) -> Result<Vec<Value>> {
    if call
        .constant(2)?
        .and_then(|training| training.scalar())
        .is_some_and(|training| training != 0.0)
    {
        let problem = "its input training_mode is true: it drops numbers at random";
        return Err(Refusal::new(problem, "call model.eval() before the export"));
    }
    identity(call)
}

fn squeeze(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let axes = call.ints("axes", 1)?;
    if let Value::Unaligned(Batch::Moved, value) = call.value(0)?.clone() {
        return match axes.as_deref() {
            Some(&[axis]) => without_axis(call, &value, axis_of(axis, value.rank())?),
            _ => Err(unaligned()),
        };
    }
    let dims = match (call.value(0)?, axes) {
        (value, Some(axes)) => squeezed(value.dims(), Some(&axes))?,
        // Another batch than that of the file would not be squeezed.
        (Value::Computed(value), None) => {
            [&value.dims[..1], &squeezed(&value.dims[1..], None)?].concat()
        }
        (value, None) => squeezed(value.dims(), None)?,
    };
    given(call, dims)
}

/// Input 0 with the shape that the file gives it.
fn given(call: &mut Call<'_>, dims: Vec<usize>) -> Result<Vec<Value>> {
    let value = match call.value(0)?.clone() {
        Value::Unaligned(Batch::Merged, value) => value,
        _ => call.computed(0)?,
    };
    with_dims(call, &value, dims)
}

/// A value with the shape that the file gives it: where the first dimension is not the batch, it is the batch merged
/// with others.
pub fn with_dims(call: &mut Call<'_>, value: &Computed, dims: Vec<usize>) -> Result<Vec<Value>> {
    if value.dims.first() != Some(&1) || dims.first() == Some(&1) {
        return Ok(vec![reshape(call, value, dims)?]);
    }
    if dims.is_empty() {
        return Err(mixes_the_batch("it takes away"));
    }
    Ok(vec![match reshape(call, value, [&[1], &dims[..]].concat())? {
        Value::Computed(value) => Value::Unaligned(Batch::Merged, value),
        other => other,
    }])
}

fn transpose(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let value = call.anywhere(0)?;
    let rank = value.rank();
    let perm: Vec<_> = match call.node.attributes.ints("perm")? {
        None => (0..rank).rev().collect(),
        Some(perm) => axes_of(perm, rank)?,
    };
    let transposed = value.transposed(&perm).ok_or_else(|| {
        let problem = format!("attribute perm {perm:?} does not name all {rank} dimensions");
        Refusal::new(problem, "the file is damaged; export it again")
    })?;
    Ok(vec![transposed.into()])
}

/// A value without a dimension of 1.
pub fn without_axis(call: &mut Call<'_>, value: &Computed, axis: usize) -> Result<Vec<Value>> {
    if axis == value.batch_axis() {
        return Err(mixes_the_batch("it takes away"));
    }
    if value.dims[axis] != 1 {
        let problem =
            format!("dimension {axis} of {:?} is not 1 and cannot be squeezed", value.dims);
        return Err(Refusal::new(problem, "the file is damaged; export the model again"));
    }
    let mut dims = value.dims.clone();
    dims.remove(axis);
    let layout = value.layout.without(axis);
    let shape = layout.sample(&dims);
    let id = call.help("squeezed", Reshape::new(shape), &[value.id], vec![])?;
    Ok(vec![Computed::new(dims, layout, id).into()])
}

/// A value with another shape.
pub fn reshape(call: &mut Call<'_>, value: &Computed, dims: Vec<usize>) -> Result<Value> {
    // What is a reshape of a reshape is one of the first.
    let value = value.origin.as_deref().unwrap_or(value);
    if value.dims == dims {
        return Ok(value.clone().into());
    }
    if dims.first() != value.dims.first() {
        return Err(mixes_the_batch(&format!(
            "its shape {:?} becomes {dims:?}, which changes",
            value.dims
        )));
    }
    let groups = groups(&value.dims, &dims);
    let from = side_by_side(value, &groups);
    let name =
        |call: &mut Call<'_>, id, shape: Vec<usize>| match call.net().shape(id).dims() == shape {
            true => Ok(id),
            false => call.add(Reshape::new(shape), &[id], vec![]),
        };
    let is_picture = value.layout == Layout::channels_last(4) && from.axes() == [0, 1, 2, 3];
    let moved = !value.layout.is_same_memory(&from, &value.dims);
    let layout = reshaped_layout(&from, &groups, dims.len());
    let shape = layout.sample(&dims);
    let id = if is_picture && moved {
        let flat = call.add(Flatten::new(), &[value.id], vec![])?;
        name(call, flat, shape)?
    } else {
        let id = call.arranged(value, &from)?;
        name(call, id, shape)?
    };
    Ok(Value::Computed(Computed { dims, layout, id, origin: Some(Rc::new(value.clone())) }))
}

/// Dimensions of a shape and those that they become, of as many elements.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    from: Range<usize>,
    to: Range<usize>,
}

/// The smallest groups of neighbouring dimensions that become each other.
fn groups(from: &[usize], to: &[usize]) -> Vec<Group> {
    let mut groups = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let (first_from, first_to) = (i, j);
        let (mut a, mut b) = (1usize, 1usize);
        if i < from.len() {
            a = from[i];
            i += 1;
        }
        if j < to.len() {
            b = to[j];
            j += 1;
        }
        while a != b {
            if a < b && i < from.len() {
                a = a.saturating_mul(from[i]);
                i += 1;
            } else if j < to.len() {
                b = b.saturating_mul(to[j]);
                j += 1;
            } else if i < from.len() {
                a = a.saturating_mul(from[i]);
                i += 1;
            } else {
                break;
            }
        }
        groups.push(Group { from: first_from..i, to: first_to..j });
    }
    groups
}

/// The layout nearest to the value's in which the dimensions of each group lie side by side and in order.
fn side_by_side(value: &Computed, groups: &[Group]) -> Layout {
    let group_of = |axis: usize| groups.iter().position(|group| group.from.contains(&axis));
    let mut axes = Vec::with_capacity(value.rank());
    let mut placed = vec![false; groups.len()];
    // Dimensions of 1 have no place of their own: a group lies where its first long one does.
    let long = value.layout.axes().iter().filter(|&&axis| value.dims[axis] != 1);
    let short = value.layout.axes().iter().filter(|&&axis| value.dims[axis] == 1);
    for &axis in std::iter::once(&0).chain(long).chain(short) {
        if let Some(group) = group_of(axis).filter(|&group| !placed[group]) {
            placed[group] = true;
            axes.extend(groups[group].from.clone());
        }
    }
    Layout::new(axes).unwrap_or_else(|| Layout::plain(value.rank()))
}

/// Where the new dimensions lie: those of each group where its old ones did.
fn reshaped_layout(from: &Layout, groups: &[Group], rank: usize) -> Layout {
    let mut axes = Vec::with_capacity(rank);
    let mut placed = vec![false; groups.len()];
    for axis in from.axes() {
        let group = groups.iter().position(|group| group.from.contains(axis));
        if let Some(group) = group.filter(|&group| !std::mem::replace(&mut placed[group], true)) {
            axes.extend(groups[group].to.clone());
        }
    }
    // Groups that come from nothing are dimensions of 1.
    for (group, _) in groups.iter().zip(&placed).filter(|(_, placed)| !**placed) {
        axes.extend(group.to.clone());
    }
    Layout::new(axes).unwrap_or_else(|| Layout::plain(rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(from: &[usize], to: &[usize]) -> Vec<(Range<usize>, Range<usize>)> {
        groups(from, to).into_iter().map(|group| (group.from, group.to)).collect()
    }

    #[test]
    fn what_becomes_what() {
        let shuffle = ranges(&[1, 8, 4, 4], &[1, 2, 4, 4, 4]);
        assert_eq!(shuffle, [(0..1, 0..1), (1..2, 1..3), (2..3, 3..4), (3..4, 4..5)]);
        assert_eq!(ranges(&[2, 3, 4, 5], &[2, 60]), [(0..1, 0..1), (1..4, 1..2)]);
        assert_eq!(
            ranges(&[2, 3, 1, 1], &[2, 3]),
            [(0..1, 0..1), (1..2, 1..2), (2..3, 2..2), (3..4, 2..2)]
        );
        assert_eq!(
            ranges(&[2, 3], &[2, 3, 1, 1]),
            [(0..1, 0..1), (1..2, 1..2), (2..2, 2..3), (2..2, 3..4)]
        );
        assert_eq!(ranges(&[1, 6, 4], &[1, 4, 6]), [(0..1, 0..1), (1..3, 1..3)]);
    }

    fn image(dims: &[usize]) -> Computed {
        Computed::new(dims.to_vec(), Layout::channels_last(4), 0)
    }

    #[test]
    fn what_must_move() {
        let split = groups(&[1, 8, 4, 4], &[1, 2, 4, 4, 4]);
        let from = side_by_side(&image(&[1, 8, 4, 4]), &split);
        assert_eq!(from, Layout::channels_last(4));
        assert_eq!(reshaped_layout(&from, &split, 5).axes(), [0, 3, 4, 1, 2]);
        let tokens = groups(&[1, 8, 4, 4], &[1, 8, 16]);
        let from = side_by_side(&image(&[1, 8, 4, 4]), &tokens);
        assert_eq!(from, Layout::channels_last(4));
        assert_eq!(reshaped_layout(&from, &tokens, 3).axes(), [0, 2, 1]);
        let flat = groups(&[1, 8, 4, 4], &[1, 128]);
        assert_eq!(side_by_side(&image(&[1, 8, 4, 4]), &flat), Layout::plain(4));
        let pixel = groups(&[1, 8, 1, 1], &[1, 8]);
        let from = side_by_side(&image(&[1, 8, 1, 1]), &pixel);
        assert!(from.is_same_memory(&Layout::channels_last(4), &[1, 8, 1, 1]));
        assert_eq!(reshaped_layout(&from, &pixel, 2), Layout::plain(2));
    }
}

//! What joins values and what picks parts of them.

use super::Family;
use crate::array::Array;
use crate::call::{Call, mixes_the_batch, unaligned};
use crate::net::ValueId;
use crate::refusal::{Refusal, Result};
use crate::shapes::{Picked, axis_of, parts, picked_range};
use crate::value::{Batch, Computed, Value};
use nn_core::layers::{ChannelSlice, Concatenate, Gather, Layer, Slice};
use std::sync::Arc;

pub const OPERATORS: Family =
    &[("Concat", concat), ("Gather", gather), ("If", choose), ("Slice", slice), ("Split", split)];

fn concat(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let values: Vec<_> =
        (0..call.node.inputs.len()).map(|i| call.value(i).cloned()).collect::<Result<_>>()?;
    let computed = values.iter().filter_map(|value| match value {
        Value::Computed(value) => Some(value),
        Value::Constant(_) | Value::Unaligned(..) => None,
    });
    let Some(largest) = computed.max_by_key(|value| value.len()).cloned() else {
        return Err(Refusal::new("all its inputs are constants", "fold it: run onnxsim"));
    };
    let (rank, layout) = (largest.rank(), largest.layout.clone());
    let axis = call.node.attributes.int("axis")?;
    let axis = axis.ok_or_else(|| Refusal::new("attribute axis is missing", "export it again"))?;
    let axis = axis_of(axis, rank)?;
    if axis == 0 {
        return Err(mixes_the_batch("it joins along"));
    }
    let mut dims = largest.dims.clone();
    dims[axis] = 0;
    let mut inputs: Vec<ValueId> = Vec::with_capacity(values.len());
    for (i, value) in values.iter().enumerate() {
        let own = value.dims();
        let fits = own.len() == rank && (1..rank).all(|i| i == axis || own[i] == dims[i]);
        if !fits {
            let problem =
                format!("values of the shapes {own:?} and {:?} do not join", largest.dims);
            return Err(Refusal::new(problem, "the image size differs from that at export"));
        }
        dims[axis] += own[axis];
        inputs.push(match value {
            Value::Computed(value) => call.arranged(value, &layout)?,
            Value::Constant(array) if array.dims[0] == 1 => {
                call.known(Some(i), array, &layout, largest.id)?
            }
            Value::Unaligned(..) => return Err(unaligned()),
            Value::Constant(_) => {
                return Err(mixes_the_batch("it joins other numbers for each sample of"));
            }
        });
    }
    let id = match inputs[..] {
        [only] => only,
        _ if layout.last() == Some(axis) => call.add(Concatenate::new(), &inputs, vec![])?,
        _ => call.add(Concatenate::new().axis(layout.place(axis) - 1), &inputs, vec![])?,
    };
    Ok(vec![Computed::new(dims, layout, id).into()])
}

/// What lies in a range along an axis; `what` is it called beside the node, if that has several.
pub fn pick(
    call: &mut Call<'_>,
    value: &Computed,
    axis: usize,
    range: &Picked,
    what: Option<&str>,
) -> Result<Computed> {
    let len = value.dims[axis];
    if range.is_all(len) {
        return Ok(value.clone());
    }
    if axis == value.batch_axis() {
        return Err(mixes_the_batch("it picks samples of"));
    }
    let is_last = value.layout.last() == Some(axis);
    let (start, end) = (range.range.start, range.range.end);
    let layer: Arc<dyn Layer<f32>> = if is_last && range.step == 1 {
        Arc::new(ChannelSlice::new(start..end))
    } else {
        Arc::new(Slice::new(value.layout.place(axis) - 1, start..end).step(range.step))
    };
    let id = call.add_shared(what, layer, &[value.id])?;
    let mut dims = value.dims.clone();
    dims[axis] = range.count();
    Ok(Computed::new(dims, value.layout.clone(), id))
}

fn slice(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let mut value = call.anywhere(0)?;
    let starts = call.ints("starts", 1)?.unwrap_or_default();
    let ends = call.ints("ends", 2)?.unwrap_or_default();
    let (axes, steps) = (call.ints("axes", 3)?, call.ints("steps", 4)?);
    let ranges = picked_range(&value.dims, &starts, &ends, axes, steps)?;
    let is_only = ranges.len() == 1;
    for (axis, range) in ranges {
        let what = (!is_only).then(|| format!("axis{axis}"));
        value = pick(call, &value, axis, &range, what.as_deref())?;
    }
    Ok(vec![value.into()])
}

fn split(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let value = call.anywhere(0)?;
    let axis = axis_of(call.node.attributes.int("axis")?.unwrap_or(0), value.rank())?;
    if axis == value.batch_axis() {
        return Err(mixes_the_batch("it splits"));
    }
    let sizes = call.ints("split", 1)?;
    let ranges = parts(value.dims[axis], sizes.as_deref(), call.node.outputs.len())?;
    let part = |(i, range)| {
        let part = pick(call, &value, axis, &Picked::new(range), Some(&format!("part{i}")))?;
        Ok(part.into())
    };
    ranges.into_iter().enumerate().map(part).collect()
}

/// Indices along an axis of so many entries.
fn places(call: &Call<'_>, indices: &Array, len: usize) -> Result<Vec<usize>> {
    call.budget().take_whole(&indices.dims)?;
    indices.to_integers()?.iter().map(|&i| axis_of(i, len)).collect()
}

/// Entries of constant indices. One index without a dimension takes the dimension away.
fn gather(call: &mut Call<'_>) -> Result<Vec<Value>> {
    if let Value::Unaligned(Batch::Merged, value) = call.value(0)?.clone() {
        return gather_merged(call, &value);
    }
    let value = call.anywhere(0)?;
    let axis = axis_of(call.node.attributes.int("axis")?.unwrap_or(0), value.rank())?;
    if axis == value.batch_axis() {
        return Err(mixes_the_batch("it picks samples of"));
    }
    let indices = call.required_constant(1)?;
    let places = places(call, &indices, value.dims[axis])?;
    let mut dims = value.dims.clone();
    dims[axis] = places.len();
    let layer = Gather::new(value.layout.place(axis) - 1, places);
    let id = call.add(layer, &[value.id], vec![])?;
    let picked = Computed::new(dims.clone(), value.layout, id);
    match indices.dims.len() {
        0 => return super::reshaping::without_axis(call, &picked, axis),
        1 => return Ok(vec![picked.into()]),
        _ if picked.batch_axis() != 0 => return Err(unaligned()),
        _ => {}
    }
    let dims = [&dims[..axis], &indices.dims, &dims[axis + 1..]].concat();
    super::reshaping::reshape(call, &picked, dims).map(|value| vec![value])
}

/// Entries of a value that has the batch merged with others, which the dimensions of the indices may split again.
fn gather_merged(call: &mut Call<'_>, value: &Computed) -> Result<Vec<Value>> {
    let rank = value.rank() - 1;
    let axis = axis_of(call.node.attributes.int("axis")?.unwrap_or(0), rank)? + 1;
    let indices = call.required_constant(1)?;
    let own = &value.dims[1..];
    let dims = [&own[..axis - 1], &indices.dims, &own[axis..]].concat();
    let places = places(call, &indices, value.dims[axis])?;
    let mut picked = value.clone();
    if !places.iter().copied().eq(0..value.dims[axis]) {
        picked.dims[axis] = places.len();
        let layer = Gather::new(value.layout.place(axis) - 1, places);
        picked = picked.with_id(call.add(layer, &[value.id], vec![])?);
    }
    super::reshaping::with_dims(call, &picked, dims)
}

/// The values of the branch that a constant condition takes: see [`crate::branches`].
fn choose(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let condition = match call.value(0)? {
        Value::Constant(array) => array.scalar(),
        _ => None,
    };
    let Some(condition) = condition else {
        return Err(Refusal::new(
            "which of its branches is taken depends on the image",
            "export the model without branches, with torch.onnx.export(.., dynamo=True)",
        ));
    };
    let count = call.node.inputs.len() / 2;
    let first = if condition != 0.0 { 1 } else { 1 + count };
    (first..first + count).map(|i| call.value(i).cloned()).collect()
}

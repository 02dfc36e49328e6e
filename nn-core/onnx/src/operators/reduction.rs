//! Sums, means and extremes along dimensions.

use super::Family;
use crate::call::{Call, mixes_the_batch};
use crate::net::ValueId;
use crate::refusal::Result;
use crate::shapes::axes_of;
use crate::value::{Computed, Value};
use nn_core::layers::{
    Function, GlobalAveragePool2D, GlobalMaxPool2D, Reduce, Reduction, Rescaling, Reshape,
};

pub const OPERATORS: Family = &[
    ("ReduceL1", |call| reduce(call, Reduction::Sum, Some(Function::Abs), None)),
    ("ReduceL2", |call| reduce(call, Reduction::Sum, Some(SQUARE), Some(Function::Sqrt))),
    ("ReduceLogSum", |call| reduce(call, Reduction::Sum, None, Some(Function::Log))),
    ("ReduceMax", |call| reduce(call, Reduction::Max, None, None)),
    ("ReduceMean", |call| reduce(call, Reduction::Mean, None, None)),
    ("ReduceMin", reduce_min),
    ("ReduceSum", |call| reduce(call, Reduction::Sum, None, None)),
    ("ReduceSumSquare", |call| reduce(call, Reduction::Sum, Some(SQUARE), None)),
];

const SQUARE: Function = Function::Power { exponent: 2.0 };

/// The axes, or `None` if nothing is to be reduced: then only the functions before and after count.
fn axes(call: &Call<'_>, rank: usize) -> Result<Option<Vec<usize>>> {
    let given = call.ints("axes", 1)?.filter(|axes| !axes.is_empty());
    let axes = match given {
        None if call.node.attributes.flag("noop_with_empty_axes")? => return Ok(None),
        None => (0..rank).collect(),
        Some(axes) => axes_of(&axes, rank)?,
    };
    if axes.contains(&0) {
        return Err(mixes_the_batch("it reduces over"));
    }
    Ok(Some(axes))
}

/// A reduction of a function of each number, and a function of the results.
fn reduce(
    call: &mut Call<'_>,
    reduction: Reduction,
    before: Option<Function>,
    after: Option<Function>,
) -> Result<Vec<Value>> {
    let mut value = call.computed(0)?;
    if let Some(function) = before {
        let id = call.help("each", function, &[value.id], vec![])?;
        value = value.with_id(id);
    }
    let axes = axes(call, value.rank())?;
    let mut id = match &axes {
        Some(axes) => reduced(call, reduction, &value, axes)?,
        None => value.id,
    };
    if let Some(function) = after {
        id = call.help("result", function, &[id], vec![])?;
    }
    match axes {
        Some(axes) => finished(call, value, &axes, id),
        None if id == value.id => Ok(vec![value.into()]),
        None => Ok(vec![value.with_id(id).into()]),
    }
}

/// `-max(-x)`
fn reduce_min(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let value = call.computed(0)?;
    let Some(axes) = axes(call, value.rank())? else { return Ok(vec![value.into()]) };
    let id = call.help("minus", Rescaling::new(-1.0), &[value.id], vec![])?;
    let minus = value.clone().with_id(id);
    let id = reduced(call, Reduction::Max, &minus, &axes)?;
    let id = call.help("result", Rescaling::new(-1.0), &[id], vec![])?;
    finished(call, value, &axes, id)
}

/// Along these axes, which stay with length 1.
pub fn reduced(
    call: &mut Call<'_>,
    reduction: Reduction,
    value: &Computed,
    axes: &[usize],
) -> Result<ValueId> {
    let mut places: Vec<_> = axes.iter().map(|&axis| value.layout.place(axis) - 1).collect();
    places.sort_unstable();
    let is_image = value.rank() == 4 && places == [0, 1];
    let channels = value.layout.last().map_or(1, |axis| value.dims[axis]);
    let id = match reduction {
        Reduction::Mean if is_image => call.add(GlobalAveragePool2D::new(), &[value.id], vec![])?,
        Reduction::Max if is_image => call.add(GlobalMaxPool2D::new(), &[value.id], vec![])?,
        _ => return call.add(Reduce::new(reduction, places), &[value.id], vec![]),
    };
    call.help("pixel", Reshape::new([1, 1, channels]), &[id], vec![])
}

/// The value with its reduced dimensions as 1, or without them.
fn finished(
    call: &mut Call<'_>,
    value: Computed,
    axes: &[usize],
    id: ValueId,
) -> Result<Vec<Value>> {
    let mut kept = value.dims.clone();
    axes.iter().for_each(|&axis| kept[axis] = 1);
    let reduced = Computed::new(kept, value.layout, id);
    if call.node.attributes.int("keepdims")?.unwrap_or(1) != 0 {
        return Ok(vec![reduced.into()]);
    }
    let dims =
        (0..value.dims.len()).filter(|axis| !axes.contains(axis)).map(|axis| value.dims[axis]);
    super::reshaping::reshape(call, &reduced, dims.collect()).map(|value| vec![value])
}

//! Padding in all modes.

use super::Family;
use super::joining::pick;
use crate::call::{Call, mixes_the_batch};
use crate::layout::Layout;
use crate::refusal::{Refusal, Result};
use crate::shapes::{Picked, axes_of};
use crate::value::{Computed, Value};
use nn_core::autograd::PadMode;
use nn_core::layers::{Pad, ZeroPadding2D};

pub const OPERATORS: Family = &[("Pad", pad)];

fn pad(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let mut value = call.computed(0)?;
    let rank = value.rank();
    let pads = call.ints("pads", 1)?.unwrap_or_default();
    let axes: Vec<_> = match call.constant(3)? {
        None => (0..rank).collect(),
        Some(axes) => axes_of(&axes.to_integers()?, rank)?,
    };
    if pads.len() != 2 * axes.len() {
        let problem =
            format!("its pads {pads:?} are not two for each of {} dimensions", axes.len());
        return Err(Refusal::new(problem, "the file is damaged; export the model again"));
    }
    let mut amounts = vec![(0, 0); rank];
    for (i, &axis) in axes.iter().enumerate() {
        let (before, after) = (pads[i], pads[axes.len() + i]);
        value = cut(call, &value, axis, before, after)?;
        let added = |pad: i64| usize::try_from(pad).unwrap_or(0);
        amounts[axis] = (added(before), added(after));
    }
    let mode = match call.node.attributes.text("mode")?.unwrap_or("constant") {
        "constant" => PadMode::Constant(constant(call)?),
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Edge,
        "wrap" => PadMode::Wrap,
        other => {
            let problem = format!("attribute mode is {other:?}");
            return Err(Refusal::new(problem, "constant, reflect, edge and wrap are known"));
        }
    };
    if amounts.iter().all(|amount| *amount == (0, 0)) {
        return Ok(vec![value.into()]);
    }
    if amounts[0] != (0, 0) {
        return Err(mixes_the_batch("it adds samples to"));
    }
    let mut dims = value.dims.clone();
    for (dim, (before, after)) in dims.iter_mut().zip(&amounts) {
        *dim = dim.saturating_add(*before).saturating_add(*after);
    }
    // Zeros around an image are a layer that convolutions take along.
    if let (PadMode::Constant(0.0), &[_, (0, 0), vertical, horizontal]) = (mode, amounts.as_slice())
    {
        let x = call.arranged(&value, &Layout::channels_last(4))?;
        let id = call.add(ZeroPadding2D::sides(vertical, horizontal), &[x], vec![])?;
        return Ok(vec![Computed::new(dims, Layout::channels_last(4), id).into()]);
    }
    let amounts: Vec<_> = value.layout.axes()[1..].iter().map(|&axis| amounts[axis]).collect();
    let id = call.add(Pad::new(amounts, mode), &[value.id], vec![])?;
    Ok(vec![Computed::new(dims, value.layout, id).into()])
}

/// A value without as much as negative paddings of an axis say.
fn cut(
    call: &mut Call<'_>,
    value: &Computed,
    axis: usize,
    before: i64,
    after: i64,
) -> Result<Computed> {
    let len = value.dims[axis];
    let less = |pad: i64| usize::try_from(pad.min(0).unsigned_abs()).unwrap_or(usize::MAX);
    let Some(end) = len.checked_sub(less(after)).filter(|&end| end > less(before)) else {
        let problem = format!("its pads {before} and {after} leave nothing of {len}");
        return Err(Refusal::new(problem, "the image size differs from that at export"));
    };
    pick(call, value, axis, &Picked::new(less(before)..end), Some(&format!("cut{axis}")))
}

/// The number that is added: an attribute until opset 10, then an input.
fn constant(call: &Call<'_>) -> Result<f64> {
    if let Some(value) = call.node.attributes.float("value")? {
        return Ok(value);
    }
    Ok(call.constant(2)?.and_then(|array| array.scalar()).unwrap_or(0.0))
}

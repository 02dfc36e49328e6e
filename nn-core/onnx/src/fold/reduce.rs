//! Sums, products, means and extremes along dimensions.

use super::{Budget, Call};
use crate::array::{Array, Data, strides, walk};
use crate::refusal::{Refusal, Result};
use crate::shapes::{axes_of, axis_of};

pub fn evaluate(call: &Call<'_>, budget: &Budget) -> Result<Option<Array>> {
    if call.node.op == "CumSum" {
        return running_sums(call, budget).map(Some);
    }
    let (start, combine): (f64, fn(f64, f64) -> f64) = match call.node.op.as_str() {
        "ReduceSum" | "ReduceMean" => (0.0, |a, b| a + b),
        "ReduceProd" => (1.0, |a, b| a * b),
        "ReduceMax" => (f64::NEG_INFINITY, f64::max),
        "ReduceMin" => (f64::INFINITY, f64::min),
        _ => return Ok(None),
    };
    let array = call.array(0)?;
    budget.take(&array.dims, array)?;
    let rank = array.dims.len();
    let axes = call.ints("axes", 1)?.unwrap_or_default();
    let no_op = call.node.attributes.flag("noop_with_empty_axes")?;
    if axes.is_empty() && no_op {
        return Ok(Some(array.clone()));
    }
    let axes: Vec<_> = match axes.is_empty() {
        true => (0..rank).collect(),
        false => axes_of(&axes, rank)?,
    };
    let kept: Vec<_> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    let own = strides(&array.dims);
    let part = |of: &[usize], from: &[usize]| of.iter().map(|&axis| from[axis]).collect::<Vec<_>>();
    let (outer, inner) = (part(&kept, &array.dims), part(&axes, &array.dims));
    let count: usize = inner.iter().product();
    let divisor = if call.node.op == "ReduceMean" { count as f64 } else { 1.0 };
    let keep = call.node.attributes.int("keepdims")?.unwrap_or(1) != 0;
    let dims = match keep {
        true => {
            (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { array.dims[axis] }).collect()
        }
        false => outer.clone(),
    };
    // The result of no numbers may be large, and there may be no result of many.
    let is_empty = budget.take(&dims, array)? == 0;
    let inner: Vec<_> = match is_empty {
        true => Vec::new(),
        false => {
            budget.take(&inner, array)?;
            walk(&inner, &part(&axes, &own)).collect()
        }
    };
    let values = walk(&outer, &part(&kept, &own)).map(|first| {
        let numbers = inner.iter().map(|offset| array.number(first + offset));
        numbers.fold(start, combine) / divisor
    });
    Ok(Some(match array.data {
        Data::Floats(_) => Array::floats(dims, values.map(|v| v as f32).collect()),
        Data::Integers(_) => Array::integers(dims, values.map(|v| v as i64).collect()),
    }))
}

/// The sums of all numbers up to each along an axis.
fn running_sums(call: &Call<'_>, budget: &Budget) -> Result<Array> {
    let array = call.array(0)?;
    budget.take(&array.dims, array)?;
    let Some(axis) = call.array(1)?.scalar() else {
        let problem = format!("its axis is an array {:?}", call.array(1)?.dims);
        return Err(Refusal::new(problem, "it must be one number; export the model again"));
    };
    let axis = axis_of(axis as i64, array.dims.len())?;
    let from_the_end = call.node.attributes.flag("reverse")?;
    let without_own = call.node.attributes.flag("exclusive")?;
    let (len, stride) = (array.dims[axis], strides(&array.dims)[axis]);
    let mut sums = vec![0.0; array.len()];
    for first in (0..array.len()).filter(|i| (i / stride.max(1)).is_multiple_of(len)) {
        let mut sum = 0.0;
        for step in 0..len {
            let i = first + stride * if from_the_end { len - 1 - step } else { step };
            let after = sum + array.number(i);
            sums[i] = if without_own { sum } else { after };
            sum = after;
        }
    }
    Ok(match array.data {
        Data::Floats(_) => {
            Array::floats(array.dims.clone(), sums.iter().map(|&v| v as f32).collect())
        }
        Data::Integers(_) => {
            Array::integers(array.dims.clone(), sums.iter().map(|&v| v as i64).collect())
        }
    })
}

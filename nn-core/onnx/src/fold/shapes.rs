//! What shapes say, and what changes the shape of constants: `Shape`, `Gather`, `Slice`, `Concat`, `Reshape` and
//! their kin.

use super::arithmetic::{broadcast, repeated};
use super::{Budget, Call};
use crate::array::{Array, Data, strides, walk};
use crate::attributes::Attribute;
use crate::refusal::{Refusal, Result};
use crate::shapes::{
    Picked, axes_of, axis_of, flattened, picked_range, reshaped, sizes, squeezed, unsqueezed,
};

/// What is known of any value, constant or not.
pub fn of_any(call: &Call<'_>) -> Result<Option<Array>> {
    let Some(Some(value)) = call.inputs.first() else { return Ok(None) };
    let dims = value.dims();
    match call.node.op.as_str() {
        "Shape" => {
            let rank = dims.len() as i64;
            let bound = |name: &str, usual: i64| {
                let at = call.node.attributes.int(name)?.unwrap_or(usual);
                let at = if at < 0 { at.saturating_add(rank) } else { at };
                Ok::<_, Refusal>(at.clamp(0, rank) as usize)
            };
            let (start, end) = (bound("start", 0)?, bound("end", rank)?);
            let wanted = dims.get(start..end).unwrap_or_default();
            Ok(Some(Array::list(wanted.iter().map(|&dim| dim as i64))))
        }
        "Size" => {
            let size: usize = dims.iter().product();
            Ok(Some(Array::list([size as i64]).with_dims([])))
        }
        _ => Ok(None),
    }
}

pub fn evaluate(call: &Call<'_>, budget: &Budget) -> Result<Option<Vec<Array>>> {
    let one = |array: Array| Ok(Some(vec![array]));
    let attributes = &call.node.attributes;
    match call.node.op.as_str() {
        "Constant" => one(constant(call)?),
        "Identity" | "Dropout" => one(call.array(0)?.clone()),
        "Reshape" => {
            let array = call.array(0)?;
            let asked = call.ints("shape", 1)?.unwrap_or_default();
            let dims = reshaped(&array.dims, &asked, attributes.flag("allowzero")?)?;
            one(array.with_dims(dims))
        }
        "Flatten" => {
            let array = call.array(0)?;
            let axis = attributes.int("axis")?.unwrap_or(1);
            one(array.with_dims(flattened(&array.dims, axis)?))
        }
        "Squeeze" => {
            let (array, axes) = (call.array(0)?, call.ints("axes", 1)?);
            one(array.with_dims(squeezed(&array.dims, axes.as_deref())?))
        }
        "Unsqueeze" => {
            let (array, axes) = (call.array(0)?, call.ints("axes", 1)?.unwrap_or_default());
            one(array.with_dims(unsqueezed(&array.dims, &axes)?))
        }
        "Transpose" => {
            let array = call.array(0)?;
            budget.take(&array.dims, array)?;
            let rank = array.dims.len();
            let axes = match attributes.ints("perm")? {
                None => (0..rank).rev().collect(),
                Some(perm) => axes_of(perm, rank)?,
            };
            if axes.len() != rank {
                let problem =
                    format!("attribute perm {axes:?} does not name all {rank} dimensions");
                return Err(Refusal::new(problem, "the file is damaged; export it again"));
            }
            one(array.permuted(&axes))
        }
        "Concat" => one(concatenated(call, budget)?),
        "Gather" => one(gathered(call, budget)?),
        "Slice" => one(sliced(call, budget)?),
        "Split" => split(call, budget).map(Some),
        "Expand" => {
            let array = call.array(0)?;
            let asked = call.array(1)?.to_integers()?;
            let dims = broadcast(&array.dims, &sizes(&asked)?)?;
            budget.take(&dims, array)?;
            one(array.picked(dims.clone(), repeated(&array.dims, &dims)))
        }
        "Tile" => {
            let array = call.array(0)?;
            let repeats = sizes(&call.array(1)?.to_integers()?)?;
            if repeats.len() != array.dims.len() {
                let problem =
                    format!("its repeats {repeats:?} are not one for each of {:?}", array.dims);
                return Err(Refusal::new(problem, "the file is damaged; export it again"));
            }
            let pairs = || repeats.iter().zip(&array.dims);
            let dims: Vec<_> = pairs().map(|(n, dim)| dim.saturating_mul(*n)).collect();
            budget.take(&dims, array)?;
            // Each dimension as two, of which the first is repeated.
            let from: Vec<_> = pairs().flat_map(|(_, &dim)| [1, dim]).collect();
            let to: Vec<_> = pairs().flat_map(|(&n, &dim)| [n, dim]).collect();
            one(array.picked(dims, repeated(&from, &to)))
        }
        "ConstantOfShape" => {
            let dims = sizes(&call.array(0)?.to_integers()?)?;
            let zero = Array::floats([1], vec![0.0]);
            let value = match attributes.get("value") {
                Some(Attribute::Tensor(array)) if array.len() == 1 => array,
                _ => &zero,
            };
            let len = budget.take(&dims, value)?;
            one(match &value.data {
                Data::Floats(value) => Array::floats(dims, vec![value[0]; len]),
                Data::Integers(value) => Array::integers(dims, vec![value[0]; len]),
            })
        }
        "Range" => one(range(call, budget)?),
        _ => Ok(None),
    }
}

fn constant(call: &Call<'_>) -> Result<Array> {
    let names = ["value", "value_float", "value_floats", "value_int", "value_ints"];
    let found = names.iter().find_map(|name| call.node.attributes.get(name));
    match found {
        Some(Attribute::Tensor(array)) => Ok(array.clone()),
        Some(&Attribute::Float(value)) => Ok(Array::floats([], vec![value])),
        Some(&Attribute::Int(value)) => Ok(Array::integers([], vec![value])),
        Some(Attribute::Floats(values)) => Ok(Array::floats([values.len()], values.clone())),
        Some(Attribute::Ints(values)) => Ok(Array::integers([values.len()], values.clone())),
        _ => Err(Refusal::new(
            "it has no value that can be read: texts and sparse tensors are not",
            "export the model again",
        )),
    }
}

fn concatenated(call: &Call<'_>, budget: &Budget) -> Result<Array> {
    let arrays: Vec<_> = (0..call.inputs.len()).map(|i| call.array(i)).collect::<Result<_>>()?;
    let Some(first) = arrays.first() else { return call.array(0).cloned() };
    let rank = first.dims.len();
    let axis = axis_of(call.node.attributes.int("axis")?.unwrap_or(1), rank)?;
    let mut dims = first.dims.clone();
    dims[axis] = 0;
    for array in &arrays {
        let fits =
            array.dims.len() == rank && (0..rank).all(|i| i == axis || array.dims[i] == dims[i]);
        let sum = array.dims.get(axis).and_then(|&own| dims[axis].checked_add(own));
        dims[axis] = sum.filter(|_| fits).ok_or_else(|| {
            let problem =
                format!("constants of the shapes {:?} and {dims:?} do not join", array.dims);
            Refusal::new(problem, "the file is damaged; export the model again")
        })?;
    }
    if budget.take(&dims, first)? == 0 {
        return Ok(match arrays.iter().all(|array| matches!(array.data, Data::Integers(_))) {
            true => Array::integers(dims, Vec::new()),
            false => Array::floats(dims, Vec::new()),
        });
    }
    let outer: usize = dims[..axis].iter().product();
    let block = |array: &Array| array.dims[axis..].iter().product::<usize>();
    /// The parts of each array in turn.
    fn interleaved<V: Copy>(parts: &[(&[V], usize)], outer: usize) -> Vec<V> {
        let rows = (0..outer).flat_map(|i| parts.iter().map(move |(v, n)| &v[i * n..(i + 1) * n]));
        rows.flatten().copied().collect()
    }
    let whole: Option<Vec<_>> = arrays
        .iter()
        .map(|array| match &array.data {
            Data::Integers(values) => Some((values.as_slice(), block(array))),
            Data::Floats(_) => None,
        })
        .collect();
    Ok(match whole {
        Some(parts) => Array::integers(dims, interleaved(&parts, outer)),
        None => {
            let floats: Vec<_> = arrays.iter().map(|array| array.to_floats()).collect();
            let parts: Vec<_> =
                floats.iter().zip(&arrays).map(|(v, a)| (v.as_slice(), block(a))).collect();
            Array::floats(dims, interleaved(&parts, outer))
        }
    })
}

fn gathered(call: &Call<'_>, budget: &Budget) -> Result<Array> {
    let (array, indices) = (call.array(0)?, call.array(1)?);
    let axis = axis_of(call.node.attributes.int("axis")?.unwrap_or(0), array.dims.len())?;
    let places = indices.to_integers()?;
    let places: Vec<_> =
        places.iter().map(|&i| axis_of(i, array.dims[axis])).collect::<Result<_>>()?;
    let (before, after) = (&array.dims[..axis], &array.dims[axis + 1..]);
    let dims = [before, &indices.dims, after].concat();
    if budget.take(&dims, array)? == 0 {
        return Ok(array.picked(dims, std::iter::empty()));
    }
    let (outer, inner) = (before.iter().product::<usize>(), after.iter().product::<usize>());
    let row = |i: usize, place: usize| (i * array.dims[axis] + place) * inner;
    let rows = (0..outer).flat_map(|i| places.iter().map(move |&place| row(i, place)));
    Ok(array.picked(dims, rows.flat_map(|first| first..first + inner)))
}

fn sliced(call: &Call<'_>, budget: &Budget) -> Result<Array> {
    let array = call.array(0)?;
    let starts = call.ints("starts", 1)?.unwrap_or_default();
    let ends = call.ints("ends", 2)?.unwrap_or_default();
    let (axes, steps) = (call.ints("axes", 3)?, call.ints("steps", 4)?);
    let mut result = array.clone();
    for (axis, range) in picked_range(&array.dims, &starts, &ends, axes, steps)? {
        result = along(&result, axis, &range, budget)?;
    }
    Ok(result)
}

/// What is picked along an axis.
fn along(array: &Array, axis: usize, range: &Picked, budget: &Budget) -> Result<Array> {
    let mut dims = array.dims.clone();
    dims[axis] = range.count();
    if budget.take(&dims, array)? == 0 {
        return Ok(array.picked(dims, std::iter::empty()));
    }
    let own = strides(&array.dims);
    let (before, after) = (walk(&dims[..axis], &own[..axis]), own[axis]);
    let places: Vec<_> = range.places().collect();
    let rows = before.flat_map(|first| {
        places.iter().map(move |place| first + place * after).collect::<Vec<_>>()
    });
    Ok(array.picked(dims, rows.flat_map(|first| first..first + after)))
}

fn split(call: &Call<'_>, budget: &Budget) -> Result<Vec<Array>> {
    let array = call.array(0)?;
    let axis = axis_of(call.node.attributes.int("axis")?.unwrap_or(0), array.dims.len())?;
    let sizes = call.ints("split", 1)?;
    let parts = crate::shapes::parts(array.dims[axis], sizes.as_deref(), call.node.outputs.len())?;
    parts.into_iter().map(|range| along(array, axis, &Picked::new(range), budget)).collect()
}

fn range(call: &Call<'_>, budget: &Budget) -> Result<Array> {
    let scalar = |i: usize| {
        call.array(i)?.scalar().ok_or_else(|| {
            Refusal::new(format!("its input {i} must be one number"), "export the model again")
        })
    };
    let (start, limit, delta) = (scalar(0)?, scalar(1)?, scalar(2)?);
    let count = ((limit - start) / delta).ceil().max(0.0);
    if !count.is_finite() {
        return Err(Refusal::new(
            "it counts without an end",
            "the file is damaged; export it again",
        ));
    }
    let len = budget.take(&[count as usize], call.array(0)?)?;
    let values = (0..len).map(|i| start + i as f64 * delta);
    Ok(match call.array(0)?.data {
        Data::Integers(_) => Array::list(values.map(|v| v as i64)),
        Data::Floats(_) => Array::floats([len], values.map(|v| v as f32).collect()),
    })
}

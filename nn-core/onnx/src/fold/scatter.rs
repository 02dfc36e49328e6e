//! `ScatterND` of constants: exporters number the regions of shifted windows with it.

use super::{Budget, Call};
use crate::array::{Array, Data, strides};
use crate::refusal::{Refusal, Result};
use crate::shapes::axis_of;

/// The first input with slices replaced: those that the rows of the second name by those of the third.
pub fn evaluate(call: &Call<'_>, budget: &Budget) -> Result<Option<Array>> {
    if call.node.op != "ScatterND" {
        return Ok(None);
    }
    let wrong = |problem: String| Refusal::new(problem, "the file is damaged; export it again");
    if let Some(reduction) = call.node.attributes.text("reduction")?.filter(|&kind| kind != "none")
    {
        return Err(wrong(format!("attribute reduction is {reduction:?}, which is not read")));
    }
    let (array, indices, updates) = (call.array(0)?, call.array(1)?, call.array(2)?);
    let depth = indices.dims.last().copied().unwrap_or(0);
    if depth == 0 || depth > array.dims.len() {
        let problem =
            format!("its indices {:?} do not name places of {:?}", indices.dims, array.dims);
        return Err(wrong(problem));
    }
    budget.take(&array.dims, array)?;
    budget.take_whole(&indices.dims)?;
    budget.take(&updates.dims, updates)?;
    let len: usize = array.dims[depth..].iter().product();
    let places = indices.to_integers()?;
    let rows = places.chunks_exact(depth);
    if rows.len().checked_mul(len) != Some(updates.len()) {
        let problem = format!(
            "its updates {:?} are not one for each of its indices {:?}",
            updates.dims, indices.dims
        );
        return Err(wrong(problem));
    }
    let strides = strides(&array.dims);
    let offset = |row: &[i64]| {
        let parts =
            row.iter().enumerate().map(|(i, &at)| Ok(axis_of(at, array.dims[i])? * strides[i]));
        parts.sum::<Result<usize>>()
    };
    let offsets = rows.map(offset).collect::<Result<Vec<_>>>()?;
    let pairs =
        || offsets.iter().enumerate().map(|(i, &to)| (i * len..(i + 1) * len, to..to + len));
    Ok(Some(match (&array.data, &updates.data) {
        (Data::Integers(values), Data::Integers(updates)) => {
            let mut values = values.to_vec();
            pairs().for_each(|(from, to)| values[to].copy_from_slice(&updates[from]));
            Array::integers(array.dims.clone(), values)
        }
        _ => {
            let (mut values, updates) = (array.to_floats().to_vec(), updates.to_floats());
            pairs().for_each(|(from, to)| values[to].copy_from_slice(&updates[from]));
            Array::floats(array.dims.clone(), values)
        }
    }))
}

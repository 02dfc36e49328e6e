//! What repeats values along their dimensions.

use super::Family;
use super::arithmetic::with_batch;
use crate::call::{Call, mixes_the_batch};
use crate::refusal::{Refusal, Result};
use crate::shapes::sizes;
use crate::value::{Computed, Value};
use nn_core::layers::Gather;

pub const OPERATORS: Family = &[("Expand", expand), ("Tile", tile)];

/// The value `times` times along an axis, one after the other.
fn repeated(call: &mut Call<'_>, value: Computed, axis: usize, times: usize) -> Result<Computed> {
    let len = value.dims[axis];
    call.budget().take_whole(&[len, times])?;
    let indices: Vec<_> = std::iter::repeat_n(0..len, times).flatten().collect();
    let mut dims = value.dims.clone();
    dims[axis] = indices.len();
    let layer = Gather::new(value.layout.place(axis) - 1, indices);
    let id = call.help(&format!("axis{axis}"), layer, &[value.id], vec![])?;
    Ok(Computed::new(dims, value.layout, id))
}

/// Repeats along dimensions of 1. Nothing is done where there is nothing to repeat.
fn expand(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let mut value = call.computed(0)?;
    let asked = call.required_constant(1)?.to_integers()?;
    let mut sizes = sizes(&asked)?;
    if sizes.len() == value.rank() && sizes.first() == value.dims.first() {
        sizes[0] = 1;
    }
    let sizes = with_batch(&sizes, &value)?;
    for (axis, &size) in sizes.iter().enumerate().skip(1) {
        match value.dims[axis] {
            own if size == 1 || size == own => {}
            1 => {
                value = repeated(call, value, axis, size)?;
            }
            _ => {
                return Err(Refusal::new(
                    format!(
                        "it repeats a value {:?} to {asked:?}, but only dimensions of 1 are repeated",
                        value.dims
                    ),
                    "the image size differs from that at export, or the file is damaged",
                ));
            }
        }
    }
    Ok(vec![value.into()])
}

/// Repeats along any dimension but the batch.
fn tile(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let mut value = call.computed(0)?;
    let asked = call.required_constant(1)?.to_integers()?;
    let repeats = sizes(&asked)?;
    if repeats.len() != value.rank() || repeats.contains(&0) {
        let problem = format!(
            "its repeats {asked:?} are not one number, 1 or more, for each of {:?}",
            value.dims
        );
        return Err(Refusal::new(problem, "the file is damaged; export it again"));
    }
    if repeats[0] != 1 {
        return Err(mixes_the_batch("it repeats"));
    }
    for (axis, &times) in repeats.iter().enumerate().filter(|(_, times)| **times != 1) {
        value = repeated(call, value, axis, times)?;
    }
    Ok(vec![value.into()])
}

//! Layers that pick entries along a dimension, and that add some around.

use super::super::call::Call;
use super::super::graph::{Form, Held};
use super::super::proto::{int, text};
use super::Family;
use nn_core::Result;
use nn_core::autograd::PadMode;
use nn_core::layers::{ChannelSlice, Gather, Pad, Slice, ZeroPadding2D};

pub const KINDS: Family = &[
    ("ChannelSlice", |call| {
        let ChannelSlice { start, end } = call.layer()?;
        let axis = call.shape(0).len().saturating_sub(1);
        slice(call, Slice::new(axis, start..end))
    }),
    ("Gather", |call| {
        let Gather { axis, indices } = call.layer()?;
        let (x, raised) = call.any(0)?;
        let y = gather(call, call.name, &x.name, x.layout.axes()[axis + raised + 1], &indices);
        Ok(call.like(&x, raised, y))
    }),
    ("Pad", |call| {
        let Pad { amounts, mode } = call.layer()?;
        pad(call, &amounts, mode)
    }),
    ("Slice", |call| {
        let layer: Slice = call.layer()?;
        slice(call, layer)
    }),
    ("ZeroPadding2D", |call| {
        let ZeroPadding2D { top, bottom, left, right } = call.layer()?;
        pad(call, &[(top, bottom), (left, right), (0, 0)], PadMode::Constant(0.0))
    }),
];

/// The entries along an axis of the file.
pub fn gather(
    call: &mut Call<'_, '_>,
    name: &str,
    x: &str,
    axis: usize,
    indices: &[usize],
) -> String {
    let indices = indices.iter().map(|&index| index as i64).collect();
    let indices = call.graph.integers(&format!("{name}/indices"), indices);
    call.graph.node(name, "Gather", &[x, &indices], vec![int("axis", axis as i64)])
}

/// A range along an axis of the file, in steps.
pub fn cut(call: &mut Call<'_, '_>, name: &str, x: &str, axis: usize, range: [i64; 3]) -> String {
    let names = ["starts", "ends", "axes", "steps"];
    let [start, end, step] = range;
    let values = [start, end, axis as i64, step];
    let constant = |i: usize| call.graph.integers(&format!("{name}/{}", names[i]), vec![values[i]]);
    let [starts, ends, axes, steps] = [0, 1, 2, 3].map(constant);
    call.graph.node(name, "Slice", &[x, &starts, &ends, &axes, &steps], vec![])
}

fn slice(call: &mut Call<'_, '_>, layer: Slice) -> Result<Held> {
    let (x, raised) = call.any(0)?;
    let axis = x.layout.axes()[layer.axis + raised + 1];
    let (start, end) = (layer.start as i64, layer.end as i64);
    let range = match layer.step < 0 {
        false => [start, end, layer.step as i64],
        // Backwards to the first entry and beyond it, which -1 would not say.
        true => [end - 1, if start == 0 { i64::MIN } else { start - 1 }, layer.step as i64],
    };
    let y = cut(call, call.name, &x.name, axis, range);
    Ok(call.like(&x, raised, y))
}

/// Entries before and after those of each dimension of ours.
fn pad(call: &mut Call<'_, '_>, amounts: &[(usize, usize)], mode: PadMode) -> Result<Held> {
    let (x, raised) = call.any(0)?;
    let amount = |place: usize| match place.checked_sub(raised + 1) {
        Some(axis) => amounts[axis],
        None => (0, 0),
    };
    let in_file: Vec<_> = (0..=x.shape.len()).map(|axis| amount(x.layout.place(axis))).collect();
    let is_mirrored = |(axis, &(before, after)): (usize, &(usize, usize))| {
        axis == 0 || before.max(after) < x.shape[x.layout.place(axis) - 1]
    };
    let y = match mode {
        PadMode::Constant(number) => padded(call, call.name, &x.name, &in_file, number),
        PadMode::Edge => with_mode(call, &x.name, &in_file, "edge"),
        PadMode::Reflect if in_file.iter().enumerate().all(is_mirrored) => {
            with_mode(call, &x.name, &in_file, "reflect")
        }
        // What operators of this opset do not do is picked entry by entry.
        mode => by_entries(call, &x, &in_file, mode),
    };
    Ok(call.like(&x, raised, y))
}

fn pads(amounts: &[(usize, usize)]) -> Vec<i64> {
    let before = amounts.iter().map(|amount| amount.0 as i64);
    before.chain(amounts.iter().map(|amount| amount.1 as i64)).collect()
}

/// A number around a value of the file.
pub fn padded(
    call: &mut Call<'_, '_>,
    name: &str,
    x: &str,
    amounts: &[(usize, usize)],
    number: f64,
) -> String {
    let pads = call.graph.integers(&format!("{name}/pads"), pads(amounts));
    let number = call.graph.scalar(number);
    call.graph.node(name, "Pad", &[x, &pads, &number], vec![])
}

fn with_mode(
    call: &mut Call<'_, '_>,
    x: &str,
    amounts: &[(usize, usize)],
    mode: &'static str,
) -> String {
    let pads = call.integers("pads", pads(amounts));
    call.add("Pad", &[x, &pads], vec![text("mode", mode)])
}

fn by_entries(
    call: &mut Call<'_, '_>,
    x: &Form,
    amounts: &[(usize, usize)],
    mode: PadMode,
) -> String {
    let long: Vec<_> = (1..amounts.len()).filter(|&axis| amounts[axis] != (0, 0)).collect();
    let mut y = x.name.clone();
    for &axis in &long {
        let (before, after) = amounts[axis];
        let len = x.shape[x.layout.place(axis) - 1];
        let entries = (0..before + len + after).map(|i| entry(mode, i, before, len));
        let last = Some(&axis) == long.last();
        let title = if last { call.name.to_owned() } else { call.title(&format!("axis{axis}")) };
        y = gather(call, &title, &y, axis, &entries.collect::<Vec<_>>());
    }
    y
}

/// Which of `len` entries stands at place `i`, where the first has `before` others before it.
fn entry(mode: PadMode, i: usize, before: usize, len: usize) -> usize {
    let (at, len) = (i as i64 - before as i64, len as i64);
    let entry = match mode {
        PadMode::Wrap => at.rem_euclid(len),
        // There and back again.
        _ => {
            let turn = (2 * (len - 1)).max(1);
            let at = at.rem_euclid(turn);
            at.min(turn - at)
        }
    };
    entry as usize
}

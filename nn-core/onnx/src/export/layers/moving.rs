//! Layers that give numbers another shape or order.

use super::super::call::Call;
use super::super::graph::{Form, Held, usual};
use super::super::proto::ints;
use super::Family;
use crate::layout::Layout;
use nn_core::Result;
use nn_core::layers::{ChannelShuffle, Permute, Reshape};

pub const KINDS: Family = &[
    ("ChannelShuffle", shuffle),
    ("Flatten", |call| {
        let shape = call.shape(0);
        if shape.len() == 1 {
            return Ok(call.inputs[0].clone());
        }
        let x = call.usual(0)?;
        let form = Form { name: x, layout: usual(shape.len()), shape };
        let y = call.graph.reshape(call.name, &form, call.output.dims());
        Ok(Held::new(call.output.dims(), Layout::plain(2), y))
    }),
    ("Permute", permute),
    ("Reshape", reshape),
];

/// Without the dimensions of 1 before the first longer one.
fn without_ones(shape: &[usize]) -> &[usize] {
    &shape[shape.iter().take_while(|&&dim| dim == 1).count()..]
}

fn reshape(call: &mut Call<'_, '_>) -> Result<Held> {
    let Reshape { shape } = call.layer()?;
    let input = &mut call.inputs[0];
    // Dimensions of 1 before all others are those of a form, and no node's work.
    if without_ones(&input.shape) == without_ones(&shape)
        && input.forms.iter().all(|form| form.shape.len() >= shape.len())
    {
        return Ok(Held { shape, ..input.clone() });
    }
    let form = call.graph.in_our_order(input)?;
    // An image without extent, or of one channel, lies in both layouts alike.
    let images = usual(shape.len());
    let full: Vec<_> = std::iter::once(2).chain(shape.iter().copied()).collect();
    let file: Vec<_> = (1..=shape.len()).map(|axis| full[images.place(axis)]).collect();
    let file_full: Vec<_> = std::iter::once(2).chain(file).collect();
    let layout = match images.is_same_memory(&Layout::plain(full.len()), &file_full) {
        true => images,
        false => Layout::plain(full.len()),
    };
    let dims = super::super::graph::dims(&shape, &layout);
    let y = call.graph.reshape(call.name, &form, &dims);
    Ok(Held::new(&shape, layout, y))
}

/// Another view of the same value: nothing moves until somebody needs it.
fn permute(call: &mut Call<'_, '_>) -> Result<Held> {
    let Permute { axes } = call.layer()?;
    let shape = call.shape(0);
    let forms = call.inputs[0].forms.iter().filter(|form| form.shape == shape);
    let forms = forms.map(|form| {
        let moved = axes.iter().map(|axis| form.layout.axes()[axis + 1]);
        let layout = Layout::new(std::iter::once(0).chain(moved).collect());
        let layout = layout.unwrap_or_else(|| form.layout.clone());
        Form { name: form.name.clone(), shape: call.output.dims().to_vec(), layout }
    });
    let forms: Vec<_> = forms.collect();
    let single = call.inputs[0].single;
    if forms.is_empty() {
        call.usual(0)?;
        return permute(call);
    }
    Ok(Held { shape: call.output.dims().to_vec(), forms, single })
}

/// The channels cut into groups, both in the other order, and one again.
fn shuffle(call: &mut Call<'_, '_>) -> Result<Held> {
    let ChannelShuffle { groups } = call.layer()?;
    let shape = call.shape(0);
    let layout = Layout::channels_last(shape.len() + 1);
    let x = Form { name: call.arranged(0, &layout)?, layout: layout.clone(), shape };
    let whole = x.dims();
    let (channels, places) = (whole[0], &whole[1..]);
    let cut = [&[groups, channels / groups.max(1)], places].concat();
    let y = call.graph.reshape(&call.title("groups"), &x, &cut);
    let behind = (3..cut.len() + 1).map(|axis| axis as i64);
    let perm = ints("perm", [0, 2, 1].into_iter().chain(behind));
    let y = call.help("swapped", "Transpose", &[&y], vec![perm]);
    let swapped = Form { name: y, shape: cut.clone(), layout: Layout::plain(cut.len() + 1) };
    let y = call.graph.reshape(call.name, &swapped, &whole);
    Ok(Held::new(call.output.dims(), layout, y))
}

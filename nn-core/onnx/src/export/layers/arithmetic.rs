//! What is done to each number for itself, and what joins several values number by number.

use super::super::activation;
use super::super::call::{Call, channel_dims};
use super::super::graph::{Held, Numbers, dims, usual};
use super::super::proto::{int, ints};
use super::Family;
use crate::layout::Layout;
use nn_core::layers::{
    Activation, Bias, Concatenate, Constant, Function, Normalization, Reduce, Reduction, Rescaling,
    Scale,
};
use nn_core::{Result, Tensor};

pub const KINDS: Family = &[
    ("Activation", |call| {
        let function: Activation = call.layer()?;
        let (x, raised) = call.any(0)?;
        let y = activation::write(call.graph, call.name, x.name.clone(), function, &x.layout)?;
        Ok(call.like(&x, raised, y))
    }),
    ("Add", |call| merge(call, "Add")),
    ("Bias", |call| {
        let Bias { fixed, .. } = call.layer()?;
        with_parameter(call, "Add", fixed)
    }),
    ("Concatenate", concatenate),
    ("Constant", constant),
    ("Divide", |call| merge(call, "Div")),
    ("Dropout", same),
    ("Function", |call| {
        let function: Function = call.layer()?;
        let (x, raised) = call.any(0)?;
        let y = activation::function(call.graph, call.name, x.name.clone(), function)?;
        Ok(call.like(&x, raised, y))
    }),
    ("MatMul", |call| {
        let (a, b) = (call.plain(0)?, call.plain(1)?);
        let y = call.add("MatMul", &[&a, &b], vec![]);
        Ok(Held::new(call.output.dims(), Layout::plain(call.output.rank() + 1), y))
    }),
    ("Maximum", |call| merge(call, "Max")),
    ("Minimum", |call| merge(call, "Min")),
    ("Multiply", |call| merge(call, "Mul")),
    ("Normalization", normalization),
    ("Reduce", reduce),
    ("Rescaling", rescaling),
    ("Scale", |call| {
        let Scale { fixed, .. } = call.layer()?;
        with_parameter(call, "Mul", fixed)
    }),
    ("StochasticDepth", same),
    ("Subtract", |call| merge(call, "Sub")),
];

/// What does nothing at inference.
fn same(call: &mut Call<'_, '_>) -> Result<Held> {
    call.any(0)?;
    Ok(call.inputs[0].clone())
}

/// A number for each channel, trained or fixed.
fn with_parameter(call: &mut Call<'_, '_>, op: &str, fixed: bool) -> Result<Held> {
    let (x, raised) = call.any(0)?;
    let parameter = call.for_channels(0, &x.layout)?;
    call.graph.fix_last(fixed);
    let y = call.add(op, &[&x.name, &parameter], vec![]);
    Ok(call.like(&x, raised, y))
}

fn rescaling(call: &mut Call<'_, '_>) -> Result<Held> {
    let Rescaling { scale, offset } = call.layer()?;
    let (x, raised) = call.any(0)?;
    let mut y = x.name.clone();
    if scale != 1.0 || offset == 0.0 {
        let scale = call.graph.scalar(scale);
        let title = if offset == 0.0 { call.name.to_owned() } else { call.title("scaled") };
        y = call.graph.node(&title, "Mul", &[&y, &scale], vec![]);
    }
    if offset != 0.0 {
        let offset = call.graph.scalar(offset);
        y = call.add("Add", &[&y, &offset], vec![]);
    }
    Ok(call.like(&x, raised, y))
}

/// In single precision as the layer computes it: less the mean, times the inverse of the deviation.
fn normalization(call: &mut Call<'_, '_>) -> Result<Held> {
    let Normalization { mean, std } = call.layer()?;
    let (x, raised) = call.any(0)?;
    let dims = channel_dims(mean.len(), &x.layout);
    let mean = call.floats("mean", &dims, mean.iter().map(|&v| v as f32).collect());
    let inverse = call.floats("inverse", &dims, std.iter().map(|v| (1.0 / v) as f32).collect());
    let y = call.help("shifted", "Sub", &[&x.name, &mean], vec![]);
    let y = call.add("Mul", &[&y, &inverse], vec![]);
    Ok(call.like(&x, raised, y))
}

/// The layout in which the inputs of as many dimensions as the output have most numbers already.
fn common_layout(call: &Call<'_, '_>, rank: usize) -> Layout {
    let of_rank = call.inputs.iter().filter(|input| input.shape.len() == rank);
    let largest = of_rank.rev().max_by_key(|input| input.shape.iter().product::<usize>());
    let form = largest.and_then(|input| input.forms.iter().find(|form| form.shape.len() == rank));
    form.map_or_else(|| usual(rank), |form| form.layout.clone())
}

fn merge(call: &mut Call<'_, '_>, op: &str) -> Result<Held> {
    let rank = call.output.rank();
    let layout = common_layout(call, rank);
    let mut y = String::new();
    let last = call.inputs.len().saturating_sub(1);
    for i in 0..call.inputs.len() {
        let mut shape = call.shape(i);
        shape.splice(0..0, std::iter::repeat_n(1, rank - shape.len()));
        let x = call.raised(i, &shape, &layout)?;
        y = match i {
            0 => x,
            _ if i == last => call.add(op, &[&y, &x], vec![]),
            _ => call.help(&i.to_string(), op, &[&y, &x], vec![]),
        };
    }
    Ok(Held::new(call.output.dims(), layout, y))
}

fn concatenate(call: &mut Call<'_, '_>) -> Result<Held> {
    let layer: Concatenate = call.layer()?;
    let rank = call.output.rank();
    let layout = common_layout(call, rank);
    let place = layer.axis.map_or(rank, |axis| axis + 1);
    let mut inputs = Vec::with_capacity(call.inputs.len());
    let all_single = call.inputs.iter().all(|input| input.single);
    for i in 0..call.inputs.len() {
        if !all_single {
            call.graph.batched(&mut call.inputs[i])?;
        }
        inputs.push(call.arranged(i, &layout)?);
    }
    let axis = layout.axes()[place] as i64;
    let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
    let y = call.add("Concat", &inputs, vec![int("axis", axis)]);
    Ok(Held::new(call.output.dims(), layout, y))
}

/// Numbers, trained or fixed, with a batch of one, as they lie in the file.
fn constant(call: &mut Call<'_, '_>) -> Result<Held> {
    let Constant { shape, fixed } = call.layer()?;
    let layout = usual(shape.len());
    let file: Vec<_> = std::iter::once(1).chain(dims(&shape, &layout)).collect();
    let Some(parameter) = call.parameters.first() else { return same(call) };
    let value: &Tensor = &parameter.value;
    let numbers = match layout == Layout::plain(shape.len() + 1) {
        true => Numbers::Weights(value),
        false => Numbers::Floats(channels_first(value.as_slice(), &shape)),
    };
    let name = call.graph.parameter(&parameter.name, &file, numbers);
    call.graph.fix_last(fixed);
    Ok(Held { single: true, ..Held::new(&shape, layout, name) })
}

/// The numbers of an image with its channels first.
fn channels_first(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let &[height, width, channels] = shape else { return values.to_vec() };
    let places = height * width;
    let at = |i: usize| values[i % places * channels + i / places];
    (0..values.len()).map(at).collect()
}

fn reduce(call: &mut Call<'_, '_>) -> Result<Held> {
    let Reduce { reduction, axes } = call.layer()?;
    if axes.is_empty() {
        return same(call);
    }
    let (x, raised) = call.any(0)?;
    let axes = axes.iter().map(|axis| x.layout.axes()[axis + raised + 1] as i64);
    let mut axes: Vec<_> = axes.collect();
    axes.sort_unstable();
    let y = match reduction {
        // The one whose axes are an input at this opset.
        Reduction::Sum => {
            let axes = call.integers("axes", axes);
            call.add("ReduceSum", &[&x.name, &axes], vec![])
        }
        Reduction::Mean => call.add("ReduceMean", &[&x.name], vec![ints("axes", axes)]),
        Reduction::Max => call.add("ReduceMax", &[&x.name], vec![ints("axes", axes)]),
        other => {
            let problem = format!("the reduction {other:?} is not known");
            return Err(super::super::graph::fault(&problem));
        }
    };
    Ok(call.like(&x, raised, y))
}

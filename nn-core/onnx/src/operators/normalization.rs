//! Normalisations.

use super::Family;
use crate::array::{Array, elements};
use crate::call::Call;
use crate::layout::Layout;
use crate::net::{ValueId, Weight};
use crate::refusal::{Refusal, Result};
use crate::shapes::axis_of;
use crate::value::{Computed, Value};
use nn_core::layers::{
    AveragePool2D, BatchNormalization, Function, GroupNormalization, LayerNormalization, Multiply,
    Padding, Rescaling, Reshape,
};

pub const OPERATORS: Family = &[
    ("BatchNormalization", batch_normalization),
    ("GroupNormalization", group_normalization),
    ("InstanceNormalization", instance_normalization),
    ("LRN", local_response),
    ("LayerNormalization", layer_normalization),
];

fn epsilon(call: &Call<'_>) -> Result<f64> {
    Ok(call.node.attributes.float("epsilon")?.unwrap_or(1e-5))
}

/// Constant input `i`, a number for each channel.
fn for_each(call: &Call<'_>, i: usize, what: &str, channels: usize) -> Result<Weight> {
    let array = call.required_constant(i)?;
    if array.len() == channels {
        return Ok(array.to_floats());
    }
    Err(Refusal::new(
        format!("its {what} has {} numbers for {channels} channels", array.len()),
        "export again, with another version of the exporter",
    ))
}

/// The value with its channels, ONNX's axis 1, last in memory.
fn channels_last(call: &mut Call<'_>) -> Result<(Computed, Layout, ValueId, usize)> {
    let value = call.computed(0)?;
    let Some(&channels) = value.dims.get(1) else {
        let problem = format!("its input has the shape {:?}, without channels", value.dims);
        return Err(Refusal::new(problem, "export the model again"));
    };
    let layout = match value.layout.last() {
        Some(1) => value.layout.clone(),
        _ => Layout::channels_last(value.rank()),
    };
    let id = call.arranged(&value, &layout)?;
    Ok((value, layout, id, channels))
}

fn batch_normalization(call: &mut Call<'_>) -> Result<Vec<Value>> {
    if call.node.attributes.flag("training_mode")? {
        let problem = "attribute training_mode is 1: it normalises by the statistics of a batch";
        return Err(Refusal::new(problem, "call model.eval() before the export"));
    }
    let (value, layout, id, channels) = channels_last(call)?;
    let names = ["scale", "bias", "mean", "variance"];
    let parameters =
        names.iter().enumerate().map(|(i, name)| for_each(call, i + 1, name, channels));
    let parameters = parameters.collect::<Result<_>>()?;
    let momentum = call.node.attributes.float("momentum")?.unwrap_or(0.9);
    // ONNX's is the share of the old value.
    let layer = BatchNormalization::new().epsilon(epsilon(call)?);
    let layer = if (0.0..1.0).contains(&momentum) {
        layer.momentum(rounded(1.0 - momentum))
    } else {
        layer
    };
    let id = call.add(layer, &[id], parameters)?;
    Ok(vec![Computed::new(value.dims, layout, id).into()])
}

/// A setting that was stored in single precision, without what that added.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

fn instance_normalization(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let epsilon = epsilon(call)?;
    let value = call.computed(0)?;
    let channels = value.dims.get(1).copied().unwrap_or(0);
    let parameters =
        vec![for_each(call, 1, "scale", channels)?, for_each(call, 2, "bias", channels)?];
    // PyTorch writes a group normalisation as one of instances whose channels are the groups.
    if let Some(origin) = value.origin.as_deref()
        && let [batch, groups, _] = value.dims[..]
        && origin.dims.len() >= 2
        && origin.dims[0] == batch
        && origin.dims[1].is_multiple_of(groups.max(1))
    {
        let (dims, own) = (origin.dims.clone(), origin.dims[1] / groups.max(1));
        let layout = match origin.layout.last() {
            Some(1) => origin.layout.clone(),
            _ => Layout::channels_last(dims.len()),
        };
        let id = call.arranged(origin, &layout)?;
        let spread = parameters.iter().map(|weight| call.spread(weight, own));
        let parameters = spread.collect::<Result<_>>()?;
        let id = call.add(GroupNormalization::new(groups).epsilon(epsilon), &[id], parameters)?;
        let normalized = Computed::new(dims, layout, id);
        return super::reshaping::reshape(call, &normalized, value.dims.clone()).map(|v| vec![v]);
    }
    let (value, layout, id, channels) = channels_last(call)?;
    let id = call.add(GroupNormalization::new(channels).epsilon(epsilon), &[id], parameters)?;
    Ok(vec![Computed::new(value.dims, layout, id).into()])
}

fn group_normalization(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let epsilon = epsilon(call)?;
    let groups = call.node.attributes.int("num_groups")?.unwrap_or(1);
    let groups = usize::try_from(groups).unwrap_or(0);
    let (value, layout, id, channels) = channels_last(call)?;
    // Until opset 20 there was a number for each group, from 21 on one for each channel.
    let parameter = |i: usize, what: &str| {
        let array: Array = call.required_constant(i)?;
        if array.len() == groups && groups != channels && groups > 0 {
            return call.spread(&array.to_floats(), channels / groups);
        }
        for_each(call, i, what, channels)
    };
    let parameters = vec![parameter(1, "scale")?, parameter(2, "bias")?];
    let id = call.add(GroupNormalization::new(groups).epsilon(epsilon), &[id], parameters)?;
    Ok(vec![Computed::new(value.dims, layout, id).into()])
}

/// Over the last dimension as ours; over several after they became one.
fn layer_normalization(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let epsilon = epsilon(call)?;
    let value = call.computed(0)?;
    let rank = value.rank();
    let axis = axis_of(call.node.attributes.int("axis")?.unwrap_or(-1), rank)?;
    if axis == 0 {
        return Err(crate::call::mixes_the_batch("it normalises over"));
    }
    let len = elements(&value.dims[axis..])?;
    let full = |call: &Call<'_>, array: &Array| match array.len() {
        own if own == len => Ok(array.to_floats()),
        1 => call.spread(&array.to_floats(), len),
        own => {
            let problem = format!("its scale or bias has {own} numbers for {len}");
            Err(Refusal::new(problem, "export the model again"))
        }
    };
    let scale = full(call, &call.required_constant(1)?)?;
    let bias = match call.constant(2)? {
        None => call.filled(0.0, len)?,
        Some(bias) => full(call, &bias)?,
    };
    let parameters = vec![scale, bias];
    let layer = LayerNormalization::new().epsilon(epsilon);
    if axis == rank - 1 {
        let layout = value.layout.ending_in(axis);
        let id = call.arranged(&value, &layout)?;
        let id = call.add(layer, &[id], parameters)?;
        return Ok(vec![Computed::new(value.dims, layout, id).into()]);
    }
    let layout = Layout::plain(rank);
    let id = call.arranged(&value, &layout)?;
    let outer = value.len() / len.max(1);
    let id = call.help("rows", Reshape::new([outer, len]), &[id], vec![])?;
    let id = call.add(layer, &[id], parameters)?;
    let id = call.help("shape", Reshape::new(&value.dims[1..]), &[id], vec![])?;
    Ok(vec![Computed::new(value.dims, layout, id).into()])
}

/// Local response normalisation: `x (bias + alpha / size * sum of squares of neighbouring channels)^-beta`. The
/// sum is an average pooling along the channels.
fn local_response(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let setting = |name: &str, usual: f64| {
        Ok::<_, Refusal>(call.node.attributes.float(name)?.unwrap_or(usual))
    };
    let (alpha, beta, bias) =
        (setting("alpha", 1e-4)?, setting("beta", 0.75)?, setting("bias", 1.0)?);
    let size = call.node.attributes.int("size")?.unwrap_or(0);
    let size = usize::try_from(size).ok().filter(|&size| size > 0).ok_or_else(|| {
        Refusal::new(format!("attribute size is {size}"), "the file is damaged; export it again")
    })?;
    let (value, layout, id, channels) = channels_last(call)?;
    let shape = call.net().shape(id).dims().to_vec();
    let squares = call.help("squares", Function::Power { exponent: 2.0 }, &[id], vec![])?;
    let rows = Reshape::new([value.len() / channels.max(1), channels, 1]);
    let rows = call.help("rows", rows, &[squares], vec![])?;
    let (left, right) = ((size - 1) / 2, size / 2);
    let padding = Padding::Explicit { top: 0, bottom: 0, left, right };
    let mean = AveragePool2D::new((1, size)).stride(1).padding(padding);
    let mean = call.help("mean", mean, &[rows], vec![])?;
    let mean = call.help("shape", Reshape::new(shape), &[mean], vec![])?;
    let power = call.help("scaled", Rescaling::new(alpha).offset(bias), &[mean], vec![])?;
    let power = call.help("power", Function::Power { exponent: -beta }, &[power], vec![])?;
    let id = call.add(Multiply::new(), &[id, power], vec![])?;
    Ok(vec![Computed::new(value.dims, layout, id).into()])
}

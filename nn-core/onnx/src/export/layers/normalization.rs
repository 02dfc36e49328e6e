//! Normalisations with trained factors.

use super::super::call::Call;
use super::super::graph::{Form, Held, usual};
use super::super::proto::{float, int};
use super::Family;
use crate::layout::Layout;
use nn_core::Result;
use nn_core::layers::{BatchNormalization, GroupNormalization, LayerNormalization};

pub const KINDS: Family = &[
    ("BatchNormalization", |call| {
        let layer: BatchNormalization = call.layer()?;
        // ONNX's momentum is the share of the old value.
        let attributes =
            vec![float("epsilon", layer.epsilon), float("momentum", 1.0 - layer.momentum)];
        of_channels(call, "BatchNormalization", attributes)
    }),
    ("GroupNormalization", group),
    ("LayerNormalization", |call| {
        let layer: LayerNormalization = call.layer()?;
        let layout = Layout::plain(call.shape(0).len() + 1);
        let x = call.arranged(0, &layout)?;
        let inputs = call.with_parameters(x)?;
        let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
        let attributes = vec![int("axis", -1), float("epsilon", layer.epsilon)];
        let value = call.add("LayerNormalization", &inputs, attributes);
        Ok(Held::new(call.output.dims(), layout, value))
    }),
];

/// A normalisation whose channels come first, as all of ONNX's but one.
fn of_channels(
    call: &mut Call<'_, '_>,
    op: &str,
    attributes: Vec<super::super::proto::Attribute>,
) -> Result<Held> {
    let layout = Layout::channels_last(call.shape(0).len() + 1);
    let x = call.arranged(0, &layout)?;
    let inputs = call.with_parameters(x)?;
    let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
    let value = call.add(op, &inputs, attributes);
    Ok(Held::new(call.output.dims(), layout, value))
}

/// By instances whose channels are the groups, as PyTorch's exporter writes it: ONNX's own operator changed its meaning
/// after opset 18.
fn group(call: &mut Call<'_, '_>) -> Result<Held> {
    let layer: GroupNormalization = call.layer()?;
    let shape = call.shape(0);
    let attributes = vec![float("epsilon", layer.epsilon)];
    let channels = shape.last().copied().unwrap_or(1);
    if layer.groups == channels && shape.len() > 1 {
        return of_channels(call, "InstanceNormalization", attributes);
    }
    let layout = Layout::channels_last(shape.len() + 1);
    let x = Form { name: call.arranged(0, &layout)?, shape: shape.clone(), layout: layout.clone() };
    let len = shape.iter().product::<usize>() / layer.groups.max(1);
    let groups = call.graph.reshape(&call.title("groups"), &x, &[layer.groups, len]);
    let ones = call.floats("ones", &[layer.groups], vec![1.0; layer.groups]);
    let zeros = call.floats("zeros", &[layer.groups], vec![0.0; layer.groups]);
    let y = call.add("InstanceNormalization", &[&groups, &ones, &zeros], attributes);
    let grouped = Form { name: y, shape: vec![layer.groups, len], layout: Layout::plain(3) };
    let y = call.graph.reshape(&call.title("channels"), &grouped, &x.dims());
    let weight = call.for_channels(0, &layout)?;
    let y = call.help("scaled", "Mul", &[&y, &weight], vec![]);
    let bias = call.for_channels(1, &layout)?;
    let y = call.help("shifted", "Add", &[&y, &bias], vec![]);
    let layout = if shape.len() == 3 { usual(3) } else { layout };
    Ok(Held::new(call.output.dims(), layout, y))
}

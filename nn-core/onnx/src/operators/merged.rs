//! Nodes whose inputs have the batch merged with other dimensions, as attention in windows and exporters' attention
//! in heads have it: `[batch * windows, ..]`. In the network the value is `[batch, windows, ..]`, so a node does to it
//! what the file says one dimension further back: to each sample what the file does to a batch of one.
//!
//! In a file for any batch, what works along dimension 0 is refused, for it could mix samples. What picks parts along
//! it is not: after a transpose, queries, keys and values lie there. To pick samples makes no sense in a classifier.

use super::Operator;
use crate::attributes::Attribute;
use crate::call::{Call, mixes_the_batch, unaligned};
use crate::graph::Node;
use crate::refusal::Result;
use crate::shapes::{axes_of, axis_of};
use crate::value::{Batch, Computed, Value};

/// What a node has to be told when its inputs get a dimension in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shift {
    /// It works number by number, or counts dimensions from the end.
    Nothing,
    /// The attribute `axis`, with this value where it is left out.
    Axis(i64),
    /// The attribute `axes`, or the input of this number.
    Axes(usize),
    /// The attribute `axes`, or input 3; left out, the first dimensions are meant.
    Ranges,
    /// The attribute `perm`.
    Order,
    /// The attribute `pads`, or input 1, of all dimensions.
    Pads,
    /// Its channels are dimension 1.
    Channels,
}

fn shift_of(op: &str, opset: i64) -> Option<Shift> {
    Some(match op {
        "Softmax" | "LogSoftmax" => Shift::Axis(if opset >= 13 { -1 } else { 1 }),
        "LayerNormalization" => Shift::Axis(-1),
        "Concat" | "Split" | "Gather" => Shift::Axis(0),
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceMax" | "ReduceMean" | "ReduceMin"
        | "ReduceSum" | "ReduceSumSquare" => Shift::Axes(1),
        "Slice" => Shift::Ranges,
        "Transpose" => Shift::Order,
        "Pad" => Shift::Pads,
        "BatchNormalization" => Shift::Channels,
        "Abs" | "Add" | "Cast" | "CastLike" | "Celu" | "Clip" | "Div" | "Dropout" | "Elu"
        | "Erf" | "Exp" | "Expand" | "Gelu" | "Gemm" | "HardSigmoid" | "HardSwish" | "Identity"
        | "LeakyRelu" | "Log" | "MatMul" | "Max" | "Mean" | "Min" | "Mish" | "Mul" | "Neg"
        | "Pow" | "Reciprocal" | "Relu" | "Selu" | "Sigmoid" | "Softplus" | "Softsign" | "Sqrt"
        | "Sub" | "Sum" | "Swish" | "Tanh" | "ThresholdedRelu" | "Where" => Shift::Nothing,
        _ => return None,
    })
}

/// Whether an input has the batch merged with other dimensions.
pub fn applies(call: &Call<'_>) -> bool {
    ranks(call).next().is_some()
}

/// Lowers a node one dimension further back.
pub fn lower(call: &mut Call<'_>, operator: Operator) -> Result<Vec<Value>> {
    let shift = shift_of(&call.node.op, call.opset).ok_or_else(unaligned)?;
    let rank = ranks(call).max().unwrap_or(0);
    let mut node = call.node.clone();
    shifted(call, &mut node, shift, rank)?;
    // The inputs as they are in the network, under names of their own.
    let mut added = Vec::new();
    for i in 0..node.inputs.len() {
        let Some(value) = call.lowered.values.get(&node.inputs[i]) else { continue };
        let behind = match value.clone() {
            // What combines with it must not have more dimensions, or the result would have them.
            Value::Constant(array) if shift == Shift::Nothing && array.dims.len() > rank => {
                return Err(unaligned());
            }
            Value::Constant(array) if node.op == "Expand" && array.len() > rank => {
                return Err(unaligned());
            }
            Value::Constant(_) => continue,
            Value::Unaligned(Batch::Moved, _) => return Err(unaligned()),
            Value::Unaligned(Batch::Merged, value) if shift == Shift::Channels => exchanged(value)?,
            Value::Unaligned(Batch::Merged, value) => value,
            Value::Computed(value) => {
                let missing = rank.checked_sub(value.rank()).ok_or_else(unaligned)? + 1;
                let dims = [&vec![1; missing], &value.dims[..]].concat();
                match super::reshaping::reshape(call, &value, dims)? {
                    Value::Computed(value) => value,
                    _ => return Err(unaligned()),
                }
            }
        };
        let name = format!("{}\u{0}{i}", node.inputs[i]);
        call.lowered.values.insert(name.clone(), Value::Computed(behind));
        node.inputs[i].clone_from(&name);
        added.push(name);
    }
    let mut inner = Call { node: &node, opset: call.opset, lowered: &mut *call.lowered };
    let outputs = operator(&mut inner);
    added.iter().for_each(|name| drop(call.lowered.values.remove(name)));
    let outside = |value| match value {
        Value::Computed(value) if shift == Shift::Channels => {
            Ok(Value::Unaligned(Batch::Merged, exchanged(value)?))
        }
        Value::Computed(value) => Ok(Value::Unaligned(Batch::Merged, value)),
        other => Ok(other),
    };
    outputs?.into_iter().map(outside).collect()
}

/// The number of the file's dimensions of each merged input.
fn ranks(call: &Call<'_>) -> impl Iterator<Item = usize> {
    let inputs = call.node.inputs.iter().filter_map(|name| call.lowered.values.get(name));
    let merged = inputs.filter(|value| matches!(value, Value::Unaligned(Batch::Merged, _)));
    merged.map(|value| value.dims().len())
}

/// Dimensions 1 and 2 exchanged, which moves nothing.
fn exchanged(value: Computed) -> Result<Computed> {
    if value.rank() < 3 {
        return Err(unaligned());
    }
    let mut perm: Vec<_> = (0..value.rank()).collect();
    perm.swap(1, 2);
    value.transposed(&perm).ok_or_else(unaligned)
}

/// Refuses work along dimension 0 of a file for any batch: it would mix the samples that are merged there.
fn keeps_samples_apart(call: &Call<'_>, axis: usize) -> Result<()> {
    match axis == 0 && call.lowered.any_batch {
        true => Err(mixes_the_batch("it works along what is merged with")),
        false => Ok(()),
    }
}

/// Tells the node that a dimension is in front.
fn shifted(call: &Call<'_>, node: &mut Node, shift: Shift, rank: usize) -> Result<()> {
    let further = |axis: usize| axis as i64 + 1;
    let apart = |axes: &[usize]| axes.iter().try_for_each(|&axis| keeps_samples_apart(call, axis));
    match shift {
        Shift::Nothing | Shift::Channels => {}
        Shift::Axis(usual) => {
            let axis = axis_of(node.attributes.int("axis")?.unwrap_or(usual), rank)?;
            if node.op != "Split" {
                apart(&[axis])?;
            }
            node.attributes.set("axis", Attribute::Int(further(axis)));
        }
        Shift::Order => {
            let perm = match node.attributes.ints("perm")? {
                Some(perm) => axes_of(perm, rank)?,
                None => (0..rank).rev().collect(),
            };
            let perm = std::iter::once(0).chain(perm.into_iter().map(further));
            node.attributes.set("perm", Attribute::Ints(perm.collect()));
        }
        Shift::Pads => {
            let pads = call.ints("pads", 1)?.unwrap_or_default();
            if pads.len() != 2 * rank {
                return Err(unaligned());
            }
            let (before, after) = pads.split_at(rank);
            if before.first().zip(after.first()) != Some((&0, &0)) {
                apart(&[0])?;
            }
            let pads = [&[0], before, &[0], after].concat();
            node.attributes.set("pads", Attribute::Ints(pads));
        }
        Shift::Axes(input) => {
            let axes = match call.ints("axes", input)?.filter(|axes| !axes.is_empty()) {
                Some(axes) => axes_of(&axes, rank)?,
                None if node.attributes.flag("noop_with_empty_axes")? => return Ok(()),
                None => (0..rank).collect(),
            };
            apart(&axes)?;
            let axes = axes.into_iter().map(further).collect();
            node.attributes.set("axes", Attribute::Ints(axes));
        }
        Shift::Ranges => {
            let axes = match call.ints("axes", 3)? {
                Some(axes) => axes_of(&axes, rank)?,
                None => (0..call.ints("starts", 1)?.unwrap_or_default().len()).collect(),
            };
            let axes = axes.into_iter().map(further).collect();
            node.attributes.set("axes", Attribute::Ints(axes));
        }
    }
    Ok(())
}

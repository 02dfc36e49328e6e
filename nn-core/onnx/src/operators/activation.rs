//! Activations: functions of each number, and softmax.

use super::Family;
use crate::array::Array;
use crate::call::{Call, mixes_the_batch};
use crate::fold::not_one;
use crate::layout::Layout;
use crate::net::ValueId;
use crate::refusal::{Refusal, Result};
use crate::shapes::axis_of;
use crate::value::{Computed, Value};
use nn_core::layers::{
    Activation, Add, Constant, Divide, Function, Layer, Multiply, Reduce, Reduction, Rescaling,
    Reshape, Scale, Subtract,
};
use std::rc::Rc;

pub const OPERATORS: Family = &[
    ("Abs", |call| each(call, Function::Abs)),
    ("Celu", celu),
    ("Clip", clip),
    ("Elu", |call| {
        let alpha = setting(call, "alpha", 1.0)?;
        each(call, Activation::Elu { alpha })
    }),
    ("Erf", |call| each(call, Function::Erf)),
    ("Exp", |call| each(call, Function::Exp)),
    ("Gelu", gelu),
    ("HardSigmoid", |call| {
        let (alpha, beta) = (setting(call, "alpha", 0.2)?, setting(call, "beta", 0.5)?);
        each(call, Activation::HardSigmoid { alpha, beta })
    }),
    ("HardSwish", |call| each(call, Activation::HardSwish)),
    ("LeakyRelu", |call| {
        let slope = setting(call, "alpha", 0.01)?;
        each(call, Activation::LeakyRelu { slope })
    }),
    ("Log", |call| each(call, Function::Log)),
    ("LogSoftmax", log_softmax),
    ("Mish", |call| each(call, Activation::Mish)),
    ("Neg", |call| each(call, Rescaling::new(-1.0))),
    ("PRelu", prelu),
    ("Reciprocal", |call| each(call, Function::Power { exponent: -1.0 })),
    ("Relu", |call| each(call, Activation::Relu)),
    ("Selu", selu),
    ("Sigmoid", |call| each(call, Activation::Sigmoid)),
    ("Softmax", softmax),
    ("Softplus", |call| each(call, Activation::Softplus)),
    ("Softsign", softsign),
    ("Sqrt", |call| each(call, Function::Sqrt)),
    ("Swish", swish),
    ("Tanh", |call| each(call, Activation::Tanh)),
];

fn setting(call: &Call<'_>, name: &str, usual: f64) -> Result<f64> {
    Ok(call.node.attributes.float(name)?.unwrap_or(usual))
}

/// A layer that changes each number for itself.
fn each<L: Layer<f32> + 'static>(call: &mut Call<'_>, layer: L) -> Result<Vec<Value>> {
    let value = call.computed(0)?;
    let id = call.add(layer, &[value.id], vec![])?;
    Ok(vec![value.with_id(id).into()])
}

fn clip(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let bound = |name: &str, i: usize| -> Result<Option<f64>> {
        let given = match call.node.attributes.float(name)? {
            Some(value) => Some(value),
            None => {
                let number = |array: Array| array.scalar().ok_or_else(|| not_one(name, &array));
                call.constant(i)?.map(number).transpose()?
            }
        };
        Ok(given.filter(|value| value.abs() < f64::from(f32::MAX)))
    };
    match (bound("min", 1)?, bound("max", 2)?) {
        (Some(0.0), None) => each(call, Activation::Relu),
        (Some(0.0), Some(6.0)) => each(call, Activation::Relu6),
        (low, high) => each(call, Function::Clamp { low, high }),
    }
}

fn gelu(call: &mut Call<'_>) -> Result<Vec<Value>> {
    match call.node.attributes.text("approximate")? {
        Some("tanh") => each(call, Activation::GeluTanh),
        _ => each(call, Activation::Gelu),
    }
}

/// `alpha * elu(x / alpha)`
fn celu(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let alpha = setting(call, "alpha", 1.0)?;
    let value = call.computed(0)?;
    let id = call.help("scaled", Rescaling::new(1.0 / alpha), &[value.id], vec![])?;
    let id = call.help("elu", Activation::Elu { alpha: 1.0 }, &[id], vec![])?;
    let id = call.add(Rescaling::new(alpha), &[id], vec![])?;
    Ok(vec![value.with_id(id).into()])
}

/// `gamma * elu(x)`
fn selu(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let alpha = setting(call, "alpha", 1.673_263_2)?;
    let gamma = setting(call, "gamma", 1.050_701)?;
    let value = call.computed(0)?;
    let id = call.help("elu", Activation::Elu { alpha }, &[value.id], vec![])?;
    let id = call.add(Rescaling::new(gamma), &[id], vec![])?;
    Ok(vec![value.with_id(id).into()])
}

/// `x * sigmoid(alpha * x)`
fn swish(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let alpha = setting(call, "alpha", 1.0)?;
    if alpha == 1.0 {
        return each(call, Activation::Silu);
    }
    let value = call.computed(0)?;
    let scaled = call.help("scaled", Rescaling::new(alpha), &[value.id], vec![])?;
    let gate = call.help("gate", Activation::Sigmoid, &[scaled], vec![])?;
    let id = call.add(Multiply::new(), &[value.id, gate], vec![])?;
    Ok(vec![value.with_id(id).into()])
}

/// `x / (1 + |x|)`
fn softsign(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let value = call.computed(0)?;
    let size = call.help("abs", Function::Abs, &[value.id], vec![])?;
    let size = call.help("size", Rescaling::new(1.0).offset(1.0), &[size], vec![])?;
    let id = call.add(Divide::new(), &[value.id, size], vec![])?;
    Ok(vec![value.with_id(id).into()])
}

/// `max(x, 0) + slope * min(x, 0)`, with a slope for all or for each channel.
fn prelu(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let value = call.computed(0)?;
    let slope = call.required_constant(1)?;
    // Its shape combines with that of the input: of all its dimensions only the channels are not 1.
    let rank = value.rank();
    let last = value.layout.last().unwrap_or(0);
    let channels = value.dims[last];
    let at =
        slope.dims.iter().rposition(|&dim| dim != 1).map(|i| i + rank - slope.dims.len().min(rank));
    let is_one = slope.len() == 1;
    if !is_one && (slope.len() != channels || at != Some(last)) {
        let problem =
            format!("its slope {:?} is not one for each channel of {:?}", slope.dims, value.dims);
        return Err(Refusal::new(problem, "export with one slope, or one for each channel"));
    }
    let minus: Vec<_> = slope.to_floats().iter().map(|slope| -slope).collect();
    let minus = vec![Rc::new(minus)];
    let positive = call.help("positive", Activation::Relu, &[value.id], vec![])?;
    let negative = call.help("minus", Rescaling::new(-1.0), &[value.id], vec![])?;
    let negative = call.help("negative", Activation::Relu, &[negative], vec![])?;
    let negative = if is_one {
        let slope = Constant::new(vec![1; rank.saturating_sub(1)]);
        let slope = call.help("slope", slope, &[value.id], minus)?;
        call.help("scaled", Multiply::new(), &[negative, slope], vec![])?
    } else {
        call.help("slope", Scale::new(1.0), &[negative], minus)?
    };
    let id = call.add(Add::new(), &[positive, negative], vec![])?;
    Ok(vec![value.with_id(id).into()])
}

/// The axes over which a softmax runs: one since opset 13, before that all from one on.
fn softmax_axes(call: &Call<'_>, rank: usize) -> Result<Vec<usize>> {
    let axis = call.node.attributes.int("axis")?;
    if call.opset >= 13 {
        return Ok(vec![axis_of(axis.unwrap_or(-1), rank)?]);
    }
    Ok((axis_of(axis.unwrap_or(1), rank)?..rank).collect())
}

/// The value with the axes of its softmax last in memory, and as one dimension.
fn softmax_input(call: &mut Call<'_>) -> Result<(Computed, Layout, ValueId)> {
    let value = call.computed(0)?;
    let axes = softmax_axes(call, value.rank())?;
    if axes.contains(&0) {
        return Err(mixes_the_batch("it runs over"));
    }
    // Dimensions of 1 do not count.
    let long: Vec<_> = axes.iter().copied().filter(|&axis| value.dims[axis] != 1).collect();
    let mut layout = value.layout.clone();
    for &axis in &long {
        layout = layout.ending_in(axis);
    }
    let id = call.arranged(&value, &layout)?;
    if axes.len() == 1 && layout.last() == axes.first().copied() {
        return Ok((value, layout, id));
    }
    let inner: usize = long.iter().map(|&axis| value.dims[axis]).product();
    let outer = value.len() / inner.max(1);
    let shape = if outer == 1 { vec![inner] } else { vec![outer, inner] };
    let id = call.help("flat", Reshape::new(shape), &[id], vec![])?;
    Ok((value, layout, id))
}

/// The value after a softmax, with its own shape again.
fn softmax_output(
    call: &mut Call<'_>,
    value: &Computed,
    layout: Layout,
    id: ValueId,
) -> Result<Vec<Value>> {
    let dims = layout.sample(&value.dims);
    let id = match call.net().shape(id).dims() == dims {
        true => id,
        false => call.help("shape", Reshape::new(dims), &[id], vec![])?,
    };
    Ok(vec![Computed::new(value.dims.clone(), layout, id).into()])
}

fn softmax(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let (value, layout, id) = softmax_input(call)?;
    let id = call.add(Activation::Softmax, &[id], vec![])?;
    softmax_output(call, &value, layout, id)
}

/// `x - m - log(sum(exp(x - m)))`, where `m` is the largest.
fn log_softmax(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let (value, layout, id) = softmax_input(call)?;
    let last = call.net().shape(id).rank() - 1;
    let largest = call.help("max", Reduce::new(Reduction::Max, [last]), &[id], vec![])?;
    let shifted = call.help("shifted", Subtract::new(), &[id, largest], vec![])?;
    let sum = call.help("exp", Function::Exp, &[shifted], vec![])?;
    let sum = call.help("sum", Reduce::new(Reduction::Sum, [last]), &[sum], vec![])?;
    let log = call.help("log", Function::Log, &[sum], vec![])?;
    let id = call.add(Subtract::new(), &[shifted, log], vec![])?;
    softmax_output(call, &value, layout, id)
}

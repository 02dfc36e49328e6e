//! Operators on arrays of any shape.

use super::call::{Call, Outcome, Stop, Value, axis, inexpressible};
use nn_core::autograd::{Gelu, PadMode};
use nn_core::{Tensor, Var};

pub fn run(call: &Call<'_>) -> Outcome {
    let tape = call.tape;
    let one: Var<f32> = match call.case.op.as_str() {
        "Relu" => tape.relu(call.x(0)),
        "LeakyRelu" => tape.leaky_relu(call.x(0), call.float("alpha", 0.01)),
        "PRelu" => {
            let negative = tape.relu(tape.neg(call.x(0)));
            tape.sub(&tape.relu(call.x(0)), &tape.mul(&call.x(1), &negative)?)?
        }
        "Elu" => tape.elu(call.x(0), call.float("alpha", 1.0)),
        "Selu" => {
            let alpha = call.float("alpha", 1.673_263_242_354_377_2);
            let gamma = call.float("gamma", 1.050_700_987_355_480_5);
            tape.scale(tape.elu(call.x(0), alpha), gamma as f32)
        }
        "Gelu" if call.text("approximate", "none") == "tanh" => tape.gelu(call.x(0), Gelu::Tanh),
        "Gelu" => tape.gelu(call.x(0), Gelu::Exact),
        "HardSigmoid" => {
            tape.hard_sigmoid(call.x(0), call.float("alpha", 0.2), call.float("beta", 0.5))
        }
        "HardSwish" => tape.hard_swish(call.x(0)),
        "Sigmoid" => tape.sigmoid(call.x(0)),
        "Softplus" => tape.softplus(call.x(0)),
        "Mish" => tape.mish(call.x(0)),
        "Swish" => {
            let gate = tape.sigmoid(tape.scale(call.x(0), call.float("alpha", 1.0) as f32));
            tape.mul(&call.x(0), &gate)?
        }
        "Tanh" => tape.tanh(call.x(0)),
        "Clip" => {
            let (low, high) = (call.number(1), call.number(2));
            tape.clamp(call.x(0), low.unwrap_or(f64::MIN), high.unwrap_or(f64::MAX))
        }
        "Softmax" | "LogSoftmax" => softmax(call)?,
        "Add" => tape.add(&call.x(0), &call.x(1))?,
        "Sub" => tape.sub(&call.x(0), &call.x(1))?,
        "Mul" => tape.mul(&call.x(0), &call.x(1))?,
        "Div" => tape.div(&call.x(0), &call.x(1))?,
        "Sum" => fold(call, |a, b| tape.add(a, b))?,
        "Mean" => tape.scale(fold(call, |a, b| tape.add(a, b))?, 1.0 / call.inputs() as f32),
        "Max" => fold(call, |a, b| tape.maximum(a, b))?,
        "Min" => fold(call, |a, b| tape.minimum(a, b))?,
        "Pow" => power(call)?,
        "Neg" => tape.neg(call.x(0)),
        "Abs" => tape.abs(call.x(0)),
        "Sqrt" => tape.sqrt(call.x(0)),
        "Exp" => tape.exp(call.x(0)),
        "Log" => tape.log(call.x(0)),
        "Erf" => tape.erf(call.x(0)),
        "Reciprocal" => tape.div(&tape.constant(Tensor::scalar(1.0)), &call.x(0))?,
        "Where" => tape.select(&call.x(0), &call.x(1), &call.x(2))?,
        "Gemm" => gemm(call)?,
        "MatMul" => matmul(call)?,
        "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" => reduce(call)?,
        "ArgMax" => return argmax(call),
        "LayerNormalization" => return layer_normalization(call),
        "Dropout" => return dropout(call),
        "Concat" => {
            let inputs: Vec<_> = (0..call.inputs()).map(|i| call.x(i)).collect();
            let along = axis(call.int("axis", 0), inputs[0].dims().len());
            tape.concatenate(&inputs.iter().collect::<Vec<_>>(), along)?
        }
        "Split" => return split(call),
        "Slice" => slice(call)?,
        "Pad" => pad(call)?,
        "Gather" => gather(call)?,
        "Tile" => {
            let repeats: Vec<_> = call.integers(1).unwrap().iter().map(|&n| n as usize).collect();
            tape.tile(&call.x(0), &repeats)?
        }
        "Expand" => expand(call)?,
        "Transpose" => {
            let rank = call.x(0).dims().len() as i64;
            let axes = call.list("perm").unwrap_or((0..rank).rev().collect());
            let axes: Vec<_> = axes.into_iter().map(|a| a as usize).collect();
            tape.permute(&call.x(0), &axes)?
        }
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => reshape(call)?,
        "Identity" => call.x(0),
        other => return inexpressible(format!("the operator {other}")),
    };
    Ok(vec![one.into()])
}

fn fold(
    call: &Call<'_>,
    op: impl Fn(&Var<f32>, &Var<f32>) -> nn_core::Result<Var<f32>>,
) -> Result<Var<f32>, Stop> {
    let mut sum = call.x(0);
    for i in 1..call.inputs() {
        sum = op(&sum, &call.x(i))?;
    }
    Ok(sum)
}

/// The tape's softmax is over the last axis.
fn softmax(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let (tape, x) = (call.tape, call.x(0));
    let rank = x.dims().len();
    let mut axes: Vec<_> = (0..rank).collect();
    axes.swap(axis(call.int("axis", -1), rank), rank - 1);
    let turned = tape.permute(&x, &axes)?;
    let y = match call.case.op.as_str() {
        "Softmax" => tape.softmax(turned)?,
        _ => tape.log_softmax(turned)?,
    };
    Ok(tape.permute(&y, &axes)?)
}

/// The tape raises to one exponent; several are an exponential of logarithms, of positive numbers.
fn power(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let (tape, x, exponents) = (call.tape, call.x(0), call.x(1));
    if let &[exponent] = exponents.value().as_slice() {
        return Ok(tape.powf(x, exponent.into()));
    }
    if x.value().as_slice().iter().any(|&v| v <= 0.0) {
        return inexpressible("powers of zero or less to an array of exponents");
    }
    Ok(tape.exp(tape.mul(&exponents, &tape.log(x))?))
}

fn gemm(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let tape = call.tape;
    let turned = |x: Var<f32>, name| match call.int(name, 0) {
        0 => Ok(x),
        _ => tape.transpose(&x),
    };
    let product = tape.matmul(&turned(call.x(0), "transA")?, &turned(call.x(1), "transB")?)?;
    let product = tape.scale(product, call.float("alpha", 1.0) as f32);
    if !call.has(2) {
        return Ok(product);
    }
    Ok(tape.add(&product, &tape.scale(call.x(2), call.float("beta", 1.0) as f32))?)
}

/// A vector is a matrix of one row on the left, and of one column on the right.
fn matmul(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let (tape, mut a, mut b) = (call.tape, call.x(0), call.x(1));
    let (row, column) = (a.dims().len() == 1, b.dims().len() == 1);
    if row {
        let length = a.dims()[0];
        a = tape.reshape(a, [1, length])?;
    }
    if column {
        let length = b.dims()[0];
        b = tape.reshape(b, [length, 1])?;
    }
    let product = tape.matmul(&a, &b)?;
    let mut dims = product.dims().to_vec();
    if column {
        dims.pop();
    }
    if row {
        dims.remove(dims.len() - usize::from(!column) - 1);
    }
    Ok(tape.reshape(product, dims)?)
}

fn reduce(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let (tape, x) = (call.tape, call.x(0));
    let rank = x.dims().len();
    let given = call.list("axes").or_else(|| call.integers(1).map(<[i64]>::to_vec));
    let given: Vec<_> = given.unwrap_or_default().into_iter().map(|a| axis(a, rank)).collect();
    let axes = if given.is_empty() {
        if call.int("noop_with_empty_axes", 0) == 1 {
            return Ok(x);
        }
        (0..rank).collect()
    } else {
        given
    };
    let keep = call.int("keepdims", 1) == 1;
    Ok(match call.case.op.as_str() {
        "ReduceSum" => tape.sum_axes(&x, &axes, keep)?,
        "ReduceMean" => tape.mean_axes(&x, &axes, keep)?,
        "ReduceMax" => tape.max_axes(&x, &axes, keep)?,
        _ => tape.neg(tape.max_axes(&tape.neg(x), &axes, keep)?),
    })
}

fn argmax(call: &Call<'_>) -> Outcome {
    let (tape, x) = (call.tape, call.x(0));
    let along = axis(call.int("axis", 0), x.dims().len());
    let (size, last) = (x.dims()[along], call.int("select_last_index", 0) == 1);
    // The last maximum is the first one backwards.
    let order: Vec<_> = (0..size).rev().collect();
    let x = if last { tape.gather(&x, along, &order)? } else { x };
    let indices = tape.argmax(&x, along)?;
    let indices = indices.iter().map(|&i| if last { size - 1 - i } else { i } as i64).collect();
    let mut shape = x.dims().to_vec();
    shape[along] = 1;
    if call.int("keepdims", 1) == 0 {
        shape.remove(along);
    }
    Ok(vec![Value::Integers(indices, shape)])
}

/// Over all axes from one on; the tape's is over the last, so they are made one.
fn layer_normalization(call: &Call<'_>) -> Outcome {
    let (tape, x) = (call.tape, call.x(0));
    let dims = x.dims().to_vec();
    let from = axis(call.int("axis", -1), dims.len());
    let (rows, width) = (dims[..from].iter().product(), dims[from..].iter().product());
    let epsilon = call.float("epsilon", 1e-5);
    let flat = tape.reshape(x, [rows, width])?;
    let gamma = tape.reshape(call.x(1), [width])?;
    let beta = tape.reshape(call.x(2), [width])?;
    let y = tape.layer_norm(&flat, &gamma, &beta, epsilon)?;
    let mut statistics = dims.clone();
    statistics[from..].fill(1);
    let mean = tape.mean_axes(&flat, &[1], true)?;
    let variance = tape.variance_axes(&flat, &[1], true, 0)?;
    let deviation = tape.powf(tape.add_scalar(variance, epsilon as f32), -0.5);
    Ok(vec![
        tape.reshape(y, dims)?.into(),
        tape.reshape(mean, statistics.clone())?.into(),
        tape.reshape(deviation, statistics)?.into(),
    ])
}

fn dropout(call: &Call<'_>) -> Outcome {
    let training = call.integers(2).is_some_and(|flag| flag[0] == 1);
    if training && call.number(1).unwrap_or(0.5) > 0.0 {
        return inexpressible("NumPy's random numbers");
    }
    let shape = call.x(0).dims().to_vec();
    let everything = Value::Integers(vec![1; shape.iter().product()], shape);
    Ok(vec![call.x(0).into(), everything])
}

fn split(call: &Call<'_>) -> Outcome {
    let x = call.x(0);
    let along = axis(call.int("axis", 0), x.dims().len());
    let (size, parts) = (x.dims()[along], call.case.outputs.len());
    let sizes: Vec<usize> = match call.integers(1) {
        Some(sizes) => sizes.iter().map(|&n| n as usize).collect(),
        None => {
            let each = size.div_ceil(parts);
            (0..parts).map(|i| each.min(size - (i * each).min(size))).collect()
        }
    };
    Ok(call.tape.split(&x, along, &sizes)?.into_iter().map(Value::from).collect())
}

fn slice(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let (tape, mut x) = (call.tape, call.x(0));
    let (starts, ends) = (call.integers(1).unwrap(), call.integers(2).unwrap());
    for i in 0..starts.len() {
        let along = call.integers(3).map_or(i, |axes| axis(axes[i], x.dims().len()));
        let step = call.integers(4).map_or(1, |steps| steps[i]);
        let size = x.dims()[along] as i64;
        let from_start = |n: i64| if n < 0 { n + size } else { n };
        let (start, end) = (from_start(starts[i]), from_start(ends[i]));
        x = if step > 0 {
            let (start, end) = (start.clamp(0, size), end.clamp(0, size));
            let range = start as usize..end.max(start) as usize;
            match step {
                1 => tape.slice(&x, along, range)?,
                _ => tape.strided_slice(&x, along, range, step as isize)?,
            }
        } else {
            let (start, end) = (start.clamp(0, size - 1), end.clamp(-1, size - 1));
            let count = ((start - end).max(0) as u64).div_ceil(step.unsigned_abs());
            let indices: Vec<_> = (0..count as i64).map(|k| (start + k * step) as usize).collect();
            tape.gather(&x, along, &indices)?
        };
    }
    Ok(x)
}

fn pad(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let x = call.x(0);
    let rank = x.dims().len();
    let pads = call.integers(1).unwrap();
    let axes = call.integers(3).map_or((0..rank).collect(), |axes| {
        axes.iter().map(|&a| axis(a, rank)).collect::<Vec<_>>()
    });
    let mut amounts = vec![(0, 0); rank];
    for (i, &along) in axes.iter().enumerate() {
        amounts[along] = (pads[i] as usize, pads[axes.len() + i] as usize);
    }
    let mode = match call.text("mode", "constant") {
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Edge,
        "constant" => PadMode::Constant(call.number(2).unwrap_or(0.0)),
        other => return inexpressible(format!("padding by {other}")),
    };
    Ok(call.tape.pad(&x, &amounts, mode)?)
}

fn gather(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let (tape, x) = (call.tape, call.x(0));
    let along = axis(call.int("axis", 0), x.dims().len());
    let indices = call.integers(1).unwrap().iter().map(|&i| axis(i, x.dims()[along]));
    let y = tape.gather(&x, along, &indices.collect::<Vec<_>>())?;
    let mut dims = x.dims().to_vec();
    dims.splice(along..=along, call.integer_shape(1).iter().copied());
    Ok(tape.reshape(y, dims)?)
}

/// Broadcasting in both directions: a 1 that is asked for keeps what is there.
fn expand(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let x = call.x(0);
    let mut wanted: Vec<_> = call.integers(1).unwrap().iter().map(|&n| n as usize).collect();
    let missing = x.dims().len().saturating_sub(wanted.len());
    wanted.splice(0..0, std::iter::repeat_n(1, missing));
    let before = wanted.len() - x.dims().len();
    for (wanted, &size) in wanted[before..].iter_mut().zip(x.dims()) {
        *wanted = (*wanted).max(size);
    }
    Ok(call.tape.broadcast_to(&x, wanted)?)
}

/// Operators that only change the shape.
fn reshape(call: &Call<'_>) -> Result<Var<f32>, Stop> {
    let x = call.x(0);
    let (dims, rank) = (x.dims().to_vec(), x.dims().len());
    let axes = |rank| -> Vec<usize> {
        call.integers(1).unwrap_or_default().iter().map(|&a| axis(a, rank)).collect()
    };
    let shape = match call.case.op.as_str() {
        "Flatten" => {
            let at = axis(call.int("axis", 1), rank);
            vec![dims[..at].iter().product(), dims[at..].iter().product()]
        }
        "Squeeze" => {
            let axes = axes(rank);
            (0..rank).filter(|i| !axes.contains(i)).map(|i| dims[i]).collect()
        }
        "Unsqueeze" => {
            let axes = axes(rank + call.integers(1).unwrap().len());
            let mut kept = dims.iter();
            (0..rank + axes.len())
                .map(|i| if axes.contains(&i) { 1 } else { *kept.next().unwrap() })
                .collect()
        }
        _ => {
            let wanted = call.integers(1).unwrap();
            let copied = call.int("allowzero", 0) == 0;
            let size =
                |(i, &n): (usize, &i64)| if n == 0 && copied { dims[i] } else { n.max(0) as usize };
            let mut shape: Vec<usize> = wanted.iter().enumerate().map(size).collect();
            if let Some(at) = wanted.iter().position(|&n| n == -1) {
                shape[at] = 1;
                shape[at] = dims.iter().product::<usize>() / shape.iter().product::<usize>();
            }
            shape
        }
    };
    Ok(call.tape.reshape(x, shape)?)
}

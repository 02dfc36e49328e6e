//! Sums, products and their kin of two values, or of a value and a constant.

use super::Family;
use crate::array::Array;
use crate::call::{Call, mixes_the_batch, unaligned};
use crate::fold::{broadcast, product};
use crate::net::ValueId;
use crate::refusal::{Refusal, Result};
use crate::value::{Computed, Value};
use nn_core::layers::{
    Add, Bias, Divide, Function, Maximum, Minimum, Multiply, Rescaling, Scale, Subtract,
};

pub const OPERATORS: Family = &[
    ("Add", |call| all(call, Operation::Add)),
    ("Div", |call| all(call, Operation::Divide)),
    ("Max", |call| all(call, Operation::Maximum)),
    ("Mean", mean),
    ("Min", |call| all(call, Operation::Minimum)),
    ("Mul", |call| all(call, Operation::Multiply)),
    ("Pow", power),
    ("Sub", |call| all(call, Operation::Subtract)),
    ("Sum", |call| all(call, Operation::Add)),
    ("Where", select),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Minimum,
    Maximum,
}

/// The operation on all inputs, from the first on.
fn all(call: &mut Call<'_>, operation: Operation) -> Result<Vec<Value>> {
    let mut result = call.value(0)?.clone();
    for i in 1..call.node.inputs.len() {
        let other = call.value(i)?.clone();
        result = match (result, other) {
            (Value::Computed(a), Value::Computed(b)) => both(call, operation, &a, &b)?,
            (Value::Computed(a), Value::Constant(b)) => {
                with_constant(call, operation, &a, &b, false)?
            }
            (Value::Constant(a), Value::Computed(b)) => {
                with_constant(call, operation, &b, &a, true)?
            }
            (Value::Unaligned(..), _) | (_, Value::Unaligned(..)) => return Err(unaligned()),
            (Value::Constant(_), Value::Constant(_)) => {
                let problem = "its first inputs are constants, and later ones are not";
                return Err(Refusal::new(problem, "fold them: run onnxsim"));
            }
        };
    }
    Ok(vec![result])
}

/// The sum of a value of the network and any other.
pub fn added(call: &mut Call<'_>, value: &Computed, other: &Value) -> Result<Computed> {
    let sum = match other {
        Value::Computed(other) => both(call, Operation::Add, value, other)?,
        Value::Constant(other) => with_constant(call, Operation::Add, value, other, false)?,
        Value::Unaligned(..) => return Err(unaligned()),
    };
    match sum {
        Value::Computed(sum) => Ok(sum),
        _ => Err(unaligned()),
    }
}

fn mean(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let count = call.node.inputs.len();
    let sum = all(call, Operation::Add)?;
    let Some(Value::Computed(sum)) = sum.into_iter().next() else {
        return call.computed(0).map(|v| vec![v.into()]);
    };
    let id = call.help("mean", Rescaling::new(1.0 / count as f64), &[sum.id], vec![])?;
    Ok(vec![sum.with_id(id).into()])
}

/// The dimensions of what two values combine to. The batch is that of both.
fn combined(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let by_sample = a.len() == b.len() && a.first() == b.first();
    let dims = by_sample.then(|| broadcast(a, b).ok()).flatten();
    dims.ok_or_else(|| {
        Refusal::new(
            format!("values of the shapes {a:?} and {b:?} do not combine, sample by sample"),
            "give both as many dimensions, the batch first, each equal or 1",
        )
    })
}

fn merge(call: &mut Call<'_>, operation: Operation, inputs: [ValueId; 2]) -> Result<ValueId> {
    match operation {
        Operation::Add => call.add(Add::new(), &inputs, vec![]),
        Operation::Subtract => call.add(Subtract::new(), &inputs, vec![]),
        Operation::Multiply => call.add(Multiply::new(), &inputs, vec![]),
        Operation::Divide => call.add(Divide::new(), &inputs, vec![]),
        Operation::Minimum => call.add(Minimum::new(), &inputs, vec![]),
        Operation::Maximum => call.add(Maximum::new(), &inputs, vec![]),
    }
}

/// Two values of the network, in the layout of the larger one.
fn both(call: &mut Call<'_>, operation: Operation, a: &Computed, b: &Computed) -> Result<Value> {
    let dims = combined(&a.dims, &b.dims)?;
    let layout = if b.len() > a.len() { b.layout.clone() } else { a.layout.clone() };
    let inputs = [call.arranged(a, &layout)?, call.arranged(b, &layout)?];
    let id = merge(call, operation, inputs)?;
    Ok(Computed::new(dims, layout, id).into())
}

/// A value of the network and a constant; `turned` if the constant comes first.
fn with_constant(
    call: &mut Call<'_>,
    operation: Operation,
    value: &Computed,
    constant: &Array,
    turned: bool,
) -> Result<Value> {
    use Operation::{Divide, Maximum, Minimum, Subtract};
    let as_it_is = |id| Value::from(value.clone().with_id(id));
    let map = |f: fn(f32) -> f32| {
        let values = constant.to_floats().iter().map(|&v| f(v)).collect();
        let mapped = Array::floats(constant.dims.clone(), values);
        mapped.of_weights(constant.is_learned())
    };
    match (operation, turned) {
        // What depends on the order becomes what does not.
        (Subtract, false) => {
            return with_constant(call, Operation::Add, value, &map(|v| -v), false);
        }
        (Subtract, true) => {
            let id = call.help("minus", Rescaling::new(-1.0), &[value.id], vec![])?;
            let minus = value.clone().with_id(id);
            return with_constant(call, Operation::Add, &minus, constant, false);
        }
        (Divide, false) => {
            let inverse = map(|v| 1.0 / v);
            return with_constant(call, Operation::Multiply, value, &inverse, false);
        }
        (Divide, true) => {
            let inverse = Function::Power { exponent: -1.0 };
            let id = call.help("inverse", inverse, &[value.id], vec![])?;
            let inverse = value.clone().with_id(id);
            return with_constant(call, Operation::Multiply, &inverse, constant, false);
        }
        _ => {}
    }
    let dims = with_batch(&constant.dims, value)?;
    if let Some(number) = constant.scalar() {
        let id = match operation {
            Operation::Add => call.add(Rescaling::new(1.0).offset(number), &[value.id], vec![])?,
            Operation::Multiply => call.add(Rescaling::new(number), &[value.id], vec![])?,
            Minimum => {
                call.add(Function::Clamp { low: None, high: Some(number) }, &[value.id], vec![])?
            }
            Maximum => {
                call.add(Function::Clamp { low: Some(number), high: None }, &[value.id], vec![])?
            }
            Subtract | Divide => unreachable_operation()?,
        };
        return Ok(as_it_is(id));
    }
    if let (Some(last), Operation::Add | Operation::Multiply) = (value.layout.last(), operation) {
        let for_each_channel =
            (1..dims.len()).all(|i| dims[i] == if i == last { value.dims[last] } else { 1 });
        if for_each_channel {
            let (weight, fixed) = (vec![constant.to_floats()], !constant.is_learned());
            let id = match operation {
                Operation::Add => call.add(Bias::new().fixed(fixed), &[value.id], weight)?,
                _ => call.add(Scale::new(1.0).fixed(fixed), &[value.id], weight)?,
            };
            return Ok(as_it_is(id));
        }
    }
    let is_constant = |i: &usize| matches!(call.value(*i), Ok(Value::Constant(_)));
    let input = (0..call.node.inputs.len()).find(is_constant).filter(|_| call.node.op != "Where");
    let constant = as_value(call, input, constant, &dims, value)?;
    both(call, operation, value, &constant)
}

/// The operations that [`with_constant`] has turned into others.
fn unreachable_operation() -> Result<ValueId> {
    Err(Refusal::new("an operation was not turned", "this is a fault of nn-onnx, please report it"))
}

/// The dimensions of a constant aligned with those of a value: with dimensions of 1 before. The batch is 1: each
/// sample sees the same.
pub fn with_batch(dims: &[usize], value: &Computed) -> Result<Vec<usize>> {
    let missing = value.rank().checked_sub(dims.len()).ok_or_else(|| {
        let problem =
            format!("a constant {dims:?} has more dimensions than the value {:?}", value.dims);
        Refusal::new(problem, "export the model again")
    })?;
    let aligned: Vec<_> = std::iter::repeat_n(1, missing).chain(dims.iter().copied()).collect();
    match aligned.first() {
        Some(&batch) if batch != 1 => {
            Err(mixes_the_batch("it has other numbers for each sample of"))
        }
        _ => Ok(aligned),
    }
}

/// A constant, an input of the node, as a value of the network, laid out as `like`. `dims` are its dimensions aligned with those of `like`.
fn as_value(
    call: &mut Call<'_>,
    input: Option<usize>,
    constant: &Array,
    dims: &[usize],
    like: &Computed,
) -> Result<Computed> {
    let layout = like.layout.clone();
    let id = call.known(input, &constant.with_dims(dims), &layout, like.id)?;
    let mut dims = dims.to_vec();
    dims[0] = like.dims[0];
    Ok(Computed::new(dims, layout, id))
}

fn power(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let value = call.computed(0)?;
    let exponent = call.required_constant(1)?;
    let Some(exponent) = exponent.scalar() else {
        let problem = format!("its exponents {:?} differ from number to number", exponent.dims);
        return Err(Refusal::new(problem, "use one exponent"));
    };
    let function = match exponent {
        0.5 => Function::Sqrt,
        exponent => Function::Power { exponent },
    };
    let id = call.add(function, &[value.id], vec![])?;
    Ok(vec![value.with_id(id).into()])
}

/// `a` where a constant condition holds, `b` elsewhere: `a m + b (1 - m)`.
fn select(call: &mut Call<'_>) -> Result<Vec<Value>> {
    let condition = call.required_constant(0)?;
    let mask = |yes: f32, no: f32| {
        let held = (0..condition.len()).map(|i| if condition.number(i) != 0.0 { yes } else { no });
        Array::floats(condition.dims.clone(), held.collect())
    };
    let masks = [mask(1.0, 0.0), mask(0.0, 1.0)];
    let mut parts = Vec::with_capacity(2);
    for (i, mask) in masks.iter().enumerate() {
        parts.push(match call.value(i + 1)?.clone() {
            Value::Unaligned(..) => return Err(unaligned()),
            Value::Computed(value) => {
                with_constant(call, Operation::Multiply, &value, mask, false)?
            }
            Value::Constant(array) => {
                // Infinite numbers times 0 are none. What stands outside of the mask must stay 0, so it is not trained.
                let finite =
                    array.to_floats().iter().map(|v| v.clamp(f32::MIN, f32::MAX)).collect();
                Value::Constant(product(
                    &Array::floats(array.dims.clone(), finite),
                    mask,
                    call.budget(),
                )?)
            }
        });
    }
    let sum = match <[Value; 2]>::try_from(parts) {
        Ok([Value::Computed(a), Value::Computed(b)]) => both(call, Operation::Add, &a, &b)?,
        Ok([Value::Computed(a), Value::Constant(b)] | [Value::Constant(b), Value::Computed(a)]) => {
            with_constant(call, Operation::Add, &a, &b, false)?
        }
        _ => return Err(Refusal::new("both its values are constants", "fold it: run onnxsim")),
    };
    Ok(vec![sum])
}

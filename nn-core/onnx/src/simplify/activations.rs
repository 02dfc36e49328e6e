//! Activations that exporters write out, in whatever order and with whatever constants: `0.5 x (1 + erf(x / 1.41))`,
//! `x sigmoid(x)`, `x clip(x + 3, 0, 6) / 6`, ...
//!
//! Steps that work number by number and depend on one value are a function of one number. It is computed at a few
//! dozen places, in double precision, and compared with the activations there are.

use crate::net::{Net, Step, ValueId};
use crate::refusal::Result;
use nn_core::layers::{
    Activation, Add, Divide, Function, Maximum, Minimum, Multiply, Rescaling, Subtract,
};
use nn_core::{Tape, Tensor};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The most steps that an activation is written out in.
const MOST_STEPS: usize = 12;

/// Those that are looked for.
const KNOWN: [Activation; 9] = [
    Activation::Silu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::HardSwish,
    Activation::HARD_SIGMOID,
    Activation::HardSigmoid { alpha: 0.2, beta: 0.5 },
    Activation::Mish,
    Activation::Sigmoid,
    Activation::Softplus,
];

/// The values of each at the places where functions are compared.
static VALUES: LazyLock<Vec<(Activation, Vec<f64>)>> = LazyLock::new(|| {
    KNOWN.into_iter().filter_map(|known| Some((known, applied(known, &places())?))).collect()
});

/// The largest difference, of the larger magnitude or 1, that single precision in the constants makes.
const TOLERANCE: f64 = 2e-6;

pub fn found(net: &mut Net, i: usize, _: &[usize]) -> Result<()> {
    if !ends_an_activation(&net.steps[i]) {
        return Ok(());
    }
    for source in sources(net, i) {
        let Some(values) = table(net, i, source) else { continue };
        if let Some((activation, _)) = VALUES.iter().find(|(_, known)| is_same(known, &values)) {
            return net.put(i, Arc::new(*activation), vec![source], vec![]);
        }
    }
    Ok(())
}

/// The last step of what exporters write.
fn ends_an_activation(step: &Step) -> bool {
    step.is::<Multiply>().is_some()
        || step.is::<Divide>().is_some()
        || step.is::<Rescaling>().is_some()
        || matches!(
            step.is(),
            Some(Function::Clamp { .. } | Function::Log | Function::Power { .. })
        )
}

/// What step `i` may be a function of: the values behind it from which it takes all, nearest last.
fn sources(net: &Net, i: usize) -> Vec<ValueId> {
    let mut open = vec![i + 1];
    let mut seen: Vec<ValueId> = Vec::new();
    while let Some(value) = open.pop() {
        let inputs =
            net.step(value).filter(|step| is_number_by_number(step)).map(|step| &step.inputs);
        for &input in inputs.into_iter().flatten() {
            if !seen.contains(&input)
                && seen.len() < MOST_STEPS
                && net.shape(input) == &net.steps[i].shape
            {
                seen.push(input);
                open.push(input);
            }
        }
    }
    seen.sort_unstable();
    seen
}

fn is_number_by_number(step: &Step) -> bool {
    step.is::<Rescaling>().is_some()
        || step.is::<Function>().is_some()
        || step.is::<Activation>().is_some_and(|activation| *activation != Activation::Softmax)
        || is_pairwise(step)
}

fn is_pairwise(step: &Step) -> bool {
    step.is::<Add>().is_some()
        || step.is::<Multiply>().is_some()
        || step.is::<Subtract>().is_some()
        || step.is::<Divide>().is_some()
        || step.is::<Minimum>().is_some()
        || step.is::<Maximum>().is_some()
}

/// Where functions are compared.
fn places() -> Vec<f64> {
    let near = (-64..=64).map(|i| f64::from(i) * 0.125 + 0.011);
    near.chain([-300.0, -40.0, -17.0, 17.0, 40.0, 300.0]).collect()
}

/// The values of step `i` where `source` is each of the places; `None` if it depends on more than that.
fn table(net: &Net, i: usize, source: ValueId) -> Option<Vec<f64>> {
    let mut tables = BTreeMap::from([(source, places())]);
    // Inputs lie before what takes them, so the open value of the largest number comes last.
    let mut open = vec![i + 1];
    let mut needed = Vec::new();
    while let Some(value) = open.pop() {
        if value == source || needed.contains(&value) {
            continue;
        }
        let step = net.step(value).filter(|step| is_number_by_number(step))?;
        needed.push(value);
        if value < source || needed.len() > MOST_STEPS {
            return None;
        }
        open.extend(&step.inputs);
    }
    needed.sort_unstable();
    for value in needed {
        let step = net.step(value)?;
        let inputs = step.inputs.iter().map(|input| tables.get(input).map(Vec::as_slice));
        let values = computed(step, &inputs.collect::<Option<Vec<_>>>()?)?;
        tables.insert(value, values);
    }
    tables.remove(&(i + 1))
}

/// A step on the values of its inputs.
fn computed(step: &Step, inputs: &[&[f64]]) -> Option<Vec<f64>> {
    if let (Some(activation), [x]) = (step.is::<Activation>(), inputs) {
        return applied(*activation, x);
    }
    if let [x, rest @ ..] = inputs
        && is_pairwise(step)
    {
        let combine: fn(f64, f64) -> f64 = match step.layer.kind() {
            "Add" => |a, b| a + b,
            "Multiply" => |a, b| a * b,
            "Subtract" => |a, b| a - b,
            "Divide" => |a, b| a / b,
            "Minimum" => f64::min,
            _ => f64::max,
        };
        let join =
            |a: Vec<f64>, b: &&[f64]| a.iter().zip(*b).map(|(&a, &b)| combine(a, b)).collect();
        return Some(rest.iter().fold(x.to_vec(), join));
    }
    let [x] = inputs else { return None };
    if let Some(rescaling) = step.is::<Rescaling>() {
        return Some(x.iter().map(|v| v * rescaling.scale + rescaling.offset).collect());
    }
    let tape = Tape::<f64>::new();
    let var = || Some(tape.constant(Tensor::from_vec([x.len()], x.to_vec()).ok()?));
    let y = match *step.is::<Function>()? {
        Function::Abs => return Some(x.iter().map(|v| v.abs()).collect()),
        Function::Clamp { low, high } => {
            let bounds = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
            return Some(x.iter().map(|v| v.max(bounds.0).min(bounds.1)).collect());
        }
        Function::Power { exponent } => return Some(x.iter().map(|v| v.powf(exponent)).collect()),
        Function::Exp => tape.exp(var()?),
        Function::Log => tape.log(var()?),
        Function::Sqrt => tape.sqrt(var()?),
        Function::Erf => tape.erf(var()?),
        _ => return None,
    };
    Some(y.value().as_slice().to_vec())
}

fn applied(activation: Activation, x: &[f64]) -> Option<Vec<f64>> {
    let tape = Tape::<f64>::new();
    let x = tape.constant(Tensor::from_vec([x.len()], x.to_vec()).ok()?);
    Some(activation.apply(&tape, x).ok()?.value().as_slice().to_vec())
}

fn is_same(expected: &[f64], values: &[f64]) -> bool {
    let near = |(&a, &b): (&f64, &f64)| (a - b).abs() <= TOLERANCE * b.abs().max(1.0);
    values.iter().zip(expected).all(near)
}

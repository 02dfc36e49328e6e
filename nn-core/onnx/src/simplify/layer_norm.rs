//! A layer normalisation written out: the distance from the mean, divided by the root of the mean of its squares.
//!
//! ```text
//! d = x - mean(x);  y = d / sqrt(mean(d^2) + epsilon)
//! ```

use crate::net::{Net, ValueId};
use crate::refusal::Result;
use nn_core::layers::{
    Divide, Function, LayerNormalization, Multiply, Reduce, Reduction, Rescaling, Subtract,
};
use std::rc::Rc;
use std::sync::Arc;

pub fn found(net: &mut Net, i: usize, _: &[usize]) -> Result<()> {
    let Some((x, epsilon)) = normalized(net, i) else { return Ok(()) };
    let channels = net.shape(x).dims().last().copied().unwrap_or(0);
    let parameters = vec![Rc::new(vec![1.0; channels]), Rc::new(vec![0.0; channels])];
    net.put(i, Arc::new(LayerNormalization::new().epsilon(epsilon)), vec![x], parameters)
}

/// What step `i` normalises, and its epsilon.
fn normalized(net: &Net, i: usize) -> Option<(ValueId, f64)> {
    let &[distance, deviation] = net.steps[i].inputs.as_slice() else { return None };
    let variance = match net.steps[i].is::<Divide>() {
        Some(_) => argument(net, deviation, 0.5)?,
        // Or multiplied by the inverse of the deviation.
        None => {
            net.steps[i].is::<Multiply>()?;
            argument(net, deviation, -0.5).or_else(|| {
                let root = argument(net, deviation, -1.0)?;
                argument(net, root, 0.5)
            })?
        }
    };
    let (shifted, &Rescaling { scale: 1.0, offset: epsilon }) = net.find::<Rescaling>(variance)?
    else {
        return None;
    };
    let squares = mean_of_channels(net, shifted.inputs[0])?;
    let x = distance_from_mean(net, distance)?;
    let own = match argument(net, squares, 2.0) {
        Some(own) => own,
        None => match net.find::<Multiply>(squares)?.0.inputs[..] {
            [a, b] if a == b => a,
            _ => return None,
        },
    };
    (distance_from_mean(net, own)? == x && epsilon > 0.0).then_some((x, epsilon))
}

/// What is raised to this power.
fn argument(net: &Net, value: ValueId, wanted: f64) -> Option<ValueId> {
    let (step, function) = net.find::<Function>(value)?;
    let exponent = match *function {
        Function::Sqrt => 0.5,
        Function::Power { exponent } => exponent,
        _ => return None,
    };
    (exponent == wanted).then_some(step.inputs[0])
}

/// Of what this is the mean along the channels.
fn mean_of_channels(net: &Net, value: ValueId) -> Option<ValueId> {
    let (step, reduce) = net.find::<Reduce>(value)?;
    let last = net.shape(value).rank().checked_sub(1)?;
    (reduce.reduction == Reduction::Mean && reduce.axes == [last]).then_some(step.inputs[0])
}

/// Of what this is the distance from its mean.
fn distance_from_mean(net: &Net, value: ValueId) -> Option<ValueId> {
    let &[x, mean] = net.find::<Subtract>(value)?.0.inputs.as_slice() else { return None };
    (mean_of_channels(net, mean)? == x).then_some(x)
}

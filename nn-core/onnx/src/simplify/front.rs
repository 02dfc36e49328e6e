//! What brings pixels into the range of a network: its numbers are no weights to be trained, so they become settings.

use crate::net::{Net, ValueId};
use crate::refusal::Result;
use nn_core::layers::{Bias, Gather, Normalization, Rescaling, Scale};
use std::sync::Arc;

/// A factor and an offset for all numbers.
pub fn rescaled(net: &mut Net, i: usize, uses: &[usize]) -> Result<()> {
    let input = net.steps[i].inputs[..].first().copied().unwrap_or(0);
    let Some(&Rescaling { scale: 1.0, offset }) = net.steps[i].is() else { return Ok(()) };
    match net.find::<Rescaling>(input) {
        Some((before, &Rescaling { scale, offset: 0.0 })) if uses[input] == 1 => {
            let x = before.inputs[0];
            net.put(i, Arc::new(Rescaling::new(scale).offset(offset)), vec![x], vec![])
        }
        _ => Ok(()),
    }
}

/// An offset and a factor for each channel of the input.
pub fn normalized(net: &mut Net, i: usize, uses: &[usize]) -> Result<()> {
    let step = &net.steps[i];
    let (Some(Scale { .. }), &[shifted]) = (step.is(), step.inputs.as_slice()) else {
        return Ok(());
    };
    let Some((before, Bias { .. })) = net.find(shifted).filter(|_| uses[shifted] == 1) else {
        return Ok(());
    };
    let (x, [bias], [scale]) = (before.inputs[0], &before.parameters[..], &step.parameters[..])
    else {
        return Ok(());
    };
    let usable = |number: &f32| number.is_finite() && *number != 0.0;
    let is_usable = scale.iter().all(usable) && bias.iter().all(|number| number.is_finite());
    if net.input.rank() != 3 || !is_usable || !is_front(net, x) {
        return Ok(());
    }
    let mean: Vec<_> = bias.iter().map(|&number| 0.0 - f64::from(number)).collect();
    let std: Vec<_> = scale.iter().map(|&number| 1.0 / f64::from(number)).collect();
    net.put(i, Arc::new(Normalization::new(mean, std)), vec![x], vec![])
}

/// Whether a value is the input, after nothing but such steps.
fn is_front(net: &Net, mut value: ValueId) -> bool {
    while let Some(step) = net.step(value) {
        let prepares = step.is::<Rescaling>().is_some()
            || step.is::<Normalization>().is_some()
            || step.is::<Gather>().is_some();
        if !prepares {
            return false;
        }
        value = step.inputs[0];
    }
    true
}

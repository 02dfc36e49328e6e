//! Reshapes of reshapes, and those that change nothing.

use crate::net::Net;
use crate::refusal::Result;
use nn_core::layers::Reshape;
use std::sync::Arc;

pub fn joined(net: &mut Net, i: usize, _: &[usize]) -> Result<()> {
    let step = &net.steps[i];
    let (Some(reshape), &[mut input]) = (step.is::<Reshape>(), step.inputs.as_slice()) else {
        return Ok(());
    };
    let reshape = reshape.clone();
    while let Some((before, Reshape { .. })) = net.find(input) {
        input = before.inputs[0];
    }
    if *net.shape(input) == net.steps[i].shape {
        net.replace(i, input);
        return Ok(());
    }
    net.put(i, Arc::new(reshape), vec![input], vec![])
}

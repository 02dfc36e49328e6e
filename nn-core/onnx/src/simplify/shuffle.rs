//! The channel shuffle of ShuffleNet: channels are cut into groups, both change places, and become one again.

use crate::net::Net;
use crate::refusal::Result;
use nn_core::layers::{ChannelShuffle, Permute, Reshape};
use std::sync::Arc;

pub fn found(net: &mut Net, i: usize, _: &[usize]) -> Result<()> {
    let Some(groups) = groups(net, i) else { return Ok(()) };
    let (groups, input) = groups;
    net.put(i, Arc::new(ChannelShuffle::new(groups)), vec![input], vec![])
}

/// The groups that step `i` ends to shuffle, and the value that is shuffled.
fn groups(net: &Net, i: usize) -> Option<(usize, usize)> {
    let step = &net.steps[i];
    step.is::<Reshape>()?;
    let (swapped, permute) = net.find::<Permute>(step.inputs[0])?;
    let (cut, _) = net.find::<Reshape>(swapped.inputs[0])?;
    let input = cut.inputs[0];
    let [places @ .., channels] = net.shape(input).dims() else { return None };
    let [cut_places @ .., groups, own] = cut.shape.dims() else { return None };
    let rank = places.len();
    let mut swap: Vec<_> = (0..rank).collect();
    swap.extend([rank + 1, rank]);
    let fits = cut_places == places
        && Some(*channels) == groups.checked_mul(*own)
        && permute.axes == swap
        && step.shape == *net.shape(input);
    fits.then_some((*groups, input))
}

//! Passes over a [`Net`]: what exporters write out in several steps becomes one layer. Each finds one thing.

mod activations;
mod affine;
mod front;
mod layer_norm;
mod padding;
mod reshapes;
mod shuffle;

use crate::net::{Net, ValueId};
use crate::refusal::Result;

/// Looks at one step, whose inputs are up to date. `uses` says how often each value is taken.
type Pass = fn(&mut Net, usize, &[usize]) -> Result<()>;

/// In an order in which each finds what those before it left.
const PASSES: [Pass; 9] = [
    reshapes::joined,
    shuffle::found,
    activations::found,
    layer_norm::found,
    affine::taken_along,
    padding::taken_along,
    front::rescaled,
    front::normalized,
    reshapes::joined,
];

/// Runs all passes; `output` is the value that counts.
pub fn simplify(net: &mut Net, output: ValueId) -> Result<()> {
    for pass in PASSES {
        let uses = net.uses(output);
        for i in 0..net.steps.len() {
            net.refresh(i);
            if uses[i + 1] > 0 {
                pass(net, i, &uses)?;
            }
        }
    }
    Ok(())
}

//! Dead layers: layers whose outputs are all 0.

use super::Examples;
use super::examples::fetch;
use crate::autograd::Tape;
use crate::error::Result;
use crate::kernels::Kernels;
use crate::model::{Model, Pass};
use crate::tensor::BufferPool;
use std::collections::HashSet;

/// The first layer that every way from the input to an output passes and whose outputs are all 0 for each of
/// the first `samples` examples; `None` if every such layer has a nonzero output for one of them.
///
/// The outputs then do not depend on the input, and no gradient passes through the layer, so it does not
/// recover. A layer beside a skip connection may be silent: the network learns through the connection. A ReLU layer dies when a step is so large that its inputs are negative for every sample ("dying
/// ReLU"; L. Lu et al., "Dying ReLU and Initialization: Theory and Numerical Examples", 2020).
///
/// # Errors
/// If an example cannot be read or does not fit the model's input.
pub fn silent_layer<T: Kernels>(
    model: &Model<T>,
    examples: &dyn Examples<T>,
    samples: usize,
) -> Result<Option<String>> {
    let mut silent = Vec::new();
    for (name, _) in model.layers() {
        if is_on_all_ways(model, name)? {
            silent.push(name);
        }
    }
    let indices: Vec<usize> = (0..examples.len().min(samples)).collect();
    let pool = BufferPool::new();
    for batch in indices.chunks(BATCH) {
        let tape = Tape::inference(pool.clone());
        let x = tape.constant(fetch(examples, batch, &pool)?.inputs);
        let pass = model.forward(&tape, x, Pass::inference().frozen().watch(&silent))?;
        let speaks = |name: &str| {
            let outputs = pass.watched.iter().find(|(watched, _)| watched == name);
            outputs.is_none_or(|(_, out)| out.value().as_slice().iter().any(|v| *v != T::zero()))
        };
        silent.retain(|name| !speaks(name));
        if silent.is_empty() {
            return Ok(None);
        }
    }
    Ok(silent.first().filter(|_| !indices.is_empty()).map(|name| name.to_string()))
}

/// Whether every way from the model's input to one of its outputs passes this layer.
fn is_on_all_ways<T: Kernels>(model: &Model<T>, layer: &str) -> Result<bool> {
    // What the input reaches without the layer. Layers come after those they take values from.
    let mut reached = HashSet::from([INPUT]);
    for (name, _) in model.layers().filter(|(name, _)| *name != layer) {
        if model.layer_inputs(name)?.iter().any(|input| reached.contains(input)) {
            reached.insert(name);
        }
    }
    Ok(!model.outputs().any(|output| reached.contains(output)))
}

/// The name of the model's input among the inputs of its layers.
const INPUT: &str = "input";

/// Samples per forward pass.
const BATCH: usize = 4;

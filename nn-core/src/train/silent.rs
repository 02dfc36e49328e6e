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
/// recover. A layer beside a skip connection may be silent: the network learns through the connection. A ReLU
/// layer dies when a step is so large that its inputs are negative for every sample ("dying ReLU"; L. Lu et
/// al., "Dying ReLU and Initialization: Theory and Numerical Examples", 2020).
///
/// # Errors
/// If an example cannot be read or does not fit the model's input.
pub fn silent_layer<T: Kernels>(
    model: &Model<T>,
    examples: &dyn Examples<T>,
    samples: usize,
) -> Result<Option<String>> {
    let named = |(name, _)| Ok((name, model.layer_inputs(name)?));
    let layers = model.layers().map(named).collect::<Result<Vec<_>>>()?;
    let outputs: Vec<&str> = model.outputs().collect();
    let names = layers.iter().map(|(name, _)| *name);
    let mut silent: Vec<&str> =
        names.filter(|name| is_on_all_ways(&layers, &outputs, name)).collect();
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

/// Whether every way from the model's input to one of its outputs passes this layer. `layers` are the model's,
/// each with the values it takes.
fn is_on_all_ways(layers: &[(&str, Vec<&str>)], outputs: &[&str], layer: &str) -> bool {
    // What the input reaches without the layer. Layers come after those they take values from.
    let mut reached = HashSet::from([INPUT]);
    for (name, inputs) in layers.iter().filter(|(name, _)| *name != layer) {
        if inputs.iter().any(|input| reached.contains(input)) {
            reached.insert(name);
        }
    }
    !outputs.iter().any(|output| reached.contains(output))
}

/// The name of the model's input among the inputs of its layers.
const INPUT: &str = "input";

/// Samples per forward pass.
const BATCH: usize = 4;

//! Dead layers: layers whose outputs are all 0.

use super::Examples;
use crate::autograd::Tape;
use crate::error::Result;
use crate::kernels::Kernels;
use crate::model::{Model, Pass};
use crate::tensor::BufferPool;

/// The first layer whose outputs are all 0 for each of the first `samples` examples; `None` if
/// every layer has a nonzero output for one of them.
///
/// The layers after it do not depend on the input, and no gradient passes through it, so it does not
/// recover. A ReLU layer dies when a step is so large that its inputs are negative for every sample ("dying
/// ReLU"; L. Lu et al., "Dying ReLU and Initialization: Theory and Numerical Examples", 2020).
///
/// # Errors
/// If an example cannot be read or does not fit the model's input.
pub fn silent_layer<T: Kernels>(
    model: &Model<T>,
    examples: &dyn Examples<T>,
    samples: usize,
) -> Result<Option<String>> {
    let mut silent: Vec<&str> = model.layers().map(|(name, _)| name).collect();
    let indices: Vec<usize> = (0..examples.len().min(samples)).collect();
    let pool = BufferPool::new();
    for batch in indices.chunks(BATCH) {
        let tape = Tape::inference(pool.clone());
        let x = tape.constant(examples.batch(batch, &pool)?.inputs);
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

/// Samples per forward pass.
const BATCH: usize = 4;

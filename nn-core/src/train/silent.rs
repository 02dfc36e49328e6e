//! Dead layers: layers whose outputs are all 0.

use super::Examples;
use super::examples::fetch;
use crate::autograd::{Tape, Var};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::model::{Model, Pass};
use crate::tensor::BufferPool;

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
    let mut silent = model.layers_on_all_ways();
    let indices: Vec<usize> = (0..examples.len().min(samples)).collect();
    let pool = BufferPool::new();
    for batch in indices.chunks(BATCH) {
        let tape = Tape::inference(pool.clone());
        let x = tape.constant(fetch(examples, batch, &pool)?.inputs);
        let pass = model.forward(&tape, x, Pass::inference().frozen().watch(&silent))?;
        // The watched layers are the silent ones, in the same order.
        let is_zero = |out: &Var<T>| out.value().as_slice().iter().all(|v| *v == T::zero());
        let still = silent.iter().zip(&pass.watched).filter(|(_, (_, out))| is_zero(out));
        silent = still.map(|(name, _)| *name).collect();
        if silent.is_empty() {
            return Ok(None);
        }
    }
    Ok(silent.first().filter(|_| !indices.is_empty()).map(|name| name.to_string()))
}

/// Samples per forward pass.
const BATCH: usize = 4;

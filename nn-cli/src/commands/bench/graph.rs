//! Times the passes of each layer of any graph, on random numbers of the shape that it gets there.

use super::SEED;
use super::passes::{LayerTime, Passes};
use super::timing::Clock;
use nn_core::Result;
use nn_core::internals::linear::Dims;
use nn_core::model::{Sequential, SummaryRow};
use std::collections::HashSet;

/// A layer with weights that is timed.
struct Timed<'a> {
    name: &'a str,
    /// The shape of its input, without the batch.
    input: &'a [usize],
    /// Whether there are weights before it, so that a training step computes its input's gradient.
    with_input: bool,
}

/// The convolutions and dense layers of a network, in order.
fn timed<'a>(model: &'a Sequential, rows: &'a [SummaryRow]) -> Vec<Timed<'a>> {
    let mut learned: HashSet<&str> = HashSet::new();
    let mut found = Vec::new();
    for row in rows {
        let with_input = row.connected_to.iter().any(|name| learned.contains(name.as_str()));
        if with_input || row.parameters > 0 {
            learned.insert(&row.name);
        }
        if let [taken] = &row.connected_to[..]
            && ["Conv2D", "DepthwiseConv2D", "Dense"].contains(&row.kind)
        {
            let input = rows.iter().find(|before| before.name == *taken);
            let input = input.map_or(model.input_shape().dims(), |before| &before.output_shape);
            found.push(Timed { name: &row.name, input, with_input });
        }
    }
    found
}

/// The number of passes that [`measure`] times.
pub fn count(model: &Sequential) -> usize {
    let summary = model.summary();
    timed(model, summary.rows()).iter().map(|layer| 2 + usize::from(layer.with_input)).sum()
}

/// Times every convolution and dense layer.
pub fn measure(model: &Sequential, batch: usize, clock: &Clock) -> Result<Vec<LayerTime>> {
    let summary = model.summary();
    let mut passes = Passes::new(clock, SEED);
    for Timed { name, input, with_input } in timed(model, summary.rows()) {
        let x = passes.random(batch * input.iter().product::<usize>());
        let [weight, bias @ ..] = model.layer_parameters(name)? else { continue };
        let weights = (weight.value.as_slice(), bias.first().map(|bias| bias.value.as_slice()));
        if let Some(mut g) = model.convolution(name)? {
            g.batch = batch;
            passes.convolution(name, (&g, None), &x, weights, with_input)?;
        } else if let &[outputs, inputs] = weight.value.dims() {
            let dims = Dims { batch: x.len() / inputs, inputs, outputs };
            passes.dense(name, dims, &x, weights, with_input)?;
        }
    }
    Ok(passes.into_times())
}

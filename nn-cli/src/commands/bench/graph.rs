//! Times the layers of any graph separately, forward and backward.
//!
//! Each layer with weights becomes a network of its own, on random numbers of the shape that it gets in the
//! graph.

use super::SEED;
use super::layers::{FORWARD, LayerTime};
use super::timing::Clock;
use nn_core::layers::{LayerKinds, OutputKind};
use nn_core::model::{Architecture, Pass, Sequential};
use nn_core::rng::Rng;
use nn_core::tensor::BufferPool;
use nn_core::{Result, Tape, Tensor};
use std::collections::HashSet;

const BACKWARD: &str = "backward";

/// The number of passes that [`measure`] times.
pub fn count(model: &Sequential) -> usize {
    2 * model.summary().layers.iter().filter(|layer| layer.multiply_adds > 0).count()
}

/// Times every layer that multiplies by weights: forward, and the gradients of its weights and, where there
/// are weights before it, of its input.
pub fn measure(model: &Sequential, batch: usize, clock: &Clock) -> Result<Vec<LayerTime>> {
    let mut times = Vec::new();
    let summary = model.summary();
    // The layers whose values depend on weights: a training step computes their gradients.
    let mut learned: HashSet<&str> = HashSet::new();
    for (row, named) in summary.layers.iter().zip(model.architecture()?.layers) {
        let is_learned = row.connected_to.iter().any(|name| learned.contains(name.as_str()));
        if is_learned || row.parameters > 0 {
            learned.insert(&row.name);
        }
        let [taken] = &row.connected_to[..] else { continue };
        if row.multiply_adds == 0 {
            continue;
        }
        let input = summary.layers.iter().find(|layer| layer.name == *taken);
        let input = input.map_or(&summary.input_shape, |layer| &layer.output_shape);
        let alone = Architecture {
            name: row.name.clone(),
            input: input.clone(),
            layers: vec![nn_core::model::NamedLayer { inputs: None, ..named }],
            outputs: None,
            output: OutputKind::Linear,
        };
        let (graph, output) = alone.graph(&LayerKinds::built_in())?;
        let layer = graph.build(output, SEED)?;
        let mut rng = Rng::new(SEED, 1);
        let mut random = |shape: &[usize]| {
            let shape: Vec<usize> = std::iter::once(batch).chain(shape.iter().copied()).collect();
            Tensor::from_fn(shape, |_| rng.uniform_in(-1.0, 1.0) as f32)
        };
        let (x, gradient) = (random(input), random(&row.output_shape));
        let operations = 2.0 * row.multiply_adds as f64 * batch as f64;
        // A predictor keeps the memory of the pass before, as a training step does.
        let mut predictor = layer.predictor();
        let forward = clock.time(|| x.clone(), |x| predictor.predict(x).map(drop))?;
        times.push(LayerTime::new(&row.name, FORWARD, forward.median, operations));
        let pool = BufferPool::new();
        let backward = clock.time(
            || {
                let tape = Tape::with_pool(pool.clone());
                let x = if is_learned { tape.leaf(x.clone()) } else { tape.constant(x.clone()) };
                let pass = layer.forward(&tape, x, Pass::inference());
                (tape, pass, gradient.clone())
            },
            |(mut tape, pass, gradient)| tape.backward_from(&pass?.output, gradient),
        )?;
        let gradients = if is_learned { 2.0 } else { 1.0 };
        times.push(LayerTime::new(&row.name, BACKWARD, backward.median, gradients * operations));
    }
    Ok(times)
}

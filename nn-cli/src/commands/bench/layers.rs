//! Times the passes of each layer of the built-in network, on inputs like those of a training step.
//!
//! Activations are computed with real weights from the layer before, because the number of zeros after a ReLU
//! determines the work of the backward pass.

use super::passes::{LayerTime, Passes};
use super::timing::Clock;
use super::{SEED, pixels};
use nn_core::autograd::{Conv2dOptions, Pool2dOptions};
use nn_core::internals::linear::Dims;
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry};
use nn_core::model::{ReferenceCnn, Sequential};
use nn_core::{Error, Result, Tensor};

/// The number of passes that [`measure`] times.
pub fn count(network: &ReferenceCnn) -> usize {
    // The first layer computes no gradient of the pixels.
    3 * network.filters.len() - 1 + 2 * 3
}

/// Times every layer that has weights.
pub fn measure(network: &ReferenceCnn, batch: usize, clock: &Clock) -> Result<Vec<LayerTime>> {
    let model = network.build::<f32>(SEED)?;
    let mut passes = Passes::new(clock, SEED);
    let (height, width) = network.image_size;
    let input = [height, width, network.channels];
    let mut x: Vec<f32> = pixels(&input, batch).as_slice().iter().map(|v| v / 255.0).collect();
    let mut dims = [batch, height, width, network.channels];
    for i in 0..network.filters.len() {
        let name = format!("conv{}", i + 1);
        let (weight, bias) = parameters(&model, &name)?;
        let g = Conv2dGeometry::new(&dims, weight.dims(), Conv2dOptions::default())?;
        let pool = Pool2dGeometry::new(&g.output_dims(), Pool2dOptions::default())?;
        let weights = (weight.as_slice(), Some(bias.as_slice()));
        x = passes.convolution(&name, (&g, Some(&pool)), &x, weights, i > 0)?;
        dims = pool.output_dims();
    }
    for name in ["dense1", "dense2"] {
        let (weight, bias) = parameters(&model, name)?;
        let dims = Dims { batch, inputs: x.len() / batch, outputs: bias.len() };
        let weights = (weight.as_slice(), Some(bias.as_slice()));
        x = passes.dense(name, dims, &x, weights, true)?;
        x.iter_mut().for_each(|v| *v = v.max(0.0));
    }
    Ok(passes.into_times())
}

/// The weight and bias of a layer.
fn parameters<'a>(model: &'a Sequential, layer: &str) -> Result<(&'a Tensor, &'a Tensor)> {
    let value = |part: &str| {
        let name = format!("{layer}.{part}");
        let found = model.get(&name).map(|parameter| &*parameter.value);
        found.ok_or_else(|| {
            Error::setting(
                "bench",
                "a network with weights and biases",
                name,
                "report this as a bug",
            )
        })
    };
    Ok((value("weight")?, value("bias")?))
}

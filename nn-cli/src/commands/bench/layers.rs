//! Times the passes of each layer separately, on inputs like those of a training step.
//!
//! Kernels are called as the tape calls them. Activations are computed with real weights from the layer
//! before, because the number of zeros after a ReLU determines the work of the backward pass.

use super::timing::Clock;
use super::{SEED, pixels};
use nn_core::autograd::{Conv2dOptions, Pool2dOptions};
use nn_core::internals::conv::{Output, OutputGradient};
use nn_core::internals::linear::{self, Dims};
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry, Tables};
use nn_core::model::{ReferenceCnn, Sequential};
use nn_core::rng::Rng;
use nn_core::tensor::BufferPool;
use nn_core::{Error, Result, Tensor};
use serde::Serialize;

pub const FORWARD: &str = "forward";
const INPUT_GRADIENT: &str = "input gradient";
const WEIGHT_GRADIENT: &str = "weight gradient";

/// The time of one pass of a layer.
#[derive(Serialize)]
pub struct LayerTime {
    pub name: String,
    pub pass: &'static str,
    /// The median, in milliseconds.
    pub ms: f64,
    /// Operations per second in 1e9, counted as in a direct computation.
    pub gflops: f64,
}

impl LayerTime {
    pub fn new(name: &str, pass: &'static str, ms: f64, operations: f64) -> Self {
        Self { name: name.into(), pass, ms, gflops: operations / ms / 1e6 }
    }
}

/// The number of passes that [`measure`] times.
pub fn count(network: &ReferenceCnn) -> usize {
    // The first layer computes no gradient of the pixels.
    3 * network.filters.len() - 1 + 2 * 3
}

/// Times every layer that has weights.
pub fn measure(network: &ReferenceCnn, batch: usize, clock: &Clock) -> Result<Vec<LayerTime>> {
    let model = network.build::<f32>(SEED)?;
    let mut bench = Bench { model: &model, rng: Rng::new(SEED, 1), clock, times: Vec::new() };
    let (height, width) = network.image_size;
    let input = [height, width, network.channels];
    let mut x: Vec<f32> = pixels(&input, batch).as_slice().iter().map(|v| v / 255.0).collect();
    let mut dims = [batch, height, width, network.channels];
    for i in 0..network.filters.len() {
        (x, dims) = bench.convolution(&format!("conv{}", i + 1), x, dims, i > 0)?;
    }
    for name in ["dense1", "dense2"] {
        x = bench.dense(name, batch, &x)?;
    }
    Ok(bench.times)
}

struct Bench<'a> {
    model: &'a Sequential,
    rng: Rng,
    clock: &'a Clock,
    times: Vec<LayerTime>,
}

impl Bench<'_> {
    /// Times a convolution with ReLU and pooling on `x` with dimensions `dims`; returns the output and its
    /// dimensions.
    fn convolution(
        &mut self,
        name: &str,
        x: Vec<f32>,
        dims: [usize; 4],
        input_gradient: bool,
    ) -> Result<(Vec<f32>, [usize; 4])> {
        let (weight, bias) = parameters(self.model, name)?;
        let g = Conv2dGeometry::new(&dims, weight.dims(), Conv2dOptions::default())?;
        let p = Pool2dGeometry::new(&g.output_dims(), Pool2dOptions::default())?;
        let (w, b) = (weight.as_slice(), bias.as_slice());
        let mut y = vec![0.0; g.batch * p.output_len()];
        let mut argmax = vec![0; y.len()];
        let (kernels, scratch) = (f32::conv2d(), BufferPool::new());
        self.time(name, FORWARD, g.flops(), || {
            let out = Output::ReluMaxPool { pool: &p, y: &mut y, argmax: &mut argmax };
            kernels.forward(&g, Some(&p)).forward(&g, &x, w, Some(b), out, &scratch);
        })?;
        let dy = self.gradient(y.len());
        let dy = OutputGradient::ReluMaxPool { pool: &p, dy: &dy, argmax: &argmax };
        if input_gradient {
            let kernel = kernels.input_gradient(&g, Some(&p));
            let mut dx = vec![0.0; x.len()];
            self.time(name, INPUT_GRADIENT, g.flops(), || {
                kernel.backward_input(&g, dy, w, &mut dx, &scratch);
            })?;
        }
        let kernel = kernels.weight_gradient(&g, Some(&p));
        let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; b.len()]);
        self.time(name, WEIGHT_GRADIENT, g.flops(), || {
            kernel.backward_weight(&g, &x, dy, &mut dw, &mut db, &scratch);
        })?;
        Ok((y, p.output_dims()))
    }

    /// Times a dense layer on `batch` rows of `x`; returns the output after ReLU.
    fn dense(&mut self, name: &str, batch: usize, x: &[f32]) -> Result<Vec<f32>> {
        let (weight, bias) = parameters(self.model, name)?;
        let dims = Dims { batch, inputs: x.len() / batch, outputs: bias.len() };
        let operations = (2 * batch * weight.len()) as f64;
        let w = weight.as_slice();
        let scratch = BufferPool::new();
        let mut y = vec![0.0; batch * dims.outputs];
        self.time(name, FORWARD, operations, || {
            linear::forward(dims, x, w, Some(bias.as_slice()), &mut y, &scratch);
        })?;
        let dy = self.gradient(y.len());
        let mut dx = vec![0.0; x.len()];
        self.time(name, INPUT_GRADIENT, operations, || {
            linear::input_gradient(dims, &dy, w, &mut dx);
        })?;
        let mut dw = vec![0.0; w.len()];
        self.time(name, WEIGHT_GRADIENT, operations, || {
            linear::weight_gradient(dims, &dy, x, &mut dw);
        })?;
        y.iter_mut().for_each(|v| *v = v.max(0.0));
        Ok(y)
    }

    /// A random output gradient.
    fn gradient(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.rng.uniform_in(-1.0, 1.0) as f32).collect()
    }

    fn time(
        &mut self,
        name: &str,
        pass: &'static str,
        operations: f64,
        mut work: impl FnMut(),
    ) -> Result<()> {
        let times = self.clock.time(
            || (),
            |()| {
                work();
                Ok(())
            },
        )?;
        self.times.push(LayerTime::new(name, pass, times.median, operations));
        Ok(())
    }
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

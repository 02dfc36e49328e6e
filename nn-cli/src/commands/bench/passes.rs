//! Times the passes of one layer, each by itself.
//!
//! Kernels are called as the tape calls them in a training step.

use super::timing::Clock;
use nn_core::Result;
use nn_core::internals::conv::{Output, OutputGradient};
use nn_core::internals::linear::{self, Dims};
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry, Tables};
use nn_core::rng::Rng;
use nn_core::tensor::BufferPool;
use serde::Serialize;

pub const FORWARD: &str = "forward";
const INPUT_GRADIENT: &str = "input gradient";
const WEIGHT_GRADIENT: &str = "weight gradient";

/// The time of one pass of a layer.
#[derive(Serialize)]
pub struct LayerTime {
    pub name: String,
    pub pass: &'static str,
    /// The kernel that was chosen, of a convolution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<&'static str>,
    /// The median, in milliseconds.
    pub ms: f64,
    /// Operations per second in 1e9, counted as in a direct computation.
    pub gflops: f64,
}

/// Times passes, and collects their times.
pub struct Passes<'a> {
    clock: &'a Clock,
    rng: Rng,
    times: Vec<LayerTime>,
}

impl<'a> Passes<'a> {
    pub fn new(clock: &'a Clock, seed: u64) -> Self {
        Self { clock, rng: Rng::new(seed, 1), times: Vec::new() }
    }

    pub fn into_times(self) -> Vec<LayerTime> {
        self.times
    }

    /// Random numbers from -1 to 1.
    pub fn random(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.rng.uniform_in(-1.0, 1.0) as f32).collect()
    }

    /// Times a convolution of `x`, with ReLU and max-pooling if there is a `pool`, and the gradients that a
    /// training step computes: that of its input only `with_input`. Returns the output.
    pub fn convolution(
        &mut self,
        name: &str,
        (g, pool): (&Conv2dGeometry, Option<&Pool2dGeometry>),
        x: &[f32],
        (w, b): (&[f32], Option<&[f32]>),
        with_input: bool,
    ) -> Result<Vec<f32>> {
        let (kernels, scratch) = (f32::conv2d(), BufferPool::new());
        let mut y = vec![0.0; g.batch * pool.map_or(g.output_len(), Pool2dGeometry::output_len)];
        let mut argmax = vec![0; if pool.is_some() { y.len() } else { 0 }];
        let kernel = kernels.forward(g, pool);
        self.time(name, FORWARD, Some(kernel.name()), g.flops(), || {
            let out = match pool {
                Some(pool) => Output::ReluMaxPool { pool, y: &mut y, argmax: &mut argmax },
                None => Output::plain(&mut y),
            };
            kernel.forward(g, x, w, b, out, &scratch);
        })?;
        let dy = self.random(y.len());
        let dy = match pool {
            Some(pool) => OutputGradient::ReluMaxPool { pool, dy: &dy, argmax: &argmax },
            None => OutputGradient::Dense(&dy),
        };
        if with_input {
            let kernel = kernels.input_gradient(g, pool);
            let mut dx = vec![0.0; x.len()];
            self.time(name, INPUT_GRADIENT, Some(kernel.name()), g.flops(), || {
                kernel.backward_input(g, dy, w, &mut dx, &scratch);
            })?;
        }
        let kernel = kernels.weight_gradient(g, pool);
        let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; g.out_c]);
        self.time(name, WEIGHT_GRADIENT, Some(kernel.name()), g.flops(), || {
            kernel.backward_weight(g, x, dy, &mut dw, &mut db, &scratch);
        })?;
        Ok(y)
    }

    /// Times a dense layer on rows `x`, and its gradients. Returns the output.
    pub fn dense(
        &mut self,
        name: &str,
        dims: Dims,
        x: &[f32],
        (w, b): (&[f32], Option<&[f32]>),
        with_input: bool,
    ) -> Result<Vec<f32>> {
        let operations = (2 * dims.batch * w.len()) as f64;
        let scratch = BufferPool::new();
        let mut y = vec![0.0; dims.batch * dims.outputs];
        self.time(name, FORWARD, None, operations, || {
            linear::forward(dims, x, w, b, &mut y, &scratch);
        })?;
        let dy = self.random(y.len());
        if with_input {
            let mut dx = vec![0.0; x.len()];
            self.time(name, INPUT_GRADIENT, None, operations, || {
                linear::input_gradient(dims, &dy, w, &mut dx);
            })?;
        }
        let mut dw = vec![0.0; w.len()];
        self.time(name, WEIGHT_GRADIENT, None, operations, || {
            linear::weight_gradient(dims, &dy, x, &mut dw);
        })?;
        Ok(y)
    }

    fn time(
        &mut self,
        name: &str,
        pass: &'static str,
        kernel: Option<&'static str>,
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
        let (ms, name) = (times.median, name.to_owned());
        self.times.push(LayerTime { name, pass, kernel, ms, gflops: operations / ms / 1e6 });
        Ok(())
    }
}

//! Times the flagship training step in burn, or with `--forward` its forward pass, and prints one JSON
//! line. `RAYON_NUM_THREADS` sets the threads.

use burn::backend::ndarray::NdArrayDevice;
use burn::backend::{Autodiff, NdArray};
use burn::module::{AutodiffModule, Module};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, Relu};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Int, Tensor};
use std::time::Instant;

const BATCH: usize = 4;
const SIZE: usize = 256;
const CLASSES: usize = 2;
const WARM_UP: usize = 1;
const STEPS: usize = 5;

type Training = Autodiff<NdArray<f32>>;

#[derive(Module, Debug)]
struct Network<B: Backend> {
    convolutions: Vec<Conv2d<B>>,
    pool: MaxPool2d,
    relu: Relu,
    hidden: Linear<B>,
    output: Linear<B>,
}

impl<B: Backend> Network<B> {
    fn new(device: &B::Device) -> Self {
        let side = (((SIZE - 2) / 2 - 2) / 2 - 2) / 2;
        let conv = |channels| Conv2dConfig::new(channels, [3, 3]).init(device);
        Self {
            convolutions: vec![conv([3, 64]), conv([64, 128]), conv([128, 128])],
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            relu: Relu::new(),
            hidden: LinearConfig::new(128 * side * side, 64).init(device),
            output: LinearConfig::new(64, CLASSES).init(device),
        }
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 2> {
        let mut x = x / 255.0;
        for convolution in &self.convolutions {
            x = self.pool.forward(self.relu.forward(convolution.forward(x)));
        }
        let x = self.relu.forward(self.hidden.forward(x.flatten(1, 3)));
        self.output.forward(x)
    }
}

fn main() {
    let forward_only = std::env::args().any(|arg| arg == "--forward");
    let device = NdArrayDevice::default();
    let mut network = Network::<Training>::new(&device);
    let mut adam = AdamConfig::new().with_epsilon(1e-7).init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let shape = [BATCH, 3, SIZE, SIZE];
    let x = Tensor::<Training, 4>::random(shape, Distribution::Uniform(0.0, 255.0), &device);
    let labels = Tensor::<Training, 1, Int>::from_ints([0, 1, 0, 1], &device);
    let mut times = Vec::new();
    for step in 0..WARM_UP + STEPS {
        let started = Instant::now();
        if forward_only {
            // The data is computed at once, so there is nothing to wait for.
            let _ = network.valid().forward(x.clone().inner());
        } else {
            let gradients = loss.forward(network.forward(x.clone()), labels.clone()).backward();
            let gradients = GradientsParams::from_grads(gradients, &network);
            network = adam.step(1e-3, network, gradients);
        }
        if step >= WARM_UP {
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let (median, min) = (times[STEPS / 2], times[0]);
    println!("{}", serde_json::json!({"name": "burn", "median_ms": median, "min_ms": min}));
}

//! The reference network's training step (batch 4, 256x256x3: forward, backward, Adam), its
//! forward pass, and the parts of it that are no convolutions.

use criterion::{Criterion, criterion_group, criterion_main};
use nn_core::autograd::Pool2dOptions;
use nn_core::internals::linear::{self, Dims};
use nn_core::internals::{Pool2dGeometry, pool};
use nn_core::layers::Parameter;
use nn_core::model::ReferenceCnn;
use nn_core::optim::{Gradients, OptimizerConfig};
use nn_core::rng::Rng;
use nn_core::tensor::BufferPool;
use nn_core::train::{FitOptions, Trainer};
use nn_core::{Result, Tensor};

const BATCH: usize = 4;
const LABELS: [usize; BATCH] = [0, 1, 1, 0];

fn pixels() -> Tensor {
    let mut rng = Rng::new(27, 0);
    Tensor::from_fn([BATCH, 256, 256, 3], |_| rng.uniform_in(0.0, 255.0) as f32)
}

fn random(shape: &[usize]) -> Tensor {
    let mut rng = Rng::new(1, 0);
    Tensor::from_fn(shape, |_| rng.uniform_in(-1.0, 1.0) as f32)
}

fn step(c: &mut Criterion) {
    let mut run = || -> Result<()> {
        let model = ReferenceCnn::new(2, 256).build(27)?;
        let optimizer = OptimizerConfig::adam().build()?;
        let mut trainer = Trainer::new(model, optimizer, FitOptions::default())?;
        let x = pixels();
        let mut group = c.benchmark_group("reference");
        group.sample_size(20);
        group.bench_function("step", |bench| {
            bench.iter(|| trainer.step(x.clone(), &LABELS, 0.001).expect("a step"));
        });
        group.bench_function("forward", |bench| {
            bench.iter(|| trainer.model().predict(x.clone()).expect("a prediction"));
        });
        group.finish();
        Ok(())
    };
    run().expect("the reference network runs");
}

fn max_pool(c: &mut Criterion) {
    let g = Pool2dGeometry::new(&[BATCH, 254, 254, 64], Pool2dOptions::default()).expect("it fits");
    let x = random(&[BATCH, 254, 254, 64]);
    let mut y = vec![0.0f32; BATCH * g.output_len()];
    let mut argmax = vec![0u8; y.len()];
    let mut dx = vec![0.0f32; x.len()];
    let mut group = c.benchmark_group("max_pool 254x254x64");
    group.sample_size(20);
    group.bench_function("forward", |bench| {
        bench.iter(|| pool::max_forward(&g, x.as_slice(), &mut y, &mut argmax));
    });
    group.bench_function("backward", |bench| {
        bench.iter(|| pool::max_backward(&g, &y, &argmax, &mut dx));
    });
    group.finish();
}

fn dense(c: &mut Criterion) {
    let dims = Dims { batch: BATCH, inputs: 115_200, outputs: 64 };
    let x = random(&[dims.batch, dims.inputs]);
    let w = random(&[dims.outputs, dims.inputs]);
    let dy = random(&[dims.batch, dims.outputs]);
    let mut y = vec![0.0f32; dims.batch * dims.outputs];
    let scratch = BufferPool::new();
    let (mut dx, mut dw) = (vec![0.0f32; x.len()], vec![0.0f32; w.len()]);
    let mut group = c.benchmark_group("dense 115200 to 64");
    group.sample_size(20);
    group.bench_function("forward", |bench| {
        bench.iter(|| linear::forward(dims, x.as_slice(), w.as_slice(), None, &mut y, &scratch));
    });
    group.bench_function("input gradient", |bench| {
        bench.iter(|| linear::input_gradient(dims, dy.as_slice(), w.as_slice(), &mut dx));
    });
    group.bench_function("weight gradient", |bench| {
        bench.iter(|| linear::weight_gradient(dims, dy.as_slice(), x.as_slice(), &mut dw));
    });
    group.finish();
}

fn adam(c: &mut Criterion) {
    let shape = [64, 115_200];
    let value = random(&shape);
    let mut parameters = [Parameter::new("weight", value)];
    let gradients = Gradients::from(vec![Some(random(&shape))]);
    let mut optimizer = OptimizerConfig::adam().build::<f32>().expect("the defaults are valid");
    let mut group = c.benchmark_group("adam 7.4 M");
    group.sample_size(20);
    group.bench_function("step", |bench| {
        bench.iter(|| optimizer.step(&mut parameters, &gradients, 0.001).expect("a step"));
    });
    group.finish();
}

criterion_group!(benches, step, max_pool, dense, adam);
criterion_main!(benches);

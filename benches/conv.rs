//! The three convolutions of the reference network at batch 4, then those of other usual networks:
//! forward and backward, plain and fused with ReLU and max-pool, for every kernel this machine can run.
//! Throughput is that of a direct convolution: 1 Gelem/s is 1 GFLOP/s.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nn_core::autograd::{Conv2dOptions, Pool2dOptions};
use nn_core::internals::conv::{Bounds, Conv2dKernel, Output, OutputGradient};
use nn_core::internals::{Conv2dGeometry, Pool2dGeometry, Tables};
use nn_core::layers::Padding;
use nn_core::rng::Rng;
use nn_core::tensor::BufferPool;

const LAYERS: [(&str, usize, usize, usize); 3] =
    [("conv1", 256, 3, 64), ("conv2", 127, 64, 128), ("conv3", 62, 128, 128)];

/// A convolution: name, input, output channels, size of the kernel, stride, padding.
type Layer = (&'static str, [usize; 4], usize, usize, usize, Padding);

/// A small network for digits, one of strided and one of pointwise convolutions, and residual networks.
const OTHERS: [Layer; 13] = [
    ("mnist-conv1", [64, 28, 28, 1], 32, 5, 1, Padding::Valid),
    ("mnist-conv2", [64, 12, 12, 32], 64, 5, 1, Padding::Valid),
    ("strided-conv2", [16, 64, 64, 64], 128, 3, 2, Padding::Same),
    ("strided-conv3", [16, 32, 32, 128], 256, 3, 2, Padding::Same),
    ("strided-conv4", [16, 16, 16, 256], 256, 3, 2, Padding::Same),
    ("pointwise-64-256", [8, 56, 56, 64], 256, 1, 1, Padding::Valid),
    ("pointwise-256-64", [8, 56, 56, 256], 64, 1, 1, Padding::Valid),
    ("resnet-56", [4, 56, 56, 64], 64, 3, 1, Padding::Same),
    ("resnet-28", [4, 28, 28, 128], 128, 3, 1, Padding::Same),
    ("resnet-14", [4, 14, 14, 256], 256, 3, 1, Padding::Same),
    ("resnet-7", [4, 7, 7, 512], 512, 3, 1, Padding::Same),
    ("resnet-stem", [4, 224, 224, 3], 64, 7, 2, Padding::Same),
    ("resnet-pointwise-strided", [4, 56, 56, 256], 512, 1, 2, Padding::Valid),
];

fn random(rng: &mut Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.uniform_in(-1.0, 1.0) as f32).collect()
}

/// The kernels of a pass that can run here.
fn usable<'a, K: Conv2dKernel + ?Sized>(
    kernels: &'a [&'a K],
    g: &'a Conv2dGeometry,
    pool: Option<&'a Pool2dGeometry>,
) -> impl Iterator<Item = &'a K> {
    let kernels = kernels.iter().copied();
    kernels.filter(move |kernel| kernel.isa().is_available() && kernel.supports(g, pool))
}

fn layer(c: &mut Criterion, name: &str, g: &Conv2dGeometry) {
    let p = Pool2dGeometry::new(&g.output_dims(), Pool2dOptions::default()).expect("it fits");
    let rng = &mut Rng::new(27, 0);
    let x = random(rng, g.batch * g.input_len());
    let w = random(rng, g.weight_len());
    let b = random(rng, g.out_c);
    let dy = random(rng, g.batch * g.output_len());
    let mut y = vec![0.0; dy.len()];
    let mut pooled = vec![0.0; g.batch * p.output_len()];
    let mut argmax = vec![0; pooled.len()];
    let mut dx = vec![0.0; x.len()];
    let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; b.len()]);
    let (kernels, scratch) = (f32::conv2d(), BufferPool::new());

    let mut group = c.benchmark_group(name);
    group.sample_size(10).throughput(Throughput::Elements(g.flops() as u64));
    for kernel in usable(kernels.forward, g, None) {
        group.bench_function(BenchmarkId::new("forward", kernel.name()), |bench| {
            bench.iter(|| {
                let out = Output::within(Bounds::relu(None), &mut y);
                kernel.forward(g, &x, &w, Some(&b), out, &scratch);
            });
        });
    }
    for kernel in usable(kernels.forward, g, Some(&p)) {
        group.bench_function(BenchmarkId::new("forward-pooled", kernel.name()), |bench| {
            bench.iter(|| {
                let (y, argmax) = (&mut pooled, &mut argmax);
                let out = Output::ReluMaxPool { pool: &p, y, argmax };
                kernel.forward(g, &x, &w, Some(&b), out, &scratch);
            });
        });
    }
    let pooled_gradient = random(rng, pooled.len());
    let sparse = OutputGradient::ReluMaxPool { pool: &p, dy: &pooled_gradient, argmax: &argmax };
    for (suffix, pool, dy) in
        [("", None, OutputGradient::Dense(&dy)), ("-pooled", Some(&p), sparse)]
    {
        for kernel in usable(kernels.input_gradient, g, pool) {
            let id = BenchmarkId::new(format!("input-gradient{suffix}"), kernel.name());
            group.bench_function(id, |bench| {
                bench.iter(|| kernel.backward_input(g, dy, &w, &mut dx, &scratch));
            });
        }
        for kernel in usable(kernels.weight_gradient, g, pool) {
            let id = BenchmarkId::new(format!("weight-gradient{suffix}"), kernel.name());
            group.bench_function(id, |bench| {
                bench.iter(|| kernel.backward_weight(g, &x, dy, &mut dw, &mut db, &scratch));
            });
        }
    }
    group.finish();
}

fn conv(c: &mut Criterion) {
    for (name, size, in_c, out_c) in LAYERS {
        let dims = ([4, size, size, in_c], [out_c, in_c, 3, 3]);
        let g = Conv2dGeometry::new(&dims.0, &dims.1, Conv2dOptions::default()).expect("it fits");
        layer(c, name, &g);
    }
    for (name, input, out_c, kernel, stride, padding) in OTHERS {
        let options = Conv2dOptions::new().stride(stride).padding(padding);
        let weight = [out_c, input[3], kernel, kernel];
        layer(c, name, &Conv2dGeometry::new(&input, &weight, options).expect("it fits"));
    }
}

criterion_group!(benches, conv);
criterion_main!(benches);

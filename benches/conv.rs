//! The three convolutions of the reference network at batch 4, forward and backward, plain and
//! fused with ReLU and max-pool, for every kernel this machine can run. Throughput is that of a
//! direct convolution: 1 Gelem/s is 1 GFLOP/s.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nn_core::kernels::conv::{Conv2dKernel, Output, OutputGradient};
use nn_core::kernels::{Conv2dGeometry, Conv2dOptions, Kernels, Pool2dGeometry, Pool2dOptions};
use nn_core::rng::Rng;
use nn_core::tensor::Pool;

const LAYERS: [(&str, usize, usize, usize); 3] =
    [("conv1", 256, 3, 64), ("conv2", 127, 64, 128), ("conv3", 62, 128, 128)];

fn random(rng: &mut Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.uniform_in(-1.0, 1.0) as f32).collect()
}

fn layer(c: &mut Criterion, kernel: &dyn Conv2dKernel<f32>, name: &str, g: &Conv2dGeometry) {
    let p = Pool2dGeometry::new(&g.output_dims(), Pool2dOptions::default()).expect("it fits");
    let rng = &mut Rng::new(27, 0);
    let x = random(rng, g.batch * g.input_len());
    let w = random(rng, g.weight_len());
    let b = random(rng, g.out_c);
    let dy = random(rng, g.batch * g.output_len());
    let mut y = vec![0.0; dy.len()];
    let mut pooled = vec![0.0; g.batch * p.output_len()];
    let mut winners = vec![0; pooled.len()];
    let mut dx = vec![0.0; x.len()];
    let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; b.len()]);
    let scratch = Pool::new();
    let out = Output::ReluMaxPool { pool: &p, y: &mut pooled, winners: &mut winners };
    kernel.forward(g, &x, &w, Some(&b), out, &scratch);
    let pooled_gradient = random(rng, pooled.len());

    let mut group = c.benchmark_group(name);
    group.sample_size(10).throughput(Throughput::Elements(g.flops() as u64));
    let id = |pass: &str| BenchmarkId::new(pass, kernel.name());
    group.bench_function(id("forward"), |bench| {
        bench.iter(|| {
            let out = Output::Dense { y: &mut y, relu: true };
            kernel.forward(g, &x, &w, Some(&b), out, &scratch);
        });
    });
    let dense = OutputGradient::Dense(&dy);
    group.bench_function(id("input-gradient"), |bench| {
        bench.iter(|| kernel.backward_input(g, dense, &w, &mut dx, &scratch));
    });
    group.bench_function(id("weight-gradient"), |bench| {
        bench.iter(|| kernel.backward_weight(g, &x, dense, &mut dw, &mut db, &scratch));
    });
    let mut fused_winners = winners.clone();
    group.bench_function(id("forward-pooled"), |bench| {
        bench.iter(|| {
            let (y, winners) = (&mut pooled, &mut fused_winners);
            let out = Output::ReluMaxPool { pool: &p, y, winners };
            kernel.forward(g, &x, &w, Some(&b), out, &scratch);
        });
    });
    let sparse = OutputGradient::ReluMaxPool { pool: &p, dy: &pooled_gradient, winners: &winners };
    group.bench_function(id("input-gradient-pooled"), |bench| {
        bench.iter(|| kernel.backward_input(g, sparse, &w, &mut dx, &scratch));
    });
    group.bench_function(id("weight-gradient-pooled"), |bench| {
        bench.iter(|| kernel.backward_weight(g, &x, sparse, &mut dw, &mut db, &scratch));
    });
    group.finish();
}

fn conv(c: &mut Criterion) {
    for (name, size, in_c, out_c) in LAYERS {
        let dims = ([4, size, size, in_c], [out_c, in_c, 3, 3]);
        let g = Conv2dGeometry::new(&dims.0, &dims.1, Conv2dOptions::default()).expect("it fits");
        for kernel in f32::conv2d() {
            if kernel.isa().is_available() && kernel.supports(&g) {
                layer(c, *kernel, name, &g);
            }
        }
    }
}

criterion_group!(benches, conv);
criterion_main!(benches);

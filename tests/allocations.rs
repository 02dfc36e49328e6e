//! The allocations of a repeated training step: only records of the tape, work lists, and the
//! packed operands of one matrix product. All other memory comes from the pool. And the memory of a prediction,
//! which is that of the values that are alive at one time.

use nn_core::Tensor;
use nn_core::layers::{
    Activation, AveragePool2D, Concatenate, Conv2D, Dense, Dropout, Flatten, GlobalAveragePool2D,
    MaxPool2D, Padding, UpSampling2D,
};
use nn_core::model::{GraphBuilder, NodeId, Sequential, networks};
use nn_core::optim::OptimizerConfig;
use nn_core::train::{FitOptions, Trainer};

/// The allocations of a repeated step on one thread.
fn step(batch: usize, side: usize) -> allocation_counter::AllocationInfo {
    let run = || {
        let model: Sequential = Sequential::builder([side, side, 3])
            .layer(Conv2D::new(8, 3).activation(Activation::Tanh))
            .layer(MaxPool2D::new(2))
            .layer(Conv2D::new(16, 5).activation(Activation::Relu))
            .layer(MaxPool2D::new(2))
            .layer(AveragePool2D::new(2))
            .layer(Flatten::new())
            .layer(Dense::new(32).activation(Activation::Relu))
            .layer(Dropout::new(0.5))
            .layer(Dense::new(4))
            .build(27)
            .unwrap();
        let optimizer = OptimizerConfig::adam().build().unwrap();
        let mut trainer = Trainer::new(model, optimizer, FitOptions::default()).unwrap();
        let labels: Vec<_> = (0..batch).map(|i| i % 4).collect();
        let mut step = || {
            let x = Tensor::from_fn([batch, side, side, 3], |i| (i % 7) as f32);
            let step = || trainer.step(x, &labels, 0.001).map(drop).unwrap();
            allocation_counter::measure(step)
        };
        step();
        step();
        step()
    };
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(run)
}

/// The maximum that a step may allocate outside the pool: the packed blocks of one matrix product,
/// which `matrixmultiply` allocates itself, and some KB of records.
const MOST: u64 = 256 << 10;

#[test]
fn a_step_that_repeats_takes_the_memory_for_its_numbers_from_the_pool() {
    // The first feature map of the largest batch has 12 MB, its argmax 740 KB.
    for (batch, side) in [(2, 40), (32, 40), (256, 40), (4, 96)] {
        let step = step(batch, side);
        println!("batch {batch}, {side} x {side} pixels: {step:?}");
        assert!(step.bytes_max < MOST, "batch {batch}, {side} x {side} pixels: {step:?}");
    }
}

/// Narrow values between wide ones, kept to the end.
fn hourglasses(graph: &mut GraphBuilder) -> NodeId {
    let (mut x, mut kept) = (graph.input(), Vec::new());
    for _ in 0..8 {
        let pooled = graph.layer(AveragePool2D::new(16), x);
        kept.push(graph.layer(Conv2D::new(64, 1), pooled));
        x = graph.layer(UpSampling2D::new(16), kept[kept.len() - 1]);
    }
    kept.push(graph.layer(AveragePool2D::new(16), x));
    graph.layer(Concatenate::new(), kept)
}

/// An encoder and a decoder that takes the encoder's maps.
fn u_net(graph: &mut GraphBuilder) -> NodeId {
    let conv =
        |filters| Conv2D::new(filters, 3).padding(Padding::Same).activation(Activation::Relu);
    let (mut x, mut kept) = (graph.input(), Vec::new());
    for filters in [16, 32, 64] {
        x = graph.layer(conv(filters), x);
        kept.push(x);
        x = graph.layer(MaxPool2D::new(2), x);
    }
    for filters in [64, 32, 16] {
        x = graph.layer(UpSampling2D::new(2), x);
        x = graph.layer(Concatenate::new(), [x, kept.pop().unwrap()]);
        x = graph.layer(conv(filters), x);
    }
    graph.layer(Conv2D::new(2, 1), x)
}

/// A head at each of several maps.
fn side_heads(graph: &mut GraphBuilder) -> NodeId {
    let (mut x, mut heads) = (graph.input(), Vec::new());
    for filters in [16, 24, 32, 40, 48, 56] {
        x = graph.layer(Conv2D::new(filters, 3).activation(Activation::Relu), x);
        heads.push(graph.layer(GlobalAveragePool2D::new(), x));
        x = graph.layer(MaxPool2D::new(2).stride(1), x);
    }
    heads.push(graph.layer(GlobalAveragePool2D::new(), x));
    graph.layer(Concatenate::new(), heads)
}

/// The most bytes at one time during a prediction, beyond those before it. Weights were packed by one before.
fn prediction(model: &Sequential, batch: usize) -> u64 {
    let input = |batch: usize| {
        let shape = std::iter::once(batch).chain(model.input_shape().dims().iter().copied());
        Tensor::from_fn(shape.collect::<Vec<_>>(), |i| (i % 7) as f32)
    };
    let mut predictor = model.predictor();
    let mut predict = || {
        predictor.predict(input(1)).unwrap();
        let predict = || drop(predictor.predict(input(batch)).unwrap());
        allocation_counter::measure(predict).bytes_max
    };
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(&mut predict)
}

#[test]
fn an_image_more_takes_about_the_memory_of_the_widest_cut() {
    let graph = |nodes: fn(&mut GraphBuilder) -> NodeId, input: [usize; 3]| {
        let mut graph = GraphBuilder::new(input);
        let output = nodes(&mut graph);
        graph.build(output, 1).unwrap()
    };
    let named = |name| {
        let (graph, logits) = networks::graph(name, [96, 96, 3], 4).unwrap();
        graph.build(logits, 1).unwrap()
    };
    for (name, model) in [
        ("resnet18", named("resnet18")),
        ("mobilenetv2", named("mobilenetv2")),
        ("vgg-small", named("vgg-small")),
        ("hourglasses", graph(hourglasses, [64, 64, 64])),
        ("u-net", graph(u_net, [64, 64, 3])),
        ("side heads", graph(side_heads, [64, 64, 3])),
    ] {
        let [few, many] = [2, 6].map(|batch| prediction(&model, batch));
        let cut = (model.summary().widest_cut * size_of::<f32>()) as f64;
        let image = (many - few) as f64 / 4.0;
        println!("{name}: {image} bytes an image, {:.2} of the widest cut", image / cut);
        // Max-poolings note their argmax, and a buffer may have twice the length of what is kept in it.
        assert!(image < 1.15 * cut, "{name}: {image} bytes an image, {cut} alive");
    }
}

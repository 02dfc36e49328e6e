//! The allocations of a repeated training step: only records of the tape, work lists, and the
//! packed operands of one matrix product. All other memory comes from the pool.

use nn_core::Tensor;
use nn_core::layers::{Activation, AveragePool2D, Conv2D, Dense, Dropout, Flatten, MaxPool2D};
use nn_core::model::Sequential;
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

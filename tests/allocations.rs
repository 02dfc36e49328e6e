//! What a training step allocates once it repeats: records of the tape and lists of work, but no
//! memory for numbers, which comes from the pool.

use nn_core::Tensor;
use nn_core::layers::{AveragePool2D, Conv2D, Dense, Dropout, Flatten, MaxPool2D};
use nn_core::model::Sequential;
use nn_core::optim::OptimizerConfig;
use nn_core::train::{FitOptions, Trainer};

/// Allocations of a step that was made before, on one thread.
fn step(batch: usize, side: usize) -> allocation_counter::AllocationInfo {
    let run = || {
        let model: Sequential = Sequential::builder([side, side, 3])
            .layer(Conv2D::new(8, (3, 3)).relu())
            .layer(MaxPool2D::new((2, 2)))
            .layer(Conv2D::new(16, (5, 5)).relu())
            .layer(AveragePool2D::new((2, 2)))
            .layer(Conv2D::new(8, (3, 3)))
            .layer(MaxPool2D::new((3, 3)))
            .layer(Flatten)
            .layer(Dense::new(32).relu())
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

#[test]
fn a_step_that_repeats_allocates_no_memory_for_numbers() {
    let smallest = step(2, 40);
    for (batch, side) in [(2, 40), (8, 40), (32, 40), (4, 96)] {
        let step = step(batch, side);
        println!("batch {batch}, {side} x {side} pixels: {step:?}");
        // One image of the smallest is 19 KB, its first feature map 46 KB.
        assert!(step.bytes_total < 64 << 10, "batch {batch}, {side} x {side} pixels: {step:?}");
        assert!(step.bytes_total < 2 * smallest.bytes_total, "{step:?}, {smallest:?}");
    }
}

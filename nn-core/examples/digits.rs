//! Classification of digits from arrays in memory: noisy seven-segment digits and a small
//! convolutional network.
//!
//! `cargo run --release -p nn-core --example digits`

use nn_core::layers::{Activation, Conv2D, Dense, Flatten, MaxPool2D};
use nn_core::model::Sequential;
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, InMemory, Silent, Trainer};
use nn_core::{Result, Tensor};

const SIZE: (usize, usize) = (16, 12); // height and width of an image

/// The lit segments, a to g, of the digits 0 to 9.
const SEGMENTS: [&str; 10] =
    ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"];

fn digit(label: usize, rng: &mut Rng) -> Vec<f32> {
    let (top, left) = (1 + rng.below(4), 1 + rng.below(4));
    let mut image: Vec<f32> = (0..SIZE.0 * SIZE.1).map(|_| 0.4 * rng.uniform() as f32).collect();
    for segment in SEGMENTS[label].bytes() {
        let (row, column, (down, right)) = match segment {
            b'a' => (0, 0, (0, 1)),
            b'b' => (0, 5, (1, 0)),
            b'c' => (5, 5, (1, 0)),
            b'd' => (10, 0, (0, 1)),
            b'e' => (5, 0, (1, 0)),
            b'f' => (0, 0, (1, 0)),
            _ => (5, 0, (0, 1)),
        };
        for i in 0..6 {
            image[(top + row + i * down) * SIZE.1 + left + column + i * right] += 0.6;
        }
    }
    image
}

fn main() -> Result<()> {
    let mut rng = Rng::new(27, 0);
    let mut draw = |count: usize| {
        let labels: Vec<usize> = (0..count).map(|i| i % 10).collect();
        let pixels = labels.iter().flat_map(|&label| digit(label, &mut rng)).collect();
        InMemory::new(Tensor::from_vec([count, SIZE.0, SIZE.1, 1], pixels)?, labels)
    };
    let (train, test) = (draw(1000)?, draw(200)?);
    let model = Sequential::builder([SIZE.0, SIZE.1, 1])
        .layer(Conv2D::new(8, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Flatten::new())
        .layer(Dense::new(10).activation(Activation::Softmax))
        .build(27)?;
    let options =
        FitOptions { epochs: 5, batch_size: 10, learning_rate: 0.005, ..Default::default() };
    let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, options)?;
    trainer.fit(&train, None, &mut Silent)?;
    let tested = trainer.evaluate(&test)?;
    let accuracy = tested.accuracy().unwrap_or_default();
    println!("{:.1} % of {} test digits told", 100.0 * accuracy, tested.n);
    assert!(accuracy > 0.9);
    Ok(())
}

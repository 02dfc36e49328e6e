//! Grad-CAM on a custom model: a network learns to distinguish dark from bright spots; the map then
//! shows the location of the spot.
//!
//! `cargo run --release -p nn-core --example gradcam`

use nn_core::explain::{Cam, Explainer, GradCam, Target};
use nn_core::layers::{Activation, Conv2D, Dense, GlobalAveragePool2D, MaxPool2D};
use nn_core::model::Sequential;
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, Trainer};
use nn_core::{Result, Tensor};

const SIDE: usize = 20;

/// Grey noise with a 4x4 spot whose upper left corner is at `(row, column)`: dark for label 0,
/// bright for 1.
fn image(label: usize, (row, column): (usize, usize), rng: &mut Rng) -> Vec<f32> {
    let spot = |i: usize| {
        let (y, x) = (i / SIDE, i % SIDE);
        (row..row + 4).contains(&y) && (column..column + 4).contains(&x)
    };
    let pixel = |i| if spot(i) { label as f32 } else { rng.uniform_in(0.4, 0.6) as f32 };
    (0..SIDE * SIDE).map(pixel).collect()
}

fn main() -> Result<()> {
    let model = Sequential::builder([SIDE, SIDE, 1])
        .layer(Conv2D::new(8, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Conv2D::new(8, 3).activation(Activation::Relu))
        .layer(GlobalAveragePool2D::new())
        .layer(Dense::new(2).activation(Activation::Softmax))
        .build(27)?;
    let mut rng = Rng::new(27, 0);
    let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, FitOptions::default())?;
    for _ in 0..300 {
        let labels: Vec<usize> = (0..8).map(|_| rng.below(2)).collect();
        let mut pixels = Vec::new();
        for &label in &labels {
            let place = (rng.below(SIDE - 3), rng.below(SIDE - 3));
            pixels.extend(image(label, place, &mut rng));
        }
        trainer.step(Tensor::from_vec([8, SIDE, SIDE, 1], pixels)?, &labels, 0.005)?;
    }

    let model = trainer.into_model();
    let place = (12, 3);
    let x = Tensor::from_vec([1, SIDE, SIDE, 1], image(1, place, &mut rng))?;
    // Uses the last convolution, unless `layer` names another layer.
    let explained = Cam::new(GradCam).explain(&model, &x, &[Target::Predicted])?;
    let map = explained[0].normalized();
    println!("class {}, score {:.2}", explained[0].predicted, explained[0].score);
    for y in 0..SIDE {
        let shade = |&v: &f32| [' ', '.', ':', '*', '#'][(v * 4.99) as usize];
        println!("{}", map.row(y).iter().map(shade).collect::<String>());
    }
    let hottest = (0..SIDE * SIDE).max_by(|&a, &b| map.as_slice()[a].total_cmp(&map.as_slice()[b]));
    let at = hottest.map(|i| (i / SIDE, i % SIDE)).unwrap_or_default();
    println!("hottest at {at:?}, the spot begins at {place:?}");
    assert!(at.0.abs_diff(place.0 + 2) <= 4 && at.1.abs_diff(place.1 + 2) <= 4);
    Ok(())
}

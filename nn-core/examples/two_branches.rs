//! Two branches that meet, and Grad-CAM at the place where they do: one branch sees details, the other
//! wide patches. The network learns whether a bright square is on the left or on the right.
//!
//! `cargo run --release -p nn-core --example two_branches`

use nn_core::explain::{Cam, Explainer, GradCam, Target};
use nn_core::layers::{Activation, Concatenate, Conv2D, Dense, Flatten, MaxPool2D, Padding};
use nn_core::model::GraphBuilder;
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, Trainer};
use nn_core::{Result, Tensor};

/// Images of 16x16 pixels with a square of 4x4, and whether it is on the right half.
fn squares(rng: &mut Rng, count: usize) -> (Tensor, Vec<usize>) {
    let places: Vec<(usize, usize)> = (0..count).map(|_| (rng.below(13), rng.below(13))).collect();
    let pixel = |i: usize| {
        let (image, row, column) = (i / 256, i / 16 % 16, i % 16);
        let (top, left) = places[image];
        let inside = (top..top + 4).contains(&row) && (left..left + 4).contains(&column);
        f32::from(u8::from(inside))
    };
    let labels = places.iter().map(|&(_, left)| usize::from(left + 2 > 8)).collect();
    (Tensor::from_fn([count, 16, 16, 1], pixel), labels)
}

fn main() -> Result<()> {
    let conv = |filters, size| {
        Conv2D::new(filters, size).padding(Padding::Same).activation(Activation::Relu)
    };
    let mut graph = GraphBuilder::new([16, 16, 1]);
    let details = graph.layer(conv(4, 3), graph.input());
    let wide = graph.layer(conv(4, 7), graph.input());
    let both = graph.layer(Concatenate::new(), [details, wide]);
    let map = graph.named("map", conv(8, 1), both);
    let pooled = graph.layer(MaxPool2D::new(4), map);
    let flat = graph.layer(Flatten::new(), pooled);
    let logits = graph.layer(Dense::new(2).activation(Activation::Softmax), flat);
    let model = graph.build(logits, 27)?;
    println!("{}", model.summary());

    let mut rng = Rng::new(1, 0);
    let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, FitOptions::default())?;
    for _ in 0..300 {
        let (images, labels) = squares(&mut rng, 16);
        trainer.step(images, &labels, 0.003)?;
    }
    let model = trainer.into_model();
    let (images, labels) = squares(&mut rng, 20);
    let targets: Vec<Target> = labels.iter().map(|&label| Target::Class(label)).collect();
    // The default is the last feature map before pooling ends the picture.
    assert_eq!(model.last_feature_map(), Some("map"));
    let why = Cam::new(GradCam).explain(&model, &images, &targets)?;
    let right = why.iter().zip(&labels).filter(|(one, label)| one.predicted == **label).count();
    println!("{right} of 20 squares told");
    for (image, one) in why.iter().enumerate().take(3) {
        let heat = one.map.as_slice();
        let hottest = (0..heat.len()).max_by(|&a, &b| heat[a].total_cmp(&heat[b])).unwrap_or(0);
        let bright = images.row(image).iter().position(|&p| p > 0.0).unwrap_or(0);
        let place = |i: usize| (i / 16, i % 16);
        println!("square from {:?}, hottest at {:?}", place(bright), place(hottest));
    }
    assert!(right >= 18);
    Ok(())
}

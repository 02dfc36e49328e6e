//! A convolutional autoencoder: pictures of one bright square are squeezed through 6x6x4 numbers and drawn
//! again. Its targets are its inputs.
//!
//! `cargo run --release -p nn-core --example autoencoder`

use nn_core::layers::{
    Activation, Conv2D, Conv2DTranspose, MaxPool2D, OutputKind, Padding, UpSampling2D,
};
use nn_core::loss::Loss;
use nn_core::model::Sequential;
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, InMemory, Silent, Trainer};
use nn_core::{Result, Tensor};

const SIDE: usize = 12;

fn pictures(n: usize, rng: &mut Rng) -> Result<InMemory> {
    let mut pixels = vec![0.0; n * SIDE * SIDE];
    for picture in pixels.chunks_exact_mut(SIDE * SIDE) {
        let (top, left) = (rng.below(SIDE - 3), rng.below(SIDE - 3));
        for i in 0..16 {
            picture[(top + i / 4) * SIDE + left + i % 4] = 1.0;
        }
    }
    let pictures = Tensor::from_vec([n, SIDE, SIDE, 1], pixels)?;
    InMemory::new(pictures.clone(), pictures)
}

fn main() -> Result<()> {
    let same = |filters| Conv2D::new(filters, 3).padding(Padding::Same);
    let model = Sequential::builder([SIDE, SIDE, 1])
        .layer(same(16).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(same(4))
        .layer(Conv2DTranspose::new(16, 3).padding(Padding::Same).activation(Activation::Relu))
        .layer(UpSampling2D::new(2))
        .layer(same(1))
        .output(OutputKind::Sigmoid)
        .build(27)?;
    println!("{}", model.summary());
    let mut rng = Rng::new(27, 0);
    let (train, test) = (pictures(400, &mut rng)?, pictures(50, &mut rng)?);
    let options = FitOptions {
        epochs: 20,
        learning_rate: 0.005,
        loss: Loss::BinaryCrossentropy,
        ..Default::default()
    };
    let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, options)?;
    trainer.fit(&train, None, &mut Silent)?;
    let tested = trainer.evaluate(&test)?;
    println!("binary cross-entropy {:.4} on {} new pictures", tested.loss, tested.n);
    assert!(tested.loss < 0.1 && tested.accuracy().is_none());
    Ok(())
}

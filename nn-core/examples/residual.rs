//! A residual block with batch normalisation (He et al., 2016), trained by `Trainer`, saved and loaded.
//!
//! `cargo run --release -p nn-core --example residual`

use nn_core::layers::{
    Activation, Add, BatchNormalization, Conv2D, Dense, GlobalAveragePool2D, Padding,
};
use nn_core::model::{GraphBuilder, load, save};
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{Examples, FitOptions, InMemory, Silent, Trainer};
use nn_core::{Error, Result, Tensor};

/// Noisy stripes, horizontal (class 0) or vertical (class 1).
fn stripes(n: usize, rng: &mut Rng) -> Result<InMemory> {
    let labels: Vec<usize> = (0..n).map(|_| rng.below(2)).collect();
    let images = Tensor::from_fn([n, 12, 12, 1], |i| {
        let (row, column) = (i / 12 % 12, i % 12);
        let along = if labels[i / 144] == 0 { row } else { column };
        (along / 2 % 2) as f32 + rng.uniform_in(-0.8, 0.8) as f32
    });
    InMemory::new(images, labels)
}

fn main() -> Result<()> {
    let mut graph = GraphBuilder::new([12, 12, 1]);
    let same = |filters| Conv2D::new(filters, 3).padding(Padding::Same);
    let stem = graph.layer(same(8).activation(Activation::Relu), graph.input());
    // relu(x + bn(conv(relu(bn(conv(x))))))
    let inner = graph.layer(same(8), stem);
    let inner = graph.layer(BatchNormalization::new(), inner);
    let inner = graph.layer(Activation::Relu, inner);
    let inner = graph.layer(same(8), inner);
    let inner = graph.layer(BatchNormalization::new(), inner);
    let sum = graph.layer(Add::new(), [inner, stem]);
    let block = graph.layer(Activation::Relu, sum);
    let pooled = graph.layer(GlobalAveragePool2D::new(), block);
    let classes = graph.layer(Dense::new(2).activation(Activation::Softmax), pooled);
    let model = graph.build(classes, 27)?;
    println!("{}", model.summary());

    let mut rng = Rng::new(27, 0);
    let (train, test) = (stripes(400, &mut rng)?, stripes(100, &mut rng)?);
    let options = FitOptions { epochs: 5, batch_size: 8, ..Default::default() };
    let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, options)?;
    trainer.fit(&train, Some(&test), &mut Silent)?;
    let accuracy = trainer.evaluate(&test)?.accuracy().unwrap_or_default();
    println!("{:.0} % of {} new images told", 100.0 * accuracy, test.len());
    assert!(accuracy > 0.9);

    // The file holds the running statistics, too.
    let path = std::env::temp_dir().join(format!("residual-{}.safetensors", std::process::id()));
    save(&path, trainer.model(), None)?;
    let loaded = load(&path, None)?.model;
    std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    let images = || test.inputs().clone();
    assert_eq!(loaded.predict(images())?, trainer.model().predict(images())?);
    Ok(())
}

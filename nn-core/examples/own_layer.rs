//! A custom layer that contains another: a residual block, `relu(x + convolution(x))`, trained.
//!
//! `cargo run --release -p nn-core --example own_layer`

use nn_core::layers::{
    Activation, Conv2D, Dense, Forward, GlobalAveragePool2D, Layer, LayerSpec, Padding,
    ParameterSpec, single,
};
use nn_core::model::Sequential;
use nn_core::optim::OptimizerConfig;
use nn_core::rng::Rng;
use nn_core::train::{FitOptions, Trainer};
use nn_core::{Error, Kernels, Result, Shape, Tensor, Var};

#[derive(Debug)]
struct Residual {
    convolution: Conv2D,
}

impl Residual {
    fn new(channels: usize) -> Self {
        Self { convolution: Conv2D::new(channels, 3).padding(Padding::Same) }
    }
}

impl LayerSpec for Residual {
    fn kind(&self) -> &'static str {
        "Residual"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = single("Residual", inputs)?;
        let output = self.convolution.output_shape(inputs)?;
        if output != *input {
            return Err(Error::shape("Residual", &output, input, "give it the input's channels"));
        }
        Ok(output)
    }

    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        self.convolution.parameters(inputs)
    }
}

impl<T: Kernels> Layer<T> for Residual {
    fn forward(&self, cx: &mut Forward<'_, T>, x: Vec<Var<T>>, own: &[Var<T>]) -> Result<Var<T>> {
        let x = single("Residual", x)?;
        let y = self.convolution.forward(cx, vec![x.clone()], own)?;
        Ok(cx.tape.relu(cx.tape.add(&x, &y)?))
    }
}

fn main() -> Result<()> {
    let model = Sequential::builder([12, 12, 1])
        .layer(Conv2D::new(8, 3).activation(Activation::Relu))
        .layer(Residual::new(8))
        .layer(Residual::new(8))
        .layer(GlobalAveragePool2D::new())
        .layer(Dense::new(2).activation(Activation::Softmax))
        .build(27)?;
    println!("{}", model.summary());

    // Vertical or horizontal stripes.
    let mut rng = Rng::new(1, 0);
    let mut trainer = Trainer::new(model, OptimizerConfig::adam().build()?, FitOptions::default())?;
    let mut correct = 0;
    for step in 0..200 {
        let labels: Vec<usize> = (0..8).map(|_| rng.below(2)).collect();
        let stripe = |i: usize| {
            let (image, row, column) = (i / 144, i / 12 % 12, i % 12);
            ((if labels[image] == 0 { row } else { column }) / 2 % 2) as f32
        };
        let step_done = trainer.step(Tensor::from_fn([8, 12, 12, 1], stripe), &labels, 0.003)?;
        correct += step_done.correct.filter(|_| step >= 150).unwrap_or(0);
    }
    println!("{correct} of the last 400 images told");
    assert!(correct > 360);
    Ok(())
}

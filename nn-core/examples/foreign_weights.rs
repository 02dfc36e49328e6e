//! Weights from PyTorch and Keras, by their names: a network whose layers are named as in PyTorch takes
//! the tensors of a `state_dict` as they are; those of Keras are brought into PyTorch's layouts.
//!
//! `cargo run --release -p nn-core --example foreign_weights`

use nn_core::layers::{Activation, BatchNormalization, Conv2D, Dense, GlobalAveragePool2D};
use nn_core::model::safetensors::{TensorFile, write};
use nn_core::model::{Model, Sequential};
use nn_core::tensor::BufferPool;
use nn_core::{Result, Tape, Tensor};
use std::collections::BTreeMap;

/// `nn.Sequential(Conv2d(3, 8, 3), BatchNorm2d(8), ReLU(), AdaptiveAvgPool2d(1), Flatten(), Linear(8, 2))`
fn network() -> Result<Model> {
    Sequential::builder([16, 16, 3])
        .named("0", Conv2D::new(8, 3))
        .named("1", BatchNormalization::new())
        .named("2", Activation::Relu)
        .named("3", GlobalAveragePool2D::new())
        .named("5", Dense::new(2))
        .build(27)
}

/// Sets every parameter from a file that was written by `safetensors.torch.save_file(net.state_dict(), ..)`.
fn load_from_pytorch(model: &mut Model, path: &std::path::Path) -> Result<()> {
    let mut file = TensorFile::open(path)?;
    let names: Vec<String> = model.parameters().iter().map(|p| p.name.clone()).collect();
    for name in names {
        model.set(&name, file.read(&name)?)?;
    }
    Ok(())
}

/// Keras keeps kernels as `[height, width, in, out]`, here `[out, in, height, width]`, and those of dense
/// layers as `[in, out]`, here `[out, in]`.
fn from_keras(kernel: Tensor) -> Result<Tensor> {
    let tape = Tape::inference(BufferPool::new());
    let axes: &[usize] = if kernel.dims().len() == 4 { &[3, 2, 0, 1] } else { &[1, 0] };
    let permuted = tape.permute(&tape.constant(kernel), axes)?;
    Ok(permuted.into_owned(tape.pool()))
}

fn main() -> Result<()> {
    // Stands in for a file of PyTorch's: the same names, layouts and format.
    let path = std::env::temp_dir().join(format!("foreign-weights-{}", std::process::id()));
    let trained = network()?;
    let tensors = trained.parameters().iter().map(|p| (p.name.as_str(), p.value.as_ref()));
    write(&path, tensors, &BTreeMap::new())?;

    let mut model = network()?;
    model.reinitialize("0", 5)?;
    let image = Tensor::from_fn([1, 16, 16, 3], |i| (i % 13) as f32 / 13.0);
    let expected = trained.predict(image.clone())?;
    assert_ne!(model.predict(image.clone())?, expected);
    let loaded = load_from_pytorch(&mut model, &path);
    let _ = std::fs::remove_file(&path);
    loaded?;
    assert_eq!(model.predict(image)?, expected);
    println!("{} tensors loaded by their names", model.parameters().len());

    // `layer.get_weights()` of a Keras Conv2D(8, 3) and Dense(2).
    let kernel = Tensor::from_fn([3, 3, 3, 8], |i| i as f32);
    model.set("0.weight", from_keras(kernel)?)?;
    model.set("5.weight", from_keras(Tensor::from_fn([8, 2], |i| i as f32))?)?;
    let weight = &model.get("0.weight").expect("the network has it").value;
    // Output 1, input 2, row 0, column 1 was row 0, column 1, input 2, output 1.
    assert_eq!(weight.as_slice()[27 + 18 + 1], (24 + 2 * 8 + 1) as f32);
    println!("and two kernels of Keras' turned");
    Ok(())
}

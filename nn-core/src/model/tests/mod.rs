//! Tests of building, describing, saving and running models.

mod build;
mod file;
mod forward;
mod graph;
mod safetensors;
mod transfer;

use super::*;
use crate::layers::*;
use crate::rng::Rng;

/// A small network with one layer of every kind that has parameters.
fn small() -> Sequential<f32> {
    ReferenceCnn::new(3, 26).filters([2, 3, 4]).units(5).build(27).unwrap()
}

/// Pixels from a formula.
fn images<T: Kernels>(batch: usize, side: usize) -> Tensor<T> {
    let mut rng = Rng::new(7, 0);
    Tensor::from_fn([batch, side, side, 3], |_| T::from_f64(rng.uniform_in(0.0, 255.0).floor()))
}

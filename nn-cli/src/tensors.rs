//! Tensors in place of images, for checks against other programs.

use crate::failure::Failure;
use crate::npy;
use nn_core::model::Sequential;
use nn_core::{Error, Tensor};
use std::path::Path;

/// Reads an array `[n, channels, height, width]` for a network.
///
/// # Errors
/// If it cannot be read, or has not the network's shape.
pub fn read(path: &Path, model: &Sequential) -> Result<Tensor, Failure> {
    let tensor = npy::read(path)?;
    let &[height, width, channels] = model.input_shape().dims() else {
        return Err(Failure::failed(format!("{} takes no images", model.name())));
    };
    match *tensor.dims() {
        [n, c, h, w] if n > 0 && [c, h, w] == [channels, height, width] => Ok(tensor),
        ref dims => Err(Error::file(
            path,
            format!("its shape is {dims:?}, the network takes [n, {channels}, {height}, {width}]"),
            "write images for this network, channels first",
        )
        .into()),
    }
}

/// The samples `range` of a tensor `[n, channels, height, width]`, with their channels last.
///
/// # Errors
/// No tensor that [`read`] gave causes one.
pub fn channels_last(tensor: &Tensor, range: std::ops::Range<usize>) -> Result<Tensor, Error> {
    let &[_, channels, height, width] = tensor.dims() else {
        return Err(Error::Internal("a tensor of four dimensions was read".into()));
    };
    let mut values = Vec::with_capacity(range.len() * channels * height * width);
    for sample in range.clone() {
        let planes = tensor.row(sample);
        for place in 0..height * width {
            values.extend(planes.iter().skip(place).step_by(height * width));
        }
    }
    Tensor::from_vec([range.len(), height, width, channels], values)
}

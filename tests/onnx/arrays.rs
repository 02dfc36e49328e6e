//! Arrays of NumPy, as PyTorch's scripts write them for comparison: `.npz`, in single precision.

use nn_core::Tensor;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// The arrays of a file: for each name the shape and the numbers.
pub struct Arrays(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Arrays {
    pub fn read(path: &Path) -> Self {
        let file = std::fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut archive = zip::ZipArchive::new(file).unwrap();
        let mut arrays = BTreeMap::new();
        for i in 0..archive.len() {
            let mut entry = archive.by_index(i).unwrap();
            let name = entry.name().unwrap().trim_end_matches(".npy").to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            arrays.insert(name, array(&bytes));
        }
        Self(arrays)
    }

    pub fn values(&self, name: &str) -> &[f32] {
        &self.0[name].1
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self.0[name].0
    }

    /// `[batch, channels, height, width]` as `[batch, height, width, channels]`.
    pub fn image(&self, name: &str) -> Tensor {
        let &[batch, channels, height, width] = self.shape(name) else {
            panic!("{name} is no image")
        };
        let values = self.values(name);
        Tensor::from_fn([batch, height, width, channels], |i| {
            let (place, channel) = (i / channels, i % channels);
            let (sample, pixel) = (place / (height * width), place % (height * width));
            values[(sample * channels + channel) * height * width + pixel]
        })
    }
}

/// The content of a `.npy` file, version 1: a text that describes it, and numbers.
fn array(bytes: &[u8]) -> (Vec<usize>, Vec<f32>) {
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = std::str::from_utf8(&bytes[10..header]).unwrap();
    assert!(text.contains("'<f4'") && text.contains("'fortran_order': False"), "{text}");
    let (_, shape) = text.split_once("'shape': (").unwrap();
    let (shape, _) = shape.split_once(')').unwrap();
    let shape = shape.split(',').map(str::trim).filter(|dim| !dim.is_empty());
    let shape: Vec<usize> = shape.map(|dim| dim.parse().unwrap()).collect();
    let (numbers, _) = bytes[header..].as_chunks::<4>();
    (shape, numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// The numbers of `[batch, height, width, channels]` in the order of `[batch, channels, height, width]`.
pub fn channels_first(tensor: &Tensor) -> Vec<f32> {
    let &[batch, height, width, channels] = tensor.dims() else { panic!("{:?}", tensor.dims()) };
    let (places, values) = (height * width, tensor.as_slice());
    let mut turned = Vec::with_capacity(values.len());
    for sample in 0..batch {
        for channel in 0..channels {
            turned.extend((0..places).map(|p| values[(sample * places + p) * channels + channel]));
        }
    }
    turned
}

/// The largest difference, relative to the largest magnitude that is expected.
pub fn largest_difference(ours: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(ours.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |max, v| max.max(f64::from(*v).abs()));
    let pairs = ours.iter().zip(expected);
    let difference =
        pairs.fold(0.0f64, |max, (a, b)| max.max((f64::from(*a) - f64::from(*b)).abs()));
    difference / largest
}

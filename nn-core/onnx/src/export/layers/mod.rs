//! The kinds of layers as nodes, one file for each family.

mod arithmetic;
mod convolution;
mod moving;
mod normalization;
mod picking;
mod pooling;
mod resizing;

use super::call::Call;
use super::graph::Held;
use nn_core::{Error, Result};

/// Writes a layer; its value.
type Writer = fn(&mut Call<'_, '_>) -> Result<Held>;

/// The kinds of a family, by their names.
type Family = &'static [(&'static str, Writer)];

const FAMILIES: [Family; 7] = [
    arithmetic::KINDS,
    convolution::KINDS,
    moving::KINDS,
    normalization::KINDS,
    picking::KINDS,
    pooling::KINDS,
    resizing::KINDS,
];

/// The kinds of layers that can be written, in alphabetical order.
pub fn kinds() -> Vec<&'static str> {
    let mut kinds: Vec<_> = FAMILIES.iter().copied().flatten().map(|(kind, _)| *kind).collect();
    kinds.sort_unstable();
    kinds
}

/// What writes a layer of this kind.
///
/// # Errors
/// If there is none.
pub fn writer(name: &str, kind: &str) -> Result<Writer> {
    let found = FAMILIES.iter().copied().flatten().find(|(own, _)| *own == kind);
    found.map(|(_, writer)| *writer).ok_or_else(|| {
        Error::setting(
            format!("{name}, a layer to be written as ONNX,"),
            format!("of a kind that ONNX's operators are known for: {}", kinds().join(", ")),
            format!("{kind}, a layer of another crate"),
            "build the model of these layers, or of smaller ones that are",
        )
    })
}

//! The targets: each takes arbitrary bytes, and must neither panic, hang, nor allocate much more
//! memory than the size of its input. Each checks that its results are consistent.

pub mod architecture;
pub mod archive;
pub mod audit;
pub mod beside;
pub mod checkpoint;
pub mod config;
pub mod image;
pub mod kernels;
pub mod labels;
pub mod manifest;
pub mod metadata;
pub mod model;
pub mod npy;
pub mod onnx;
pub mod split;
pub mod tensor;

mod files;
mod input;

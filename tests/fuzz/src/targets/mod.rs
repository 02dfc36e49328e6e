//! The targets: each takes any bytes whatever, and must neither panic, hang, nor ask for much more
//! memory than it was given bytes. What it makes of them must hold together, which it checks.

pub mod archive;
pub mod audit;
pub mod checkpoint;
pub mod config;
pub mod image;
pub mod kernels;
pub mod labels;
pub mod manifest;
pub mod model;
pub mod split;
pub mod tensor;

mod files;
mod input;

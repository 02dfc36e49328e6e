//! Where the time goes: convolution, pooling and matrix products over plain slices.
//!
//! Kernels know nothing of tensors' history. Everything `unsafe` in this crate is here.
#![allow(unsafe_code)]

/// The kernels that exist for an element type.
pub trait Kernels: Sized {}

impl Kernels for f32 {}
impl Kernels for f64 {}

//! What a tensor can hold.

use crate::kernels::Kernels;
use std::fmt::{Debug, Display};

/// A floating-point number the engine computes with: `f32`, or `f64` where gradients are checked.
///
/// The trait is small on purpose. Arithmetic comes from [`num_traits::Float`]; what differs between
/// the two types beyond that is which kernels exist for them.
pub trait Element:
    bytemuck::Pod
    + num_traits::Float
    + num_traits::NumAssign
    + std::iter::Sum
    + Kernels
    + Default
    + Debug
    + Display
    + Send
    + Sync
    + 'static
{
    /// The type's name, as Rust writes it.
    const NAME: &'static str;

    /// The nearest value.
    fn from_f64(value: f64) -> Self;

    /// The value in double precision, exactly.
    fn as_f64(self) -> f64;
}

impl Element for f32 {
    const NAME: &'static str = "f32";

    fn from_f64(value: f64) -> Self {
        value as f32
    }

    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Element for f64 {
    const NAME: &'static str = "f64";

    fn from_f64(value: f64) -> Self {
        value
    }

    fn as_f64(self) -> f64 {
        self
    }
}

//! What a tensor can hold.

use std::fmt::{Debug, Display};

/// A floating-point number the engine computes with: `f32`, or `f64` where gradients are checked.
///
/// The trait is small on purpose: arithmetic comes from [`num_traits::Float`]. Code that computes with
/// tensors asks for [`Kernels`](crate::kernels::Kernels), which says what is compiled for each type.
pub trait Element:
    bytemuck::Pod
    + num_traits::Float
    + num_traits::NumAssign
    + std::iter::Sum
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

//! Element types of tensors.

use std::fmt::{Debug, Display};

/// A floating-point element type: `f32`, or `f64` for gradient checks.
///
/// The trait is small: arithmetic comes from [`num_traits::Float`]. Code that computes with tensors
/// uses the bound [`Kernels`](crate::kernels::Kernels), which provides the compiled kernels of each
/// type.
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
    /// The type's name in Rust.
    const NAME: &'static str;

    /// The nearest representable value.
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

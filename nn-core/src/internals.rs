//! The parts of the kernels that the tests, the benchmarks and the `bench` command of this repository
//! use.
//!
//! Not a public API: it may change without notice.

pub use crate::kernels::Tables;
pub use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};

/// Convolutions: the registry, and the kernel traits of each pass.
pub mod conv {
    pub use crate::kernels::conv::{
        Accuracy, Bounds, Conv2dForward, Conv2dInputGradient, Conv2dKernel, Conv2dKernels,
        Conv2dWeightGradient, MAX_FUSED_WINDOW, Output, OutputGradient,
    };
}

/// Functions of one number.
pub mod functions {
    pub use crate::kernels::functions::Function;
}

/// Matrix products of dense layers.
pub mod linear {
    pub use crate::kernels::linear::{Dims, forward, input_gradient, weight_gradient};
}

/// Measures the machine's peak multiply-add rate.
#[cfg(not(target_family = "wasm"))]
pub mod peak {
    pub use crate::kernels::peak::measure;
}

/// Pooling.
pub mod pool {
    pub use crate::kernels::pool::*;
}

/// Reference implementations in double precision that kernels are compared with.
pub mod reference {
    pub use crate::kernels::reference::*;
}
